"""Kernels with enough work run far below what their GPU could do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.findings.finding import SHOWN, BuildRule, Evidence, Finding
from trtlens.findings.stakes import Stake
from trtlens.limits.layer_roofs import MEMORY
from trtlens.limits.limit import NEAR
from trtlens.limits.split import read_split
from trtlens.quantities import duration
from trtlens_parsers.kernels import CUDA_CORE, TENSOR_CORE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.findings.engine import Engine
    from trtlens.limits.parts import LayerPart

_RESOURCES = (MEMORY, TENSOR_CORE, CUDA_CORE)
_LEAST_SHARE = 0.05
_GREAT_SHARE = 0.25


def finding(engine: Engine) -> Finding | None:
    """Where such kernels take a twentieth of an inference or more beyond their roofs."""
    split = read_split(engine.run, engine.number)
    if split is None:
        return None
    below = sorted((part for part in split.parts if _is_below(part)), key=lambda part: -part.recoverable_ms)
    over = sum(part.recoverable_ms for part in below)
    if over < _LEAST_SHARE * split.inference_ms:
        return None
    return Finding(
        "medium" if over >= _GREAT_SHARE * split.inference_ms else "low", _title(below), _text(below, over, split.inference_ms),
        tuple(Evidence(f"{part.name}: {part.limit.evidence}") for part in below[:SHOWN]), "low", _advice(below),
        stake=Stake(None, f"what they take beyond their roofs, of the {duration(split.inference_ms)} of an inference; how near to it other kernels come is in no record", 0.0, over),
        layers=tuple(part.name for part in below),
    )  # fmt: skip


def _is_below(part: LayerPart) -> bool:
    known = part.limit.name in _RESOURCES and not part.limit.is_above
    return known and part.roof_ms < NEAR * (part.time_ms - part.launch_ms)


def _title(below: Sequence[LayerPart]) -> str:
    if len(below) == 1:
        return "one layer's kernel is far below what the GPU could do"
    return f"kernels of {len(below)} layers are far below what the GPU could do"


def _text(below: Sequence[LayerPart], over: float, inference_ms: float) -> str:
    taken = sum(part.time_ms for part in below)
    which = "The layer takes" if len(below) == 1 else "They take"
    return (
        f"{which} {duration(taken)} of the {duration(inference_ms)} of an inference, {duration(over)} more than the work needs at the roofs of "
        "the GPU with the types that run. The kernels take so long that latency alone does not explain it."
    )


def _advice(below: Sequence[LayerPart]) -> str:
    most = below[0]
    first = (
        "let them run in FP16, BF16 or TF32, which have tensor cores; "
        if most.limit.name == CUDA_CORE and most.work is not None and most.work.products
        else ""
    )
    return (
        f"{first}trtlens why LAYER lists the tactics that were timed and those that were skipped; a higher --builderOptimizationLevel or a "
        "newer TensorRT may have a better one"
    )


FINDING = BuildRule(
    finding,
    section="Speed",
    place=14,
    title="Kernels are far below what the GPU could do",
    meaning=(
        "Layers whose kernels take 12 µs or more, and have as many thread blocks as the GPU has multiprocessors as far as a trace tells, need "
        "less than half of that at the roof of the memory or of the cores they run on, and together take a twentieth of an inference or more "
        "beyond it. Not said of layers that latency limits (`too-little-work`), nor where the GPU waits for the host and nothing was traced."
    ),
    stake="At most what these layers take beyond their roofs.",
    next_check="`trtlens why LAYER`: the tactics that were timed; another precision where CUDA cores limit, a higher builder optimization level or a newer TensorRT.",
    needs="Layer times, the work of the layers, and a GPU whose chip is known.",
)

"""Most kernels are too short, or have too few thread blocks, to keep the GPU busy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.findings.finding import SHOWN, BuildRule, Evidence, Finding
from trtlens.findings.stakes import Stake
from trtlens.limits.limit import LATENCY
from trtlens.limits.split import read_split
from trtlens.quantities import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.findings.engine import Engine
    from trtlens.limits.parts import LayerPart, Split

_LEAST_SHARE = 0.5
_STAKE = Stake(None, "not known: what more samples at once gain for each of them is in no record")


def finding(engine: Engine) -> Finding | None:
    """Where latency limits layers that take half of an inference or more."""
    split = read_split(engine.run, engine.number)
    if split is None or engine.timing.waits:
        return None
    limited = [part for part in split.parts if part.limit.name == LATENCY]
    taken = sum(part.time_ms for part in limited)
    if taken < _LEAST_SHARE * split.inference_ms:
        return None
    return Finding(
        "low", "most layers have too little work to keep the GPU busy", _text(split, limited, taken),
        tuple(Evidence(f"{part.name}: {part.limit.evidence}") for part in limited[:SHOWN]), "medium",
        "time larger batches (trtlens profile --batches 1,8,32 says which gives the most samples a second), or several inferences at once; "
        "trtlens show bound lists what limits each layer",
        stake=_STAKE, layers=tuple(part.name for part in limited),
    )  # fmt: skip


def _text(split: Split, limited: Sequence[LayerPart], taken: float) -> str:
    layers = sum(part.index is not None for part in split.parts)
    needed = sum(part.roof_ms for part in limited)
    return (
        f"Latency limits {len(limited)} of {layers} layers, which take {duration(taken)} of the {duration(split.inference_ms)} of an inference "
        f"and would need {duration(needed)} at the roofs of the GPU: their kernels are short, or have fewer thread blocks than the GPU has "
        "multiprocessors. With more samples in one inference such layers take longer by much less than in proportion."
    )


FINDING = BuildRule(
    finding,
    section="Speed",
    place=13,
    title="Most layers have too little work to keep the GPU busy",
    meaning=(
        "Layers that latency limits (`trtlens show bound`) take half of an inference or more: each needs less than half of its time at the "
        "roofs of the GPU, and its kernels take less than 12 µs each or have fewer thread blocks than the GPU has multiprocessors. Such layers of a "
        "MobileNetV2 took 0 to 5 % more for each time that their work grew with the batch (H200, TensorRT 8.6). Not said where the GPU waits for "
        "the host, which `launch-bound` tells."
    ),
    stake="None in one inference: more samples at once take less time each, how much less is in no record.",
    next_check="A larger batch, or several inferences at once.",
    needs="Layer times, the work of the layers, and a GPU whose chip is known.",
)

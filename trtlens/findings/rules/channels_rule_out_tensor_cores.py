"""Convolutions and matrix products on CUDA cores whose channel counts no tensor core kernel takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.explain.tensor_cores import odd_channels
from trtlens.findings.finding import SHOWN, BuildRule, Evidence, Finding
from trtlens.quantities import duration
from trtlens.tuning.wording import counted
from trtlens_parsers.kernels import CUDA_CORE, TENSOR_CORE

if TYPE_CHECKING:
    from trtlens.findings.engine import Engine

_WORTH_SHARE = 0.02
_TENSOR_CORES_FROM = {"fp16": (7, 0), "int8": (7, 2), "bf16": (8, 0), "tf32": (8, 0), "fp8": (8, 9), "fp4": (10, 0)}
"""Compute capability from which tensor cores have a precision (CUDA C++ Programming Guide)."""
_WITHOUT = "GTX 16"
"""GPUs of capability 7.5 that have no tensor cores."""


def finding(engine: Engine) -> Finding | None:
    """Which layers, with their channels."""
    padded = _padded_precisions(engine)
    found = [
        (subject.node, counts, bool(subject.candidates))
        for subject in engine.subjects.values()
        if subject.node.row["unit"] == CUDA_CORE
        and subject.node.row["precision"] not in padded
        and _has_tensor_cores(engine, subject.node.row["precision"])
        and not any(c.unit == TENSOR_CORE for c in subject.candidates)
        and (counts := odd_channels(subject.node)) is not None
    ]
    if not found:
        return None
    times = {node.index: time_ms for node, _, _ in found if (time_ms := engine.known(node)) is not None}
    found.sort(key=lambda row: -times.get(row[0].index, 0.0))
    spent = sum(times.values()) or None
    evidence = [
        Evidence(
            f"{node.name}: {text}" + (f"; {duration(times[node.index])}" if node.index in times else ""),
            node.row["line"],
        )
        for node, text, _ in found[:SHOWN]
    ]
    sure = all(row[2] for row in found)
    heavy = spent is not None and engine.total_ms is not None and spent >= _WORTH_SHARE * engine.total_ms
    text = (
        f"{counted(len(found), 'convolution or matrix product runs', 'convolutions or matrix products run')} on CUDA cores, the tuner "
        "timed no tensor core kernel for it, and its channel counts are not multiples of what such kernels need (8 in FP16 and BF16, 16 in INT8 and FP8, 4 in TF32)."
    )
    return Finding(
        "medium" if heavy else "low", f"channel counts keep {counted(len(found), 'layer', 'layers')} off tensor cores", text,
        tuple(evidence), "medium" if sure else "low", "pad the channels in the model to the next multiple, and measure",
        stake=engine.clock.stake(engine.parts(node for node, _, _ in found)), layers=tuple(node.name for node, _, _ in found),
    )  # fmt: skip


def _has_tensor_cores(engine: Engine, precision: str | None) -> bool:
    """Whether the GPU may have tensor cores for a precision: yes, unless it is stated to be one that has none."""
    capability, gpu = engine.compute_capability, engine.row["gpu"] or ""
    needed = _TENSOR_CORES_FROM.get(precision or "")
    return _WITHOUT not in gpu and (capability is None or needed is None or capability >= needed)


def _padded_precisions(engine: Engine) -> set[str]:
    """Precisions in which a layer of this engine runs on tensor cores with such channel counts: they rule nothing out."""
    nodes = [subject.node for subject in engine.subjects.values() if subject.node.row["unit"] == TENSOR_CORE]
    return {node.row["precision"] for node in nodes if odd_channels(node) is not None}


FINDING = BuildRule(
    finding,
    section="Speed",
    place=4,
    title="Channel counts that no tensor core kernel takes",
    meaning=(
        "A convolution or matrix product runs on CUDA cores in a precision that tensor cores have, no tensor core kernel was timed for it, "
        "and the channels of its input or output (of one group, where the groups are known) are not a multiple of what such kernels need "
        "without padding: 8 in FP16 and BF16, 16 in INT8 and FP8, 4 in TF32. Not reported for a GPU without tensor cores for the precision, "
        "nor if another layer of the engine runs on tensor cores with such channels. Confidence is low if a layer has no tuning record of "
        "its own, because it is then not known which kernels were timed."
    ),
    stake="At most the layers' time: what they would take on tensor cores is in no record.",
    next_check="Pad the channels in the model, and measure.",
    needs="The engine's layers with their shapes.",
)

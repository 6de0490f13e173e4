"""Rules about tensor cores: left out although a kernel was there, or ruled out by the channel counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.explain.tensor_cores import missed_tensor_core, odd_channels
from trtlens.findings.finding import Evidence, Finding
from trtlens.quantities import duration, durations, tactic_text
from trtlens.tuning.wording import combination_text, counted
from trtlens_parsers.kernels import CUDA_CORE, TENSOR_CORE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.explain.tensor_cores import MissedTensorCore
    from trtlens.findings.engine import Engine

_SHOWN = 3
_WORTH_SHARE = 0.02
_TENSOR_CORES_FROM = {"fp16": (7, 0), "int8": (7, 2), "bf16": (8, 0), "tf32": (8, 0), "fp8": (8, 9), "fp4": (10, 0)}
"""Compute capability from which tensor cores have a precision (CUDA C++ Programming Guide)."""
_WITHOUT = "GTX 16"
"""GPUs of capability 7.5 that have no tensor cores."""


def cuda_cores_despite_tensor_cores(engine: Engine) -> Finding | None:
    """Layers run on CUDA cores although the tuner timed a tensor core kernel for them that was faster by its own record."""
    missed = [one for one in map(missed_tensor_core, engine.subjects.values()) if one is not None and one.saved_ms > 0]
    if not missed:
        return None
    missed.sort(key=lambda one: -one.saved_ms)
    savings = [engine.saving(one.subject.node, one.chosen_ms, one.in_all_ms) for one in missed]
    known = [saving for saving in savings if saving is not None]
    stake = engine.clock.stake(sum(known) if known else None)
    text = (
        f"{counted(len(missed), 'layer runs', 'layers run')} on CUDA cores although a tensor core kernel was timed for it that was "
        f"faster, by {duration(sum(one.saved_ms for one in missed))} in all by the tuner's times{_net(missed)}. Layers whose reformats "
        "around such a kernel cost more than it saves are left out."
    )
    total = engine.total_ms
    severity = "high" if known and total is not None and sum(known) >= _WORTH_SHARE * total else "low"
    return Finding(
        "cuda-cores-despite-tensor-cores", severity, counted(len(missed), "layer runs on CUDA cores although tensor cores were faster", "layers run on CUDA cores although tensor cores were faster"), text,
        tuple(_row(one) for one in missed[:_SHOWN]), "medium", "trtlens why LAYER for each of these layers; formats of their neighbours decide",
        stake=stake, layers=tuple(one.subject.node.name for one in missed),
    )  # fmt: skip


def _net(missed: Sequence[MissedTensorCore]) -> str:
    """Whether the reformats around the kernels are in what they save."""
    unknown = sum(one.detour.total_ms is None for one in missed)
    if not unknown:
        return ", reformats around them counted"
    return (
        f", without the reformats around {unknown} of them, which have no time"
        if unknown < len(missed)
        else ", reformats not counted"
    )


def _row(missed: MissedTensorCore) -> Evidence:
    took, now = durations(missed.candidate_ms, missed.chosen_ms)
    candidate, chosen = missed.candidate, missed.subject.chosen
    text = (
        f"{missed.subject.node.name}: {tactic_text(candidate.tactic_id)} on tensor cores took {took} "
        f"({combination_text(*candidate.formats)}), what runs {now} (line {chosen.line if chosen else '?'}), {missed.detour.text}"
    )
    return Evidence(text, candidate.line)


def channels_rule_out_tensor_cores(engine: Engine) -> Finding | None:
    """Convolutions and matrix products on CUDA cores whose channel counts no tensor core kernel takes."""
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
        for node, text, _ in found[:_SHOWN]
    ]
    sure = all(row[2] for row in found)
    heavy = spent is not None and engine.total_ms is not None and spent >= _WORTH_SHARE * engine.total_ms
    text = (
        f"{counted(len(found), 'convolution or matrix product runs', 'convolutions or matrix products run')} on CUDA cores without any "
        "tensor core kernel timed for it, and the channel counts are no multiples of what tensor core kernels take (8 in FP16 and BF16, 16 in INT8 and FP8, 4 in TF32)."
    )
    return Finding(
        "channels-rule-out-tensor-cores", "medium" if heavy else "low", f"channel counts keep {counted(len(found), 'layer', 'layers')} off tensor cores", text,
        tuple(evidence), "medium" if sure else "low", "pad the channels in the model to the next multiple, and measure",
        stake=engine.clock.stake(spent), layers=tuple(node.name for node, _, _ in found),
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

"""Rules about tensor cores: left out although a kernel was there, or ruled out by the channel counts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from trtlens.explain.around import Detour
from trtlens.explain.tuner import best
from trtlens.explain.wording import combination_text, counted
from trtlens.findings.finding import Evidence, Finding
from trtlens.quantities import duration, durations, tactic_text

if TYPE_CHECKING:
    from trtlens.engine_graph import Node
    from trtlens.explain.subject import Subject
    from trtlens.explain.tuner import Candidate
    from trtlens.findings.engine import Engine

TENSOR_CORE, CUDA_CORE = "tensor core", "cuda core"
_SHOWN = 3
_WORTH_SHARE = 0.02
MULTIPLES = {"fp16": 8, "bf16": 8, "int8": 16, "fp8": 16, "tf32": 4}
"""Channels of input and output must be multiples of this for an unpadded tensor core kernel (NVIDIA's guides)."""
_MATRIX_TYPES = ("Convolution", "Deconvolution", "MatrixMultiply", "FullyConnected", "gemm")


def cuda_cores_despite_tensor_cores(engine: Engine) -> Finding | None:
    """Layers run on CUDA cores although the tuner timed a tensor core kernel for them that was faster by itself."""
    rows = []
    for subject in engine.subjects.values():
        candidate = best([c for c in subject.candidates if c.unit == TENSOR_CORE])
        if subject.node.row["unit"] == CUDA_CORE and candidate is not None:
            rows.append((subject, candidate))
    faster = [
        (subject, c, subject.chosen.time_ms - c.time_ms)
        for subject, c in rows
        if subject.chosen is not None and subject.chosen.time_ms is not None and c.time_ms is not None
        and c.time_ms < subject.chosen.time_ms
    ]  # fmt: skip
    if not faster:
        return None
    faster.sort(key=lambda row: -row[2])
    saved = sum(row[2] for row in faster)
    evidence = [_row(subject, candidate) for subject, candidate, _ in faster[:_SHOWN]]
    text = (
        f"{counted(len(rows), 'layer runs', 'layers run')} on CUDA cores although a tensor core kernel was timed for it; for "
        f"{len(faster)} the tensor core kernel was faster by itself, by {duration(saved)} in all. What stood against it is in the evidence."
    )
    total = engine.total_ms
    severity = "high" if total is not None and saved >= _WORTH_SHARE * total else "low"
    return Finding(
        "cuda-cores-despite-tensor-cores", severity, counted(len(faster), "layer runs on CUDA cores although tensor cores were faster", "layers run on CUDA cores although tensor cores were faster"), text,
        tuple(evidence), "medium", "trtlens why LAYER for each of these layers; formats of their neighbours decide",
        at_stake_ms=saved, layers=tuple(subject.node.name for subject, _, _ in faster),
    )  # fmt: skip


def _row(subject: Subject, candidate: Candidate) -> Evidence:
    assert subject.chosen is not None and subject.chosen.time_ms is not None and candidate.time_ms is not None  # noqa: PT018, S101
    detour = Detour.of(candidate, subject)
    took, now = durations(candidate.time_ms, subject.chosen.time_ms)
    text = (
        f"{subject.node.name}: {tactic_text(candidate.tactic_id)} on tensor cores took {took} "
        f"({combination_text(*candidate.formats)}), what runs {now} (line {subject.chosen.line}), {detour.text}"
    )
    return Evidence(text, candidate.line)


def channels_rule_out_tensor_cores(engine: Engine) -> Finding | None:
    """Convolutions and matrix products on CUDA cores whose channel counts no tensor core kernel takes."""
    found = []
    for subject in engine.subjects.values():
        reason = _ruled_out(subject)
        if reason is not None:
            found.append((subject.node, *reason))
    if not found:
        return None
    times = {node.index: time_ms for node, _, _ in found if (time_ms := engine.known(node)) is not None}
    found.sort(key=lambda row: -times.get(row[0].index, 0.0))
    stake = sum(times.values()) or None
    evidence = [
        Evidence(
            f"{node.name}: {text}" + (f"; {duration(times[node.index])}" if node.index in times else ""),
            node.row["line"],
        )
        for node, text, _ in found[:_SHOWN]
    ]
    sure = all(row[2] for row in found)
    total = engine.total_ms
    heavy = stake is not None and total is not None and stake >= _WORTH_SHARE * total
    text = (
        f"{counted(len(found), 'convolution or matrix product runs', 'convolutions or matrix products run')} on CUDA cores without any "
        "tensor core kernel timed for it, and the channel counts are no multiples of what tensor core kernels take (8 in FP16 and BF16, 16 in INT8 and FP8, 4 in TF32)."
    )
    return Finding(
        "channels-rule-out-tensor-cores", "medium" if heavy else "low", f"channel counts keep {counted(len(found), 'layer', 'layers')} off tensor cores", text,
        tuple(evidence), "medium" if sure else "low", "pad the channels in the model to the next multiple, and measure", at_stake_ms=stake,
        layers=tuple(node.name for node, _, _ in found),
    )  # fmt: skip


def _ruled_out(subject: Subject) -> tuple[str, bool] | None:
    """Why tensor cores take no such layer, and whether its record shows that none was timed; None where they might."""
    node = subject.node
    precision = node.row["precision"]
    multiple = MULTIPLES.get(precision or "")
    if node.row["unit"] != CUDA_CORE or multiple is None or not node.type.endswith(_MATRIX_TYPES):
        return None
    if any(c.unit == TENSOR_CORE for c in subject.candidates):
        return None
    channels = channels_of(node)
    if channels is None:
        return None
    counts = [
        f"{count} {side} channels"
        for side, count in zip(("input", "output"), channels, strict=True)
        if count % multiple
    ]
    if not counts:
        return None
    return f"{' and '.join(counts)} in {str(precision).upper()}, which takes multiples of {multiple}", bool(
        subject.candidates
    )


def channels_of(node: Node) -> tuple[int, int] | None:
    """Input and output channels of one group of a convolution, or of a matrix product; None where not shown."""
    if not node.inputs or not node.outputs:
        return None
    sizes = [
        tensor.dims[1] if tensor.dims is not None and len(tensor.dims) > 1 else None
        for tensor in (node.inputs[0], node.outputs[0])
    ]
    groups = _groups(node)
    if sizes[0] is None or sizes[1] is None or groups is None or sizes[0] % groups or sizes[1] % groups:
        return None
    return sizes[0] // groups, sizes[1] // groups


def _groups(node: Node) -> int | None:
    """Groups of a convolution: stated by detailed information, else 1; None where they are no number."""
    parameters: dict[str, Any] = json.loads(node.row["parameters"] or "{}")
    try:
        return int(parameters.get("Groups", 1)) or None
    except ValueError:
        return None

"""What stands between a layer on CUDA cores and tensor cores: a kernel that was timed, or channels that rule them out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.explain.precisions import ReformatOverhead
from trtlens.tuning.queries import best
from trtlens_parsers.kernels import CUDA_CORE, TENSOR_CORE

if TYPE_CHECKING:
    from trtlens.engine.engine_graph import GraphLayer
    from trtlens.explain.subject import Subject
    from trtlens.tuning.queries import Candidate

MULTIPLES = {"fp16": 8, "bf16": 8, "int8": 16, "fp8": 16, "tf32": 4}
"""Channels of input and output must be multiples of this for an unpadded tensor core kernel (NVIDIA's guides)."""
_MATRIX_TYPES = ("Convolution", "Deconvolution", "MatrixMultiply", "FullyConnected", "gemm")


@dataclass(frozen=True, slots=True)
class MissedTensorCore:
    """A layer on CUDA cores, the fastest tensor core kernel that was timed for it, and what that would cost around it."""

    subject: Subject
    candidate: Candidate
    overhead: ReformatOverhead
    chosen_ms: float
    candidate_ms: float

    @property
    def in_all_ms(self) -> float:
        """The kernel's time by the tuner, with the reformats around it where the tuner timed them."""
        return self.candidate_ms if self.overhead.total_ms is None else self.overhead.total_ms

    @property
    def saved_ms(self) -> float:
        """What the kernel would save by the tuner's times; negative where the reformats around it cost more."""
        return self.chosen_ms - self.in_all_ms


def why_on_cuda_cores(subject: Subject) -> str | None:
    """Why a layer on CUDA cores that could run on tensor cores does not; None for a layer that could not, or runs on them.

    Such layers are convolutions and matrix products, and whatever else a tensor core kernel was timed for.
    """
    node = subject.node
    timed = best([c for c in subject.candidates if c.unit == TENSOR_CORE])
    if node.row["unit"] != CUDA_CORE or (timed is None and not node.type.endswith(_MATRIX_TYPES)):
        return None
    missed = missed_tensor_core(subject)
    if missed is not None:
        return (
            "slower by itself"
            if missed.candidate_ms >= missed.chosen_ms
            else f"faster by itself, {missed.overhead.text}"
        )
    if timed is not None:
        return "a tensor core kernel was timed for it; which of its candidates runs is not known"
    if not subject.candidates:
        return "what was tried for it is not in the log" + (
            f" ({reason})" if (reason := node.tuned.get("reason")) else ""
        )
    channels = odd_channels(node)
    if channels is not None:
        return f"no tensor core kernel was timed for it: {channels}"
    if node.row["precision"] == "fp32":
        return "it computes in FP32, which tensor cores do not have, and none of its candidates uses them"
    return "no tensor core kernel was timed for it"


def missed_tensor_core(subject: Subject) -> MissedTensorCore | None:
    """What a layer on CUDA cores could have run on tensor cores; None where none was timed, or what runs is not known."""
    candidate = best([c for c in subject.candidates if c.unit == TENSOR_CORE])
    chosen = subject.chosen
    if subject.node.row["unit"] != CUDA_CORE or candidate is None or candidate.time_ms is None:
        return None
    if chosen is None or chosen.time_ms is None:
        return None
    return MissedTensorCore(
        subject, candidate, ReformatOverhead.of(candidate, subject), chosen.time_ms, candidate.time_ms
    )


def odd_channels(node: GraphLayer) -> str | None:
    """Which channel counts of a convolution or matrix product are no multiples; None where all are, or are not known."""
    precision = node.row["precision"]
    multiple = MULTIPLES.get(precision or "")
    channels = channels_of(node)
    if multiple is None or channels is None or not node.type.endswith(_MATRIX_TYPES):
        return None
    counts = [
        f"{count} {side} channels"
        for side, count in zip(("input", "output"), channels, strict=True)
        if count % multiple
    ]
    return (
        f"{' and '.join(counts)} in {str(precision).upper()}, which takes multiples of {multiple}" if counts else None
    )


def channels_of(node: GraphLayer) -> tuple[int, int] | None:
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


def _groups(node: GraphLayer) -> int | None:
    """Groups of a convolution: stated by detailed information, else 1; None where they are no number."""
    parameters: dict[str, Any] = json.loads(node.row["parameters"] or "{}")
    try:
        return int(parameters.get("Groups", 1)) or None
    except ValueError:
        return None

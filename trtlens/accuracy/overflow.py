"""What FP16 cannot hold, from an FP32 run alone: tensors, weights, sums, and what operators compute inside.

FP16 ends at 65504; under 6.1e-5 it loses bits, under 5.96e-8 (and half of it, after rounding) there is nothing but zero.
A sum may leave the range although its mean is in it: a reduction over n elements passes through n times its mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.accuracy.graph import make_graph
from trtlens.accuracy.masks import find_masks
from trtlens.accuracy.remedies import (
    FITS,
    FLUSHED,
    MASK,
    NEAR,
    OVERFLOW,
    SUBNORMAL,
    Model,
    divides_by,
    largest_sum,
    remedy_for,
    square_above,
)
from trtlens.accuracy.streaming import FP16_LARGEST, FP16_SMALLEST_NORMAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trtlens_parsers.dump_index import DumpedNode, DumpedTensor

_NEAR_SHARE = 0.25
_FLUSHED_SHARE = 0.01
_SUBNORMAL_SHARE = 0.1
_SUM_FIRST = frozenset({"ReduceMean", "GlobalAveragePool", "ReduceL2"})
_SQUARES_INSIDE = "it squares and sums inside"
REMARKS = {
    "Pow": "squares double the exponent",
    "Sqrt": "a variance that was flushed to zero gives a root of zero",
    "ReduceMean": "its sum is larger than its mean",
    "ReduceSum": "sums in FP16 overflow, and lose what is small beside them",
    "ReduceL2": "its sum of squares is the square of what it puts out",
    "GlobalAveragePool": "its sum is larger than its mean",
    "Exp": "it exceeds 65504 beyond 11.09",
    "Div": "a divisor that was flushed to zero gives infinity",
    "Reciprocal": "a divisor that was flushed to zero gives infinity",
    "LayerNormalization": _SQUARES_INSIDE,
    "RMSNormalization": _SQUARES_INSIDE,
    "SimplifiedLayerNormalization": _SQUARES_INSIDE,
    "InstanceNormalization": _SQUARES_INSIDE,
    "LpNormalization": _SQUARES_INSIDE,
    "Softmax": "it sums exponentials inside",
}
"""Operators known to suffer in FP16, and why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One range against FP16's; `kind` is tensor, weight, hidden or sum, shares are of the elements that are not zero.

    `harmful` is whether FP16 loses what counts: all that overflows, and what is too small where nothing larger stands beside
    it or something is divided by it. Small values beside a large one lose less than FP16's rounding of the large one.
    """

    kind: str
    tensor: str
    node: str | None
    op: str | None
    state: str
    largest: float
    smallest: float | None
    beyond: int | None
    subnormal_share: float | None
    flushed_share: float | None
    scale: int | None
    remark: str | None
    advice: str | None
    harmful: bool


def make_model(tensors: Sequence[DumpedTensor], nodes: Sequence[DumpedNode]) -> Model:
    """What a dump knows of its model."""
    hidden: dict[str, tuple[DumpedTensor, ...]] = {}
    for tensor in tensors:
        if tensor.role == "hidden" and tensor.producer is not None:
            hidden[tensor.producer] = (*hidden.get(tensor.producer, ()), tensor)
    return Model({tensor.name: tensor for tensor in tensors}, make_graph(nodes), hidden)


def find_overflow(tensors: Sequence[DumpedTensor], model: Model) -> list[Finding]:
    """One finding for each floating range in the given order, fitting ones too; sums stand behind what they end in."""
    masks = find_masks(tensors, model.graph)
    return [finding for tensor in tensors if _is_float(tensor) for finding in _findings(tensor, model, masks)]


def _is_float(tensor: DumpedTensor) -> bool:
    return tensor.dtype is None or tensor.dtype.startswith(("fp", "bf"))


def _findings(tensor: DumpedTensor, model: Model, masks: frozenset[str]) -> Iterator[Finding]:
    ranges = tensor.ranges
    if ranges is None or ranges.largest is None:
        return
    node, op = _maker(tensor, model)
    state = MASK if tensor.name in masks else state_of(tensor)
    remedy = remedy_for(tensor, state, model)
    yield Finding(
        kind=tensor.role if tensor.role in ("weight", "hidden") else "tensor",
        tensor=tensor.name,
        node=node,
        op=op,
        state=state,
        largest=ranges.largest,
        smallest=ranges.smallest,
        beyond=ranges.beyond,
        subnormal_share=share_of(ranges.subnormal, tensor),
        flushed_share=share_of(ranges.flushed, tensor),
        scale=remedy.scale,
        remark=REMARKS.get(op or ""),
        advice=remedy.advice,
        harmful=_is_harmful(tensor, state, ranges.largest, model),
    )
    producer = model.graph.producers.get(tensor.name)
    if producer is not None and producer.op in _SUM_FIRST:
        yield from _sums(tensor, producer, model)


def _is_harmful(tensor: DumpedTensor, state: str, largest: float, model: Model) -> bool:
    if state in (FLUSHED, SUBNORMAL):
        return largest < FP16_SMALLEST_NORMAL or divides_by(tensor.name, model) is not None
    return state == OVERFLOW


def _maker(tensor: DumpedTensor, model: Model) -> tuple[str | None, str | None]:
    """The node and its operator: of a weight the first that reads it."""
    if tensor.role == "weight":
        readers = model.graph.readers.get(tensor.name, ())
        return (readers[0].name, readers[0].op) if readers else (None, None)
    return tensor.producer, tensor.op


def state_of(tensor: DumpedTensor) -> str:
    """How the range stands to FP16's: overflow, flushed, subnormal, near (beyond a quarter of it) or fits."""
    ranges = tensor.ranges
    if ranges is None or ranges.largest is None:
        return FITS
    if ranges.largest > FP16_LARGEST:
        return OVERFLOW
    if (share_of(ranges.flushed, tensor) or 0.0) > _FLUSHED_SHARE:
        return FLUSHED
    if (share_of(ranges.subnormal, tensor) or 0.0) > _SUBNORMAL_SHARE and tensor.elements != 1:
        return SUBNORMAL
    return NEAR if ranges.largest > _NEAR_SHARE * FP16_LARGEST else FITS


def share_of(count: int, tensor: DumpedTensor) -> float | None:
    """A count as a share of the elements that are numbers and not zero; None where there are none, or no shape."""
    ranges = tensor.ranges
    if ranges is None or tensor.elements is None:
        return None
    filled = tensor.elements - ranges.zeros - ranges.nan - ranges.inf
    return count / filled if filled > 0 else None


def _sums(tensor: DumpedTensor, node: DumpedNode, model: Model) -> Iterator[Finding]:
    """The sum before a mean is divided, where it is out of range and the mean is not."""
    total = largest_sum(node, model)
    largest = tensor.ranges.largest if tensor.ranges is not None else None
    if total is None or largest is None or total <= _NEAR_SHARE * FP16_LARGEST:
        return
    state = OVERFLOW if total > FP16_LARGEST else NEAR
    above = square_above(node, model)
    advice = (
        f"keep {node.name} in FP32, or divide its input by a power of two and multiply the mean by it"
        if above is None
        else above.advice
    )
    yield Finding(
        kind="sum",
        tensor=tensor.name,
        node=node.name,
        op=node.op,
        state=state,
        largest=total,
        smallest=None,
        beyond=None,
        subnormal_share=None,
        flushed_share=None,
        scale=None if above is None else above.scale,
        remark=REMARKS.get(node.op),
        advice=advice if state == OVERFLOW else None,
        harmful=state == OVERFLOW,
    )

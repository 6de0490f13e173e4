"""What FP16 cannot hold, from an FP32 run alone: tensors, weights, sums, and what operators compute inside.

FP16 ends at 65504; under 6.1e-5 it loses bits, under 5.96e-8 (and half of it, after rounding) there is nothing but zero.
A sum may leave the range although its mean is in it: a reduction over n elements passes through n times its mean.

An attention mask puts a number in place of scores that must not count: FP32's lowest, or a round one such as -1e9. FP16
takes -65504 or minus infinity for it, and the softmax behind it gives zero for either: that is no overflow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trtlens.accuracy.blame import make_graph
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

    from trtlens.accuracy.blame import Graph
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
    finding = Finding(
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
    yield finding
    producer = model.graph.producers.get(tensor.name)
    if producer is not None and producer.op in _SUM_FIRST:
        yield from _sums(finding, producer, model)


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


def _sums(mean: Finding, node: DumpedNode, model: Model) -> Iterator[Finding]:
    """The sum before a mean is divided, where it is out of range and the mean is not."""
    total = largest_sum(node, model)
    if total is None or total <= _NEAR_SHARE * FP16_LARGEST:
        return
    state = OVERFLOW if total > FP16_LARGEST else NEAR
    above = square_above(node, model)
    advice = (
        f"keep {node.name} in FP32, or divide its input by a power of two and multiply the mean by it"
        if above is None
        else above.advice
    )
    yield replace(
        mean,
        kind="sum",
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


# -- values that stand for infinity ------------------------------------------------------------------------------------


FP32_LARGEST = 3.4028234663852886e38
_PASSING = frozenset({
    "Add", "Sub", "Mul", "Where", "Cast", "Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Expand", "Slice", "Concat",
    "Gather", "Tile", "Flatten", "Min", "Max", "Clip",
})  # fmt: skip
"""Operators through which a mask goes on its way to a softmax."""
_ENDS = frozenset({"Softmax", "LogSoftmax"})
_FARTHEST = 12
_MOVED = 0.01


def find_masks(tensors: Sequence[DumpedTensor], graph: Graph) -> frozenset[str]:
    """Names of tensors and weights of which all that FP16 cannot hold stands for infinity.

    A constant does if it is FP32's largest magnitude, or large and negative on its way to a softmax. A tensor that is
    computed does if such a constant goes into it and makes its lowest value, and nothing in it is too large upwards.
    """
    constants = [one for one in tensors if one.role == "weight" and is_constant_mask(one, graph)]
    computed = [one for one in tensors if one.role != "weight" and _is_too_low(one)]
    made = [one for one in computed if _reaches_softmax(one.name, graph) and _comes_from(one, constants, graph)]
    return frozenset(one.name for one in (*constants, *made))


def is_constant_mask(weight: DumpedTensor, graph: Graph) -> bool:
    """Whether all that FP16 cannot hold of a constant stands for infinity."""
    ranges = weight.ranges
    if ranges is None or ranges.minimum is None or ranges.maximum is None:
        return False
    ends = abs(ranges.minimum), abs(ranges.maximum)
    if max(ends) >= FP32_LARGEST:
        return all(end <= FP16_LARGEST or end >= FP32_LARGEST for end in ends)
    return _is_too_low(weight) and _reaches_softmax(weight.name, graph)


def _is_too_low(tensor: DumpedTensor) -> bool:
    """Whether FP16 ends above the lowest value of a tensor, and holds its highest."""
    ranges = tensor.ranges
    if ranges is None or ranges.minimum is None or ranges.maximum is None:
        return False
    return ranges.minimum < -FP16_LARGEST and ranges.maximum <= FP16_LARGEST


def _comes_from(tensor: DumpedTensor, masks: Sequence[DumpedTensor], graph: Graph) -> bool:
    """Whether a mask's constant goes into a tensor and makes its lowest value, which a score of FP16's range hardly moves."""
    lowest = (tensor.ranges.minimum if tensor.ranges is not None else None) or 0.0
    above = _above(tensor.name, graph)
    values = [(mask.ranges.largest if mask.ranges is not None else None) or 0.0 for mask in masks if mask.name in above]
    return any(abs(-value - lowest) <= _MOVED * value + FP16_LARGEST for value in values)


def _reaches_softmax(name: str, graph: Graph) -> bool:
    seen, pending = {name}, [name]
    for _ in range(_FARTHEST):
        readers = [node for tensor in pending for node in graph.readers.get(tensor, ())]
        if any(node.op in _ENDS for node in readers):
            return True
        pending = [out for node in readers if node.op in _PASSING for out in node.outputs if out not in seen]
        seen.update(pending)
    return False


def _above(name: str, graph: Graph) -> set[str]:
    """Tensors and weights from which a tensor comes through operators that leave a mask a mask."""
    seen: set[str] = set()
    pending = [name]
    for _ in range(_FARTHEST):
        makers = [graph.producers[tensor] for tensor in pending if tensor in graph.producers]
        pending = [given for node in makers if node.op in _PASSING for given in node.inputs if given not in seen]
        seen.update(pending)
    return seen

"""Values that stand for infinity: what an attention mask adds before a softmax, and bounds that nothing reaches.

A mask puts a number in place of scores that must not count: FP32's lowest, or a round one such as -1e9. FP16 takes -65504
or minus infinity for it, and the softmax behind it gives zero for either. It is no overflow of something that was computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.accuracy.streaming import FP16_LARGEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.accuracy.graph import Graph
    from trtlens_parsers.dump_index import DumpedTensor

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

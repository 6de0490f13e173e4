"""What to do about a range that FP16 does not hold: which power of two helps, and where.

A root mean square does not change when x is divided by s before squaring and the root multiplied by s afterwards. With s
a power of two nothing is rounded by it. An epsilon that is added to the mean becomes epsilon / s**2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.accuracy.streaming import FP16_LARGEST, FP16_SMALLEST, FP16_SMALLEST_NORMAL
from trtlens.quantities import number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trtlens.accuracy.blame import Graph
    from trtlens_parsers.dump_index import DumpedNode, DumpedTensor, TensorRanges


OVERFLOW, NEAR, FLUSHED, SUBNORMAL, FITS, MASK = "overflow", "near", "flushed", "subnormal", "fits", "mask"
UNFIT = frozenset({OVERFLOW, FLUSHED, SUBNORMAL})
"""States in which FP16 loses values, or most of their bits."""

_LONGEST_NORM = 5


@dataclass(frozen=True, slots=True)
class Remedy:
    """The power of two that helps, if one does, and what to do in words."""

    scale: int | None
    advice: str | None


NOTHING = Remedy(None, None)
_OF_MASKS = Remedy(
    None,
    "it stands for infinity: FP16 takes 65504 or infinity for it, and a softmax behind it gives zero for either; where it is multiplied "
    "by a mask of zeros, infinity would give NaN: write 65504 of that sign into the model",
)


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of a model in FP32: its tensors and weights by name, and its graph."""

    tensors: Mapping[str, DumpedTensor]
    graph: Graph
    hidden_values: Mapping[str, tuple[DumpedTensor, ...]]

    def ranges(self, name: str) -> TensorRanges | None:
        """The ranges of a tensor or a weight, None where they are not known."""
        tensor = self.tensors.get(name)
        return None if tensor is None else tensor.ranges

    def hidden(self, node: str) -> tuple[DumpedTensor, ...]:
        """What a node computes inside: its squares, then their sum."""
        return self.hidden_values.get(node, ())


def remedy_for(tensor: DumpedTensor, state: str, model: Model) -> Remedy:
    """The remedy for a tensor, a weight or a hidden value in that state."""
    ranges = tensor.ranges
    if ranges is None or not ranges.largest:
        return NOTHING
    if state == MASK:
        return _OF_MASKS if tensor.role == "weight" else NOTHING
    if tensor.role == "weight":
        return _number_remedy(state) if tensor.elements == 1 else _weight_remedy(state, ranges.largest)
    if tensor.role == "hidden":
        return hidden_remedy(tensor.producer or "", model) if state == OVERFLOW else NOTHING
    node = model.graph.producers.get(tensor.name)
    if node is not None and is_square(node, model.tensors):
        return square_remedy(node, model)
    maker = tensor.producer or tensor.name
    above = square_above(node, model) if node is not None and state == OVERFLOW else None
    if above is not None:
        return above
    if state == OVERFLOW:
        return Remedy(None, f"keep {maker} and its readers in FP32, until a node brings the values back into range")
    if state in (FLUSHED, SUBNORMAL):
        dividing = divides_by(tensor.name, model)
        harm = f"; {dividing} divides by it, and gives infinity where it became zero" if dividing else ""
        return Remedy(None, f"keep {maker} in FP32, or scale what goes into it by a power of two{harm}")
    return NOTHING


def divides_by(tensor: str, model: Model) -> str | None:
    """The first node that divides by the tensor."""
    readers = model.graph.readers.get(tensor, ())
    divides = (node for node in readers if node.op == "Reciprocal" or (node.op == "Div" and tensor in node.inputs[1:]))
    return next((node.name for node in divides), None)


def _number_remedy(state: str) -> Remedy:
    """A single number, such as an epsilon or a factor, cannot be scaled for itself."""
    return (
        Remedy(None, "keep what reads it in FP32, or spread it over two nodes")
        if state in (OVERFLOW, FLUSHED)
        else NOTHING
    )


def _weight_remedy(state: str, largest: float) -> Remedy:
    if state == OVERFLOW:
        s = linear_scale(largest)
        return Remedy(s, f"divide the weight by {s} and multiply the layer's output by {s}, or keep the layer in FP32")
    if state not in (FLUSHED, SUBNORMAL):
        return NOTHING
    if largest < 1.0:
        s = enlarging_scale(largest)
        return Remedy(s, f"multiply the weight by {s} and the layer's output by 1/{s}, or keep the layer in FP32")
    return Remedy(None, "keep the layer in FP32: no one factor brings both its large and its small weights into range")


def hidden_remedy(node: str, model: Model) -> Remedy:
    """The scale for what a normalisation squares and sums inside; the normalisation itself undoes it."""
    largest = [row.ranges.largest for row in model.hidden(node) if row.ranges is not None and row.ranges.largest]
    scale = scale_for(math.sqrt(largest[0]), largest[-1], largest[0]) if largest else None
    if scale is None:
        return NOTHING
    return Remedy(
        scale.s,
        f"keep {node} in FP32, or divide its input by {scale.s}, which the normalisation undoes: its squares reach "
        f"{number(scale.squares)} and their sum {number(scale.total)}",
    )


def square_remedy(node: DumpedNode, model: Model) -> Remedy:
    """The scale for a node that squares and for the sum behind it, with the numbers before and after."""
    scale, chain = square_scale(node, model)
    if scale is None:
        return NOTHING
    source = model.ranges(node.inputs[0])
    notes = underflow_notes(scale, None if source is None else source.rms, _epsilon(chain, model))
    ends = f"from {chain[0].name} to {chain[-1].name}, " if len(chain) > 1 else ""
    return Remedy(scale.s, "; ".join([f"{ends}{scale.sentence()}", *notes]))


def square_above(node: DumpedNode, model: Model) -> Remedy | None:
    """The scale of the norm that the node belongs to, told where the norm begins; None outside of any."""
    start: DumpedNode | None = node
    for _ in range(_LONGEST_NORM):
        if start is None:
            return None
        if is_square(start, model.tensors):
            scale, chain = square_scale(start, model)
            inside = scale is not None and any(member.name == node.name for member in chain)
            return Remedy(scale.s, f"the scale at {start.name} brings it into range, too") if inside and scale else None
        start = model.graph.producers.get(start.inputs[0]) if start.inputs else None
    return None


def square_scale(node: DumpedNode, model: Model) -> tuple[Scale | None, list[DumpedNode]]:
    """The scale that a squaring node and the sum behind it need, and the nodes of its norm."""
    chain = norm_chain(node, model.graph)
    squared = model.ranges(node.outputs[0])
    if squared is None or squared.largest is None:
        return None, chain
    total = largest_sum(chain[1], model) if len(chain) > 1 else None
    return scale_for(math.sqrt(squared.largest), total or squared.largest, squared.largest), chain


def largest_sum(node: DumpedNode, model: Model) -> float | None:
    """The largest sum that a reduction passes through: of a mean, what it divides; None where it is not known."""
    result, source = model.tensors.get(node.outputs[0]), model.tensors.get(node.inputs[0])
    if result is None or result.ranges is None or result.ranges.largest is None:
        return None
    if node.op in ("ReduceSum", "ReduceL2"):
        return result.ranges.largest ** (2 if node.op == "ReduceL2" else 1)
    if source is None or source.elements is None or not result.elements:
        return None
    return result.ranges.largest * source.elements / result.elements


def _epsilon(chain: list[DumpedNode], model: Model) -> float | None:
    """The one number that an Add of the norm adds."""
    add = next((node for node in chain if node.op == "Add"), None)
    for name in add.inputs if add is not None else ():
        tensor = model.tensors.get(name)
        if tensor is not None and tensor.role == "weight" and tensor.ranges is not None:
            low, high = tensor.ranges.minimum, tensor.ranges.maximum
            return low if low == high else None
    return None


# -- scaling -----------------------------------------------------------------------------------------------------------


REDUCTIONS = frozenset({"ReduceMean", "ReduceSum", "GlobalAveragePool"})
_HEADROOM = 2.0
_LONGEST_CHAIN = 6


@dataclass(frozen=True, slots=True)
class Scale:
    """x / s is squared and summed within half of FP16's range; `largest`, `squares`, `total` are before the scaling."""

    s: int
    largest: float
    squares: float
    total: float

    def sentence(self) -> str:
        """What to do, with the numbers before and after."""
        after = self.largest / self.s, self.squares / self.s**2, self.total / self.s**2
        return (
            f"divide x by s = {self.s} before squaring and multiply the root by {self.s}: x {number(self.largest)} -> "
            f"{number(after[0])}, x*x {number(self.squares)} -> {number(after[1])}, sum {number(self.total)} -> {number(after[2])}"
            f" (FP16 ends at 65504); an epsilon becomes epsilon / {self.s**2}"
        )


def scale_for(largest: float, total: float, squares: float | None = None) -> Scale | None:
    """The smallest power of two that leaves a factor of two of headroom; None where nothing has to be scaled."""
    squares = largest**2 if squares is None else squares
    limit = FP16_LARGEST / _HEADROOM
    needed = max(largest / limit, math.sqrt(max(squares, 0.0) / limit), math.sqrt(max(total, 0.0) / limit))
    if not math.isfinite(needed) or max(largest, squares, total) <= FP16_LARGEST:
        return None
    return Scale(2 ** max(math.ceil(math.log2(needed)), 1), largest, squares, total)


def linear_scale(largest: float) -> int:
    """The power of two that brings a magnitude under half of FP16's largest."""
    return int(2 ** max(math.ceil(math.log2(largest * _HEADROOM / FP16_LARGEST)), 0))


def enlarging_scale(largest: float) -> int:
    """The power of two that brings a small largest magnitude to 1 or just under it."""
    return int(2 ** max(math.floor(-math.log2(largest)), 0))


def is_square(node: DumpedNode, tensors: Mapping[str, DumpedTensor]) -> bool:
    """Whether the node squares its first input: Pow with the exponent 2, or Mul of a tensor with itself."""
    if node.op == "Mul":
        return len(node.inputs) == 2 and node.inputs[0] == node.inputs[1]
    exponent = tensors.get(node.inputs[1]) if node.op == "Pow" and len(node.inputs) == 2 else None
    ranges = None if exponent is None else exponent.ranges
    return ranges is not None and ranges.minimum == ranges.maximum == 2.0


def norm_chain(square: DumpedNode, graph: Graph) -> list[DumpedNode]:
    """The nodes from a square through reduction and root to the division, as far as they follow each other."""
    chain, wanted = [square], [REDUCTIONS, {"Add"}, {"Sqrt"}, {"Div", "Reciprocal", "Mul"}]
    while wanted and len(chain) < _LONGEST_CHAIN:
        followers = [node for tensor in chain[-1].outputs for node in graph.readers.get(tensor, ())]
        step = wanted.pop(0)
        found = next((node for node in followers if node.op in step), None)
        if found is not None:
            chain.append(found)
        elif "Add" not in step:  # the epsilon alone may be missing
            break
    return chain


def underflow_notes(scale: Scale, rms: float | None, epsilon: float | None) -> list[str]:
    """What becomes too small for FP16 once x is divided: the epsilon, and the squares of usual values."""
    notes = []
    if epsilon is not None and 0 < epsilon / scale.s**2 < FP16_SMALLEST:
        notes.append(
            f"epsilon {number(epsilon)} / {scale.s**2} is {number(epsilon / scale.s**2)}, under FP16's smallest number: "
            "keep its Add in FP32, or let it be 6e-8"
        )
    if rms is not None and 0 < (rms / scale.s) ** 2 < FP16_SMALLEST_NORMAL:
        notes.append(
            f"the square of a usual value becomes {number((rms / scale.s) ** 2)}, which FP16 holds with few bits"
        )
    return notes

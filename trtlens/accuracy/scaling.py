"""The power of two that brings x, its squares and their sum into FP16's range, and the pattern that needs it.

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

    from trtlens.accuracy.graph import Graph
    from trtlens_parsers.dump_index import DumpedNode, DumpedTensor

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

"""Operations of ONNX nodes: those of matrix products and convolutions, a multiplication with its addition as two, and one an element for the rest.

Counted is what the node asks for: padding to a kernel's tiles is the kernel's business, and zeros at the edge of a convolution
are multiplied as well. Nodes that only move or convert data have none. Attributes are not needed: each weight of a convolution
is used once at each position of the output (of the input, if it is transposed).
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trtlens.limits.model_shapes import Dims, Node


class Operations(NamedTuple):
    """``products`` run on tensor cores where a kernel uses them, ``elements`` on CUDA cores; ``reason`` says why they are unknown."""

    products: float | None
    elements: float
    reason: str | None = None


_MOVES = frozenset({
    "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Cast", "CastLike", "Constant", "ConstantOfShape",
    "Shape", "Size", "Slice", "Split", "Concat", "Gather", "GatherND", "GatherElements", "Expand", "Tile", "Pad", "Dropout",
    "DepthToSpace", "SpaceToDepth", "ScatterND", "ScatterElements", "OneHot", "Range", "BitCast",
})  # fmt: skip
_OPAQUE = frozenset({"If", "Loop", "Scan", "SequenceMap", "FusedMatMul"})


def count_operations(node: Node) -> Operations:
    """The operations of a node with the run's shapes."""
    if node.op in _MOVES:
        return Operations(0.0, 0.0)
    if node.op in _OPAQUE:
        return Operations(None, 0.0, f"the log does not print what {node.op} computes inside")
    counter = _PRODUCTS.get(node.op)
    if counter is not None:
        return _counted(node, counter)
    sizes = [_count(dims) for dims in (node.input_dims[:1] or node.output_dims)[:1] + node.output_dims[:1]]
    if not sizes or None in sizes:
        return Operations(None, 0.0, f"the shape of {node.name} is not known")
    return Operations(0.0, max(size for size in sizes if size is not None))


def _counted(node: Node, counter: Callable[[Node], float | None]) -> Operations:
    try:
        products = counter(node)
    except (IndexError, ZeroDivisionError):
        products = None
    if products is None:
        why = (
            "its equation is not in the log" if node.op == "Einsum" else f"the shapes of {node.name} are not all known"
        )
        return Operations(None, 0.0, why)
    return Operations(products, 0.0)


def _count(dims: Dims | None) -> float | None:
    return None if dims is None or None in dims else float(prod(size for size in dims if size is not None))


def _times(*factors: float | None) -> float | None:
    known = [factor for factor in factors if factor is not None]
    return prod(known) if len(known) == len(factors) else None


def _convolution(node: Node, weights: int = 1) -> float | None:
    return _at_positions(node.input_dims[weights], node.output_dims[0])


def _transposed(node: Node) -> float | None:
    return _at_positions(node.input_dims[1], node.input_dims[0])


def _at_positions(weights: Dims | None, dims: Dims | None) -> float | None:
    """Each weight once at each position: of every image, in every place."""
    return None if dims is None else _times(2.0, _count(weights), _count((dims[0], *dims[2:])))


def _product(node: Node, left: int = 0) -> float | None:
    """A vector on the left has one axis: the inner one."""
    dims = node.input_dims[left]
    return None if dims is None else _times(2.0, dims[-1], _count(node.output_dims[0]))


def _gemm(node: Node) -> float | None:
    """The inner extent is what A has beside the rows of the output, transposed or not."""
    left, target = _count(node.input_dims[0]), node.output_dims[0]
    if left is None or target is None or not target[0]:
        return None
    return _times(2.0, left / target[0], _count(target))


def _recurrent(node: Node) -> float | None:
    """All gates' weights, of inputs and of states, once a step for each sequence."""
    source = node.input_dims[0]
    if source is None or len(source) != 3:
        return None
    weights = [_count(dims) for dims in node.input_dims[1:3]]
    steps = _count(source[:2])
    return None if None in weights else _times(2.0, steps, sum(one for one in weights if one is not None))


def _attention(node: Node) -> float | None:
    """Scores and weighted sums, heads apart (four axes) or in the last axis (three); unmasked."""
    query, key, value = node.input_dims[:3]
    if query is None or key is None or value is None or {len(query), len(key), len(value)} not in ({3}, {4}):
        return None
    heads = query[1] if len(query) == 4 else 1
    width = None if query[-1] is None or value[-1] is None else query[-1] + value[-1]
    if len(query) == 3 and width is not None and (key[-1] != query[-1]):
        return None  # grouped heads in one axis: how many is an attribute
    return _times(2.0, query[0], heads, query[-2], key[-2], width)


_PRODUCTS: Mapping[str, Callable[[Node], float | None]] = {
    "Conv": _convolution, "ConvInteger": _convolution, "DeformConv": _convolution,
    "QLinearConv": lambda node: _convolution(node, 3), "ConvTranspose": _transposed, "Gemm": _gemm, "MatMul": _product,
    "MatMulInteger": _product, "QLinearMatMul": _product, "LSTM": _recurrent, "GRU": _recurrent, "RNN": _recurrent,
    "Attention": _attention, "MultiHeadAttention": _attention, "Einsum": lambda _: None,
}  # fmt: skip


def total(parts: Sequence[Operations]) -> Operations:
    """The operations of several nodes; unknown where those of one are."""
    unknown = next((part for part in parts if part.products is None), None)
    if unknown is not None:
        return unknown
    return Operations(sum(part.products or 0.0 for part in parts), sum(part.elements for part in parts))

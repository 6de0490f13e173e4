"""What normalisations and norms compute inside of one operator: the squares and their sum, which FP16 may not hold.

Spelled out in primitive operators (Pow, ReduceMean, Sqrt) these values are tensors and need no help; in
LayerNormalization (operator set 17), RMSNormalization (23) and their kin they never leave the operator, and overflow
there all the same when it computes in FP16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.accuracy.metrics import ranges_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from trtlens_parsers.dump_index import TensorRanges

SQUARES, SUM = "squares", "sum of squares"


def hidden_ranges(node: Any, values: NDArray[Any]) -> Iterator[tuple[str, tuple[int, ...], TensorRanges]]:
    """Name, shape and ranges of what this node computes inside from its first input; nothing for other operators."""
    rows_of = _ROWS.get(node.op_type)
    if rows_of is None or values.dtype.kind != "f" or not values.size:
        return
    rows = rows_of(node, values.astype(np.float64))
    if rows is None:
        return
    with np.errstate(all="ignore"):
        squares = np.square(rows, out=rows)
        sums = squares.sum(axis=1)
    yield SQUARES, values.shape, ranges_of([squares.reshape(-1)])
    yield SUM, sums.shape, ranges_of([sums])


def _centred(node: Any, values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Rows of a LayerNormalization, less their means."""
    rows = _plain(node, values)
    return None if rows is None else rows - rows.mean(axis=1, keepdims=True)


def _plain(node: Any, values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Rows over the last dimensions, from the axis on."""
    axis = _attribute(node, "axis", -1)
    if not -values.ndim <= axis < values.ndim:
        return None
    outer = int(np.prod(values.shape[: axis % values.ndim], dtype=np.int64))
    return values.reshape(outer, -1)


def _channels(_node: Any, values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Rows of an InstanceNormalization, one for each channel of each sample, less their means."""
    if values.ndim < 3:
        return None
    rows = values.reshape(values.shape[0] * values.shape[1], -1)
    return rows - rows.mean(axis=1, keepdims=True)


def _along(node: Any, values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Rows along the one axis of an LpNormalization with the Euclidean norm."""
    axis = _attribute(node, "axis", -1)
    if _attribute(node, "p", 2) != 2 or not -values.ndim <= axis < values.ndim:
        return None
    moved = np.moveaxis(values, axis, -1)
    return moved.reshape(-1, moved.shape[-1]).copy()


def _attribute(node: Any, name: str, default: int) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == name), default)


_ROWS: dict[str, Callable[[Any, NDArray[np.float64]], NDArray[np.float64] | None]] = {
    "LayerNormalization": _centred,
    "RMSNormalization": _plain,
    "SimplifiedLayerNormalization": _plain,
    "InstanceNormalization": _channels,
    "LpNormalization": _along,
}

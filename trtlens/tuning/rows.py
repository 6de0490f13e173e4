"""Rows of a long table by one of its labels, made only for the labels that are asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from trtlens.tables.arrays import filled, of_numpy, positions_by_code, to_numpy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_NOTHING = np.empty(0, np.int64)


class LabelledRows:
    """The rows of a table that bear a label in one column; texts are made once for each distinct one, not once a row."""

    def __init__(self, table: pa.Table, label: str) -> None:
        self._table = table
        self._label = label
        self._takers: dict[str, Callable[[np.ndarray], list[Any]]] = {}

    def of(self, label: str) -> list[dict[str, Any]]:
        """Rows with this label, in the table's order."""
        names = self._table.column_names
        return [dict(zip(names, row, strict=True)) for row in self.values(label, names)]

    def values(self, label: str, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Values of these columns in each row with this label, in the table's order."""
        positions = self._positions.get(label, _NOTHING)
        return zip(*(self._taker(name)(positions) for name in names), strict=True)

    def _taker(self, name: str) -> Callable[[np.ndarray], list[Any]]:
        if name not in self._takers:
            self._takers[name] = _taker(self._table[name])
        return self._takers[name]

    @cached_property
    def _positions(self) -> dict[str, np.ndarray]:
        texts, codes = _labels(self._table[self._label])
        return {texts[code]: rows for code, rows in positions_by_code(codes).items() if texts[code] is not None}


def _taker(column: pa.ChunkedArray) -> Callable[[np.ndarray], list[Any]]:
    """Gives a column's values at some positions; from NumPy where that can hold them, which is much the quickest."""
    if pa.types.is_dictionary(column.type):
        texts, codes = _labels(column)
        return lambda positions: [texts[code] for code in codes[positions].tolist()]
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type)):
        return lambda positions: list(column.take(of_numpy(positions)).to_pylist())
    zero = False if pa.types.is_boolean(column.type) else 0
    values, known = to_numpy(filled(column, zero)), to_numpy(column.is_valid())
    if known.all():
        return lambda positions: list(values[positions].tolist())
    return lambda positions: [
        value if is_known else None
        for value, is_known in zip(values[positions].tolist(), known[positions].tolist(), strict=True)
    ]


def _labels(column: pa.ChunkedArray) -> tuple[list[Any], np.ndarray]:
    """Distinct texts, None as the last one, and the position of each row's text among them."""
    if not len(column):
        return [None], _NOTHING
    array = column.combine_chunks()
    texts = [*array.dictionary.to_pylist(), None]
    return texts, to_numpy(filled(array.indices, len(texts) - 1))

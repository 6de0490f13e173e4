"""Rows of a long table by one of its labels, made only for the labels that are asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from trtlens.arrays import filled, of_numpy, positions_by_code, to_numpy

if TYPE_CHECKING:
    from collections.abc import Callable

_NOTHING = np.empty(0, np.int64)


class LabelledRows:
    """The rows of a table that bear a label in one column; texts are made once for each distinct one, not once a row."""

    def __init__(self, table: pa.Table, label: str) -> None:
        self._table = table
        self._label = label

    def of(self, label: str) -> list[dict[str, Any]]:
        """Rows with this label, in the table's order."""
        positions = self._positions.get(label, _NOTHING)
        values = [take(positions) for take in self._columns.values()]
        return [dict(zip(self._columns, row, strict=True)) for row in zip(*values, strict=True)]

    @cached_property
    def _columns(self) -> dict[str, Callable[[np.ndarray], list[Any]]]:
        return {name: _taker(self._table[name]) for name in self._table.column_names}

    @cached_property
    def _positions(self) -> dict[str, np.ndarray]:
        texts, codes = _labels(self._table[self._label])
        return {texts[code]: rows for code, rows in positions_by_code(codes).items() if texts[code] is not None}


def _taker(column: pa.ChunkedArray) -> Callable[[np.ndarray], list[Any]]:
    if not pa.types.is_dictionary(column.type):
        return lambda positions: list(column.take(of_numpy(positions)).to_pylist())
    texts, codes = _labels(column)
    return lambda positions: [texts[code] for code in codes[positions].tolist()]


def _labels(column: pa.ChunkedArray) -> tuple[list[Any], np.ndarray]:
    """Distinct texts, None as the last one, and the position of each row's text among them."""
    if not len(column):
        return [None], _NOTHING
    array = column.combine_chunks()
    texts = [*array.dictionary.to_pylist(), None]
    return texts, to_numpy(filled(array.indices, len(texts) - 1))

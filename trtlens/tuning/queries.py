"""The tuner's record of one build: candidates and combinations of a layer, and the precisions that were tried at all."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trtlens.tables.arrays import array, filled, of_build, of_numpy, positions_by_code, to_numpy
from trtlens.tuning.kept_strategy import kept_rows
from trtlens_parsers.data_types import CHOSEN_TYPES
from trtlens_parsers.strides import read_strides_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from trtlens.tables.schema import Tables


class Candidate(NamedTuple):
    """One tactic of the tuner's record, with its precision even where its kernel has no name.

    ``precision_from`` is ``kernel`` or ``formats``: the one floating type of the combination's matrices and images.
    """

    layer: str | None
    op: str | None
    input_formats: str | None
    output_formats: str | None
    runner: str | None
    tactic_id: int | None
    kernel: str | None
    time_ms: float | None
    outcome: str
    reason: str | None
    scratch_bytes: int | None
    precision: str | None
    unit: str | None
    chosen: bool | None
    line: int
    precision_from: str | None

    @property
    def formats(self) -> tuple[str | None, str | None]:
        """The combination in which it was tried."""
        return self.input_formats, self.output_formats


_COLUMNS = (
    "layer", "op", "input_formats", "output_formats", "runner", "tactic_id", "tactic_name", "time_ms", "outcome", "reason",
    "scratch_requested_bytes", "precision", "unit", "chosen", "line",
)  # fmt: skip
"""Columns of `candidates` in the order of a candidate's fields."""
_FORMATS, _PRECISION = _COLUMNS.index("input_formats"), _COLUMNS.index("precision")


class Tuner:
    """One build's part of the tables `candidates` and `combinations`, read layer by layer."""

    def __init__(self, run: Tables, build: int) -> None:
        self.build = build
        self._candidates, self._combinations = (
            of_build(run[name], build).combine_chunks() for name in ("candidates", "combinations")
        )
        self._candidate_rows, self._combination_rows = (
            LabelledRows(of_build(kept_rows(run, name), build).combine_chunks(), "layer")
            for name in ("candidates", "combinations")
        )
        self._read: dict[str, list[Candidate]] = {}
        self._combined: dict[str, list[dict[str, Any]]] = {}
        self._first_lines: dict[str, int | None] = {}

    def candidates(self, layer: str) -> list[Candidate]:
        """A layer's candidates in the order of the log, operations inside a Myelin region included.

        Where the builder tried several strategies, only those of the one whose engine was kept.
        """
        if layer not in self._read:
            rows = self._candidate_rows.values(layer, _COLUMNS)
            self._read[layer] = [_candidate(row) for row in rows]
        return self._read[layer]

    def combinations(self, layer: str) -> list[dict[str, Any]]:
        """A layer's format combinations in the order of the log, those of strategies that were not kept left out."""
        if layer not in self._combined:
            self._combined[layer] = self._combination_rows.of(layer)
        return self._combined[layer]

    def layers(self) -> list[str]:
        """Names of the layers that the tuner timed or tried, in the order of the log."""
        return _labels(self._candidates["layer"])

    def precisions(self) -> dict[str, tuple[int, int]]:
        """Precisions that any candidate of the build computes in: how many candidates, and the line of the first."""
        found: dict[str, tuple[int, int]] = {}
        lines = to_numpy(self._candidates["line"])
        for precision, codes in _codes(self._candidates["precision"]):
            found[precision] = int(codes.sum()), int(lines[int(np.argmax(codes))])
        return found

    def formats_with(self, dtype: str) -> int | None:
        """Line of the first combination of any layer in which an image or a matrix has that type; None for none."""
        if dtype not in self._first_lines:
            self._first_lines[dtype] = self._first_line_with(dtype)
        return self._first_lines[dtype]

    def _first_line_with(self, dtype: str) -> int | None:
        lines: list[int] = []
        for column in ("input_formats", "output_formats"):
            labels = self._combinations[column]
            found = [text for text in _labels(labels) if dtype in _dtypes(text, text)]
            if found:
                rows = pc.is_in(labels.cast(pa.string()), value_set=array(found, pa.string()))
                lines.append(pc.min(self._combinations["line"].filter(rows)).as_py())
        return min(lines, default=None)


def _labels(column: pa.ChunkedArray) -> list[str]:
    return [value for value in pc.unique(column.cast(pa.string())).to_pylist() if value is not None]


def _codes(column: pa.ChunkedArray) -> list[tuple[str, np.ndarray]]:
    """Each distinct label with a mask of its rows."""
    if not len(column):
        return []
    array = column.combine_chunks()
    codes = to_numpy(filled(array.indices, -1))
    used = set(codes.tolist())
    return [(label, codes == code) for code, label in enumerate(array.dictionary.to_pylist()) if code in used]


def _candidate(row: tuple[Any, ...]) -> Candidate:
    """A row of the columns `_COLUMNS`."""
    precision = row[_PRECISION]
    if precision is not None:
        return Candidate._make((*row, "kernel"))
    formats = precision_of_formats(row[_FORMATS], row[_FORMATS + 1])
    return Candidate._make((*row[:_PRECISION], formats, *row[_PRECISION + 1 :], formats and "formats"))


@lru_cache(maxsize=8192)
def _dtypes(inputs: str | None, outputs: str | None) -> frozenset[str]:
    """Types of a combination's images and matrices; vectors (weights, biases, scales) only where nothing else is there."""
    combination = read_strides_list(f"{inputs} -> {outputs}") if inputs is not None and outputs is not None else None
    if combination is None:
        return frozenset()
    operands = [*combination.inputs, *combination.outputs]
    wide = [operand for operand in operands if len(operand.strides) > 1] or operands
    return frozenset(operand.format.dtype for operand in wide if operand.format.dtype is not None)


@lru_cache(maxsize=8192)
def _first_dtype(inputs: str | None) -> str | None:
    combination = read_strides_list(f"{inputs} -> Float(1)") if inputs else None
    return combination.inputs[0].format.dtype if combination is not None and combination.inputs else None


def precision_of_formats(inputs: str | None, outputs: str | None) -> str | None:
    """The one floating type that a combination's images and matrices share; None where they differ."""
    types = _dtypes(inputs, outputs) & CHOSEN_TYPES
    return next(iter(types)) if len(types) == 1 else None


def offers(combination: Mapping[str, Any], precision: str) -> bool:
    """Whether a combination's first input is of that type, so that a kernel of that precision could have run in it."""
    return _first_dtype(combination["input_formats"]) == ("fp32" if precision == "tf32" else precision)


def best(candidates: Sequence[Candidate]) -> Candidate | None:
    """The fastest candidate with a time; of equal ones the first in the log."""
    timed = [candidate for candidate in candidates if candidate.time_ms is not None]
    return min(timed, key=lambda c: (c.time_ms, c.line), default=None)


# -- rows by label ----------------------------------------------------------------------------------------------------
# Rows of a long table by one of its labels, made only for the labels that are asked for.


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
        texts, codes = _texts_and_codes(self._table[self._label])
        return {texts[code]: rows for code, rows in positions_by_code(codes).items() if texts[code] is not None}


def _taker(column: pa.ChunkedArray) -> Callable[[np.ndarray], list[Any]]:
    """Gives a column's values at some positions; from NumPy where that can hold them, which is much the quickest."""
    if pa.types.is_dictionary(column.type):
        texts, codes = _texts_and_codes(column)
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


def _texts_and_codes(column: pa.ChunkedArray) -> tuple[list[Any], np.ndarray]:
    """Distinct texts, None as the last one, and the position of each row's text among them."""
    if not len(column):
        return [None], _NOTHING
    array = column.combine_chunks()
    texts = [*array.dictionary.to_pylist(), None]
    return texts, to_numpy(filled(array.indices, len(texts) - 1))

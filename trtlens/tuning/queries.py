"""The tuner's record of one build: candidates and combinations of a layer, and the precisions that were tried at all."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trtlens.tables.arrays import array, filled, of_build, to_numpy
from trtlens.tuning.kept_strategy import kept_rows
from trtlens.tuning.rows import LabelledRows
from trtlens_parsers.data_types import CHOSEN_TYPES
from trtlens_parsers.strides import read_strides_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trtlens.tables.lazy_tables import Tables


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

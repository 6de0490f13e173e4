"""Which candidate the engine runs, layer by layer, and why the log does not say where it does not.

The tuner prints a winner for every format combination (`Chose Runner Type`); which combination won in the end is not
printed. It follows from the engine: its layer has a tactic id and tensors with types and layouts, and of the layer's
combinations one alone fits them. Where several fit, or none, the choice stays unknown and the reason is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trtlens.tables.arrays import of_numpy
from trtlens.tables.declarations import TABLES
from trtlens.tuning.combinations import Grouping, complete_combinations
from trtlens.tuning.selection import LARGEST_COUNTED_ID, Chooser

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import pyarrow as pa

    from trtlens.tables.engine_layers import EngineLayer
    from trtlens.tuning.selection import Choice


def add_choices(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """The tables with `candidates.chosen`, `combinations` and `tuned_layers` filled."""
    grouping = Grouping(tables)
    chooser = Chooser(tables, grouping)
    choices = chooser.choose()
    marks = _Marks(tables["candidates"].num_rows, len(grouping.rows["line"]))
    marks.fill(choices, chooser)
    candidates = tables["candidates"]
    position = candidates.schema.get_field_index("chosen")
    marked = candidates.set_column(position, candidates.schema.field(position), marks.candidates.array())
    firsts = _first_layers(choices)
    indices = [firsts.get(key) for key in zip(grouping.rows["build"], grouping.rows["layer"], strict=True)]
    return {
        **tables,
        "candidates": marked,
        "combinations": complete_combinations(tables["builds"], marked, grouping, indices, marks.combinations.array()),
        "tuned_layers": _tuned_layers(choices, grouping, candidates, find_identical_layers(choices, chooser.layers())),
    }


class _Marked:
    """A column of truth values that are null until they are set."""

    def __init__(self, count: int) -> None:
        self._values = np.zeros(count, bool)
        self._missing = np.ones(count, bool)

    def set(self, rows: int | Sequence[int] | np.ndarray, *, value: bool) -> None:
        places = np.asarray(rows, np.int64)  # NumPy takes an empty tuple for all rows
        self._values[places] = value
        self._missing[places] = False

    def array(self) -> pa.Array:
        return of_numpy(self._values, missing=self._missing)


class _Marks:
    """``chosen`` of candidates and combinations: null where the layer's choice is unknown."""

    def __init__(self, candidates: int, combinations: int) -> None:
        self.candidates = _Marked(candidates)
        self.combinations = _Marked(combinations)

    def fill(self, choices: Sequence[Choice], chooser: Chooser) -> None:
        for group in chooser.record.rejected_groups():
            self._not_chosen(group, chooser)
        settled = [choice for choice in choices if choice.candidate is not None]
        for choice in {(choice.build, choice.match): choice for choice in settled}.values():
            for group in chooser.groups_of(choice):
                self._not_chosen(group, chooser)
            self.candidates.set(chooser.operation_rows(choice), value=False)
        for choice in settled:
            assert choice.candidate is not None  # noqa: S101  filtered above; mypy cannot see it
            self.candidates.set(choice.candidate, value=True)
            if choice.group is not None:
                self.combinations.set(choice.group, value=True)

    def _not_chosen(self, group: int, chooser: Chooser) -> None:
        self.combinations.set(group, value=False)
        self.candidates.set(chooser.record.positions.get(group, ()), value=False)


def _first_layers(choices: Sequence[Choice]) -> dict[tuple[int, str | None], int]:
    """Index of the first engine layer under each of the tuner's names."""
    firsts: dict[tuple[int, str | None], int] = {}
    for choice in choices:
        if choice.match.layer is not None:
            firsts.setdefault((choice.build, choice.match.layer), choice.index)
    return firsts


def _tuned_layers(
    choices: Sequence[Choice], grouping: Grouping, candidates: pa.Table, identical: Mapping[tuple[int, int], int]
) -> pa.Table:
    lines = candidates["line"].to_pylist()
    return TABLES["tuned_layers"].table({
        "build": [c.build for c in choices], "layer_index": [c.index for c in choices],
        "layer": [c.match.layer for c in choices], "op": [c.match.op for c in choices],
        "matched_by": [c.match.by for c in choices],
        "candidate_line": [None if c.candidate is None else lines[c.candidate] for c in choices],
        "combination_line": [None if c.group is None else grouping.rows["line"][c.group] for c in choices],
        "twin_index": [identical.get((c.build, c.index)) for c in choices], "reason": [c.reason for c in choices],
    })  # fmt: skip


# -- identical layers -------------------------------------------------------------------------------------------------
# Engine layers without a record of their own that are like one that has: the timing cache answered for them.
#
# Within one build TensorRT times equal layers once. The log does not say whose times it took for the others; a layer with
# the same type, tactic, parameters and tensors (types, layouts, sizes) is the same work in every respect that it shows.


def find_identical_layers(
    choices: Sequence[Choice], layers: Mapping[tuple[int, int], EngineLayer]
) -> dict[tuple[int, int], int]:
    """For layers without a chosen candidate: index of the first layer of the same build that is like it and has one.

    ``layers`` are those of all builds, by build and index.
    """
    settled: dict[Hashable, int] = {}
    for choice in choices:
        signature = _signature(layers[choice.build, choice.index])
        if choice.candidate is not None and choice.match.by == "name" and signature is not None:
            settled.setdefault(signature, choice.index)
    found: dict[tuple[int, int], int] = {}
    for choice in choices:
        if choice.candidate is None and choice.match.by in {None, "name"}:
            index = settled.get(_signature(layers[choice.build, choice.index]))
            if index is not None:
                found[choice.build, choice.index] = index
    return found


def _signature(layer: EngineLayer) -> Hashable | None:
    """All that is shown of a layer's work; None where too little is shown to call two layers alike."""
    row, tensors = layer.row, (*layer.inputs, *layer.outputs)
    if row["tactic_id"] is None or not tensors:
        return None
    if row["tactic_id"] <= LARGEST_COUNTED_ID and row["parameters"] is None and not row["is_reformat"]:
        return None  # a counted id does not even name the kernel
    if any(tensor.dims is None or tensor.dtype is None for tensor in tensors):
        return None
    shapes = tuple(
        tuple((t.dtype, t.dims, t.vector_width, t.layout) for t in side) for side in (layer.inputs, layer.outputs)
    )
    return row["build"], row["type"], row["tactic_id"], row["parameters"], shapes

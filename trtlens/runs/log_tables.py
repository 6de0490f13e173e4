"""A log's records as the declared Arrow tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from trtlens.runs.build_table import all_phases, builds_table
from trtlens.runs.candidate_tables import combinations_table, stamped_seconds, strategies_table
from trtlens.runs.layer_tables import layer_tables
from trtlens.runs.totals import KEYS, key_columns, totals_table
from trtlens.tables.arrays import array, of_numpy
from trtlens.tables.declarations import TABLES
from trtlens.tables.schema import LABEL
from trtlens_parsers.messages.graph import AddedReformat, Fusion, Node, ParsedLayer, Pass
from trtlens_parsers.messages.memory_lines import LayerMemory, MemoryUse
from trtlens_parsers.messages.placement import Placement
from trtlens_parsers.messages.quantization import DynamicRange, WeightIssue
from trtlens_parsers.messages.strategies import Region
from trtlens_parsers.messages.tactic_lines import NO_KERNEL, Remark
from trtlens_parsers.messages.tuning import Choice
from trtlens_parsers.messages.tuning_blocks import TuningBlock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trtlens_parsers.records import Build, Log

_TIMED = Remark("timed", None)
_RARE = frozenset({"unfinished", "doubled"})
"""Kinds of lines that are named where there are any."""
_RECORDS: Mapping[str, type[tuple[Any, ...]]] = {
    "passes": Pass, "nodes": Node, "parsed_layers": ParsedLayer, "fusions": Fusion, "added_reformats": AddedReformat,
    "weight_issues": WeightIssue, "dynamic_ranges": DynamicRange, "choices": Choice, "regions": Region,
    "memory": LayerMemory, "placements": Placement, "memory_use": MemoryUse,
}  # fmt: skip
"""Tables whose rows are the records of one class as they stand."""
_RENAMED = {"messages": {"count": "occurrences"}, "fusions": {"pass": "pass_name"}}
"""Fields of records that do not bear their column's name."""


def log_tables(log: Log, file: str) -> dict[str, pa.Table]:
    """Every table that the log's records fill; tables that a log cannot fill are left out."""
    builds = log.builds
    blocks = _Blocks(builds)
    return {
        "builds": builds_table(builds),
        "candidates": _candidates(builds, blocks),
        "reformat_candidates": _reformat_candidates(builds, blocks),
        "runners": _runners(builds, blocks),
        "phases": _plain(
            "phases", builds, [all_phases(build, above) for build, above in zip(builds, [None, *builds], strict=False)]
        ),
        "reading": _reading(log, file),
        "profile_totals": _profile_totals(builds),
        "combinations": combinations_table(builds),
        "strategies": strategies_table(builds),
        "totals": totals_table(builds),
        "messages": _plain("messages", builds, [build.messages for build in builds]),
        "options": _options(builds),
        "performance": _plain("performance", builds, [build.performance for build in builds]),
        **{name: _plain(name, builds, [build.records(kind) for build in builds]) for name, kind in _RECORDS.items()},
        "layer_profile": _layer_profile(builds),
        "bindings": _bindings(builds),
        **layer_tables(builds),
    }


def _plain(name: str, builds: Sequence[Build], groups: Sequence[Sequence[Any]]) -> pa.Table:
    """A table whose columns are the fields of the records, under the build's number and its place within the build."""
    records = [record for group in groups for record in group]
    fields = dict(zip(records[0]._fields, zip(*records, strict=True), strict=True)) if records else {}
    renamed = _RENAMED.get(name, {})
    own = {
        "build": of_numpy(_repeated([build.number for build in builds], [len(group) for group in groups])),
        "index": [index for group in groups for index in range(len(group))],
        **(_keys_of(builds, groups) if KEYS[0] in TABLES[name].schema.names else {}),
    }
    return TABLES[name].table({
        column.name: own[column.name] if column.name in own else fields.get(renamed.get(column.name, column.name), ())
        for column in TABLES[name].columns
    })  # fmt: skip


def _keys_of(builds: Sequence[Build], groups: Sequence[Sequence[Any]]) -> Mapping[str, pa.Array]:
    return key_columns(builds, [np.array([record.line for record in group], np.int64) for group in groups])


def _options(builds: Sequence[Build]) -> pa.Table:
    runs = {build.run.number: build.run for build in builds}
    rows = [(run.number, row) for run in runs.values() for row in run.options]
    return TABLES["options"].table({
        "run": [number for number, _ in rows],
        **{name: [getattr(row, name) for _, row in rows] for name in ("section", "key", "value", "line")},
    })  # fmt: skip


def _repeated(numbers: Sequence[int], counts: Sequence[int]) -> np.ndarray:
    return np.repeat(np.array(numbers, np.int64), np.array(counts, np.int64))


# -- tuning --------------------------------------------------------------------------------------------------------


class _Blocks:
    """The tuning blocks of all builds as columns; a text that stands in many of them is stored once."""

    def __init__(self, builds: Sequence[Build]) -> None:
        blocks = [block for build in builds for block in build.blocks]
        values = zip(*blocks, strict=True) if blocks else [()] * len(TuningBlock._fields)
        self.column = dict(zip(TuningBlock._fields, values, strict=True))
        self.of_build = _repeated([build.number for build in builds], [len(build.blocks) for build in builds])
        self.is_reformat = np.fromiter(self.column["is_reformat"], bool, len(blocks))
        self.start, self.stop = (np.fromiter(self.column[name], np.int64, len(blocks)) for name in ("start", "stop"))
        self.keys = key_columns(builds, [np.array([block.line for block in b.blocks], np.int64) for b in builds])
        self._labels: dict[str, pa.Array] = {}

    def label(self, name: str) -> pa.Array:
        """A text of each block."""
        if name not in self._labels:
            self._labels[name] = array(self.column[name], LABEL)
        return self._labels[name]


class _Tried:
    """The tactics of all blocks of one kind as columns; what stands in a block is repeated for each of its tactics."""

    def __init__(self, builds: Sequence[Build], blocks: _Blocks, *, reformats: bool) -> None:
        own = np.flatnonzero(blocks.is_reformat == reformats)
        self._rows = np.repeat(own, blocks.stop[own] - blocks.start[own])
        self._takes = of_numpy(self._rows)
        self._blocks = blocks
        chosen = [own[blocks.of_build[own] == build.number] for build in builds]
        takes = [_positions(blocks.start[rows], blocks.stop[rows]) for rows in chosen]
        self.lines = _joined([np.array(b.tactics.lines)[take] for b, take in zip(builds, takes, strict=True)])
        self.times = _joined([np.array(b.tactics.times_ms)[take] for b, take in zip(builds, takes, strict=True)])
        self.ids, self.names, self.splits = _kernel_columns(builds, takes)
        self.outcomes, self.reasons, self.scratches = _remark_columns(builds, takes)

    def builds(self) -> pa.Array:
        return of_numpy(self._blocks.of_build[self._rows])

    def keys(self) -> dict[str, pa.Array]:
        """Strategy and profile of each tactic's block."""
        return {name: column.take(self._takes) for name, column in self._blocks.keys.items()}

    def label(self, name: str) -> pa.Array:
        """A text of each tactic's block."""
        return self._blocks.label(name).take(self._takes)

    def ends(self, side: int) -> pa.Array:
        """Tensor on one side of a reformat's ``source -> target``; null where the version prints none."""
        layers = self._blocks.label("layer")
        ends = array([_end(layer, side) for layer in layers.dictionary.to_pylist()], LABEL)
        return ends.take(layers.indices).take(self._takes)


def _positions(starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Positions in a build's tactics that its blocks cover, in the blocks' order."""
    lengths = stops - starts
    before = np.cumsum(lengths) - lengths  # rows of the blocks above
    return np.repeat(starts - before, lengths) + np.arange(lengths.sum())


def _joined(columns: list[np.ndarray]) -> pa.Array:
    """One column of all builds; NaN is null."""
    return of_numpy(np.concatenate(columns)) if columns else array([], pa.int64())


def _kernel_columns(builds: Sequence[Build], takes: list[np.ndarray]) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Ids, names and split-Ks of kernels, built once for each distinct one and then taken by position."""
    rows = [np.array(build.tactics.codes)[take] for build, take in zip(builds, takes, strict=True)]
    positions = of_numpy(np.concatenate(rows)) if rows else array([], pa.int32())
    kernels = builds[0].tactics.kernels if builds else []  # one list, shared by all builds of a log
    ids, names, splits = zip(*kernels, strict=True) if kernels else ((), (), ())
    columns = (array(ids, pa.uint64()), array(names, LABEL), array(splits, pa.int64()))
    return tuple(column.take(positions) for column in columns)


def _remark_columns(builds: Sequence[Build], takes: list[np.ndarray]) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Outcome, reason and scratch; nearly all tactics share one remark: timed."""
    remarks: dict[Remark, int] = {_TIMED: 0}
    coded = []
    for build, take in zip(builds, takes, strict=True):
        codes = np.zeros(len(build.tactics), np.int32)
        for position, remark in build.tactics.remarks.items():
            codes[position] = remarks.setdefault(remark, len(remarks))
        coded.append(codes[take])
    rows = of_numpy(np.concatenate(coded)) if coded else array([], pa.int32())
    outcomes, reasons, scratches = zip(*remarks, strict=True)
    columns = (array(outcomes, LABEL), array(reasons, LABEL), array(scratches, pa.int64()))
    return tuple(column.take(rows) for column in columns)


def _candidates(builds: Sequence[Build], blocks: _Blocks) -> pa.Table:
    tried = _Tried(builds, blocks, reformats=False)
    count = len(tried.lines)
    nothing = pa.nulls(count, pa.string())
    return TABLES["candidates"].table({
        "build": tried.builds(), **tried.keys(), "layer": tried.label("layer"), "op": tried.label("op"),
        "input_formats": tried.label("input_formats"), "output_formats": tried.label("output_formats"),
        "runner": tried.label("runner"),
        "tactic_id": tried.ids, "tactic_name": tried.names, "split_k": tried.splits, "time_ms": tried.times,
        "outcome": tried.outcomes, "reason": tried.reasons, "scratch_requested_bytes": tried.scratches,
        "precision": nothing, "unit": nothing, "chosen": pa.nulls(count, pa.bool_()), "line": tried.lines,
    })  # fmt: skip


def _reformat_candidates(builds: Sequence[Build], blocks: _Blocks) -> pa.Table:
    tried = _Tried(builds, blocks, reformats=True)
    return TABLES["reformat_candidates"].table({
        "build": tried.builds(), **tried.keys(), "source": tried.ends(0), "target": tried.ends(1),
        "input_formats": tried.label("input_formats"), "output_formats": tried.label("output_formats"),
        "runner": tried.label("runner"), "tactic_id": tried.ids, "tactic_name": tried.names,
        "time_ms": tried.times, "outcome": tried.outcomes, "reason": tried.reasons, "line": tried.lines,
    })  # fmt: skip


def _end(layer: str, side: int) -> str | None:
    ends = layer.split(" -> ", 1)
    return ends[side] if len(ends) == 2 else None


def _runners(builds: Sequence[Build], blocks: _Blocks) -> pa.Table:
    timed, best = _best_times(builds)
    return TABLES["runners"].table({
        **{name: blocks.column[name] for name in ("is_reformat", "profiling_s", "line")},
        **{name: blocks.label(name) for name in ("layer", "runner", "input_formats", "output_formats")},
        "build": of_numpy(blocks.of_build), **blocks.keys, "tactics": _tactic_counts(builds), "timed": timed,
        "best_ms": best, "stamps_s": [seconds for build in builds for seconds in stamped_seconds(build)],
    })  # fmt: skip


def _tactic_counts(builds: Sequence[Build]) -> pa.Array:
    """Tactics of each block; the row of a runner that had no valid one names none."""
    counts = [np.empty(0, np.int64)]
    kernels = builds[0].tactics.kernels if builds else []  # one list, shared by all builds of a log
    is_tactic = np.array([kernel != NO_KERNEL for kernel in kernels], bool)
    for build in builds:
        known = np.concatenate([[0], np.cumsum(is_tactic[np.array(build.tactics.codes, np.int64)])])
        stops, starts = (
            np.array([getattr(block, end) for block in build.blocks], np.int64) for end in ("stop", "start")
        )
        counts.append(known[stops] - known[starts])
    return of_numpy(np.concatenate(counts))


def _best_times(builds: Sequence[Build]) -> tuple[pa.Array, pa.Array]:
    """Of each block, how many tactics have a time and the smallest of them."""
    counts, best = [np.empty(0, np.int64)], [np.empty(0)]
    for build in builds:
        times = np.append(np.array(build.tactics.times_ms), np.nan)  # so that a block at the very end has an element
        starts = np.array([block.start for block in build.blocks], np.int64)
        stops = np.array([block.stop for block in build.blocks], np.int64)
        known = np.concatenate([[0], np.cumsum(~np.isnan(times))])
        timed = known[stops] - known[starts]
        # reduceat takes pairs: the even results are the blocks', the odd ones what lies between them
        lowest = np.fmin.reduceat(times, np.stack([starts, stops], 1).ravel())[::2] if len(starts) else np.empty(0)
        counts.append(timed)
        best.append(np.where(timed > 0, lowest, np.nan))
    return of_numpy(np.concatenate(counts)), of_numpy(np.concatenate(best))


# -- the rest ------------------------------------------------------------------------------------------------------


def _layer_profile(builds: Sequence[Build]) -> pa.Table:
    rows = [(build, index, row) for build in builds for index, row in enumerate(build.profile)]
    return TABLES["layer_profile"].table({
        "build": [build.number for build, _, _ in rows], "index": [index for _, index, _ in rows],
        "layer": [row.layer for _, _, row in rows], "executions": [build.profile_iterations for build, _, _ in rows],
        "total_ms": [row.total_ms for _, _, row in rows], "average_ms": [row.average_ms for _, _, row in rows],
        "median_ms": [row.median_ms for _, _, row in rows], "percent": [row.percent for _, _, row in rows],
        "source": ["profile table"] * len(rows), "line": [row.line for _, _, row in rows],
    })  # fmt: skip


def _profile_totals(builds: Sequence[Build]) -> pa.Table:
    rows = [(build, build.profile_total) for build in builds if build.profile_total is not None]
    return TABLES["profile_totals"].table({
        "build": [build.number for build, _ in rows], "executions": [build.profile_iterations for build, _ in rows],
        **{name: [getattr(row, name) for _, row in rows] for name in ("total_ms", "average_ms", "median_ms", "percent", "line")},
    })  # fmt: skip


def _bindings(builds: Sequence[Build]) -> pa.Table:
    rows = [(build.number, index, name) for build in builds for index, name in enumerate(build.bindings)]
    nothing = [None] * len(rows)
    return TABLES["bindings"].table({
        "build": [r[0] for r in rows], "index": [r[1] for r in rows], "name": [r[2] for r in rows],
        "mode": nothing, "dtype": nothing, "dims": nothing,
    })  # fmt: skip


def _reading(log: Log, file: str) -> pa.Table:
    reading = log.reading
    unfinished = ((reading.lines, reading.unfinished),) if reading.unfinished else ()
    examples = {"unread": reading.unread, "foreign": reading.foreign, "unfinished": unfinished}
    kinds = [kind for kind, lines in reading.counts.items() if lines or kind not in _RARE]
    return TABLES["reading"].table({
        "file": [file] * len(kinds), "kind": kinds, "lines": [reading.counts[kind] for kind in kinds],
        "examples": [[f"{number}: {text}" for number, text in examples.get(kind, ())] for kind in kinds],
    })  # fmt: skip

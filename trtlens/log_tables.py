"""A log's records as the declared Arrow tables."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from trtlens.layer_tables import layer_tables
from trtlens.tables import TABLES
from trtlens.tuning_tables import combinations_table, stamped_seconds, strategies_table
from trtlens_parsers.records import Remark, TuningBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from trtlens_parsers.records import Build, Log

_TIMED = Remark("timed", None)
_RUNNER_FIELDS = ("layer", "is_reformat", "runner", "input_formats", "output_formats", "profiling_s", "line")
_BUILD_SCALARS = (
    "activation_bytes", "weights_bytes", "scratch_bytes", "host_persistent_bytes", "device_persistent_bytes",
)  # fmt: skip


def log_tables(log: Log, file: str) -> dict[str, pa.Table]:
    """Every table that the log's records fill; tables that a log cannot fill are left out."""
    builds = log.builds
    return {
        "builds": _builds(builds),
        "candidates": _candidates(builds),
        "reformat_candidates": _reformat_candidates(builds),
        "runners": _runners(builds),
        "phases": _phases(builds),
        "reading": _reading(log, file),
        "passes": _indexed("passes", builds, lambda b: b.passes, "name", "layers_after", "line"),
        "nodes": _indexed("nodes", builds, lambda b: b.nodes, "name", "op", "inputs", "outputs", "line"),
        "choices": _plain("choices", builds, lambda b: b.choices),
        "combinations": combinations_table(builds),
        "strategies": strategies_table(builds),
        "regions": _plain("regions", builds, lambda b: b.regions),
        "memory": _plain("memory", builds, lambda b: b.memory),
        "messages": _plain("messages", builds, lambda b: b.messages),
        "dynamic_ranges": _plain("dynamic_ranges", builds, lambda b: b.ranges),
        "added_reformats": _plain("added_reformats", builds, lambda b: b.added_reformats),
        "options": _plain("options", builds, lambda b: b.options),
        "performance": _plain("performance", builds, lambda b: b.performance),
        "fusions": _plain("fusions", builds, lambda b: b.fusions, {"pass": "pass_name"}),
        "layer_profile": _layer_profile(builds),
        "bindings": _bindings(builds),
        **layer_tables(builds),
    }


def _plain(
    name: str, builds: Iterable[Build], rows_of: Callable[[Build], Sequence[Any]], renamed: dict[str, str] | None = None
) -> pa.Table:
    """A table whose columns are the records' attributes, under the build's number."""
    rows = [(build.number, row) for build in builds for row in rows_of(build)]
    columns: dict[str, list[Any]] = {"build": [number for number, _ in rows]}
    records = [row for _, row in rows]
    for column in TABLES[name].columns[1:]:
        columns[column.name] = list(map(attrgetter((renamed or {}).get(column.name, column.name)), records))
    return TABLES[name].table(columns)


def _indexed(
    name: str, builds: Iterable[Build], rows_of: Callable[[Build], Sequence[Any]], *attributes: str
) -> pa.Table:
    """Like `_plain`, with the position within the build as ``index``."""
    rows = [(build.number, index, row) for build in builds for index, row in enumerate(rows_of(build))]
    columns: dict[str, list[Any]] = {"build": [r[0] for r in rows], "index": [r[1] for r in rows]}
    columns.update({attribute: [getattr(row, attribute) for _, _, row in rows] for attribute in attributes})
    return TABLES[name].table(columns)


def _builds(builds: Sequence[Build]) -> pa.Table:
    rows = [_build_row(build) for build in builds]
    return TABLES["builds"].table({c.name: [row[c.name] for row in rows] for c in TABLES["builds"].columns})


def _build_row(build: Build) -> dict[str, Any]:
    seconds = {phase.name: phase.seconds for phase in build.phases}
    scalars = {name: _whole(build.scalars.get(name)) for name in _BUILD_SCALARS}
    return {
        "build": build.number,
        "tensorrt_version": build.version,
        "version_line": build.version_line,
        "wrapper": build.wrapper,
        "command": build.command,
        "state": build.state,
        "first_line": build.first_line,
        "last_line": build.last_line,
        "is_build": build.is_build,
        "is_calibration": "calibration" in seconds,
        "complete": build.complete,
        "started_s": build.moments[0].stamp_s if build.moments else None,
        "finished_s": build.moments[-1].stamp_s if build.moments else None,
        "tactic_selection_s": seconds.get("tactic selection"),
        "engine_generation_s": seconds.get("engine generation"),
        "engine_built_s": seconds.get("engine built"),
        "layer_count": _layer_count(build),
        "gpu": _option(build, "Selected Device"),
        "precision_flags": _option(build, "Precision"),
        **scalars,
    }


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _layer_count(build: Build) -> int | None:
    rows = build.layers or build.detailed_layers or build.layer_names
    if rows:
        return len(rows)
    left = {done.layers_after for done in build.passes if done.name == "reformat layers"}
    return left.pop() if len(left) == 1 else None


def _option(build: Build, key: str) -> str | None:
    return next((row.value for row in build.options if row.key == key and row.value), None)


# -- tuning --------------------------------------------------------------------------------------------------------


class _Tried:
    """The tactics of all blocks of one kind as columns; what stands in a block is repeated for each of its tactics."""

    def __init__(self, builds: Sequence[Build], *, reformats: bool) -> None:
        chosen = [[block for block in build.blocks if block.is_reformat is reformats] for build in builds]
        self.blocks = [block for blocks in chosen for block in blocks]
        counts = [block.stop - block.start for block in self.blocks]
        self._rows = np.repeat(np.arange(len(counts)), counts)
        self._build_of_block = np.repeat([build.number for build in builds], [len(blocks) for blocks in chosen])
        takes = [_positions(blocks) for blocks in chosen]
        self.lines = _joined([np.array(b.tactics.lines)[take] for b, take in zip(builds, takes, strict=True)])
        self.times = _joined([np.array(b.tactics.times_ms)[take] for b, take in zip(builds, takes, strict=True)])
        self.ids, self.names, self.splits = _kernel_columns(builds, takes)
        self.outcomes, self.reasons, self.scratches = _remark_columns(builds, takes)

    def builds(self) -> pa.Array:
        return pa.array(self._build_of_block[self._rows])

    def label(self, values: Iterable[str | None]) -> pa.Array:
        """A text of each block, stored once and repeated for the block's tactics."""
        return pa.array(values, pa.string()).dictionary_encode().take(pa.array(self._rows))


def _positions(blocks: Sequence[TuningBlock]) -> np.ndarray:
    """Positions in a build's tactics that its blocks cover, in the blocks' order."""
    spans = [np.arange(block.start, block.stop) for block in blocks]
    return np.concatenate(spans) if spans else np.empty(0, np.int64)


def _joined(columns: list[np.ndarray]) -> pa.Array:
    """One column of all builds; NaN is null."""
    return pa.array(np.concatenate(columns) if columns else [], from_pandas=True)


def _kernel_columns(builds: Sequence[Build], takes: list[np.ndarray]) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Ids, names and split-Ks of kernels, built once for each distinct one and then taken by position."""
    rows = [np.array(build.tactics.codes)[take] for build, take in zip(builds, takes, strict=True)]
    positions = pa.array(np.concatenate(rows) if rows else [], pa.int32())
    kernels = builds[0].tactics.kernels if builds else []  # one list, shared by all builds of a log
    ids, names, splits = zip(*kernels, strict=True) if kernels else ((), (), ())
    distinct = pa.array(names, pa.string()).dictionary_encode()
    return (
        pa.array(ids, pa.uint64()).take(positions),
        distinct.take(positions),
        pa.array(splits, pa.int64()).take(positions),
    )


def _remark_columns(builds: Sequence[Build], takes: list[np.ndarray]) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Outcome, reason and scratch; nearly all tactics share one remark: timed."""
    remarks: dict[Remark, int] = {_TIMED: 0}
    coded = []
    for build, take in zip(builds, takes, strict=True):
        codes = np.zeros(len(build.tactics), np.int32)
        for position, remark in build.tactics.remarks.items():
            codes[position] = remarks.setdefault(remark, len(remarks))
        coded.append(codes[take])
    rows = pa.array(np.concatenate(coded) if coded else [], pa.int32())
    outcomes, reasons, scratches = zip(*remarks, strict=True)
    labels = [pa.array(column, pa.string()).dictionary_encode().take(rows) for column in (outcomes, reasons)]
    return labels[0], labels[1], pa.array(scratches, pa.int64()).take(rows)


def _candidates(builds: Sequence[Build]) -> pa.Table:
    tried = _Tried(builds, reformats=False)
    blocks, count = tried.blocks, len(tried.lines)
    nothing = pa.nulls(count, pa.string())
    return TABLES["candidates"].table({
        "build": tried.builds(), "layer": tried.label(b.layer for b in blocks), "op": tried.label(b.op for b in blocks),
        "input_formats": tried.label(b.input_formats for b in blocks),
        "output_formats": tried.label(b.output_formats for b in blocks),
        "runner": tried.label(b.runner for b in blocks),
        "tactic_id": tried.ids, "tactic_name": tried.names, "split_k": tried.splits, "time_ms": tried.times,
        "outcome": tried.outcomes, "reason": tried.reasons, "scratch_requested_bytes": tried.scratches,
        "precision": nothing, "unit": nothing, "chosen": pa.nulls(count, pa.bool_()), "line": tried.lines,
    })  # fmt: skip


def _reformat_candidates(builds: Sequence[Build]) -> pa.Table:
    tried = _Tried(builds, reformats=True)
    blocks = tried.blocks
    return TABLES["reformat_candidates"].table({
        "build": tried.builds(), "source": tried.label(_end(b, 0) for b in blocks),
        "target": tried.label(_end(b, 1) for b in blocks),
        "input_formats": tried.label(b.input_formats for b in blocks),
        "output_formats": tried.label(b.output_formats for b in blocks),
        "runner": tried.label(b.runner for b in blocks), "tactic_id": tried.ids, "tactic_name": tried.names,
        "time_ms": tried.times, "outcome": tried.outcomes, "reason": tried.reasons, "line": tried.lines,
    })  # fmt: skip


def _end(block: TuningBlock, side: int) -> str | None:
    """Tensor on one side of ``source -> target``; null where the version prints none."""
    ends = (block.layer or "").split(" -> ", 1)
    return ends[side] if len(ends) == 2 else None


def _runners(builds: Sequence[Build]) -> pa.Table:
    numbers = np.repeat([build.number for build in builds], [len(build.blocks) for build in builds])
    blocks = [block for build in builds for block in build.blocks]
    values = zip(*blocks, strict=True) if blocks else [()] * len(TuningBlock._fields)
    column = dict(zip(TuningBlock._fields, values, strict=True))
    timed, best = _best_times(builds)
    return TABLES["runners"].table({
        **{name: column[name] for name in _RUNNER_FIELDS}, "build": pa.array(numbers, pa.int64()),
        "tactics": pa.array(np.subtract(column["stop"], column["start"]), pa.int64()), "timed": timed, "best_ms": best,
        "stamps_s": [seconds for build in builds for seconds in stamped_seconds(build)],
    })  # fmt: skip


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
    return pa.array(np.concatenate(counts)), pa.array(np.concatenate(best), from_pandas=True)


# -- the rest ------------------------------------------------------------------------------------------------------


def _phases(builds: Sequence[Build]) -> pa.Table:
    rows = [
        (build.number, phase.name, phase.seconds, "stated", phase.line) for build in builds for phase in build.phases
    ]
    for build in builds:
        rows += _stamped_phases(build)
    columns = ("build", "name", "seconds", "source", "line")
    return TABLES["phases"].table({name: [row[i] for row in rows] for i, name in enumerate(columns)})


def _stamped_phases(build: Build) -> list[tuple[int, str, float, str, int]]:
    """Seconds between time stamps, given to the phase that was running when the later stamp came."""
    spans: dict[str, list[float]] = {}
    for before, after in zip(build.moments, build.moments[1:], strict=False):
        span = spans.setdefault(after.phase, [0.0, after.line])
        span[0] += max(after.stamp_s - before.stamp_s, 0.0)
    return [(build.number, name, seconds, "stamps", int(line)) for name, (seconds, line) in spans.items()]


def _layer_profile(builds: Sequence[Build]) -> pa.Table:
    rows = [(build, index, row) for build in builds for index, row in enumerate(build.profile)]
    return TABLES["layer_profile"].table({
        "build": [build.number for build, _, _ in rows], "index": [index for _, index, _ in rows],
        "layer": [row.layer for _, _, row in rows], "executions": [build.profile_iterations for build, _, _ in rows],
        "total_ms": [row.total_ms for _, _, row in rows], "average_ms": [row.average_ms for _, _, row in rows],
        "median_ms": [row.median_ms for _, _, row in rows], "percent": [row.percent for _, _, row in rows],
        "source": ["profile table"] * len(rows), "line": [row.line for _, _, row in rows],
    })  # fmt: skip


def _bindings(builds: Sequence[Build]) -> pa.Table:
    rows = [(build.number, index, name) for build in builds for index, name in enumerate(build.bindings)]
    nothing = [None] * len(rows)
    return TABLES["bindings"].table({
        "build": [r[0] for r in rows], "index": [r[1] for r in rows], "name": [r[2] for r in rows],
        "mode": nothing, "dtype": nothing, "dims": nothing,
    })  # fmt: skip


def _reading(log: Log, file: str) -> pa.Table:
    examples = {"unread": log.reading.unread, "foreign": log.reading.foreign}
    kinds = list(log.reading.counts)
    return TABLES["reading"].table({
        "file": [file] * len(kinds), "kind": kinds, "lines": [log.reading.counts[kind] for kind in kinds],
        "examples": [[f"{number}: {text}" for number, text in examples.get(kind, ())] for kind in kinds],
    })  # fmt: skip

"""Tables of the tuner's record beside its tactics: format combinations, strategies, seconds by the time stamps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from trtlens.runs.stretches import key_columns
from trtlens.tables.declarations import TABLES
from trtlens_parsers.records import Combination

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens_parsers.records import Build, Strategy


def combinations_table(builds: Sequence[Build]) -> pa.Table:
    """Format headers as the log prints them; `trtlens.tuning.choices` fills in what was tried below each of them."""
    rows = [row for build in builds for row in build.combinations]
    fields = zip(*rows, strict=True) if rows else [()] * len(Combination._fields)
    lines = [np.array([row.line for row in build.combinations], np.int64) for build in builds]
    return TABLES["combinations"].table({
        **{column.name: pa.nulls(len(rows), column.arrow) for column in TABLES["combinations"].columns},
        **dict(zip(Combination._fields, fields, strict=True)),
        "build": [build.number for build in builds for _ in build.combinations],
        **key_columns(builds, lines),
    })  # fmt: skip


def strategies_table(builds: Sequence[Build]) -> pa.Table:
    """Backend strategies in the order of the log, each with the last line that is about it."""
    rows = [(build.number, tried, _last_line(build, tried)) for build in builds for tried in build.strategies]
    return TABLES["strategies"].table({
        "build": [number for number, _, _ in rows], "strategy": [tried.number for _, tried, _ in rows],
        "estimate": [tried.estimate for _, tried, _ in rows], "kept": [tried.kept for _, tried, _ in rows],
        "last_line": [last for _, _, last in rows], "line": [tried.line for _, tried, _ in rows],
    })  # fmt: skip


def _last_line(build: Build, tried: Strategy) -> int:
    """The line before the first stretch below its beginning that is another strategy's, or none's."""
    ends = (part.line - 1 for part in build.stretches if part.line > tried.line and part.strategy != tried.number)
    return next(ends, build.last_line)


def stamped_seconds(build: Build) -> list[float | None]:
    """Seconds from each tuning block's first line to the next one's, by the log's time stamps.

    Stamps are whole seconds, so one block alone says little; sums over a layer or a runner do. None without stamps.
    """
    starts = [block.line for block in build.blocks]
    if len(build.moments) < 2 or not starts:
        return [None] * len(starts)
    moment_lines = [moment.line for moment in build.moments]
    stamps = np.array([moment.stamp_s for moment in build.moments])
    last = build.blocks[-1]
    own_end = build.tactics.lines[last.stop - 1] if last.stop > last.start else last.line
    ends = [*starts[1:], max(own_end, last.line)]  # what comes behind the last tactic is no longer its runner's time
    places = np.searchsorted(moment_lines, [starts, ends], side="right") - 1
    spent = stamps[np.maximum(places[1], 0)] - stamps[np.maximum(places[0], 0)]
    return [max(float(seconds), 0.0) for seconds in spent]

"""Tables of the tuner's record beside its tactics: format combinations, strategies, seconds by the time stamps."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from trtlens.tables import TABLES
from trtlens_parsers.records import Combination

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens_parsers.records import Build


def combinations_table(builds: Sequence[Build]) -> pa.Table:
    """Format headers as the log prints them; `trtlens.choices` fills in what was tried below each of them."""
    rows = [row for build in builds for row in build.combinations]
    fields = zip(*rows, strict=True) if rows else [()] * len(Combination._fields)
    return TABLES["combinations"].table({
        **{column.name: pa.nulls(len(rows), column.arrow) for column in TABLES["combinations"].columns},
        **dict(zip(Combination._fields, fields, strict=True)),
        "build": [build.number for build in builds for _ in build.combinations],
        "strategy": [number for build in builds for number in _strategy_numbers(build)],
    })  # fmt: skip


def _strategy_numbers(build: Build) -> list[int | None]:
    """The backend strategy that each combination was tried in; None above the first one."""
    if not build.strategies:
        return [None] * len(build.combinations)
    starts = [tried.line for tried in build.strategies]
    numbers = [None, *(tried.number for tried in build.strategies)]
    return [numbers[bisect_right(starts, row.line)] for row in build.combinations]


def strategies_table(builds: Sequence[Build]) -> pa.Table:
    """Backend strategies in the order of the log, each up to the line before the next."""
    rows = [
        (build.number, tried, last)
        for build in builds
        for tried, last in zip(
            build.strategies, [*(later.line - 1 for later in build.strategies[1:]), build.last_line], strict=False
        )
    ]
    return TABLES["strategies"].table({
        "build": [number for number, _, _ in rows], "strategy": [tried.number for _, tried, _ in rows],
        "estimate": [tried.estimate for _, tried, _ in rows], "kept": [tried.kept for _, tried, _ in rows],
        "last_line": [last for _, _, last in rows], "line": [tried.line for _, tried, _ in rows],
    })  # fmt: skip


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

"""Tables of the tuner's record beside its tactics: format combinations, strategies, seconds by the time stamps."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens_parsers.records import Build


def combinations_table(builds: Sequence[Build]) -> pa.Table:
    """Format headers as the log prints them; `trtlens.choices` fills in what was tried below each of them."""
    rows = [(build, row) for build in builds for row in build.combinations]
    columns: dict[str, list[Any]] = {column.name: [None] * len(rows) for column in TABLES["combinations"].columns}
    columns.update({
        "build": [build.number for build, _ in rows], "layer": [row.layer for _, row in rows],
        "strategy": [_strategy_at(build, row.line) for build, row in rows],
        "input_formats": [row.input_formats for _, row in rows],
        "output_formats": [row.output_formats for _, row in rows], "line": [row.line for _, row in rows],
    })  # fmt: skip
    return TABLES["combinations"].table(columns)


def _strategy_at(build: Build, line: int) -> int | None:
    position = bisect_right(build.strategies, line, key=lambda tried: tried.line)
    return build.strategies[position - 1].number if position else None


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

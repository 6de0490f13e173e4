"""What trtlens says of one run: summary, tables, views, findings, explanations, charts, the report's card, the trace, the graph."""

from __future__ import annotations

import json
from functools import cache, partial
from math import fsum
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from tests.conftest import FIXTURES
from tests.golden.commands import printed, say
from tests.golden.inputs import FILES, opened, subject
from tests.golden.text_of_figures import figure_text
from tests.golden.text_of_pages import html_text
from tests.golden.text_of_tables import cell, digest, lines_text, raw_table_text, table_text
from tests.golden.text_of_terminals import WIDTHS, layout_text, screen_text
from trtlens.charts import MissingData, charts_of_run
from trtlens.commands.why import _print_findings as print_findings
from trtlens.errors import TrtlensError
from trtlens.report.graph_files import graph_dot, graph_graphml
from trtlens.report.overview import card
from trtlens.report.trace_events import trace_json
from trtlens.runs.folders import GENERATOR
from trtlens.tables.declarations import TABLES
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from trtlens.charts import Chart
    from trtlens.runs.run import Run

_PRINTED = frozenset({"small-build"})
"""Runs of which the goldens hold how a terminal shows each view."""
_SCREENS: dict[str, tuple[str, ...]] = {
    "h200/resnet50-fp16-traced": (), "h200/resnet50-int8-compared": ("accuracy", "pins"), "h200-dumps/overflowing_rms_norm-reference": ("overflow",),
}  # fmt: skip
"""Runs and views of which the goldens hold the first lines at 80 and 120 columns; no names for all views with rows."""


class AbsentError(Exception):
    """A run lacks what a product would be made of; the reason stands among its golden files."""


def of_run(name: str) -> Iterator[tuple[str, Callable[[], str]]]:
    """How each product of a run is made, by file."""
    run, files, shown = opened(name), FILES[name], subject(name)
    view_of = shown.view if len(shown.builds) == 1 else cache(run.view)  # the only build's views are those of the run
    yield "summary.txt", lambda: say("parse", *files).text
    yield "tables.txt", lambda: _tables(run)
    yield from ((f"views/{view}.csv", partial(_view, view_of, view)) for view in VIEWS)
    yield "terminal.txt", lambda: "".join(_layout(view, view_of) for view in VIEWS)
    for width in WIDTHS[:2] if name in _SCREENS else ():
        yield f"terminal-{width}.txt", partial(_screens, name, view_of, width)
    yield "findings.txt", lambda: printed(print_findings, view_of("findings").to_pylist()).text
    for number, layer in enumerate(_explained(view_of("layers")), 1):
        yield f"why-{number}.txt", partial(_why, layer, files)
    if name in _PRINTED:
        yield from ((f"printed/{view}.txt", partial(_shown, view, name)) for view in VIEWS if view_of(view).num_rows)
    yield from ((f"charts/{chart.name}.txt", partial(_chart, chart, name)) for chart in charts_of_run())
    yield "card.html", lambda: html_text(card(shown, 0, None))
    yield "trace.txt", lambda: _trace(name)
    yield "graph.txt", lambda: _graph(name)


def _tables(run: Run) -> str:
    return "\n".join(f"[{one}]\n{raw_table_text(_without_place(run[one]))}" for one in TABLES if run[one].num_rows)


def _view(view_of: Callable[[str], pa.Table], view: str) -> str:
    rows = view_of(view)
    if not rows.num_rows:
        raise AbsentError(f"view {view}: no rows")
    return table_text(rows)


def _layout(view: str, view_of: Callable[[str], pa.Table]) -> str:
    rows = view_of(view)
    return layout_text(VIEWS[view], rows) if rows.num_rows else ""


def _screens(name: str, view_of: Callable[[str], pa.Table], width: int) -> str:
    views = _SCREENS[name] or [view for view in VIEWS if view_of(view).num_rows]
    return "\n".join(screen_text(VIEWS[view], view_of(view), width) for view in views)


def _why(layer: str, files: Sequence[Path]) -> str:
    return say("why", layer, *files).text


def _without_place(table: pa.Table) -> pa.Table:
    """The table with names of files as they stand under ``fixtures``."""
    if "file" not in table.column_names:
        return table
    place = table.column_names.index("file")
    names = pc.replace_substring(table["file"], f"{FIXTURES}/", "")
    return table.set_column(place, table.schema.field(place), names)


def _shown(view: str, name: str) -> str:
    return say("show", view, *FILES[name]).text + say("show", view, *FILES[name], "--format", "json").text


def _chart(chart: Chart, name: str) -> str:
    try:
        return figure_text(chart.draw_from(subject(name).source(chart.reads)))
    except MissingData as missing:
        raise AbsentError(f"chart {chart.name}: {missing}") from missing


def _explained(layers: pa.Table) -> list[str]:
    """Names of a few layers: the slowest, the slowest reformat, one in the middle, the last."""
    order = [("time_ms", "descending"), ("build", "ascending"), ("index", "ascending")]
    slowest: list[dict[str, Any]] = layers.sort_by(order).select(["name", "index", "type"]).to_pylist()
    if not slowest:
        return []
    reformats = [row for row in slowest if row["type"] == "Reformat"]
    in_order = sorted(slowest, key=lambda row: row["index"])
    picked = [slowest[0], *reformats[:1], in_order[len(in_order) // 2], in_order[-1]]
    return list(dict.fromkeys(row["name"] for row in picked if row["name"]))


def _graph(name: str) -> str:
    """The engine's graph as dot and as GraphML: some lines and digests of all; or why there is none."""
    shown = subject(name)
    try:
        files = [write(shown.run, shown.build).replace(GENERATOR, "trtlens") for write in (graph_dot, graph_graphml)]
    except TrtlensError as error:
        return f"{error}\n"
    return "\n".join(lines_text(text.split("\n")) for text in files)


def _trace(name: str) -> str:
    """The trace of Perfetto: some events, the sums of each process, digests of all; or why there is none."""
    try:
        text = trace_json(subject(name).run).replace(GENERATOR, "trtlens")
    except TrtlensError as error:
        return f"{error}\n"
    slices = [event for event in json.loads(text)["traceEvents"] if event["ph"] == "X"]
    sums = [
        f"process {process}: {len(own)} slices, {fsum(one['dur'] for one in own):.6g} µs, digest of starts "
        f"{digest([cell(one['ts']) for one in own])}\n"
        for process in sorted({one["pid"] for one in slices})
        for own in [[one for one in slices if one["pid"] == process]]
    ]
    return lines_text(text.split("\n")) + "".join(sums)

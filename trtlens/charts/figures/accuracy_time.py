"""How much error each layer adds against the time that it takes: much error for little time is worth a higher precision."""

from __future__ import annotations

from math import log10
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import POINTS, Chart, MissingData
from trtlens.charts.drawing.layer_rows import NO_TIMES
from trtlens.charts.drawing.style import GREY, SYMBOLS, colour, figure, log_axis, of_precisions, plain
from trtlens.engine.clocks import clock_name
from trtlens.quantities import duration
from trtlens.views import VIEWS

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_NAMES = 3
_ROOM = 0.8
"""Share of the axis up to which a name has room on the right of its point."""
_STEP = 22
"""Vertical distance in pixels between the names of neighbouring points."""


def chart(table: pa.Table) -> go.Figure:
    """A point for each layer of the view ``accuracy`` that adds error and has a time; customdata is the layer's index.

    Raises:
        MissingData: no tensors were compared, or no layer of theirs has a time.

    """
    compared = [row for row in table.to_pylist() if row["error_added"] is not None]
    if not compared:
        raise MissingData(VIEWS["accuracy"].empty)
    rows = [row for row in compared if row["time_ms"] and row["layer_index"] is not None and row["error_added"] > 0]
    if not rows:
        raise MissingData(f"no compared tensor that adds error comes from a layer with a time: {NO_TIMES}")
    traces = [_points(*group) for group in of_precisions(rows, itemgetter("precision")).items()]
    clocks = {clock_name(row["time_source"]) for row in rows if row["time_source"]}
    by = f", {clocks.pop()}" if len(clocks) == 1 else ""
    return figure(
        traces, annotations=_names(rows), height=360, showlegend=True, xaxis=log_axis(f"time of the layer [µs]{by}"),
        yaxis=log_axis("error that it adds", nticks=4),
    )  # fmt: skip


def _names(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Names of the layers that add most error for their time, each on the side of its point with room."""
    best = sorted(rows, key=lambda row: -row["error_added"] / row["time_ms"])[:_MOST_NAMES]
    ends = [log10(1000 * choose(row["time_ms"] for row in rows)) for choose in (min, max)]
    names = []
    for place, row in enumerate(sorted(best, key=lambda row: -row["error_added"])):
        x = log10(1000 * row["time_ms"])
        side, way = ("left", 1) if x <= ends[0] + _ROOM * (ends[1] - ends[0]) else ("right", -1)
        names.append({
            "x": x, "y": log10(row["error_added"]), "text": plain(row["layer"], 36), "xanchor": side, "font": {"size": 11},
            "showarrow": True, "arrowhead": 0, "arrowwidth": 1, "arrowcolor": GREY, "standoff": 5, "ax": 26 * way, "ay": _STEP * (place - 1),
        })  # fmt: skip
    return names


def _points(precision: str, rows: list[dict[str, Any]]) -> go.Scatter:
    return go.Scatter(
        x=[1000 * row["time_ms"] for row in rows], y=[row["error_added"] for row in rows], mode="markers", name=precision,
        marker={"color": colour(precision), "symbol": SYMBOLS.get(precision, "circle"), "size": 9, "opacity": 0.85,
                "line": {"width": 0.8, "color": "rgba(90,100,110,0.8)"}},
        customdata=[row["layer_index"] for row in rows],
        hovertext=[f"<b>{plain(row['layer'] or '?')}</b><br>{plain(row['tensor'])}<br>{duration(row['time_ms'])}" for row in rows],
        hovertemplate="%{hovertext}<br>adds %{y:.3g}<extra></extra>",
    )  # fmt: skip


CHART = Chart(
    chart,
    title="Error against time",
    question="Which layers add much error for little time?",
    section="accuracy",
    place=2,
    follows=POINTS,
    reads="accuracy",
    views=("pins",),
    reading="Layers at the upper left add much error for little time: run these in a higher precision first. The three with the most error for their time are named.",
    data={
        "x": "time of the layer in µs",
        "y": "error that the layer adds",
        "customdata": "index of the layer",
    },
    needs="Compared tensors, and times of the layers that produce them: `--profile RUN --keep` combines both ([the commands](../accuracy.md#who-is-blamed)).",
)

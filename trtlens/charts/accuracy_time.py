"""How much error each layer adds against the time that it takes: much error for little time is worth a higher precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from trtlens.charts import MissingData
from trtlens.charts.accuracy import NO_ERRORS
from trtlens.charts.layer_rows import NO_TIMES
from trtlens.charts.style import SYMBOLS, UNKNOWN, by_precision, colour, duration, figure, plain

if TYPE_CHECKING:
    import pyarrow as pa


def chart(table: pa.Table) -> go.Figure:
    """A point for each layer of the view ``accuracy`` that adds error and has a time; customdata is the layer's index.

    Raises:
        MissingData: no tensors were compared, or no layer of theirs has a time.

    """
    compared = [row for row in table.to_pylist() if row["error_added"] is not None]
    if not compared:
        raise MissingData(NO_ERRORS)
    rows = [
        row
        for row in compared
        if row["time_ms"] is not None and row["layer_index"] is not None and row["error_added"] > 0
    ]
    if not rows:
        raise MissingData(f"no compared tensor that adds error is made by a layer with a time: {NO_TIMES}")
    traces = [
        _points(precision, [row for row in rows if (row["precision"] or UNKNOWN) == precision])
        for precision in by_precision(row["precision"] or UNKNOWN for row in rows)
    ]
    return figure(
        traces, height=360, xaxis={"title": {"text": "time of the layer [µs]"}, "type": "log"},
        yaxis={"title": {"text": "error that it adds"}, "type": "log", "exponentformat": "power"},
    )  # fmt: skip


def _points(precision: str, rows: list[dict[str, Any]]) -> go.Scatter:
    return go.Scatter(
        x=[1000 * row["time_ms"] for row in rows], y=[row["error_added"] for row in rows], mode="markers", name=precision,
        marker={"color": colour(precision), "symbol": SYMBOLS.get(precision, "circle"), "size": 9, "opacity": 0.85,
                "line": {"width": 0.8, "color": "rgba(90,100,110,0.8)"}},
        customdata=[row["layer_index"] for row in rows],
        hovertext=[f"<b>{plain(row['layer'] or '?')}</b><br>{plain(row['tensor'])}<br>{duration(row['time_ms'])}" for row in rows],
        hovertemplate="%{hovertext}<br>adds %{y:.3g}<extra></extra>",
    )  # fmt: skip

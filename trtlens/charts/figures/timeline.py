"""Layers in execution order: the height is the time, colour and pattern the precision, a triangle marks a reformat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import POINTS, Chart, MissingData
from trtlens.charts.drawing.layer_rows import running_layers
from trtlens.charts.drawing.style import by_precision, figure, fill, index_axis

if TYPE_CHECKING:
    import pyarrow as pa

_ABOVE = 0.025
"""Distance of a triangle above its bar, as a share of the tallest bar."""
_THIN = 400
"""Number of bars from which gaps would be wider than the bars."""


def chart(table: pa.Table) -> go.Figure:
    """Bars for the rows of the view ``layers``; customdata is the layer's index.

    Raises:
        MissingData: no layers are known, or none that launches anything.

    """
    layers = running_layers(table)
    if layers.empty:
        raise MissingData("no layer of the engine launches anything: there is nothing to time")
    timed = layers.attrs["timed"]
    layers["height"] = layers["weight"] * 1000 if timed else 1.0
    width = 0.88 if len(layers) < _THIN else 1.0
    traces = []
    for precision in by_precision(layers["shown"]):
        rows = layers[layers["shown"] == precision]
        traces.append(go.Bar(
            x=rows["index"].tolist(), y=rows["height"].round(4).tolist(), name=precision, marker=fill(precision), width=width,
            customdata=rows["index"].tolist(), hovertext=rows["hover"].tolist(), hovertemplate="%{hovertext}<extra></extra>",
        ))  # fmt: skip
    moved = layers[layers["work"] == "reformat"]
    if len(moved):
        traces.append(go.Scatter(
            x=moved["index"].tolist(), y=(moved["height"] + _ABOVE * layers["height"].max()).round(4).tolist(), mode="markers", name="reformat",
            marker={"symbol": "triangle-down", "size": 8, "color": "#64748b", "line": {"width": 0}},
            customdata=moved["index"].tolist(), hovertext=moved["hover"].tolist(), hovertemplate="%{hovertext}<extra></extra>",
        ))  # fmt: skip
    return figure(
        traces, height=340, barmode="overlay",
        xaxis=index_axis("index of the layer; those that launch nothing have no bar", layers["index"].tolist()),
        yaxis={"title": {"text": f"time [µs]{layers.attrs['by']}" if timed else "no layer times: all bars are equal"}, "showticklabels": timed},
    )  # fmt: skip


CHART = Chart(
    chart,
    title="Layers in execution order",
    question="Where in the network is the time spent, and in which precision?",
    section="layers",
    place=1,
    follows=POINTS,
    reads="layers",
    views=("layers", "slowest"),
    reading="One bar for each layer: its height is the time, its colour and pattern the precision; a triangle marks a reformat. Click a bar to see the layer's details.",
    data={
        "x": "index of the layer",
        "y": "time in µs; 1 without times",
        "customdata": "index of the layer",
    },
    needs="The engine's layers (a verbose log, or `--exportLayerInfo`). Heights need layer times (`--exportProfile`, or `trtlens profile`); without them every bar has the same height and the axis says so.",
)

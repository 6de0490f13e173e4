"""Time by precision, type and kernel as areas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import Chart
from trtlens.charts.drawing.shares import read_tree
from trtlens.charts.drawing.style import figure

if TYPE_CHECKING:
    import pyarrow as pa


_BY_LAYERS = "Areas are numbers of layers (this run has no layer times), by precision, layer type and kernel; click a kernel to list its layers."


def chart(table: pa.Table) -> go.Figure:
    """Areas for the view ``layers``: time, or the number of layers where no times are known.

    Raises:
        MissingData: no layers are known.

    """
    tree = read_tree(table)
    trace = go.Treemap(
        **tree.trace(), textinfo="label+text", tiling={"pad": 3, "packing": "squarify"},
        pathbar={"visible": False}, textfont={"color": "#10151c", "size": 12},
    )  # fmt: skip
    return figure(
        [trace],
        meta={} if tree.timed else {"reading": _BY_LAYERS},
        height=440,
        margin={"l": 4, "r": 4, "t": 8, "b": 4},
        uniformtext={"minsize": 10, "mode": "hide"},
    )


CHART = Chart(
    chart,
    title="Time by precision, layer type and kernel",
    question="Which precision, layer type and kernel take the time?",
    section="layers",
    place=2,
    reads="layers",
    views=("precision",),
    reading="Areas are times, by precision, layer type and kernel; click a kernel to list its layers.",
    needs="The engine's layers; areas are times where the run has layer times, else numbers of layers.",
)

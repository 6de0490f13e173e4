"""Time by precision, type and kernel as rings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import Chart
from trtlens.charts.drawing.shares import read_tree
from trtlens.charts.drawing.style import figure

if TYPE_CHECKING:
    import pyarrow as pa


def chart(table: pa.Table) -> go.Figure:
    """Rings for the view ``layers``: precision inside, then type, then kernel.

    Raises:
        MissingData: no layers are known.

    """
    trace = go.Sunburst(
        **read_tree(table).trace(), insidetextorientation="auto", textfont={"color": "#10151c", "size": 11},
    )  # fmt: skip
    return figure(
        [trace], height=360, margin={"l": 4, "r": 4, "t": 8, "b": 4}, uniformtext={"minsize": 8, "mode": "hide"}
    )


CHART = Chart(
    chart,
    title="Time by precision, layer type and kernel, as rings",
    question="How is the time divided among precisions, layer types and kernels?",
    section="layers",
    place=3,
    reads="layers",
    views=("kernels",),
    reading="The same shares as rings: precision, layer type, kernel.",
    needs="The engine's layers; areas are times where the run has layer times, else numbers of layers.",
    narrow=True,
)

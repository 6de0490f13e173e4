"""Where the build's time went: its parts, then the layers whose tuning took longest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import WHOLE, Chart, MissingData
from trtlens.charts.drawing.style import BLUE, figure, plain, stripes
from trtlens.quantities import seconds, whole_seconds
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

_MOST = 10
_KINDS = {"part": ("parts of the build", BLUE, ""), "layer": ("tuning of a layer", "#7c5cad", "/")}


def chart(table: pa.Table) -> go.Figure:
    """Bars of the view ``build``: parts, and the ten layers with the longest tuning.

    Raises:
        MissingData: the table has no durations.

    """
    rows = [row for row in table.to_pylist() if row["seconds"]]
    parts = [row for row in rows if row["kind"] == "part"]
    layers = [row for row in rows if row["kind"] == "layer"]
    shown = [*(("part", row) for row in parts), *(("layer", row) for row in layers[:_MOST])]
    if not shown:
        raise MissingData(VIEWS["build"].empty)
    traces = []
    for kind, (name, ink, shape) in _KINDS.items():
        here = [(place, row) for place, (one, row) in enumerate(shown) if one == kind]
        traces.append(go.Bar(
            y=[place for place, _ in here], x=[row["seconds"] for _, row in here], orientation="h", name=name,
            marker={"color": ink, "pattern": stripes(shape)},
            text=[_spelled(row) for _, row in here], textposition="outside", cliponaxis=False,
            hovertext=[f"{plain(row['name'])}, {row['source']}" for _, row in here],
            hovertemplate="%{hovertext}<br>%{x:.3f} s<extra></extra>",
        ))  # fmt: skip
    return figure(
        traces, height=110 + 26 * len(shown), bargap=0.3, barmode="overlay", margin={"r": 64},
        yaxis={"autorange": "reversed", "tickvals": list(range(len(shown))), "ticktext": [plain(row["name"], 44) for _, row in shown]},
        xaxis={"title": {"text": "seconds"}, "rangemode": "tozero"},
    )  # fmt: skip


def _spelled(row: Mapping[str, Any]) -> str:
    return whole_seconds(row["seconds"]) if row["source"] == "stamps" else seconds(row["seconds"])


CHART = Chart(
    chart,
    title="Where the build's time went",
    question="Which parts and which layers took the build's time?",
    section="build",
    place=1,
    follows=WHOLE,
    reads="build",
    views=("build",),
    reading="Parts of the build, then the layers whose tuning took longest.",
    data={
        "x": "seconds",
        "y": "place of the bar, from the top",
    },
    needs="Time stamps before the lines of the log (trtexec and `trtlens profile` write them), or the durations that TensorRT states.",
)

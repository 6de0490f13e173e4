"""Share of the time on tensor cores and on CUDA cores, by precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import SUMS, Chart
from trtlens.charts.drawing.layer_rows import running_layers
from trtlens.charts.drawing.style import INK_IN_BARS, by_precision, figure, fill
from trtlens.quantities import duration

if TYPE_CHECKING:
    import pyarrow as pa

_BY_LAYERS = "Share of the layers on each core type, by precision (this run has no layer times); reformats compute nothing and have a bar of their own."
_ROWS = ("reformats", "core type unknown", "cuda core", "tensor core")


def chart(table: pa.Table) -> go.Figure:
    """One bar for each core type, stacked by precision; reformats, which compute nothing, have a bar of their own.

    Raises:
        MissingData: no layers are known.

    """
    layers = running_layers(table)
    timed = layers.attrs["timed"]
    layers["row"] = layers["unit"].fillna("core type unknown").mask(layers["work"] == "reformat", "reformats")
    total = layers["weight"].sum() or 1.0
    layers = layers[layers["weight"] > 0]
    sums = layers.groupby(["row", "shown"])["weight"].agg(["sum", "size"])
    traces = []
    for precision in by_precision(layers["shown"]):
        here = [(row, sums.loc[(row, precision)]) for row in _ROWS if (row, precision) in sums.index]
        shares = [100 * one["sum"] / total for _, one in here]
        traces.append(go.Bar(
            y=[row for row, _ in here], x=[round(share, 4) for share in shares], orientation="h", name=precision,
            marker=fill(precision), textposition="inside", insidetextanchor="middle", textangle=0,
            text=[f"{precision} {share:.0f} %" if share >= 6 else "" for share in shares],
            textfont={"color": INK_IN_BARS},
            hovertext=[_hover(row, precision, one["sum"], one["size"], timed=timed) for row, one in here],
            hovertemplate="%{hovertext}, %{x:.1f} %<extra></extra>",
        ))  # fmt: skip
    return figure(
        traces, meta={} if timed else {"reading": _BY_LAYERS}, height=230, barmode="stack", bargap=0.35,
        xaxis={"title": {"text": f"share of the time [%]{layers.attrs['by']}" if timed else "share of the layers [%]"}, "rangemode": "tozero"},
        yaxis={"categoryorder": "array", "categoryarray": [row for row in _ROWS if row in set(layers["row"])]},
    )  # fmt: skip


def _hover(row: str, precision: str, weight: float, layers: float, *, timed: bool) -> str:
    count = f"{int(layers)} layer{'' if layers == 1 else 's'}"
    return f"<b>{row}, {precision}</b><br>{duration(weight) + ', ' if timed else ''}{count}"


CHART = Chart(
    chart,
    title="Tensor cores and CUDA cores",
    question="How much of the work runs on tensor cores?",
    section="layers",
    place=4,
    follows=SUMS,
    reads="layers",
    views=("tensorcores",),
    reading="Share of the time on each core type, by precision; reformats compute nothing and have a bar of their own.",
    data={
        "x": "share of the time, or of the layers, in percent",
        "y": "core type; reformats have a row of their own",
    },
    needs="The engine's layers with kernel names; shares are of the time where the run has it, else of the layers.",
)

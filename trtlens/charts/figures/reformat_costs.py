"""Reformats by cause: what they cost, and how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import SUMS, Chart, MissingData
from trtlens.charts.drawing.style import BLUE, figure, plain
from trtlens.quantities import duration
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa


def chart(table: pa.Table) -> go.Figure:
    """A bar for each cause of the view ``reformat_causes``.

    Raises:
        MissingData: the table has no rows.

    """
    rows = [row for row in table.to_pylist() if row["part"] is None]
    if not rows:
        raise MissingData(VIEWS["reformats"].empty)
    timed = any(row["cost_ms"] is not None for row in rows)
    values = [1000 * (row["cost_ms"] or 0.0) if timed else row["reformats"] for row in rows]
    bar = go.Bar(
        y=[plain(row["cause"]) for row in rows], x=[round(value, 4) for value in values], orientation="h", marker={"color": BLUE},
        text=[f"{_count(row['reformats'])}, {_cost(row['cost_ms'], row['untimed'])}" for row in rows], cliponaxis=False,
        textposition=["inside" if 2 * value > max(values) else "outside" for value in values],
        hovertext=[plain(row["advice"] or "", 160) for row in rows], hovertemplate="<b>%{y}</b><br>%{text}<br>%{hovertext}<extra></extra>",
    )  # fmt: skip
    return figure(
        [bar], height=110 + 34 * len(rows), bargap=0.3, yaxis={"autorange": "reversed"},
        xaxis={"title": {"text": f"cost [µs]{_by(rows)}" if timed else "reformats (no costs are known)"}, "rangemode": "tozero"},
    )  # fmt: skip


def _by(rows: Sequence[dict[str, Any]]) -> str:
    """The clock of all costs, if they have one."""
    clocks = {row["cost_from"] for row in rows if row["cost_from"]}
    return f", {clocks.pop()}" if len(clocks) == 1 else ""


def _count(reformats: int) -> str:
    return f"{reformats} reformat{'' if reformats == 1 else 's'}"


def _cost(cost_ms: float | None, untimed: int) -> str:
    if cost_ms is None:
        return "cost unknown"
    return (duration(cost_ms) if cost_ms else "no cost") + (f" without {untimed} of unknown cost" if untimed else "")


CHART = Chart(
    chart,
    title="Reformats by cause",
    question="Why do the reformats exist, and what do they cost?",
    section="reformats",
    place=2,
    follows=SUMS,
    reads="reformat_causes",
    views=("reformat_causes",),
    reading="Total cost of the reformats of each cause.",
    data={
        "x": "cost in µs, or the number of reformats where no costs are known",
        "y": "cause",
    },
    needs="The engine's layers with the formats of their tensors. Widths are costs (measured, else the tuner's) where all are known, else numbers of reformats; a flow that costs nothing is drawn as a thin line.",
    narrow=True,
)

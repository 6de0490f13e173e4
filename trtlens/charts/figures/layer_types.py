"""Time by layer type as plain bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.charts.drawing.chart import SUMS, Chart
from trtlens.charts.drawing.share_bars import DATA, share_bars

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import pyarrow as pa


def chart(table: pa.Table) -> go.Figure:
    """A bar for each type of the view ``layers``, stacked by precision.

    Raises:
        MissingData: no layers are known.

    """
    return share_bars(table, "type", str, "type unknown")


CHART = Chart(
    chart,
    title="Time by layer type",
    question="Which types of layers take the time, and in which precision?",
    section="layers",
    place=2,
    follows=SUMS,
    reads="layers",
    views=("precision",),
    reading="One bar for each type with its number of layers, the largest first; Σ is the share of it and all above. Colours and patterns are precisions.",
    data=DATA,
    needs="The engine's layers; bars are times where the run has layer times, else numbers of layers.",
)

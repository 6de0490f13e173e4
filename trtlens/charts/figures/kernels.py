"""Time by kernel as plain bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.charts.drawing.chart import SUMS, Chart
from trtlens.charts.drawing.share_bars import DATA, share_bars
from trtlens_parsers.kernels import read_kernel

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import pyarrow as pa


def chart(table: pa.Table) -> go.Figure:
    """A bar for each of the kernels of the view ``layers`` that take most, stacked by precision; customdata is the kernel.

    Raises:
        MissingData: no layers are known.

    """
    return share_bars(table, "kernel", _short, "kernel unknown")


def _short(kernel: str) -> str:
    """What the name states of the family, the operation and the form; of an unknown one the name."""
    known = read_kernel(kernel)
    if not known.family:
        return kernel
    form = [known.tile, f"{known.stages} stages" if known.stages else None, f"sm{known.sm}" if known.sm else None]
    return " ".join(part for part in (known.family, known.operation, *form) if part)


CHART = Chart(
    chart,
    title="Time by kernel",
    question="Which kernels take the time, and in how many layers do they run?",
    section="layers",
    place=3,
    follows=SUMS,
    reads="layers",
    views=("kernels",),
    reading="The twenty kernels that take most, as the engine states them, with their numbers of layers; Σ is the share of one and all above. Hover for the whole name, click to list its layers.",
    data=DATA,
    needs="The engine's layers with their kernels (tactic names); bars are times where the run has layer times, else numbers of layers.",
)

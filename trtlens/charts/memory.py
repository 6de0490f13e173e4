"""What the engine uses memory for: totals that TensorRT prints, and the layers that need most besides their tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import Chart, MissingData
from trtlens.charts.drawing.style import BLUE, figure, plain, stripes
from trtlens.quantities import byte_size
from trtlens.tuning.kept_strategy import kept_rows
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from trtlens.runs.run import Run

_TOTALS = {
    "activations": "activation_bytes", "weights": "weights_bytes", "scratch": "scratch_bytes",
    "device persistent": "device_persistent_bytes", "host persistent": "host_persistent_bytes",
}  # fmt: skip
_PER_LAYER = {"scratch": "scratch_bytes", "device persistent": "device_persistent_bytes"}
_MOST_LAYERS = 12


def chart(run: Run) -> go.Figure:
    """Totals of the last build that states any, then the layers with most scratch and persistent memory.

    Raises:
        MissingData: nothing about memory is known.

    """
    rows = _totals(run) + _layers(run)
    if not rows:
        raise MissingData(VIEWS["memory"].empty)
    bar = go.Bar(
        y=[f"{place} {name}" for place, (name, _, _) in enumerate(rows)], x=[value / 2**20 for _, _, value in rows], orientation="h",
        marker={"color": [BLUE if total else "#7c5cad" for _, total, _ in rows],
                "pattern": stripes(["" if total else "/" for _, total, _ in rows])},
        text=[byte_size(value) for _, _, value in rows], textposition="outside", cliponaxis=False,
        customdata=[f"{value:,} bytes" for _, _, value in rows],
        hovertemplate="%{text} (%{customdata})<extra></extra>",
    )  # fmt: skip
    places = [f"{place} {name}" for place, (name, _, _) in enumerate(rows)]
    return figure(
        [bar], height=90 + 26 * len(rows), bargap=0.3, margin={"r": 90},
        yaxis={"autorange": "reversed", "tickvals": places, "ticktext": [name for name, _, _ in rows]},
        xaxis={"title": {"text": "MiB (whole engine; hatched: one layer)"}},
    )  # fmt: skip


def _totals(run: Run) -> list[tuple[str, bool, int]]:
    for build in reversed(run["builds"].to_pylist()):
        found = [(name, True, build[column]) for name, column in _TOTALS.items() if build[column]]
        if found:
            return found
    return []


def _layers(run: Run) -> list[tuple[str, bool, int]]:
    rows: list[dict[str, Any]] = kept_rows(run, "memory").to_pylist()
    found = [
        (f"{plain(row['layer'] or '?', 44)}: {name}", False, row[column])
        for row in rows for name, column in _PER_LAYER.items() if row[column]
    ]  # fmt: skip
    return sorted(found, key=lambda one: -one[2])[:_MOST_LAYERS]


CHART = Chart(
    chart,
    title="Memory",
    question="What does the engine use memory for?",
    section="memory",
    place=1,
    reads="run",
    views=("memory",),
    reading="Totals as TensorRT prints them; hatched bars are single layers.",
    needs="The verbose log of a finished build.",
)

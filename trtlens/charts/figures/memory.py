"""What the engine uses memory for: weights, activations, scratch and what layers keep, as TensorRT states them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import WHOLE, Chart, MissingData
from trtlens.charts.drawing.style import BLUE, figure, stripes
from trtlens.limits.memory_course import weights_of_layers
from trtlens.quantities import byte_size
from trtlens.tuning.wording import counted
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from trtlens.runs.run import Run

_TOTALS = {
    "weights": "weights_bytes", "activations": "activation_bytes", "scratch": "scratch_bytes",
    "device persistent": "device_persistent_bytes", "host persistent": "host_persistent_bytes",
}  # fmt: skip
_ROW_HEIGHT, _AROUND = 34, 90


def chart(run: Run) -> go.Figure:
    """Totals of the last build that states any; weights that it does not state are those that its layers state, hatched.

    Raises:
        MissingData: no build states a total.

    """
    build = next(
        (row for row in reversed(run["builds"].to_pylist()) if any(row[one] for one in _TOTALS.values())), None
    )
    if build is None:
        raise MissingData(VIEWS["memory"].empty)
    rows = [(name, build[column], "") for name, column in _TOTALS.items() if build[column]]
    stated = weights_of_layers(run, build["build"])
    if stated and not build["weights_bytes"]:
        rows.insert(
            0, (f"weights that {counted(len(stated), 'layer states', 'layers state')}", sum(stated.values()), "/")
        )
    bar = go.Bar(
        y=list(range(len(rows))), x=[size / 2**20 for _, size, _ in rows], orientation="h",
        marker={"color": BLUE, "pattern": stripes([shape for _, _, shape in rows])},
        text=[byte_size(size) for _, size, _ in rows], textposition="outside", cliponaxis=False,
        customdata=[int(size) for _, size, _ in rows], hovertext=[name for name, _, _ in rows],
        hovertemplate="<b>%{hovertext}</b><br>%{text} (%{customdata:,} bytes)<extra></extra>",
    )  # fmt: skip
    return figure(
        [bar], height=_AROUND + _ROW_HEIGHT * len(rows), bargap=0.35, margin={"r": 90},
        yaxis={"autorange": "reversed", "tickvals": list(range(len(rows))), "ticktext": [name for name, _, _ in rows]},
        xaxis={"title": {"text": "MiB"}, "rangemode": "tozero"},
    )  # fmt: skip


CHART = Chart(
    chart,
    title="Memory",
    question="What does the engine use memory for?",
    section="memory",
    place=1,
    follows=WHOLE,
    reads="run",
    views=("memory",),
    reading="Totals as TensorRT prints them. Where it prints none for weights, a hatched bar holds what the layers state.",
    data={"x": "MiB", "y": "place of the bar, from the top", "customdata": "bytes"},
    needs="The verbose log of a finished build; weights of layers need the inspector's detailed verbosity where the log has no total.",
)

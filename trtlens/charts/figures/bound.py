"""Each layer's part of an inference, split into launches, the least that its work takes, and what could be gained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import SUMS, Chart, MissingData
from trtlens.charts.drawing.style import GREY, figure, plain, stripes
from trtlens.limits.split import last_split
from trtlens.limits.verdict import verdict
from trtlens.quantities import duration
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trtlens.limits.parts import LayerPart
    from trtlens.runs.run import Run

_SHOWN = 24
_ROW_HEIGHT, _AROUND = 22, 150
_US_PER_MS = 1000
_PARTS: tuple[tuple[str, str, str, Callable[[LayerPart], float]], ...] = (
    ("needed at the roof", "#2a9d8f", "", lambda part: part.roof_ms),
    ("below the roof: a better kernel", "#e9a23b", "/", lambda part: part.recoverable_ms),
    ("launch", "#b5523b", "x", lambda part: part.launch_ms),
    ("not known", GREY, ".", lambda part: part.unknown_ms),
)


def chart(run: Run) -> go.Figure:
    """A bar for each of the longest parts, the longest at the top; the axis says what all others take.

    Raises:
        MissingData: no layer has a time.

    """
    split = last_split(run)
    if split is None:
        raise MissingData(VIEWS["bound"].empty)
    shown, rest = split.parts[:_SHOWN], split.parts[_SHOWN:]
    labels = [f"{part.index if part.index is not None else ''} {plain(part.name, 44)}".strip() for part in shown]
    others = f"; {len(rest)} shorter ones take {duration(sum(part.time_ms for part in rest))}" if rest else ""
    traces = []
    for name, shade, shape, of in _PARTS:
        widths = [_US_PER_MS * of(part) for part in shown]
        if any(widths):
            traces.append(_bars(name, labels, widths, {"color": shade, "pattern": stripes(shape)}, shown))
    return figure(
        traces, height=_AROUND + _ROW_HEIGHT * len(labels), barmode="stack", meta={"reading": plain(verdict(split), 400)},
        xaxis={"title": {"text": f"part of an inference of {duration(split.inference_ms)} [µs]{others}"}},
        yaxis={"autorange": "reversed", "categoryorder": "array", "categoryarray": labels},
    )  # fmt: skip


def _bars(
    name: str, labels: Sequence[str], widths: Sequence[float], marker: object, shown: Sequence[LayerPart]
) -> go.Bar:
    told = [f"{part.limit.name or 'not known'}: {plain(part.limit.evidence, 160)}" for part in shown]
    return go.Bar(
        y=list(labels), x=[round(width, 5) for width in widths], orientation="h", name=name, marker=marker,
        hovertext=told, customdata=[part.index for part in shown],
        hovertemplate=f"<b>%{{y}}</b><br>{name}: %{{x:.3g}} µs<br>%{{hovertext}}<extra></extra>",
    )  # fmt: skip


CHART = Chart(
    chart,
    title="What limits each layer",
    question="What stands in the way of each layer, and how much could be gained?",
    section="layers",
    place=6,
    follows=SUMS,
    reads="run",
    views=("bound",),
    reading="The green part of a bar is what the layer's work takes at least on this GPU, with the types that run; the rest is what a better kernel, or fewer launches, could gain at most. Click a bar to see its layer. All parts add up to the inference; the longest are drawn.",
    data={
        "x": "part of the inference in µs",
        "y": "index and name of the layer",
        "customdata": "index of the layer; null for what is of no layer",
    },
    needs="Layer times, the work of the layers (a verbose log, or parameters at detailed verbosity), and a GPU whose chip is known. Launches are told apart from kernels by a trace (`trtlens profile` makes one) alone.",
)

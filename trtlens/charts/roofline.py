"""Achieved operations per second against what the GPU could do for as many operations per byte."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import Chart, MissingData
from trtlens.charts.drawing.layer_rows import NO_TIMES
from trtlens.charts.drawing.layer_work import LayerWork, read_work
from trtlens.charts.drawing.peaks import Peaks, peaks_of
from trtlens.charts.drawing.style import GREY, SYMBOLS, UNKNOWN, colour, figure, log_axis, of_precisions, plain
from trtlens.engine.kernel_times import has_layer_times
from trtlens.quantities import byte_size, duration, number
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.runs.run import Run

_LEFT, _RIGHT = 0.5, 20_000.0
_NO_WORK = (
    "no layer's operations are known: they are computed from the parameters of convolutions and matrix products, which the inspector "
    "prints at detailed verbosity (trtexec --profilingVerbosity=detailed --exportLayerInfo=layers.json)"
)


def chart(run: Run) -> go.Figure:
    """A point for each layer whose operations, bytes and time are known, under the GPU's roofs; customdata is its index.

    Raises:
        MissingData: no layers, no times, or no parameters.

    """
    work = read_work(run)
    if not work:
        timed = has_layer_times(run)
        raise MissingData(VIEWS["layers"].empty if not run["layers"].num_rows else _NO_WORK if timed else NO_TIMES)
    gpus = run["builds"]["gpu"].drop_null().to_pylist()
    peaks = peaks_of(gpus[-1] if gpus else None)
    traces = [_points(*group) for group in of_precisions(work, attrgetter("precision")).items()]
    note = f"no data-sheet peaks for {plain(gpus[-1]) if gpus else 'the GPU, which the run does not name'}:<br>points without roofs"
    if peaks is not None:
        traces = [*_roofs(peaks, work), *traces]
        note = f"roofs of {peaks.gpu}: {peaks.memory_gb_per_s:,.0f} GB/s and dense rates,<br>{peaks.source}"
    return figure(
        traces, height=450, margin={"b": 96},
        xaxis=log_axis("operations per byte (inputs, outputs and weights moved once)", dtick=1),
        yaxis=log_axis(f"achieved [10¹² operations/s], {work[0].clock}", nticks=4),
        annotations=[{
            "text": note, "xref": "paper", "yref": "paper", "x": 0, "y": 0, "yshift": -56, "xanchor": "left", "yanchor": "top",
            "showarrow": False, "align": "left",
        }],
    )  # fmt: skip


def _points(precision: str, work: Sequence[LayerWork]) -> go.Scatter:
    return go.Scatter(
        x=[round(one.intensity, 4) for one in work], y=[round(one.tflops, 5) for one in work], mode="markers", name=precision,
        marker={"color": colour(precision), "symbol": SYMBOLS.get(precision, "circle"), "size": 9, "opacity": 0.85,
                "line": {"width": 1, "color": "rgba(120,130,140,0.7)"}},
        customdata=[one.index for one in work],
        hovertext=[f"<b>{plain(one.name)}</b><br>{number(one.operations / 1e9)} G operations, {byte_size(one.bytes)}, {duration(one.time_ms)} ({one.clock})"
                   for one in work],
        hovertemplate="%{hovertext}<br>%{x:.1f} operations/byte<br>%{y:.2f}·10¹² operations/s<extra></extra>",
    )  # fmt: skip


def _roofs(peaks: Peaks, work: Sequence[LayerWork]) -> list[go.Scatter]:
    """The memory-bandwidth slope and the peak rate for each precision and core type in use."""
    roofs = {}
    for one in work:
        rate = peaks.rate(one.precision, one.unit) if one.precision else None
        if rate is not None and one.precision:
            roofs[f"{one.precision} {one.unit or 'cuda core'}"] = (one.precision, rate)
    lines = []
    for name, (precision, rate) in sorted(roofs.items(), key=lambda item: -item[1][1]):
        ridge = rate * 1000 / peaks.memory_gb_per_s
        lines.append(go.Scatter(
            x=[_LEFT, ridge, max(_RIGHT, 2 * ridge)], y=[_LEFT * peaks.memory_gb_per_s / 1000, rate, rate], mode="lines",
            line={"color": colour(precision) if precision != UNKNOWN else GREY, "width": 1.5, "dash": "dot"},
            name=f"{name}: {rate:,.0f}", hoverinfo="name",
        ))  # fmt: skip
    return lines


CHART = Chart(
    chart,
    title="Roofline",
    question="How close does each layer come to the peak rates of the GPU?",
    section="layers",
    place=5,
    reads="run",
    reading="A layer under the slope is limited by memory bandwidth, one under the flat part by arithmetic; the distance to the roof is the most that a better kernel could gain. The layer profiler's times include the launch, those of a kernel trace do not.",
    needs="Layer times, and the layers' parameters at detailed verbosity (`--profilingVerbosity=detailed`). Operations are counted for convolutions (each weight once for each position) and for matrix products with stated operands; no other layer has a point. Bytes are inputs, outputs and weights, each moved once. Peaks are in `trtlens/charts/drawing/peaks.py` with the data sheet that they come from: dense rates, no sparsity; a GPU that is not in that list gets points without roofs.",
)

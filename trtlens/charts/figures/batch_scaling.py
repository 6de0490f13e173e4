"""Samples a second over the batch size, for runs that differ in nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import WHOLE, Chart, MissingData
from trtlens.charts.drawing.style import BLUE, GREY, ORANGE, figure, log_axis, plain
from trtlens.comparison.same_work import INPUTS, batches, mismatches, shared_nodes
from trtlens.engine.inference_samples import samples_of
from trtlens.engine.stated_figures import stated_figure
from trtlens.quantities import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trtlens.runs.run import Run

_PER_SECOND = 1000.0
_SETTINGS = ("tensorrt_version", "precision_flags")
_NO_SWEEP = "no two runs differ in their batch alone, or they were not timed: profile one model with several batch sizes (trtlens profile --batches)"
_Point = tuple[str, int, float]
"""Name of the run, its batch, and a rate."""


def chart(runs: Mapping[str, Run]) -> go.Figure:
    """A line for each model that was timed with several batch sizes, with the rate that would grow with the batch dotted.

    Raises:
        MissingData: no model was timed with several batch sizes.

    """
    sweeps = _sweeps(runs)
    known = [
        points for points in (_rates(sweep, runs) for sweep in sweeps) if len({batch for _, batch, _ in points}) > 1
    ]
    if not known:
        raise MissingData(_NO_SWEEP)
    traces = [trace for points in known for trace in (_line(points), _linear(points))]
    printed = [point for sweep in sweeps for point in _printed(sweep, runs)]
    traces += [_stated(printed)] if printed else []
    sizes = sorted({batch for points in known for _, batch, _ in points})
    return figure(
        traces, height=380, xaxis=log_axis("batch size", tickvals=sizes, ticktext=[str(size) for size in sizes]),
        yaxis=log_axis("samples a second", nticks=4),
    )  # fmt: skip


def _sweeps(runs: Mapping[str, Run]) -> list[dict[str, int]]:
    """Runs with their batch sizes, those together that differ in nothing else."""
    found: list[dict[str, int]] = []
    placed: set[str] = set()
    for name, run in runs.items():
        sweep: dict[str, int] = {}
        for other in runs if name not in placed else ():
            sizes = batches(run, runs[other]) if other != name and other not in placed else None
            if sizes is not None and _is_alike(run, runs[other]):
                sweep |= {name: sizes[0], other: sizes[1]}
        placed |= set(sweep)
        found += [sweep] if sweep else []
    return found


def _is_alike(run: Run, other: Run) -> bool:
    """Whether nothing but the inputs is stated to differ: GPU, model, TensorRT, and what the build was allowed."""
    settings = [[row[one] for row in each["builds"].to_pylist()[-1:] for one in _SETTINGS] for each in (run, other)]
    found = mismatches(run, other, shared_nodes(run, other))
    return settings[0] == settings[1] and all(one.what == INPUTS for one in found)


def _rates(sweep: Mapping[str, int], runs: Mapping[str, Run]) -> list[_Point]:
    """By batch: what the median time of the GPU gives."""
    found = [(name, batch, samples_of(runs[name])) for name, batch in sweep.items()]
    rates = [
        (name, batch, _PER_SECOND * batch / one.told.median_ms)
        for name, batch, one in found
        if one is not None and one.told.median_ms
    ]
    return sorted(rates, key=lambda point: point[1:])


def _printed(sweep: Mapping[str, int], runs: Mapping[str, Run]) -> list[_Point]:
    """What trtexec prints as throughput, in inferences a second."""
    found = [(name, batch, stated_figure(runs[name], "throughput")) for name, batch in sweep.items()]
    return [
        (name, batch, batch * one.value)
        for name, batch, one in found
        if one is not None and one.unit == "qps" and one.value
    ]


def _line(points: Sequence[_Point]) -> go.Scatter:
    return go.Scatter(
        x=[batch for _, batch, _ in points], y=[round(rate, 2) for _, _, rate in points], mode="lines+markers+text",
        name=f"{plain(points[0][0], 40)} and {len(points) - 1} more: batch over the GPU's median time", line={"color": BLUE}, marker={"size": 9},
        text=[number(rate) for _, _, rate in points], textposition="bottom center", cliponaxis=False,
        hovertext=[plain(name) for name, _, _ in points], hovertemplate="<b>%{hovertext}</b><br>batch %{x}: %{y:,.0f} samples a second<extra></extra>",
    )  # fmt: skip


def _linear(points: Sequence[_Point]) -> go.Scatter:
    _, first, rate = points[0]
    last = points[-1][1]
    return go.Scatter(
        x=[first, last], y=[round(rate, 2), round(rate * last / first, 2)], mode="lines", name="if the time did not grow",
        line={"color": GREY, "dash": "dot"}, hoverinfo="name",
    )  # fmt: skip


def _stated(points: Sequence[_Point]) -> go.Scatter:
    return go.Scatter(
        x=[batch for _, batch, _ in points], y=[round(rate, 2) for _, _, rate in points], mode="markers", name="throughput as trtexec prints it",
        marker={"symbol": "diamond-open", "size": 11, "color": ORANGE}, hovertext=[plain(name) for name, _, _ in points],
        hovertemplate="<b>%{hovertext}</b><br>batch %{x}: %{y:,.0f} samples a second<extra></extra>",
    )  # fmt: skip


CHART = Chart(
    chart,
    title="Throughput by batch size",
    question="How many samples a second does each batch size give, and when does a larger one gain no more?",
    section="runs",
    place=2,
    follows=WHOLE,
    reads="runs",
    reading="As long as the line follows the dotted one, a larger batch costs no time; where it is flat, the GPU is full.",
    data={
        "x": "batch size",
        "y": "samples a second of GPU time",
    },
    needs="Runs of one model on one GPU that differ in the first extent of their inputs alone, each timed. trtexec's throughput is drawn where a log prints it.",
)

"""The time of an inference in each of many runs, with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import WHOLE, Chart, MissingData
from trtlens.charts.drawing.style import BLUE, GREY, figure, plain
from trtlens.comparison.same_work import inputs_of, model_of, shapes_text
from trtlens.engine.inference_samples import samples_of
from trtlens.engine.stated_figures import stated_figure
from trtlens.quantities import duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trtlens.engine.inference_samples import Samples
    from trtlens.runs.run import Run

_ROW_HEIGHT, _AROUND = 26, 96
NO_INFERENCE = "no inference was timed in these runs: trtlens profile times them, and files of trtexec's --exportTimes are read beside a log"


def chart(runs: Mapping[str, Run]) -> go.Figure:
    """A point for each run that was timed, in the order given; a ring where trtexec states the time without samples.

    Raises:
        MissingData: no run was timed.

    """
    places = {name: place for place, name in enumerate(runs)}
    sampled = {name: found for name, run in runs.items() if (found := samples_of(run)) is not None}
    stated = {name: one for name, run in runs.items() if name not in sampled and (one := _printed_ms(run)) is not None}
    if not sampled and not stated:
        raise MissingData(NO_INFERENCE)
    traces = [_sampled(sampled, places, runs)] if sampled else []
    traces += [_stated(stated, places, runs)] if stated else []
    return figure(
        traces, height=_AROUND + _ROW_HEIGHT * len(runs), showlegend=len(traces) > 1,
        xaxis={"title": {"text": "time of an inference [µs]"}, "rangemode": "tozero"},
        yaxis={"tickvals": list(places.values()), "ticktext": [plain(name, 40) for name in places], "range": [len(places) - 0.5, -0.5]},
    )  # fmt: skip


def _printed_ms(run: Run) -> float | None:
    """What trtexec prints for the GPU's time."""
    printed = stated_figure(run, "gpu_compute_time")
    return printed.value if printed is not None and printed.unit == "ms" else None


def _sampled(found: Mapping[str, Samples], places: Mapping[str, int], runs: Mapping[str, Run]) -> go.Scatter:
    told = [(name, one.told) for name, one in found.items()]
    return go.Scatter(
        x=[round(1000 * one.median_ms, 4) for _, one in told], y=[places[name] for name, _ in told], mode="markers",
        name="median of the samples, with its interval", marker={"color": BLUE, "size": 10}, customdata=[places[name] for name, _ in told],
        error_x={
            "type": "data", "symmetric": False, "thickness": 1.5, "color": GREY,
            "array": [round(1000 * ((one.median_high_ms or one.median_ms) - one.median_ms), 4) for _, one in told],
            "arrayminus": [round(1000 * (one.median_ms - (one.median_low_ms or one.median_ms)), 4) for _, one in told],
        },
        hovertext=[_hover(name, one.median_ms, runs[name], one.interval) for name, one in told], hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _stated(found: Mapping[str, float], places: Mapping[str, int], runs: Mapping[str, Run]) -> go.Scatter:
    return go.Scatter(
        x=[round(1000 * one, 4) for one in found.values()], y=[places[name] for name in found], mode="markers", name="as trtexec prints it",
        marker={"color": BLUE, "size": 10, "symbol": "circle-open"}, customdata=[places[name] for name in found],
        hovertext=[_hover(name, one, runs[name], "no samples, so no interval") for name, one in found.items()],
        hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _hover(name: str, time_ms: float, run: Run, spread: str) -> str:
    inputs = inputs_of(run)
    known = [model_of(run).file, shapes_text(inputs) if inputs else None]
    return "<br>".join(
        [f"<b>{plain(name)}</b>", f"{duration(time_ms)}: {spread}", *(plain(one) for one in known if one)]
    )


CHART = Chart(
    chart,
    title="Time of an inference in each run",
    question="Which run is fast, and how certain is that?",
    section="runs",
    place=1,
    follows=WHOLE,
    reads="runs",
    reading="A point is the median time, the line its 99 % confidence interval. Runs of other models, inputs or GPUs are no rivals: hover for what they are.",
    data={
        "x": "median time in µs",
        "y": "place of the run, from the top",
        "customdata": "place of the run",
        "error_x.array": "from the median to the upper end of its interval in µs",
        "error_x.arrayminus": "from the median to the lower end",
    },
    needs="Runs with samples of whole inferences (`trtlens profile`, or `--exportTimes`), or with trtexec's performance summary.",
)

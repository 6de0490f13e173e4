"""How the times of an inference are spread: a histogram of each pass, with the median and its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from trtlens.charts.drawing.chart import WHOLE, Chart, MissingData
from trtlens.charts.drawing.style import BLUE, GREY, ORANGE, figure, plain
from trtlens.charts.figures.latency import NO_SAMPLES
from trtlens.engine.inference_timing import summarize_samples
from trtlens.engine.times import frame
from trtlens.quantities import duration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trtlens.runs.run import Run
    from trtlens.statistics import Statistics

_BINS = 80
_WORDS = {"timing": "queued: GPU time", "latency": "one at a time: host latency",
          "graph": "from a CUDA graph: GPU time", "trtexec": "trtexec: GPU time"}  # fmt: skip
_COLUMNS = {"latency": "host_ms"}


def chart(run: Run) -> go.Figure:
    """Share of the inferences by time; beyond the 99.5th percentile they are counted in the last bar.

    Raises:
        MissingData: the run has no samples of whole inferences.

    """
    times = frame(run["run_times"])
    traces: list[Any] = []
    medians: list[dict[str, Any]] = []
    for place, (name, group) in enumerate(times.groupby("pass", sort=False, dropna=False)):
        column = _COLUMNS.get(str(name), "gpu_ms")
        values, found = group[column].dropna().to_numpy("float64"), summarize_samples(group, column)
        if found is not None:
            ink = (BLUE, ORANGE, GREY)[place % 3]
            traces.append(_bars(f"{_WORDS.get(str(name), plain(name))}, {_told(found)}", values, ink))
            medians.append(_line(1000 * found.median_ms, ink))
    if not traces:
        raise MissingData(NO_SAMPLES)
    return figure(
        traces, height=320, barmode="overlay", bargap=0, shapes=medians,
        xaxis={"title": {"text": "time of an inference [µs]"}}, yaxis={"title": {"text": "share of its pass [%]"}},
    )  # fmt: skip


def _bars(name: str, values: NDArray[np.float64], ink: str) -> go.Bar:
    micro = 1000 * values
    top = np.quantile(micro, 0.995)
    low = micro.min()
    edges = np.linspace(low, top if top > low else low + 1, _BINS + 1)
    counts, _ = np.histogram(np.minimum(micro, edges[-1]), edges)
    return go.Bar(
        x=np.round((edges[:-1] + edges[1:]) / 2, 4).tolist(), y=np.round(100 * counts / len(micro), 4).tolist(), name=name,
        width=float(edges[1] - edges[0]), marker={"color": ink, "line": {"width": 0}}, opacity=0.75,
        hovertemplate="%{x:.2f} µs: %{y:.2f} %<extra></extra>",
    )  # fmt: skip


def _line(median: float, ink: str) -> dict[str, Any]:
    return {
        "type": "line",
        "x0": median,
        "x1": median,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": {"color": ink, "dash": "dot"},
    }


def _told(found: Statistics) -> str:
    return f"median {duration(found.median_ms)}, p99 {duration(found.p99_ms)}<br>{found.interval}"


CHART = Chart(
    chart,
    title="Distribution of the latency",
    question="How certain is the median, and how long is the tail?",
    section="latency",
    place=2,
    follows=WHOLE,
    reads="run",
    reading="The dotted line is the median; the legend gives its 99 % confidence interval.",
    data={
        "x": "middle of the interval in µs",
        "y": "share of the inferences of the pass in percent",
    },
    needs="Samples of whole inferences. Inferences beyond the 99.5th percentile are counted in the last bar.",
)

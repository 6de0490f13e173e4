"""Time of every inference in order, with the GPU's clock and power below."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from trtlens.charts.drawing.chart import WHOLE, Chart, MissingData
from trtlens.charts.drawing.style import BLUE, GREY, ORANGE, figure, plain
from trtlens.engine.times import frame

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from trtlens.runs.run import Run

NO_SAMPLES = (
    "no samples of single inferences in this run: trtlens profile times them, or add the file of trtexec --exportTimes; the averages "
    "of trtexec's performance summary, where the log has one, are in the view latency"
)
MOST_POINTS = 2000
"""Most points drawn for one pass: of more only the smallest and largest of each interval are drawn."""
_PASSES = {
    "timing": "queued back to back",
    "latency": "one at a time",
    "graph": "from a CUDA graph",
    "trtexec": "trtexec",
}


def chart(run: Run) -> go.Figure:
    """GPU times of each pass by inference, below them the readings of clock and power in their order.

    Raises:
        MissingData: the run has no samples of whole inferences.

    """
    times = frame(run["run_times"])
    times = times[times["gpu_ms"].notna()]
    if times.empty:
        raise MissingData(NO_SAMPLES)
    readings = run["gpu_readings"].to_pylist()
    traces: list[Any] = []
    start = 0
    for place, (name, group) in enumerate(times.groupby("pass", sort=False, dropna=False)):
        traces.append(_line(str(name), group, start, (BLUE, ORANGE, GREY)[place % 3]))
        start += len(group)
    layout: dict[str, Any] = {
        "height": 460 if readings else 320, "xaxis": {"title": {"text": "inference, in the order of timing"}, "showgrid": False},
        "yaxis": {"title": {"text": "GPU time [µs]"}},
    }  # fmt: skip
    if readings:
        traces += _readings(readings)
        layout["yaxis"]["domain"] = [0.45, 1]
        layout |= {
            "xaxis2": {"anchor": "y2", "showgrid": False}, "yaxis2": {"domain": [0, 0.27], "title": {"text": "SM clock [MHz]"},
            "rangemode": "tozero"},
            "yaxis3": {"overlaying": "y2", "side": "right", "title": {"text": "power [W]"}, "rangemode": "tozero", "showgrid": False,
                       "tickmode": "auto", "nticks": 4},
        }  # fmt: skip
        layout["xaxis"]["anchor"] = "y"
    return figure(traces, **layout)


def _line(name: str, group: pd.DataFrame, start: int, ink: str) -> go.Scatter:
    values = group["gpu_ms"].to_numpy("float64")
    kept = kept_points(values)
    words = _PASSES.get(name, plain(name))
    thinned = f" ({len(kept):,} of {len(values):,} drawn)" if len(kept) < len(values) else ""
    return go.Scatter(
        x=(start + kept).tolist(), y=np.round(1000 * values[kept], 3).tolist(), mode="lines", name=words + thinned,
        line={"width": 1, "color": ink}, hovertemplate="inference %{x}<br>%{y:.2f} µs<extra></extra>",
    )  # fmt: skip


def kept_points(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions that are drawn: all, or the smallest and largest of equal intervals, so that no spike is lost."""
    if len(values) <= MOST_POINTS:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), MOST_POINTS // 2 + 1).astype(np.int64)
    picked = {0, len(values) - 1}
    for low, high in pairwise(edges.tolist()):
        picked |= {int(low + values[low:high].argmin()), int(low + values[low:high].argmax())}
    return np.array(sorted(picked), np.int64)


def _readings(readings: list[dict[str, Any]]) -> list[go.Scatter]:
    moments = [plain(row["moment"] or "?", 30) for row in readings]
    reasons = [plain(", ".join(row["clock_reasons"] or ()) or "no limit reported", 100) for row in readings]
    shared = {"x": moments, "xaxis": "x2", "mode": "lines+markers", "customdata": reasons}
    return [
        go.Scatter(
            **shared, y=[row["sm_clock_mhz"] for row in readings], yaxis="y2", name="SM clock", line={"color": "#2a9d8f"},
            hovertemplate="%{x}: %{y} MHz<br>%{customdata}<extra></extra>",
        ),
        go.Scatter(
            **shared, y=[row["power_w"] for row in readings], yaxis="y3", name="power", line={"color": "#7c5cad", "dash": "dot"},
            marker={"symbol": "diamond"}, hovertemplate="%{x}: %{y:.0f} W<extra></extra>",
        ),
    ]  # fmt: skip


CHART = Chart(
    chart,
    title="Time of every inference, with the GPU's clock",
    question="Is the latency steady?",
    section="latency",
    place=1,
    follows=WHOLE,
    reads="run",
    views=("latency",),
    reading="A steady run is a flat band. Steps and slopes come from changing GPU clocks (below), spikes from other work on the GPU or host.",
    data={
        "x": "number of the inference in the order of timing; of clock and power the moment of the reading",
        "y": "GPU time in µs; of the lower part MHz and W",
        "customdata": "what limited the clock at the reading",
    },
    needs="Samples of whole inferences (`trtlens profile`, or `--exportTimes`); the lower part needs the GPU readings that `trtlens profile` takes. Beyond 2,000 inferences in a pass only the smallest and largest of each interval are drawn: no spike is lost, and the legend says how many are drawn.",
)

"""One inference as it ran: kernels on their streams, the layers that launched them above, gaps below."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from trtlens.charts.drawing.chart import POINTS, Chart, MissingData
from trtlens.charts.drawing.style import ORANGE, UNKNOWN, figure, fill, of_precisions, plain
from trtlens.engine.kernel_times import read_kernel_times, traced_builds
from trtlens.engine.kernels_run import kernels_run
from trtlens.engine.traced_inference import layer_stretches, starts_ms, typical_inference
from trtlens.quantities import duration, percent
from trtlens.tuning.wording import counted
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from trtlens.engine.kernel_times import KernelTimes
    from trtlens.engine.kernels_run import RanKernel
    from trtlens.runs.run import Run

_US_PER_MS = 1000.0
_NO_STARTS = "laid end to end: the trace has no starts"
_LANE_HEIGHT, _AROUND = 74, 150


def chart(run: Run) -> go.Figure:
    """Lanes of layers, of each stream's kernels and of gaps in the inference of median length; customdata is the layer's index.

    Raises:
        MissingData: no kernel was traced.

    """
    builds = traced_builds(run)
    traced = read_kernel_times(run, builds[-1]) if builds else None
    if traced is None:
        raise MissingData(VIEWS["kernels_run"].empty)
    inference = typical_inference(traced)
    starts, lengths = starts_ms(traced, [inference])[:, 0], traced.duration_ms[:, inference]
    streams = sorted({row["stream"] or 0 for row in traced.launches})
    lanes = ["layers", *(f"stream {one}" for one in streams), *(["gaps"] if traced.gap_ms is not None else [])]
    traces = [_layers(traced, starts, lengths), *_kernels(kernels_run(run, builds[-1]), starts, lengths, streams)]
    gaps = None if traced.gap_ms is None else traced.gap_ms[:, inference]
    if gaps is not None:
        traces.append(_gaps(traced, starts, gaps, len(lanes) - 1))
    placed = "" if traced.start_ms is not None else f", {_NO_STARTS}"
    return figure(
        traces, height=_AROUND + _LANE_HEIGHT * len(lanes), barmode="overlay", bargap=0.25,
        meta={"reading": _reading(starts, lengths, gaps)}, xaxis={"title": {"text": f"time since the first kernel [µs]{placed}"}},
        yaxis={"tickvals": list(range(len(lanes))), "ticktext": lanes, "range": [len(lanes) - 0.4, -0.6], "fixedrange": True, "showgrid": False},
    )  # fmt: skip


def _layers(traced: KernelTimes, starts: npt.NDArray[np.float64], lengths: npt.NDArray[np.float64]) -> go.Bar:
    own = list(layer_stretches(traced, starts, lengths))
    return _bars(
        "layers", 0, [one.start_ms for one in own], [one.end_ms - one.start_ms for one in own], [one.index for one in own],
        [f"<b>{plain(one.layer)}</b><br>{counted(one.launches, 'launch', 'launches')}" for one in own],
        {"color": [("#a9b4c2", "#7f8c9d")[place % 2] for place in range(len(own))], "line": {"width": 0}},
    )  # fmt: skip


def _kernels(
    ran: Sequence[RanKernel], starts: npt.NDArray[np.float64], lengths: npt.NDArray[np.float64], streams: Sequence[int]
) -> list[go.Bar]:
    """The launches by precision, each on the lane of its stream."""
    groups = of_precisions(range(len(ran)), lambda place: _precision(ran[place]))
    found = []
    for precision, places in groups.items():
        own = [ran[place] for place in places]
        names = [f"<b>{plain(one.kernel)}</b><br>{plain(one.row['layer'] or 'no known layer')}" for one in own]
        lanes = [1 + streams.index(one.row["stream"] or 0) for one in own]
        found.append(
            _bars(
                precision,
                lanes,
                starts[places],
                lengths[places],
                [one.layer_index for one in own],
                names,
                fill(precision),
            )
        )
    return found


def _precision(one: RanKernel) -> str:
    return (one.decoded.precision if one.decoded is not None else None) or UNKNOWN


def _gaps(traced: KernelTimes, starts: npt.NDArray[np.float64], gaps: npt.NDArray[np.float64], lane: int) -> go.Bar:
    places = np.flatnonzero(gaps > 0).tolist()
    names = [f"<b>gap</b><br>before {plain(traced.launches[place]['kernel'])}" for place in places]
    indices = [traced.launches[place]["layer_index"] for place in places]
    return _bars(
        "gaps",
        lane,
        starts[places] - gaps[places],
        gaps[places],
        indices,
        names,
        {"color": ORANGE, "line": {"width": 0}},
    )


def _bars(
    name: str,
    lanes: int | Sequence[int],
    starts: object,
    lengths: object,
    indices: object,
    texts: object,
    marker: object,
) -> go.Bar:
    base, x = (np.round(_US_PER_MS * np.asarray(one, np.float64), 4) for one in (starts, lengths))
    return go.Bar(
        base=base.tolist(), x=x.tolist(), y=[lanes] * len(x) if isinstance(lanes, int) else list(lanes), orientation="h", name=name, marker=marker,
        customdata=indices, hovertext=texts, hovertemplate="%{hovertext}<br>%{base:.2f} µs, for %{x:.2f} µs<extra></extra>",
    )  # fmt: skip


def _reading(
    starts: npt.NDArray[np.float64], lengths: npt.NDArray[np.float64], gaps: npt.NDArray[np.float64] | None
) -> str:
    """How long the inference is, and what of it are gaps: their sum, their median, the longest."""
    whole_ms = float((starts + lengths).max())
    told = f"The traced inference of median length: {counted(len(lengths), 'launch', 'launches')} in {duration(whole_ms)}, from the first start to the last end"
    known = np.array([]) if gaps is None else gaps[gaps > 0]
    if not len(known):
        return f"{told}; {'no gaps' if gaps is not None else _NO_STARTS}. Drag to zoom, double-click for all."
    total = float(known.sum())
    return (
        f"{told}; {counted(len(known), 'gap', 'gaps')} of {duration(total)} together ({percent(100 * total / whole_ms)}), "
        f"median {duration(float(np.median(known)))}, longest {duration(float(known.max()))}. Drag to zoom, double-click for all."
    )


CHART = Chart(
    chart,
    title="One inference as it ran",
    question="Which kernels run when, on which stream, and where does the GPU wait?",
    section="latency",
    place=3,
    follows=POINTS,
    reads="run",
    views=("kernels_run",),
    reading="The traced inference of median length: layers, the kernels of each stream below, and gaps in which nothing runs. Drag to zoom, double-click for all.",
    data={
        "base": "start in µs since the first kernel",
        "x": "length in µs",
        "y": "lane: 0 the layers, then a stream each, then gaps",
        "customdata": "index of the layer; null where it is not known",
    },
    needs="A trace of the kernels: `trtlens profile` and `trtlens trace` make one, a database of Nsight Systems is read beside a log.",
)

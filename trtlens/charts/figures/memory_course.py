"""Memory over the course of the network: activations that are alive, weights and scratch of each layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import POINTS, Chart, MissingData
from trtlens.charts.drawing.style import BLUE, GREY, ORANGE, figure, index_axis, plain, stripes
from trtlens.limits.memory_course import memory_course, weights_of_layers
from trtlens.quantities import byte_size
from trtlens.tuning.kept_strategy import kept_rows
from trtlens.tuning.wording import counted
from trtlens.views import NO_LAYERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trtlens.limits.memory_course import Step
    from trtlens.runs.run import Run

_MIB = 2**20
_NO_SIZES = "the log does not state how large the tensors between the layers are: add the JSON of trtexec --exportLayerInfo, or profile with trtlens profile"


def chart(run: Run) -> go.Figure:
    """A line of the activations, bars of weights and scratch, for the last build with layers; customdata is the layer's index.

    Raises:
        MissingData: no layers are known, or no sizes.

    """
    builds = run["layers"]["build"].to_pylist()
    if not builds:
        raise MissingData(NO_LAYERS)
    steps, weights = memory_course(run, builds[-1]), weights_of_layers(run, builds[-1])
    scratch: dict[str, int] = {}
    for row in kept_rows(run.build(builds[-1]), "memory").to_pylist():
        scratch[row["layer"]] = max(scratch.get(row["layer"], 0), row["scratch_bytes"] or 0)
    if not steps or not (weights or any(scratch.values()) or any(one.alive_bytes for one in steps)):
        raise MissingData(_NO_SIZES)
    bars = [
        _bars("weights that the layer reads", steps, weights, GREY, ""),
        _bars("scratch", steps, {one.index: scratch.get(one.name, 0) for one in steps}, ORANGE, "/"),
    ]
    unknown = max((one.unknown for one in steps), default=0)
    told = f"; up to {counted(unknown, 'tensor has', 'tensors have')} no known size" if unknown else ""
    return figure(
        [*(bar for bar in bars if bar.x), _line(steps)], height=340, barmode="stack",
        xaxis=index_axis(f"index of the layer{told}", [one.index for one in steps]), yaxis={"title": {"text": "MiB"}, "rangemode": "tozero"},
    )  # fmt: skip


def _bars(name: str, steps: Sequence[Step], sizes: Mapping[int, int], ink: str, shape: str) -> go.Bar:
    own = [one for one in steps if sizes.get(one.index)]
    return go.Bar(
        name=name, marker={"color": ink, "pattern": stripes(shape)}, **_points(own, [sizes[one.index] for one in own]), width=0.9,
    )  # fmt: skip


def _line(steps: Sequence[Step]) -> go.Scatter:
    return go.Scatter(
        name="activations that are alive", mode="lines", line={"color": BLUE, "width": 2, "shape": "hvh"},
        **_points(steps, [one.alive_bytes for one in steps]),
    )  # fmt: skip


def _points(steps: Sequence[Step], sizes: Sequence[int]) -> dict[str, Any]:
    return {
        "x": [one.index for one in steps], "y": [round(size / _MIB, 6) for size in sizes], "customdata": [one.index for one in steps],
        "hovertext": [f"<b>{plain(one.name)}</b><br>{byte_size(size)}" for one, size in zip(steps, sizes, strict=True)],
        "hovertemplate": "%{hovertext}<extra>%{fullData.name}</extra>",
    }  # fmt: skip


CHART = Chart(
    chart,
    title="Memory over the course of the network",
    question="Where does the network need most memory, and which layers have the large weights?",
    section="memory",
    place=2,
    follows=POINTS,
    reads="run",
    reading="The line is the sum of the tensors that are alive while a layer runs: made already, and read by it or later. TensorRT's activation memory is its peak at least. Inputs and outputs of the engine are the caller's memory and do not count.",
    data={
        "x": "index of the layer",
        "y": "MiB",
        "customdata": "index of the layer",
    },
    needs="The engine's layers with the sizes of their tensors; weights need the inspector's detailed verbosity, scratch the verbose log.",
)

"""Achieved operations per second against what the GPU could do for as many operations per byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import POINTS, Chart, MissingData
from trtlens.charts.drawing.layer_rows import NO_TIMES
from trtlens.charts.drawing.style import GREY, SYMBOLS, UNKNOWN, colour, figure, log_axis, of_precisions, plain
from trtlens.engine.kernel_times import has_layer_times
from trtlens.limits.split import last_split
from trtlens.quantities import byte_size, duration, number
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.limits.parts import LayerPart, Split
    from trtlens.limits.roofs import Roofs
    from trtlens.runs.run import Run

_LEFT, _RIGHT = 0.5, 20_000.0
_ALARM = "#c8102e"
_NOTE_WIDTH = 92
_NO_WORK = (
    "no layer's operations are known: they are counted from the ONNX nodes that a verbose log lists, or from the parameters that "
    "the inspector prints at detailed verbosity (trtexec --profilingVerbosity=detailed --exportLayerInfo=layers.json)"
)


def chart(run: Run) -> go.Figure:
    """A point for each layer whose operations, bytes and time are known, under the GPU's roofs; customdata is its index.

    Raises:
        MissingData: no layers, no times, or no work that is known.

    """
    split = last_split(run)
    parts = [] if split is None else [part for part in split.parts if _operations(part)]
    if split is None or not parts:
        timed = has_layer_times(run)
        raise MissingData(VIEWS["layers"].empty if not run["layers"].num_rows else _NO_WORK if timed else NO_TIMES)
    traces = [_points(*group, split) for group in of_precisions(parts, _precision).items()]
    if not isinstance(split.roofs, str):
        traces = [*_roofs(split.roofs, parts), *traces]
    return figure(
        [*traces, *_above(parts)], height=450, margin={"b": 110},
        xaxis=log_axis("operations per byte (inputs, outputs and weights moved once)", dtick=1),
        yaxis=log_axis(f"achieved [10¹² operations/s], {split.clock}", nticks=4),
        annotations=[{
            "text": _note(split.roofs), "xref": "paper", "yref": "paper", "x": 0, "y": 0, "yshift": -56, "xanchor": "left",
            "yanchor": "top", "showarrow": False, "align": "left",
        }],
    )  # fmt: skip


def _precision(part: LayerPart) -> str | None:
    return None if part.cores is None else part.cores.precision


def _operations(part: LayerPart) -> float:
    """Operations of a layer whose bytes are known; 0 for what has no point."""
    work = part.work
    return 0.0 if work is None or not work.bytes else work.operations or 0.0


def _place(part: LayerPart) -> tuple[float, float]:
    """Operations per byte, and operations per second in units of 1e12."""
    assert part.work is not None  # noqa: S101  such parts have no operations
    return round(_operations(part) / (part.work.bytes or 1.0), 4), round(_operations(part) / part.measured_ms / 1e9, 5)


def _points(precision: str, parts: Sequence[LayerPart], split: Split) -> go.Scatter:
    places = [_place(part) for part in parts]
    return go.Scatter(
        x=[x for x, _ in places], y=[y for _, y in places], mode="markers", name=precision,
        marker={"color": colour(precision), "symbol": SYMBOLS.get(precision, "circle"), "size": 9, "opacity": 0.85,
                "line": {"width": 1, "color": "rgba(120,130,140,0.7)"}},
        customdata=[part.index for part in parts], hovertext=[_hover(part, split) for part in parts],
        hovertemplate="%{hovertext}<br>%{x:.1f} operations/byte<br>%{y:.2f}·10¹² operations/s<extra></extra>",
    )  # fmt: skip


def _hover(part: LayerPart, split: Split) -> str:
    moved = "" if part.work is None or part.work.bytes is None else byte_size(part.work.bytes)
    known = f"{number(_operations(part) / 1e9)} G operations, {moved}, {duration(part.measured_ms)} ({split.clock})"
    limit = f"<br>{part.limit.name}: {plain(part.limit.evidence, 160)}" if part.limit.name else ""
    return f"<b>{plain(part.name)}</b><br>{known}{limit}"


def _above(parts: Sequence[LayerPart]) -> list[go.Scatter]:
    """Rings around the layers that are faster than their roof, which shows that the roof or the work is wrong."""
    above = [part for part in parts if part.limit.is_above]
    if not above:
        return []
    places = [_place(part) for part in above]
    return [go.Scatter(
        x=[x for x, _ in places], y=[y for _, y in places], mode="markers", name="above its roof: the roof or the work is wrong",
        marker={"symbol": "circle-open", "size": 16, "color": _ALARM, "line": {"width": 2}}, hoverinfo="name",
        customdata=[part.index for part in above],
    )]  # fmt: skip


def _note(roofs: Roofs | str) -> str:
    text = f"points without roofs: {roofs}" if isinstance(roofs, str) else f"roofs of {roofs.gpu}: {roofs.basis}"
    lines: list[str] = []
    line = ""
    for word in plain(text, 400).split(" "):
        if len(line) + len(word) > _NOTE_WIDTH:
            lines, line = [*lines, line], ""
        line = f"{line} {word}".lstrip()
    return "<br>".join([*lines, line])


def _roofs(roofs: Roofs, parts: Sequence[LayerPart]) -> list[go.Scatter]:
    """The memory's slope, with the rate of each precision, core type and type of sums in use."""
    memory, used = roofs.memory_gb_per_s, {}
    for part in parts:
        cores = part.cores
        rate = None if cores is None else roofs.rate(cores.precision, cores.unit, cores.accumulator)
        if rate is not None and cores is not None and part.work is not None and part.work.products:
            sums = f", {cores.accumulator} sums" if cores.accumulator not in {None, cores.precision} else ""
            used[f"{cores.precision} {cores.unit}{sums}"] = (cores.precision or UNKNOWN, rate)
    lines = []
    for name, (precision, rate) in sorted(used.items(), key=lambda item: -item[1][1]):
        ridge = _LEFT if memory is None else rate * 1000 / memory
        slope = [] if memory is None else [(_LEFT, _LEFT * memory / 1000)]
        corners = [*slope, (ridge, rate), (max(_RIGHT, 2 * ridge), rate)]
        lines.append(go.Scatter(
            x=[x for x, _ in corners], y=[y for _, y in corners], mode="lines",
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
    follows=POINTS,
    reads="run",
    views=("work",),
    reading="A layer under the slope is limited by memory bandwidth, one under the flat part by arithmetic; the distance to the roof is the most that a better kernel could gain. A layer above its roof has a ring: the roof or its work is wrong, unless its data fit the L2 cache. The layer profiler's times include the launch, those of a kernel trace do not.",
    data={
        "x": "operations per byte",
        "y": "10¹² operations a second",
        "customdata": "index of the layer",
    },
    needs="Layer times, and the ONNX nodes with their shapes that a verbose log lists, or the layers' parameters at detailed verbosity (`--profilingVerbosity=detailed`). Operations are those of the layer's nodes; bytes are inputs, outputs and weights, each moved once. Roofs are multiprocessors x operations a cycle x the clock that was read beside the timing, and the width of the memory x its clock: dense rates, no sparsity. A GPU whose chip is not known gets points without roofs.",
)

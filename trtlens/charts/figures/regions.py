"""The difference of each part of the model between a run and the baseline, in the network's order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from trtlens.charts.drawing.chart import POINTS, Chart, MissingData
from trtlens.charts.drawing.style import BLUE, GREY, ORANGE, figure, plain, stripes
from trtlens.charts.figures.waterfall import NO_COMMON_TIMES
from trtlens.comparison.figures import COMPUTE
from trtlens.comparison.times import FASTER, NO_DIFFERENCE, SLOWER, TUNER
from trtlens.engine.clocks import clock_name
from trtlens.quantities import duration

if TYPE_CHECKING:
    from trtlens.comparison.comparison import Comparison, Row

_LOOKS = {SLOWER: (ORANGE, "/"), FASTER: (BLUE, ""), NO_DIFFERENCE: (GREY, ".")}


def chart(comparison: Comparison, number: int) -> go.Figure:
    """Bars up for slower and down for faster, with the interval of each; customdata is the region's main layer in the run.

    Raises:
        MissingData: the runs have no times that can be compared.

    """
    rows = [(row, difference) for row in comparison.rows if (difference := row.cells[number].difference) is not None]
    if not rows:
        raise MissingData(NO_COMMON_TIMES)
    traces = []
    for verdict, (ink, shape) in _LOOKS.items():
        here = [(row, one) for row, one in rows if one.verdict == verdict]
        if not here:
            continue
        known = [one.high_ms is not None for _, one in here]
        halves = [
            round(1000 * ((one.high_ms or 0.0) - one.diff_ms), 4) if ok else None
            for (_, one), ok in zip(here, known, strict=True)
        ]
        traces.append(go.Bar(
            x=[row.number for row, _ in here], y=[round(1000 * one.diff_ms, 4) for _, one in here], name=verdict, width=0.82,
            error_y={"type": "data", "array": halves, "thickness": 1, "width": 0, "color": GREY} if all(known) else None,
            marker={"color": ink, "pattern": stripes(shape)},
            customdata=[main_layer(row, comparison, number) for row, _ in here],
            hovertext=[_hover(row, comparison, number) for row, _ in here], hovertemplate="%{hovertext}<extra></extra>",
        ))  # fmt: skip
    return figure(
        traces, height=340, barmode="overlay",
        xaxis={"title": {"text": "regions of the model, in its order"}, "showgrid": False, "range": [-1, len(comparison.rows)]},
        yaxis={"title": {"text": f"more time than in {plain(comparison.names[comparison.baseline], 30)} [µs]{_stretched(comparison, number)}"}},
    )  # fmt: skip


def _stretched(comparison: Comparison, number: int) -> str:
    """Note at the axis: the clock, and if the layers' differences are not parts of an inference's."""
    source = comparison.times[0].source
    clock = "by the tuner" if source in {None, TUNER} else f"by the {clock_name(source)}"
    return f"<br>{clock}" + ("" if comparison.adds_up[number] is not False else ", not an inference's")


def main_layer(row: Row, comparison: Comparison, number: int) -> int | None:
    """Position in its engine of the layer that run ``number`` computes a region in, the slowest of several.

    Where none computes it is the first layer of the region; None where the run has no layer there.
    """
    positions = row.region.layers[number]
    roles, times = comparison.measures[number].roles, comparison.times[number].time_ms
    computing = [place for place in positions if roles[place] == COMPUTE]
    place = max(computing, key=lambda one: np.nan_to_num(times[one]), default=positions[0] if positions else None)
    return None if place is None else comparison.engines[number].layers[place].index


def _hover(row: Row, comparison: Comparison, number: int) -> str:
    cells = (row.cells[comparison.baseline], row.cells[number])
    times = [duration(cell.figures.time_ms) if cell.figures.time_ms is not None else "?" for cell in cells]
    precisions = [cell.figures.precision or "?" for cell in cells]
    return f"<b>{plain(row.label)}</b><br>{times[0]} → {times[1]}<br>{precisions[0]} → {precisions[1]}"


CHART = Chart(
    chart,
    title="Region by region",
    question="Which regions of the model got faster or slower?",
    section="changed",
    place=2,
    follows=POINTS,
    reads="comparison",
    reading="Bars above zero are slower, below zero faster; the thin line is the 99 % confidence interval of the difference. Click a bar to see its layer.",
    data={
        "x": "number of the region in topological order, as in the table of regions",
        "y": "how much more time than in the baseline in µs",
        "customdata": "index of the layer of the run that computes the region",
        "error_y.array": "half of the 99 % confidence interval of the difference in µs",
    },
    needs="Two runs or more of one model with times of one kind; the first run is the baseline.",
)

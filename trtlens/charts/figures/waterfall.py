"""From one run's total time to another's: what each kind of change contributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import SUMS, Chart, MissingData
from trtlens.charts.drawing.style import BLUE, GREY, ORANGE, figure, plain
from trtlens.comparison.figures import split_difference
from trtlens.comparison.times import TUNER
from trtlens.engine.clocks import clock_name
from trtlens.quantities import duration, signed_duration

if TYPE_CHECKING:
    from trtlens.comparison.comparison import Comparison
    from trtlens.comparison.figures import Part

_WORDS = {"conversion": "reformats and casts", "constant": "copies of constants"}
NO_COMMON_TIMES = "the runs have no times of one kind in common: profile both with trtlens profile, or add --exportProfile files of both"


def chart(comparison: Comparison, number: int) -> go.Figure:
    """Steps from the baseline's layers to those of run ``number``; the last step is what no part explains.

    Raises:
        MissingData: the runs have no times that can be compared.

    """
    base, run = (comparison.totals[place].figures.time_ms for place in (comparison.baseline, number))
    if base is None or run is None:
        raise MissingData(NO_COMMON_TIMES)
    parts = split_difference(comparison, number)
    labels = [plain(comparison.names[comparison.baseline], 30), *(_label(part) for part in parts)]
    steps = [base, *(part.difference.diff_ms for part in parts)]
    kinds = ["absolute", *("relative" for _ in parts)]
    rest = run - sum(steps)
    if abs(rest) > 0.002 * max(base, run):
        labels.append("not aligned")
        steps.append(rest)
        kinds.append("relative")
    micro = [round(1000 * step, 3) for step in (*steps, run)]
    names = [*labels, plain(comparison.names[number], 30)]
    trace = go.Waterfall(
        x=list(range(len(micro))), y=micro, measure=[*kinds, "total"],
        text=[signed_duration(step) if kind == "relative" else duration(step) for step, kind in zip([*steps, run], [*kinds, "total"], strict=True)],
        textposition="outside", cliponaxis=False, increasing={"marker": {"color": ORANGE}}, decreasing={"marker": {"color": BLUE}},
        totals={"marker": {"color": GREY}}, connector={"line": {"color": GREY, "width": 1, "dash": "dot"}},
        hovertext=names, hovertemplate="<b>%{hovertext}</b><br>%{text}<extra></extra>",
    )  # fmt: skip
    return figure(
        [trace], height=360, yaxis={"title": {"text": _sums(comparison, number)}, "rangemode": "tozero"},
        xaxis={"tickvals": list(range(len(names))), "ticktext": names, "showgrid": False}, margin={"t": 24},
    )  # fmt: skip


def _sums(comparison: Comparison, number: int) -> str:
    """Axis title: what the steps are sums of, with a note if they do not add up to the inference's difference."""
    source = comparison.times[0].source
    named = (
        "sum of the tuner's times [µs]" if source in {None, TUNER} else f"sum of the layers [µs], {clock_name(source)}"
    )
    return named if comparison.adds_up[number] is not False else f"{named}<br>not the inference's difference"


def _label(part: Part) -> str:
    if part.before is None or part.after is None:
        return _WORDS.get(part.kind, plain(part.kind))
    return f"{part.before}, as before" if part.before == part.after else f"{part.before} → {part.after}"


CHART = Chart(
    chart,
    title="What the difference consists of",
    question="What does the difference in total time consist of?",
    section="changed",
    place=1,
    follows=SUMS,
    reads="comparison",
    reading="From the baseline's time, on the left, to the other run's: what each kind of change adds or saves.",
    data={
        "x": "place of the step",
        "y": "µs: the baseline, what each kind of change adds or saves, the run",
        "measure": "absolute for the baseline, relative for a step, total for the run",
    },
    needs="Two runs or more of one model with times of one kind; the first run is the baseline.",
)

"""Charts: one file each, ``chart(table or run) -> plotly Figure``, pure; nothing is shown and nothing is written.

A chart raises `MissingData` where the run does not hold what it draws; the message says how to get it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from trtlens.runs import Run

RUN = "run"


class MissingData(TrtlensError):  # noqa: N818  it is no fault of anyone's: the report prints it in the chart's place
    """The run does not hold what a chart draws; the message says what is missing and how to get it."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart by name: ``reads`` is the view whose table it draws or ``run``; ``views`` are those it belongs to."""

    name: str
    title: str
    question: str
    reads: str
    views: tuple[str, ...]

    def draw(self, run: Run, **options: Any) -> Figure:
        """Draw it for a run.

        Raises:
            MissingData: the run does not hold what the chart draws.

        """
        source = run if self.reads == RUN else run.view(self.reads)
        return self.draw_from(source, **options)

    def draw_from(self, source: Any, **options: Any) -> Figure:
        """Draw it from what it reads: a view's table, or a run.

        Raises:
            MissingData: the source does not hold what the chart draws.

        """
        figure: Figure = import_module(f"trtlens.charts.{self.name}").chart(source, **options)
        return figure


_CHARTS = (
    Chart("timeline", "Layers in execution order", "Where along the network does the time go, and in which precision?",
          "layers", ("layers", "slowest")),
    Chart("treemap", "Time by precision, type and kernel", "Which precision, layer type and kernel take the time?",
          "layers", ("precision",)),
    Chart("sunburst", "Time by precision, type and kernel, as rings", "How do precision, type and kernel share the time?",
          "layers", ("kernels",)),
    Chart("units", "Tensor cores and CUDA cores", "How much of the work runs on tensor cores?", "layers", ("tensorcores",)),
    Chart("roofline", "Roofline", "How close does each layer come to what the GPU could do?", RUN, ()),
    Chart("candidates", "What the tuner tried for one layer", "What else could the layer have run, and how fast?",
          RUN, ("tactics", "why", "candidates")),
    Chart("reformat_flow", "Reformats: from which format to which", "Between which formats is data copied?",
          "reformats", ("reformats",)),
    Chart("reformat_costs", "Reformats by cause", "Why are the reformats there, and what do they cost?",
          "reformat_causes", ("reformat_causes",)),
    Chart("latency", "Every inference, with the GPU's clock", "Is the latency steady?", RUN, ("latency",)),
    Chart("latency_distribution", "Distribution of the latency", "How sure is the median, and how long is the tail?",
          RUN, ()),
    Chart("memory", "Memory", "What does the engine need memory for?", RUN, ("memory",)),
    Chart("build_time", "Where the build's time went", "Which parts and which layers took the build's time?",
          "build", ("build",)),
    Chart("accuracy", "Error along the network", "Where does the result go wrong first?", "accuracy", ("accuracy",)),
    Chart("accuracy_time", "Error against time", "Which layers add much error for little time?", "accuracy", ("pins",)),
)  # fmt: skip

CHARTS: dict[str, Chart] = {chart.name: chart for chart in _CHARTS}
"""Charts of one run by name; those of a comparison (`waterfall`, `regions`) are drawn from a `Comparison`."""


def chart_of_view(view: str) -> Chart | None:
    """The chart that belongs to a view or table, or None."""
    return next((chart for chart in _CHARTS if view in chart.views), None)

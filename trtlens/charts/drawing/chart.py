"""The declaration of a chart, from which the report's sections and docs/charts are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plotly.graph_objects import Figure

    from trtlens.runs.run import Run

RUN, COMPARISON, RUNS = "run", "comparison", "runs"
POINTS, SUMS, WHOLE = "points", "sums", "whole"
"""How a chart follows a chosen part of the model: the points of its layers stay; its sums are made anew; it cannot, being of the whole engine."""
SECTIONS = {
    "runs": "The runs", "changed": "What changed", "layers": "Layers", "tuning": "Tuning", "reformats": "Reformats", "latency": "Latency",
    "accuracy": "Accuracy", "plan": "Plan of types", "memory": "Memory", "build": "Build",
}  # fmt: skip
"""Sections of the report in their order: anchor and title."""


class MissingData(TrtlensError):  # noqa: N818  not a fault: the report prints it in place of the chart
    """The run lacks the data that a chart draws; the message says what is missing and how to get it."""


@dataclass(frozen=True, slots=True)
class Chart:
    """What a chart's module declares as ``CHART``.

    Attributes:
        draw_from: its function: takes what it reads (for a comparison also the number of the run), gives a figure,
            raises `MissingData`.
        title: its heading.
        question: what it answers.
        section: section of the report that it stands in, of `SECTIONS`.
        place: place among the charts of that section, from 1.
        follows: how it follows a chosen part of the model, of `POINTS`, `SUMS` and `WHOLE`.
        reads: view whose table it draws; ``run``; ``comparison``; or ``runs``, of which it gets names and runs.
        reading: how to read it.
        data: what each array of the figure's traces holds (``x``, ``y``, ``customdata`` ...), for those who work on with it.
        needs: what it draws from and how to get that, in Markdown; for docs/charts.
        views: views and tables whose ``--chart`` it is.
        narrow: whether two of its kind stand side by side where there is room.
    """

    draw_from: Callable[..., Figure]
    title: str
    question: str
    section: str
    place: int
    follows: str
    reads: str
    reading: str
    data: Mapping[str, str]
    needs: str
    views: tuple[str, ...] = ()
    narrow: bool = False

    @property
    def name(self) -> str:
        """Name of the chart: its module's."""
        return self.draw_from.__module__.rpartition(".")[2]

    def draw(self, run: Run, **options: Any) -> Figure:
        """Draw a chart that reads a run or one of its views.

        Raises:
            MissingData: the run does not hold what the chart draws.

        """
        return self.draw_from(run if self.reads == RUN else run.view(self.reads), **options)

"""Charts: ``trtlens.charts.NAME(run)`` gives a Plotly figure, ``trtlens.charts.NAME(base, other)`` one of several runs.

Each is one module of `trtlens.charts.figures`, pure, with its declaration ``CHART``: nothing is shown or written. A chart
raises `MissingData` where its source does not hold what it draws; the message says how to get it. docs/charts has all of
them with the data of their traces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.charts import figures
from trtlens.charts.drawing.chart import COMPARISON, RUNS, SECTIONS, Chart, MissingData
from trtlens.charts.drawing.public import function_of
from trtlens.discovery import Declarations

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plotly.graph_objects import Figure

__all__ = ["CHARTS", "Chart", "MissingData", "chart_of_view", "charts_of_comparison", "charts_of_run", "charts_of_runs"]


_SECTIONS = tuple(SECTIONS)
CHARTS: Mapping[str, Chart] = Declarations(
    figures.__name__, figures.__path__, "CHART", Chart, lambda chart: (_SECTIONS.index(chart.section), chart.place)
)
"""Every chart by name, in the report's order."""


def charts_of_run() -> list[Chart]:
    """Charts of one run, in the report's order."""
    return [chart for chart in CHARTS.values() if chart.reads not in {COMPARISON, RUNS}]


def charts_of_comparison() -> list[Chart]:
    """Charts of a comparison, in the report's order: they take the comparison and the number of a run in it."""
    return [chart for chart in CHARTS.values() if chart.reads == COMPARISON]


def charts_of_runs() -> list[Chart]:
    """Charts of many runs beside one another, in the report's order: they take the runs by their names."""
    return [chart for chart in CHARTS.values() if chart.reads == RUNS]


def chart_of_view(view: str) -> Chart | None:
    """The chart that belongs to a view or table, or None."""
    return next((chart for chart in CHARTS.values() if view in chart.views), None)


def __getattr__(name: str) -> Callable[..., Figure]:
    """The public function of a chart."""
    if name not in CHARTS:
        raise AttributeError(f"there is no chart {name!r}; there are {', '.join(CHARTS)}")
    return function_of(CHARTS[name])


def __dir__() -> list[str]:
    """The public names, charts among them."""
    return sorted([*__all__, *CHARTS])

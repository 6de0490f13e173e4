"""Charts, one module each: ``chart(source) -> plotly Figure``, pure, and its declaration ``CHART``; nothing is shown or written.

Every module here is a chart; what charts share stands in `trtlens.charts.drawing`. A chart raises `MissingData` where its
source does not hold what it draws; the message says how to get it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.charts.drawing.chart import COMPARISON, SECTIONS, Chart, MissingData
from trtlens.discovery import Declarations

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CHARTS", "Chart", "MissingData", "chart_of_view", "charts_of_comparison", "charts_of_run"]


_SECTIONS = tuple(SECTIONS)
CHARTS: Mapping[str, Chart] = Declarations(
    __name__, __path__, "CHART", Chart, lambda chart: (_SECTIONS.index(chart.section), chart.place)
)
"""Every chart by name, in the report's order."""


def charts_of_run() -> list[Chart]:
    """Charts of one run, in the report's order."""
    return [chart for chart in CHARTS.values() if chart.reads != COMPARISON]


def charts_of_comparison() -> list[Chart]:
    """Charts of a comparison, in the report's order: they take the comparison and the number of a run in it."""
    return [chart for chart in CHARTS.values() if chart.reads == COMPARISON]


def chart_of_view(view: str) -> Chart | None:
    """The chart that belongs to a view or table, or None."""
    return next((chart for chart in CHARTS.values() if view in chart.views), None)

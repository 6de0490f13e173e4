"""Charts, one module each: ``chart(source) -> plotly Figure``, pure, and its declaration ``CHART``; nothing is shown or written.

Every module here is a chart; what charts share stands in `trtlens.charts.drawing`. A chart raises `MissingData` where its
source does not hold what it draws; the message says how to get it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from trtlens.charts.drawing.chart import COMPARISON, SECTIONS, Chart, MissingData

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CHARTS", "Chart", "MissingData", "chart_of_view", "charts_of_comparison", "charts_of_run"]


class _Charts(Mapping[str, Chart]):
    """Every chart by name, in the report's order; a module is imported when its chart is asked for."""

    def __getitem__(self, name: str) -> Chart:
        if name not in _names():
            raise KeyError(name)
        return _load(name)

    def __contains__(self, name: object) -> bool:
        return name in _names()

    def __iter__(self) -> Iterator[str]:
        return iter(_in_order())

    def __len__(self) -> int:
        return len(_names())


@cache
def _names() -> frozenset[str]:
    return frozenset(module.name for module in iter_modules(__path__) if not module.ispkg)


@cache
def _in_order() -> tuple[str, ...]:
    sections = list(SECTIONS)
    charts = [_load(name) for name in _names()]
    return tuple(chart.name for chart in sorted(charts, key=lambda one: (sections.index(one.section), one.place)))


@cache
def _load(name: str) -> Chart:
    declared = getattr(import_module(f"trtlens.charts.{name}"), "CHART", None)
    if not isinstance(declared, Chart):
        raise TypeError(f"trtlens/charts/{name}.py declares no CHART: every module of trtlens/charts is a chart")
    return declared


CHARTS: Mapping[str, Chart] = _Charts()
"""Every chart by name."""


def charts_of_run() -> list[Chart]:
    """Charts of one run, in the report's order."""
    return [chart for chart in CHARTS.values() if chart.reads != COMPARISON]


def charts_of_comparison() -> list[Chart]:
    """Charts of a comparison, in the report's order: they take the comparison and the number of a run in it."""
    return [chart for chart in CHARTS.values() if chart.reads == COMPARISON]


def chart_of_view(view: str) -> Chart | None:
    """The chart that belongs to a view or table, or None."""
    return next((chart for chart in CHARTS.values() if view in chart.views), None)

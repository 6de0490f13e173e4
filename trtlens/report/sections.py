"""The sections of the page: their charts and tables, how to read them, and the text of an empty one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.charts import CHARTS
from trtlens.charts.drawing.chart import SECTIONS as TITLES
from trtlens.charts.figures.candidates import NO_TUNING
from trtlens.report.markup import text
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.charts import Chart


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page, by the anchor that links to it; ``tables`` are views and others, in their order."""

    anchor: str
    tables: tuple[str, ...]

    @property
    def title(self) -> str:
        """Its heading."""
        return TITLES[self.anchor]

    @property
    def charts(self) -> list[Chart]:
        """Its charts, in their order."""
        return [chart for chart in CHARTS.values() if chart.section == self.anchor]


SECTIONS = (
    Section("layers", ("layers", "kernels_run")),
    Section("tuning", ("tactics", "candidates")),
    Section("reformats", ("reformats",)),
    Section("latency", ("inference", "latency")),
    Section("accuracy", ("accuracy", "pins", "overflow")),
    Section("plan", ("plan_choices", "plan_units")),
    Section("memory", ("memory",)),
    Section("build", ("build", "messages")),
)
RUNS = Section("runs", ())
CHANGED = Section("changed", ("changes", "compare", "settings"))


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the page that is no view of a run: a raw table, or one of the comparison."""

    heading: str
    empty: str
    lead: str = ""
    largest_first: str | None = None


_OTHER_TABLES = {
    "candidates": _Table("All candidates", NO_TUNING, "Every tactic that the tuner timed or skipped."),
    "changes": _Table("All changes", "no changes between the runs"),
    "compare": _Table("All regions", "no regions: a run lists no engine layers"),
    "settings": _Table("Settings that differ", "no recorded setting differs"),
}
_KEYS = "Arrow keys go over its points, Enter picks the layer."


def navigation(sections: Sequence[Section]) -> str:
    """Links to all parts of the page, of which these sections follow the findings."""
    shown = [("overview", "Overview"), ("findings", "Findings")]
    shown += [(section.anchor, section.title) for section in sections] + [
        ("graph", "Engine graph"),
        ("model", "Parts of the model"),
    ]
    shown += [(section.anchor, section.title) for section in SECTIONS] + [("about", "About this page")]
    return "".join(f'<a href="#{anchor}">{title}</a>' for anchor, title in shown)


def section_html(section: Section, *, scope: str) -> str:
    """The skeleton of a section; the page's script fills charts and tables from the data of ``scope`` (run or comparison)."""
    charts = "".join(_chart(chart, scope) for chart in section.charts)
    tables = "".join(_table(name, scope) for name in section.tables)
    which = '<span class="which"></span>' if scope == "run" else ""
    return f'<section id="{section.anchor}"><h2><a href="#{section.anchor}">{section.title}</a>{which}</h2><div class="charts">{charts}</div>{tables}</section>'


def _chart(chart: Chart, scope: str) -> str:
    narrow = " narrow" if chart.narrow else ""
    title, question = text(chart.title), text(chart.question)
    return (
        f'<figure class="chart{narrow}" id="chart-{chart.name}" data-chart="{chart.name}" data-scope="{scope}" data-follows="{chart.follows}"><figcaption>'
        f'<h3><a href="#chart-{chart.name}">{title}</a></h3><p class="question">{question}</p></figcaption>'
        f'<div class="plot" role="application" aria-roledescription="chart" aria-label="{title}. {question} {_KEYS}"></div><p class="reading">{text(chart.reading)}</p></figure>'
    )


def _table(name: str, scope: str) -> str:
    table = VIEWS[name] if name in VIEWS else _OTHER_TABLES[name]
    first = f' data-sort="{table.largest_first}"' if table.largest_first else ""
    lead = f'<p class="question">{text(table.lead)}</p>' if table.lead else ""
    return (
        f'<div class="block" id="table-{name}" data-table="{name}" data-scope="{scope}" data-empty="{text(table.empty)}"{first}>'
        f'<h3><a href="#table-{name}">{text(table.heading)}</a></h3>{lead}<div class="grid"></div></div>'
    )


def tables_of(sections: Sequence[Section]) -> list[str]:
    """Names of the views whose tables the sections show."""
    return [name for section in sections for name in section.tables]

"""The parts of the page: which charts and tables stand in each, how to read them, and what an empty one says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.charts import CHARTS
from trtlens.charts.accuracy import NO_ERRORS
from trtlens.charts.build_time import NO_DURATIONS
from trtlens.charts.candidates import NO_TUNING
from trtlens.charts.drawing.chart import SECTIONS as TITLES
from trtlens.charts.drawing.layer_rows import NO_LAYERS
from trtlens.charts.latency import NO_SAMPLES
from trtlens.charts.memory import NO_MEMORY
from trtlens.charts.reformat_flow import NO_REFORMATS
from trtlens.report.overview import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.charts import Chart


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page, by the anchor that links to it: its charts declare themselves, its tables stand here."""

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
    Section("layers", ("layers",)),
    Section("tuning", ("tactics", "candidates")),
    Section("reformats", ("reformats",)),
    Section("latency", ("latency",)),
    Section("accuracy", ("accuracy", "pins", "overflow")),
    Section("memory", ("memory",)),
    Section("build", ("build", "messages")),
)
CHANGED = Section("changed", ("changes", "compare", "settings"))

_TITLES = {
    "layers": ("All layers", ""), "tactics": ("Tactics", "What does each layer run, and what would the fastest tactic have saved?"),
    "candidates-table": ("All candidates", "Every tactic that the tuner tried or skipped."),
    "reformats": ("All reformats", ""), "latency-table": ("Figures of the latency", ""), "accuracy-table": ("Compared tensors", ""),
    "pins": ("Layers to keep in FP32", ""), "overflow": ("What FP16 would not hold", ""), "memory-table": ("Layers that need memory", ""),
    "build": ("Parts, runners and layers of the build", ""), "messages": ("Messages of the build", ""),
    "changes": ("All changes", ""), "compare": ("All regions", ""), "settings": ("Settings that differ", ""),
}  # fmt: skip
_LARGEST_FIRST = {"layers": "time_ms", "tactics": "regret_ms", "reformats": "cost_ms"}
"""The column of a table by which its rows stand at first, the largest on top; a click on a heading sorts anew."""
EMPTY = {
    "layers": NO_LAYERS,
    "tactics": "no tactics can be told: this needs the engine's layers and the tuner's times, both from a verbose log",
    "candidates": NO_TUNING, "reformats": NO_REFORMATS, "latency": NO_SAMPLES, "accuracy": NO_ERRORS, "pins": NO_ERRORS,
    "overflow": "no ranges of values are known: trtlens dump of the FP32 model writes them",
    "memory": NO_MEMORY, "build": NO_DURATIONS,
    "messages": "the build printed no warning, no error and no message with a known meaning",
    "changes": "no change was found between the runs", "compare": "no regions are known",
    "settings": "no setting that the runs state differs",
}  # fmt: skip
"""What stands in the place of a table without rows: what is missing, and how to get it."""


def navigation(*, several: bool) -> str:
    """Links to all parts of the page."""
    shown = [
        ("overview", "Overview"),
        ("findings", "Findings"),
        *([(CHANGED.anchor, CHANGED.title)] if several else []),
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
        f'<figure class="chart{narrow}" id="chart-{chart.name}" data-chart="{chart.name}" data-scope="{scope}"><figcaption>'
        f'<h3><a href="#chart-{chart.name}">{title}</a></h3><p class="question">{question}</p></figcaption>'
        f'<div class="plot" role="img" aria-label="{title}. {question}"></div><p class="reading">{text(chart.reading)}</p></figure>'
    )


def _table(name: str, scope: str) -> str:
    title, question = _TITLES.get(f"{name}-table", _TITLES.get(name, (name, "")))
    first = f' data-sort="{_LARGEST_FIRST[name]}"' if name in _LARGEST_FIRST else ""
    words = f'<p class="question">{text(question)}</p>' if question else ""
    return (
        f'<div class="block" id="table-{name}" data-table="{name}" data-scope="{scope}" data-empty="{text(EMPTY[name])}"{first}>'
        f'<h3><a href="#table-{name}">{text(title)}</a></h3>{words}<div class="grid"></div></div>'
    )


def tables_of(sections: Sequence[Section]) -> list[str]:
    """Names of the views whose tables the sections show."""
    return [name for section in sections for name in section.tables]

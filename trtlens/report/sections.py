"""The parts of the page: which charts and tables stand in each, how to read them, and what an empty one says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.charts import CHARTS, regions, waterfall
from trtlens.charts.accuracy import NO_ERRORS
from trtlens.charts.build_time import NO_DURATIONS
from trtlens.charts.candidates import NO_TUNING
from trtlens.charts.latency import NO_SAMPLES
from trtlens.charts.layer_rows import NO_LAYERS
from trtlens.charts.memory import NO_MEMORY
from trtlens.charts.reformat_flow import NO_REFORMATS
from trtlens.report.overview import text

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page, by the anchor that links to it."""

    anchor: str
    title: str
    charts: tuple[str, ...]
    tables: tuple[str, ...]


SECTIONS = (
    Section("layers", "Layers", ("timeline", "treemap", "sunburst", "units", "roofline"), ("layers",)),
    Section("tuning", "Tuning", ("candidates",), ("tactics", "candidates")),
    Section("reformats", "Reformats", ("reformat_flow", "reformat_costs"), ("reformats",)),
    Section("latency", "Latency", ("latency", "latency_distribution"), ("latency",)),
    Section("accuracy", "Accuracy", ("accuracy", "accuracy_time"), ("accuracy", "pins", "overflow")),
    Section("memory", "Memory", ("memory",), ("memory",)),
    Section("build", "Build", ("build_time",), ("build", "messages")),
)
CHANGED = Section("changed", "What changed", ("waterfall", "regions"), ("changes", "compare", "settings"))
NARROW = frozenset({"sunburst", "units", "reformat_flow", "reformat_costs"})
"""Charts that stand two in a row where there is room."""

_READING = {
    "timeline": "One bar a layer. Its height is the time, colour and pattern the precision; a triangle marks a reformat. Pick a bar to see all that is known of the layer.",
    "treemap": "The area is the time. Precisions hold layer types, these hold kernels; pick a kernel to list its layers.",
    "sunburst": "The same shares as rings: precision, layer type, kernel.",
    "units": "The share of the time on each unit, by precision; reformats compute nothing and stand apart.",
    "roofline": "A layer under the slope is bound by memory, one under the flat part by arithmetic; the distance to the roof is what a better kernel could gain at most. Layer times hold the launch.",
    "candidates": "One point a tactic that the tuner timed, left is faster; the blue ring is what the engine runs. A faster point that does not run needed another format, and reformats around it.",
    "reformat_flow": "From the format that is made, on the left, to the format that is wanted, on the right; as wide as it costs.",
    "reformat_costs": "What the reformats of each cause cost in all.",
    "latency": "A steady run is a flat band. Steps and slopes come from clocks that move (below), spikes from other work.",
    "latency_distribution": "The dotted line is the median, with the interval that holds it with 95 % confidence.",
    "memory": "Totals as the build states them; hatched bars are single layers.",
    "build_time": "Parts of the build by time stamps, then the layers whose tuning took longest.",
    "accuracy": "Each point is a compared tensor, higher is worse, an orange outline is wrong or suspect; the strip below shows the precision of the layer that makes it.",
    "accuracy_time": "Layers to the upper left add much error for little time: run these in a higher precision first (named: the three with most).",
    "waterfall": "From the baseline's time, on the left, to the other run's: what each kind of change costs or saves.",
    "regions": "Bars above zero got slower, below zero faster; the thin line is the interval of the difference with 99 % confidence. Pick one to see its layer.",
}
_TITLES = {
    "waterfall": (waterfall.TITLE, waterfall.QUESTION), "regions": (regions.TITLE, regions.QUESTION),
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
    charts = "".join(_chart(name, scope) for name in section.charts)
    tables = "".join(_table(name, scope) for name in section.tables)
    which = '<span class="which"></span>' if scope == "run" else ""
    return f'<section id="{section.anchor}"><h2><a href="#{section.anchor}">{section.title}</a>{which}</h2><div class="charts">{charts}</div>{tables}</section>'


def _chart(name: str, scope: str) -> str:
    title, question = (CHARTS[name].title, CHARTS[name].question) if name in CHARTS else _TITLES[name]
    narrow = " narrow" if name in NARROW else ""
    return (
        f'<figure class="chart{narrow}" id="chart-{name}" data-chart="{name}" data-scope="{scope}"><figcaption><h3><a href="#chart-{name}">'
        f'{text(title)}</a></h3><p class="question">{text(question)}</p></figcaption>'
        f'<div class="plot" role="img" aria-label="{text(title)}. {text(question)}"></div><p class="reading">{text(_READING[name])}</p></figure>'
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

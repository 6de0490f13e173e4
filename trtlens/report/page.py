"""The page: our own script and style, Plotly's from its Python package, the data packed; and a policy that runs nothing else.

The Content Security Policy names the two scripts by their hashes and forbids every connection: whatever a name in a log
holds, the browser runs nothing but these two, and the page cannot send anything anywhere.
"""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from trtlens._version import VERSION
from trtlens.report.baseline import MOST_CHOICES, baseline_choice, comparison_data, comparisons, sentences_html
from trtlens.report.chart_page import content_policy
from trtlens.report.encoding import pack, to_json
from trtlens.report.finding_list import findings, group_findings
from trtlens.report.graph_data import graph_data
from trtlens.report.graph_section import graph_section
from trtlens.report.markup import text
from trtlens.report.overview import card, precision_styles
from trtlens.report.parts_section import parts_section
from trtlens.report.payload import Compared, page_data, run_data
from trtlens.report.runs_table import are_many, figures_of_runs, runs_table
from trtlens.report.sections import CHANGED, RUNS, SECTIONS, navigation, section_html
from trtlens.report.verdict import verdict
from trtlens.runs.folders import GENERATOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.report.subject import Subject

_SCRIPTS = (
    "quantities.js",
    "data.js",
    "address.js",
    "markdown.js",
    "shares.js",
    "table.js",
    "chart_keys.js",
    "figures.js",
    "panel.js",
    "absent.js",
    "baseline.js",
    "search.js",
    "graph_model.js",
    "graph_paint.js",
    "graph.js",
    "scope.js",
    "part_charts.js",
    "parts.js",
    "page.js",
)
_SCRIPT_TYPE = "application/x-trtlens"
_MOST_CHARACTERS_IN_TITLE = 120


def render(subjects: Sequence[Subject]) -> str:
    """The whole page for runs in the order given, the first being the baseline of comparisons; the same runs, the same text."""
    collecting = gc.isenabled()
    gc.disable()  # many rows, no cycles: searching for cycles would take a quarter of the time
    try:
        return _render(subjects)
    finally:
        if collecting:
            gc.enable()


def _render(subjects: Sequence[Subject]) -> str:
    several = len(subjects) > 1
    compared = comparisons(subjects)
    first = compared[0] if compared else Compared(None, None)
    held = [comparison_data(one, subjects) for one in compared]
    script = _script()
    groups, many = group_findings(subjects), dict(figures_of_runs(subjects))
    names = " · ".join(subject.name for subject in subjects)
    parts = {
        "generator": GENERATOR,
        "names": text(names),
        "title": text(names if len(names) <= _MOST_CHARACTERS_IN_TITLE else names[:_MOST_CHARACTERS_IN_TITLE] + "…"),
        "policy": content_policy([_plotly(), script]),
        "style": _asset("page.css") + "\n" + precision_styles(),
        "navigation": navigation([*([RUNS] if many else []), *([CHANGED] if several else [])]),
        "runs": _run_switch(subjects) + baseline_choice(subjects),
        "table": runs_table(subjects, first),
        "crowd": " many" if are_many(subjects) else "",
        "cards": "".join(_card(subjects, place, first) for place in range(len(subjects))),
        "verdict": verdict(subjects, groups, first),
        "findings": findings(groups, subjects),
        "changed": (section_html(RUNS, scope="runs") if many else "") + (_changed(held[0]) if several else ""),
        "graph": graph_section() + parts_section(),
        "sections": "".join(section_html(section, scope="run") for section in SECTIONS),
        "about": _about(subjects),
        "blocks": "\n".join(
            f'<script type="{_SCRIPT_TYPE}" id="{name}">{block}</script>'
            for name, block in _blocks(subjects, held, page_data(subjects, many)).items()
        ),
        "script": script,
    }
    return _fill(_asset("page.html"), parts)


def _card(subjects: Sequence[Subject], place: int, compared: Compared) -> str:
    baseline = subjects[0] if len(subjects) > 1 else None
    return card(subjects[place], place, baseline, compared.mismatches(subjects, place) if place else ())


def _blocks(subjects: Sequence[Subject], held: Sequence[dict[str, Any]], shared: dict[str, Any]) -> dict[str, str]:
    """The data of the page by the name of its block; each is packed while the next is computed."""
    with ThreadPoolExecutor() as pool:
        packing = {"plotly": pool.submit(_packed_plotly), "page-data": pool.submit(pack, to_json(shared))}
        for place, subject in enumerate(subjects):
            packing[f"run-{place}"] = pool.submit(pack, to_json(run_data(subject)))
            packing[f"graph-{place}"] = pool.submit(pack, to_json(graph_data(subject)))
        for baseline, data in enumerate(held):
            packing[f"comparison-{baseline}"] = pool.submit(pack, to_json(data))
        return {name: packed.result() for name, packed in packing.items()}


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs  # noqa: PLC0415

    return get_plotlyjs()


@cache
def _packed_plotly() -> str:
    """Plotly's script, packed once for all pages of a process: it takes longer than the data of a small run."""
    return pack(_plotly())


def _fill(template: str, parts: dict[str, str]) -> str:
    """The template with each ``{{part}}`` filled in; parts are not searched for further parts."""
    pieces = template.split("{{")
    return pieces[0] + "".join(parts[piece.split("}}", 1)[0]] + piece.split("}}", 1)[1] for piece in pieces[1:])


def _asset(name: str) -> str:
    return (files("trtlens.report") / "assets" / name).read_text("utf-8")


def _script() -> str:
    """The page's script: its parts in one function, without globals."""
    return '(() => {\n"use strict";\n' + "\n".join(_asset(name) for name in _SCRIPTS) + "\n})();\n"


def _run_switch(subjects: Sequence[Subject]) -> str:
    """Buttons for a few runs, a list for many."""
    if len(subjects) < 2:
        return ""
    names = [text(subject.name) for subject in subjects]
    if len(subjects) > MOST_CHOICES:
        options = "".join(f'<option value="{place}">{name}</option>' for place, name in enumerate(names))
        return f'<label class="baseline">Run <select id="run">{options}</select></label>'
    buttons = "".join(
        f'<button type="button" role="radio" aria-checked="false" data-run="{place}">{name}</button>'
        for place, name in enumerate(names)
    )
    return f'<div class="switch" role="radiogroup" aria-label="Run shown in charts and tables">{buttons}</div>'


def _changed(held: dict[str, Any]) -> str:
    """Sentences about the differences, then the charts and tables of the comparison."""
    head, rest = section_html(CHANGED, scope="comparison").split("</h2>", 1)
    return f"{head}</h2>{sentences_html(held['told'])}{rest}"


def _about(subjects: Sequence[Subject]) -> str:
    rows = []
    for subject in subjects:
        run = subject.run
        reading = [row for row in run["reading"].to_pylist() if row["kind"] == "unread" and row["lines"]]
        unread = sum(row["lines"] for row in reading)
        tables = ", ".join(f"{name} {run[name].num_rows:,}" for name in run if run[name].num_rows)
        builds = (
            f"build {subject.build} of {len(subject.builds)} is shown (RUN@2 selects another); "
            if len(subject.builds) > 1
            else ""
        )
        lines = (
            f"; {unread:,} lines of the log were not understood (trtlens parse --unread shows them)" if unread else ""
        )
        rows.append(
            f"<li><b>{text(subject.name)}</b>: {text(builds + (tables or 'no rows in any table') + lines)}.</li>"
        )
    return (
        f"<ul>{''.join(rows)}</ul><ul id='thinned'></ul><p>Numbers on this page have seven significant digits; trtlens show VIEW RUN --format csv "
        "writes them in full. Of long series of latencies the chart draws the smallest and largest of each interval.</p>"
        f"<p>Made by trtlens {VERSION}. This page is one file; it loads nothing and sends nothing.</p>"
    )

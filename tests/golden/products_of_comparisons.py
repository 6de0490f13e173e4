"""What trtlens says of runs beside one another: the command's texts, tables, the report's cards and findings, charts, the gate."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.golden.commands import say
from tests.golden.inputs import FILES, named_build, opened
from tests.golden.text_of_figures import figure_text
from tests.golden.text_of_pages import html_text
from tests.golden.text_of_tables import table_text
from trtlens.charts import MissingData, charts_of_comparison, charts_of_runs
from trtlens.comparison import compare_runs
from trtlens.comparison.quantities import QUANTITIES
from trtlens.comparison.result_tables import change_table, region_table, settings_table, side_by_side
from trtlens.errors import TrtlensError
from trtlens.report.finding_list import findings as finding_list
from trtlens.report.finding_list import group_findings
from trtlens.report.overview import card
from trtlens.report.payload import Compared
from trtlens.report.subject import read_subject
from trtlens.report.verdict import verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from plotly.graph_objects import Figure

    from trtlens.comparison import Comparison
    from trtlens.report.subject import Subject

_TABLE_ROWS = 6


def of_comparison(arguments: tuple[str, ...]) -> Iterator[tuple[str, Callable[[], str]]]:
    """How each product of a comparison is made, by file."""
    names, builds = zip(*map(named_build, arguments), strict=True)
    words = [
        ",".join(map(str, FILES[name])) + argument.removeprefix(name)
        for name, argument in zip(names, arguments, strict=True)
    ]
    compared = partial(say, "compare", *words, "--top", 10)
    yield "table.txt", lambda: compared().text
    yield "markdown.md", lambda: compared("--format", "markdown", *_checks()).text
    yield "against.txt", lambda: say("findings", *FILES[names[0]], "--against", words[1]).text
    try:
        comparison = compare_runs([opened(name) for name in names], names=arguments, builds=builds)
    except TrtlensError:  # table.txt says why
        return
    yield "changes.csv", lambda: table_text(change_table(comparison))
    yield "regions.csv", lambda: table_text(region_table(comparison))
    yield "side-by-side.csv", lambda: table_text(side_by_side(comparison), _TABLE_ROWS)
    yield "settings.csv", lambda: table_text(settings_table(comparison))
    subjects = [
        read_subject(opened(name), argument, build)
        for name, argument, build in zip(names, arguments, builds, strict=True)
    ]
    yield "cards.html", lambda: html_text("".join(_cards(comparison, subjects)))
    groups = group_findings(subjects)
    yield "verdict.html", lambda: html_text(verdict(subjects, groups, Compared(comparison, None)))
    yield "findings.html", lambda: html_text(finding_list(groups, subjects))
    runs = {subject.name: subject.run for subject in subjects}
    for chart in charts_of_runs():
        yield f"charts/{chart.name}.txt", partial(_drawn, partial(chart.draw_from, runs))
    for chart in charts_of_comparison():
        for number in comparison.others:
            yield (
                f"charts/{chart.name}-{number}.txt",
                partial(_drawn, partial(chart.draw_from, comparison, number=number)),
            )


def _drawn(draw: Callable[[], Figure]) -> str:
    """A chart as text, or why there is none."""
    try:
        return figure_text(draw())
    except MissingData as missing:
        return f"{missing}\n"


def _cards(comparison: Comparison, subjects: Sequence[Subject]) -> Iterator[str]:
    compared = Compared(comparison, None)
    for place in range(1, len(subjects)):
        yield card(subjects[place], place, subjects[0], compared.mismatches(subjects, place))


def _checks() -> list[str]:
    """Every quantity, held against a limit as a value and as a change."""
    return [word for name in QUANTITIES for limit in ("> 0", "> +0") for word in ("--fail-on", f"{name} {limit}")]

"""The run that all others are held against: the first, or any that the reader chooses on the page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from trtlens.charts import charts_of_comparison
from trtlens.charts.figures.regions import main_layer
from trtlens.comparison.headlines import tell
from trtlens.comparison.result_tables import change_table, region_table, settings_table
from trtlens.output import visible
from trtlens.report.against import against
from trtlens.report.encoding import encode_table
from trtlens.report.markup import text
from trtlens.report.payload import Compared, compare, drawn

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.comparison.comparison import Comparison
    from trtlens.report.subject import Subject

MOST_CHOICES = 6
"""Most runs of which each can be chosen: every choice is a comparison of all runs on the page."""
_LEAD_CHANGES = ("run", "diff_ms", "words", "label", "region_diff_ms", "verdict")
_LEAD_REGIONS = ("region", "run", "label", "time_ms", "diff_ms", "verdict", "why", "precision", "unit")


def comparisons(subjects: Sequence[Subject]) -> list[Compared]:
    """All runs compared with each that can be the baseline, the first run's comparison first."""
    choices = len(subjects) if len(subjects) <= MOST_CHOICES else 1
    return [compare(subjects, place) for place in range(choices)] if len(subjects) > 1 else []


def baseline_choice(subjects: Sequence[Subject]) -> str:
    """The control that chooses the baseline; empty where there is none to choose."""
    if not 1 < len(subjects) <= MOST_CHOICES:
        return ""
    options = "".join(f'<option value="{place}">{text(one.name)}</option>' for place, one in enumerate(subjects))
    return f'<label class="baseline">Baseline <select id="baseline">{options}</select></label>'


def sentences(compared: Compared) -> list[dict[str, Any]]:
    """What the comparison says, by its headings; why there is none."""
    if compared.comparison is None:
        told = f"The runs could not be compared: {compared.reason}"
        return [{"title": "No comparison", "run": None, "sentences": [visible(told)]}]
    return [
        {"title": visible(part.title), "run": part.run, "sentences": [visible(one) for one in part.sentences]}
        for part in tell(compared.comparison)
    ]


def sentences_html(told: Sequence[dict[str, Any]]) -> str:
    """The same as HTML, which needs no script."""
    blocks = "".join(
        f"<div class='told' data-of='{'' if part['run'] is None else part['run']}'><h3>{text(part['title'])}</h3><ul>{''.join(f'<li>{text(one)}</li>' for one in part['sentences'])}</ul></div>"
        for part in told
    )
    return f'<div id="told">{blocks}</div>'


def comparison_data(compared: Compared, subjects: Sequence[Subject]) -> dict[str, Any]:
    """Sentences, figures for each run compared with the baseline, the tables of all, and a line for each run's card."""
    lines = [
        None if place == compared.baseline
        else against(one, subjects[compared.baseline], compared.mismatches(subjects, place))
        for place, one in enumerate(subjects)
    ]  # fmt: skip
    told = {
        "told": sentences(compared),
        "against": [None if one is None else [visible(one.words), one.verdict, one.meaning] for one in lines],
    }
    comparison = compared.comparison
    if comparison is None:
        return {**told, "refused": True, "figures": [{} for _ in subjects], "tables": {}}
    figures = [
        {} if number == comparison.baseline
        else {chart.name: drawn(partial(chart.draw_from, comparison, number)) for chart in charts_of_comparison()}
        for number in range(len(subjects))
    ]  # fmt: skip
    tables = {
        "changes": _of_regions(comparison, change_table(comparison), _LEAD_CHANGES),
        "compare": _of_regions(comparison, region_table(comparison), _LEAD_REGIONS),
        "settings": encode_table(settings_table(comparison)),
    }
    return {**told, "figures": figures, "tables": tables}


def _of_regions(comparison: Comparison, table: pa.Table, leading: Sequence[str]) -> dict[str, Any]:
    """A table of rows by run and region, leading columns first; ``picks`` are the layers that the rows select."""
    layers = {
        (name, row.number): main_layer(row, comparison, number)
        for number, name in enumerate(comparison.names) for row in comparison.rows
    }  # fmt: skip
    rows = zip(table["run"].to_pylist(), table["region"].to_pylist(), strict=True)
    names = [*leading, *(name for name in table.column_names if name not in leading)]
    return {**encode_table(table.select(names)), "picks": [layers.get(row) for row in rows]}

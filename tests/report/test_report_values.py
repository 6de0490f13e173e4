"""What the report computes for its page: shares, the order of findings, colours, columns."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.doubles.made_runs import MadeRun, chain
from trtlens.charts.drawing.style import GREY, colour
from trtlens.findings.finding import COLUMNS
from trtlens.report import read_subject
from trtlens.report.finding_list import group_findings
from trtlens.report.overview import card
from trtlens.report.payload import page_data, run_data
from trtlens.report.sections import SECTIONS, section_html
from trtlens.views import VIEWS

if TYPE_CHECKING:
    import pyarrow as pa

    from trtlens.report.subject import Subject
    from trtlens.runs.run import Run


@dataclass(frozen=True)
class Stub:
    """A run's subject of which one view says something else."""

    of: Subject
    views: dict[str, pa.Table] = field(default_factory=dict)

    def view(self, name: str) -> pa.Table:
        """The view given, else the run's own."""
        return self.views[name] if name in self.views else self.of.view(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.of, name)


def half_timed() -> Run:
    """Ten layers in FP16 on tensor cores with a time, and one in FP32 on CUDA cores without one."""
    layers = [*chain(*"abcdefghij"), *chain("k", precision="fp32", unit="cuda core")]
    return MadeRun(layers, profile=dict.fromkeys("abcdefghi", 0.1) | {"j": 0.1}).run()


def test_shares_are_of_the_time_where_any_layer_has_one() -> None:
    """A kind of layers without a time takes no share of it; a share has a decimal below 10 % alone."""
    told = unescape(re.sub(r"<[^>]*>", " ", card(read_subject(half_timed()), 0, None)))
    assert "Compute precision, share of the time of the layers" in told
    assert "Core type, share of the time of the layers that compute" in told
    layers = [*chain("a", precision="fp32"), *chain(*"bcdefghij")]
    told = card(read_subject(MadeRun(layers).run()), 0, None)
    assert "fp32: 1 layer, 10 %" in told
    assert "fp16: 9 layers, 90 %" in told


def in_order(*rows: dict[str, Any]) -> list[str]:
    """Codes of these findings in the page's order."""
    row = {"build": 1, "severity": "low", "title": "t", "text": "x", "confidence": "high", "evidence": [], "layers": []}
    table = COLUMNS.of_rows([{**dict.fromkeys(c.name for c in COLUMNS.columns), **row, **one} for one in rows])
    groups = group_findings([cast("Subject", Stub(read_subject(MadeRun([]).run()), {"findings": table}))])
    return [group.rule.code for group in groups]


def test_findings_of_one_cost_stand_in_the_order_of_their_codes() -> None:
    """The page does not depend on the order in which rules are asked."""
    codes = ["unstable-choice", "constants-copied", "fp16-weights"]
    assert in_order(*({"code": code} for code in codes)) == sorted(codes)


def test_what_costs_more_of_a_build_stands_first() -> None:
    """Of findings about the build that with more seconds at stake, whatever their codes."""
    assert in_order({"code": "constants-copied", "at_stake_s": 1.0}, {"code": "unstable-choice", "at_stake_s": 2.0}) == [
        "unstable-choice", "constants-copied",
    ]  # fmt: skip


def test_every_precision_has_its_colour() -> None:
    """Grey stands for what is not known alone."""
    colours = page_data([], {})["colours"]
    assert colours["unknown"] == GREY
    assert {name: one for name, one in colours.items() if name != "unknown"} == {
        name: colour(name) for name in colours if name != "unknown"
    }
    assert GREY not in {colours[name] for name in ("fp32", "fp16", "int8")}


@pytest.mark.parametrize(("table", "without"), [("layers", {"build"}), ("tensors", {"build", "location", "line"})])
def test_the_page_has_one_build_and_needs_no_column_for_it(table: str, without: set[str]) -> None:
    """Columns that say the same in every row are left out, all others are there."""
    run = half_timed()
    shown = {column["name"] for column in run_data(read_subject(run))["tables"][table]["columns"]}
    whole = run["layer_tensors"] if table == "tensors" else run.view(table)
    assert shown == {*whole.column_names} - without


def test_tables_open_with_what_costs_most() -> None:
    """A view that names a column has its table sorted by it, and tactics by what the fastest one would save."""
    page = "".join(section_html(section, scope="run") for section in SECTIONS)
    sorted_by = dict(re.findall(r'data-table="(\w+)"[^>]*? data-sort="(\w+)"', page))
    assert sorted_by["tactics"] == "regret_ms"
    assert sorted_by.items() >= {
        (name, view.largest_first)
        for name, view in VIEWS.items()
        if view.largest_first and f'data-table="{name}"' in page
    }

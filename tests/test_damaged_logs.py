"""Logs that are damaged, cut or odd: every command answers, and says nothing that the log does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.doubles.made_logs import log, run_of
from trtlens.findings import find
from trtlens.report import render
from trtlens.report.overview import card
from trtlens.report.subject import read_subject
from trtlens.summary import summarise
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from trtlens.runs import Run

FIGURES = "[06/29/2023-09:46:56] [I] GPU Compute Time: min = {0} ms, max = {0} ms, mean = {0} ms, median = {0} ms"

NOT_MEASURED = log(
    "[06/29/2020-09:46:56] [I] GPU Compute",
    "[06/29/2020-09:46:56] [I] min: nan ms",
    "[06/29/2020-09:46:56] [I] mean: 2.5 ms",
    "[06/29/2020-09:46:56] [I] median: nan ms",
    "[06/29/2020-09:46:56] [I] throughput: 0 qps",
)
NO_INPUTS = log("Engine Layer Information:", "Layer(Constant): c, Tactic: 0,  -> [Float(1,1)]")
LARGE = 2**63
LARGE_EXTENTS = log(
    "Engine Layer Information:",
    f"Layer(NoOp): a, Tactic: 0, x (Half[{LARGE}]) -> y (Half[{LARGE - 1}])",
    f"Layer(NoOp): b, Tactic: 0, y (Half[{2**40},{2**40}]) -> z (Half[1,{LARGE}:8])",
)
ODD = {"not measured": NOT_MEASURED, "no inputs": NO_INPUTS, "large extents": LARGE_EXTENTS}


def facts_of(run: Run) -> dict[str, str]:
    """The summary's lines of a run's last build, by label."""
    return {fact.label: fact.value for fact in summarise(run)[-1].facts}


@pytest.mark.parametrize("odd", ODD)
def test_every_command_answers(odd: str) -> None:
    """Every view, the findings, the summary and the report of an odd log are made without an exception."""
    run = run_of(ODD[odd])
    for name in VIEWS:
        run.view(name)
    find(run)
    summarise(run)
    assert render([read_subject(run)])


def test_a_figure_that_is_no_number_is_left_out() -> None:
    """7.0 prints ``0 qps`` and later versions ``nan ms``: the next figure of the metric speaks, or none does."""
    run = run_of(NOT_MEASURED)
    facts = facts_of(run)
    assert facts["GPU compute"] == "2.50 ms (mean)"
    assert "throughput" not in facts
    assert "2.50<small> ms" in card(read_subject(run), 0, None)


@pytest.mark.parametrize("value", ["nan", "inf", "-nan(ind)"])
def test_no_figure_at_all(value: str) -> None:
    """Where no figure is a number, neither the summary nor the report states one."""
    run = run_of(log(FIGURES.format(value)))
    assert "GPU compute" not in facts_of(run)
    assert "no timings in this run" in card(read_subject(run), 0, None)


def test_layers_without_inputs_have_none_to_show() -> None:
    """A view's column of inputs is null where no layer reads anything, whatever other layers there are."""
    (row,) = run_of(NO_INPUTS).view("layers").to_pylist()
    assert row["inputs"] is None
    assert row["outputs"] == "fp32 [1,1]"


def test_an_extent_that_no_tensor_has_is_unknown() -> None:
    """A number beyond 64 bits is null, and so is a size in bytes that no memory has; the other extents stand."""
    rows = run_of(LARGE_EXTENTS)["layer_tensors"].to_pylist()
    assert [row["dims"] for row in rows] == [[None], [LARGE - 1], [2**40, 2**40], [1, None]]
    assert [row["bytes"] for row in rows] == [None] * 4

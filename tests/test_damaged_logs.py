"""Logs that are damaged, cut or odd: every command answers, and says nothing that the log does not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.doubles.made_logs import PREFIX, line_of, log, run_of
from trtlens.findings import find
from trtlens.report import render
from trtlens.report.overview import card
from trtlens.report.subject import read_subject
from trtlens.runs.ingest import Document, join_documents
from trtlens.runs.run import Run
from trtlens.summary import summarise
from trtlens.views import VIEWS
from trtlens_parsers.log import LogReader, read_log
from trtlens_parsers.message_store import Message

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


# -- every line twice ----------------------------------------------------------------------------------------------

SMALL = (Path(__file__).parents[1] / "fixtures" / "small-build" / "verbose.log").read_text()


def rows_without_lines(run: Run) -> dict[str, list[dict[str, object]]]:
    """Every table but how lines were read, without numbers of lines."""
    tables = {name: run[name].to_pylist() for name in run if name != "reading"}
    for rows in tables.values():
        for row in rows:
            for column in [name for name in row if name.endswith("line") or name == "lines"]:
                del row[column]
    return tables


def doubled(text: str, second: str | None = None) -> str:
    """The log of a logger with two handlers: each message twice, a message being a line with what continues it."""
    messages = re.findall(r"^\[.*\n(?:[^\[\n].*\n)*", text, re.MULTILINE)
    assert "".join(messages) == text
    return "".join(one + (one if second is None else one.replace(PREFIX, second)) for one in messages)


@pytest.mark.parametrize("second", [None, "[V] [TRT] "])
@pytest.mark.parametrize("preamble", ["", "fetched 12 objects\n" * 900])
def test_a_log_with_every_message_twice_is_read_once(second: str | None, preamble: str) -> None:
    """Two handlers on one logger: one build with its rows once, and the second copies counted."""
    once, twice = run_of(preamble + SMALL), run_of(preamble + doubled(SMALL, second))
    assert rows_without_lines(twice) == rows_without_lines(once)
    counts = {row["kind"]: row["lines"] for row in twice["reading"].to_pylist()}
    assert counts["doubled"] == SMALL.count("\n")
    assert twice["layers"]["line"].to_pylist()[0] == preamble.count("\n") + line_of(doubled(SMALL, second), "Layer(")


def test_messages_that_repeat_are_no_second_copies() -> None:
    """A log that says some things twice, or one thing a thousand times, loses none of it."""
    for text in (
        SMALL + SMALL,
        log(*["Setting a default quantization params because quantization data is missing for "] * 500),
    ):
        assert "doubled" not in run_of(text)["reading"]["kind"].to_pylist()


def test_a_log_of_no_known_form_is_said_to_be_that() -> None:
    """Where most lines are unread, nothing is concluded from what is missing."""
    run = run_of("Original: 3 layers\n" + "".join(f"<{n}> dbg: {n * 7919 % 97} {{}}\n" for n in range(50)))
    facts = facts_of(run)
    assert facts["log"].startswith("not understood: 50 of 51 lines")
    assert "50 of 51 lines" in facts["engine"]
    assert "not understood" not in facts_of(run_of(SMALL + "<1> dbg\n")).get("log", "")


# -- many messages -------------------------------------------------------------------------------------------------

WARNING = PREFIX.replace("[V]", "[W]")


def test_messages_beyond_a_bound_are_counted() -> None:
    """Memory is bounded for a log of nothing but warnings; what is not kept is counted by what it means."""
    reader = LogReader()
    reader._builds.current.messages.budget.messages = 10
    scale = "Missing scale and zero-point for tensor t{}, expect fall back to non-int8 implementation"
    reader.feed("".join(f"{WARNING}{scale.format(n)}\n{WARNING}odd {n}\n" for n in range(20)).encode())
    messages = reader.finish().builds[0].messages
    assert [message.occurrences for message in messages] == [1] * 10 + [15, 15]
    assert [message.code for message in messages[-2:]] == [messages[0].code, None]
    assert messages[-1].text == "15 more like this were not kept, the first on line 12: odd 5"
    assert messages[-1].line == 12


def test_a_message_that_is_not_kept_takes_its_further_lines_along() -> None:
    """What a message is of is told by all of its lines, whether there is room for it or not."""
    reader = LogReader()
    reader._builds.current.messages.budget.messages = 0
    reader.feed(f"{WARNING}Refused (because\nof this)\n{WARNING}other\n".encode())
    log_read = reader.finish()
    (message,) = log_read.builds[0].messages
    assert (message.occurrences, message.severity) == (2, "warning")
    assert log_read.reading.counts["tensorrt"] == 3


def test_what_is_counted_is_counted_everywhere() -> None:
    """The view and the summary give the number of messages in the log, not of rows."""
    rows = [
        Message("warning", None, "odd", None, None, 1),
        Message("warning", None, "odd", None, None, 2, occurrences=41),
    ]
    parsed = read_log(f"{WARNING}odd\n".encode())
    run = Run(
        "made.log",
        join_documents([Document("-", replace(parsed, builds=(replace(parsed.builds[0], messages=tuple(rows)),)))]),
    )
    (row,) = run.view("messages").to_pylist()
    assert row["count"] == 42
    assert summarise(run)[0].messages == (("warning", "-", 42, "odd"),)


def test_a_message_of_a_megabyte_is_kept_in_part() -> None:
    """The beginning of a message says what it means."""
    (message,) = read_log(f"{WARNING}{'x' * 2**20}\n".encode()).builds[0].messages
    assert len(message.text) == 20_001

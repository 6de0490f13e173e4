"""A log that ends anywhere: nothing is said that the whole log does not say, and nothing is read of half a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.doubles.made_logs import (
    INT8_BUILD,
    PREFIX,
    WORKSPACE_BUILD,
    header,
    log,
    run_of,
    runner,
    strategies_build,
    tactic,
)
from trtlens.summary import summarise
from trtlens_parsers.log import read_log

FIXTURES = Path(__file__).parents[1] / "fixtures"
BANNER = "&&&& {0} TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=a.onnx --fp16"
WHOLE = {
    "8.6": (FIXTURES / "small-build" / "verbose.log").read_text(),
    "6.0": (FIXTURES / "layer-information-6.0" / "verbose.log").read_text(),
    "8.6 with int8": INT8_BUILD,
    "8.4": WORKSPACE_BUILD,
    "10.16 with strategies": strategies_build(),
    "trtexec": "\n".join((
        BANNER.format("RUNNING"),
        "[11/20/2026-22:01:25] [I] === Build Options ===",
        "[11/20/2026-22:01:25] [I] Precision: FP32+FP16",
        "[11/20/2026-22:01:25] [I] Engine built in 11.5 sec.",
        "[11/20/2026-22:01:25] [I] === Performance summary ===",
        "[11/20/2026-22:01:25] [I] Throughput: 1250.5 qps",
        "[11/20/2026-22:01:25] [I] GPU Compute Time: min = 1.25 ms, max = 2.5 ms, mean = 1.5 ms, median = 1.375 ms",
        "[11/20/2026-22:01:25] [I] === Profile (781 iterations ) ===",
        "[11/20/2026-22:01:25] [I]    Time(ms)     Avg.(ms)   Median(ms)   Time(%)   Layer",
        "[11/20/2026-22:01:25] [I]      135.15       0.0093       0.0092       1.8   conv1 + relu",
        "[11/20/2026-22:01:25] [I]      135.15       0.0093       0.0092       1.8   Total",
        BANNER.format("PASSED"),
        "",
    )),
}  # fmt: skip


@settings(max_examples=120)
@given(name=st.sampled_from(sorted(WHOLE)), part=st.floats(0, 1))
def test_half_a_line_says_nothing(name: str, part: float) -> None:
    """A log cut inside a line says what it says when cut at that line's beginning; the half line is counted."""
    data = WHOLE[name].encode()
    cut = round(part * len(data))
    begin = data.rfind(b"\n", 0, cut) + 1
    half, whole_lines = read_log(data[:cut]), read_log(data[:begin])
    assert [_said(build) for build in half.builds] == [_said(build) for build in whole_lines.builds]
    assert _severities(half)[: len(_severities(whole_lines))] == _severities(whole_lines)
    assert half.reading.counts["unfinished"] == bool(data[begin:cut].strip())
    assert half.reading.lines == whole_lines.reading.lines + (cut > begin)


def _severities(read: Any) -> list[tuple[Any, ...]]:
    return [(message.line, message.severity) for build in read.builds for message in build.messages]


def _said(build: Any) -> dict[str, Any]:
    return {name: getattr(build, name) for name in build.__slots__ if name not in _OPEN_ENDED} | {
        "tactics": (build.tactics.lines, build.tactics.codes, repr(build.tactics.times_ms), build.tactics.remarks)
    }


_OPEN_ENDED = {"last_line", "tactics", "messages", "run"}
"""What half a line can say: that it is a warning or an error, and how trtexec ended."""

TORN = {
    "a time": ("Tactic: 0x00000000000003e8 Time: 0.", "candidates"),
    "a fusion": ("ConvReluFusion: Fusing conv1 with relu, rea", "fusions"),
    "a layer": ("Layer(Reformat): a, Tactic: 0x0000000000000000, x (Half[1,2]) -> y (Half[1,2])", "layers"),
    "a node": ("conv1 [Conv] outputs: [conv1_out -> (8, 64, 112", "nodes"),
    "a pass": ("After vertical fusions: 2", "passes"),
    "a size": ("Total Activation Memory: 264", "builds"),
}


@pytest.mark.parametrize("torn", TORN)
def test_a_line_without_its_end_is_no_fact(torn: str) -> None:
    """The last line of a log that breaks off may end inside a number or a name: it becomes no row, and is shown as it is."""
    text, table = TORN[torn]
    before = log("Building graph using backend strategy 0", "=============== Computing costs for conv1")
    whole, cut = run_of(before), run_of(before + PREFIX + text)
    assert cut[table].drop_columns(["last_line"] if table == "builds" else []).to_pylist() == [
        {name: value for name, value in row.items() if name != "last_line"} for row in whole[table].to_pylist()
    ]
    (row,) = [row for row in cut["reading"].to_pylist() if row["kind"] == "unfinished"]
    assert (row["lines"], row["examples"]) == (1, [f"3: {PREFIX}{text}"])


def test_the_beginning_of_a_last_line_says_that_it_is_an_error() -> None:
    """The error that ends a log is kept though its text may be cut; what it means is left open."""
    run = run_of(
        log("Original: 3 layers") + "[11/20/2026-22:01:26] [E] [TRT] 2: Error Code 2: Internal Error (Assertion eng"
    )
    (row,) = run["messages"].to_pylist()
    assert (row["severity"], row["code"], row["text"]) == (
        "error",
        None,
        "2: Error Code 2: Internal Error (Assertion eng",
    )


@pytest.mark.parametrize("state", ["PASSED", "FAILED"])
def test_the_beginning_of_a_last_line_says_how_trtexec_ended(state: str) -> None:
    """A log without a line end behind trtexec's last line was not cut off while it ran; the rest of the line is not read."""
    (row,) = run_of(f"{BANNER.format('RUNNING')}\n{BANNER.format(state)[:40]}")["builds"].to_pylist()
    assert (row["state"], row["command"]) == (state, "trtexec --onnx=a.onnx --fp16")


# -- cut between lines ---------------------------------------------------------------------------------------------

_SUMS = {"builds", "reading", "phases"}
"""Tables whose rows sum up what was read so far."""
_FORMATS = ("build", "layer", "input_formats", "output_formats")
_OPEN = {"runners": (*_FORMATS, "runner"), "combinations": (*_FORMATS, "line")}
"""Tables whose last row is still being filled where the log ends, with the columns that are whole from its first line on."""


@pytest.mark.parametrize("name", WHOLE)
def test_a_log_cut_at_a_line_says_nothing_else_than_the_whole(name: str) -> None:
    """Every row of a log cut behind any of its lines is one of the whole log's, with values left out at most."""
    lines = WHOLE[name].splitlines(keepends=True)
    whole = {table: rows.to_pylist() for table, rows in run_of("".join(lines)).tables.items()}
    for count in range(1, len(lines), max(len(lines) // 12, 1)):
        cut = run_of("".join(lines[:count]))
        for table in sorted(whole.keys() - _SUMS):
            rows = cut[table].to_pylist()
            for row in rows:
                if table in _OPEN and row is rows[-1]:
                    row = {name: row[name] for name in _OPEN[table]}  # noqa: PLW2901
                assert any(_is_part(row, other) for other in whole[table]), (table, count, row)


def _is_part(row: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(
        value is None
        or value == other[name]
        or name == "last_line"
        or (name == "text" and other[name].startswith(value))
        for name, value in row.items()
    )


@pytest.mark.parametrize("behind", [0, 1])
def test_what_the_tuner_would_try_next_is_not_called_cached(behind: int) -> None:
    """A format header without a runner means that the cache answered, but not where the log ends behind it."""
    headers = [header(f"Half({8 * n},8:8,8,8) -> Half(8,8:8,8,8)") for n in (1, 2)]
    text = log("=============== Computing costs for ", *headers, *[runner("conv"), tactic("k", 1, 0.5)][: 2 * behind])
    outcomes = run_of(text)["combinations"]["outcome"].to_pylist()
    assert outcomes == ["not shown", "timed" if behind else "cut off"]
    done = log("Formats and tactics selection completed in 1 seconds.")
    assert run_of(text + done)["combinations"]["outcome"].to_pylist() == [
        "not shown",
        "timed" if behind else "not shown",
    ]


# -- the list of an engine's layers --------------------------------------------------------------------------------

ROW = "Layer(CaskConvolution): conv{0}, Tactic: 0x{0:016x}, x{0} (Float[1,8]) -> x{1} (Float[1,8])"
DETAILED = (
    "Name: conv{0}, LayerType: CaskConvolution, Inputs: [ {{ Name: x{0}, Dimensions: [1,8], Format/Datatype: Half }}], "
    "Outputs: [ {{ Name: y{0}, Dimensions: [1,8], Format/Datatype: Half }}], TacticName: k, TacticValue: 0x0000000000000001"
)
COUNTED = ("Original: 9 layers", "After reformat layers: 4 layers", "Engine generation completed in 2 seconds.")
BEHIND = "[MemUsageChange] TensorRT-managed allocation in building engine: CPU +0, GPU +1, now: CPU 0, GPU 1 (MiB)"


def listing(rows: int, *behind: str, counted: tuple[str, ...] = COUNTED) -> str:
    """A log whose list of layers has that many rows."""
    return log(*counted, "Engine Layer Information:", *(ROW.format(n, n + 1) for n in range(rows))) + "".join(
        f"{line}\n" if line in OUTSIDE else log(line) for line in behind
    )


OUTSIDE = ("Killed", "line 1: 4711 Segmentation fault (core dumped) trtexec --onnx=a.onnx", "Succeeded!")
LISTS = {
    "whole": (listing(4, BEHIND), True, 4, None),
    "whole, and the log ends": (listing(4), True, 4, None),
    "cut": (listing(3), False, 4, "the log lists 3 of the 4 layers that the builder counted"),
    "cut at once": (listing(0), False, 4, None),
    "cut, and the shell says why": (listing(3, OUTSIDE[0]), False, 4, "the log lists 3 of the 4 layers that the builder counted"),
    "lines missing in the middle": (listing(3, BEHIND), False, 4, "the log lists 3 of the 4 layers that the builder counted"),
    "not counted": (listing(3, BEHIND, counted=COUNTED[2:]), True, 3, None),
    "not counted, another program behind": (listing(3, OUTSIDE[2], counted=COUNTED[2:]), True, 3, None),
    "not counted and cut": (listing(3, counted=COUNTED[2:]), False, None, "the log ends in the list of the engine's layers, behind 3 rows"),
    "not counted and killed": (listing(3, OUTSIDE[1], counted=COUNTED[2:]), False, None, "the log ends in the list of the engine's layers, behind 3 rows"),
    "no list": (log(*COUNTED), False, 4, None),
    "no list though the log goes on": (log(*COUNTED, BEHIND), True, 4, None),
    "no list at info level": (log(COUNTED[2]), True, None, None),
    "another strategy begun": (log(*COUNTED, "Building graph using backend strategy 2", "Original: 9 layers"), False, 4, None),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_layers_is_whole_where_it_ends_and_its_count_agrees(name: str) -> None:
    """A log that is cut inside the engine's layers is not taken for a whole one; the count is the builder's, or unknown."""
    text, complete, count, note = LISTS[name]
    row = run_of(text)["builds"].to_pylist()[0]
    assert (row["complete"], row["layer_count"], row["layers_note"]) == (complete, count, note)


def test_the_summary_says_that_layers_are_missing() -> None:
    """The number of rows does not pass for that of the engine's layers."""
    said = {fact.label: fact.value for fact in summarise(run_of(listing(3)))[0].facts}
    assert said["layers"] == "3: 3 CaskConvolution; not all: the log lists 3 of the 4 layers that the builder counted"


def test_eight_zero_lists_no_layer_that_does_nothing() -> None:
    """8.0 counts NoOp layers and leaves them out of the list: fewer rows are no cut where the list has an end."""
    version = "[11/20/2026-22:01:26] [I] TensorRT version: 8.0.3"
    assert run_of(log(version) + listing(3, BEHIND))["builds"]["complete"].to_pylist() == [True]
    assert run_of(log(version) + listing(3))["builds"]["complete"].to_pylist() == [False]


def test_a_detailed_list_is_whole_where_it_ends() -> None:
    """Detailed rows are those of a region's parts, too: their number tells nothing, and a cut one leaves the count open."""
    rows = [DETAILED.format(n) for n in range(4)]
    head = log(*COUNTED, "Engine Layer Information:", "Layers:")
    whole = head + "\n".join(rows) + "\n\nBindings:\nx0\n"
    for text, complete, count in (
        (whole, True, 4),
        (head + "\n".join(rows) + "\n", False, None),
        (head + rows[0] + "\n", False, None),
    ):
        row = run_of(text)["builds"].to_pylist()[0]
        assert (row["complete"], row["layer_count"]) == (complete, count)


def test_every_cut_inside_a_list_is_noticed() -> None:
    """Whatever byte a log ends at: it is complete from the end of the last row on, and never says another count."""
    text = listing(4, BEHIND)
    whole = text.index(log(BEHIND))
    for cut in range(text.index("After reformat"), len(text), 7):
        (row,) = run_of(text[:cut])["builds"].to_pylist()
        assert row["complete"] == (cut >= whole), cut
        assert row["layer_count"] in {None, 4}, cut

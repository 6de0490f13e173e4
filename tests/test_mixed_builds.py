"""Two builds whose lines stand mixed in one log, as two threads or two programs write them, are not read as one another."""

from __future__ import annotations

from itertools import chain, zip_longest

import pytest

from tests.doubles.made_logs import GENERATED, PREFIX, header, line_of, log, run_of, runner, tactic
from trtlens.engine.build_ending import MIXED, read_ending
from trtlens.findings import find
from trtlens.summary import summarise

BANNER = "&&&& {0} TensorRT.trtexec [TensorRT v8601] # trtexec --onnx={1}.onnx"
ERROR = f"{PREFIX.replace('[V]', '[E]')}10: [optimizer.cpp::computeCosts::3869] Error Code 10: Internal Error (Could not find any implementation for node conv.)"


def parsed(name: str) -> list[str]:
    """What the parser says of a model."""
    return [
        f"Parsing node: {name} [Conv]",
        f"{name} [Conv] inputs: [x -> (1, 3)[FLOAT]], ",
        f"{name} [Conv] outputs: [{name}_out -> (1, 3)[FLOAT]], ",
    ]


def optimized(layers: int) -> list[str]:
    """What is done to the graph."""
    return [
        f"Original: {layers} layers", f"After dead-layer removal: {layers} layers",
        "Graph construction and optimization completed in 0.1 seconds.", "Constructing optimization profile number 0 [1/1].",
    ]  # fmt: skip


def tuned(name: str) -> list[str]:
    """The tuner's record of a layer."""
    return [
        f"=============== Computing costs for {name}", header("Float(784,784,28,1) -> Float(25088,784,28,1)"),
        runner(name), tactic("kernel", 1, 0.5), tactic("other", 2, 0.75),
    ]  # fmt: skip


def generated(name: str) -> list[str]:
    """How the engine comes to be, and its one layer."""
    return [
        "Formats and tactics selection completed in 1.5 seconds.", "After reformat layers: 1 layers",
        "Total Activation Memory: 100", "Engine generation completed in 2 seconds.", "Engine Layer Information:",
        f"Layer(CaskConvolution): {name}, Tactic: 0x0000000000000001, x (Float[1,3]) -> y (Float[1,3])",
    ]  # fmt: skip


def whole(name: str) -> list[str]:
    """A whole build."""
    return [*parsed(name), *optimized(3), *tuned(name), *generated(name)]


def taking_turns(one: list[str], other: list[str]) -> list[str]:
    """Lines of one and of the other in turn."""
    return [line for line in chain.from_iterable(zip_longest(one, other)) if line is not None]


A, B = whole("conv_a"), whole("conv_b")
TUNER = len(parsed("a")) + len(optimized(1))  # lines above the tuner's
SELECTION = generated("a")
SELECTED = TUNER + len(tuned("a"))
TWO_AT_ONCE = {
    "from the first line on": taking_turns(A, B),
    "the second begins in the tuner's record": A[:TUNER + 3] + taking_turns(B, A[TUNER + 3:]),
    "the second begins where the optimizer does": A[:TUNER + 3] + taking_turns(B[3:], A[TUNER + 3:]),
    "the second is in the graph while the first one's tuner goes on": A[:TUNER + 3] + B[:5] + A[TUNER + 3:TUNER + 5] + B[5:] + A[TUNER + 5:],
    "the second is parsed while the first one's tuner goes on": A[:TUNER + 3] + B[:2] + A[TUNER + 3:] + B[2:],
    "the second begins behind the first one's selection": A[:SELECTED + 1] + B[:6] + A[SELECTED + 1:] + B[6:],
    "the first one's selection ends in the second one's": A[:SELECTED] + B[:SELECTED - 1] + A[SELECTED:] + B[SELECTED - 1:],
    "the second begins behind the first one's engine generation": A[:SELECTED + 4] + B[:6] + A[SELECTED + 4:] + B[6:],
    "the second is whole within the first one's graph": A[:5] + B + A[5:],
    "an engine that is loaded while the second is optimized": A[:TUNER + 3] + B[:5] + ["Loaded engine size: 1 MiB"] + A[TUNER + 3:] + B[5:],
    "a log that ends before the second one's graph does": A[:TUNER + 3] + B[:5] + A[TUNER + 3:TUNER + 5],
    "a log that ends behind the first one's selection": A[:TUNER + 3] + B[:SELECTED] + A[TUNER + 3:SELECTED + 1] + B[SELECTED - 1:SELECTED],
    "two programs": [BANNER.format("RUNNING", "a"), *A[:TUNER + 3], BANNER.format("RUNNING", "b"),
        *taking_turns(B, A[TUNER + 3:]), BANNER.format("PASSED", "a"), BANNER.format("PASSED", "b")],
}  # fmt: skip
EMPTY = (
    "candidates", "runners", "combinations", "choices", "layers", "layer_tensors", "passes", "nodes", "fusions", "totals",
    "memory", "phases", "performance", "options",
)  # fmt: skip


@pytest.mark.parametrize("mixed", TWO_AT_ONCE.values(), ids=TWO_AT_ONCE)
def test_two_builds_at_once_say_nothing_of_either(mixed: list[str]) -> None:
    """Both have the line that shows it, no rows, and an end that is not known; the summary says what happened and what to do."""
    run = run_of(log(*mixed))
    rows = run["builds"].to_pylist()
    assert [row["build"] for row in rows] == [1, 2]
    line = rows[0]["mixed_line"]
    assert line is not None
    assert rows[1]["first_line"] <= line <= len(mixed)
    for row in rows:
        assert row["mixed_line"] == line
        assert (row["is_build"], row["finished"], row["complete"], row["state"]) == (True, None, None, None)
        assert (row["layer_count"], row["tactic_selection_s"], row["activation_bytes"]) == (None, None, None)
    assert {name: run[name].num_rows for name in EMPTY if run[name].num_rows} == {}
    for summary in summarise(run):
        assert summary.facts == ()
        assert f"mixed, as line {line} shows" in summary.answer
        assert "logger that writes a file of its own" in summary.answer


ENDS, LOADED = GENERATED[0], "Loaded engine size: 1 MiB"
OUT_OF_ORDER = {
    "a pass behind an engine": [*A[:5], *B, "After vertical fusions: 3 layers"],
    "a profile twice": [*A[:5], *B[:TUNER], B[TUNER - 1]],
    "a selection twice": [*A[:SELECTED], *B[:SELECTED + 1], SELECTION[0]],
    "a selection within the graph's passes": [*A[:SELECTED], *B[:5], SELECTION[0]],
    "an engine without a selection": [*A[:SELECTED + 2], *B[:TUNER], ENDS],
    "an engine twice": [*A[:SELECTED + 3], *B[:SELECTED + 4], ENDS],
    "layers without an engine": [*A[:SELECTED + 4], *B[:TUNER], GENERATED[1]],
}  # fmt: skip


@pytest.mark.parametrize("texts", OUT_OF_ORDER.values(), ids=OUT_OF_ORDER)
def test_one_line_out_of_order_is_enough(texts: list[str]) -> None:
    """The last line is the first build's, as no other before it."""
    assert run_of(log(*texts))["builds"]["mixed_line"].to_pylist() == [len(texts)] * 2
    assert run_of(log(*texts[:-1]))["builds"]["mixed_line"].to_pylist() == [None] * 2


def test_builds_that_end_while_the_first_goes_on_are_mixed_too() -> None:
    """Whatever stands between two parts of one build can hold lines of it."""
    rows = run_of(log(*A[: TUNER + 3], *B, *whole("conv_c"), *A[TUNER + 3 :]))["builds"].to_pylist()
    assert [row["mixed_line"] is None for row in rows] == [False, False, False]


def test_two_programs_at_info_level_are_told_by_their_last_lines() -> None:
    """Behind a run without an end, and one that has one, a last line without its first one is the other one's."""
    text = "\n".join((
        BANNER.format("RUNNING", "a"), BANNER.format("RUNNING", "b"),
        f"{PREFIX}Engine generation completed in 1 seconds.", BANNER.format("PASSED", "a"),
        f"{PREFIX}Engine generation completed in 2 seconds.", BANNER.format("PASSED", "b"),
        BANNER.format("RUNNING", "c"), f"{PREFIX}Engine generation completed in 3 seconds.", BANNER.format("PASSED", "c"), "",
    ))  # fmt: skip
    rows = run_of(text)["builds"].to_pylist()
    assert [row["mixed_line"] for row in rows] == [6, 6, 6, None]
    assert [row["engine_generation_s"] for row in rows] == [None, None, None, 3.0]


NEXT = {
    "program": [BANNER.format("RUNNING", "c"), *A, BANNER.format("PASSED", "c")],
    "build": A,
}


@pytest.mark.parametrize("texts", NEXT.values(), ids=NEXT)
def test_what_comes_behind_two_programs_is_read_again(texts: list[str]) -> None:
    """Both have ended where as many last lines stand as first ones."""
    run = run_of(log(*TWO_AT_ONCE["two programs"], *texts))
    assert [row["mixed_line"] is None for row in run["builds"].to_pylist()] == [False, False, True]
    assert run["layers"]["build"].to_pylist() == [3]


def test_what_comes_behind_two_builds_of_a_program_is_not_told_from_them() -> None:
    """Nothing says that both have ended."""
    rows = run_of(log(*TWO_AT_ONCE["from the first line on"], *whole("conv_c")))["builds"].to_pylist()
    assert [row["mixed_line"] is None for row in rows] == [False, False]


def test_an_engine_that_is_loaded_while_one_is_optimized_ends_no_build() -> None:
    """A second thread can use an engine; the builder's next lines are still of the build that is open."""
    run = run_of(log(*A[:5], LOADED, "Local timing cache in use. Profiling results will not be stored.", *A[5:]))
    assert [(row["build"], row["finished"]) for row in run["builds"].to_pylist()] == [(1, True)]
    assert run["layers"].num_rows == 1


def test_messages_are_kept_and_the_finding_names_the_line() -> None:
    """A warning is shown whoever said it; the finding's evidence is the line out of order."""
    warning = f"{PREFIX.replace('[V]', '[W]')}Weights [name=a] had the following issues when converted to FP16:"
    text = log(*A[: TUNER + 3], *B[:4], warning, *taking_turns(B[4:], A[TUNER + 3 :]))
    run = run_of(text)
    assert run["messages"]["line"].to_pylist() == [line_of(text, "[W]")]
    ending = read_ending(run, 2)
    assert ending is not None
    assert (ending.state, ending.lines) == (MIXED, (run["builds"]["mixed_line"][1].as_py(),))
    found = [one for one in find(run) if one.rule.code == "build-not-finished"]
    assert [one.build for one in found] == [1, 2]
    evidence = [(row.line, row.text) for one in found for row in one.finding.evidence]
    assert evidence == [(ending.lines[0], "a line out of a build's order")] * 2


ONE_AFTER_THE_OTHER = {
    "whole": A + B,
    "the first is cut in the tuner's record": A[:TUNER + 4] + B,
    "the first is cut behind its selection": A[:SELECTED + 1] + B,
    "the first is cut before its layers": A[:SELECTED + 4] + B,
    "both are cut": A[:TUNER + 4] + B[:TUNER + 4],
    "the second is cut in the graph": A[:TUNER + 4] + B[:5],
    "the first fails": [*A[:TUNER + 3], ERROR, *B],
    "the first fails, the second lacks the graph's end": [*A[:TUNER + 3], ERROR, *B[:5], *tuned("conv_b")],
    "the first program fails, the second build lacks the graph's end":
        [BANNER.format("RUNNING", "a"), *A[:TUNER + 3], BANNER.format("FAILED", "a"), *B[:5], *tuned("conv_b")],
    "the first engine is loaded, the second's end is missing": [*A[:SELECTED + 4], LOADED, *B[:5], GENERATED[1]],
    "no end of the graph": [*A[:5], *B[:5], *tuned("conv_b"), *generated("conv_b")],
    "without a model's parser": A[3:] + B[3:],
    "without a model's parser, the first cut": A[3:TUNER + 4] + B[3:],
    "two profiles behind a cut build": A[:TUNER + 4] + B[:SELECTED + 3] + ["Constructing optimization profile number 1 [2/2].",
        *tuned("conv_b"), *generated("conv_b")],
    "strategies behind a cut build": [*A[:TUNER + 4], *B[:TUNER - 1], "Building graph using backend strategy 4", *B[TUNER - 1:SELECTED + 4],
        "Building graph using backend strategy 2", *B[TUNER - 1:]],
    "a killed program": [BANNER.format("RUNNING", "a"), *A[:TUNER + 3], BANNER.format("RUNNING", "b"), *B, BANNER.format("PASSED", "b")],
    "a killed program, and a last line twice": [BANNER.format("RUNNING", "a"), *A[:TUNER + 3], BANNER.format("RUNNING", "b"), *B,
        BANNER.format("PASSED", "b"), BANNER.format("PASSED", "b")],
    "a last line without its first": [*A, BANNER.format("PASSED", "a"), *B, BANNER.format("PASSED", "b")],
}  # fmt: skip


@pytest.mark.parametrize("texts", ONE_AFTER_THE_OTHER.values(), ids=ONE_AFTER_THE_OTHER)
def test_builds_one_after_the_other_are_not_called_mixed(texts: list[str]) -> None:
    """However the first one ended: cut, killed, failed."""
    assert set(run_of(log(*texts))["builds"]["mixed_line"].to_pylist()) == {None}


def test_a_model_that_is_parsed_behind_a_failed_build_is_the_next_builds() -> None:
    """The nodes of the second model do not stand under the first build."""
    run = run_of(log(*A[: TUNER + 3], ERROR, *B))
    assert [(row["build"], row["name"]) for row in run["nodes"].to_pylist()] == [(1, "conv_a"), (2, "conv_b")]

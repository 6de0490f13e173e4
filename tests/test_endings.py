"""How a build ended is told by what states it, and by nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.conftest import FIXTURES
from tests.doubles.made_logs import GENERATED, INT8_BUILD, header, line_of, log, run_of, runner, tactic
from trtlens.engine.build_ending import CUT, FAILED, FINISHED, INTERRUPTED, KILLED, NOT_SHOWN, Ending, read_ending
from trtlens.runs.run import Run, open_run
from trtlens.runs.run_info import info_of
from trtlens.summary import summarise

ERROR = "[11/20/2026-22:01:26] [E] [TRT] "
PASSED = "&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=m.onnx", "&&&& PASSED TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=m.onnx"  # fmt: skip
PARSED = "Scale_0 [Mul] inputs: [x -> (1, 8)[FLOAT]], [k -> ()[FLOAT]], ", "Odd_1 [Odd] inputs: [s -> (1, 8)[FLOAT]], "
NODE = f'{ERROR}ModelImporter.cpp:768: While parsing node number 1 [Odd -> "y"]:'
ROW = "Layer(CaskConvolution): conv, Tactic: 0x0000000000000055, x (Float[8,512,7,7]) -> y (Float[8,512,7,7])"
TUNING = (header("Float(784,784,28,1) -> Float(784,784,28,1)"), runner("conv"), tactic("kernel", 0x55, 0.01))


def ended(*texts: str, **info: Any) -> Ending:
    """How the build of a log ended, beside a run.json of `trtlens profile` where facts of one are given."""
    begun = () if texts[:1] == PARSED[:1] else ("Original: 2 layers",)
    run = run_of(log(*begun, *texts))
    run = replace(run, info=info_of({"kind": "profile", **info})) if info else run
    ending = read_ending(run, 1)
    assert ending is not None
    return ending


def test_a_node_without_importer_is_named_with_its_reason() -> None:
    """Number, name and operator of the node; the lines are those of the node and of the plugin that was not found."""
    missing = f"{ERROR}3: getPluginCreator could not find plugin: Odd version: 1"
    ending = ended(*PARSED, missing, NODE, f"{ERROR}ModelImporter.cpp:769: --- Begin node ---")
    assert ending.text == "the build failed: node 1, Odd_1 (Odd), has no importer, and no plugin of that name was found"
    assert ending.lines == (4, 3)
    assert "operator Odd" in str(ending.next_check)


def test_a_node_that_was_refused_has_the_first_error_as_its_reason() -> None:
    """The error in front of the node's is the cause; its number is no part of it."""
    ending = ended(
        *PARSED, f"{ERROR}Error[3]: Odd_1: invalid weights type of Int8", NODE, f"{ERROR}Failed to parse onnx file"
    )
    assert ending.text == "the build failed: node 1, Odd_1 (Odd), was refused: Odd_1: invalid weights type of Int8"


def test_a_cause_behind_its_consequence_is_the_reason() -> None:
    """That the engine could not be made says nothing of why: an error below it that does is told."""
    ending = ended(
        f"{ERROR}Engine could not be created from network", f"{ERROR}Error[2]: kgen.cpp: the graph has a loop"
    )
    assert (ending.reason, ending.lines) == ("kgen.cpp: the graph has a loop", (3,))


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ("While parsing node number 7:", "node 7, unnamed, was refused"),
        ('While parsing node number 1 [Other -> "y"]:', "node 1, Other, was refused"),
    ],
)
def test_a_node_that_the_log_does_not_list_has_no_name(node: str, said: str) -> None:
    """Neither a number without a row, nor a row of another operator, gives the node that was refused a name."""
    assert ended(*PARSED, f"{ERROR}{node}").reason == said


def test_what_ends_a_build_counts_before_what_it_survives() -> None:
    """A tactic that throws is skipped; a layer without any implementation is the end."""
    none = "Error Code 10: Internal Error (Could not find any implementation for node fc. In computeCosts at optimizer.cpp:4115)"
    ending = ended(
        f"{ERROR}Error Code: 9: Skipping tactic 0x0000000000000000 due to exception Assertion failed.", f"{ERROR}{none}",
        f"{ERROR}Engine could not be created from network",
    )  # fmt: skip
    assert (ending.state, ending.reason, ending.lines) == (FAILED, "no implementation was found for fc", (3,))


@pytest.mark.parametrize(
    ("texts", "info", "state"),
    [
        (GENERATED, {}, FINISHED),
        (("Data initialization and engine generation completed in 0.04 seconds.",), {}, FINISHED),
        ((*GENERATED[1:], ROW), {}, FINISHED),
        (TUNING, {"status": "building"}, KILLED),
        (TUNING, {"status": "interrupted"}, INTERRUPTED),
        ((), {"status": "failed", "errors": ["MemoryError: out of memory"]}, FAILED),
        ((), {"status": "done"}, FINISHED),
        (TUNING, {}, CUT),
        ((), {}, NOT_SHOWN),
        ((f"{ERROR}Error[2]: Error Code 2: OutOfMemory (no further information)",), {}, NOT_SHOWN),
        ((f"{ERROR}Error[2]: Error Code 2: OutOfMemory (no further information)", *GENERATED), {}, FINISHED),
    ],
)  # fmt: skip
def test_each_end_is_told_by_what_states_it(texts: tuple[str, ...], info: dict[str, Any], state: str) -> None:
    """An error that a build survives does not fail it, and a log without any of the lines says nothing of the end."""
    assert ended(*texts, **info).state == state


def test_trtexec_passes_builds_whose_end_its_log_does_not_hold() -> None:
    """At info level no line tells of the engine's generation, trtexec's last line does."""
    run = run_of(log(PASSED[0], "Original: 2 layers", PASSED[1]))
    assert [read_ending(run, build) for build in run["builds"]["build"].to_pylist()] == [Ending(FINISHED)]
    cut = run_of(log(PASSED[0], "Original: 2 layers"))
    ending = read_ending(cut, 1)
    assert ending is not None
    assert (ending.state, ending.lines) == (CUT, (2,))


def test_a_cut_log_names_the_layer_at_which_it_ends() -> None:
    """The last layer that the tuner timed, and the last line."""
    assert (
        ended(*TUNING).text
        == "the log breaks off before the build's end: it ends at line 4, while the tuner is at conv; "
        "the last line is: Tactic Name: kernel Tactic: 0x0000000000000055 Time: 0.01"
    )


def findings(run: Run) -> list[dict[str, Any]]:
    """The findings of a run."""
    rows: list[dict[str, Any]] = run.view("findings").to_pylist()
    return rows


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("h200/refused", "the build failed: node 0, /Erf (Eigenvalues), has no importer, and no plugin of that name was found"),
        ("h200/killed", "the build was killed, or is still running"),
        ("releases/9.2-cut.log", "the log breaks off before the build's end: it ends at line 26, while the tuner is at gate"),
        ("releases/11.1-failed.log", "the build failed: no implementation was found for {ForeignNode[attend]}"),
    ],
)  # fmt: skip
def test_findings_lead_with_a_build_that_gave_no_engine(name: str, said: str) -> None:
    """The first finding says how the build ended, and so does the summary's answer."""
    run = open_run(FIXTURES / name)
    first = findings(run)[0]
    assert (first["code"], first["severity"]) == ("build-not-finished", "high")
    assert first["title"].startswith(said)
    summary = summarise(run)[0]
    assert summary.answer.lower().startswith(said.lower())
    assert not any(said in fact.value for fact in summary.facts)


def test_a_failure_comes_before_other_findings() -> None:
    """Weights that overflow are severe as well, and of no account without an engine."""
    small = "[11/20/2026-22:01:26] [W] [TRT] - 2 weights are affected by this issue: Detected finite FP32 values which would overflow in FP16 and converted them to the closest finite FP16 value."
    text = log(*PARSED, small, NODE)
    rows = findings(run_of(text))
    assert [row["code"] for row in rows] == ["build-not-finished", "fp16-weights"]
    assert rows[0]["lines"] == [line_of(text, "While parsing")]


def test_a_finished_build_has_no_such_finding() -> None:
    """Nor has a log that shows no end and no error: at info level many do not."""
    assert "build-not-finished" not in {row["code"] for row in findings(run_of(INT8_BUILD))}
    assert findings(run_of(log("Original: 2 layers"))) == []


def test_the_summary_lists_errors_as_they_came_and_no_frames() -> None:
    """The cause stands first, not what was printed most often; a node's frame tells nothing, nor does a warning's second line."""
    said = summarise(open_run(FIXTURES / "h200" / "refused"))[0].messages
    assert [code for _, code, _, _ in said[:3]] == ["plugin-not-found", "onnx-node-failed", "parse-failed"]
    assert not any("---" in text for _, _, _, text in said)
    advice = "[11/20/2026-22:01:26] [W] [TRT]   - If this is not the desired behavior, please modify the weights or retrain with regularization to adjust the magnitude of the weights."
    assert "advice" in run_of(log(advice))["messages"]["code"].to_pylist()
    assert summarise(run_of(log(advice)))[0].messages == ()


def test_a_killed_program_is_cut_off_whatever_stands_behind_it() -> None:
    """Trtexec's last line is missing of the first run, though not at the log's end; its calibration is no end of it."""
    calibrated = ("Original: 5 layers", "Calibration completed in 3 seconds.", "Original: 5 layers")
    run = run_of(log(PASSED[0], *calibrated, PASSED[0], "Original: 5 layers", *GENERATED, PASSED[1]))
    endings = [read_ending(run, build) for build in (1, 2, 3)]
    assert [ending and ending.state for ending in endings] == [NOT_SHOWN, CUT, FINISHED]
    shown = [summary.answer for summary in summarise(run)]
    assert "trtexec's last line is missing" in shown[1]
    assert "trtexec's last line is missing" not in shown[0]


def test_the_status_of_a_captured_run_is_that_of_its_last_build() -> None:
    """A calibration above it ended otherwise."""
    run = run_of(log("Original: 2 layers", "Original: 2 layers", *TUNING))
    run = replace(run, info=info_of({"kind": "profile", "status": "building"}))
    endings = [read_ending(run, build) for build in (1, 2)]
    assert [ending and ending.state for ending in endings] == [NOT_SHOWN, KILLED]

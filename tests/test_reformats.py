"""Reformats: each has its neighbours, its change, its cost with where that comes from, and a cause that the log shows."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import captured, captured_log
from tests.doubles.made_logs import (
    FLOAT,
    FLOAT_KERNEL,
    GENERATED,
    INT8,
    INT8_ID,
    INT8_KERNEL,
    SELECTED,
    WORKSPACE_BUILD,
    chose,
    header,
    line_of,
    log,
    reformat,
    run_of,
    runner,
    tactic,
)
from trtlens.engine.engine_graph import Format, read_graph
from trtlens.engine.reformat_causes import ADVICE
from trtlens.engine.reformat_situation import Situation
from trtlens.runs.run import Run, open_run

if TYPE_CHECKING:
    from pathlib import Path


def reformats(run: Run) -> dict[str, dict[str, Any]]:
    """Rows of the view by layer name."""
    return {row["name"]: row for row in run.view("reformats").to_pylist()}


# -- the captures --------------------------------------------------------------------------------------------------


def test_every_reformat_of_the_captures_has_a_cost_and_a_cause(capture: Path) -> None:
    """Measured where there is a profile; a cause with advice; 47 of them only copy constants through Identity nodes."""
    rows = list(reformats(captured(capture.name)).values())
    assert {row["cost_source"] for row in rows} <= {"measured"}
    assert all(row["cost_ms"] == row["time_ms"] and row["advice"] == ADVICE[row["cause"]] for row in rows)
    constants = [row for row in rows if row["cause"] == "constant"]
    assert len(constants) == 47
    assert all("Identity" in row["detail"] and row["producer"].startswith("onnx::Conv") for row in constants)
    assert {row["cause"] for row in rows} <= {
        "constant",
        "network input",
        "network output",
        "reshape",
        "no kernel",
        "slower kernel",
    }


def test_causes_add_up_to_the_reformats(capture: Path) -> None:
    """Each cause's total is the sum of its reformats, and its parts add up to it."""
    run = captured(capture.name)
    rows = run.view("reformats").to_pylist()
    totals = run.view("reformat_causes").to_pylist()
    for total in (row for row in totals if row["part"] is None):
        own = [row["cost_ms"] for row in rows if row["cause"] == total["cause"]]
        assert (total["reformats"], total["cost_ms"]) == (len(own), pytest.approx(math.fsum(own)))
        parts = [row for row in totals if row["cause"] == total["cause"] and row["part"] is not None]
        if parts:
            assert sum(row["reformats"] for row in parts) == total["reformats"]
            assert math.fsum(row["cost_ms"] for row in parts) == pytest.approx(total["cost_ms"])


def test_constants_of_the_int8_capture_cost_what_the_profile_says() -> None:
    """0.31 ms of 1.01 ms."""
    (first, *_) = captured("int8").view("reformat_causes").to_pylist()
    assert (first["cause"], first["reformats"], first["measured"]) == ("constant", 47, 47)
    assert first["cost_ms"] == pytest.approx(0.307728)
    assert first["percent"] == pytest.approx(30.58, abs=0.01)


def test_the_tuner_prices_reformats_without_a_profile() -> None:
    """From the log alone the cost is the tuner's time for that tensor and those formats, and marked so, with its line."""
    rows = reformats(captured_log("fp32"))
    row = rows[
        "Reformatting CopyNode for Output Tensor 0 to /layer1/layer1.2/conv3/Conv + /layer1/layer1.2/Add + /layer1/layer1.2/relu_2/Relu"
    ]
    assert (row["cost_source"], row["cost_ms"], row["time_ms"]) == ("tuner", 0.0160899, None)
    assert row["cause"] == "slower kernel"
    assert "44.13 µs against 44.06 µs" in row["detail"]


# -- causes, one by one ----------------------------------------------------------------------------------------------

CONV = "Layer(CaskConvolution): conv, Tactic: 0xc737e58152c008dd, before (Int8[8,512:32,7,7]) -> after (Int8[8,512:32,7,7])"


def engine(*rows: str, before: tuple[str, ...] = ()) -> Run:
    """A build whose engine has these rows."""
    return run_of(log(*before, *SELECTED, *GENERATED, *rows))


def move(name: str, source: str, target: str, kind: str = "Reformat") -> str:
    """The row of a reformat between two tensors, each with its type and dimensions."""
    return f"Layer({kind}): {name}, Tactic: 0x00000000000003e8, {source} -> {target}"


TO_CONV = "Reformatting CopyNode for Input Tensor 0 to conv"
WANTED = "before (Int8[8,512:32,7,7])"
GIVEN = "given (Float[8,512,7,7])"
MAKER = "Layer(CaskConvolution): maker, Tactic: 0x0000000000000001, x (Float[8,512,7,7]) -> given (Float[8,512,7,7])"


@pytest.mark.parametrize(
    ("rows", "name", "cause"),
    [
        ((move(TO_CONV, GIVEN, WANTED), CONV), TO_CONV, "network input"),
        (("Layer(Constant): weights, Tactic: 0x0000000000000000,  -> given (Float[8,512,7,7])", move("Identity_0", GIVEN, WANTED), CONV),
         "Identity_0", "constant"),
        (("Layer(Constant): weights, Tactic: 0x0000000000000000,  -> first (Float[8,512,7,7])",
          move("Identity_0", "first (Float[8,512,7,7])", "second (Half[8,512,7,7])"), move("Identity_1", "second (Half[8,512,7,7])", GIVEN),
          move(TO_CONV, GIVEN, WANTED), CONV), TO_CONV, "constant"),
        ((move("(Unnamed Layer* 0) [Identity]", GIVEN, WANTED), CONV), "(Unnamed Layer* 0) [Identity]", "model node"),
        ((MAKER, move("Reformatting CopyNode for Output Tensor 0 to maker", GIVEN, "result (Half[8,512,7,7])")),
         "Reformatting CopyNode for Output Tensor 0 to maker", "network output"),
        ((MAKER, move("part copy", GIVEN, WANTED), CONV), "part copy", "concat"),
        ((MAKER.replace("CaskConvolution", "PluginV2"), move(TO_CONV, GIVEN, WANTED), CONV), TO_CONV, "plugin"),
        ((MAKER, move(TO_CONV, GIVEN, WANTED), CONV.replace("CaskConvolution", "Myelin")), TO_CONV, "myelin"),
        ((MAKER, move(TO_CONV, GIVEN, WANTED), CONV.replace("CaskConvolution", "Shuffle")), TO_CONV, "reshape"),
        ((MAKER, move(TO_CONV, GIVEN, WANTED), CONV, CONV.replace("conv", "other").replace("before (Int8[8,512:32,7,7])", GIVEN)),
         TO_CONV, "fork"),
        ((MAKER, move(TO_CONV, GIVEN, WANTED), CONV), TO_CONV, "not shown"),
    ],
)  # fmt: skip
def test_causes_that_the_engine_shows(rows: tuple[str, ...], name: str, cause: str) -> None:
    """The neighbours' types, a constant or a binding name the cause; where nothing does, it is not shown."""
    row = reformats(engine(*rows))[name]
    assert (row["cause"], row["advice"]) == (cause, ADVICE[cause])
    assert row["lines"]


def test_one_reader_without_a_kernel_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two readers one has slower kernels in the format and the other has none: without a kernel it cannot be done."""
    other = CONV.replace("conv", "other").replace("after", "end")
    run = engine(MAKER, move(TO_CONV, GIVEN, WANTED), CONV, other)
    known = {"conv": ("slower kernel", "conv is slower", [1]), "other": ("no kernel", "other has none", [2])}
    monkeypatch.setattr(Situation, "_without", lambda _, reader, *__: known[reader.name])
    graph = read_graph(run, 1)
    graph.formats.update({"given": Format("Float(1)", 1), "before": Format("Int8(1)", 2)})
    row = reformats(run)[TO_CONV]
    assert (row["cause"], row["detail"]) == ("no kernel", "conv is slower; other has none")


@pytest.mark.parametrize(("origin", "cause"), [("QDQ", "qdq"), ("CONCAT", "concat"), ("CAST", "cast")])
def test_the_inspector_s_origin_is_a_cause(origin: str, cause: str) -> None:
    """Detailed information states why a reformat exists."""
    tensor = "{{ Name: {}, Location: Device, Dimensions: [8,512,7,7], Format/Datatype: {} }}"
    text = (
        f"Name: moved, LayerType: Reformat, Inputs: [ {tensor.format('given', 'Half')}], Outputs: [ {tensor.format('b', 'Int8')}], "
        f"ParameterType: Reformat, Origin: {origin}, TacticValue: 0x00000000000003e8, StreamId: 0, Metadata: "
    )
    row = reformats(run_of(log(*SELECTED, "Engine generation completed in 2 seconds.", "Layers:") + text + "\n"))[
        "moved"
    ]
    assert (row["cause"], row["origin"]) == (cause, origin)


def tuned_reader(*texts: str) -> dict[str, Any]:
    """The reformat before a layer whose record holds these messages."""
    run = engine(
        MAKER,
        move(TO_CONV, GIVEN, WANTED),
        CONV,
        before=(
            "=============== Computing costs for conv",
            *texts,
            header(f"{INT8} -> {INT8}"),
            runner("conv"),
            tactic(INT8_KERNEL, INT8_ID, 0.0137),
            chose(INT8_ID),
            *reformat("given", FLOAT, INT8, 0.0058),
            f"Adding reformat layer: before (given) from {FLOAT} to {INT8}",
        ),
    )
    return reformats(run)[TO_CONV]


def test_no_kernel_takes_the_tensor_as_it_is() -> None:
    """The reader's record has the producer's format, and no runner had a tactic for it; or it does not have it at all."""
    tried = tuned_reader(
        header(f"{FLOAT} -> {INT8}"), runner("conv"), "CaskConvolution has no valid tactics for this config, skipping"
    )
    assert (tried["cause"], tried["cost_ms"], tried["cost_source"]) == ("no kernel", 0.0058, "tuner")
    assert "no runner had a valid tactic for conv" in tried["detail"]
    assert "the tuner considered no combination of conv that reads Float" in tuned_reader()["detail"]


def test_a_kernel_that_takes_the_tensor_as_it_is_was_slower() -> None:
    """The reader's record has a time for the producer's format: then the overhead is a choice, with both times and lines."""
    row = tuned_reader(header(f"{FLOAT} -> {INT8}"), runner("conv"), tactic(FLOAT_KERNEL, 0x77, 0.0663), chose(0x77))
    assert row["cause"] == "slower kernel"
    assert "took 66.3 µs against 13.7 µs" in row["detail"]


def test_a_cache_that_answered_leaves_the_cause_open() -> None:
    """A header without a runner says nothing of kernels in that format, so no cause is made of it."""
    assert tuned_reader(header(f"{FLOAT} -> {INT8}"))["cause"] == "not shown"


# -- change and cost -----------------------------------------------------------------------------------------------


def test_neighbours_change_and_cost() -> None:
    """Producer, consumer, kind and the tuner's cost of the reformat that 8.4 added before a layer."""
    row = reformats(run_of(WORKSPACE_BUILD))["Reformatting CopyNode for Input Tensor 0 to fc"]
    assert (row["producer"], row["consumers"], row["kind"]) == (None, "fc", "layout")
    assert (row["cost_ms"], row["cost_source"], row["time_ms"]) == (0.00512, "tuner", None)
    assert line_of(WORKSPACE_BUILD, "Time: 0.00512") in row["lines"]


def test_a_reformat_that_launches_nothing_costs_nothing() -> None:
    """The engine has a NoOp in its place."""
    row = reformats(engine(MAKER, move(TO_CONV, GIVEN, WANTED, "NoOp"), CONV))[TO_CONV]
    assert (row["cost_ms"], row["cost_source"]) == (0, "no kernel")


def test_an_unknown_cost_is_null() -> None:
    """Without a profile and without the tuner's time nothing is put in its place."""
    row = reformats(engine(MAKER, move(TO_CONV, GIVEN, WANTED), CONV))[TO_CONV]
    assert (row["cost_ms"], row["cost_source"]) == (None, None)
    (total, *_) = engine(MAKER, move(TO_CONV, GIVEN, WANTED), CONV).view("reformat_causes").to_pylist()
    assert (total["cost_ms"], total["untimed"], total["percent"]) == (None, 1, None)


@pytest.mark.parametrize(
    ("target", "padded"),
    [
        ("padded (Int8[8,3:4,224,224])", 4),
        ("padded (Half[8,3:8,224,224])", 8),
        ("padded (Int8[8,64:32,56,56])", None),
        ("padded (Int8[3])", None),
    ],
)
def test_padded_channels(target: str, padded: int | None) -> None:
    """Channels that do not fill a vector are padded to the next whole one."""
    row = reformats(
        engine(MAKER, move("r copy", GIVEN, target), "Layer(NoOp): end, Tactic: 0, padded (Int8[3]) -> z (Int8[3])")
    )
    assert row["r copy"]["padded_channels"] == padded


def test_views_of_a_run_without_layers_are_empty() -> None:
    """A log of messages alone has no reformats and no causes."""
    run = run_of(log("Total Activation Memory: 1024"))
    assert run.view("reformats").num_rows == run.view("reformat_causes").num_rows == 0


def test_rows_become_json(tmp_path: Path) -> None:
    """Lists of lines survive the way to JSON."""
    from trtlens.output import to_json

    path = tmp_path / "build.log"
    path.write_text(WORKSPACE_BUILD)
    (row,) = json.loads(to_json(open_run(path).view("reformats")))
    assert row["cause"] == "network input"
    assert row["lines"] == sorted(row["lines"], key=row["lines"].index)

"""Which candidate each engine layer runs: found where the log shows it, and null with a reason where it does not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import captured, captured_log
from tests.doubles.made_logs import (
    FLOAT,
    FLOAT_KERNEL,
    GENERATED,
    INT8,
    INT8_BUILD,
    INT8_ID,
    INT8_KERNEL,
    SELECTED,
    WORKSPACE_BUILD,
    chose,
    header,
    line_of,
    log,
    run_of,
    runner,
    strategies_build,
    tactic,
)
from trtlens.tables.arrays import rows_of
from trtlens.tables.engine_layers import EngineLayer, Tensor
from trtlens.tuning import combination_matcher
from trtlens.tuning.combination_matcher import combination_fits, fits, read_combination
from trtlens.tuning.matching import Match, Matcher

if TYPE_CHECKING:
    from pathlib import Path

    from trtlens.runs.run import Run


def tuned(run: Run) -> dict[str, dict[str, Any]]:
    """Rows of `tuned_layers` by layer name."""
    names = dict(zip(run["layers"]["index"].to_pylist(), run["layers"]["name"].to_pylist(), strict=True))
    return {names[row["layer_index"]]: row for row in run["tuned_layers"].to_pylist()}


def chosen_rows(run: Run) -> list[dict[str, Any]]:
    """Candidates that are marked as chosen."""
    return [row for row in run["candidates"].to_pylist() if row["chosen"]]


# -- the captures --------------------------------------------------------------------------------------------------


def test_every_tuned_layer_of_the_captures_has_its_candidate(capture: Path) -> None:
    """Each layer with timed tactics of its own is marked: same tactic, same vectors, the winner's time of its formats."""
    run = captured_log(capture.name)
    layers = {row["index"]: row for row in run["layers"].to_pylist()}
    timed = {row["layer"] for row in rows_of(run["candidates"]) if row["outcome"] == "timed"}
    candidates = {row["line"]: row for row in rows_of(run["candidates"])}
    winners = {(r["layer"], r["input_formats"], r["output_formats"]): r["tactic_id"] for r in rows_of(run["choices"])}
    best = {row["line"]: row["time_ms"] for row in run["combinations"].to_pylist()}
    own = [row for row in run["tuned_layers"].to_pylist() if layers[row["layer_index"]]["name"] in timed]
    marked = [row for row in own if row["candidate_line"] is not None]
    # Layers that the cache answered for are named too, where no runner had a valid tactic in one of their formats.
    assert {row["reason"].split(";")[1][:26] for row in own if row["candidate_line"] is None} <= {
        " the timing cache answered"
    }
    assert len(marked) >= 36
    for row in marked:
        candidate = candidates[row["candidate_line"]]
        formats = candidate["layer"], candidate["input_formats"], candidate["output_formats"]
        assert candidate["chosen"] is True
        assert candidate["tactic_id"] == layers[row["layer_index"]]["tactic_id"] == winners[formats]
        assert candidate["time_ms"] == best[row["combination_line"]]


def test_the_formats_of_the_int8_capture_fit_the_engine() -> None:
    """The chosen combination has the vectors that the engine's row shows, written independently of one another."""
    run = captured_log("int8")
    widths = {}
    for row in run["layer_tensors"].to_pylist():
        if row["direction"] == "output" and row["position"] == 0:
            widths[row["layer_index"]] = row["vector_width"]
    by_line = {row["line"]: row for row in rows_of(run["candidates"])}
    for row in run["tuned_layers"].to_pylist():
        if row["candidate_line"] is not None:
            output = by_line[row["candidate_line"]]["output_formats"]
            assert (f":{widths[row['layer_index']]}," in output) == (widths[row["layer_index"]] > 1)


def test_the_captures_have_no_layer_without_an_answer(capture: Path) -> None:
    """Every layer that launches a kernel is found, is like one that is found, or is a reformat of the builder's own."""
    run = captured_log(capture.name)
    types = dict(zip(run["layers"]["index"].to_pylist(), run["layers"]["type"].to_pylist(), strict=True))
    for row in run["tuned_layers"].to_pylist():
        if types[row["layer_index"]] in {"Constant", "NoOp"}:
            continue
        found = row["candidate_line"] is not None or row["twin_index"] is not None
        assert found or "the builder put in" in row["reason"]


@pytest.mark.parametrize(
    ("precision", "tuner", "profile"), [("fp32", 2.491, 2.722), ("fp16", 0.726, 0.848), ("int8", 0.868, 0.994)]
)
def test_sums_of_the_captures(precision: str, tuner: float, profile: float) -> None:
    """The last row of `tactics` has the tuner's sum beside the profile's, as docs/why.md explains them."""
    rows = captured(precision).view("tactics").to_pylist()
    sums, layers = rows[-1], rows[:-1]
    counted = [r for r in layers if r["chosen_ms"] is not None and r["type"] not in {"NoOp", "Constant"}]
    assert sums["name"] is None
    assert sums["chosen_ms"] == pytest.approx(tuner, abs=0.0006)
    assert sums["measured_ms"] == pytest.approx(profile, abs=0.0006)
    assert sums["chosen_ms"] == pytest.approx(math.fsum(r["chosen_ms"] for r in counted))
    assert sums["over_ms"] == pytest.approx(sums["measured_ms"] - sums["chosen_ms"])
    assert all(r["regret_ms"] == pytest.approx(r["chosen_ms"] - r["best_ms"]) and r["regret_ms"] >= 0 for r in counted)


# -- made logs -----------------------------------------------------------------------------------------------------


def test_the_choice_is_by_tactic_and_formats() -> None:
    """A tactic that was timed elsewhere too is marked once, in the formats of the engine's tensors; its rivals are not."""
    run = run_of(INT8_BUILD)
    assert [row["line"] for row in chosen_rows(run)] == [line_of(INT8_BUILD, f"0x{INT8_ID:016x} Time")]
    assert {row["chosen"] for row in rows_of(run["candidates"])} == {True, False}
    assert [row["chosen"] for row in run["combinations"].to_pylist()] == [False, False, False, True, None, None, None]


def test_a_layer_without_a_record_has_a_twin_and_a_reason() -> None:
    """The cache answered for conv_b: no candidate becomes its own, and the layer that is alike is named."""
    row = tuned(run_of(INT8_BUILD))["conv_b"]
    assert (row["layer"], row["candidate_line"], row["twin_index"]) == (None, None, 0)
    assert "timing cache" in row["reason"]


@pytest.mark.parametrize(
    ("old", "new"), [("8,512:32,7,7", "8,256:32,7,7"), ("conv_b, Tactic: 0xc737", "conv_b, Tactic: 0xc738")]
)
def test_layers_that_differ_are_no_twins(old: str, new: str) -> None:
    """Another size or another tactic is other work, and then nothing is said about it."""
    head, rest = INT8_BUILD.split("Layer(CaskConvolution): conv_b", 1)
    assert (
        tuned(
            run_of(
                f"{head}Layer(CaskConvolution): conv_b{rest.replace(old.removeprefix('conv_b'), new.removeprefix('conv_b'))}"
            )
        )["conv_b"]["twin_index"]
        is None
    )


def test_strides_of_added_reformats_decide_where_rows_show_no_layout() -> None:
    """8.4's engine rows have types and dimensions alone: what the builder said when it added a reformat tells the rest."""
    row = tuned(run_of(WORKSPACE_BUILD))["fc"]
    assert row["combination_line"] == line_of(WORKSPACE_BUILD, "Float(6272,1,448,32) -> Float(12544")
    assert row["reason"] is None


AMBIGUOUS = log(
    header("Float(784,28,1) -> Float(784,28,1)"),
    "--------------- Timing Runner: add (ElementWise)",
    "Tactic: 0x0000000000000001 Time: 0.5",
    "Fastest Tactic: 0x0000000000000001 Time: 0.5",
    chose(1, "ElementWise"),
    header("Float(784:32,28,1) -> Float(784:32,28,1)"),
    "--------------- Timing Runner: add (ElementWise)",
    "Tactic: 0x0000000000000001 Time: 0.25",
    "Fastest Tactic: 0x0000000000000001 Time: 0.25",
    chose(1, "ElementWise"),
    *SELECTED,
    *GENERATED,
    "Layer(ElementWise): add, Tactic: 0x0000000000000001, x[Float(4,28,28)] -> y[Float(4,28,28)]",
)


def test_an_ambiguous_choice_is_null_with_its_reason() -> None:
    """Two combinations fit, so none is taken: not the faster one, not the first."""
    run = run_of(AMBIGUOUS)
    assert {row["chosen"] for row in rows_of(run["candidates"])} == {None}
    reason = tuned(run)["add"]["reason"]
    assert "fits 2 format combinations that the log does not tell apart (lines 1, 6)" in reason
    assert run.view("tactics")["chosen_reason"][0].as_py() == reason


def test_a_neighbour_decides_an_ambiguous_choice() -> None:
    """A tensor has one format: a settled layer's output fixes the input of the next."""
    before = log(
        header("Float(784,28,1) -> Float(784:32,28,1)"),
        "--------------- Timing Runner: scale (Scale)",
        "Tactic: 0x0000000000000000 Time: 0.5",
        "Fastest Tactic: 0x0000000000000000 Time: 0.5",
        chose(0, "Scale"),
    )
    text = (
        before + AMBIGUOUS + "Layer(Scale): scale, Tactic: 0x0000000000000000, w[Float(4,28,28)] -> x[Float(4,28,28)]\n"
    )
    row = tuned(run_of(text))["add"]
    assert row["combination_line"] == line_of(text, "Float(784:32,28,1) -> Float(784:32,28,1)")


def test_formats_that_contradict_the_tensors_are_not_taken() -> None:
    """The tactic was timed for another type than the engine's tensors have: null, and the reason says so."""
    text = AMBIGUOUS.replace("x[Float(4,28,28)] -> y[Float(4,28,28)]", "x[Half(4,28,28)] -> y[Half(4,28,28)]")
    assert "in no format combination that the engine's tensors have" in tuned(run_of(text))["add"]["reason"]


def test_counted_ids_are_of_one_runner() -> None:
    """Tactic 0 of one runner is not tactic 0 of another: the engine's type says whose it is."""
    text = log(
        header("Float(784,784,28,1) -> Float(784,784,28,1)"),
        "--------------- Timing Runner: fc (CudnnConvolution)",
        "Tactic: 0x0000000000000000 Time: 0.25",
        "Fastest Tactic: 0x0000000000000000 Time: 0.25",
        "--------------- Timing Runner: fc (CublasConvolution)",
        "Tactic: 0x0000000000000000 Time: 0.5",
        "Fastest Tactic: 0x0000000000000000 Time: 0.5",
        chose(0, "CublasConvolution"),
        *SELECTED,
        *GENERATED,
        "Layer(CublasConvolution): fc, Tactic: 0x0000000000000000, x[Float(1,1,28,28)] -> y[Float(1,1,28,28)]",
    )
    assert [(row["runner"], row["time_ms"]) for row in chosen_rows(run_of(text))] == [("CublasConvolution", 0.5)]


def test_only_the_kept_strategy_counts() -> None:
    """What another backend strategy tried is not chosen, though it has the same tactic and formats and stands last."""
    run = run_of(strategies_build())
    assert [row["outcome"] for row in chosen_rows(run)] == ["timed"]
    assert [row["chosen"] for row in run["combinations"].to_pylist()] == [True, False]
    (layer, _) = run.view("tactics").to_pylist()
    assert (layer["tried"], layer["combinations"]) == (1, 1)


def test_a_log_without_an_engine_marks_nothing() -> None:
    """A log that is cut in the middle of the tuning says nothing of what runs."""
    text = log(
        header(f"{INT8}, Float(1) -> {INT8}"), runner("conv"), tactic(INT8_KERNEL, INT8_ID, 0.25), chose(INT8_ID)
    )
    run = run_of(text)
    assert [row["chosen"] for row in run["candidates"].to_pylist()] == [None]
    assert run["tuned_layers"].num_rows == 0


# -- Myelin --------------------------------------------------------------------------------------------------------

REGION = "{ForeignNode[first...last]}"


def part(name: str, nodes: tuple[str, ...] = (), reads: str = "x") -> EngineLayer:
    """A layer that detailed verbosity opened up."""
    tensor = Tensor(reads, "fp16", (1, 8))
    return EngineLayer({"name": name, "onnx_nodes": nodes}, (tensor,), (tensor,))


@pytest.mark.parametrize(
    ("layers", "nodes"),
    [
        ([part("__myl_Add_myl3_0", reads=f"Reformatted Input Tensor 0 to {REGION}")], {}),
        ([part("__myl_Add_myl3_0", ("inner",))], {REGION: frozenset({"first", "inner", "last"})}),
        ([part("__myl_Add_myl3_0", ("last",))], {}),
    ],
)
def test_parts_of_a_region_are_matched(layers: list[EngineLayer], nodes: dict[str, frozenset[str]]) -> None:
    """By a tensor named after the region, by the nodes listed for it, or by the nodes in its name."""
    other = "{ForeignNode[a...b]}"
    matches = Matcher({REGION, other}, {}, nodes).match([*layers, part("__myl_Mul_myl9_0")])
    assert matches == [Match(REGION, None, "region"), Match(None, None, None)]


def test_an_operation_of_a_region_is_matched_by_its_name() -> None:
    """`node_linear_myl7_1` is the operation node_linear, where Myelin timed one of that name in the region."""
    layers = [part("node_linear_myl7_1"), part("__myl_Add_myl7_2")]
    matches = Matcher({REGION}, {REGION: {"node_linear"}}, {}).match(layers)
    assert matches == [Match(REGION, "node_linear", "operation"), Match(REGION, None, "region")]


def test_an_operation_runs_the_kernel_that_its_layer_states() -> None:
    """Of the cost table's rows the one of that kernel is chosen, in a log whose other build timed another operation."""
    tensor = "{{ Name: {}, Location: Device, Dimensions: [8,64], Format/Datatype: Half }}"
    kernel = "sm90_xmma_gemm_f16f16_f16f32_f32_tn_n_tilesize64x64x64"

    def build(op: str) -> tuple[str, ...]:
        return (
            "=============== Computing costs for {ForeignNode[a...b]}",
            header("Half(64,1) -> Half(64,1)"), runner("{ForeignNode[a...b]}", "Myelin"),
            f" (foreignNode) Autotuning op {op}: [ONNX Layer: {op}]",
            " (foreignNode) tactic_id, cost(in ms), cost/fastest_cost, prediction_correlation, kernel_name, tactic_hash, tunable",
            " (foreignNode)    2, 0.01, 1.0, 0.9, quicker, 0x2c80ce2f5c4a6,", f" (foreignNode)    3, 0.02, 2.0, 0.9, {kernel}, 0x2c80ce2f5c4a7,",
            "Tactic: 0x0000000000000000 Time: 0.03", *SELECTED, "Engine generation completed in 2 seconds.", "Layers:",
        )  # fmt: skip

    row = (
        f"Name: node_linear_myl7_1, LayerType: gemm, Inputs: [ {tensor.format('x')}], Outputs: [ {tensor.format('y')}], "
        f"TacticName: {kernel}, StreamId: 0, Metadata: "
    )
    text = "".join(f"{log('Original: 2 layers', *build(op))}{row}\n" for op in ("node_linear", "node_other"))
    run = run_of(text)
    matched = [(one["build"], one["matched_by"], one["candidate_line"]) for one in run["tuned_layers"].to_pylist()]
    whole = line_of(text, "Tactic: 0x0000000000000000 Time", 2)
    assert matched == [(1, "operation", line_of(text, f"0.9, {kernel}")), (2, "region", whole)]
    assert [(one["op"], one["tactic_name"]) for one in chosen_rows(run) if one["op"]] == [("node_linear", kernel)]


def test_layers_of_no_region_are_left_alone() -> None:
    """A layer of the tuner's own name is that layer, and one without any evidence is nobody."""
    matches = Matcher({"conv_myl1_0"}, {}, {}).match([part("conv_myl1_0"), part("stranger")])
    assert matches == [Match("conv_myl1_0", None, "name"), Match(None, None, None)]


# -- operands ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tensor", "formats", "expected"),
    [
        (Tensor("t", "int8", (8, 512, 7, 7), None, 32, "chw32"), INT8, True),
        (Tensor("t", "int8", (8, 512, 7, 7), None, 4, None), INT8, False),
        (Tensor("t", "fp32", (8, 512, 7, 7), None, None, None), INT8, False),
        (Tensor("t", "fp32", (8, 512, 7, 7), None, 1, "hwc"), FLOAT, False),
        (Tensor("t", "fp32", (8, 512, 1, 1), None, 1, "hwc"), "Float(512,1,1,1)", True),
        (Tensor("t", "fp32", (8, 512, 7, 7), (25088, 49, 7, 1), 1, None), FLOAT, True),
        (Tensor("t", "fp32", (8, 512, 7, 7), (25088, 1, 3584, 512), 1, None), FLOAT, False),
        (Tensor("t", None, None, None, None, None), FLOAT, True),
    ],
)
def test_what_a_tensor_excludes(tensor: Tensor, formats: str, expected: bool) -> None:
    """A shown type, vector, layout or stride excludes other ones; what is not shown excludes nothing."""
    combination = read_combination(formats, formats, innermost_first=False)
    assert combination is not None
    assert fits(tensor, combination.inputs[0]) is expected


def test_layers_of_one_name_are_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log whose engine repeats one row a thousand times costs a thousand comparisons, not a thousand for each row."""
    compared = []

    def counted(*arguments: object) -> bool:
        compared.append(arguments)
        return combination_fits(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(combination_matcher, "combination_fits", counted)
    count, kernel = 60, 0x1234567812345678
    tried = [
        line
        for number in range(count)
        for line in (
            "=============== Computing costs for conv", header(f"{FLOAT} -> {FLOAT}"), runner("conv"),
            tactic(FLOAT_KERNEL, kernel, 0.5 + number), chose(kernel),
        )
    ]  # fmt: skip
    row = f"Layer(CaskConvolution): conv, Tactic: 0x{kernel:016x}, x (Float[1,1,28,28]) -> y (Float[1,1,28,28])"
    run = run_of(log(*tried, *SELECTED, *GENERATED, *[row] * count))
    reasons = run["tuned_layers"]["reason"].to_pylist()
    assert len(reasons) == count
    assert all(reason.startswith(f"tactic 0x{kernel:016x} fits {count} format combinations") for reason in reasons)
    assert len(compared) == count

"""The tuner's record: every spelling of a tactic, format headers, strategies, Myelin's tables, the corpus."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doubles.made_logs import INT8_BUILD, header, line_of, log, reformat, run_of, runner, strategies_build
from trtlens.summary import summarise

KERNEL = "ampere_scudnn_128x64_relu_small_nn_v1"
FORMATS = "Float(784,784,28,1) -> Float(25088,784,28,1)"


def rows(text: str, table: str = "candidates") -> list[dict[str, Any]]:
    """Rows of one table of a made log."""
    found: list[dict[str, Any]] = run_of(text)[table].to_pylist()
    return found


def facts(text: str) -> list[tuple[Any, ...]]:
    """Tactic, kernel, split-K, time, outcome of every candidate."""
    return [tuple(r[c] for c in ("tactic_id", "tactic_name", "split_k", "time_ms", "outcome")) for r in rows(text)]


# -- spellings -----------------------------------------------------------------------------------------------------

SPELLINGS = {
    "5.1": (("--------------- Timing conv(14)", "Tactic -6654219059996125534 time 0.25"), (-6654219059996125534, None, None)),
    "7.x": (
        ("--------------- Timing Runner: conv (CaskConvolution)", f"conv (scudnn) Set Tactic Name: {KERNEL}",
         "Tactic: 6808617066150061604 time 0.25"),
        (6808617066150061604, KERNEL, None),
    ),
    "8.2": (
        ("--------------- Timing Runner: conv (CaskConvolution)", f"conv Set Tactic Name: {KERNEL} Tactic: -3360065831133338131",
         "Tactic: -3360065831133338131 Time: 0.25"),
        (-3360065831133338131, KERNEL, None),
    ),
    "8.4": (
        ("--------------- Timing Runner: conv (CaskConvolution)", f"conv Set Tactic Name: {KERNEL} Tactic: 0x0ebe499388e08286",
         "Tactic: 0x0ebe499388e08286 Time: 0.25"),
        (0x0EBE499388E08286, KERNEL, None),
    ),
    "8.5 gemm": (
        ("--------------- Timing Runner: conv (CaskGemmConvolution)",
         f"Set Tactic Name: {KERNEL} Tactic: 0x000000000002022a numSplitK: 3 numBuffers: 0 numKernels: 1",
         "Tactic: 0x000000000002022a Time: 0.25"),
        (0x2022A, KERNEL, 3),
    ),
    "8.5 ConvActPool": (
        ("--------------- Timing Runner: conv (ConvActPool)", "Tactic Name: kIMMA_V1_TILE_32x64 ",
         "Tactic: 0x00000000000003e8 Time: 0.25"),
        (1000, "kIMMA_V1_TILE_32x64", None),
    ),
    "8.6": ((runner("conv"), f"Tactic Name: {KERNEL} Tactic: 0x5deb29b7a8e275f7 Time: 0.25"), (0x5DEB29B7A8E275F7, KERNEL, None)),
    "8.6 gemm": (
        (runner("conv", "CaskGemmConvolution"),
         f"Tactic Name: {KERNEL} numSplitK: 2 numBuffers: 0 numKernels: 1 Tactic: 0x0000000000020308 Time: 0.25"),
        (0x20308, KERNEL, 2),
    ),
    "without a name": ((runner("conv", "Reformat"), "Tactic: 0x00000000000003ea Time: 0.25"), (1002, None, None)),
}  # fmt: skip


@pytest.mark.parametrize("version", SPELLINGS)
def test_spellings_of_a_timed_tactic(version: str) -> None:
    """Id (the same 64 bits however they are spelled), kernel, split-K and time come out of every version's lines."""
    texts, (tactic_id, name, split) = SPELLINGS[version]
    assert facts(log(header(FORMATS), *texts)) == [(tactic_id % 2**64, name, split, 0.25, "timed")]


def test_hexadecimal_ids_are_not_cut_at_their_zero() -> None:
    """Two kernels that are named on lines of their own keep their names: 0x.. is not read as 0."""
    text = log(
        header(FORMATS),
        "--------------- Timing Runner: conv (CaskConvolution)",
        "conv Set Tactic Name: first Tactic: 0x1111111111111111",
        "Tactic: 0x1111111111111111 Time: 0.5",
        "conv Set Tactic Name: second Tactic: 0x2222222222222222",
        "Tactic: 0x2222222222222222 Time: 0.25",
    )
    assert [(fact[0], fact[1]) for fact in facts(text)] == [
        (0x1111111111111111, "first"),
        (0x2222222222222222, "second"),
    ]


@pytest.mark.parametrize(
    ("text", "outcome", "reason", "scratch"),
    [
        ("Tactic: 0x04 skipped. Scratch requested: 57802752, available: 1048576", "skipped",
         "scratch requested 57802752 bytes, available 1048576", 57802752),
        ("Tactic 4 scratch requested: 1205907456, available: 1073741824", "skipped",
         "scratch requested 1205907456 bytes, available 1073741824", 1205907456),
        ("Tactic: 0 is the only option, timing skipped", "skipped", "the only option", None),
        ("Fast skip Tactic:0x4efce38acc876f5c which exceed time limit during pre-run", "skipped",
         "which exceed time limit during pre-run", None),
        ("CaskConvolution has no valid tactics for this config, skipping", "skipped", "no valid tactics", None),
        ("Skipping CaskConvolution: No valid tactics for conv", "skipped", "no valid tactics", None),
        ("Tactic: 0xd15ea5edd15ea5ed Time: inf", "failed", "time printed as infinite", None),
        ("Tactic: -3360065831133338131 Time: 3.40282e+38", "failed", "time printed as infinite", None),
        ("Skipping tactic 3 due to oom error on requested size of 2100 detected for tactic 0x04.", "failed", "oom error", 2100),
        ("Error Code: 9: Skipping tactic 0x0000000000000000 due to exception [shape.cpp:136] ", "failed",
         "exception [shape.cpp:136]", None),
    ],
)  # fmt: skip
def test_spellings_of_a_tactic_without_a_time(text: str, outcome: str, reason: str, scratch: int | None) -> None:
    """Why a tactic has no time is kept with the bytes that it asked for; a time of 0 is never put in its place."""
    found = rows(log(header(FORMATS), runner("conv"), text))
    assert [(r["layer"], r["time_ms"], r["outcome"], r["reason"], r["scratch_requested_bytes"]) for r in found] == [
        ("conv", None, outcome, reason, scratch)
    ]


def test_a_skip_that_is_timed_after_all_is_timed() -> None:
    """8.6 prints a fast skip, and 10.x a skip for scratch, right before the same tactic's time."""
    text = log(
        header(FORMATS),
        runner("conv"),
        "Fast skip Tactic:0x4efce38acc876f5c which exceed time limit during pre-run",
        f"Tactic Name: {KERNEL} Tactic: 0x4efce38acc876f5c Time: 1.5",
    )
    assert facts(text) == [(0x4EFCE38ACC876F5C, KERNEL, None, 1.5, "timed")]


def test_what_myelin_needs_stands_beside_its_budget() -> None:
    """The warning names the budget alone; Myelin's own line before it says what the region needs."""
    text = log(
        header(FORMATS),
        runner("{ForeignNode[a...b]}", "Myelin"),
        " (foreignNode) [pass.cpp:2131: run_passes] Exceeded mem budget of 2688. Need 852992",
        "UNSUPPORTED_STATE: Skipping tactic 0 due to insufficient memory on requested size of 2688 detected for tactic 0x00.",
    )
    (found,) = rows(text)
    assert (found["outcome"], found["scratch_requested_bytes"]) == ("failed", 852992)
    assert found["reason"] == "insufficient memory: needs 852992 bytes, allowed 2688"


def test_myelin_cost_tables() -> None:
    """Rows of an operation's cost table are candidates of the operation, and the region's own time is not one of them."""
    text = log(
        "=============== Computing costs for {ForeignNode[a...b]}",
        header(FORMATS),
        runner("{ForeignNode[a...b]}", "Myelin"),
        " (foreignNode) Autotuning op node_linear: [ONNX Layer: node_linear]",
        " (foreignNode) tactic_id, cost(in ms), cost/fastest_cost, prediction_correlation, kernel_name, tactic_hash, tunable",
        f" (foreignNode)    2, 0.0127232, 1.00000, 0.87676, {KERNEL}, 0x2c80ce2f5c4a6,",
        "Tactic: 0x0000000000000000 Time: 0.03",
    )
    found = [(r["op"], r["tactic_id"], r["time_ms"]) for r in rows(text)]
    assert set(found) == {("node_linear", 0x2C80CE2F5C4A6, 0.0127232), (None, 0, 0.03)}
    (combination,) = rows(text, "combinations")
    assert (combination["time_ms"], combination["timed"]) == (0.03, 1)


# -- headers -------------------------------------------------------------------------------------------------------


def test_headers_without_a_runner_are_combinations_without_a_time() -> None:
    """The cache answers without a line (8.2 to 8.6): the header stands, names no layer, and no time is made up."""
    bare = [row for row in rows(INT8_BUILD, "combinations") if row["outcome"] == "not shown"]
    assert [(row["layer"], row["time_ms"], row["timed"]) for row in bare] == [(None, None, 0)] * 3
    assert [row["line"] for row in bare] == [line_of(INT8_BUILD, "Autotuning format", n) for n in (5, 6, 7)]


def test_a_runner_names_the_headers_of_its_block() -> None:
    """In a block that computes one layer, headers above the first runner are that layer's too."""
    text = log(
        "=============== Computing costs for ",
        header(FORMATS),
        header("Half(784,784,28,1) -> Half(25088,784,28,1)"),
        runner("conv"),
        "Tactic: 0x0000000000000001 Time: 0.5",
        "=============== Computing costs for ",
        header(FORMATS),
        "Formats and tactics selection completed in 1.5 seconds.",
    )
    assert [(row["layer"], row["outcome"]) for row in rows(text, "combinations")] == [
        ("conv", "not shown"),
        ("conv", "timed"),
        (None, "not shown"),
    ]


def test_a_tactic_behind_a_runner_without_any_is_kept() -> None:
    """A log whose next runner's line is missing loses the runner's name, never the tactic."""
    text = log(
        "=============== Computing costs for conv1",
        "*************** Autotuning format combination: Float(1) -> Float(1) ***************",
        runner("conv1", "CaskFlattenConvolution"),
        "CaskFlattenConvolution has no valid tactics for this config, skipping",
        "Tactic Name: sm80_xmma_fprop_f32 Tactic: 0x0000000000000001 Time: 0.5",
        "Tactic Name: sm80_xmma_fprop_f16 Tactic: 0x0000000000000002 Time: 0.25",
    )
    found = [(row["layer"], row["runner"], row["time_ms"], row["outcome"]) for row in rows(text)]
    assert found == [
        ("conv1", "CaskFlattenConvolution", None, "skipped"), ("conv1", None, 0.5, "timed"), ("conv1", None, 0.25, "timed"),
    ]  # fmt: skip


def test_layers_that_only_reformat_have_combinations() -> None:
    """An Identity of the model is tuned below the header of a reformat, and is a layer all the same."""
    text = log(
        "=============== Computing reformatting costs: ",
        "*************** Autotuning Reformat: Float(1) -> Float(1) ***************",
        runner("Identity_0", "Reformat"),
        "Tactic: 0x00000000000003e8 Time: 0.0064",
        "Identity_0 (Reformat[0x80000006]) profiling completed in 0.01 seconds. Fastest Tactic: 0x03e8 Time: 0.0064",
        *reformat("tensor", "Float(1)", "Half(1)", 0.005),
    )
    assert [(row["layer"], row["time_ms"]) for row in rows(text)] == [("Identity_0", 0.0064)]
    assert [(row["layer"], row["line"]) for row in rows(text, "combinations")] == [("Identity_0", 2)]
    assert [(row["source"], row["time_ms"]) for row in rows(text, "reformat_candidates")] == [("tensor", 0.005)]


def test_strategies_say_which_engine_was_kept() -> None:
    """Only the strategy that the builder kept is kept, whatever its place in the log."""
    found = [(row["strategy"], row["estimate"], row["kept"]) for row in rows(strategies_build(), "strategies")]
    assert found == [(4, 0.22528, True), (2, 0.257024, False)]


def test_regions_hold_their_nodes() -> None:
    """The builder lists the ONNX nodes of a Myelin region, whatever separates them."""
    text = log("ForeignNode {ForeignNode[a...b]} metadata: [ONNX Layer: a]\x1e[ONNX Layer: b, c]")
    assert [(row["layer"], row["onnx_nodes"]) for row in rows(text, "regions")] == [
        ("{ForeignNode[a...b]}", ["a", "b, c"])
    ]


def test_the_layer_of_a_region_holds_its_nodes() -> None:
    """What the builder says of a region is said of the engine's layer, of the strategy that was kept; Metadata says more."""
    name = "{ForeignNode[a...b]}"
    text = log(
        "Building graph using backend strategy 4", f"ForeignNode {name} metadata: [ONNX Layer: a]\x1e[ONNX Layer: b]",
        "Engine generation completed in 2 seconds.", "Use backend strategy 4 with estimated inference time (0.2) as the initial choice.",
        "Building graph using backend strategy 2", f"ForeignNode {name} metadata: [ONNX Layer: a]\x1e[ONNX Layer: other]",
        "Engine generation completed in 1 seconds.",
        "Skip backend strategy 2since its estimated inference time (0.5) is not faster than the previous engine with estimated inference time (0.2).",
        "Engine Layer Information:",
        f"Layer(Myelin): {name}, Tactic: 0x0000000000000000, x (Half[1,8]) -> y (Half[1,8])",
        "Layer(NoOp): c, Tactic: 0x0000000000000000, y (Half[1,8]) -> z (Half[1,8])",
    )  # fmt: skip
    assert [row["onnx_nodes"] for row in rows(text, "layers")] == [["a", "b"], None]


def test_combinations_count_and_rank_their_tactics() -> None:
    """A combination has its fastest tactic, and counts what was timed and what was not."""
    table = {row["line"]: row for row in rows(INT8_BUILD, "combinations")}
    first, none, _, runs = [table[line_of(INT8_BUILD, "Autotuning format", n)] for n in (1, 2, 3, 4)]
    assert (first["time_ms"], first["timed"], first["precision"], first["unit"]) == (0.0663022, 1, "fp32", "cuda core")
    assert (none["time_ms"], none["skipped"], none["reason"]) == (None, 0, "no valid tactics")
    assert (runs["timed"], runs["tactic_id"], runs["layer_index"], runs["chosen"]) == (2, 0xC737E58152C008DD, 0, True)


def test_a_runner_without_a_valid_tactic_counts_none() -> None:
    """The line that says so is no tactic: neither of its runner, nor skipped, nor one without a time in the summary."""
    text = log(
        header(FORMATS), runner("conv"), "CaskConvolution has no valid tactics for this config, skipping",
        runner("conv", "CudnnConvolution"), "Tactic: 0x0000000000000001 Time: 0.5",
        "Tactic: 0x0000000000000002 skipped. Scratch requested: 57802752, available: 1048576",
    )  # fmt: skip
    assert [(row["runner"], row["tactics"], row["timed"]) for row in rows(text, "runners")] == [
        ("CaskConvolution", 0, 0), ("CudnnConvolution", 2, 1),
    ]  # fmt: skip
    assert [(row["timed"], row["skipped"]) for row in rows(text, "combinations")] == [(1, 1)]
    (summary,) = summarise(run_of(text))
    assert "1 tactic timed, 1 without a time" in {fact.label: fact.value for fact in summary.facts}["build"]


def test_seconds_by_stamps_end_with_the_last_tactic() -> None:
    """Where TensorRT states no seconds, time stamps do, and what comes behind the tuning is no runner's time."""
    stamp = "[11/20/2026-22:01:{:02}] [V] [TRT] {}"
    text = "\n".join(
        stamp.format(second, message)
        for second, message in (
            (10, header(FORMATS)),
            (10, "--------------- Timing Runner: conv (CaskConvolution)"),
            (13, "Tactic: 0x0000000000000001 Time: 0.5"),
            (13, "--------------- Timing Runner: conv (CudnnConvolution)"),
            (14, "Tactic: 0x0000000000000002 Time: 0.5"),
            (40, "Formats and tactics selection completed in 30 seconds."),
        )
    )
    assert [row["stamps_s"] for row in rows(text + "\n", "runners")] == [3.0, 1.0]

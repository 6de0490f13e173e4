"""Findings: each rule finds its case, keeps silent elsewhere, and stands on rows of the log."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import captured, docs_program
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
    reformat,
    run_of,
    runner,
    tactic,
)
from tests.golden.commands import say
from trtlens.findings.finding import SECTIONS
from trtlens.findings.rules import FINDINGS

if TYPE_CHECKING:
    from trtlens.runs.run import Run

ROOT = Path(__file__).parents[1]


def found(run: Run, against: Run | None = None) -> dict[str, dict[str, Any]]:
    """Findings by code."""
    return {row["code"]: row for row in run.view("findings", against=against).to_pylist()}


# -- docs ----------------------------------------------------------------------------------------------------------


def test_docs_follow_the_declarations() -> None:
    """docs/findings.md is up to date: no finding is missing, stale or gone."""
    module = docs_program("make_findings")
    assert (ROOT / "docs" / "findings.md").read_text("utf-8") == module.page(), "run python docs/make_findings.py"


def test_findings_of_a_section_stand_in_an_order_of_their_own() -> None:
    """No two findings of a section claim the same place, and every section has one."""
    places = [(rule.section, rule.place) for rule in FINDINGS.values()]
    assert len(set(places)) == len(places)
    assert {section for section, _ in places} == set(SECTIONS)


def test_docs_explain_every_verdict() -> None:
    """docs/why.md has every verdict that the explanations' code gives."""
    page = (ROOT / "docs" / "why.md").read_text("utf-8")
    code = "".join(path.read_text("utf-8") for path in (ROOT / "trtlens" / "explain").glob("*.py"))
    verdicts = set(re.findall(r'verdict="([a-z ]+)"', code)) - {"tried", "operation", "fastest in its formats"}
    assert [verdict for verdict in verdicts if f"| `{verdict}` |" not in page] == []


# -- the captures --------------------------------------------------------------------------------------------------


def test_int8_is_not_called_slower_within_noise() -> None:
    """The layers of this INT8 capture drift while they are timed, and no inference was: no difference is seen."""
    assert "int8-slower-than-fp16" not in found(captured("int8"), captured("fp16"))


def test_int8_without_fp16_in_the_captures() -> None:
    """Known from the record alone; the other run's tuner says what part of these layers' time FP16 would have saved.

    Taken from both tuners' lines: 0.0979 ms less, of layers that the profiler measures at 1.15 times the tuner's times.
    """
    alone, beside = found(captured("int8")), found(captured("int8"), captured("fp16"))
    assert alone["int8-without-fp16"]["at_stake_ms"] is None
    assert beside["int8-without-fp16"]["at_stake_ms"] == pytest.approx(0.1127, abs=0.0001)
    assert "int8-slower-than-fp16" not in alone
    for other in ("fp32", "fp16"):
        assert not {"int8-without-fp16", "int8-slower-than-fp16"} & set(found(captured(other), captured("int8")))


def test_copies_and_launches_in_the_captures() -> None:
    """47 constants are copied in every build; launching weighs on the short layers of fp16 and int8 alone."""
    rows = {precision: found(captured(precision)) for precision in ("fp32", "fp16", "int8")}
    costs = {precision: row["constants-copied"]["at_stake_ms"] for precision, row in rows.items()}
    assert costs == {"fp32": pytest.approx(0.175232), "fp16": pytest.approx(0.209728), "int8": pytest.approx(0.307728)}
    assert {precision for precision, row in rows.items() if "launch-bound" in row} == {"fp16", "int8"}
    assert [rows[p]["constants-copied"]["severity"] for p in ("fp32", "fp16", "int8")] == ["medium", "high", "high"]


def test_lines_of_findings_are_lines_of_the_log() -> None:
    """The lines are those that the evidence names, and each is a line that the finding is about."""
    run = captured("fp16")
    text = run.view("findings").to_pylist()
    layers = set(run["layers"]["line"].to_pylist())
    constants = {row["code"]: row for row in text}["constants-copied"]
    assert constants["lines"]
    assert set(constants["lines"]) <= layers
    for row in text:
        assert row["lines"] == [int(match[1]) for e in row["evidence"] if (match := re.match(r"line (\d+): ", e))]


# -- one rule after the other ----------------------------------------------------------------------------------------

CONV = "Layer(CaskConvolution): conv, Tactic: 0x{:016x}, x ({}[8,512{},7,7]) -> y ({}[8,512{},7,7])"


def build(*texts: str, engine: tuple[str, ...] = (), end: tuple[str, ...] = ()) -> Run:
    """A whole build: what the tuner printed, then the engine's rows."""
    return run_of(log(*texts, *SELECTED, *end, *GENERATED, *engine))


def tuned(layer: str, formats: str, *tactics: tuple[str, int, float]) -> tuple[str, ...]:
    """A block of one layer in one format combination; the first tactic wins."""
    return (
        f"=============== Computing costs for {layer}",
        header(formats),
        runner(layer),
        *(tactic(kernel, tactic_id, time_ms) for kernel, tactic_id, time_ms in tactics),
        chose(tactics[0][1]),
    )


FLOAT_CONV = CONV.format(0x55, "Float", "", "Float", "")
INT8_CONV = CONV.format(INT8_ID, "Int8", ":32", "Int8", ":32")
FP32_TUNED = tuned("conv", f"{FLOAT} -> {FLOAT}", (FLOAT_KERNEL, 0x55, 0.0663))
TF32_KERNEL = "sm80_xmma_fprop_implicit_gemm_f32f32_tf32f32_f32_nhwckrsc_nhwc_tilesize128x64x64_stage3_g1_tensor16x8x8"


def test_fp32_layers_of_an_int8_build_without_fp16() -> None:
    """Half of the time of the FP32 layers is at stake, and TensorRT's own advice is quoted with its line."""
    text = log(
        "[11/20/2026-22:01:25] [I] FP32 and INT8 precisions have been specified - more performance might be enabled by additionally "
        "specifying --fp16 or --best",
        *FP32_TUNED,
        *tuned("other", f"{INT8} -> {INT8}", (INT8_KERNEL, INT8_ID, 0.01)),
        *SELECTED,
        *GENERATED,
        FLOAT_CONV,
        INT8_CONV.replace("conv", "other"),
    )
    row = found(run_of(text))["int8-without-fp16"]
    assert (row["at_stake_ms"], row["severity"], row["layers"]) == (0.0663 / 2, "high", ["conv"])
    assert line_of(text, "FP32 and INT8 precisions") in row["lines"]


def test_a_faster_tensor_core_kernel_that_was_left_out() -> None:
    """At stake is what the kernel would save, less the reformat of 0.002 ms behind it."""
    run = build(
        *FP32_TUNED,
        header(f"{FLOAT} -> {INT8}"), runner("conv"), tactic(TF32_KERNEL, 0x66, 0.05), chose(0x66),
        *reformat("y", INT8, FLOAT, 0.002),
        engine=(FLOAT_CONV,),
    )  # fmt: skip
    row = found(run)["cuda-cores-despite-tensor-cores"]
    assert row["at_stake_ms"] == pytest.approx(0.0663 - 0.05 - 0.002)
    assert "still faster with the reformats around it" in row["evidence"][0]
    slower = build(
        *FP32_TUNED, header(f"{FLOAT} -> {INT8}"), runner("conv"), tactic(TF32_KERNEL, 0x66, 0.07), engine=(FLOAT_CONV,)
    )
    assert "cuda-cores-despite-tensor-cores" not in found(slower)


DP4A_KERNEL = "ampere_int8x4_icudnn_int8x4_128x32_relu_small_nn_v1"


@pytest.mark.parametrize(("channels", "silent"), [(3, False), (64, True)])
def test_channel_counts_that_rule_tensor_cores_out(channels: int, silent: bool) -> None:
    """INT8 on CUDA cores with 3 channels: 3 is no multiple of 16; 64 is, and then another reason must be found."""
    four = "Int8(12544,12544:4,112,1)"
    run = build(
        *tuned("conv", f"{four} -> {four}", (DP4A_KERNEL, 0x77, 0.05)),
        engine=(
            f"Layer(CaskConvolution): conv, Tactic: 0x{0x77:016x}, x (Int8[8,{channels}:4,112,112]) -> y (Int8[8,64:4,112,112])",
        ),
    )
    row = found(run).get("channels-rule-out-tensor-cores")
    assert (row is None) is silent
    if row is not None:
        assert (row["at_stake_ms"], row["at_stake_low_ms"], row["at_stake_high_ms"]) == (None, 0.0, 0.05)
        assert "3 input channels in INT8, which takes multiples of 16" in row["evidence"][0]


def test_reformats_that_cost_a_share_of_the_time() -> None:
    """One reformat of 0.00512 ms beside a layer of 0.02378 ms."""
    row = found(run_of(WORKSPACE_BUILD))["reformats-cost"]
    assert row["at_stake_ms"] is None
    assert row["at_stake_high_ms"] == pytest.approx(1.1 * 0.00512)
    assert "17.7 % of all layers' 28.9 µs by the tuner" in row["text"]
    assert "reformats-cost" not in found(run_of(INT8_BUILD))


def test_tactics_skipped_for_workspace() -> None:
    """What the tactic asks for, what the build allows, and no time: none is known."""
    row = found(run_of(WORKSPACE_BUILD))["workspace-limit"]
    assert (row["at_stake_ms"], row["layers"]) == (None, ["fc"])
    assert row["lines"] == [line_of(WORKSPACE_BUILD, "skipped. Scratch"), line_of(WORKSPACE_BUILD, "Memory Pools")]
    assert "asks for 7.01 GiB" in row["text"]
    assert "workspace-limit" not in found(run_of(INT8_BUILD))


def test_tactics_skipped_for_workspace_that_the_other_run_timed() -> None:
    """With a run in which the tactic was timed, what it would save is known."""
    more = WORKSPACE_BUILD.replace("Tactic: 0x0000000000000004 skipped. Scratch requested: 7527202816, available: 1073741824",
                                   "Tactic: 0x0000000000000004 Time: 0.02")  # fmt: skip
    row = found(run_of(WORKSPACE_BUILD), run_of(more))["workspace-limit"]
    assert row["at_stake_ms"] == pytest.approx(0.00378)


@pytest.mark.parametrize(("rival", "silent"), [(0.0665, False), (0.07, True)])
def test_choices_within_the_noise(rival: float, silent: bool) -> None:
    """A rival within 1 % may win the next build; one that is 5 % slower will not."""
    tactics = (FLOAT_KERNEL, 0x55, 0.0663), (f"{FLOAT_KERNEL}_b", 0x56, rival)
    row = found(build(*tuned("conv", f"{FLOAT} -> {FLOAT}", *tactics), engine=(FLOAT_CONV,))).get("unstable-choice")
    assert (row is None) is silent
    if row is not None:
        assert "For 1 of 1 layer" in row["text"]


def profiled(layer: str, seconds: float) -> str:
    """The end of a runner with the seconds that it took (8.6 and later)."""
    return f"{layer} (CaskConvolution[0x80000009]) profiling completed in {seconds} seconds. Fastest Tactic: 0x0000000000000055 Time: 0.0663"


@pytest.mark.parametrize(("seconds", "silent"), [(30.0, False), (0.2, True)])
def test_one_layer_that_ate_the_build_time(seconds: float, silent: bool) -> None:
    """Most of the tuning in one layer, as TensorRT states it; under a second nobody minds."""
    run = build(
        header(f"{FLOAT} -> {FLOAT}"), runner("conv"), tactic(FLOAT_KERNEL, 0x55, 0.0663), profiled("conv", seconds),
        header(f"{FLOAT} -> {FLOAT}"), runner("small"), tactic(FLOAT_KERNEL, 0x55, 0.0663), profiled("small", 0.1),
        engine=(FLOAT_CONV,),
    )  # fmt: skip
    row = found(run).get("build-time-in-one-layer")
    assert (row is None) is silent
    if row is not None:
        assert (row["at_stake_s"], row["at_stake_ms"], row["layers"]) == (30.0, None, ["conv"])
        assert row["evidence"][1] == "1 tactic in 1 try of a runner"


def test_missing_scales() -> None:
    """The layer at the tensor runs in FP32: its time is at stake, and the message's line is the evidence."""
    message = "Missing scale and zero-point for tensor y, expect fall back to non-int8 implementation for any layer consuming it"
    row = found(build(f"[11/20/2026-22:01:26] [W] [TRT] {message}", *FP32_TUNED, engine=(FLOAT_CONV,)))[
        "missing-scales"
    ]
    assert (row["at_stake_ms"], row["at_stake_high_ms"], row["lines"][0], row["layers"]) == (None, 0.0663, 1, ["conv"])
    assert "missing-scales" not in found(build(*FP32_TUNED, engine=(FLOAT_CONV,)))


def test_tf32_in_an_fp32_build() -> None:
    """A layer of a build that allows FP32 alone runs a TF32 kernel, and the fastest FP32 kernel has a time beside it."""
    tactics = (TF32_KERNEL, 0x55, 0.02), (FLOAT_KERNEL, 0x56, 0.0663)
    row = found(build(*tuned("conv", f"{FLOAT} -> {FLOAT}", *tactics), engine=(FLOAT_CONV,)))["tf32-in-fp32"]
    assert "46.3 µs more" in row["text"]
    assert row["at_stake_ms"] is None
    assert "tf32-in-fp32" not in found(build(*FP32_TUNED, engine=(FLOAT_CONV,)))


def test_weights_that_do_not_fit() -> None:
    """Weights beyond FP16's range are severe, subnormal ones are not."""
    head = "[11/20/2026-22:01:26] [W] [TRT] "
    small = f"{head}- 24 weights are affected by this issue: Detected subnormal FP16 values."
    large = f"{head}- 2 weights are affected by this issue: Detected finite FP32 values which would overflow in FP16 and converted them to the closest finite FP16 value."
    severities = [
        found(build(*rows, engine=(FLOAT_CONV.replace("Float", "Half"),)))["fp16-weights"]["severity"]
        for rows in ((small,), (small, large))
    ]
    assert severities == ["low", "high"]


REGION = "Layer(Myelin): {ForeignNode[a...b]}, Tactic: 0x0000000000000000, x (Half[8,512,7,7]) -> y (Half[8,512,7,7])"


@pytest.mark.parametrize(
    ("version", "advice"),
    [("8.6.1", "Nsight Systems"), ("10.9.0", "--profilingVerbosity=detailed, which lists the region's kernels")],
)
def test_one_myelin_region_that_is_the_engine(version: str, advice: str) -> None:
    """The next check depends on the release: 9 and later open the region up."""
    run = build(f"[11/20/2026-22:01:25] [I] TensorRT version: {version}", "ForeignNode {ForeignNode[a...b]} metadata: [ONNX Layer: a]\x1e[ONNX Layer: b]",
                engine=(REGION,))  # fmt: skip
    row = found(run)["myelin-hides-layers"]
    assert advice in row["next_check"]
    assert "it contains 2 nodes" in row["evidence"]
    many = tuple(FLOAT_CONV.replace("conv,", f"conv_{n},") for n in range(4))
    assert "myelin-hides-layers" not in found(build(engine=(REGION, *many)))


def test_an_empty_log_has_no_findings() -> None:
    """Where nothing is known nothing is found."""
    assert found(run_of(log("Total Activation Memory: 1024"))) == {}


# -- the command ---------------------------------------------------------------------------------------------------


def test_the_command_prints_findings_with_their_next_check(tmp_path: Path) -> None:
    """Severity, code, title, evidence with lines, and what to check next."""
    path = tmp_path / "build.log"
    path.write_text(WORKSPACE_BUILD)
    done = say("findings", path)
    assert done.code == 0
    assert "\nmedium  workspace-limit  " in done.out
    assert "line 2: the build's workspace is 1.00 GiB" in done.out
    assert "(confidence: high)" in done.out


def test_the_command_takes_a_second_run(tmp_path: Path) -> None:
    """--against holds a second run against the first; rows come as JSON."""
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    first.write_text(WORKSPACE_BUILD)
    second.write_text(WORKSPACE_BUILD.replace("Tactic: 0x0000000000000004 skipped. Scratch requested: 7527202816, available: 1073741824",
                                              "Tactic: 0x0000000000000004 Time: 0.02"))  # fmt: skip
    rows = json.loads(say("findings", first, "--against", second, "--format", "json").out)
    assert {row["code"]: row for row in rows}["workspace-limit"]["at_stake_ms"] == pytest.approx(0.00378)


def test_the_command_says_when_it_finds_nothing(tmp_path: Path) -> None:
    """Silence would look like a failure."""
    path = tmp_path / "build.log"
    path.write_text(log("Total Activation Memory: 1024"))
    done = say("findings", path)
    assert (done.code, done.out) == (0, "")
    assert "build.log" in done.err

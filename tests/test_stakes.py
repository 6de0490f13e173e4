"""Time at stake: never more than an inference takes, counted in one place, and checked against the raw samples."""

from __future__ import annotations

import ast
import json
import lzma
import re
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.conftest import FIXTURES
from tests.doubles.made_runs import MadeLayer, MadeRun
from tests.golden.inputs import opened
from trtlens.findings.estimates import Part
from trtlens.findings.stakes import (
    AVOIDED,
    BOUND,
    FASTER,
    HALVED,
    KERNEL_TRACE,
    LAYER_PROFILER,
    NO_TIMES,
    REMOVED,
    TUNER,
    Clock,
    Reach,
    stake_text,
)
from trtlens.runs.ingest import Document, join_documents
from trtlens.runs.run import Run
from trtlens_parsers.inspector import read_inspector
from trtlens_parsers.kernel_trace import read_kernel_trace

RUNS = FIXTURES / "h200"
RULES = Path(__file__).parents[1] / "trtlens" / "findings"
_INT8_KERNEL = "sm80_xmma_fprop_implicit_gemm_interleaved_i8i8_i8i32_f32_nchw_vect_c_32kcrs_vect_c_32_tilesize64x32x64"
TIMED = ("encoder-fp16", "mobilenet-batch-8", "resnet50-int8")
"""A run whose layers add up to 1.02 times an inference, one in which the GPU waits (1.23), and one of short layers (1.86)."""


@cache
def rows(name: str) -> dict[str, dict[str, Any]]:
    """Findings of one of the recorded runs, by code."""
    return {row["code"]: row for row in opened(f"h200/{name}").view("findings").to_pylist()}


def inference_ms(name: str) -> float:
    """Median GPU time of the queued inferences, as run.json states it."""
    timings = json.loads((RUNS / name / "run.json").read_text("utf-8"))["timings"]
    return float(timings[-1]["gpu"]["median_ms"])


def medians(name: str) -> list[tuple[str, float]]:
    """Each layer's name with the median of its raw samples."""
    document = json.loads(lzma.decompress((RUNS / name / "layer-times.json.xz").read_bytes()))
    return list(zip(document["layers"], map(median, zip(*document["times_ms"], strict=True)), strict=True))


@pytest.mark.parametrize("name", [*TIMED, "resnet50-fp16-traced"])
def test_nothing_at_stake_exceeds_an_inference(name: str) -> None:
    """Held against run.json, which the findings do not read the time from: that comes from the samples."""
    ends = ("at_stake_low_ms", "at_stake_ms", "at_stake_high_ms")
    stakes = {code: [row[end] for end in ends if row[end] is not None] for code, row in rows(name).items()}
    stakes = {code: stake for code, stake in stakes.items() if stake}
    assert stakes
    assert {code: stake for code, stake in stakes.items() if sorted(stake) != stake} == {}
    assert {code: stake for code, stake in stakes.items() if not 0 <= stake[0] <= stake[-1] <= inference_ms(name)} == {}


def test_copies_of_constants_take_what_the_profiler_did_not_add() -> None:
    """Counted from the raw samples: what the layers add up to beyond an inference, evenly over the layers, is taken off each copy."""
    layers = [(layer, time_ms) for layer, time_ms in medians("resnet50-fp16") if time_ms > 0]
    total, whole = sum(time_ms for _, time_ms in layers), inference_ms("resnet50-fp16")
    copies = [time_ms for layer, time_ms in layers if layer.startswith("Identity_")]
    added = (total - whole) / len(layers)
    row = rows("resnet50-fp16")["constants-copied"]
    likely = sum(max(time_ms - added, 0) for time_ms in copies)
    assert len(row["layers"]) == len(copies)
    assert row["at_stake_ms"] == pytest.approx(likely, rel=1e-3)
    anew = 0.02 * (whole - likely)
    assert row["at_stake_high_ms"] == pytest.approx(sum(copies) / total * whole + anew, rel=1e-3)


def test_a_trace_predicts_what_folding_gained() -> None:
    """The same model with its constants folded, built with the same timing cache, gained 27.2 µs: it lies in the interval, and in no narrow part of it."""
    gained = inference_ms("resnet50-fp16-traced") - inference_ms("resnet50-fp16-folded-traced")
    row = rows("resnet50-fp16-traced")["constants-copied"]
    assert row["at_stake_low_ms"] < gained < row["at_stake_high_ms"] < 2 * gained
    assert row["at_stake_ms"] == pytest.approx(gained, rel=0.3)
    launches, untimed = 90, 15
    gaps = inference_ms("resnet50-fp16-traced") - 0.5086935
    assert row["at_stake_ms"] == pytest.approx(0.0322565 + gaps * 47 / (launches + untimed), abs=1e-6)


def test_a_profile_predicts_what_the_trace_of_its_engine_does() -> None:
    """The layer profiler's times of the traced engine: the interval holds what was gained, where their share of the layers said 127 µs."""
    run = opened("h200/resnet50-fp16-traced")
    without = replace(
        run,
        tables={
            **run.tables,
            "kernel_launches": run["kernel_launches"].slice(0, 0),
            "kernel_samples": run["kernel_samples"].slice(0, 0),
        },
    )
    row = {one["code"]: one for one in without.view("findings").to_pylist()}["constants-copied"]
    assert row["at_stake_low_ms"] < 0.0272 < row["at_stake_ms"] < 0.062
    assert row["at_stake_high_ms"] > 0.12


def test_layers_in_int8_that_read_a_copy_make_it_at_least() -> None:
    """What else such a layer pays has no time without a trace: the upper end is open, and the evidence says why."""
    row = rows("resnet50-int8")["constants-copied"]
    assert row["at_stake_ms"] is not None
    assert row["at_stake_high_ms"] is None
    assert row["evidence"][-1].startswith("47 layers in INT8 read them")
    assert rows("resnet50-fp16")["constants-copied"]["at_stake_high_ms"] is not None


def _tensor(name: str) -> dict[str, Any]:
    return {"Name": name, "Dimensions": [8, 64, 8, 8], "Format/Datatype": "Row major linear FP32"}


@pytest.mark.parametrize(("starts", "likely_ms"), [(None, 0.0026), ([0, 1400, 3300], 0.0030)])
def test_kernels_that_pad_biases_are_counted_with_the_copies(starts: list[int] | None, likely_ms: float) -> None:
    """In the trace of an INT8 engine: a copy of 1 µs and the padding of 1.6 µs in the layer that reads it, with the gap of 0.4 µs between them."""
    layers = [
        {"Name": name, "LayerType": kind, "Inputs": [_tensor(one) for one in read], "Outputs": [_tensor(made)], "TacticName": kernel}
        for name, kind, read, made, kernel in (
            ("c", "Constant", [], "k", ""), ("fold", "Reformat", ["k"], "b", ""), ("conv", "CaskConvolution", ["x", "b"], "y", _INT8_KERNEL),
        )
    ]  # fmt: skip
    launches = [("fold", "copy_kernel", 1000), ("conv", "padBiasWeights_kernel", 1600), ("conv", _INT8_KERNEL, 9000)]
    rows = [
        {"format": 1, "kernel_trace": "stream", "kinds": ["kernel", "copy"]},
        *({"kernel": kernel, "range": layer} for layer, kernel, _ in launches),
        {"duration_ns": [time for _, _, time in launches], **({} if starts is None else {"start_ns": starts})},
    ]
    trace = read_kernel_trace("\n".join(map(json.dumps, rows)))
    documents = [Document("layers.json", read_inspector(json.dumps({"Layers": layers}))), Document("t.jsonl", trace)]
    run = Run("made", join_documents(documents))
    row = {one["code"]: one for one in run.view("findings").to_pylist()}["constants-copied"]
    assert row["at_stake_ms"] == pytest.approx(likely_ms)
    assert row["at_stake_high_ms"] is None
    assert "1 kernel pads a bias that the engine does not hold: 1.60 µs" in row["evidence"]


def test_the_basis_says_what_a_measurement_holds() -> None:
    """The layers' times, what is taken off, the inference, and how far a new build lies apart; why nothing is known where that is so."""
    basis = rows("resnet50-int8")["constants-copied"]["at_stake_from"]
    assert re.findall(r"[\d.]+ (?:%|ms|µs)", basis) == ["380 µs", "1.12 ms", "5.04 µs", "33.8 %", "605 µs", "9.18 µs"]
    waiting = rows("mobilenet-batch-8")["launch-bound"]
    assert waiting["at_stake_ms"] is None
    assert waiting["at_stake_from"].startswith("not known")


def test_a_waiting_gpu_is_told_by_both_times() -> None:
    """Held against run.json: enqueueing takes 0.544199 ms, the GPU 0.558048, and found it idle for all 1,845 inferences."""
    row = rows("mobilenet-batch-8")["launch-bound"]
    assert re.findall(r"\d+ µs", row["text"]) == ["544 µs", "558 µs"]
    assert "1,845 of 1,845 inferences" in row["evidence"][0]


def test_a_trace_says_what_a_cuda_graph_would_gain() -> None:
    """Of 1 ms of waiting for kernels that take 0.4 ms: all but these and the gaps of a graph."""
    stake = Clock(KERNEL_TRACE, 0.4, 1.0, 10, 0.4, waits=True).stake_of_waiting()
    assert stake is not None
    assert [stake.low_ms, stake.time_ms, stake.high_ms] == pytest.approx([0.58, 0.596, 0.616])
    assert Clock(LAYER_PROFILER, 0.4, 1.0, 10, waits=True).stake_of_waiting() is None


def test_a_cuda_graph_that_was_timed_as_well_says_what_it_gains() -> None:
    """Inferences of 0.5 ms enqueued and 0.3 ms from a graph, both of one run: 0.2 ms, and both times in the text."""
    passes = ["timing"] * 10 + ["graph"] * 10
    times = {
        "iteration": [*range(10)] * 2, "pass": passes, "gpu_ms": [0.5] * 10 + [0.3] * 10, "enqueue_ms": [0.49] * 10 + [0.01] * 10,
        "queue_dry": [True] * 10 + [False] * 10,
    }  # fmt: skip
    info = {"kind": "profile", "flags": {}, "timings": [{"cuda_graph": False}]}
    run = MadeRun([MadeLayer("conv")], tables={"run_times": times}, info=info).run()

    (row,) = [row for row in run.view("findings").to_pylist() if row["code"] == "launch-bound"]

    assert row["at_stake_ms"] == pytest.approx(0.2)
    assert "10 of 10 inferences" in row["evidence"][0]
    assert row["text"].endswith("From a CUDA graph an inference takes 300 µs.")
    assert "500 µs enqueued and 300 µs from a CUDA graph" in row["at_stake_from"]


def test_a_gpu_that_waits_gains_by_launches() -> None:
    """Half of the launches are half of an inference; faster kernels may gain nothing."""
    clock = Clock(LAYER_PROFILER, 1.0, 1.0, 10, waits=True)
    stake = clock.stake([Part(0.02)] * 5, REMOVED)
    assert stake.time_ms == 0.5
    assert stake.low_ms == pytest.approx(0.7 * 0.1 / 3.5 - 0.02 * 0.5)
    assert stake.high_ms == pytest.approx(1.3 * 0.5 + 0.02 * 0.5)
    faster = clock.stake([Part(0.1)], FASTER)
    assert (faster.low_ms, faster.time_ms) == (0.0, None)


def test_gaps_before_kernels_that_go_are_gained_too() -> None:
    """The trace's own gaps where it has starts; else an even share, and all gaps at most."""
    clock = Clock(KERNEL_TRACE, 0.8, 1.0, 10, 0.8)
    assert clock.stake([Part(0.1, 1.0, 0.05)], REMOVED).time_ms == pytest.approx(0.15)
    even = clock.stake([Part(0.1)], REMOVED, untimed=1)
    assert even.time_ms == pytest.approx(0.1 + 0.2 * 2 / 10)
    assert even.high_ms == pytest.approx(0.3 + 0.02 * (1 - 0.14))
    assert clock.stake([Part(0.1)], BOUND).high_ms == pytest.approx(0.1)
    longer = Clock(KERNEL_TRACE, 1.25, 1.0, 10, 1.25).stake([Part(0.1)], REMOVED)
    assert longer.time_ms == pytest.approx(0.08)
    assert "1.25 times as long" in longer.basis


def test_times_without_an_inference_stand_as_they_are() -> None:
    """The sum is the bound; nothing is known of layers without a time."""
    stake = Clock(TUNER, 1.0, None).stake([Part(0.5)], REMOVED)
    assert (stake.low_ms, stake.time_ms, stake.high_ms) == (0.4, 0.5, 0.55)
    shorter = Clock(TUNER, 2.0, 1.0).stake([Part(1.0, 0.5)], FASTER)
    assert (shorter.low_ms, shorter.time_ms) == (0.0, 0.25)
    whole = Clock(LAYER_PROFILER, 0.7, 1.0, 2).stake([Part(0.35)], BOUND)
    assert (whole.low_ms, whole.time_ms, whole.high_ms) == (0.0, None, 0.35)
    profiled = Clock(LAYER_PROFILER, 0.7, None, 2).stake([Part(0.35)], REMOVED)
    assert [profiled.low_ms, profiled.time_ms, profiled.high_ms] == pytest.approx([0.1, 0.35, 0.35])
    halved = Clock(LAYER_PROFILER, 1.2, 1.0, 2).stake([Part(0.6)], HALVED)
    assert [halved.low_ms, halved.time_ms] == pytest.approx([0.0, 0.25])
    long = Clock(LAYER_PROFILER, 1.2, 1.0, 2).stake([Part(1.0)], REMOVED)
    assert long.low_ms == pytest.approx(1 / 1.2 - 0.02 * 0.1)
    assert halved.high_ms == pytest.approx(0.6 - 2 / 3 * 0.1 + 0.02 * 0.75)
    assert Clock(TUNER, 1.0, None).stake([Part(3.0)], REMOVED).time_ms == 1.0
    assert Clock(TUNER, None, 1.0).stake([Part(0.5)]).basis == NO_TIMES
    assert Clock(TUNER, 1.0, 1.0).stake([]).time_ms is None


@pytest.mark.parametrize("source", [LAYER_PROFILER, TUNER, KERNEL_TRACE])
@pytest.mark.parametrize("reach", [REMOVED, FASTER, HALVED, BOUND, AVOIDED])
def test_no_clock_gives_more_than_an_inference(source: str, reach: Reach) -> None:
    """Whatever a rule adds up: parts, wholes, and savings beyond them; and no end of an interval lies on the wrong side."""
    for spent, total, whole, waits in product((0.0, 0.1, 50.0), (0.1, 3.0), (0.05, 1.0, 4.0), (False, True)):
        stake = Clock(source, total, whole, 3, total, waits).stake([Part(spent), Part(spent, 0.5)], reach, untimed=1)
        ends = [end for end in (stake.low_ms, stake.time_ms, stake.high_ms) if end is not None]
        assert sorted(ends) == ends
        assert 0 <= ends[0] <= ends[-1] <= whole


def test_stakes_read_alike_everywhere() -> None:
    """With an interval, with an open end, with a bound alone, and not at all."""
    assert stake_text(0.0227, 0.0349, 0.0477) == "34.9 µs (22.7 to 47.7 µs)"
    assert stake_text(0.0611, 0.146, None) == "146 µs or more (61.1 µs at least)"
    assert stake_text(0.0, None, 0.063) == "up to 63.0 µs"
    assert stake_text(None, None, None) == ""


def test_only_the_clock_counts_a_stake() -> None:
    """Every other module of the findings makes stakes without a time alone, so none can exceed an inference."""
    made = [
        f"{path.name}:{call.lineno}"
        for path in RULES.rglob("*.py") if path.name != "stakes.py"
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Stake"
        if not (isinstance(call.args[0], ast.Constant) and call.args[0].value is None)
    ]  # fmt: skip
    assert made == []


def test_a_graph_gains_the_gaps_between_kernels() -> None:
    """Four transformer layers from a stream: predicted is what lies beyond their kernels and 1 % of these; a CUDA graph gained 26.4 µs."""
    run = opened("h200/transformer-fp16-stream-traced")
    (row,) = [row for row in run.view("findings").to_pylist() if row["code"] == "gaps-between-kernels"]
    assert row["at_stake_ms"] == pytest.approx(0.217408 - 1.01 * 0.190029, abs=1e-6)
    assert row["at_stake_low_ms"] == pytest.approx(0.217408 - 1.05 * 0.190029, abs=1e-6)
    assert row["at_stake_ms"] == pytest.approx(0.0264, rel=0.05)
    assert row["severity"] == "medium"

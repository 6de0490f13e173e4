"""Time at stake: never more than an inference takes, counted in one place, and checked against the raw samples."""

from __future__ import annotations

import ast
import json
import lzma
import re
from functools import cache
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.conftest import FIXTURES
from tests.golden.inputs import opened
from trtlens.findings.stakes import LAYER_PROFILER, NO_TIMES, TUNER, Clock

RUNS = FIXTURES / "h200"
RULES = Path(__file__).parents[1] / "trtlens" / "findings"
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


@pytest.mark.parametrize("name", TIMED)
def test_nothing_at_stake_exceeds_an_inference(name: str) -> None:
    """Held against run.json, which the findings do not read the time from: that comes from the samples."""
    stakes = {code: row["at_stake_ms"] for code, row in rows(name).items() if row["at_stake_ms"] is not None}
    assert stakes
    assert {code: stake for code, stake in stakes.items() if stake > inference_ms(name)} == {}


@pytest.mark.parametrize("name", ["mobilenet-batch-8", "resnet50-int8"])
def test_copies_of_constants_are_their_share_of_an_inference(name: str) -> None:
    """Counted from the raw samples: the 47 (39) Identity rows have 379.9 (238.8) of 1,123.2 (688.4) µs; an inference takes 604.6 (558.0)."""
    layers = medians(name)
    copies = [time_ms for layer, time_ms in layers if layer.startswith("Identity_")]
    total = sum(time_ms for _, time_ms in layers)
    row = rows(name)["constants-copied"]
    assert len(row["layers"]) == sum(time_ms > 0 for time_ms in copies)
    assert row["at_stake_ms"] == pytest.approx(sum(copies) / total * inference_ms(name), rel=1e-5)
    assert f"{100 * sum(copies) / total:.1f} %" in row["text"]


def test_the_basis_says_what_a_measurement_holds() -> None:
    """The layers' sum, the inference, and which way the part is off; why nothing is known where that is so."""
    basis = rows("resnet50-int8")["constants-copied"]["at_stake_from"]
    assert re.findall(r"[\d.]+ (?:%|ms|µs)", basis) == ["33.8 %", "605 µs", "1.12 ms"]
    assert "upper bound" in basis
    waiting = rows("mobilenet-batch-8")["launch-bound"]
    assert waiting["at_stake_ms"] is None
    assert waiting["at_stake_from"].startswith("not known")


def test_a_waiting_gpu_is_told_by_both_times() -> None:
    """Held against run.json: enqueueing takes 0.544199 ms, the GPU 0.558048, and found it idle for all 1,845 inferences."""
    row = rows("mobilenet-batch-8")["launch-bound"]
    assert re.findall(r"\d+ µs", row["text"]) == ["544 µs", "558 µs"]
    assert "1,845 of 1,845 inferences" in row["evidence"][0]


def test_a_part_is_scaled_only_where_the_layers_exceed_the_inference() -> None:
    """Equal or shorter sums stand as they are; without an inference the sum itself is the bound."""
    assert Clock(LAYER_PROFILER, 2.0, 1.0).stake(0.5).time_ms == 0.25
    assert Clock(LAYER_PROFILER, 1.0, 2.0).stake(0.5).time_ms == 0.5
    assert Clock(TUNER, 1.0, None).stake(0.5).time_ms == 0.5
    assert Clock(TUNER, 1.0, None).stake(3.0).time_ms == 1.0
    assert Clock(TUNER, None, 1.0).stake(0.5).basis == NO_TIMES
    assert Clock(TUNER, 1.0, 1.0).stake(None).time_ms is None


@pytest.mark.parametrize("source", [LAYER_PROFILER, TUNER])
def test_no_clock_gives_more_than_an_inference(source: str) -> None:
    """Whatever a rule adds up: parts, wholes, and savings beyond them."""
    for spent, total, inference in product((0.0, 0.1, 1.0, 50.0), (0.1, 1.0, 3.0), (0.05, 1.0, 4.0)):
        stake = Clock(source, total, inference).stake(spent).time_ms
        assert stake is not None
        assert 0 <= stake <= inference


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

"""The harness of benchmarks/ that takes advice: its models, its plan, and how it judges; building needs a GPU."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FIXTURES

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
pytest.importorskip("onnx")


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.mark.parametrize(("name", "copies"), [("resnet", 47), ("mobilenet", 39), ("transformer", 0), ("quantized", 16)])
def test_models_are_whole_and_fold(name: str, copies: int) -> None:
    """As many Identity nodes on constants as there should be; without them the model is as valid, and no name is gone."""
    import onnx

    models: Any = import_module("advice_models")
    model = models.MODELS[name](1, 8)
    onnx.checker.check_model(model, full_check=True)
    assert sum(node.op_type == "Identity" for node in model.graph.node) == copies
    bare = models.folded(model)
    onnx.checker.check_model(bare, full_check=True)
    assert len(bare.graph.node) == len(model.graph.node) - copies


def test_the_plan_needs_no_gpu(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every variant once, the engine's before its other timing, all with one timing cache."""
    advice: Any = import_module("advice")
    monkeypatch.setattr(sys, "argv", ["advice.py", "--plan", "--models", "resnet"])
    assert advice.main() == 0
    printed = capsys.readouterr().out
    rows = [line.split(maxsplit=1) for line in printed.splitlines() if " -m trtlens profile " in line]
    assert len({label for label, _ in rows}) == len(rows) == 7
    assert rows[-1][0] == "resnet-fp16-stream"
    assert all("--timingCacheFile advice/timing.cache" in words for _, words in rows[:-1])
    assert "fold constants: constants-copied of resnet-fp16, then resnet-fp16-folded" in printed


def test_predictions_are_held_against_what_was_gained(tmp_path: Path) -> None:
    """The two traced captures in the place of two variants: predicted with and without the trace, gained 27.2 µs; the others are not timed."""
    advice: Any = import_module("advice")
    for label, run in (("resnet-fp16", "resnet50-fp16-traced"), ("resnet-fp16-folded", "resnet50-fp16-folded-traced")):
        (tmp_path / label).symlink_to(FIXTURES / "h200" / run)
    first, second = (advice.outcome(trial, tmp_path) for trial in advice.trials(["resnet"])[:2])
    assert first.gained_ms == pytest.approx(0.0272)
    assert first.verdict == "inside"
    assert first.likely_ms == pytest.approx(0.0349, abs=1e-4)
    assert first.by_profile == pytest.approx((0.0201, 0.0604, 0.1384), abs=1e-4)
    assert second.verdict == "not timed"
    assert advice.table([first, second]).splitlines()[-1] == "1 of 1 predictions came true, of 2 pieces of advice"

"""Plans proved on a GPU: built as planned, timed, and within the bound by measurement."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.capture.conftest import MODELS, OWN_TACTICS

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize(
    ("name", "bound"),
    [("tiny_encoder", "error<=5e-4"), ("overflowing_rms_norm", "error<=3e-3"), ("small_cnn", "error<=5e-4")],
)
def test_a_plan_holds_on_the_engine(name: str, bound: str, command: Callable[..., str]) -> None:
    """At most three builds; the error of the one that is kept is within the bound, and emulation told it within a factor of three."""
    model = MODELS / f"{name}.onnx"
    told = command(model, "--fp16", "--bound", bound, "--prove", 3, OWN_TACTICS, "--builderOptimizationLevel", 1)
    plan = json.loads(Path("plan.json").read_text())
    builds = plan["proof"]["builds"]
    assert 1 <= len(builds) <= 3
    assert plan["holds"], told
    assert plan["time_is"] == "measured"
    kept = next(row for row in builds if row["holds"] and row["time_ms"] == plan["time_ms"])
    assert kept["measured"] <= float(bound.partition("<=")[2])
    assert kept["emulated"] is None or kept["measured"] <= 3 * max(kept["emulated"], 1e-7)

"""Dumps of engines on an H200: the planted faults are found, and the advice that was followed mends them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.accuracy.conftest import FIXTURES
from trtlens.cli import app

DUMPS = FIXTURES / "h200-dumps"


def tensor_rows(model: str, build: str) -> list[dict[str, Any]]:
    """What ``trtlens accuracy`` says of a build against the reference, a row a tensor."""
    arguments = ["accuracy", str(DUMPS / f"{model}-reference"), str(DUMPS / f"{model}-{build}"), "--format", "json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


@pytest.mark.parametrize(
    ("model", "culprit", "cause"),
    [
        ("overflowing_rms_norm", "norm/pow", "FP16 ends at 65504"),
        ("subnormal_weights", "tiny/MatMul", "under 6.1e-5"),
    ],
)
def test_the_planted_fault_is_named(model: str, culprit: str, cause: str) -> None:
    """The first tensor that goes wrong is the fault's, with its cause, and the output is wrong because of it."""
    rows = tensor_rows(model, "held")
    first = next(row for row in rows if row["first_wrong"])
    assert first["producer"] == culprit
    assert cause in first["cause"]
    assert culprit in first["keep_fp32"]
    assert rows[-1]["role"] == "output"
    assert rows[-1]["error"] > 0.2


@pytest.mark.parametrize("model", ["overflowing_rms_norm", "subnormal_weights"])
def test_the_advised_layers_in_fp32_mend_the_output(model: str) -> None:
    """The engine with just the advised layers in FP32 stays close to the reference, and those layers did run in FP32."""
    advised = next(row["keep_fp32"] for row in tensor_rows(model, "held") if row["first_wrong"])
    rows = tensor_rows(model, "pinned")
    assert not any(row["first_wrong"] for row in rows)
    assert rows[-1]["error"] < 0.001
    precisions = {row["producer"]: row["precision"] for row in rows}
    assert {precisions[node] for node in advised if node in precisions} == {"fp32"}

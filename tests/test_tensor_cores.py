"""What could run on tensor cores and does not: each such layer with the candidate, what is lost, and why."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import FIXTURES
from tests.doubles.made_logs import line_of
from tests.golden.inputs import opened
from trtlens.runs.run import open_run

LOG = FIXTURES / "releases" / "8.6-cuda-cores.log"


def missed(name: str) -> list[dict[str, Any]]:
    """Rows of single layers."""
    return [row for row in open_run(FIXTURES / name).view("tensorcores").to_pylist() if row["name"] is not None]


def test_each_layer_stands_with_its_candidate_and_what_is_lost() -> None:
    """What is lost is counted from the raw lines, reformats around the candidate included.

    wide_conv 65.5 - (23.1 + 6.1 + 5.8) = 30.5 µs, far_conv 48.8 - (27.4 + 21.2 + 20.7) = -20.5 µs, slow_conv 30.1 -
    (34.4 + 6.0 + 5.9) = -16.2 µs; stem_conv has no tensor core candidate.
    """
    text = LOG.read_text("utf-8")
    rows = {row["name"]: row for row in missed("releases/8.6-cuda-cores.log")}
    assert list(rows) == ["wide_conv", "stem_conv", "slow_conv", "far_conv"]
    lost = {name: row["lost_ms"] for name, row in rows.items()}
    assert lost == {
        "wide_conv": pytest.approx(0.0305), "stem_conv": None, "slow_conv": pytest.approx(-0.0162),
        "far_conv": pytest.approx(-0.0205),
    }  # fmt: skip
    wide = rows["wide_conv"]
    assert (wide["chosen_ms"], wide["candidate_ms"]) == (0.0655, 0.0231)
    assert wide["candidate_line"] == line_of(text, "Time: 0.0231")
    assert "tensor16x8x16" in wide["candidate"]
    assert "ffma" in wide["kernel"]


@pytest.mark.parametrize(
    ("name", "layer", "reason"),
    [
        ("releases/8.6-cuda-cores.log", "wide_conv", "faster by itself, and still faster with the reformats around it"),
        ("releases/8.6-cuda-cores.log", "far_conv", "faster by itself, but the reformats around it cost more than it saves"),
        ("releases/8.6-cuda-cores.log", "slow_conv", "slower by itself"),
        ("releases/8.6-cuda-cores.log", "stem_conv", "it computes in FP32, which tensor cores do not have"),
        ("releases/8.5-int8.log", "stem_conv", "no tensor core kernel was timed for it: 3 input channels in INT8, which takes multiples of 16"),
    ],
)  # fmt: skip
def test_each_layer_says_why(name: str, layer: str, reason: str) -> None:
    """What the tuner's record shows, and what the channels rule out."""
    rows = {row["name"]: row for row in missed(name)}
    assert rows[layer]["reason"].startswith(reason)


def test_every_convolution_of_an_engine_without_tensor_cores_is_listed() -> None:
    """ResNet-50 with TF32 off: its 53 convolutions and one product of matrices could, its pooling could not."""
    run = opened("h200/resnet50-fp32")
    layers = [row for row in run["layers"].to_pylist() if not row["is_reformat"]]
    could = [row["name"] for row in layers if row["type"].endswith(("Convolution", "MatrixMultiply"))]
    rows = [row["name"] for row in run.view("tensorcores").to_pylist() if row["name"] is not None]
    assert sorted(rows) == sorted(could)
    assert len(rows) == 54

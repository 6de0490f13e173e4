"""What a log states beside layers and tactics: each fact has a row, and an ambiguous one none that is guessed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doubles.made_logs import header, log, run_of, runner

WARNED = "[11/20/2026-22:01:26] [W] [TRT] "
SUBNORMAL = "Detected subnormal FP16 values."


def rows(text: str, table: str) -> list[dict[str, Any]]:
    """Rows of one table of a made log."""
    found: list[dict[str, Any]] = run_of(text)[table].to_pylist()
    return found


def test_constants_of_a_layer_have_rows() -> None:
    """What Myelin bakes into a kernel is listed with its type and size, and is no input of the layer."""
    row = (
        "Name: g, LayerType: kgen, Inputs: [ { Name: i, Dimensions: [2], Strides: [1], StrideOrder: [0], Datatype: Half, "
        "Format: (Linear) Row major linear format }], Constants: [ { Name: c, Dimensions: [4,2], Strides: [2,1], "
        "StrideOrder: [1,0], Datatype: Float, Format: (Linear) Row major linear format }, { Name: d, Dimensions: [], "
        "Format/Datatype: Int64 }], Outputs: [], TacticName: , StreamId: 1, Metadata: "
    )
    run = run_of(log("Engine Layer Information:") + f"{row}\n")
    constants = [
        (r["layer_index"], r["position"], r["name"], r["dtype"], r["dims"], r["bytes"])
        for r in run["layer_constants"].to_pylist()
    ]
    assert constants == [(0, 0, "c", "fp32", [4, 2], 32), (0, 1, "d", "int64", [], 8)]
    assert run["layer_tensors"]["name"].to_pylist() == ["i"]


def test_the_parser_s_layers_stand_with_their_nodes() -> None:
    """A node can become several layers, and an initializer one; the lines are counted as read."""
    text = log(
        "Registering layer: /fc/MatMul for ONNX node: /fc/MatMul",
        "Registering layer: ONNXTRT_Broadcast for ONNX node: /fc/MatMul",
        "Registering layer: fc.weight for ONNX node: fc.weight",
        "Registering tensor: y for ONNX tensor: y",
    )
    assert [(row["layer"], row["node"], row["line"]) for row in rows(text, "parsed_layers")] == [
        ("/fc/MatMul", "/fc/MatMul", 1), ("ONNXTRT_Broadcast", "/fc/MatMul", 2), ("fc.weight", "fc.weight", 3),
    ]  # fmt: skip


def test_a_second_model_s_layers_are_the_second_build_s() -> None:
    """The parser's first line behind a finished build can be one of these."""
    text = log(
        "Registering layer: a for ONNX node: a",
        "Engine generation completed in 2 seconds.",
        "Registering layer: b for ONNX node: b",
    )
    assert [(row["build"], row["layer"]) for row in rows(text, "parsed_layers")] == [(1, "a"), (2, "b")]


@pytest.mark.parametrize(
    ("affected", "listed", "weights"),
    [
        (2, "a.weight || b.bias, c.weight", ["a.weight || b.bias", "c.weight"]),
        (2, "PWN(a, b).weight, c.weight", None),
        (1, None, None),
    ],
    ids=["told apart", "a comma in a name", "not listed"],
)
def test_affected_weights(affected: int, listed: str | None, weights: list[str] | None) -> None:
    """The count is always known; the names where the list has as many parts as were counted."""
    text = f"{WARNED}- {affected} weights are affected by this issue: {SUBNORMAL}\n"
    text += log(f"  List of affected weights: {listed}") if listed else ""
    (row,) = rows(text, "weight_issues")
    assert (row["issue"], row["affected"], row["weights"], row["text"]) == (SUBNORMAL, affected, weights, listed)
    assert len(rows(text, "messages")) == 1


def test_each_issue_has_its_own_weights() -> None:
    """Two issues of one engine, each with the list below it."""
    text = "".join(
        f"{WARNED}- 1 weights are affected by this issue: {issue}\n" + log(f"  List of affected weights: {name}")
        for issue, name in (("first", "a"), ("second", "b"))
    )
    assert [(row["issue"], row["weights"]) for row in rows(text, "weight_issues")] == [
        ("first", ["a"]),
        ("second", ["b"]),
    ]


def test_a_tactic_that_was_skipped_at_first_says_so() -> None:
    """It is timed, once, and its combination too; that it was a fast skip is its reason."""
    text = log(
        header("Float(8,1) -> Float(8,1)"), runner("conv"),
        "Fast skip Tactic:0x0000000000000001 which exceed time limit during pre-run",
        "Tactic Name: k Tactic: 0x0000000000000001 Time: 0.5",
        "Tactic Name: k2 Tactic: 0x0000000000000002 Time: 0.75",
    )  # fmt: skip
    assert [(r["tactic_id"], r["tactic_name"], r["time_ms"], r["outcome"], r["reason"]) for r in rows(text, "candidates")] == [
        (1, "k", 0.5, "timed", "skipped at first: which exceed time limit during pre-run"), (2, "k2", 0.75, "timed", None),
    ]  # fmt: skip
    assert [(r["outcome"], r["reason"], r["timed"], r["skipped"]) for r in rows(text, "combinations")] == [
        ("timed", None, 2, 0)
    ]


def test_the_sum_of_a_profile_is_kept_beside_its_rows() -> None:
    """Trtexec's last row is no layer, and the sum that it prints is in a table of its own."""
    stamp = "[11/20/2026-22:01:26] [I] "
    lines = (
        "=== Profile (781 iterations ) ===",
        "   Time(ms)     Avg.(ms)   Median(ms)   Time(%)   Layer",
        "     135.15       0.1730       0.1720      75.0   a",
        "      45.05       0.0577       0.0575      25.0   b",
        "     180.20       0.2307       0.2295     100.0   Total",
    )
    text = "".join(f"{stamp}{line}\n" for line in lines)
    assert [row["layer"] for row in rows(text, "layer_profile")] == ["a", "b"]
    assert rows(text, "profile_totals") == [{
        "build": 1, "executions": 781, "total_ms": 180.20, "average_ms": 0.2307, "median_ms": 0.2295, "percent": 100.0, "line": 5,
    }]  # fmt: skip

"""What FP16 would not hold, from the FP32 run alone: ranges, sums, weights, hidden values, and the scale that helps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtlens.accuracy.metrics import ranges_of
from trtlens.accuracy.overflow import Finding, find_overflow, make_model
from trtlens.accuracy.remedies import Scale, enlarging_scale, linear_scale, scale_for, underflow_notes
from trtlens.accuracy.remedies import _weight_remedy as weight_remedy
from trtlens_parsers.dump_index import DumpedNode, DumpedTensor

NORM = (
    DumpedNode("pow", "Pow", ("x", "two"), ("squares",)),
    DumpedNode("mean", "ReduceMean", ("squares",), ("mean",)),
    DumpedNode("eps", "Add", ("mean", "epsilon"), ("shifted",)),
    DumpedNode("sqrt", "Sqrt", ("shifted",), ("root",)),
    DumpedNode("div", "Div", ("x", "root"), ("normed",)),
)


def row(name: str, values: Any, role: str = "inner", **facts: Any) -> DumpedTensor:
    array = np.asarray(values, np.float64)
    facts = {"producer": None, "op": None, **facts}
    return DumpedTensor(name, role, "fp32", array.shape, None, None, ranges=ranges_of([array]), **facts)


def norm_of(x: Any, epsilon: float = 1e-5) -> list[DumpedTensor]:
    """Every tensor of an RMS norm over the last axis."""
    squares = np.square(x)
    mean = squares.mean(axis=-1, keepdims=True)
    root = np.sqrt(mean + epsilon)
    inner = {"squares": squares, "mean": mean, "shifted": mean + epsilon, "root": root, "normed": x / root}
    makers = {output: node for node in NORM for output in node.outputs}
    return [
        row("x", x, "input"),
        *(row(name, values, producer=makers[name].name, op=makers[name].op) for name, values in inner.items()),
        row("two", 2.0, "weight"),
        row("epsilon", epsilon, "weight"),
    ]


def found(tensors: list[DumpedTensor], nodes: tuple[DumpedNode, ...] = ()) -> dict[tuple[str, str], Finding]:
    return {(f.kind, f.tensor): f for f in find_overflow(tensors, make_model(tensors, nodes))}


def test_norm_that_overflows_gets_the_numbers_and_the_scale() -> None:
    """Values of up to 1000 over 512 elements: squares, mean and sum are out of range, and s brings all three in."""
    x = np.random.default_rng(0).uniform(-1000, 1000, (4, 512))
    findings = found(norm_of(x), NORM)
    pow_, total = findings["tensor", "squares"], findings["sum", "mean"]
    assert pow_.state == total.state == "overflow"
    assert total.largest == pytest.approx(np.square(x).sum(axis=-1).max())
    s = pow_.scale
    assert s is not None
    assert np.square(x / s).sum(axis=-1).max() <= 65504 / 2
    assert np.square(x / (s // 2)).sum(axis=-1).max() > 65504 / 2
    assert f"s = {s}" in (pow_.advice or "")
    assert "from pow to div" in (pow_.advice or "")
    assert total.scale == findings["tensor", "mean"].scale == s
    assert findings["tensor", "root"].state == "fits"


def test_sum_overflows_although_no_tensor_does() -> None:
    """Values of 20 over 4096 elements: squares of 400 and a mean of 400 fit, their sum of 1.6 million does not."""
    findings = found(norm_of(np.full((2, 4096), 20.0)), NORM)
    assert findings["tensor", "squares"].state == findings["tensor", "mean"].state == "fits"
    assert findings["sum", "mean"].state == "overflow"
    assert findings["sum", "mean"].largest == pytest.approx(400 * 4096)
    assert findings["sum", "mean"].scale == findings["tensor", "squares"].scale == 8


def test_norm_in_range_is_left_alone() -> None:
    """Values of about 1 need no scale, no advice and no finding beyond `fits`."""
    findings = found(norm_of(np.random.default_rng(0).standard_normal((4, 64))), NORM)
    assert {finding.state for finding in findings.values() if finding.kind != "weight"} == {"fits"}
    assert all(finding.scale is None for finding in findings.values())


def test_epsilon_that_vanishes_is_told() -> None:
    """With s = 64 an epsilon of 1e-6 becomes 2.4e-10, which FP16 flushes: the advice says so."""
    x = np.random.default_rng(0).uniform(-3000, 3000, (4, 64))
    advice = found(norm_of(x, epsilon=1e-6), NORM)["tensor", "squares"].advice or ""
    assert "under FP16's smallest number" in advice


@given(st.floats(1e-3, 1e15), st.integers(1, 1 << 20))
def test_scale_brings_squares_and_sum_into_range_and_no_further(largest: float, count: int) -> None:
    """The scale is a power of two; x/s, its square and the sum fit with a factor of two, with half of it they would not."""
    total = largest**2 * count
    scale = scale_for(largest, total)
    if scale is None:
        assert max(largest, largest**2, total) <= 65504
        return
    assert scale.s & (scale.s - 1) == 0
    assert max(largest / scale.s, largest**2 / scale.s**2, total / scale.s**2) <= 65504 / 2 * (1 + 1e-9)
    if scale.s > 2:
        half = scale.s // 2
        assert max(largest / half, largest**2 / half**2, total / half**2) > 65504 / 2 * (1 - 1e-9)


@given(st.floats(65505, 1e30))
def test_linear_scale_fits(largest: float) -> None:
    """A magnitude divided by its scale is within half of the range."""
    assert largest / linear_scale(largest) <= 65504 / 2 * (1 + 1e-9)


@given(st.floats(1e-30, 0.99))
def test_enlarging_scale_reaches_one(largest: float) -> None:
    """A small magnitude times its scale is from a half to 1."""
    assert 0.5 <= largest * enlarging_scale(largest) <= 1.0


def test_weights_out_of_range() -> None:
    """Large weights overflow, tiny ones are flushed, both with a scale; mixed ones have none that helps."""
    nodes = tuple(
        DumpedNode(name, "MatMul", ("x", name), (f"{name}_out",)) for name in ("large", "tiny", "mixed", "good")
    )
    findings = found(
        [
            row("large", [1.0, 1e6], "weight"),
            row("tiny", [1e-9, 3e-8, 0.0], "weight"),
            row("mixed", [1e-9, 1e-9, 100.0], "weight"),
            row("good", [0.1, 0.2, 0.0], "weight"),
        ],
        nodes,
    )
    assert {name: finding.state for (_, name), finding in findings.items()} == {
        "large": "overflow", "tiny": "flushed", "mixed": "flushed", "good": "fits",
    }  # fmt: skip
    assert findings["weight", "large"].scale == 32
    assert findings["weight", "tiny"].scale == 2**24
    assert findings["weight", "mixed"].scale is None
    assert findings["weight", "tiny"].node == "tiny"


def test_hidden_squares_of_a_norm_in_one_operator() -> None:
    """What a LayerNormalization squares inside is judged like a tensor, and its input is to be scaled."""
    findings = found(
        [
            row("norm: squares", [9e4, 1.0], "hidden", producer="norm", op="LayerNormalization"),
            row("norm: sum of squares", [4e6], "hidden", producer="norm", op="LayerNormalization"),
        ],
        (DumpedNode("norm", "LayerNormalization", ("x", "g"), ("y",)),),
    )
    hidden = findings["hidden", "norm: squares"]
    assert hidden.state == "overflow"
    assert hidden.scale == 16
    assert "which the normalisation undoes" in (hidden.advice or "")
    assert hidden.remark == "it squares and sums inside"


def test_a_divisor_that_vanishes_is_told_with_who_divides_by_it() -> None:
    """Values under FP16's smallest number become zero; the node that divides by them is named."""
    nodes = (
        DumpedNode("small", "Mul", ("x", "w"), ("tiny",)),
        DumpedNode("over", "Div", ("tiny", "x"), ("other",)),
        DumpedNode("under", "Div", ("x", "tiny"), ("quotient",)),
    )
    advice = found([row("tiny", [1e-9, 2e-9], producer="small", op="Mul")], nodes)["tensor", "tiny"].advice or ""
    assert "under divides by it" in advice


def test_integers_have_no_place_in_fp16() -> None:
    """Indices beyond 65504 are no overflow: they are never converted."""
    big = DumpedTensor("ids", "inner", "int64", (1,), None, None, None, None, ranges_of([np.array([10**6])]))
    assert found([big]) == {}


# -- masks ---------------------------------------------------------------------------------------------------------

LOWEST = -3.4028234663852886e38
ATTENTION = (
    DumpedNode("invert", "Sub", ("one", "mask"), ("hidden",)),
    DumpedNode("bias", "Mul", ("hidden", "lowest"), ("added",)),
    DumpedNode("masked", "Add", ("scores", "added"), ("logits",)),
    DumpedNode("softmax", "Softmax", ("logits",), ("weights",)),
)


def attention(lowest: float, scores: Any, nodes: tuple[DumpedNode, ...] = ATTENTION) -> dict[tuple[str, str], Finding]:
    """Two of four scores hidden by a constant."""
    mask = np.array([1.0, 1.0, 0.0, 0.0])
    added = (1 - mask) * lowest
    inner = {
        "hidden": 1 - mask,
        "added": added,
        "logits": np.float64(np.float32(scores + added)),
        "weights": np.full(4, 0.25),
    }
    makers = {output: node for node in nodes for output in node.outputs}
    tensors = [
        row("mask", mask, "input"), row("scores", scores, "input"),
        *(row(name, values, producer=makers[name].name, op=makers[name].op) for name, values in inner.items()),
        row("one", 1.0, "weight"), row("lowest", lowest, "weight"),
    ]  # fmt: skip
    return found(tensors, nodes)


@pytest.mark.parametrize("lowest", [LOWEST, -1e9])
def test_an_attention_mask_is_no_overflow(lowest: float) -> None:
    """The constant and what it makes on the way to the softmax stand for infinity; the advice is given once."""
    findings = attention(lowest, np.array([3.0, -2.0, 1.0, 0.5]))
    states = {tensor: finding.state for (_, tensor), finding in findings.items()}
    assert {name for name, state in states.items() if state == "mask"} == {"lowest", "added", "logits"}
    assert "overflow" not in states.values()
    assert [f.tensor for f in findings.values() if f.state == "mask" and f.advice] == ["lowest"]


def test_scores_that_grow_too_large_overflow_beside_a_mask() -> None:
    """Values beyond 65504 upwards are no mask's, nor are low ones that no constant makes."""
    assert attention(LOWEST, np.array([1e6, -2.0, 1.0, 0.5]))["tensor", "logits"].state == "overflow"
    scores = row("scores", [-1e6, 0.0], "inner", producer="matmul", op="MatMul")
    nodes = (
        DumpedNode("matmul", "MatMul", ("q", "k"), ("scores",)),
        DumpedNode("softmax", "Softmax", ("scores",), ("weights",)),
    )
    assert found([scores], nodes)["tensor", "scores"].state == "overflow"


def test_a_large_constant_away_from_any_softmax_overflows() -> None:
    """-1e9 that is added to a signal is a value like any other; FP32's largest number is a bound wherever it stands."""
    nodes = (
        DumpedNode("shift", "Add", ("x", "offset"), ("y",)),
        DumpedNode("clip", "Clip", ("y", "low", "high"), ("z",)),
    )
    tensors = [row("offset", -1e9, "weight"), row("low", 0.0, "weight"), row("high", -LOWEST, "weight")]
    states = {tensor: finding.state for (_, tensor), finding in found(tensors, nodes).items()}
    assert states == {"offset": "overflow", "low": "fits", "high": "mask"}


def test_small_values_do_harm_only_where_nothing_larger_stands_beside_them() -> None:
    """What FP16 flushes of a tensor that reaches 1 is less than it rounds off the 1; a tensor that is all small loses its values."""
    small = [1e-9, 2e-9, 3e-9]
    beside, alone = row("beside", [1.0, *small]), row("alone", small)
    divisor = row("divisor", [1.0, *small])
    nodes = (DumpedNode("div", "Div", ("x", "divisor"), ("y",)),)
    findings = found([beside, alone, divisor], nodes)
    assert {tensor: (f.state, f.harmful) for (_, tensor), f in findings.items()} == {
        "beside": ("flushed", False), "alone": ("flushed", True), "divisor": ("flushed", True),
    }  # fmt: skip
    lost = np.abs(np.array([1.0, *small], np.float16).astype(float) - [1.0, *small]).max()
    assert lost < np.spacing(np.float16(1.0)) / 2


@pytest.mark.parametrize(
    ("rms", "epsilon", "told"),
    [
        (0.01, 1e-5, ["the square of a usual value becomes 1.56e-6, which FP16 holds with few bits"]),
        (0.0, 1e-5, []),
        (1.0, 1e-6, ["epsilon 1e-6 / 64 is 1.56e-8, under FP16's smallest number: keep its Add in FP32, or let it be 6e-8"]),
        (1.0, 0.0, []),
        (None, None, []),
    ],
)  # fmt: skip
def test_what_becomes_too_small_by_scaling_is_told(rms: float | None, epsilon: float | None, told: list[str]) -> None:
    """Divided by 8: a square below FP16's normal numbers, an epsilon below its smallest; zeros lose nothing."""
    assert underflow_notes(Scale(8, 300.0, 90_000.0, 720_000.0), rms, epsilon) == told


@pytest.mark.parametrize(("largest", "helps"), [(0.5, True), (1.0, False)])
def test_weights_are_enlarged_where_none_is_large(largest: float, *, helps: bool) -> None:
    """A factor lifts small weights out of FP16's subnormal numbers if the largest is below 1; else FP32 alone helps."""
    assert (weight_remedy("flushed", largest).scale is not None) is helps

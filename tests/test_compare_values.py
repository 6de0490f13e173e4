"""Comparisons in full: what aligns, what a region is called, and why a layer is in none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doubles.made_runs import MadeLayer, MadeRun, chain
from trtlens.comparison import compare_runs
from trtlens.comparison.changes import is_fallback
from trtlens.engine.built_engine import OnnxNode
from trtlens.engine.onnx_nodes import Graph, same_nodes


def compared(*runs: MadeRun) -> Any:
    return compare_runs([run.run(f"run {number}") for number, run in enumerate(runs)])


def test_a_region_is_called_after_the_nodes_that_both_runs_hold() -> None:
    """A node that one run alone fused into the layer is no part of the region's name."""
    both = compared(MadeRun([MadeLayer("a + x", nodes=("a", "x"))]), MadeRun([MadeLayer("a + y", nodes=("a", "y"))]))
    assert [row.region.nodes for row in both.rows] == [("a",)]


def test_a_layer_that_serves_nobody_says_what_is_known() -> None:
    """Without tensors nobody knows whom a layer serves; with them it is known that nobody in a region is served."""
    lone = MadeLayer("Reformat", type="Reformat", reads=(), writes=())
    apart = MadeLayer("Other reformat", type="Reformat", reads=("p",), writes=("q",))
    end = MadeLayer("Last reformat", type="Reformat", reads=(), writes=("r",))
    both = compared(MadeRun([*chain("a"), lone, apart, end]), MadeRun(chain("a")))
    assert {left.name: left.entry.reason for left in both.left} == {
        "Reformat": "the log does not show its tensors, so not whom it serves",
        "Other reformat": "no aligned layer makes what it reads or reads what it makes",
        "Last reformat": "no aligned layer makes what it reads or reads what it makes",
    }


def conv(name: str, source: str, target: str) -> OnnxNode:
    return OnnxNode(name, "Conv", (source,), (target,))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (conv("Conv_4", "left", "elsewhere"), True),
        (conv("Conv_4", "elsewhere", "right"), True),
        (conv("Conv_4", "elsewhere", "nowhere"), False),
    ],
)
def test_numbered_names_are_the_same_where_a_tensor_is(other: OnnxNode, *, same: bool) -> None:
    """A common input is enough, and so is a common output; the number alone is not."""
    reference = Graph(
        (OnnxNode("Relu_3", "Relu", ("image",), ("left",)), conv("Conv_4", "left", "right")), frozenset({"image"})
    )
    graph = Graph((other, OnnxNode("Add_5", "Add", (other.outputs[0],), ("sum",))), frozenset({other.inputs[0]}))
    assert ("Conv_4" in same_nodes(reference, graph)) is same


@pytest.mark.parametrize(
    ("before", "after", "falls_back"),
    [
        (("fp16",), ("fp32",), True),
        (("int8", "fp32"), ("fp16",), False),
        (("fp16",), ("int8", "fp16"), False),
        ((), ("fp32",), False),
    ],
)
def test_a_region_falls_back_by_its_widest_type(
    before: tuple[str, ...], after: tuple[str, ...], *, falls_back: bool
) -> None:
    """Of several types in a region the widest counts; without a known type there is no answer but no."""
    assert is_fallback(before, after) is falls_back

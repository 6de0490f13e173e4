"""What is read of an engine, and of how it was timed: values, and their order where more than one could come first."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.doubles.made_runs import MadeLayer, MadeRun
from trtlens.engine.build_ending import not_understood
from trtlens.engine.built_engine import OnnxNode, read_engine
from trtlens.engine.inference_timing import read_timing
from trtlens.engine.layer_nodes import NAME, read_layer_nodes
from trtlens.engine.onnx_nodes import Graph, Identities, same_nodes
from trtlens.engine.tensor_layers import FROM_RUN, Fp32Time, fp32_times, held_nodes
from trtlens.views import VIEWS


def steps(*ops: str) -> list[tuple[str, str, list[str], list[str]]]:
    """Nodes one behind the other, named by their place, from `t0` on."""
    return [(f"n{place}", op, [f"t{place}"], [f"t{place + 1}"]) for place, op in enumerate(ops)]


def test_nodes_between_tensors_stand_in_parser_order() -> None:
    """A layer whose name tells nothing holds the nodes between its tensors, as the model lists them."""
    layers = [MadeLayer("first", reads=("t0",), writes=("t7",)), MadeLayer("fused", reads=("t7",), writes=("t9",))]
    bindings = {"bindings": {"name": ["t0"], "mode": ["input"]}}
    run = MadeRun(layers, nodes=steps(*["Relu"] * 9), tables=bindings).run()
    assert [held.nodes for _, held in held_nodes(run, 1)] == [tuple(f"n{place}" for place in range(7)), ("n7", "n8")]


def test_a_tensor_that_a_node_makes_is_no_constant() -> None:
    """A layer that is named like such a tensor may be a node that the list lacks; one that is named like weights is none."""
    nodes = [("mul", "Mul", ["x", "scale"], ["y"]), ("add", "Add", ["y", "b"], ["z"])]
    tables = {"bindings": {"name": ["x"], "mode": ["input"]}}
    layers = [MadeLayer(name, reads=(), writes=()) for name in ("y", "scale")]
    engine = read_engine("made", MadeRun(layers, nodes=nodes, tables=tables).run())
    held = read_layer_nodes([engine], 0, Identities([engine]), trust_unnamed=True)
    assert [(one.nodes, one.source) for one in held] == [(("y",), NAME), ((), None)]


def test_inputs_of_a_graph_are_read_and_not_made() -> None:
    """A binding that no node reads says nothing of the model's inputs, and a tensor that a node makes is none."""
    nodes = [OnnxNode("a", "Relu", ("x",), ("y",)), OnnxNode("b", "Relu", ("y",), ("z",))]
    assert Graph(nodes, ["x", "y", "unread"]).inputs == {"x"}


def test_a_node_of_another_operator_is_another_node() -> None:
    """Two models of unlike structure share the nodes of one name and operator, and no others."""
    reference = Graph([OnnxNode("a", "Relu", ("x",), ("y",)), OnnxNode("b", "Conv", ("y", "w"), ("z",))])
    other = Graph([
        OnnxNode("a", "Sigmoid", ("x",), ("y",)), OnnxNode("b", "Conv", ("y", "w"), ("z",)), OnnxNode("c", "Relu", ("z",), ("r",)),
    ])  # fmt: skip
    assert same_nodes(reference, other) == {"b": "b"}


def test_layers_that_share_a_layers_nodes_are_added_up() -> None:
    """What FP32 would take of a layer is the sum of the FP32 run's layers that hold its nodes, if it has a time itself."""
    nodes = steps("Conv", "Relu", "Conv")
    fused = [MadeLayer("n0 + n1", nodes=("n0", "n1")), MadeLayer("n2", nodes=("n2",))]
    apart = [MadeLayer(name, nodes=(name,), precision="fp32") for name in ("n0", "n1", "n2")]
    fp32 = MadeRun(apart, times=np.array([[1.0], [2.0], [4.0]]), nodes=nodes).run()
    timed = MadeRun(fused, profile={"n0 + n1": 0.5}, nodes=nodes).run()
    assert fp32_times(timed, 1, fp32) == {0: Fp32Time(0.5, 3.0, FROM_RUN)}


def test_the_first_warning_that_the_host_is_late_is_told() -> None:
    """Where there are several warnings the line is that of the first."""
    warned: dict[str, dict[str, list[Any]]] = {"messages": {"code": ["enqueue-bound", "enqueue-bound"], "line": [7, 9]}}
    timing = read_timing(MadeRun([], tables=warned).run(), 1)
    assert (timing.line, timing.waits) == (7, True)
    assert read_timing(MadeRun([]).run(), 1).line is None


def test_passes_stand_in_the_order_in_which_they_ran() -> None:
    """Queued inferences were timed first, so that their figures come first; a figure of a minimum alone is told as it is."""
    times: dict[str, list[Any]] = {
        "pass": ["timing", "latency"],
        "iteration": [0, 0],
        "gpu_ms": [1.0, 2.0],
        "host_ms": [None, 3.0],
    }
    run = MadeRun([], tables={"run_times": times}).run()
    metrics = run.view("latency")["metric"].to_pylist()
    assert metrics == ["gpu_compute_time", "latency", "gpu_compute_time_alone"]
    alone = dict.fromkeys(run.view("latency").column_names) | {"metric": "x", "unit": "ms", "min": 0.5}
    assert VIEWS["latency"].answer([alone]) == "x is 500 µs"


def test_blank_and_second_lines_are_none_that_could_be_understood() -> None:
    """A log of which most lines with text are of no known form is said to be so, whatever else is in it."""
    reading: dict[str, list[Any]] = {"kind": ["known", "unread", "blank", "doubled"], "lines": [2, 3, 40, 40]}
    told = not_understood(MadeRun([], tables={"reading": reading}).run())
    assert str(told).startswith("3 of 5 lines are of no form that is known")

"""The model's nodes, where the log names them once for a network that is built twice."""

from __future__ import annotations

import pytest

from tests.doubles.made_logs import GENERATED, SELECTED, log, run_of
from trtlens.runs.run import build_rows

BANNER = "&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=b.onnx"
NODES = (
    "conv [Conv] inputs: [x -> (1, 8)[FLOAT]], ", "conv [Conv] outputs: [z -> (1, 8)[FLOAT]], ",
    "Identity_0 [Identity] inputs: [z -> (1, 8)[FLOAT]], ", "Identity_0 [Identity] outputs: [out -> (1, 8)[FLOAT]], ",
)  # fmt: skip
FIRST = ("Original: 5 layers", "Engine generation completed in 1 seconds.")
CALIBRATED = (*FIRST[:1], "Calibration completed in 3 seconds.", *FIRST[1:])
ENGINE = (
    "Original: 5 layers", *SELECTED, *GENERATED,
    "Layer(CaskConvolution): conv, Tactic: 0x0000000000000001, x (Float[1,8]) -> z (Half[1,8])",
    "Layer(Reformat): Identity_0, Tactic: 0x0000000000000000, z (Half[1,8]) -> out (Float[1,8])",
)  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        ((*NODES, *CALIBRATED, *ENGINE), ["conv", "Identity_0"]),
        ((*NODES, *CALIBRATED, *CALIBRATED, *ENGINE), ["conv", "Identity_0"]),
        ((*NODES, *FIRST, *ENGINE), []),
        ((*NODES, *CALIBRATED, "Parsing node: conv [Conv]", *NODES[:2], *ENGINE), ["conv"]),
        ((*NODES, *CALIBRATED, "Parsing node: conv [Conv]", *NODES[:2], *CALIBRATED, *ENGINE), ["conv"]),
        ((*NODES, *CALIBRATED, BANNER, *ENGINE), []),
    ],
    ids=[
        "calibrated",
        "calibrated twice",
        "two models",
        "parsed again",
        "parsed and calibrated again",
        "another program",
    ],
)
def test_a_calibrated_engine_has_the_nodes_of_its_calibration(texts: tuple[str, ...], names: list[str]) -> None:
    """Those named before the first of the two builds; another build's nodes are never its own."""
    run = run_of(log(*texts))
    last = run["builds"].num_rows
    for rows in (build_rows(run, "nodes", last), run.build(last)["nodes"], run.build(last).build(last)["nodes"]):
        assert rows["name"].to_pylist() == names
        assert set(rows["build"].to_pylist()) <= {last}


@pytest.mark.parametrize(
    ("texts", "cause"), [((*NODES, *CALIBRATED, *ENGINE), "model node"), (ENGINE, "network output")]
)
def test_an_identity_of_a_calibrated_model_is_the_models_own(texts: tuple[str, ...], cause: str | None) -> None:
    """Known by the nodes alone, of one build or of all: without them it is not told from a reformat that was added."""
    run = run_of(log(*texts))
    for shown in (run, run.build(run["builds"].num_rows)):
        assert [(row["name"], row["cause"]) for row in shown.view("reformats").to_pylist()] == [("Identity_0", cause)]


def side(node: str, name: str, tensor: str) -> str:
    """One of the two lines of a node."""
    return f"{node} {name}: [{tensor} -> (1, 8)[FLOAT]], "


def nodes_of(*texts: str) -> list[tuple[str, list[str] | None, list[str] | None]]:
    """Name, inputs and outputs of a log's nodes."""
    rows = run_of(log(*texts, *ENGINE))["nodes"].to_pylist()
    return [(row["name"], row["inputs"], row["outputs"]) for row in rows]


def test_a_node_has_its_outputs_behind_those_of_the_nodes_inside_it() -> None:
    """A loop's body is parsed between the loop's two lines; nodes stand in the order in which they were begun."""
    loop, body = "Loop_0 [Loop]", "Add_1 [Add]"
    texts = side(loop, "inputs", "x"), side(body, "inputs", "a"), side(body, "outputs", "b"), side(loop, "outputs", "y")
    assert nodes_of(*texts) == [("Loop_0", ["x"], ["y"]), ("Add_1", ["a"], ["b"])]


@pytest.mark.parametrize("models", ["ab", "abc"])
def test_two_models_parsed_at_once_do_not_exchange_their_tensors(models: str) -> None:
    """Nodes of one name that wait for their outputs together: whose outputs a line lists is not known, so no node has them."""
    node = "Conv_0 [Conv]"
    texts = [side(node, "inputs", f"{model}_in") for model in models]
    texts += [side(node, "outputs", f"{model}_out") for model in models]
    wanted = [("Conv_0", [f"{model}_in"], None) for model in models]
    assert nodes_of(*texts) == [*wanted, *(("Conv_0", None, [f"{model}_out"]) for model in models)]


def test_two_models_parsed_at_once_keep_the_tensors_of_nodes_of_their_own() -> None:
    """Where names tell them apart each node has both of its lines."""
    texts = (
        side("a [Relu]", "inputs", "a_in"), side("b [Relu]", "inputs", "b_in"),
        side("a [Relu]", "outputs", "a_out"), side("b [Relu]", "outputs", "b_out"),
    )  # fmt: skip
    assert nodes_of(*texts) == [("a", ["a_in"], ["a_out"]), ("b", ["b_in"], ["b_out"])]

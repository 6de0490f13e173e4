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

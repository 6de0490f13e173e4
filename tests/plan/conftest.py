"""Small models that show one thing each, made for the tests of plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SIZE = 64


def node(op: str, inputs: str, output: str, **attributes: Any) -> Any:
    """A node that is called as its output; inputs are words."""
    return helper.make_node(op, inputs.split(), [output], name=output, **attributes)


def weight(name: str, values: Any) -> Any:
    """A weight in FP32."""
    return numpy_helper.from_array(np.asarray(values, np.float32), name)


def matrix(name: str, seed: int, scale: float = 1.0) -> Any:
    """A square weight that keeps the size of what it multiplies, times a scale."""
    values = np.random.default_rng(seed).standard_normal((SIZE, SIZE)) / np.sqrt(SIZE) * scale
    return weight(name, values)


def save(path: Path, nodes: Sequence[Any], weights: Sequence[Any], *, rows: int | str = 32, output: str = "y") -> Path:
    """A model from `x` to an output, rows of 64 values."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, SIZE]) for name in ("x", output)]
    graph = helper.make_graph(list(nodes), "made", ends[:1], ends[1:], initializer=list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


@pytest.fixture
def overflowing(tmp_path: Path) -> Path:
    """A product, a square beyond 65504 whose mean is taken, and another product."""
    nodes = [
        node("MatMul", "x w1", "grown"),
        node("Pow", "grown two", "square"),
        node("ReduceMean", "square", "mean", axes=[-1], keepdims=1),
        node("Sqrt", "mean", "root"),
        node("Div", "grown root", "normed"),
        node("MatMul", "normed w2", "y"),
    ]
    return save(tmp_path / "overflowing.onnx", nodes, [matrix("w1", 1, 1000.0), matrix("w2", 2), weight("two", 2.0)])


@pytest.fixture
def cancelling(tmp_path: Path) -> Path:
    """Two products, then a large number added and taken away again, which FP16 does not survive, then a product."""
    nodes = [
        node("MatMul", "x w1", "a"),
        node("Relu", "a", "a_relu"),
        node("MatMul", "a_relu w2", "b"),
        node("MatMul", "x w3", "c"),
        node("Add", "b c", "joined"),
        node("MatMul", "joined w4", "d"),
        node("Add", "d joined", "sum"),
        node("Transpose", "sum", "turned", perm=[0, 1]),
        node("Softmax", "turned", "soft"),
        node("Add", "soft large", "lifted"),
        node("Sub", "lifted large", "fallen"),
        node("MatMul", "fallen w5", "y"),
    ]
    weights = [*(matrix(f"w{number}", number) for number in range(1, 6)), weight("large", 512.0)]
    return save(tmp_path / "cancelling.onnx", nodes, weights)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A product that nothing hurts, with a batch of any size."""
    return save(
        tmp_path / "plain.onnx", [node("MatMul", "x w", "h"), node("Relu", "h", "y")], [matrix("w", 3)], rows="batch"
    )


@pytest.fixture
def branching(tmp_path: Path) -> Path:
    """A product before an If that reads it, and one behind it."""

    def branch(name: str, op: str) -> Any:
        end = helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, [32, SIZE])
        return helper.make_graph([helper.make_node(op, ["h"], [f"{name}_out"])], name, [], [end])

    nodes = [
        node("MatMul", "x w1", "h"),
        node("ReduceMax", "h", "most", keepdims=0),
        node("Greater", "most zero", "flag"),
        helper.make_node(
            "If",
            ["flag"],
            ["chosen"],
            name="chosen",
            then_branch=branch("then", "Neg"),
            else_branch=branch("else", "Abs"),
        ),
        node("MatMul", "chosen w2", "y"),
    ]
    return save(tmp_path / "branching.onnx", nodes, [matrix("w1", 1), matrix("w2", 2), weight("zero", 0.0)])


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run `trtlens plan` in a folder of its own and return what it prints."""
    from trtlens.cli import app

    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> str:
        app(args=["plan", *map(str, words)], standalone_mode=False)
        return " ".join(capsys.readouterr().out.split())

    return run

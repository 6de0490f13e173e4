"""Operations and bytes: against counting by the attributes of ONNX, by hand, and by what the inspector states."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from math import prod
from typing import TYPE_CHECKING

import onnx
import onnx_tool
import pytest

from tests.conftest import FIXTURES
from tests.doubles.made_logs import log, run_of
from tests.independent import onnx_operations
from tests.limits.captured_engines import NAMES, engine
from trtlens import open_run
from trtlens.limits.model_shapes import Node, read_model
from trtlens.limits.operations import count_operations, total
from trtlens.limits.work import PARAMETERS, read_work

if TYPE_CHECKING:
    from pathlib import Path

    from trtlens.runs.run import Run

TRTEXEC = "[11/20/2026-22:01:25] [I] "


def last_build(run: Run) -> int:
    """The engine's build, behind that of a calibration."""
    return int(run["builds"]["build"].to_pylist()[-1])


def counted(run: Run) -> float | None:
    """Products of all nodes of the run's model."""
    return total([count_operations(node) for node in read_model(run, last_build(run)).nodes.values()]).products


@pytest.mark.parametrize("name", onnx_operations.MODELS)
def test_operations_are_those_of_the_attributes(name: str) -> None:
    """The log prints no attributes: the shapes alone give what kernel sizes, groups, gates and transpositions give."""
    model = onnx_operations.MODELS[name]
    assert counted(run_of(log(*onnx_operations.lines(model), "Original: 5 layers"))) == onnx_operations.count(model)


COUNTED_OTHERWISE = {
    "transposed",
    "transposed in groups",
    "vector on the left",
    "lstm",
    "lstm in both directions",
    "gru",
    "rnn",
}
"""onnx-tool 1.0 counts a transposed convolution at its output and in all groups, and no recurrent layers."""
NETWORKS = ("small_cnn", "tiny_encoder")


@pytest.mark.parametrize("name", sorted({*onnx_operations.MODELS, *NETWORKS} - COUNTED_OTHERWISE))
def test_operations_are_those_of_another_counter(name: str) -> None:
    """onnx-tool counts a bias as a multiplication for each output; without it the counts are the same."""
    model = onnx.load(FIXTURES / "models" / f"{name}.onnx") if name in NETWORKS else onnx_operations.MODELS[name]
    with redirect_stdout(io.StringIO()):
        graph = onnx_tool.Model(model).graph
        graph.shape_infer(None)
        graph.profile()
    shapes, found = onnx_operations.shapes_of(model), 0
    for node in model.graph.node:
        if node.op_type in {"Conv", "Gemm", "MatMul"}:
            has_bias = node.op_type != "MatMul" and len(node.input) == 3
            found += graph.nodemap[node.name].macs[0] - (prod(shapes[node.output[0]]) if has_bias else 0)
    assert counted(run_of(log(*onnx_operations.lines(model), "Original: 5 layers"))) == 2 * found > 0


@pytest.mark.parametrize("name", NETWORKS)
def test_operations_of_a_whole_model(name: str) -> None:
    """A convolutional network and an encoder as an exporter wrote them."""
    model = onnx.load(FIXTURES / "models" / f"{name}.onnx")
    assert counted(run_of(log(*onnx_operations.lines(model), "Original: 5 layers"))) == onnx_operations.count(model) > 0


@pytest.mark.parametrize("name", ["convolution", "depthwise", "transposed", "gemm", "broadcast product", "attention"])
def test_a_dynamic_batch_is_the_one_that_was_timed(name: str) -> None:
    """Where the log prints -1 the operations are those of the shapes of the run; without them they are unknown."""
    model = onnx_operations.MODELS[name]
    texts = (*onnx_operations.lines(model, dynamic=True), "Original: 5 layers")
    shapes = {
        one.name: "x".join(str(size.dim_value) for size in one.type.tensor_type.shape.dim) for one in model.graph.input
    }
    told = [f"{TRTEXEC}Input inference shape : {name}={shape}" for name, shape in shapes.items()]
    banner = "&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=b.onnx"
    assert counted(run_of(log(banner, f"{TRTEXEC}=== Inference Options ===", *told, *texts))) == onnx_operations.count(
        model
    )
    assert counted(run_of(log(*texts))) is None


def node(op: str, *inputs: tuple[int | None, ...] | None, output: tuple[int | None, ...] = (1,)) -> Node:
    """A node of these shapes."""
    names = tuple(f"t{place}" for place in range(len(inputs)))
    return Node("node", op, names, ("out",), inputs, (output,))


@pytest.mark.parametrize(
    ("made", "products", "reason"),
    [
        (node("Einsum", (2, 3), (3, 4), output=(2, 4)), None, "equation"),
        (node("Loop", (2, 3)), None, "inside"),
        (node("Conv", (None, 3, 8, 8), (4, 3, 1, 1), output=(None, 4, 8, 8)), None, "shapes"),
        (
            node("Attention", (2, 8, 16, 64), (2, 8, 24, 64), (2, 8, 24, 32), output=(2, 8, 16, 32)),
            2 * 2 * 8 * 16 * 24 * 96,
            None,
        ),
        (node("MultiHeadAttention", (2, 16, 512), (2, 24, 512), (2, 24, 512)), 2 * 2 * 16 * 24 * 1024, None),
        (node("Attention", (2, 16, 512), (512, 1536), (1536,)), None, "shapes"),
        (node("QLinearConv", (1, 3, 8, 8), (), (), (4, 3, 3, 3), output=(1, 4, 6, 6)), 2 * 4 * 3 * 9 * 36, None),
        (node("Reshape", (2, 3), (1,), output=(6,)), 0, None),
        (node("Relu", (2, 3), output=(2, 3)), 0, None),
        (node("Relu", None, output=(2, 3)), None, "shape"),
    ],
)
def test_operations_that_the_log_does_not_tell_are_unknown(
    made: Node, products: float | None, reason: str | None
) -> None:
    """An equation, a body, a shape that is not printed: unknown with its reason, never zero."""
    found = count_operations(made)
    assert found.products == products
    assert (found.reason is None) == (reason is None)
    assert reason is None or reason in (found.reason or "")


@pytest.mark.parametrize("name", NAMES)
def test_work_is_known_for_the_time_of_every_kind_of_engine(name: str) -> None:
    """For 95 % of the layers' time at least, and no product is lost or counted twice."""
    run = engine(name)
    build = last_build(run)
    rows = [row for row in run.view("work").to_pylist() if row["build"] == build]
    spent = sum(row["time_ms"] or 0.0 for row in rows)
    known = sum(row["time_ms"] or 0.0 for row in rows if row["operations"] is not None and row["bytes"] is not None)
    assert known >= 0.95 * spent
    assert sum(row["products"] for row in rows if row["products"] is not None) == pytest.approx(counted(run))


def test_the_operations_of_known_networks() -> None:
    """ResNet-50 has 4.09 G multiplications an image, MobileNetV2 0.3 G, by their papers and every counter."""
    for name, giga in {"resnet50-fp16-traced": 8 * 4.089, "mobilenet-batch-32": 32 * 0.3008}.items():
        found = counted(engine(name))
        assert found == pytest.approx(2e9 * giga, rel=0.001)


BYTES = {
    "Reformatting CopyNode for Input Tensor 0 to /conv1/Conv + /relu/Relu": 8 * 3 * 224 * 224 * 4
    + 8 * 4 * 224 * 224 * 2,
    "/conv1/Conv + /relu/Relu": 2 * (8 * 4 * 224 * 224 + 8 * 64 * 112 * 112 + 64 * 3 * 49 + 64),
    "/layer1/layer1.0/conv1/Conv + /layer1/layer1.0/relu/Relu": 2 * (2 * 8 * 64 * 56 * 56 + 64 * 64 + 64),
    "/layer1/layer1.0/conv2/Conv + /layer1/layer1.0/relu_1/Relu": 2 * (2 * 8 * 64 * 56 * 56 + 64 * 64 * 9 + 64),
    "/layer1/layer1.0/downsample/downsample.0/Conv + /layer1/layer1.0/Add + /layer1/layer1.0/relu_2/Relu": 2
    * (8 * 64 * 56 * 56 + 2 * 8 * 256 * 56 * 56 + 256 * 64 + 256),
    "/layer1/layer1.1/conv3/Conv + /layer1/layer1.1/Add + /layer1/layer1.1/relu_2/Relu": 2
    * (8 * 64 * 56 * 56 + 2 * 8 * 256 * 56 * 56 + 256 * 64 + 256),
    "/layer2/layer2.0/conv2/Conv + /layer2/layer2.0/relu_1/Relu": 2
    * (8 * 128 * 56 * 56 + 8 * 128 * 28 * 28 + 128 * 128 * 9 + 128),
    "/layer4/layer4.0/downsample/downsample.0/Conv": 2 * (8 * 1024 * 14 * 14 + 8 * 2048 * 7 * 7 + 2048 * 1024 + 2048),
    "/layer4/layer4.2/conv2/Conv + /layer4/layer4.2/relu_1/Relu": 2 * (2 * 8 * 512 * 7 * 7 + 512 * 512 * 9 + 512),
    "/maxpool/MaxPool": 2 * (8 * 64 * 112 * 112 + 8 * 64 * 56 * 56),
}
"""By hand: inputs, outputs, weights, biases; the image's 3 channels are stored as 4."""


def test_bytes_of_ten_layers_by_hand() -> None:
    """Each tensor and each weight once, in the types that the engine stores them in."""
    rows = {row["layer"]: row["bytes"] for row in engine("resnet50-fp16-traced").view("work").to_pylist()}
    assert {name: rows[name] for name in BYTES} == BYTES


CONVOLUTION = {
    "Name": "conv", "LayerType": "CaskConvolution", "ParameterType": "Convolution", "Weights": {"Type": "Half", "Count": 10},
    "Inputs": [{"Name": "x", "Dimensions": [1, 1, 8, 8], "Format/Datatype": "Row major linear FP16"}],
    "Outputs": [{"Name": "y", "Dimensions": [1, 1, 8, 8], "Format/Datatype": "Row major linear FP16"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("weights", "operations"),
    [
        ({"Type": "Half", "Count": 10}, 2 * 10 * 64),
        ({"Type": "Half", "Count": 10**400}, None),
        ({"Type": "Half", "Count": "10"}, None),
        ({"Type": "Half", "Count": 1e308}, None),
        ("[" * 100_000, None),
        ("9" * 5000, None),
    ],
)
def test_parameters_count_where_no_node_is_listed(weights: object, operations: int | None, tmp_path: Path) -> None:
    """Weights of any number, depth or type give a number of operations or none."""
    (tmp_path / "layers.json").write_text(json.dumps({"Layers": [CONVOLUTION | {"Weights": weights}], "Bindings": []}))
    work = read_work(open_run([tmp_path / "layers.json"]), 1)[0]
    assert work.products == operations
    assert (work.source == PARAMETERS) == (operations is not None) == (work.reason is None)


def test_a_product_that_generated_kernels_name_as_well_is_counted_once() -> None:
    """Myelin names a convolution beside what it generates around it: the operations are the convolution's."""
    run = open_run(FIXTURES / "small-cnn-rtx" / "qdq")
    rows = run.view("work").to_pylist()
    assert sum(row["products"] for row in rows) == pytest.approx(counted(run))
    assert {row["layer"].startswith("__myl_") for row in rows if row["products"]} == {False}

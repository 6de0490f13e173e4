"""Operations of ONNX models by their attributes: kernel sizes, groups, hidden sizes, equations; and models to count."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import onnx
from onnx import TensorProto, helper, shape_inference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Shapes = dict[str, list[int]]


def count(model: onnx.ModelProto) -> int:
    """Multiplications and additions of products, each counted as one operation."""
    shapes = shapes_of(model)
    return sum(2 * _multiplications(node, shapes) for node in model.graph.node)


def shapes_of(model: onnx.ModelProto) -> Shapes:
    """Every tensor's shape, with ONNX's own inference."""
    graph = shape_inference.infer_shapes(model, strict_mode=True).graph
    shapes = {one.name: list(one.dims) for one in graph.initializer}
    for one in (*graph.input, *graph.value_info, *graph.output):
        shapes[one.name] = [size.dim_value for size in one.type.tensor_type.shape.dim]
    return shapes


def lines(model: onnx.ModelProto, *, dynamic: bool = False) -> Iterator[str]:
    """What TensorRT's parser prints of the model; ``dynamic`` without the first extent of what depends on an input."""
    shapes, constants = shapes_of(model), {one.name for one in model.graph.initializer}
    for node in model.graph.node:
        for side, names in (("inputs", node.input), ("outputs", node.output)):
            told = [_operand(name, shapes.get(name), open_=dynamic and name not in constants) for name in names]
            yield f"{node.name} [{node.op_type}] {side}: {', '.join(told)}, "


def _operand(name: str, shape: Sequence[int] | None, *, open_: bool) -> str:
    if not name or shape is None:
        return "[optional input, not set]"
    sizes = [-1, *shape[1:]] if open_ and shape else shape
    return f"[{name} -> ({', '.join(map(str, sizes))})[FLOAT]]"


def _multiplications(node: onnx.NodeProto, shapes: Shapes) -> int:
    attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    ins, outs = [shapes.get(name, []) for name in node.input], [shapes.get(name, []) for name in node.output]
    match node.op_type:
        case "Conv":
            per_output = ins[0][1] // attributes.get("group", 1) * prod(attributes["kernel_shape"])
            return prod(outs[0]) * per_output
        case "ConvTranspose":
            per_input = outs[0][1] // attributes.get("group", 1) * prod(attributes["kernel_shape"])
            return prod(ins[0]) * per_input
        case "Gemm":
            rows, inner = reversed(ins[0]) if attributes.get("transA") else ins[0]
            columns = ins[1][0] if attributes.get("transB") else ins[1][1]
            return int(rows * inner * columns)
        case "MatMul":
            return prod(outs[0]) * ins[0][-1]
        case "LSTM" | "GRU" | "RNN":
            gates, hidden = {"LSTM": 4, "GRU": 3, "RNN": 1}[node.op_type], attributes["hidden_size"]
            directions = 2 if attributes.get("direction") == b"bidirectional" else 1
            steps, batch, width = ins[0]
            return int(steps * batch * directions * gates * hidden * (width + hidden))
    return 0


# -- models -----------------------------------------------------------------------------------------------------------


def model(
    inputs: Shapes, nodes: Sequence[tuple[str, list[str], list[str], dict[str, Any]]], weights: Shapes
) -> onnx.ModelProto:
    """A model of these nodes; its output is that of the last."""
    graph = helper.make_graph(
        [
            helper.make_node(op, ins, outs, name=f"node{place}", **more)
            for place, (op, ins, outs, more) in enumerate(nodes)
        ],
        "made",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(nodes[-1][2][0], TensorProto.FLOAT, None)],
        [
            helper.make_tensor(name, TensorProto.FLOAT, shape, b"\0" * 4 * prod(shape), raw=True)
            for name, shape in weights.items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def _convolution(shape: list[int], weights: list[int], op: str = "Conv", **more: Any) -> onnx.ModelProto:
    attributes = {"kernel_shape": weights[2:], **more}
    return model({"x": shape}, [(op, ["x", "w"], ["y"], attributes), ("Relu", ["y"], ["z"], {})], {"w": weights})


def _product(left: list[int], right: list[int], op: str = "MatMul", **more: Any) -> onnx.ModelProto:
    return model({"x": left, "v": right}, [(op, ["x", "v"], ["y"], more)], {})


def _recurrent(op: str, gates: int, directions: int) -> onnx.ModelProto:
    hidden, width = 24, 10
    weights = {"w": [directions, gates * hidden, width], "r": [directions, gates * hidden, hidden]}
    more = {"hidden_size": hidden, **({"direction": "bidirectional"} if directions == 2 else {})}
    return model({"x": [7, 3, width]}, [(op, ["x", "w", "r"], ["y"], more)], weights)


def _attention(batch: int, heads: int, length: int, width: int) -> onnx.ModelProto:
    """Projections, heads apart, scores, softmax, weighted sums, output."""
    size = heads * width
    nodes: list[tuple[str, list[str], list[str], dict[str, Any]]] = []
    for name in "qkv":
        turned = [0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]
        nodes += [
            ("MatMul", ["x", f"w{name}"], [name], {}),
            ("Reshape", [name, "split"], [f"{name}s"], {}),
            ("Transpose", [f"{name}s"], [f"{name}t"], {"perm": turned}),
        ]
    nodes += [
        ("MatMul", ["qt", "kt"], ["scores"], {}), ("Softmax", ["scores"], ["soft"], {"axis": -1}),
        ("MatMul", ["soft", "vt"], ["mixed"], {}), ("Transpose", ["mixed"], ["back"], {"perm": [0, 2, 1, 3]}),
        ("Reshape", ["back", "join"], ["joined"], {}), ("MatMul", ["joined", "wo"], ["out"], {}),
        ("Add", ["x", "out"], ["sum"], {}),
    ]  # fmt: skip
    made = model({"x": [batch, length, size]}, nodes, {f"w{name}": [size, size] for name in "qkvo"})
    for name, shape in {"split": [batch, length, heads, width], "join": [batch, length, size]}.items():
        made.graph.initializer.append(helper.make_tensor(name, TensorProto.INT64, [len(shape)], shape))
    return made


def _chain(shape: list[int], layers: Sequence[tuple[str, list[int], dict[str, Any]]]) -> onnx.ModelProto:
    """Convolutions one behind the other: where the result goes (``add`` to the input, ``concat`` with it, or on), weights, attributes."""
    nodes: list[tuple[str, list[str], list[str], dict[str, Any]]] = []
    weights: Shapes = {}
    top = "x"
    for place, (joins, sizes, more) in enumerate(layers):
        weights[f"w{place}"] = sizes
        nodes += [
            ("Conv", [top, f"w{place}"], [f"c{place}"], {"kernel_shape": sizes[2:], **more}),
            ("Relu", [f"c{place}"], [f"r{place}"], {}),
        ]
        joined = {"add": ("Add", {}), "concat": ("Concat", {"axis": 1})}.get(joins)
        if joined is not None:
            nodes.append((joined[0], ["x" if joins == "add" else top, f"r{place}"], [f"j{place}"], joined[1]))
        top = f"r{place}" if joined is None else f"j{place}"
    return model({"x": shape}, nodes, weights)


_SAME = {"pads": [1, 1, 1, 1]}
MODELS = {
    "convolution": _convolution([2, 3, 32, 32], [8, 3, 3, 3]),
    "strided": _convolution([2, 3, 33, 31], [8, 3, 5, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "dilated": _convolution([1, 4, 40, 40], [6, 4, 3, 3], dilations=[2, 2]),
    "grouped": _convolution([3, 8, 16, 16], [16, 2, 3, 3], group=4),
    "depthwise": _convolution([4, 12, 20, 20], [12, 1, 3, 3], group=12, pads=[1, 1, 1, 1]),
    "pointwise": _convolution([1, 64, 14, 14], [256, 64, 1, 1]),
    "one-dimensional": _convolution([2, 16, 100], [32, 16, 7]),
    "three-dimensional": _convolution([1, 3, 8, 16, 16], [4, 3, 3, 3, 3]),
    "transposed": _convolution([2, 8, 10, 10], [8, 4, 4, 4], "ConvTranspose", strides=[2, 2]),
    "transposed in groups": _convolution([1, 8, 9, 9], [8, 3, 2, 2], "ConvTranspose", group=2, strides=[2, 2]),
    "product": _product([5, 7], [7, 11]),
    "product of batches": _product([2, 3, 5, 7], [2, 3, 7, 4]),
    "broadcast product": _product([4, 6, 8, 16], [16, 5]),
    "vector on the left": _product([16], [16, 5]),
    "gemm": _product([5, 7], [7, 11], "Gemm"),
    "gemm transposed": _product([7, 5], [11, 7], "Gemm", transA=1, transB=1),
    "lstm": _recurrent("LSTM", 4, 1),
    "lstm in both directions": _recurrent("LSTM", 4, 2),
    "gru": _recurrent("GRU", 3, 1),
    "rnn": _recurrent("RNN", 1, 1),
    "attention": _attention(2, 4, 16, 8),
    "residual": _chain(
        [2, 32, 14, 14], [("", [8, 32, 1, 1], {}), ("", [8, 8, 3, 3], _SAME), ("add", [32, 8, 1, 1], {})]
    ),
    "inverted residual": _chain(
        [1, 16, 28, 28],
        [("", [96, 16, 1, 1], {}), ("", [96, 1, 3, 3], {"group": 96, **_SAME}), ("add", [16, 96, 1, 1], {})],
    ),
    "dense": _chain(
        [1, 8, 16, 16], [("concat", [4, 8, 3, 3], _SAME), ("concat", [4, 12, 3, 3], _SAME), ("", [16, 16, 1, 1], {})]
    ),
    "encoder of images": _attention(4, 3, 49, 32),
}
"""Small models of the operators whose products are counted."""

"""Rewrites ONNX models around what onnxconverter-common's float16 (1.14 and later) is known not to handle.

Before it: nodes without names, constants as nodes, outputs that are read inside the graph, casts to FP32, weights that
a node that stays in FP32 shares with others, and arithmetic on shapes, whose numbers FP16 would round. After it: a
check that types meet, and BF16 in the place of FP16.
"""

from __future__ import annotations

from typing import Any

from trtlens.capture.models.model import is_large, require_onnx, weights
from trtlens.errors import TrtlensError

FLOAT, FLOAT16, BFLOAT16 = 1, 10, 16  # onnx.TensorProto.DataType
_SHAPE_SOURCES = frozenset({"Shape", "Size"})
FP16_LARGEST = 65504.0
_SMALL_BYTES = 4096


def copy(proto: Any) -> Any:
    """A message of its own with the same content."""
    copied = type(proto)()
    copied.CopyFrom(proto)
    return copied


def prepare(proto: Any) -> Any:
    """A copy in which each node has a name of its own, constants are weights, and no node reads outputs."""
    copied = copy(proto)
    graph = copied.graph
    _name_nodes(graph)
    nodes = []
    for node in graph.node:
        value = _constant_value(node)
        if value is None:
            nodes.append(node)
        else:
            value.name = node.output[0]
            graph.initializer.append(value)
    del graph.node[:]
    graph.node.extend(nodes)
    _free_outputs(graph)
    return copied


def _constant_value(node: Any) -> Any:
    """The tensor of a Constant node, also where it is spelled as a number or a list of numbers, else None."""
    if node.op_type != "Constant":
        return None
    onnx = require_onnx("converting a model")
    attribute = node.attribute[0]
    if attribute.name == "value":
        return copy(attribute.t)
    if attribute.name in ("value_float", "value_floats"):
        numbers = [attribute.f] if attribute.name == "value_float" else list(attribute.floats)
        shape = [] if attribute.name == "value_float" else [len(numbers)]
        return onnx.helper.make_tensor("", FLOAT, shape, numbers)
    return None


def _name_nodes(graph: Any) -> None:
    taken = set()
    for index, node in enumerate(graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.name or node.op_type}_{index}"
        taken.add(node.name)


def _free_outputs(graph: Any) -> None:
    """Give an output that nodes inside read too a name of its own, behind an Identity."""
    onnx = require_onnx("converting a model")
    read = {name for node in graph.node for name in node.input}
    for output in [info.name for info in graph.output if info.name in read]:
        inner = f"{output}__inside"
        for node in graph.node:
            for names in (node.input, node.output):
                for index, name in enumerate(names):
                    if name == output:
                        names[index] = inner
        graph.node.append(onnx.helper.make_node("Identity", [inner], [output], name=f"{output}__outside"))


def shape_nodes(proto: Any) -> set[str]:
    """The nodes that compute on nothing but shapes and constants: extents above 2048 are not whole in FP16."""
    constants = {tensor.name for tensor in proto.graph.initializer} | {""}
    shapes: set[str] = set()
    found = set()
    for node in proto.graph.node:
        inputs = set(node.input) - constants
        if node.op_type in _SHAPE_SOURCES or (inputs and inputs <= shapes):
            shapes.update(node.output)
            found.add(node.name)
    return found


def separate_weights(proto: Any, blocked: set[str]) -> None:
    """Give nodes that stay in FP32 copies of the weights that they share with nodes that do not."""
    graph = proto.graph
    free = {name for node in graph.node if node.name not in blocked for name in node.input}
    shared = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == FLOAT and tensor.name in free}
    made = set()
    for node in graph.node:
        if node.name not in blocked:
            continue
        for index, name in enumerate(node.input):
            if name not in shared:
                continue
            node.input[index] = copied = f"{name}__fp32"
            if copied not in made:
                weight = graph.initializer.add()
                weight.CopyFrom(shared[name])
                weight.name = copied
                made.add(copied)


def redirect_casts(proto: Any, blocked: set[str]) -> None:
    """Let casts to FP32 among converted nodes cast to FP16, which their readers then expect."""
    for node in proto.graph.node:
        if node.op_type == "Cast" and node.name not in blocked:
            for attribute in node.attribute:
                if attribute.name == "to" and attribute.i == FLOAT:
                    attribute.i = FLOAT16


def count_overflowing(proto: Any, blocked: set[str]) -> int:
    """How many FP32 weights of nodes that are converted hold finite values beyond FP16's range."""
    onnx = require_onnx("converting a model")
    import numpy as np  # noqa: PLC0415

    used = {name for node in proto.graph.node if node.name not in blocked for name in node.input}
    count = 0
    for tensor in proto.graph.initializer:
        if tensor.data_type == FLOAT and tensor.name in used:
            values = np.abs(onnx.numpy_helper.to_array(tensor))
            count += bool(((values > FP16_LARGEST) & np.isfinite(values)).any())
    return count


def as_bfloat16(proto: Any, full: dict[str, Any]) -> None:
    """Turn every FP16 tensor into BF16, with values rounded from the full weights of the same name."""
    graph = proto.graph
    for tensor in weights(proto):
        if tensor.data_type == FLOAT16:
            _encode_bfloat16(tensor, full.get(tensor.name, tensor))
    for info in [*graph.value_info, *graph.input, *graph.output]:
        if info.type.tensor_type.elem_type == FLOAT16:
            info.type.tensor_type.elem_type = BFLOAT16
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == FLOAT16:
                attribute.i = BFLOAT16


def _encode_bfloat16(tensor: Any, source: Any) -> None:
    from trtlens.accuracy.encodings import encode  # noqa: PLC0415  imports numpy

    values = require_onnx("--bf16").numpy_helper.to_array(source)
    tensor.ClearField("int32_data")
    tensor.data_type = BFLOAT16
    tensor.raw_data = encode("bf16", values.astype("float32")).tobytes()


def infer_types(proto: Any) -> None:
    """Write the inferred types of inner tensors into the model; inputs stand in for large weights."""
    onnx = require_onnx("converting a model")
    skeleton = type(proto)(ir_version=proto.ir_version, opset_import=proto.opset_import, functions=proto.functions)
    graph = skeleton.graph
    graph.name = proto.graph.name
    graph.node.extend(proto.graph.node)
    graph.input.extend(proto.graph.input)
    graph.output.extend(proto.graph.output)
    named = {info.name for info in graph.input}
    for tensor in proto.graph.initializer:
        if len(tensor.raw_data) <= _SMALL_BYTES:
            graph.initializer.append(tensor)  # axes and shapes must be seen to infer what they lead to
        elif tensor.name not in named:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    inferred = onnx.shape_inference.infer_shapes(skeleton)
    del proto.graph.value_info[:]
    proto.graph.value_info.extend(inferred.graph.value_info)


def check_types(proto: Any, half: str) -> None:
    """Raise TrtlensError where types do not meet after the conversion; operators of plugins are let through."""
    onnx = require_onnx("converting a model")
    if is_large(proto):
        return
    try:
        onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True)
    except Exception as error:
        if "No Op registered" in str(error) or "No opset import" in str(error):
            return
        raise TrtlensError(
            f"the model cannot be converted to {half} ({error}): install nvidia-modelopt, or export the model in {half}"
        ) from error

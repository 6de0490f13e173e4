"""ONNX models rewritten for ONNX Runtime on the CPU: widened to FP32, freed of quantization, with inner outputs marked.

Widening turns every FP16 and BF16 tensor into FP32, so that a model that was exported or converted in half precision
computes in full. Freeing of quantization lets QuantizeLinear and the DequantizeLinear that undoes it pass values on:
what is left is the float model, with weights that were stored as integers dequantized.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.capture.models.model import require_onnx
from trtlens.capture.models.onnx_rewriting import BFLOAT16, FLOAT, FLOAT16, copy
from trtlens_parsers.dump_index import DumpedNode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

HALF_TYPES = {FLOAT16: "fp16", BFLOAT16: "bf16"}
HALF_NUMBERS = {name: number for number, name in HALF_TYPES.items()}
"""ONNX's numbers of these types."""

_QUANTIZE, _DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
# what may stand between a quantization and its undoing, and takes floats as well as integers
_TRANSPARENT = frozenset({
    "Identity", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Concat", "Split", "Gather", "MaxPool",
    "Expand", "Tile", "DepthToSpace", "SpaceToDepth", "Pad",
})  # fmt: skip


def named_nodes(proto: Any) -> list[tuple[str, Any]]:
    """Every node of the main graph with a name of its own: the model's, else operator and position."""
    names: set[str] = set()
    named = []
    for index, node in enumerate(proto.graph.node):
        name = node.name if node.name and node.name not in names else f"{node.name or node.op_type}_{index}"
        names.add(name)
        named.append((name, node))
    return named


def described_nodes(proto: Any) -> tuple[DumpedNode, ...]:
    """The nodes of the main graph as the index of a dump keeps them."""
    return tuple(
        DumpedNode(name, node.op_type, tuple(node.input), tuple(node.output)) for name, node in named_nodes(proto)
    )


def executable_order(proto: Any) -> list[tuple[str, Any]]:
    """The named nodes so that each stands behind what it reads, tensors that only a graph inside of it reads too.

    onnxconverter-common sorts without them. Nodes of a cycle, or with inputs that no node makes, come last.
    """
    known = {tensor.name for tensor in proto.graph.initializer} | {info.name for info in proto.graph.input}
    waiting: list[tuple[str, Any]] = []
    ordered: list[tuple[str, Any]] = []
    for named in named_nodes(proto):
        waiting.append(named)
        while ready := next((entry for entry in waiting if read_names(entry[1]) <= known), None):
            waiting.remove(ready)
            ordered.append(ready)
            known.update(ready[1].output)
    return ordered + waiting


def read_names(node: Any) -> set[str]:
    """The tensors that a node reads, those of the graphs inside it too."""
    return {name for name in node.input if name} | outer_names(node)


def outer_names(node: Any) -> set[str]:
    """The tensors that the graphs inside a node (If, Loop, Scan) take from around it."""
    return set().union(*(_free_names(graph) for graph in _subgraphs(node)))


def _free_names(graph: Any) -> set[str]:
    known = {info.name for info in graph.input} | {tensor.name for tensor in graph.initializer}
    free: set[str] = set()
    for node in graph.node:
        free |= {name for name in node.input if name and name not in known} | (outer_names(node) - known)
        known.update(node.output)
    return free | {info.name for info in graph.output if info.name not in known}


def _subgraphs(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


# -- widening --------------------------------------------------------------------------------------------------------


def holds_half(proto: Any) -> bool:
    """Whether any weight, input or cast of the main graph is FP16 or BF16."""
    graph = proto.graph
    tensors = any(tensor.data_type in HALF_TYPES for tensor in graph.initializer)
    infos = any(info.type.tensor_type.elem_type in HALF_TYPES for info in (*graph.input, *graph.output))
    return tensors or infos or any(_casts_to_half(node) for node in graph.node)


def _casts_to_half(node: Any) -> bool:
    return node.op_type == "Cast" and any(a.name == "to" and a.i in HALF_TYPES for a in node.attribute)


def widened(proto: Any) -> Any:
    """A copy in which every FP16 and BF16 tensor is FP32."""
    copied = copy(proto)
    widen_graph(copied.graph)
    return copied


def widen_graph(graph: Any) -> None:
    """Turn FP16 and BF16 into FP32 in a graph and in those inside it."""
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    for info in (*graph.input, *graph.output, *graph.value_info):
        if info.type.tensor_type.elem_type in HALF_TYPES:
            info.type.tensor_type.elem_type = FLOAT
    for node in graph.node:
        widen_node(node)


def widen_node(node: Any) -> None:
    """Turn FP16 and BF16 into FP32 in the attributes of a node, and in the graphs inside it."""
    for attribute in node.attribute:
        if attribute.name in ("to", "dtype") and attribute.i in HALF_TYPES:
            attribute.i = FLOAT
        if attribute.HasField("t"):
            _widen_tensor(attribute.t)
    for graph in _subgraphs(node):
        widen_graph(graph)


def _widen_tensor(tensor: Any) -> None:
    if tensor.data_type in HALF_TYPES:
        values = weight_values(tensor).astype(np.float32)
        tensor.CopyFrom(require_onnx("widening a model").numpy_helper.from_array(values, tensor.name))


def weight_values(tensor: Any) -> NDArray[Any]:
    """The numbers of a weight; those of types that numpy lacks as ml_dtypes or as FP32, as onnx gives them."""
    values: NDArray[Any] = np.asarray(require_onnx("reading weights").numpy_helper.to_array(tensor))
    return values


# -- quantization ----------------------------------------------------------------------------------------------------


def without_quantization(proto: Any) -> tuple[Any, int]:
    """A copy whose Q/DQ pairs pass values on, and how many there were; 0 and the model itself where none can be freed.

    A model is left alone where a quantized tensor is read by an operator that computes in integers.
    """
    quantized: set[str] = set()
    pairs = 0
    for node in proto.graph.node:
        carried = any(name in quantized for name in node.input[:1])
        if node.op_type == _QUANTIZE or (carried and node.op_type in _TRANSPARENT):
            quantized.update(node.output)
        elif carried and node.op_type == _DEQUANTIZE:
            pairs += 1
        elif any(name in quantized for name in node.input):
            return proto, 0
    if not pairs or any(info.name in quantized for info in proto.graph.output):
        return proto, 0
    copied = copy(proto)
    for node in copied.graph.node:
        if node.op_type == _QUANTIZE or (node.op_type == _DEQUANTIZE and node.input[0] in quantized):
            node.op_type = "Identity"
            node.domain = ""
            del node.input[1:]
            del node.attribute[:]
    del copied.graph.value_info[:]
    return copied, pairs


# -- outputs ---------------------------------------------------------------------------------------------------------


def inner_tensors(proto: Any) -> list[tuple[str, str, Any]]:
    """Every tensor that a node of the main graph puts out: its name, its node's name, and the node; in graph order."""
    return [(tensor, name, node) for name, node in named_nodes(proto) for tensor in node.output if tensor]


def with_outputs(proto: Any, names: list[str]) -> Any:
    """A copy whose only outputs are these tensors; ONNX Runtime works their types out by itself."""
    onnx = require_onnx("marking outputs")
    copied = copy(proto)
    declared = {info.name: info for info in (*proto.graph.output, *proto.graph.value_info)}
    del copied.graph.output[:]
    copied.graph.output.extend(declared.get(name) or onnx.ValueInfoProto(name=name) for name in names)
    return copied


def estimated_bytes(proto: Any, feeds: Mapping[str, NDArray[Any]], unknown_bytes: int) -> dict[str, int]:
    """Bytes of each inner tensor at the shapes of the feeds, as far as shapes can be inferred."""
    onnx = require_onnx("inferring shapes")
    skeleton = copy(proto)
    for info in skeleton.graph.input:
        if info.name in feeds:
            shape = info.type.tensor_type.shape
            del shape.dim[:]
            shape.dim.extend(shape.Dimension(dim_value=extent) for extent in feeds[info.name].shape)
    try:
        inferred = onnx.shape_inference.infer_shapes(skeleton, data_prop=True)
    except Exception:  # noqa: BLE001  protobuf's and onnx's own classes; sizes are then unknown
        return {}
    sizes = {info.name: _bytes(info) for info in (*inferred.graph.value_info, *inferred.graph.output)}
    return {name: unknown_bytes if size is None else size for name, size in sizes.items()}


def _bytes(info: Any) -> int | None:
    dims = info.type.tensor_type.shape.dim
    if not info.type.tensor_type.HasField("shape") or not all(dim.HasField("dim_value") for dim in dims):
        return None
    return 8 * math.prod(dim.dim_value for dim in dims)

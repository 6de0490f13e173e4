"""A model read for planning: nodes with names of their own, tensors with types, and which nodes could go down at all."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from trtlens.capture.models.model import load_onnx, one_line, require_onnx
from trtlens.capture.models.onnx_graphs import holds_half, outer_names, read_names
from trtlens.capture.models.onnx_rewriting import FLOAT, infer_types, prepare, shape_nodes
from trtlens.capture.planning.typed_nodes import lowered_inputs
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SHAPE_READERS = frozenset({"Shape", "Size"})
"""Operators to which the type of what they read is all the same."""
_BF16_OPSET = 13
_QUANTIZED = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}
)


@dataclass(frozen=True)
class TypedModel:
    """A model whose nodes have names of their own and whose tensors have types.

    Attributes:
        proto: constants are weights in it, and no node reads an output.
        types: ONNX's number of the type of each tensor, as far as it is known.
        lowered: places of the inputs of each node, by its name, that are cast where it goes down.
        unnamed: how many nodes the file gives no name, or one that it gives twice.
    """

    proto: Any
    types: Mapping[str, int]
    lowered: Mapping[str, tuple[int, ...]]
    unnamed: int
    shapes_only: frozenset[str]

    @cached_property
    def weights(self) -> dict[str, Any]:
        """Initializers by name."""
        return {tensor.name: tensor for tensor in self.proto.graph.initializer}

    @cached_property
    def float_nodes(self) -> list[Any]:
        """The nodes that put out FP32 and compute on more than shapes."""
        return [
            node
            for node in self.proto.graph.node
            if node.name not in self.shapes_only and any(self.types.get(name) == FLOAT for name in node.output)
        ]

    @cached_property
    def makers(self) -> dict[str, Any]:
        """The node that makes each tensor."""
        return {name: node for node in self.proto.graph.node for name in node.output if name}

    @cached_property
    def readers(self) -> dict[str, list[Any]]:
        """The nodes that read each tensor, those with graphs inside that read it too."""
        found: dict[str, list[Any]] = defaultdict(list)
        for node in self.proto.graph.node:
            for name in read_names(node):
                found[name].append(node)
        return found

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """The outputs of the model in FP32."""
        return tuple(info.name for info in self.proto.graph.output if self.types.get(info.name) == FLOAT)

    def is_float(self, tensor: str) -> bool:
        """Whether a tensor is FP32."""
        return self.types.get(tensor) == FLOAT


def read_typed(model: Path, low_type: str) -> TypedModel:
    """Read a model for planning; raises TrtlensError where it is none, is not in FP32, or its types cannot be worked out."""
    onnx = require_onnx("planning")
    given = load_onnx(model, "planning")
    if holds_half(given):
        raise TrtlensError(f"{model} holds FP16 or BF16 already: plan from the model in FP32")
    if any(node.op_type in _QUANTIZED for node in given.graph.node):
        raise TrtlensError(
            f"{model} is quantized: a plan chooses among floating types; give the model before quantization"
        )
    names = [node.name for node in given.graph.node]
    proto = prepare(_with_bf16_casts(given, model) if low_type == "bf16" else given)
    try:
        infer_types(proto)
    except Exception as error:  # onnx's and protobuf's own classes
        raise TrtlensError(
            f"the types of {model} cannot be worked out ({one_line(error)}): check it with onnx.checker"
        ) from error
    graph = proto.graph
    types = {info.name: info.type.tensor_type.elem_type for info in (*graph.value_info, *graph.input, *graph.output)}
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    opset = next(
        (one.version for one in proto.opset_import if one.domain in ("", "ai.onnx")), onnx.defs.onnx_opset_version()
    )
    lowered = {node.name: lowered_inputs(node, types, opset) for node in graph.node}
    unnamed = len(names) - len({name for name in names if name})
    made = TypedModel(proto, types, lowered, unnamed, frozenset(shape_nodes(proto)))
    if not made.outputs:
        raise TrtlensError(
            f"{model} has no output in FP32, so that no error can be measured: give a model that has one"
        )
    if not any(keeps_fp32(made, node) is None for node in made.float_nodes):
        inside = " (all of it may lie inside of If, Loop or Scan)" if any(map(outer_names, graph.node)) else ""
        raise TrtlensError(f"{model} has no node that could go down to 16 bits{inside}: there is nothing to plan")
    return made


def _with_bf16_casts(proto: Any, model: Path) -> Any:
    """The model in an operator set whose Cast knows BF16."""
    onnx = require_onnx("planning")
    version = next((one.version for one in proto.opset_import if one.domain in ("", "ai.onnx")), 1)
    if version >= _BF16_OPSET:
        return proto
    try:
        return onnx.version_converter.convert_version(proto, _BF16_OPSET)
    except Exception as error:  # of the converter's own class, or RuntimeError
        raise TrtlensError(
            f"{model} is in operator set {version}, whose Cast has no BF16, and cannot be converted to {_BF16_OPSET} "
            f"({one_line(error)}): export it again in operator set {_BF16_OPSET} or later"
        ) from error


def keeps_fp32(model: TypedModel, node: Any) -> str | None:
    """Why a node stays in FP32, None where it may go down."""
    if any(True for _ in outer_names(node)) or any(attribute.HasField("g") for attribute in node.attribute):
        return "it holds graphs of its own (control flow)"
    made_of_nothing = node.op_type == "Cast" and not model.lowered[node.name]
    if not model.lowered[node.name] and not made_of_nothing:
        return f"{node.op_type} has no form in 16 bits that could be planned"
    return None

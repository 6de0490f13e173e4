"""Writes a plan into the model: every tensor in the type that the plan gives it, with a cast where two types meet.

This is what a strongly typed network (TensorRT 10, 11, TensorRT-RTX) needs, and what any other runtime of ONNX computes
as planned. Inputs and outputs of the model stay in FP32.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.accuracy.encodings import encode
from trtlens.capture.models.model import is_engine, require_onnx, save_onnx
from trtlens.capture.models.onnx_graphs import read_names, weight_values
from trtlens.capture.models.onnx_rewriting import FLOAT, FLOAT16, as_bfloat16, check_types, copy
from trtlens.capture.planning.typed_reading import SHAPE_READERS, read_typed
from trtlens.capture.recorder import CONVERTED_ONNX
from trtlens.errors import TrtlensError
from trtlens.plan.document import read_plan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from trtlens.capture.build_options import BuildOptions
    from trtlens.capture.planning.typed_reading import TypedModel
    from trtlens.capture.recorder import Recorder
    from trtlens_parsers.saved_plan import Plan


def typed_proto(model: TypedModel, low_nodes: AbstractSet[str], low_type: str) -> Any:
    """The model with these nodes in `fp16` or `bf16`, all others as they are; raises TrtlensError where types do not meet."""
    proto = _Writing(model, low_nodes).run()
    check_types(proto, low_type)
    if low_type == "bf16":
        as_bfloat16(proto, {f"{name}__low": tensor for name, tensor in model.weights.items()})
    return proto


def write_typed(proto: Any, path: Path) -> None:
    """Write the model so that it is never seen half written, large weights in a file beside it."""
    save_onnx(proto, path)


def convert_as_planned(model: Path, options: BuildOptions, recorder: Recorder) -> Path:
    """The model with the types of the plan that the options name, as `converted.onnx` in the run."""
    plan = read_plan(options.plan or Path())
    write_typed(planned_proto(plan, model), recorder.path(CONVERTED_ONNX))
    low = len(plan.node_types()) - len(plan.kept_nodes())
    recorder.note(f"the model was written with the types of {options.plan}: {low} nodes in {plan.low_type}")
    return recorder.path(CONVERTED_ONNX)


def planned_proto(plan: Plan, model: Path) -> Any:
    """The model with the types of a plan."""
    low = frozenset(node for node, kind in plan.node_types().items() if kind == plan.low_type)
    return typed_proto(read_typed(model, plan.low_type), low, plan.low_type)


def check_planned(path: Path, model: Path, identity: Mapping[str, Any]) -> None:
    """Raise TrtlensError where a plan was made for another model, or an engine is given."""
    if is_engine(model):
        raise TrtlensError(f"--plan {path}: the types of an engine are fixed; give the ONNX model")
    planned = read_plan(path).model
    if (planned.get("sha256"), planned.get("external")) != (identity["sha256"], identity["external"]):
        raise TrtlensError(f"{path} was made for another model ({planned.get('path')}): make a plan for {model}")


@dataclass
class _Writing:
    """Low nodes write under a name of their own; a cast makes the tensor's own name where somebody reads it in FP32."""

    model: TypedModel
    low_nodes: AbstractSet[str]
    _nodes: list[Any] = field(default_factory=list)
    _weights: dict[str, Any] = field(default_factory=dict)
    _cast: set[str] = field(default_factory=set)

    def run(self) -> Any:
        self.onnx = require_onnx("writing a typed model")
        proto = copy(self.model.proto)
        wide = {info.name for info in proto.graph.output}
        for node in self.model.proto.graph.node:
            wide |= self._wide_reads(node)
        for node in list(proto.graph.node):
            if node.name in self.low_nodes:
                self._lower(node, wide)
            else:
                self._nodes.append(node)
        del proto.graph.node[:], proto.graph.value_info[:]
        proto.graph.node.extend(self._nodes)
        made = {name for node in self._nodes for name in node.output}
        for node in proto.graph.node:
            if node.op_type in SHAPE_READERS and f"{node.input[0]}__low" in made and node.input[0] not in wide:
                node.input[0] = f"{node.input[0]}__low"
        read = {name for node in proto.graph.node for name in read_names(node)} | {
            info.name for info in proto.graph.output
        }
        kept = [tensor for tensor in proto.graph.initializer if tensor.name in read]
        del proto.graph.initializer[:]
        proto.graph.initializer.extend([*kept, *self._weights.values()])
        return proto

    def _wide_reads(self, node: Any) -> set[str]:
        """The tensors that a node reads in FP32."""
        if node.op_type in SHAPE_READERS:
            return set()
        low = {node.input[index] for index in self.model.lowered[node.name]} if node.name in self.low_nodes else set()
        return read_names(node) - low

    def _lower(self, node: Any, wide: set[str]) -> None:
        for index in self.model.lowered[node.name]:
            node.input[index] = self._low(node.input[index])
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == FLOAT:
                attribute.i = FLOAT16
        self._nodes.append(node)
        for index, name in enumerate(node.output):
            if name and self.model.is_float(name):
                node.output[index] = f"{name}__low"
                if name in wide:
                    self._nodes.append(self._casting(f"{name}__low", name, FLOAT))

    def _low(self, name: str) -> str:
        """A weight rounded, or a tensor cast once for all that read it, if its maker does not put it out so."""
        low = f"{name}__low"
        if name in self.model.weights:
            if low not in self._weights:
                values = encode("fp16", np.asarray(weight_values(self.model.weights[name]), np.float32))
                self._weights[low] = self.onnx.numpy_helper.from_array(values, low)
        elif (
            name not in self.model.makers or self.model.makers[name].name not in self.low_nodes
        ) and low not in self._cast:
            self._cast.add(low)
            self._nodes.append(self._casting(name, low, FLOAT16))
        return low

    def _casting(self, source: str, target: str, to: int) -> Any:
        return self.onnx.helper.make_node("Cast", [source], [target], name=f"{target}__cast", to=to)

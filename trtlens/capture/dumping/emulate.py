"""FP16 or BF16 emulated on the CPU: the converted model, node by node in FP32, every output rounded to that type.

The model is converted as `trtlens profile --fp16` converts it for releases without precision flags, so the same nodes
stay in FP32. Each node runs alone in ONNX Runtime, on inputs that are already rounded, and accumulates in FP32 as
tensor cores mostly do; what a kernel rounds inside of one operator is not emulated, nor is any fusion. So the numbers
are those of no GPU, and everything made here says that it is emulated.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.accuracy.dumps import DumpWriter, Origin
from trtlens.accuracy.encodings import encode
from trtlens.capture.dumping.reference import CpuModel, Plan, add_hidden, add_inputs, add_weights
from trtlens.capture.models.convert import convert_model
from trtlens.capture.models.model import load_onnx, require_onnx
from trtlens.capture.models.onnx_graphs import (
    HALF_TYPES,
    described_nodes,
    executable_order,
    holds_half,
    named_nodes,
    read_names,
    weight_values,
    widen_node,
)
from trtlens.capture.models.onnx_rewriting import copy, infer_types
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from trtlens.capture.build_options import BuildOptions
    from trtlens.capture.models.onnx_inputs import Feeds
    from trtlens.capture.recorder import Recorder

NOTE = "emulated on the CPU: every output is rounded, sums inside of operators are FP32; a GPU's kernels may differ"


def dump_emulated(
    model: Path, feeds: Feeds, plan: Plan, options: BuildOptions, recorder: Recorder, *, precision: str
) -> None:
    """Convert the model to fp16 or bf16, run it rounded, and fill the run with its tensors and its index.

    Raises TrtlensError where a package is missing, the model cannot be converted, or a node cannot be run.
    """
    original = load_onnx(model, "emulating a precision")
    converted = load_onnx(convert_model(model, options, recorder), "emulating a precision")
    if not holds_half(converted):
        raise TrtlensError(f"{model} holds no FP32 weights, so nothing of it becomes {precision}: give a model in FP32")
    recorder.note(NOTE)
    infer_types(converted)
    writer = DumpWriter(recorder.folder)
    add_inputs(writer, feeds.arrays)
    run = _Emulation(converted, feeds.widened(), precision)
    ends = {info.name for info in converted.graph.output}
    for name, node, outputs in run.steps():
        for tensor, (values, dtype) in outputs.items():
            if plan.wants(tensor):
                _add(writer, tensor, values, Origin("output" if tensor in ends else "inner", name, node.op_type), dtype)
        add_hidden(writer, converted, {tensor: values for tensor, (values, _) in outputs.items()})
    add_weights(writer, original)
    writer.finish(
        source="emulated",
        label=f"emulated {precision}: ONNX Runtime on the CPU, every output rounded to {precision}",
        precision=precision,
        nodes=described_nodes(converted),
        inputs_sha256=feeds.sha256(),
    )


def _add(writer: DumpWriter, tensor: str, values: Any, origin: Origin, dtype: str | None) -> None:
    """Write a tensor in the type that it has in the converted model."""
    if not isinstance(values, np.ndarray):
        writer.skip(tensor, f"it is no tensor but a {type(values).__name__}", origin)
    else:
        writer.add(tensor, values if dtype is None else encode(dtype, values), origin)


@dataclass(slots=True)
class _Emulation:
    """The values of a running model, half-precision ones as FP32 that are rounded; each is dropped after its last use."""

    proto: Any
    values: dict[str, Any]
    precision: str
    _types: dict[str, int] = field(default_factory=dict)
    _uses: Counter[str] = field(default_factory=Counter)
    _weights: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        graph = self.proto.graph
        infos = (*graph.value_info, *graph.input, *graph.output)
        self._types = {info.name: info.type.tensor_type.elem_type for info in infos}
        self._types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        for _, node in named_nodes(self.proto):
            self._uses.update(read_names(node))

    def steps(self) -> Iterator[tuple[str, Any, dict[str, tuple[Any, str | None]]]]:
        """Run every node in turn: its name, the node, and its outputs with the half type that they have, or None."""
        for name, node in executable_order(self.proto):
            outputs = self._run(name, node)
            yield name, node, outputs
            self.values |= {tensor: values for tensor, (values, _) in outputs.items() if self._uses[tensor]}
            self._release(node)

    def _release(self, node: Any) -> None:
        for tensor in read_names(node):
            self._uses[tensor] -= 1
            if not self._uses[tensor]:
                self.values.pop(tensor, None)

    def _run(self, name: str, node: Any) -> dict[str, tuple[Any, str | None]]:
        inputs = {tensor: self._value(tensor, name) for tensor in sorted(read_names(node))}
        single = _single_node_model(self.proto, node, inputs)
        try:
            computed = CpuModel(single)(inputs)
        except TrtlensError as error:
            raise TrtlensError(f"node {name} ({node.op_type}) cannot be emulated: {error.message}") from error
        return {tensor: self._rounded(tensor, values, node) for tensor, values in computed.items()}

    def _value(self, tensor: str, reader: str) -> Any:
        if tensor in self.values:
            return self.values[tensor]
        if tensor not in self._weights:
            raise TrtlensError(
                f"node {reader} reads {tensor!r}, which nothing makes: check the model with onnx.checker"
            )
        values = weight_values(self._weights[tensor])
        return values.astype(np.float32) if self._types.get(tensor) in HALF_TYPES else values

    def _rounded(self, tensor: str, values: Any, node: Any) -> tuple[Any, str | None]:
        if not isinstance(values, np.ndarray) or values.dtype != np.float32:
            return values, None
        half = self._half_type(tensor, node)
        return (values, None) if half is None else (encode(half, values).astype(np.float32), half)

    def _half_type(self, tensor: str, node: Any) -> str | None:
        """The half type of an output: the inferred one, else, of an operator that onnx does not know, an input's."""
        known = self._types.get(tensor)
        if known:
            return HALF_TYPES.get(known)
        half = next((self._types[name] for name in node.input if self._types.get(name) in HALF_TYPES), 0)
        self._types[tensor] = half
        return HALF_TYPES.get(half)


def _single_node_model(proto: Any, node: Any, inputs: Mapping[str, NDArray[Any]]) -> Any:
    """A model of this one node, in FP32, that takes everything it reads as an input."""
    onnx = require_onnx("emulating a precision")
    odd = next((name for name, value in inputs.items() if not isinstance(value, np.ndarray)), None)
    if odd is not None:
        raise TrtlensError(f"node {node.name} ({node.op_type}) reads {odd!r}, a sequence, which cannot be emulated")
    widened = copy(node)
    widen_node(widened)
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), None)
        for name, value in inputs.items()
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
    graph = onnx.helper.make_graph([widened], "node", ends, outputs)
    model = onnx.helper.make_model(graph, opset_imports=proto.opset_import, functions=proto.functions)
    model.ir_version = proto.ir_version
    return model

"""The reference: ONNX Runtime in FP32 on the CPU, with every tensor between the nodes kept.

Half-precision models are widened and Q/DQ pairs are passed over, so the reference is the float model whatever the given
one is. Tensors are taken in groups that fit a limit of memory, one run of the model for each group. Tensors inside of
If, Loop and Scan are not reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.accuracy.dumps import DumpWriter, Origin
from trtlens.accuracy.metrics import ranges_of
from trtlens.capture.models.hidden import hidden_ranges
from trtlens.capture.models.model import is_large, load_onnx
from trtlens.capture.models.onnx_graphs import (
    HALF_TYPES,
    described_nodes,
    estimated_bytes,
    holds_half,
    inner_tensors,
    named_nodes,
    weight_values,
    widened,
    with_outputs,
    without_quantization,
)
from trtlens.capture.models.onnxruntime_session import CpuModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from trtlens.capture.models.onnx_inputs import Feeds
    from trtlens.capture.recorder import Recorder
    from trtlens.layer_patterns import LayerPattern

UNKNOWN_BYTES = 64 << 20
"""What a tensor is taken to hold where its shape cannot be inferred."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is dumped: the patterns that a tensor's name may fit (none for all), and the memory that may be used."""

    patterns: tuple[LayerPattern, ...] = ()
    max_memory_bytes: int = 4 << 30

    def wants(self, tensor: str) -> bool:
        """Whether the tensor was asked for."""
        return not self.patterns or any(pattern.fits(tensor) for pattern in self.patterns)


def dump_reference(
    model: Path, feeds: Feeds, plan: Plan, recorder: Recorder, *, keep_quantization: bool = False
) -> None:
    """Run the model in FP32 and fill the run with its tensors and its index.

    With `keep_quantization` Q/DQ pairs do what they say: that is INT8 emulated, no reference. Raises TrtlensError where
    a package is missing, or ONNX Runtime does not load or run the model.
    """
    full = load_onnx(model, "dumping a reference")
    # what protobuf cannot hold in one message leaves its weights beside the model, where ONNX Runtime looks for them
    proto = load_onnx(model, "dumping a reference", weights=False) if is_large(full) else full
    if holds_half(proto):
        proto = widened(full)
        recorder.note("the model holds FP16 or BF16, which the run widened to FP32")
    given = proto
    proto, pairs = (proto, 0) if keep_quantization else without_quantization(proto)
    if keep_quantization:
        recorder.note("emulated on the CPU: the model's Q/DQ pairs act as they stand, everything else is FP32")
    if pairs:
        recorder.note(f"{pairs} Q/DQ pairs were passed over: the reference is the float model")
    arrays = feeds.widened()
    writer = DumpWriter(recorder.folder)
    add_inputs(writer, arrays)
    add_hidden(writer, proto, arrays)
    for group in groups(proto, arrays, plan):
        values = CpuModel(with_outputs(proto, group), model.parent)(arrays)
        add_outputs(writer, given, values, group)
        add_hidden(writer, proto, values)
    add_weights(writer, full)
    label = "emulated int8: the model's Q/DQ pairs in ONNX Runtime on the CPU" if keep_quantization else (
        "reference: ONNX Runtime in FP32 on the CPU"
    )  # fmt: skip
    writer.finish(
        source="emulated" if keep_quantization else "onnxruntime",
        label=label,
        precision="int8" if keep_quantization else "fp32",
        nodes=described_nodes(given),
        inputs_sha256=feeds.sha256(),
    )


def add_inputs(writer: DumpWriter, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Add what the model was fed."""
    for name, array in arrays.items():
        writer.add(name, array, Origin("input"))


def groups(proto: Any, arrays: Mapping[str, NDArray[Any]], plan: Plan) -> Iterator[list[str]]:
    """Names of tensors that fit the memory together, in graph order; a tensor that alone exceeds it goes alone."""
    sizes = estimated_bytes(proto, arrays, UNKNOWN_BYTES)
    group: list[str] = []
    held = 0
    for tensor, _, _ in inner_tensors(proto):
        if not plan.wants(tensor):
            continue
        size = sizes.get(tensor, UNKNOWN_BYTES)
        if group and held + size > plan.max_memory_bytes:
            yield group
            group, held = [], 0
        group.append(tensor)
        held += size
    if group:
        yield group


def add_outputs(writer: DumpWriter, proto: Any, values: Mapping[str, Any], names: Sequence[str]) -> None:
    """Add the tensors of one group, each with the node that made it."""
    makers = {tensor: (name, node.op_type) for tensor, name, node in inner_tensors(proto)}
    ends = {info.name for info in proto.graph.output}
    for tensor in names:
        origin = Origin("output" if tensor in ends else "inner", *makers[tensor])
        value = values[tensor]
        if isinstance(value, np.ndarray):
            writer.add(tensor, value, origin)
        else:
            writer.skip(tensor, f"it is no tensor but a {type(value).__name__}", origin)


def add_weights(writer: DumpWriter, proto: Any) -> None:
    """Describe the floating weights, those in Constant nodes too, by the ranges of their values."""
    for name, tensor in _weights(proto):
        values = weight_values(tensor)
        if tensor.data_type in HALF_TYPES:
            values = values.astype(np.float32)
        if values.dtype.kind == "f":
            flat = values.reshape(-1)
            chunks = (flat[start : start + (1 << 20)] for start in range(0, flat.size, 1 << 20))
            writer.describe(name, ranges_of(chunks), values.shape, "fp32", Origin("weight"))


def _weights(proto: Any) -> Iterator[tuple[str, Any]]:
    yield from ((tensor.name, tensor) for tensor in proto.graph.initializer)
    for node in proto.graph.node:
        if node.op_type == "Constant":
            yield from ((node.output[0], attribute.t) for attribute in node.attribute if attribute.name == "value")


def add_hidden(writer: DumpWriter, proto: Any, values: Mapping[str, Any]) -> None:
    """Describe what normalisations compute inside, of those whose input is among these values."""
    for name, node in named_nodes(proto):
        source = values.get(node.input[0]) if node.input else None
        if isinstance(source, np.ndarray):
            for what, shape, ranges in hidden_ranges(node, source):
                writer.describe(f"{name}: {what}", ranges, shape, "fp32", Origin("hidden", name, node.op_type))

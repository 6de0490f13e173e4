"""Which nodes must stay in FP32 because FP16 does not hold their values, and what would let them go down.

What `trtlens overflow` says of a reference dump, without writing one: every tensor of some inputs is looked at in FP32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.accuracy.metrics import ranges_of
from trtlens.accuracy.overflow import find_overflow, make_model
from trtlens.capture.dumping.reference import CpuModel, grouped, hidden_ranges
from trtlens.capture.models.model import is_large, require_onnx
from trtlens.capture.models.onnx_graphs import described_nodes, estimated_bytes, weight_values, with_outputs
from trtlens.quantities import number
from trtlens_parsers.dump_index import DumpedTensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from trtlens.accuracy.overflow import Finding
    from trtlens.capture.planning.typed_reading import TypedModel
    from trtlens_parsers.dump_index import TensorRanges

_MOST_SAMPLES = 4
_MEMORY = 256 << 20
_UNKNOWN = 16 << 20
_SMALL = 1 << 10
_WORDS = {
    "overflow": "exceeds FP16's 65504",
    "flushed": "is flushed to zero in FP16",
    "subnormal": "loses its bits in FP16",
}
_WHOSE = {"weight": "its weight", "hidden": "what it sums inside", "sum": "the sum inside", "tensor": "its output"}


@dataclass(frozen=True, slots=True)
class Ranges:
    """Shapes of all tensors, nodes that stay in FP32 with why and what helps, and tensors that FP16 cannot hold."""

    shapes: Mapping[str, tuple[int, ...]]
    forbidden: Mapping[str, tuple[str, str | None]]
    unfit: frozenset[str]


def read_ranges(model: TypedModel, samples: Sequence[Mapping[str, NDArray[Any]]], low_type: str) -> Ranges:
    """Run the model on a few inputs and hold every range against the reduced type; BF16 holds what FP32 does.

    Raises:
        TrtlensError: ONNX Runtime cannot run the model.

    """
    proto, weights = _lightened(model.proto) if is_large(model.proto) else (model.proto, {})
    readers = {node.input[0]: node for node in proto.graph.node if node.input}
    wanted = [name for node in proto.graph.node for name in node.output if name and name in model.types]
    sizes = estimated_bytes(proto, samples[0], _UNKNOWN)
    shapes = {name: tuple(array.shape) for name, array in samples[0].items()}
    rows = [*_weights(model)] if low_type == "fp16" else []
    for names in grouped(wanted, lambda name: sizes.get(name, _UNKNOWN), _MEMORY):
        session = CpuModel(with_outputs(proto, names))
        runs = [session({**sample, **weights}) for sample in samples[:_MOST_SAMPLES]]
        for name in names:
            arrays = [run[name] for run in runs if isinstance(run[name], np.ndarray)]
            shapes |= {name: arrays[0].shape} if arrays else {}
            if arrays and model.is_float(name) and low_type == "fp16":
                maker = model.makers[name]
                ranges = ranges_of(array.reshape(-1) for array in arrays)
                rows.append(_row(name, "inner", arrays[0].shape, (maker.name, maker.op_type), ranges, len(arrays)))
                rows += _hidden(readers.get(name), arrays)
    found = find_overflow(rows, make_model(rows, described_nodes(proto)))
    return Ranges(
        shapes, _forbidden(found), frozenset(one.tensor for one in found if one.kind == "tensor" and one.harmful)
    )


def _lightened(proto: Any) -> tuple[Any, dict[str, NDArray[Any]]]:
    """The model with its weights as inputs, which no message of 2 GiB has to hold, and their values."""
    onnx = require_onnx("running a model")
    light = type(proto)()
    light.CopyFrom(proto)
    large = [tensor for tensor in proto.graph.initializer if len(tensor.raw_data) > _SMALL]
    weights = {tensor.name: weight_values(tensor) for tensor in large}
    kept = [tensor for tensor in proto.graph.initializer if tensor.name not in weights]
    inputs = [info for info in proto.graph.input if info.name not in weights]
    del light.graph.initializer[:], light.graph.input[:]
    light.graph.initializer.extend(kept)
    light.graph.input.extend(inputs)
    light.graph.input.extend(onnx.helper.make_tensor_value_info(one.name, one.data_type, one.dims) for one in large)
    return light, weights


def _row(
    name: str,
    role: str,
    shape: tuple[int, ...],
    maker: tuple[str | None, str | None],
    ranges: TensorRanges,
    count: int = 1,
) -> DumpedTensor:
    """A tensor as an index of a dump has it, of several inputs as if they were one batch."""
    return DumpedTensor(name, role, "fp32", (count, *shape), None, None, *maker, ranges)


def _weights(model: TypedModel) -> Iterator[DumpedTensor]:
    for name, tensor in model.weights.items():
        if model.is_float(name):
            values = weight_values(tensor)
            yield _row(name, "weight", values.shape, (None, None), ranges_of([values.reshape(-1)]))


def _hidden(node: Any, arrays: Sequence[NDArray[Any]]) -> Iterator[DumpedTensor]:
    """What a normalisation computes inside, of the input where it is largest."""
    found = [list(hidden_ranges(node, array)) for array in arrays] if node is not None else []
    largest = max((one for one in found if one), key=lambda one: one[-1][2].largest or 0.0, default=[])
    for what, shape, ranges in largest:
        yield _row(f"{node.name} ({what})", "hidden", shape, (node.name, node.op_type), ranges)


def _forbidden(found: Sequence[Finding]) -> dict[str, tuple[str, str | None]]:
    """By node: the first harmful range that it makes, reads as a weight, or passes through inside."""
    nodes: dict[str, tuple[str, str | None]] = {}
    for one in found:
        if one.harmful and one.node is not None:
            reason = f"{_WHOSE.get(one.kind, 'its output')} {one.tensor} {_WORDS.get(one.state, one.state)} (up to {number(one.largest)})"
            nodes.setdefault(one.node, (reason, one.advice if one.scale is not None else None))
    return nodes

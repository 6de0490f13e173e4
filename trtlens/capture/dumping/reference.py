"""The reference: ONNX Runtime in FP32 on the CPU, with every tensor between the nodes kept.

Half-precision models are widened and Q/DQ pairs are passed over, so the reference is the float model whatever the given
one is. No graph optimisation runs (ONNX Runtime 1.17 and later), so every tensor is what its operator says. Tensors are
taken in groups that fit a limit of memory, one run of the model for each group; those inside of If, Loop and Scan are
not reached.

LayerNormalization (operator set 17), RMSNormalization (23) and their kin square and sum inside of one operator, which may
overflow in FP16; spelled out in Pow, ReduceMean and Sqrt these values are tensors. The dump describes them as hidden.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from trtlens.accuracy.dumps import DumpWriter, Origin
from trtlens.accuracy.metrics import ranges_of
from trtlens.capture.models.model import is_large, load_onnx, one_line
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
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from trtlens.capture.models.onnx_inputs import Feeds
    from trtlens.capture.recorder import Recorder
    from trtlens.layer_patterns import LayerPattern
    from trtlens_parsers.dump_index import TensorRanges

_Item = TypeVar("_Item")

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
    """Names of tensors that fit the memory together, in graph order."""
    sizes = estimated_bytes(proto, arrays, UNKNOWN_BYTES)
    wanted = [tensor for tensor, _, _ in inner_tensors(proto) if plan.wants(tensor)]
    return grouped(wanted, lambda tensor: sizes.get(tensor, UNKNOWN_BYTES), plan.max_memory_bytes)


def grouped(items: Iterable[_Item], size_bytes: Callable[[_Item], int], most_bytes: int) -> Iterator[list[_Item]]:
    """Items that fit the memory together, in order; one that exceeds it is a group of its own."""
    group: list[_Item] = []
    held = 0
    for item in items:
        size = size_bytes(item)
        if group and held + size > most_bytes:
            yield group
            group, held = [], 0
        group.append(item)
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


# -- ONNX Runtime ------------------------------------------------------------------------------------------------------


_FATAL = 4
_SPINNING_KEY = "session.intra_op.allow_spinning"
_FOLDER_KEY = "session.model_external_initializers_file_folder_path"


def require_onnxruntime(purpose: str) -> Any:
    """The `onnxruntime` package; raises TrtlensError, with what it was needed for, where it is not there."""
    try:
        import onnxruntime  # noqa: PLC0415  reading a log needs none of it
    except ImportError as error:
        raise TrtlensError(
            f"{purpose} needs ONNX Runtime: `pip install onnxruntime` (or `pip install 'trtlens[onnxruntime]'`)"
        ) from error
    return onnxruntime


def available_cores() -> int:
    """Cores that this process may use, which a container or `taskset` can make fewer than the machine has."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


class CpuModel:
    """A model loaded for the CPU; calling it runs it once.

    `folder` is where its external weights lie; `threads` work on one run, by default one for each core. Raises
    TrtlensError where ONNX Runtime refuses the model.
    """

    def __init__(self, proto: Any, folder: Path | None = None, *, threads: int | None = None) -> None:
        runtime = require_onnxruntime("running a model")
        options = runtime.SessionOptions()
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = (
            threads or available_cores()
        )  # by itself it starts one for each core of the machine
        options.log_severity_level = _FATAL  # what it refuses it also raises
        options.add_session_config_entry(
            _SPINNING_KEY, "0"
        )  # between two of hundreds of small models it would burn time
        if folder is not None:
            options.add_session_config_entry(_FOLDER_KEY, str(folder))
        try:
            self._session = runtime.InferenceSession(
                proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its own classes, all derived from Exception, and protobuf's at 2 GiB
            raise TrtlensError(
                f"ONNX Runtime cannot load the model ({one_line(error)}): check it with onnx.checker"
            ) from error
        self.outputs: tuple[str, ...] = tuple(output.name for output in self._session.get_outputs())

    def __call__(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        """Outputs by name: arrays, but for sequences and optionals; raises TrtlensError where an operator fails."""
        return self._ran(lambda: self._session.run(None, dict(feeds)))

    def run_held(self, held: Mapping[str, Any]) -> dict[str, Any]:
        """The same for inputs that `hold` made, which are not copied again."""
        return self._ran(lambda: [value.numpy() for value in self._session.run_with_ort_values(None, dict(held))])

    def _ran(self, run: Callable[[], list[Any]]) -> dict[str, Any]:
        try:
            return dict(zip(self.outputs, run(), strict=True))
        except Exception as error:
            raise TrtlensError(
                f"ONNX Runtime cannot run the model ({one_line(error)}): check the inputs' shapes and values"
            ) from error


def hold(values: NDArray[Any]) -> Any:
    """An input as ONNX Runtime keeps it, copied once for all runs."""
    return require_onnxruntime("running a model").OrtValue.ortvalue_from_numpy(np.ascontiguousarray(values))


# -- values inside of normalisations -----------------------------------------------------------------------------------


SQUARES, SUM = "squares", "sum of squares"


def hidden_ranges(node: Any, values: NDArray[Any]) -> Iterator[tuple[str, tuple[int, ...], TensorRanges]]:
    """Name, shape and ranges of what this node computes inside from its first input; nothing for other operators."""
    rows_of = _ROWS.get(node.op_type)
    if rows_of is None or values.dtype.kind != "f" or not values.size:
        return
    rows = rows_of(node, values.astype(np.float64))
    if rows is None:
        return
    with np.errstate(all="ignore"):
        squares = np.square(rows, out=rows)
        sums = squares.sum(axis=1)
    yield SQUARES, values.shape, ranges_of([squares.reshape(-1)])
    yield SUM, sums.shape, ranges_of([sums])


def _centred(node: Any, values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Rows of a LayerNormalization, less their means."""
    rows = _plain(node, values)
    return None if rows is None else rows - rows.mean(axis=1, keepdims=True)


def _plain(node: Any, values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Rows over the last dimensions, from the axis on."""
    axis = _attribute(node, "axis", -1)
    if not -values.ndim <= axis < values.ndim:
        return None
    outer = int(np.prod(values.shape[: axis % values.ndim], dtype=np.int64))
    return values.reshape(outer, -1)


def _channels(_node: Any, values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Rows of an InstanceNormalization, one for each channel of each sample, less their means."""
    if values.ndim < 3:
        return None
    rows = values.reshape(values.shape[0] * values.shape[1], -1)
    return rows - rows.mean(axis=1, keepdims=True)


def _along(node: Any, values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Rows along the one axis of an LpNormalization with the Euclidean norm."""
    axis = _attribute(node, "axis", -1)
    if _attribute(node, "p", 2) != 2 or not -values.ndim <= axis < values.ndim:
        return None
    moved = np.moveaxis(values, axis, -1)
    return moved.reshape(-1, moved.shape[-1]).copy()


def _attribute(node: Any, name: str, default: int) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == name), default)


_ROWS: dict[str, Callable[[Any, NDArray[np.float64]], NDArray[np.float64] | None]] = {
    "LayerNormalization": _centred,
    "RMSNormalization": _plain,
    "SimplifiedLayerNormalization": _plain,
    "InstanceNormalization": _channels,
    "LpNormalization": _along,
}

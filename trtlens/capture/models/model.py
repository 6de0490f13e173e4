"""What a model file says of itself before TensorRT reads it: engine or ONNX, its hash, its nodes and their types.

An ONNX file is one protobuf message, so it ends at 2 GiB; larger models keep their weights in external files, which are
named inside the message relative to it. Reading the nodes needs the `onnx` package, hashing does not.

Code that rewrites models takes a valid one for granted: on a broken one (a node with inputs that its operator does not have,
weights shorter than their shape) it, onnx and onnxconverter-common raise anything. `model_errors` asks onnx's checker.
"""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtlens.errors import TrtlensError
from trtlens.layer_patterns import read_pattern
from trtlens.runs.sources import hash_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ENGINE_SUFFIXES = (".engine", ".plan", ".trt")
_PLAN_MAGIC = (b"ftrt", b"ptrt")
_PROTOBUF_LIMIT_BYTES = (1 << 31) - 1
_INLINE_LIMIT_BYTES = 1_800_000_000
_QUANTIZATION = ("QuantizeLinear", "DequantizeLinear")


def is_engine(model: Path) -> bool:
    """Whether that file is a serialized engine rather than an ONNX model: by its name, else by its first bytes."""
    if model.suffix.lower() in ENGINE_SUFFIXES:
        return True
    with model.open("rb") as file:
        return file.read(4) in _PLAN_MAGIC


def check_model(model: Path) -> None:
    """Raise TrtlensError where the model is not there, is empty, or is larger than an ONNX file can be."""
    if not model.is_file():
        raise TrtlensError(f"{model} is not a file: give an ONNX model or a serialized engine")
    size = model.stat().st_size
    if size == 0:
        raise TrtlensError(f"{model} is empty: export the model again")
    if size > _PROTOBUF_LIMIT_BYTES and not is_engine(model):
        raise TrtlensError(
            f"{model} is {size} bytes, more than the 2 GiB that an ONNX file can hold: "
            "save it with its weights in an external file (onnx.save_model(..., save_as_external_data=True))"
        )


def identify_model(model: Path) -> dict[str, Any]:
    """The `model` entry of `run.json`: path, size, SHA-256, and those of external weight files.

    `external` is None where it is not known, because the `onnx` package is not there or cannot read the file; a hash in it is
    None where the file is not there, or lies outside of the model's folder and is left alone.
    """
    external: dict[str, str | None] | None = {}
    if not is_engine(model):
        external = _hash_external(model)
    return {
        "path": str(model.absolute()),
        "bytes": model.stat().st_size,
        "sha256": hash_file(model),
        "external": external,
    }


def hash_identity(identity: dict[str, Any]) -> str:
    """One hash for a model and all its external weights."""
    parts = [identity["sha256"], *(f"{name}:{value}" for name, value in sorted((identity["external"] or {}).items()))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def require_onnx(purpose: str) -> Any:
    """The `onnx` package; raises TrtlensError, with what it was needed for, where it is not installed."""
    try:
        import onnx  # noqa: PLC0415  building an FP32 engine does not need it
    except ImportError as error:
        raise TrtlensError(f"{purpose} needs the onnx package: `pip install onnx`") from error
    return onnx


def load_onnx(model: Path, purpose: str, *, weights: bool = True) -> Any:
    """The model as a ModelProto; raises TrtlensError where the file is no ONNX model or weights are missing."""
    onnx = require_onnx(purpose)
    try:
        proto = onnx.load(str(model), load_external_data=False)
        named = _locations(proto.graph) if weights else ()
        outside = next((name for name in named if _beside(model, name) is None), None)
        if weights and outside is None:
            onnx.load_external_data_for_model(proto, str(model.parent))
    except Exception as error:  # protobuf's own error class differs between its implementations
        raise TrtlensError(f"{model} is not an ONNX model that can be read ({error}): export it again") from error
    if not proto.graph.node:
        raise TrtlensError(f"{model} is not an ONNX model with any node: export it again")
    garbled = _garbled_name(proto.graph)
    if garbled is not None:
        raise TrtlensError(f"{model} holds a name that is no UTF-8 text ({garbled[:80]!r}): export it again")
    if outside is not None:
        raise TrtlensError(
            f"{model} names weights outside of its folder ({outside[:80]!r}): move them beside the model"
        )
    return proto


def _garbled_name(graph: Any) -> bytes | None:
    """The first name of the graph that protobuf could not decode, which it then hands out as bytes."""
    names = chain(
        chain.from_iterable((node.name, node.op_type, *node.input, *node.output) for node in graph.node),
        (one.name for group in (graph.input, graph.output, graph.value_info, graph.initializer) for one in group),
    )
    return next((name for name in names if isinstance(name, bytes)), None)


def operator_types(model: Path) -> dict[str, str]:
    """The operator type of each named node of the main graph."""
    proto = load_onnx(model, "choosing layers by operator type", weights=False)
    return {node.name: node.op_type for node in proto.graph.node if node.name}


def fed_inputs(proto: Any) -> list[Any]:
    """The inputs of the graph that have to be fed; weights may be listed there as well."""
    weights = {tensor.name for tensor in proto.graph.initializer}
    return [info for info in proto.graph.input if info.name not in weights]


def onnx_extents(info: Any) -> tuple[int, ...]:
    """The extents of an input, -1 where dynamic."""
    dims = info.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in dims)


def holds_qdq(proto: Any) -> bool:
    """Whether the main graph quantizes explicitly."""
    return any(node.op_type in _QUANTIZATION for node in proto.graph.node)


def nodes_fitting(proto: Any, patterns: Iterable[str]) -> set[str]:
    """The names of the nodes whose name or operator type fits; raises TrtlensError for a pattern that fits none."""
    found = set()
    for text in patterns:
        pattern = read_pattern(text)
        names = {node.name for node in proto.graph.node if pattern.fits(node.name) or pattern.fits(node.op_type)}
        if not names:
            raise TrtlensError(f"--layer-precision: no ONNX node fits {text!r}: give an ONNX node or operator type")
        found |= names
    return found


def weights(proto: Any) -> Iterator[Any]:
    """The weights and the tensors inside nodes of the main graph."""
    yield from proto.graph.initializer
    for node in proto.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t


def is_large(proto: Any) -> bool:
    """Whether the weights exceed protobuf's 2 GiB a message; counted, since serializing would fail."""
    return sum(len(tensor.raw_data) for tensor in proto.graph.initializer) > _INLINE_LIMIT_BYTES


def save_onnx(proto: Any, path: Path) -> None:
    """Write the model, with its weights in `<name>.data` beside it where they do not fit; neither is seen half written."""
    onnx = require_onnx("saving a model")
    external = is_large(proto)
    weights = f"{path.name}.data" if external else None
    with tempfile.TemporaryDirectory(prefix=".trtlens-", suffix=".tmp", dir=path.parent) as made:
        onnx.save_model(proto, str(Path(made, path.name)), save_as_external_data=external, location=weights)
        for name in filter(None, (weights, path.name)):
            Path(made, name).replace(path.with_name(name))


def _hash_external(model: Path) -> dict[str, str | None] | None:
    try:
        proto = load_onnx(model, "finding external weights", weights=False)
    except TrtlensError:
        return None
    return {name: _hash_beside(model, name) for name in sorted(set(_locations(proto.graph)))}


def _hash_beside(model: Path, name: str) -> str | None:
    path = _beside(model, name)
    try:
        return hash_file(path) if path is not None and path.is_file() else None
    except OSError:
        return None


def _beside(model: Path, name: str) -> Path | None:
    """The file that a model names for its weights, None where that lies outside of the model's folder."""
    try:
        path = (model.parent / name).resolve()
        return path if path.is_relative_to(model.parent.resolve()) else None
    except (OSError, ValueError, RuntimeError):  # a name too long, with a NUL, of links in a circle
        return None


def _locations(graph: Any) -> Iterator[str]:
    """The external files that weights name, and tensors inside nodes and inside their graphs."""
    for tensor in graph.initializer:
        yield from _location(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            for tensor in (attribute.t, *attribute.tensors):
                yield from _location(tensor)
            for inner in (attribute.g, *attribute.graphs):
                yield from _locations(inner)


def _location(tensor: Any) -> Iterator[str]:
    return (entry.value for entry in tensor.external_data if entry.key == "location")


# -- faults of models --------------------------------------------------------------------------------------------------


_LONGEST = 300


@contextmanager
def model_errors(model: Path, purpose: str) -> Iterator[None]:
    """Turn what a broken model makes the block raise into one error that names the model; `purpose` is what was tried.

    Raises:
        TrtlensError: the checker refuses the model; what the block raises for a valid model passes on.

    """
    try:
        yield
    except TrtlensError:
        raise
    except Exception as error:
        fault = model_fault(model)
        if fault is None:
            raise
        raise TrtlensError(
            f"{model} is no valid ONNX model, and {purpose} failed ({fault}): export it again"
        ) from error


def model_fault(model: Path) -> str | None:
    """What is wrong with a model file by onnx's checker and by reading its weights; None where all pass."""
    onnx = require_onnx("checking a model")
    try:
        onnx.checker.check_model(str(model), full_check=True)
        for tensor in weights(onnx.load(str(model), load_external_data=False)):
            if not tensor.external_data:
                onnx.numpy_helper.to_array(tensor)  # the checker passes more values than the shape takes
    except Exception as error:  # noqa: BLE001  ValidationError, InferenceError, ValueError, RuntimeError and protobuf's
        return one_line(error)
    return None


def one_line(error: Exception) -> str:
    """The text of an error in one line of bounded length, its class where it has none."""
    return " ".join(str(error).split())[:_LONGEST] or type(error).__name__

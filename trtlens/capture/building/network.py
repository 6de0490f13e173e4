"""From an ONNX file to a TensorRT network: creation flags, parsing, plugins, and the formats of inputs and outputs.

EXPLICIT_BATCH is required by 8.x, ignored by 10.x and gone in 11.0; STRONGLY_TYPED came with 9.1 and is all there is in
11.0 and TensorRT-RTX. Models are always read by path, so that weights in external files are found.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from trtlens.capture.building.settings import configure_parser
from trtlens.errors import CaptureError, TrtlensError
from trtlens_parsers.data_types import DATA_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.build_options import BuildOptions, IoFormat

_TENSOR_FORMATS = {"chw": "LINEAR"}


def data_type(backend: Backend, name: str) -> Any:
    """The library's DataType for a name such as `fp16`; raises TrtlensError where this release has none."""
    found = backend.find(f"DataType.{DATA_TYPES[name].api}")
    if found is None:
        raise TrtlensError(
            f"{backend.name} {backend.version_text} has no type {name}: leave it out or use a newer release"
        )
    return found


def create_network(backend: Backend, builder: Any, *, strongly_typed: bool) -> Any:
    """An empty network with the creation flags that this release knows."""
    wanted = ["EXPLICIT_BATCH"]
    if strongly_typed:
        wanted.append("STRONGLY_TYPED")
    flags = [backend.find(f"NetworkDefinitionCreationFlag.{name}") for name in wanted]
    return builder.create_network(sum(1 << int(flag) for flag in flags if flag is not None))


def parse_onnx(backend: Backend, network: Any, logger: Any, model: Path, options: BuildOptions) -> None:
    """Fill the network from a model file; raises CaptureError with what the parser could not read."""
    parser = backend.trt.OnnxParser(network, logger)
    configure_parser(backend, parser, options)
    if parser.parse_from_file(str(model)):
        return
    errors = [_describe(parser.get_error(index)) for index in range(parser.num_errors)]
    reasons = "; ".join(errors) or "no reason given"
    raise CaptureError(f"{backend.name} {backend.version_text} cannot read {model}: {reasons}")


def _describe(error: Any) -> str:
    """One parser error, with its node where the release names it (10.0 and later)."""
    node = error.node_name() if hasattr(error, "node_name") else ""
    operator = error.node_operator() if hasattr(error, "node_operator") else ""
    where = f"node {node} [{operator}]: " if node or operator else f"node {error.node()}: " if error.node() >= 0 else ""
    return f"{where}{error.desc()}"


def load_plugins(backend: Backend, owner: Any, logger: Any, plugins: Sequence[Path]) -> None:
    """Register the library's own plugins and those of the user; `owner` is the builder or the runtime.

    Raises CaptureError where a library of the user does not load.
    """
    register = backend.find("init_libnvinfer_plugins")
    if register is not None and not backend.is_rtx:
        register(logger, "")
    for plugin in plugins:
        try:
            if owner.get_plugin_registry().load_library(str(plugin)) is None:
                # Libraries made before 8.6 register themselves as they are loaded, and export no creators.
                ctypes.CDLL(str(plugin))
        except (OSError, RuntimeError) as error:  # noqa: PERF203  the message names the library
            raise CaptureError(
                f"plugin library {plugin} does not load ({error}): check its path and TensorRT"
            ) from error


def network_inputs(network: Any) -> Iterator[Any]:
    """The input tensors, in network order."""
    return (network.get_input(index) for index in range(network.num_inputs))


def network_outputs(network: Any) -> Iterator[Any]:
    """The output tensors, in network order."""
    return (network.get_output(index) for index in range(network.num_outputs))


def network_layers(network: Any) -> Iterator[Any]:
    """The layers, in network order."""
    return (network.get_layer(index) for index in range(network.num_layers))


def holds_quantization(backend: Backend, network: Any) -> bool:
    """Whether the model brings its own Q/DQ layers, so that INT8 needs no calibration."""
    kinds = [backend.find(f"LayerType.{name}") for name in ("QUANTIZE", "DEQUANTIZE")]
    return any(layer.type in kinds for layer in network_layers(network))


def set_io_formats(backend: Backend, network: Any, inputs: Sequence[IoFormat], outputs: Sequence[IoFormat]) -> None:
    """Give inputs and outputs the types and layouts that were asked for, one for each or one for all.

    Raises TrtlensError where the numbers do not match, or a strongly typed network has another type there.
    """
    for side, tensors, formats in (
        ("input", list(network_inputs(network)), inputs),
        ("output", list(network_outputs(network)), outputs),
    ):
        if formats and len(formats) not in (1, len(tensors)):
            raise TrtlensError(
                f"--{side}IOFormats names {len(formats)} formats and the network has {len(tensors)} {side}s: "
                "give one for each, or one for all"
            )
        each = list(formats) * len(tensors) if len(formats) == 1 else formats
        for tensor, wanted in zip(tensors, each, strict=bool(formats)):
            _set_format(backend, network, tensor, wanted)


def _set_format(backend: Backend, network: Any, tensor: Any, wanted: IoFormat) -> None:
    if wanted.precision is not None:
        _set_type(backend, network, tensor, wanted.precision)
    names = [_TENSOR_FORMATS.get(layout, layout.upper()) for layout in wanted.layouts]
    tensor.allowed_formats = sum(1 << int(getattr(backend.trt.TensorFormat, name)) for name in names)


def _set_type(backend: Backend, network: Any, tensor: Any, precision: str) -> None:
    kind = data_type(backend, precision)
    if tensor.dtype == kind:
        return
    if is_strongly_typed(backend, network):
        raise TrtlensError(
            f"{tensor.name} is {tensor.dtype} in a strongly typed network and cannot be made {precision}: "
            "convert the model, or leave the format out"
        )
    tensor.dtype = kind


def is_strongly_typed(backend: Backend, network: Any) -> bool:
    """Whether the types of this network are those of the model, as everywhere that precision flags are gone."""
    flag = backend.find("NetworkDefinitionCreationFlag.STRONGLY_TYPED")
    return not backend.has_precision_flags or (flag is not None and bool(network.get_flag(flag)))

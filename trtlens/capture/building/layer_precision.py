"""Which precision reaches the builder how: by flag, by layer constraint, or by converting the model.

8.6 and 10.x take precision flags on a weakly typed network (deprecated since 10.12); 11.0 and TensorRT-RTX know only
strong typing, where the types of the model decide. Constraints on layers exist where the flags do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.capture.building.network import data_type, holds_quantization, is_strongly_typed, network_layers
from trtlens.errors import TrtlensError
from trtlens.layer_patterns import glob, listed, lookup, read_pattern
from trtlens.plan.document import read_plan

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.build_options import BuildOptions

_ONNX_MARK = "[ONNX Layer: "
_DUMMY_INPUT_RANGE = 2.0
_DUMMY_OUTPUT_RANGE = 4.0


@dataclass(frozen=True, slots=True)
class Int8Plan:
    """How a weakly typed network gets INT8 ranges: `qdq`, `calibration`, `dummy`, or `none` with a note why."""

    source: str
    note: str | None


def converts_model(backend: Backend, options: BuildOptions) -> bool:
    """Whether reduced precision has to be written into the model itself."""
    return options.strongly_typed or not backend.has_precision_flags


def check_strong_typing(backend: Backend, options: BuildOptions) -> None:
    """Raise TrtlensError for constraints that a strongly typed network cannot take."""
    if not converts_model(backend, options):
        return
    if options.layer_precisions or options.layer_output_types or options.precision_constraints not in (None, "none"):
        raise TrtlensError(
            "a strongly typed network takes no --layerPrecisions, --layerOutputTypes or --precisionConstraints: "
            "use --layer-precision 'NAME=fp32' to keep layers out of the conversion"
        )
    if options.int4:
        raise TrtlensError(
            "--int4: here the model itself has to hold INT4 weights; quantize it, and leave the flag out"
        )
    if options.fp16 and options.bf16:
        raise TrtlensError("a strongly typed model is converted to one floating type: choose --fp16 or --bf16")
    for pattern, precision in options.layer_precision.items():
        if precision != "fp32":
            raise TrtlensError(
                f"--layer-precision {pattern}={precision}: a strongly typed model can only keep layers in fp32 "
                "out of the conversion"
            )


def plan_int8(backend: Backend, network: Any, options: BuildOptions) -> Int8Plan:
    """Choose where INT8 ranges come from; raises TrtlensError where `--int8` has no source at all."""
    if holds_quantization(backend, network):
        ignored = options.calibration_data or options.calib
        note = f"the model holds Q/DQ layers, so the calibration {ignored} was not used" if ignored else None
        return Int8Plan("qdq", note)
    if options.calibration_data is not None or options.calib is not None:
        return Int8Plan("calibration", None)
    if options.int8_ranges == "dummy":
        return Int8Plan("dummy", "INT8 ranges are made up: times are real, outputs are not, so compare no accuracy")
    if options.int8:
        raise TrtlensError(
            "--int8 needs ranges: give calibration data (npz, or a folder of npy files), a cache (--calib), "
            "a model with Q/DQ layers, or --int8-ranges dummy to time alone"
        )
    return Int8Plan("none", "--best left INT8 out: there is neither calibration nor Q/DQ; --int8-ranges dummy times it")


def set_precision_flags(backend: Backend, config: Any, options: BuildOptions, int8: Int8Plan | None) -> list[str]:
    """Set the builder's precision flags and return their names; `--best` sets those that this release has."""
    wanted = {
        "FP16": options.fp16 or options.best,
        "BF16": options.bf16 or (options.best and backend.has("BuilderFlag.BF16")),
        "FP8": options.fp8,
        "INT4": options.int4,
        "INT8": int8 is not None and int8.source != "none",
    }
    flags = [name for name, is_wanted in wanted.items() if is_wanted]
    for name in flags:
        config.set_flag(getattr(backend.trt.BuilderFlag, name))
    return flags


def set_dummy_ranges(backend: Backend, network: Any) -> None:
    """Give tensors without a range the one that trtexec makes up: 2 for inputs, 4 for outputs, 2 around pooling."""
    pooling = backend.trt.LayerType.POOLING
    for layer in network_layers(network):
        for index in range(layer.num_inputs):
            _set_range(layer.get_input(index), _DUMMY_INPUT_RANGE)
        limit = _DUMMY_INPUT_RANGE if layer.type == pooling else _DUMMY_OUTPUT_RANGE
        for index in range(layer.num_outputs):
            _set_range(layer.get_output(index), limit)


def _set_range(tensor: Any, limit: float) -> None:
    if tensor is not None and tensor.dynamic_range is None:
        tensor.set_dynamic_range(-limit, limit)


def apply_constraints(
    backend: Backend, network: Any, config: Any, options: BuildOptions, operators: Mapping[str, str]
) -> list[str]:
    """Constrain layers to the requested types; returns notes on what was done or could not be.

    `operators` is the operator type of each ONNX node, for `layer_precision` by type. Raises TrtlensError for a pattern
    that fits no layer.
    """
    mode = options.precision_constraints or ("obey" if options.layer_precision or options.plan else "none")
    asked = options.layer_precisions or options.layer_output_types or options.layer_precision or options.plan
    if is_strongly_typed(backend, network):
        return []  # fp32 by layer was honoured as the model was converted
    if mode == "none":
        return ["--layerPrecisions and --layerOutputTypes do nothing without --precisionConstraints"] if asked else []
    config.set_flag(getattr(backend.trt.BuilderFlag, f"{mode.upper()}_PRECISION_CONSTRAINTS"))
    layers = list(network_layers(network))
    notes = [_constrain_precisions(backend, layers, options.layer_precisions)]
    notes.append(_constrain_outputs(backend, layers, options.layer_output_types))
    notes += [_constrain_both(backend, layers, item, operators) for item in options.layer_precision.items()]
    notes.append("" if options.plan is None else _constrain_planned(backend, layers, options.plan))
    return [note for note in notes if note]


def _constrain_precisions(backend: Backend, layers: list[Any], wanted: Mapping[str, str]) -> str:
    """By exact name whatever the layer is, by pattern only layers that compute on floating tensors, as trtexec does."""
    held = 0
    for layer in layers:
        precision = lookup(wanted, layer.name)
        if precision is not None and (layer.name in wanted or _computes(backend, layer)):
            layer.precision = data_type(backend, precision)
            held += 1
    _check_used(wanted, layers)
    return f"{held} layers were given a precision by --layerPrecisions" if wanted else ""


def _constrain_outputs(backend: Backend, layers: list[Any], wanted: Mapping[str, tuple[str, ...]]) -> str:
    held = 0
    for layer in layers:
        types = lookup(wanted, layer.name)
        if types is None or not (layer.name in wanted or _computes(backend, layer)):
            continue
        if len(types) not in (1, layer.num_outputs):
            raise TrtlensError(f"--layerOutputTypes: {layer.name} has {layer.num_outputs} outputs, not {len(types)}")
        _set_output_types(backend, layer, types)
        held += 1
    _check_used(wanted, layers)
    return f"{held} layers were given output types by --layerOutputTypes" if wanted else ""


def _constrain_both(backend: Backend, layers: list[Any], item: tuple[str, str], operators: Mapping[str, str]) -> str:
    """Constrain both what a layer computes in and its outputs: FP32 inside an FP16 output would overflow all the same."""
    text, precision = item
    pattern = read_pattern(text)
    held = []
    for layer in layers:
        if any(pattern.fits(name) for name in layer_names(layer, operators)) and _computes(backend, layer):
            layer.precision = data_type(backend, precision)
            _set_output_types(backend, layer, (precision,))
            held.append(layer.name)
    if not held:
        raise TrtlensError(
            f"--layer-precision: no layer with floating tensors fits {text!r}: give an ONNX node or type"
        )
    return f"--layer-precision {text}={precision} holds {len(held)} layers: {listed(held)}"


def pinnable_nodes(backend: Backend, network: Any, nodes: Collection[str]) -> list[str]:
    """Those of the ONNX nodes that layers on floating tensors compute: what a constraint can hold to a precision."""
    layers = [layer for layer in network_layers(network) if _computes(backend, layer)]
    held = {name for layer in layers for name in layer_names(layer, {})}
    return [node for node in nodes if node in held]


def _constrain_planned(backend: Backend, layers: list[Any], path: Path) -> str:
    """Constrain the layers of the nodes that a plan keeps in FP32; the builder chooses among types for all others."""
    kept = set(read_plan(path).kept_nodes())
    held = [layer for layer in layers if not kept.isdisjoint(layer_names(layer, {})) and _computes(backend, layer)]
    for layer in held:
        layer.precision = data_type(backend, "fp32")
        _set_output_types(backend, layer, ("fp32",))
    if kept and not held:
        raise TrtlensError(
            f"{path} keeps {len(kept)} nodes in FP32, and no layer of the model holds one of them: plan this model"
        )
    return f"the plan {path.name} holds {len(held)} layers in FP32: {listed([layer.name for layer in held])}"


def layer_names(layer: Any, operators: Mapping[str, str]) -> Iterator[str]:
    """The names that a pattern may fit: the layer's own, its ONNX nodes', and their operator types.

    `metadata` holds `[ONNX Layer: name]` for each node from 8.6 on; the separator between them is 0x1e.
    """
    yield layer.name
    parts = (layer.metadata or "").split("\x1e")
    nodes = [part[len(_ONNX_MARK) : -1] for part in parts if part.startswith(_ONNX_MARK) and part.endswith("]")]
    for node in nodes or [layer.name]:
        yield node
        if node in operators:
            yield operators[node]


def _computes(backend: Backend, layer: Any) -> bool:
    """Whether the layer works on floating tensors, and not on shapes or constants of integers."""
    floating = [backend.find(f"DataType.{name}") for name in ("FLOAT", "HALF", "BF16", "INT8", "FP8")]
    inputs = [tensor for index in range(layer.num_inputs) if (tensor := layer.get_input(index)) is not None]
    outputs = [layer.get_output(index) for index in range(layer.num_outputs)]
    if inputs and inputs[0].is_shape_tensor:
        return False
    return any(tensor.dtype in floating for tensor in outputs)


def _set_output_types(backend: Backend, layer: Any, types: tuple[str, ...]) -> None:
    """Set the type of each floating output; one type stands for all of them, shape tensors keep theirs."""
    for index in range(layer.num_outputs):
        if not layer.get_output(index).is_shape_tensor:
            layer.set_output_type(index, data_type(backend, types[0 if len(types) == 1 else index]))


def _check_used(wanted: Mapping[str, Any], layers: list[Any]) -> None:
    for pattern in wanted:
        if not any(glob(pattern).fits(layer.name) for layer in layers):
            raise TrtlensError(f"no layer is called {pattern!r}: layers are called as their ONNX nodes are")

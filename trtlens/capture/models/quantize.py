"""Writes Q/DQ layers into an ONNX model, for releases without implicit INT8 (11.0, TensorRT-RTX) and strong typing.

NVIDIA ModelOpt does it where it is installed, else onnxruntime's static quantizer (1.17 and later): symmetric INT8,
weights by channel, Q/DQ at the inputs of convolutions and matrix products alone, so that TensorRT is free to fuse what
follows them. FP16 scales need operator set 19.
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import io
import logging
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtlens.capture.models.calibration import InputSpec, load_calibration_data
from trtlens.capture.models.io_tensors import DynamicInput, onnx_axes, require_shapes, shape_fits
from trtlens.capture.models.model import (
    fed_inputs,
    holds_qdq,
    is_large,
    load_onnx,
    model_fault,
    nodes_fitting,
    one_line,
    onnx_extents,
    require_onnx,
    save_onnx,
)
from trtlens.errors import TrtlensError
from trtlens.layer_patterns import lookup

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    from trtlens.capture.build_options import BuildOptions, Shape
    from trtlens.capture.recorder import Recorder

_OPERATORS = ("Conv", "ConvTranspose", "MatMul", "Gemm")
_OPSET_FOR_HALF_SCALES = 19
_OPSET_FOR_CHANNELS = 13
_DUMMY_BATCHES = 2
_DUMMY_SEED = 8


def quantize_model(proto: Any, model: Path, options: BuildOptions, half: str | None, recorder: Recorder) -> Any:
    """The model with Q/DQ layers, or None where there is nothing to quantize; what was done is noted.

    Raises TrtlensError where INT8 or FP8 was asked for by name and there is neither Q/DQ, data nor --int8-ranges dummy.
    """
    mode = "fp8" if options.fp8 else "int8" if options.wants_int8 else None
    if mode is None:
        return None
    if holds_qdq(proto):
        recorder.note(f"the model holds Q/DQ layers, which were taken as they are for {mode}")
        return None
    dummy = options.int8_ranges == "dummy"
    if options.calibration_data is None and not dummy:
        return _without_data(mode, options, recorder)
    batches = _batches(proto, options, recorder)
    if importlib.util.find_spec("modelopt") is not None:
        result, tool = _by_modelopt(proto, model, mode, options, batches), "ModelOpt"
    elif mode == "fp8":
        raise TrtlensError(
            "--fp8 has to write Q/DQ layers into the model here, which needs `pip install nvidia-modelopt`"
        )
    else:
        result, tool = _by_onnxruntime(proto, half, options, batches), "onnxruntime"
    _note_result(result, tool, mode, len(batches), dummy=dummy, recorder=recorder)
    return result


def _without_data(mode: str, options: BuildOptions, recorder: Recorder) -> None:
    if options.int8 or options.fp8:
        cache = f"; the cache {options.calib} is TensorRT's own and serves up to 10.x alone" if options.calib else ""
        raise TrtlensError(
            f"--{mode} has to write Q/DQ layers into the model here: give calibration data (npz, or a folder of npy "
            f"files), a model with Q/DQ layers, or --int8-ranges dummy to time alone{cache}"
        )
    recorder.note("--best left INT8 out: there is neither calibration data nor Q/DQ; --int8-ranges dummy times it")


def _note_result(result: Any, tool: str, mode: str, batches: int, *, dummy: bool, recorder: Recorder) -> None:
    count = sum(node.op_type == "QuantizeLinear" for node in result.graph.node)
    data = "made-up inputs" if dummy else f"{batches} calibration batches"
    recorder.note(f"the model was quantized to {mode} by {tool} on {data}: {count} QuantizeLinear nodes")
    if dummy:
        recorder.note("INT8 ranges are made up: times are real, outputs are not, so compare no accuracy")
        recorder.update(int8_ranges="dummy")


def _batches(proto: Any, options: BuildOptions, recorder: Recorder) -> list[dict[str, np.ndarray]]:
    specs = list(input_specs(proto, options))
    if options.calibration_data is None:
        return _made_up(specs)
    batches, notes = load_calibration_data(options.calibration_data).batches(specs)
    for note in notes:
        recorder.note(note)
    return batches


def _made_up(specs: list[InputSpec]) -> list[dict[str, np.ndarray]]:
    """Normal numbers for floating inputs, zeros for indices, which fit into any table."""
    import numpy as np  # noqa: PLC0415

    random = np.random.default_rng(_DUMMY_SEED)
    return [
        {
            spec.name: random.standard_normal(spec.shape).astype(spec.dtype)
            if spec.dtype.kind == "f"
            else np.zeros(spec.shape, spec.dtype)
            for spec in specs
        }
        for _ in range(_DUMMY_BATCHES)
    ]


def input_specs(proto: Any, options: BuildOptions) -> Iterator[InputSpec]:
    """What the ONNX inputs must be fed with: their static shapes, else the optimum that the options give, else a batch of 1."""
    onnx = require_onnx("calibrating a model")
    import numpy as np  # noqa: PLC0415

    given: Mapping[str, Shape] = options.opt_shapes or options.shapes
    inputs = fed_inputs(proto)
    require_shapes(
        DynamicInput(info.name, onnx_extents(info), onnx_axes(info))
        for info in inputs
        if -1 in onnx_extents(info) and lookup(given, info.name) is None
    )
    for info in inputs:
        static = onnx_extents(info)
        shape = lookup(given, info.name) or tuple(extent if extent >= 0 else 1 for extent in static)
        if not shape_fits(shape, static):
            raise TrtlensError(
                f"input {info.name} is {static} in the model, which the given shape {shape} does not fit"
            )
        kind = info.type.tensor_type.elem_type
        yield InputSpec(info.name, shape, np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind)))


def _by_onnxruntime(proto: Any, half: str | None, options: BuildOptions, batches: list[dict[str, np.ndarray]]) -> Any:
    try:
        from onnxruntime import quantization as ort  # noqa: PLC0415  only where TensorRT does not calibrate
    except ImportError as error:
        raise TrtlensError(
            "--int8 has to write Q/DQ layers into the model here: `pip install onnxruntime` (or nvidia-modelopt)"
        ) from error
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        source, target = Path(scratch, "source.onnx"), Path(scratch, "quantized.onnx")
        save_onnx(raise_opset(proto, _OPSET_FOR_HALF_SCALES if half else _OPSET_FOR_CHANNELS), source)
        settings = _onnxruntime_settings(ort, proto, options)
        try:
            ort.quantize_static(str(source), str(target), _make_reader(ort, batches), **settings)
        except Exception as error:  # its errors have no common class below Exception
            raise TrtlensError(
                f"onnxruntime cannot quantize the model ({error}): give one with Q/DQ layers, or add nvidia-modelopt"
            ) from error
        return load_onnx(target, "quantizing a model")


def _onnxruntime_settings(ort: Any, proto: Any, options: BuildOptions) -> dict[str, Any]:
    """What TensorRT's explicit quantization wants: no zero points, no quantized biases, no Q/DQ behind a layer."""
    entropy = options.calibration_method == "entropy"
    return {
        "quant_format": ort.QuantFormat.QDQ,
        "op_types_to_quantize": list(_OPERATORS),
        "nodes_to_exclude": sorted(nodes_fitting(proto, options.layer_precision)),
        "per_channel": True,
        "activation_type": ort.QuantType.QInt8,
        "weight_type": ort.QuantType.QInt8,
        "calibrate_method": ort.CalibrationMethod.Entropy if entropy else ort.CalibrationMethod.MinMax,
        "use_external_data_format": is_large(proto),
        "extra_options": {
            "ActivationSymmetric": True,
            "WeightSymmetric": True,
            "QuantizeBias": False,
            "OpTypesToExcludeOutputQuantization": list(_OPERATORS),
        },
    }


def _make_reader(ort: Any, batches: list[dict[str, np.ndarray]]) -> Any:
    class Reader(ort.CalibrationDataReader):  # type: ignore[misc]
        """Hands out the batches once."""

        def __init__(self) -> None:
            self._rest = iter(batches)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._rest, None)

    return Reader()


def raise_opset(proto: Any, wanted: int) -> Any:
    """The model in at least that operator set of the ONNX domain; raises TrtlensError where it cannot be converted."""
    onnx = require_onnx("quantizing a model")
    have = max((entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")), default=wanted)
    if have >= wanted:
        return proto
    try:
        return onnx.version_converter.convert_version(proto, wanted)
    except Exception as error:  # the converter raises RuntimeError and its own ConvertError
        raise TrtlensError(
            f"the model's operator set {have} cannot be raised to {wanted}, which quantizing needs ({error}): "
            "export the model again with a newer one"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the quantizer prints and warns of away from the data on stdout."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(level)


def _by_modelopt(
    proto: Any, model: Path, mode: str, options: BuildOptions, batches: list[dict[str, np.ndarray]]
) -> Any:
    """The rest of the model stays in FP32 here: FP16 is written afterwards, in one place for both quantizers."""
    import numpy as np  # noqa: PLC0415
    from modelopt.onnx.quantization import quantize  # noqa: PLC0415  a large optional package

    data = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        target = Path(scratch, "quantized.onnx")
        wanted = {
            "onnx_path": str(model),
            "quantize_mode": mode,
            "calibration_data": data,
            "calibration_method": "entropy" if options.calibration_method == "entropy" else "max",
            "calibration_eps": ["cpu"],
            "high_precision_dtype": "fp32",
            "nodes_to_exclude": [
                f"^{re.escape(name)}$" for name in sorted(nodes_fitting(proto, options.layer_precision))
            ],
            "output_path": str(target),
        }
        known = inspect.signature(quantize).parameters
        try:
            quantize(**{name: value for name, value in wanted.items() if name in known})
        except Exception as error:  # its errors have no common class below Exception
            raise TrtlensError(
                f"ModelOpt cannot quantize {model} ({model_fault(model) or one_line(error)}): give one with Q/DQ layers"
            ) from error
        return load_onnx(target, "quantizing a model")

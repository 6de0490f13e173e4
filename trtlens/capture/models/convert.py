"""Writes a reduced precision into the ONNX model itself, where TensorRT takes its types from there alone.

FP16 and BF16 come from NVIDIA ModelOpt's AutoCast where it is installed (it keeps in FP32 what would overflow on real
data), else from onnxconverter-common's float16 (1.14 and later), which casts by operator type. BF16 is its FP16 result
with every 16-bit tensor encoded anew from the original weights. INT8 and FP8 are in `quantize`.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
import warnings
from typing import TYPE_CHECKING, Any

from trtlens.capture.models.model import (
    is_large,
    load_onnx,
    model_errors,
    model_fault,
    nodes_fitting,
    one_line,
    save_onnx,
    weights,
)
from trtlens.capture.models.onnx_rewriting import (
    FLOAT,
    FLOAT16,
    FP16_LARGEST,
    as_bfloat16,
    check_types,
    copy,
    count_overflowing,
    infer_types,
    prepare,
    redirect_casts,
    separate_weights,
    shape_nodes,
)
from trtlens.capture.models.quantize import quantize_model
from trtlens.capture.recorder import CONVERTED_ONNX
from trtlens.errors import TrtlensError
from trtlens.layer_patterns import listed

if TYPE_CHECKING:
    from pathlib import Path

    from trtlens.capture.build_options import BuildOptions
    from trtlens.capture.recorder import Recorder

_FP16_SMALLEST = 5.960464477539063e-08


def half_precision(options: BuildOptions) -> str | None:
    """`fp16`, `bf16`, or None: the one floating type that the model is to be converted to."""
    return "bf16" if options.bf16 else "fp16" if options.fp16 or options.best else None


def asks_conversion(options: BuildOptions) -> bool:
    """Whether any precision was asked for that would have to be written into the model."""
    return half_precision(options) is not None or options.wants_int8 or options.fp8


def convert_model(model: Path, options: BuildOptions, recorder: Recorder) -> Path:
    """The model to build: the given one, or `converted.onnx` in the run with the precisions that were asked for.

    Raises TrtlensError where a package is missing, the model is broken, or it cannot be converted.
    """
    with model_errors(model, "converting it"):
        return _converted(model, options, recorder)


def _converted(model: Path, options: BuildOptions, recorder: Recorder) -> Path:
    half = half_precision(options)
    proto = load_onnx(model, f"converting a model to {half or 'int8'}")
    quantized = quantize_model(proto, model, options, half, recorder)
    result = proto if quantized is None else quantized
    if half is not None:
        converted = _convert_half(result, model, half, options, recorder, original=quantized is None)
        result = result if converted is None else converted
    if result is proto:
        return model
    if is_large(result):
        save_onnx(result, recorder.path(CONVERTED_ONNX))
        return recorder.path(CONVERTED_ONNX)
    return recorder.write(CONVERTED_ONNX, result.SerializeToString())


def _convert_half(
    proto: Any, model: Path, half: str, options: BuildOptions, recorder: Recorder, *, original: bool
) -> Any:
    """The model in that type, or None where it holds no FP32 weights; what was done is noted."""
    types = {tensor.data_type for tensor in weights(proto)}
    if half == "bf16" and FLOAT16 in types:
        raise TrtlensError("--bf16: the model holds FP16 weights, which it was trained or converted to: use --fp16")
    if FLOAT not in types:
        recorder.note(f"the model holds no FP32 weights, so it was built as it is and not converted to {half}")
        return None
    if original and importlib.util.find_spec("modelopt") is not None:
        result, note = _autocast(proto, model, half, options)
    else:
        result, note = _cast_by_operator(proto, model, half, options)
    recorder.note(note)
    return result


def _autocast(proto: Any, model: Path, half: str, options: BuildOptions) -> tuple[Any, str]:
    """ModelOpt chooses by magnitude on the calibration data if it is an `.npz`, else on random inputs."""
    from modelopt.onnx.autocast import convert_to_mixed_precision  # noqa: PLC0415  a large optional package

    data = options.calibration_data
    wanted = {
        "onnx_path": str(model),
        "low_precision_type": half,
        "keep_io_types": True,
        "nodes_to_exclude": [f"^{re.escape(name)}$" for name in sorted(nodes_fitting(proto, options.layer_precision))],
        "calibration_data": str(data) if data is not None and data.suffix == ".npz" else None,
    }
    known = inspect.signature(convert_to_mixed_precision).parameters
    try:
        result = convert_to_mixed_precision(**{name: value for name, value in wanted.items() if name in known})
    except Exception as error:  # its errors have no common class below Exception
        raise TrtlensError(
            f"ModelOpt cannot convert {model} ({model_fault(model) or one_line(error)}): export the model in {half}"
        ) from error
    return result, _sentence("ModelOpt AutoCast", half, proto, result)


def _fp32_nodes(proto: Any) -> tuple[str, ...]:
    """The nodes that put out FP32, as far as the inferred types say."""
    infos = [*proto.graph.value_info, *proto.graph.output]
    floats = {info.name for info in infos if info.type.tensor_type.elem_type == FLOAT}
    return tuple(node.name for node in proto.graph.node if node.op_type != "Cast" and floats & set(node.output))


def _cast_by_operator(proto: Any, model: Path, half: str, options: BuildOptions) -> tuple[Any, str]:
    """onnxconverter-common turns everything to FP16 except the operators that have no FP16 form, and what we keep."""
    try:
        from onnxconverter_common import float16  # noqa: PLC0415  only where TensorRT has no precision flags
    except ImportError as error:
        raise TrtlensError(
            f"--{half} has to convert the model here: `pip install onnxconverter-common` (or nvidia-modelopt)"
        ) from error
    prepared = prepare(proto)
    kept = nodes_fitting(prepared, options.layer_precision) | shape_nodes(prepared)
    blocked = {node.name for node in prepared.graph.node if node.op_type in float16.DEFAULT_OP_BLOCK_LIST} | kept
    separate_weights(prepared, blocked)
    redirect_casts(prepared, blocked)
    full = {tensor.name: tensor for tensor in copy(prepared).graph.initializer} if half == "bf16" else {}
    infer_types(prepared)
    clipped = count_overflowing(prepared, blocked) if half == "fp16" else 0
    result = _as_float16(float16, prepared, model, kept)
    check_types(result, half)
    if half == "bf16":
        as_bfloat16(
            result, full
        )  # afterwards: ONNX itself allows BF16 in a Conv from operator set 22 on, TensorRT in any
    return result, _sentence("onnxconverter-common", half, proto, result, clipped)


def _as_float16(float16: Any, prepared: Any, model: Path, kept: set[str]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each clipped weight is warned of; they are counted instead
        try:
            return float16.convert_float_to_float16(
                prepared,
                min_positive_val=_FP16_SMALLEST,
                max_finite_val=FP16_LARGEST,
                keep_io_types=True,
                disable_shape_infer=True,
                node_block_list=sorted(kept),
                check_fp16_ready=False,
            )
        except Exception as error:  # it asserts, and looks nodes up that may not be there
            raise TrtlensError(
                f"onnxconverter-common cannot convert {model} ({model_fault(model) or one_line(error)}): install "
                "nvidia-modelopt, or export the model in that precision"
            ) from error


def _sentence(tool: str, half: str, before: Any, after: Any, clipped: int = 0) -> str:
    """The note that everyone who reads the run sees: which tool, what stayed in FP32, how many casts were added."""
    casts = [sum(node.op_type == "Cast" for node in proto.graph.node) for proto in (before, after)]
    kept = _fp32_nodes(after)
    names = f" ({listed(kept)})" if kept else ""
    text = (
        f"the model was converted to {half} by {tool}: {len(before.graph.node)} nodes, {len(kept)} of them kept in "
        f"FP32{names}, {max(casts[1] - casts[0], 0)} casts were added"
    )
    beyond = "weight tensors hold values beyond FP16's range, which were clipped"
    return f"{text}; {clipped} {beyond}" if clipped else text

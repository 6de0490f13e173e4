"""Models that are quantized to Q/DQ, where TensorRT calibrates no longer."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.capture.test_calibration import save_qdq_model
from trtlens.capture.build_options import parse_options
from trtlens.capture.models.convert import convert_model
from trtlens.capture.recorder import Recorder, create_recorder
from trtlens.errors import TrtlensError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxconverter_common")

if TYPE_CHECKING:
    from pathlib import Path

needs_onnxruntime = pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None, reason="quantizing needs onnxruntime"
)
LINEAR = ("Conv", "MatMul", "Gemm")


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return create_recorder(tmp_path / "run", {})


@pytest.fixture(autouse=True)
def no_modelopt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take onnxruntime, whatever else is installed."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "modelopt" else real(name))


def save_samples(path: Path) -> Path:
    np.savez(path, input=np.random.default_rng(5).standard_normal((8, 3, 32, 32)).astype(np.float32))
    return path


def convert(model: Path, recorder: Recorder, **flags: Any) -> Any:
    return onnx.load(convert_model(model, parse_options(flags), recorder))


@needs_onnxruntime
@pytest.mark.parametrize("method", ["entropy", "minmax"])
def test_inputs_of_linear_layers_are_quantized(
    method: str, small_cnn: Path, recorder: Recorder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Convolutions and products read dequantized tensors, without zero points, and hand on what TensorRT may fuse."""
    data = save_samples(tmp_path / "data.npz")
    flags = {"int8": True, "calibration_data": data, "calibration-method": method}
    model = convert(small_cnn, recorder, **flags)
    made_by = {output: node for node in model.graph.node for output in node.output}
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in LINEAR:
            assert [made_by[name].op_type for name in node.input[:2]] == ["DequantizeLinear"] * 2
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            assert not weights[node.input[2]].any()
        if node.op_type == "Relu":
            assert made_by[node.input[0]].op_type in ("Conv", "Add")
    assert weights["stem/conv.weight_scale"].shape == (16,)
    assert "2 calibration batches: 6 QuantizeLinear nodes" in recorder.document["notes"][0]
    assert capsys.readouterr().out == ""


@needs_onnxruntime
def test_int8_and_fp16_in_one_model(small_cnn: Path, recorder: Recorder, tmp_path: Path) -> None:
    """With both, scales are FP16 as well, which needs operator set 19, and node names survive."""
    model = convert(small_cnn, recorder, best=True, calibration_data=save_samples(tmp_path / "data.npz"))
    assert [entry.version for entry in model.opset_import] == [19]
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert {kind for name, kind in kinds.items() if name.endswith("_scale")} == {onnx.TensorProto.FLOAT16}
    names = {node.name for node in onnx.load(small_cnn).graph.node}
    assert names <= {node.name for node in model.graph.node}


@needs_onnxruntime
def test_made_up_data_is_recorded(dynamic_cnn: Path, recorder: Recorder) -> None:
    """Dummy ranges come from made-up inputs in the given shape, and the record says so."""
    flags = {"int8": True, "int8-ranges": "dummy", "shapes": "*:2x3x32x32"}
    model = convert(dynamic_cnn, recorder, **flags)
    assert sum(node.op_type == "QuantizeLinear" for node in model.graph.node) == 6
    assert recorder.document["int8_ranges"] == "dummy"
    assert any("compare no accuracy" in note for note in recorder.document["notes"])
    with pytest.raises(TrtlensError, match="does not fit"):
        convert(dynamic_cnn, recorder, **{**flags, "shapes": "*:2x3x32"})


@needs_onnxruntime
def test_kept_layers_are_not_quantized(small_cnn: Path, recorder: Recorder, tmp_path: Path) -> None:
    """--layer-precision keeps nodes out of the quantization too."""
    data = save_samples(tmp_path / "data.npz")
    model = convert(small_cnn, recorder, int8=True, calibration_data=data, layer_precision="Gemm=fp32")
    assert "classifier.weight" in {tensor.name for tensor in model.graph.initializer}


def test_qdq_models_are_taken_as_they_are(recorder: Recorder, tmp_path: Path) -> None:
    """A model with Q/DQ layers is not quantized again; with FP16 its rest is converted."""
    model = save_qdq_model(tmp_path / "qdq.onnx")
    assert convert_model(model, parse_options({"int8": True}), recorder) == model
    assert "taken as they are for int8" in recorder.document["notes"][0]


def test_int8_needs_data(small_cnn: Path, recorder: Recorder, tmp_path: Path) -> None:
    """--int8 and --fp8 say what is missing; --best leaves INT8 out and says so."""
    with pytest.raises(TrtlensError, match="--int8 has to write Q/DQ layers"):
        convert(small_cnn, recorder, int8=True)
    with pytest.raises(TrtlensError, match=r"the cache int8\.cache is TensorRT's own"):
        convert(small_cnn, recorder, int8=True, calib="int8.cache")
    with pytest.raises(TrtlensError, match="pip install nvidia-modelopt"):
        convert(small_cnn, recorder, fp8=True, calibration_data=save_samples(tmp_path / "data.npz"))
    model = convert(small_cnn, recorder, best=True)
    assert not any(node.op_type == "QuantizeLinear" for node in model.graph.node)
    assert any("--best left INT8 out" in note for note in recorder.document["notes"])


def test_the_package_to_install_is_named(
    small_cnn: Path, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the quantizer the message says what to install."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(TrtlensError, match="pip install onnxruntime"):
        convert(small_cnn, recorder, int8=True, calibration_data=save_samples(tmp_path / "data.npz"))


def test_modelopt_is_used_where_installed(
    small_cnn: Path, recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ModelOpt gets all samples in one array by input name, the mode and the kept nodes; FP16 comes afterwards."""
    asked: dict[str, Any] = {}

    def quantize(
        onnx_path: str, quantize_mode: str, calibration_data: dict[str, np.ndarray], output_path: str, **_rest: Any
    ) -> None:
        asked.update(mode=quantize_mode, shapes={name: array.shape for name, array in calibration_data.items()})
        onnx.save(onnx.load(onnx_path), output_path)

    for name in ("modelopt", "modelopt.onnx", "modelopt.onnx.quantization"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    vars(sys.modules["modelopt.onnx.quantization"])["quantize"] = quantize
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    convert(small_cnn, recorder, fp8=True, fp16=True, calibration_data=save_samples(tmp_path / "data.npz"))
    assert asked == {"mode": "fp8", "shapes": {"input": (8, 3, 32, 32)}}
    assert "quantized to fp8 by ModelOpt" in recorder.document["notes"][0]
    assert "converted to fp16 by onnxconverter-common" in recorder.document["notes"][1]


@needs_onnxruntime
def test_large_models_are_quantized_too(small_cnn: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quantizer gets, and gives, models with external weights where they would not fit into one message."""
    monkeypatch.setattr("trtlens.capture.models.model._INLINE_LIMIT_BYTES", 1000)
    model = convert(small_cnn, recorder, int8=True, **{"int8-ranges": "dummy"})
    assert sum(node.op_type == "QuantizeLinear" for node in model.graph.node) == 6
    assert (recorder.folder / "converted.onnx.data").is_file()

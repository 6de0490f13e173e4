"""Models that are converted to FP16 and BF16, where TensorRT takes its types from them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from trtlens.capture.build_options import parse_options
from trtlens.capture.models.convert import convert_model
from trtlens.capture.models.model import identify_model, load_onnx
from trtlens.capture.models.onnx_rewriting import as_bfloat16, prepare, shape_nodes
from trtlens.capture.recorder import Recorder, create_recorder
from trtlens.errors import TrtlensError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxconverter_common")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

FLOAT, HALF, BF16, INT64 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.INT64


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return create_recorder(tmp_path / "run", {})


@pytest.fixture(autouse=True)
def no_modelopt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take onnxconverter-common, whatever else is installed."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "modelopt" else real(name))


def save(path: Path, nodes: Sequence[Any], ends: dict[str, list[Any]], weights: Sequence[Any] = ()) -> Path:
    """A model of these nodes; `ends` are the shapes of inputs and outputs, FP32 all, the outputs upper case."""
    infos = {name: helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in ends.items()}
    inputs = [info for name, info in infos.items() if not name.isupper()]
    outputs = [info for name, info in infos.items() if name.isupper()]
    graph = helper.make_graph(list(nodes), "test", inputs, outputs, initializer=list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path


def weight(name: str, values: Any, dtype: Any = np.float32) -> Any:
    return numpy_helper.from_array(np.array(values, dtype), name)


def convert(model: Path, recorder: Recorder, **flags: Any) -> Any:
    return onnx.load(convert_model(model, parse_options(flags or {"fp16": True}), recorder))


def outputs(model: Any, **inputs: np.ndarray) -> list[np.ndarray]:
    """What the model computes, through ONNX's own reference."""
    return list(ReferenceEvaluator(model).run(None, inputs))


@pytest.mark.parametrize("name", ["small_cnn", "tiny_encoder"])
def test_fp16_computes_nearly_the_same(name: str, recorder: Recorder) -> None:
    """Inputs and outputs stay FP32, everything else is FP16, and outputs differ by FP16's rounding alone."""
    path = Path(__file__).parents[2] / "fixtures" / "models" / f"{name}.onnx"
    converted = convert(path, recorder)
    assert {tensor.data_type for tensor in converted.graph.initializer} <= {HALF, INT64}
    assert converted.graph.input[0].type.tensor_type.elem_type == FLOAT
    assert converted.graph.output[0].type.tensor_type.elem_type == FLOAT
    original = onnx.load(path)
    shape = [dim.dim_value for dim in original.graph.input[0].type.tensor_type.shape.dim]
    values = np.random.default_rng(3).standard_normal(shape).astype(np.float32)
    (expected,), (found,) = outputs(original, input=values), outputs(converted, input=values)
    assert found.dtype == np.float32
    assert np.allclose(found, expected, atol=0.02 * np.abs(expected).max())
    names = {node.name for node in original.graph.node}
    assert names <= {node.name for node in converted.graph.node}


def test_kept_nodes_stay_in_fp32(tiny_encoder: Path, recorder: Recorder) -> None:
    """--layer-precision keeps nodes by name or type out of the conversion, and the note names them."""
    converted = convert(tiny_encoder, recorder, fp16=True, layer_precision="Softmax=fp32,mlp/norm/*=fp32")
    types = {weight.name: weight.data_type for weight in converted.graph.initializer}
    assert types["mlp/norm.gain"] == FLOAT
    assert types["attention/norm.gain"] == HALF
    (note,) = recorder.document["notes"]
    assert "10 of them kept in FP32 (attention/softmax, mlp/norm/mean" in note
    with pytest.raises(TrtlensError, match="no ONNX node fits 'Sofmax'"):
        convert(tiny_encoder, recorder, fp16=True, layer_precision="Sofmax=fp32")


def test_bf16_rounds_the_full_weights(small_cnn: Path, recorder: Recorder) -> None:
    """BF16 weights are the nearest to the FP32 ones, not to their FP16 image, and no FP16 is left."""
    converted = convert(small_cnn, recorder, bf16=True)
    originals = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(small_cnn).graph.initializer}
    for tensor in converted.graph.initializer:
        assert tensor.data_type == BF16
        bits = np.frombuffer(tensor.raw_data, np.uint16).astype(np.uint32) << 16
        found, expected = bits.view(np.float32), originals[tensor.name].ravel()
        assert np.all(np.abs(found - expected) <= np.abs(expected) * 2.0**-8)
    casts = [node.attribute[0].i for node in converted.graph.node if node.op_type == "Cast"]
    assert sorted(casts) == [FLOAT, BF16]


def test_bf16_ties_and_infinities() -> None:
    """Rounding is to nearest, ties to even; infinities and NaN stay what they are, large values stay finite."""
    values = np.array([1.0, 1.00390625, 1.01171875, -3.0e38, 65536.0, np.inf, -np.inf, np.nan], np.float32)
    halved = weight("w", np.zeros(8), np.float16)
    model = helper.make_model(helper.make_graph([], "g", [], [], initializer=[halved]))
    as_bfloat16(model, {"w": weight("w", values)})
    bits = np.frombuffer(model.graph.initializer[0].raw_data, np.uint16)
    assert [f"{number:04x}" for number in bits] == ["3f80", "3f80", "3f82", "ff62", "4780", "7f80", "ff80", "7fc0"]


def test_outputs_that_are_read_inside(tmp_path: Path, recorder: Recorder) -> None:
    """An output that feeds another node keeps its FP32 end and hands FP16 on inside."""
    nodes = [
        helper.make_node("Relu", ["x"], ["MIDDLE"], name="first"),
        helper.make_node("Mul", ["MIDDLE", "w"], ["END"], name="second"),
    ]
    model = save(tmp_path / "m.onnx", nodes, {"x": [2], "MIDDLE": [2], "END": [2]}, [weight("w", [2.0, 3.0])])
    converted = convert(model, recorder)
    middle, end = outputs(converted, x=np.array([1.0, -1.0], np.float32))
    assert (middle.tolist(), end.tolist()) == ([1.0, 0.0], [2.0, 0.0])
    assert middle.dtype == end.dtype == np.float32


def test_unnamed_nodes_and_constants(tmp_path: Path, recorder: Recorder) -> None:
    """Nodes without names get one, and constants in any spelling become FP16 weights."""
    nodes = [
        helper.make_node("Constant", [], ["a"], value_float=2.0),
        helper.make_node("Constant", [], ["b"], value_floats=[1.0, 2.0]),
        helper.make_node("Constant", [], ["c"], value=weight("", 3.0)),
        helper.make_node("Mul", ["x", "a"], ["xa"]),
        helper.make_node("Mul", ["xa", "b"], ["xab"]),
        helper.make_node("Add", ["xab", "c"], ["Y"]),
    ]
    converted = convert(save(tmp_path / "m.onnx", nodes, {"x": [2], "Y": [2]}), recorder)
    assert outputs(converted, x=np.array([1.0, 1.0], np.float32))[0].tolist() == [5.0, 7.0]
    names = [node.name for node in converted.graph.node]
    assert all(names)
    assert len(set(names)) == len(names)
    assert {tensor.data_type for tensor in converted.graph.initializer} == {HALF}


def test_casts_to_fp32_do_not_break_types(tmp_path: Path, recorder: Recorder) -> None:
    """A cast to FP32 among converted nodes casts to FP16, which its readers expect."""
    nodes = [
        helper.make_node("ArgMax", ["x"], ["index"], name="argmax", axis=0),
        helper.make_node("Cast", ["index"], ["floating"], name="cast", to=FLOAT),
        helper.make_node("Mul", ["floating", "w"], ["Y"], name="mul"),
    ]
    model = save(tmp_path / "m.onnx", nodes, {"x": [3], "Y": [1]}, [weight("w", [2.0])])
    assert outputs(convert(model, recorder), x=np.array([0.0, 5.0, 1.0], np.float32))[0].tolist() == [2.0]


def test_weights_shared_with_kept_nodes(tmp_path: Path, recorder: Recorder) -> None:
    """A weight that a kept and a converted node share exists in both types."""
    nodes = [
        helper.make_node("Mul", ["x", "w"], ["xw"], name="converted"),
        helper.make_node("Pow", ["xw", "w"], ["Y"], name="kept"),
    ]
    model = save(tmp_path / "m.onnx", nodes, {"x": [2], "Y": [2]}, [weight("w", [2.0, 3.0])])
    converted = convert(model, recorder, fp16=True, layer_precision="kept=fp32")
    assert sorted((tensor.name, tensor.data_type) for tensor in converted.graph.initializer) == [
        ("w", HALF),
        ("w__fp32", FLOAT),
    ]
    assert outputs(converted, x=np.array([1.0, 1.0], np.float32))[0].tolist() == [4.0, 27.0]


def test_arithmetic_on_shapes_stays_exact(tmp_path: Path, recorder: Recorder) -> None:
    """An extent of 4097 is not whole in FP16: what only shapes lead to is kept in FP32."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"], name="shape"),
        helper.make_node("Cast", ["shape"], ["floating"], name="to_float", to=FLOAT),
        helper.make_node("Mul", ["floating", "one"], ["scaled"], name="scale"),
        helper.make_node("Cast", ["scaled"], ["whole"], name="to_int", to=INT64),
        helper.make_node("Reshape", ["y", "whole"], ["reshaped"], name="reshape"),
        helper.make_node("Add", ["reshaped", "x"], ["Z"], name="add"),
    ]
    model = save(tmp_path / "m.onnx", nodes, {"x": ["n"], "y": [1, "n"], "Z": ["n"]}, [weight("one", [1.0])])
    assert shape_nodes(prepare(onnx.load(model))) == {"shape", "to_float", "scale", "to_int"}
    values = np.ones(4097, np.float32)
    (found,) = outputs(convert(model, recorder), x=values, y=values[None])
    assert found.shape == (4097,)


def test_values_beyond_fp16_are_told(tmp_path: Path, recorder: Recorder) -> None:
    """Weights that FP16 cannot hold are clipped to its largest number, and counted in the note."""
    nodes = [helper.make_node("Mul", ["x", "w"], ["Y"], name="mul")]
    model = save(tmp_path / "m.onnx", nodes, {"x": [2], "Y": [2]}, [weight("w", [1.0e6, 20000.0])])
    converted = convert(model, recorder)
    assert numpy_helper.to_array(converted.graph.initializer[0]).tolist() == [65504.0, 20000.0]
    assert "1 weight tensors hold values beyond FP16's range" in recorder.document["notes"][0]


def test_models_that_are_converted_already(tmp_path: Path, small_cnn: Path, recorder: Recorder) -> None:
    """A model in FP16 is built as it is and told; asking BF16 of it is refused; nothing asked, nothing done."""
    half = tmp_path / "half.onnx"
    onnx.save(convert(small_cnn, recorder), half)
    other = create_recorder(tmp_path / "other", {})
    assert convert_model(half, parse_options({"fp16": True}), other) == half
    assert "holds no FP32 weights" in other.document["notes"][0]
    assert not (other.folder / "converted.onnx").exists()
    with pytest.raises(TrtlensError, match="holds FP16 weights"):
        convert_model(half, parse_options({"bf16": True}), other)


def test_external_weights_are_read(small_cnn: Path, tmp_path: Path, recorder: Recorder) -> None:
    """A model with its weights in another file converts like one without, and is identified with that file."""
    moved = tmp_path / "external.onnx"
    onnx.save_model(onnx.load(small_cnn), moved, save_as_external_data=True, location="weights.bin", size_threshold=0)
    identity = identify_model(moved)
    assert list(identity["external"]) == ["weights.bin"]
    found, expected = convert(moved, recorder), convert(small_cnn, create_recorder(tmp_path / "other", {}))
    for left, right in zip(found.graph.initializer, expected.graph.initializer, strict=True):
        assert left.name == right.name
        assert np.array_equal(numpy_helper.to_array(left), numpy_helper.to_array(right))
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(TrtlensError, match=r"weights\.bin"):
        convert(moved, recorder)


def test_files_that_are_no_models(tmp_path: Path) -> None:
    """Any bytes are told to be no model; so is a message without nodes."""
    (tmp_path / "bytes.onnx").write_bytes(b"\x08\x07\xff\xff\xff not a model")
    (tmp_path / "empty.onnx").write_bytes(helper.make_model(helper.make_graph([], "g", [], [])).SerializeToString())
    for name in ("bytes", "empty"):
        with pytest.raises(TrtlensError, match="is not an ONNX model"):
            load_onnx(tmp_path / f"{name}.onnx", "testing")


def test_the_package_to_install_is_named(small_cnn: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the packages that convert, the message says which to install."""
    monkeypatch.setitem(sys.modules, "onnxconverter_common", None)
    with pytest.raises(TrtlensError, match="pip install onnxconverter-common"):
        convert(small_cnn, recorder)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(TrtlensError, match="needs the onnx package"):
        convert_model(small_cnn, parse_options({"fp16": True}), recorder)


def test_autocast_is_used_where_installed(small_cnn: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """ModelOpt's AutoCast gets the model, the type and the kept nodes, and only arguments that it knows."""
    asked: dict[str, Any] = {}

    def convert_to_mixed_precision(onnx_path: str, low_precision_type: str, nodes_to_exclude: list[str]) -> Any:
        asked.update(path=onnx_path, type=low_precision_type, excluded=nodes_to_exclude)
        return onnx.load(onnx_path)

    for name in ("modelopt", "modelopt.onnx", "modelopt.onnx.autocast"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    vars(sys.modules["modelopt.onnx.autocast"])["convert_to_mixed_precision"] = convert_to_mixed_precision
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    convert(small_cnn, recorder, fp16=True, layer_precision="stem/*=fp32")
    assert asked == {"path": str(small_cnn), "type": "fp16", "excluded": ["^stem/conv$", "^stem/relu$"]}
    assert "by ModelOpt AutoCast" in recorder.document["notes"][0]


def test_large_models_keep_their_weights_outside(
    small_cnn: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit into one protobuf message is written with its weights in a file beside it."""
    expected = {tensor.name: numpy_helper.to_array(tensor) for tensor in convert(small_cnn, recorder).graph.initializer}
    other = create_recorder(recorder.folder.parent / "large", {})
    monkeypatch.setattr("trtlens.capture.models.model._INLINE_LIMIT_BYTES", 1000)
    converted = convert(small_cnn, other)
    assert sorted(path.name for path in other.folder.iterdir()) == [
        *("converted.onnx", "converted.onnx.data", "run.json"),
    ]
    assert (other.folder / "converted.onnx").stat().st_size < 10_000
    for tensor in converted.graph.initializer:
        assert np.array_equal(numpy_helper.to_array(tensor), expected[tensor.name])

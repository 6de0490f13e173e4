"""Dumps on the CPU: the reference in FP32, emulated precisions, and models with a planted fault diagnosed right."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.accuracy.conftest import FAULTY, MODELS, f16, f32, needs_runtime
from trtlens.accuracy.error_rows import ErrorOptions, Errors, compare_to_rows
from trtlens.accuracy.readers import open_dump
from trtlens.errors import TrtlensError
from trtlens.runs.run import open_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = needs_runtime

HEALTHY = ("small_cnn", "small_cnn_dynamic", "tiny_encoder")


def save(path: Path, nodes: list[Any], inputs: dict[str, tuple[int, list[Any]]], outputs: dict[str, int],
         weights: dict[str, Any] | None = None, **options: Any) -> Path:  # fmt: skip
    """Write a model of those nodes."""
    import onnx
    from onnx import helper

    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in (weights or {}).items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save_model(model, str(path), **options)
    return path


def run(model: Path, out: Path, **request: Any) -> Path:
    from trtlens.capture.dumping.dump import DumpRequest, dump_run

    return dump_run(model, out, DumpRequest(**request)).folder


@pytest.mark.parametrize("model", HEALTHY)
def test_reference_holds_every_tensor_of_every_node(model: str, dump_of: Callable[..., Path]) -> None:
    """Each output of each node is in the dump, with the numbers that ONNX Runtime gives for the whole model."""
    import onnx
    import onnxruntime

    folder = dump_of(model, None)
    dump = open_dump(folder)
    proto = onnx.load(MODELS / f"{model}.onnx")
    made = [name for node in proto.graph.node for name in node.output]
    assert list(dump.tensors) == ["input", *made]
    assert dump.refused == {}
    feeds = dict(np.load(folder / "inputs.npz"))
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, feeds)
    assert np.allclose(dump.tensors[made[-1]].array(), wanted, rtol=1e-4, atol=1e-5)
    assert dump.index is not None
    assert {tensor.role for tensor in dump.index.tensors} == {"input", "inner", "output", "weight"}
    assert dump.index.precision == "fp32"


@pytest.mark.parametrize("model", HEALTHY)
@pytest.mark.parametrize(("precision", "floor_db"), [("fp16", 45.0), ("bf16", 30.0)])
def test_emulation_of_a_healthy_model_is_close_and_says_that_it_is_one(
    model: str, precision: str, floor_db: float, dump_of: Callable[..., Path]
) -> None:
    """Every tensor stays near the reference, in its type, and label, source and notes all say emulated."""
    folder = dump_of(model, precision)
    reference, emulated = open_dump(dump_of(model, None)), open_dump(folder)
    errors = compare_to_rows(reference, emulated, ErrorOptions())
    compared = [row for row in errors.rows if row["role"] != "input"]
    assert all(row["status"] == "compared" and row["verdict"] == "ok" for row in compared)
    assert all(row["sqnr_db"] is None or row["sqnr_db"] > floor_db for row in compared)
    assert {emulated.tensors[row["tensor"]].dtype for row in compared if row["role"] == "inner"} == {precision}
    assert emulated.label.startswith("emulated")
    record = json.loads((folder / "run.json").read_text())
    assert any("emulated" in note for note in record["notes"])
    assert (record["kind"], record["status"]) == ("dump", "done")
    assert set(open_run(folder)["dumps"]["source"].to_pylist()) == {"emulated"}


def test_emulated_fp16_rounds_each_output_once(tmp_path: Path) -> None:
    """The product of two FP16 numbers is the FP32 product rounded; inputs of a node are rounded before it runs."""
    from onnx import TensorProto, helper

    weight = f32([1.0009765625, 3.0, 1e-3])
    model = save(
        tmp_path / "m.onnx",
        [helper.make_node("Mul", ["x", "w"], ["y"], name="a"), helper.make_node("Mul", ["y", "w"], ["z"], name="b")],
        {"x": (TensorProto.FLOAT, [3])}, {"z": TensorProto.FLOAT}, {"w": weight},
    )  # fmt: skip
    values = f32([1.1, 2.2, 3.3])
    np.savez(tmp_path / "inputs.npz", x=values)
    from trtlens.capture.models.inputs import InputRecipe

    folder = run(model, tmp_path / "out", emulate="fp16", recipe=InputRecipe(file=tmp_path / "inputs.npz"))
    half = [array.astype(np.float16) for array in (values, weight)]
    first = (half[0].astype(np.float32) * half[1].astype(np.float32)).astype(np.float16)
    second = (first.astype(np.float32) * half[1].astype(np.float32)).astype(np.float16)
    dump = open_dump(folder)
    assert np.array_equal(dump.tensors["y"].array(), first)
    assert np.array_equal(dump.tensors["z"].array(), second)


# -- planted faults ----------------------------------------------------------------------------------------------------


def diagnosed(model: str, dump_of: Callable[..., Path]) -> Errors:
    return compare_to_rows(open_dump(dump_of(model, None)), open_dump(dump_of(model, FAULTY[model])), ErrorOptions())


@pytest.mark.parametrize(
    ("model", "tensor", "cause", "advice"),
    [
        ("overflowing_rms_norm", "norm/pow_output", "overflow", "divide x by s = 64"),
        (
            "subnormal_weights",
            "tiny/MatMul_output",
            "weight tiny.weight are under 6.1e-5",
            "multiply the weight by 1048576",
        ),
        ("short_int8_range", "second/dequantize_output", "20 % too small", "calibrate with data that reaches 2.72"),
    ],
)
def test_planted_fault_is_diagnosed(
    model: str, tensor: str, cause: str, advice: str, dump_of: Callable[..., Path]
) -> None:
    """The first tensor that goes wrong is the planted one, with its cause and what to do; the rest passes it on."""
    errors = diagnosed(model, dump_of)
    (first,) = (row for row in errors.rows if row["first_wrong"])
    assert first["tensor"] == tensor
    assert cause in first["cause"]
    assert advice in first["advice"]
    assert first["error_added"] == max(row["error_added"] or 0 for row in errors.rows)
    later = [row for row in errors.rows if row["index"] > first["index"] and row["verdict"] == "wrong"]
    assert all(row["cause"].startswith("passed on from") for row in later)


@pytest.mark.parametrize("model", ["overflowing_rms_norm", "subnormal_weights"])
def test_keeping_the_named_nodes_in_fp32_cures_the_model(
    model: str, dump_of: Callable[..., Path], tmp_path: Path
) -> None:
    """Emulated again with the nodes of `keep_fp32` in FP32, every tensor is there and ok, renamed ones too."""
    from trtlens.capture.build_options import BuildOptions
    from trtlens.capture.models.inputs import InputRecipe

    (first,) = (row for row in diagnosed(model, dump_of).rows if row["first_wrong"])
    options = BuildOptions(layer_precision=dict.fromkeys(first["keep_fp32"], "fp32"))
    recipe = InputRecipe(file=dump_of(model, None))
    folder = run(MODELS / f"{model}.onnx", tmp_path / "cured", emulate="fp16", options=options, recipe=recipe)
    cured = compare_to_rows(open_dump(dump_of(model, None)), open_dump(folder), ErrorOptions())
    assert [row["tensor"] for row in cured.rows if row["verdict"] != "ok"] == []


def test_the_scale_that_is_advised_cures_the_norm(dump_of: Callable[..., Path], tmp_path: Path) -> None:
    """With x divided by s before the square and the root multiplied by s, FP16 computes the norm."""
    import onnx
    from onnx import helper

    from trtlens.capture.models.inputs import InputRecipe

    proto = onnx.load(MODELS / "overflowing_rms_norm.onnx")
    scale = 64.0
    for name, value in (("s", scale), ("norm.epsilon", 6e-8)):
        for weight in [weight for weight in proto.graph.initializer if weight.name == name]:
            proto.graph.initializer.remove(weight)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value, np.float32), name))
    nodes = []
    for node in proto.graph.node:
        if node.name == "norm/pow":
            nodes.append(helper.make_node("Div", [node.input[0], "s"], ["x_scaled"], name="norm/down"))
            node.input[0] = "x_scaled"
        if node.name == "norm/div":
            nodes.append(helper.make_node("Mul", [node.input[1], "s"], ["root_scaled"], name="norm/up"))
            node.input[1] = "root_scaled"
        nodes.append(node)
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    onnx.save(proto, tmp_path / "scaled.onnx")
    recipe = InputRecipe(file=dump_of("overflowing_rms_norm", None))
    folder = run(tmp_path / "scaled.onnx", tmp_path / "run", emulate="fp16", recipe=recipe)
    errors = compare_to_rows(open_dump(dump_of("overflowing_rms_norm", None)), open_dump(folder), ErrorOptions())
    (output,) = (row for row in errors.rows if row["tensor"] == "output")
    assert output["verdict"] == "ok"
    assert output["sqnr_db"] > 50


# -- models of other kinds -----------------------------------------------------------------------------------------------


def test_reference_of_a_half_model_is_widened(tmp_path: Path) -> None:
    """An FP16 model's reference computes in FP32, says so, and does not overflow."""
    from onnx import TensorProto, helper

    model = save(
        tmp_path / "m.onnx",
        [helper.make_node("Mul", ["x", "w"], ["y"], name="a"), helper.make_node("Cast", ["y"], ["z"], to=TensorProto.FLOAT16)],
        {"x": (TensorProto.FLOAT16, [2])}, {"z": TensorProto.FLOAT16}, {"w": f16([60000, 2])},
    )  # fmt: skip
    from trtlens.capture.models.inputs import InputRecipe, Range

    folder = run(model, tmp_path / "out", recipe=InputRecipe(ranges={"x": Range(500.0, 500.0)}))
    dump = open_dump(folder)
    assert dump.tensors["z"].array().tolist() == [3e7, 1000]
    assert dump.tensors["z"].dtype == "fp32"
    assert "widened" in json.loads((folder / "run.json").read_text())["notes"][0]


def test_reference_of_a_quantized_model_is_the_float_model(dump_of: Callable[..., Path], tmp_path: Path) -> None:
    """Q/DQ pairs pass values on in the reference, and act with --keep-quantization."""
    dump = open_dump(dump_of("short_int8_range", None))
    before, after = dump.tensors["first/relu_output"].array(), dump.tensors["second/dequantize_output"].array()
    assert np.array_equal(before, after)
    kept = open_dump(run(MODELS / "short_int8_range.onnx", tmp_path / "kept", keep_quantization=True))
    assert np.unique(kept.tensors["second/dequantize_output"].array()).size <= 256


def test_small_memory_takes_several_runs_and_gives_the_same(dump_of: Callable[..., Path], tmp_path: Path) -> None:
    """Groups of a few tensors give the dump that one group gives."""
    from trtlens.capture.dumping.reference import Plan

    whole = open_dump(dump_of("tiny_encoder", None))
    folder = run(MODELS / "tiny_encoder.onnx", tmp_path / "out", plan=Plan(max_memory_bytes=50_000))
    parts = open_dump(folder)
    assert list(parts.tensors) == list(whole.tensors)
    assert all(np.array_equal(parts.tensors[name].array(), whole.tensors[name].array()) for name in whole.tensors)


def test_only_named_tensors_are_dumped(tmp_path: Path) -> None:
    """Patterns choose the tensors; the inputs are there all the same."""
    from trtlens.capture.dumping.reference import Plan
    from trtlens.layer_patterns import read_patterns

    folder = run(MODELS / "small_cnn.onnx", tmp_path / "out", plan=Plan(read_patterns("block/*,logits")))
    names = list(open_dump(folder).tensors)
    assert names[0] == "input"
    assert "logits" in names
    assert all(name.startswith("block/") for name in names[1:-1])


def test_weights_in_external_files(tmp_path: Path) -> None:
    """A model whose weights lie in a file beside it runs, and its weights are described."""
    from onnx import TensorProto, helper

    model = save(
        tmp_path / "m.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"], name="a")],
        {"x": (TensorProto.FLOAT, [1, 64])}, {"y": TensorProto.FLOAT},
        {"w": np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)},
        save_as_external_data=True, location="m.data", size_threshold=0,
    )  # fmt: skip
    dump = open_dump(run(model, tmp_path / "out"))
    assert dump.tensors["y"].shape == (1, 64)
    assert dump.index is not None
    assert [t.name for t in dump.index.tensors if t.role == "weight"] == ["w"]


def test_odd_names_stay_inside_the_folder(tmp_path: Path) -> None:
    """Tensors called ../../x, or 300 characters, or twice alike but for harmful ones, get files of their own."""
    from onnx import TensorProto, helper

    names = ["../../x", "a/b", "a?b", "n" * 300, "…", "a\nb"]
    ends = ["x", *names]
    nodes = [helper.make_node("Relu", [ends[i]], [ends[i + 1]], name=f"n{i}") for i in range(len(names))]
    model = save(tmp_path / "m.onnx", nodes, {"x": (TensorProto.FLOAT, [3])}, {names[-1]: TensorProto.FLOAT})
    folder = run(model, tmp_path / "deep" / "er" / "out")
    dump = open_dump(folder)
    assert list(dump.tensors) == ["x", *names]
    files = {path.name for path in (folder / "tensors").iterdir()}
    assert len(files) == len(names) + 1
    assert not list(tmp_path.glob("x*"))


def test_subgraphs_sequences_and_strings(tmp_path: Path) -> None:
    """An If with outer tensors runs in reference and emulation; a sequence is skipped with the reason."""
    import onnx
    from onnx import TensorProto, helper

    def branch(name: str, op: str) -> Any:
        return helper.make_graph(
            [helper.make_node(op, ["h", "h"], [f"{name}_out"])], name, [],
            [helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, None)],
        )  # fmt: skip

    nodes = [
        helper.make_node("Mul", ["x", "w"], ["h"], name="mul"),
        helper.make_node(
            "If", ["flag"], ["y"], name="if", then_branch=branch("then", "Add"), else_branch=branch("else", "Mul")
        ),
        helper.make_node("SplitToSequence", ["y"], ["pieces"], name="split", axis=0, keepdims=1),
        helper.make_node("SequenceAt", ["pieces", "one"], ["z"], name="at"),
    ]
    model = save(
        tmp_path / "m.onnx", nodes, {"x": (TensorProto.FLOAT, [2, 3])}, {"z": TensorProto.FLOAT},
        {"flag": np.ones((), np.bool_), "one": np.array(1, np.int64), "w": f32([0.1, 1.1, 2.1])},
    )  # fmt: skip
    assert onnx.load(model).graph.node[1].op_type == "If"
    dump = open_dump(run(model, tmp_path / "reference"))
    assert "no tensor but a list" in dump.refused["pieces"]
    assert np.array_equal(dump.tensors["y"].array(), 2 * dump.tensors["h"].array())
    with pytest.raises(TrtlensError, match=r"sequence, which cannot be emulated|cannot be converted"):
        run(model, tmp_path / "emulated", emulate="fp16")
    del nodes[2:]
    weights = {"flag": np.ones((), np.bool_), "w": f32([0.1, 1.1, 2.1])}
    model = save(tmp_path / "if.onnx", nodes, {"x": (TensorProto.FLOAT, [2, 3])}, {"y": TensorProto.FLOAT}, weights)
    emulated = open_dump(run(model, tmp_path / "if", emulate="fp16"))
    assert np.array_equal(emulated.tensors["y"].array(), 2 * emulated.tensors["h"].array().astype(np.float32))


def test_dynamic_extents_come_from_file_flags_or_one(tmp_path: Path) -> None:
    """The shape of a given array decides, then --shapes; a batch that nobody gives is 1, with a note; a misfit is refused."""
    from trtlens.capture.models.inputs import InputRecipe

    model = MODELS / "small_cnn_dynamic.onnx"
    np.savez(tmp_path / "three.npz", input=np.zeros((3, 3, 32, 32), np.float32))
    cases: list[tuple[dict[str, Any], int]] = [
        ({}, 1),
        ({"shapes": {"input": (2, 3, 32, 32)}}, 2),
        ({"recipe": InputRecipe(file=tmp_path / "three.npz")}, 3),
    ]
    for number, (request, batch) in enumerate(cases):
        folder = run(model, tmp_path / str(number), **request)
        assert open_dump(folder).tensors["logits"].shape == (batch, 10)
        notes = json.loads((folder / "run.json").read_text())["notes"]
        assert any("its batch was set to 1" in note for note in notes) == (batch == 1)
    with pytest.raises(TrtlensError, match="does not fit"):
        run(model, tmp_path / "misfit", shapes={"input": (2, 4, 32, 32)})
    with pytest.raises(TrtlensError, match="no input 'inptu'"):
        run(model, tmp_path / "typo", shapes={"inptu": (2, 3, 32, 32)})


def test_failures_leave_a_record_and_a_reason(tmp_path: Path) -> None:
    """A model that ONNX Runtime cannot run leaves a failed run that says why; nonsense leaves none."""
    from onnx import TensorProto, helper

    model = save(
        tmp_path / "m.onnx", [helper.make_node("Frobnicate", ["x"], ["y"], name="a", domain="nobody")],
        {"x": (TensorProto.FLOAT, [2])}, {"y": TensorProto.FLOAT},
    )  # fmt: skip
    with pytest.raises(TrtlensError, match="ONNX Runtime cannot load"):
        run(model, tmp_path / "out")
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["status"] == "failed"
    assert "Frobnicate" in record["errors"][0]
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    with pytest.raises(TrtlensError, match="not an ONNX model"):
        run(tmp_path / "junk.onnx", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_list_names_every_output() -> None:
    """Each node's outputs with operator, inferred type and shape, symbols kept."""
    from trtlens.capture.dumping.dump import list_tensors

    rows = list_tensors(MODELS / "small_cnn_dynamic.onnx")
    assert len(rows) == 15
    assert (rows[0].node, rows[0].op, rows[0].tensor, rows[0].dtype) == (
        "stem/conv",
        "Conv",
        "stem/conv_output",
        "fp32",
    )
    assert rows[0].dims == ("batch", 16, 32, 32)
    assert rows[-1].tensor == "logits"


def test_a_layer_norm_in_one_operator_has_hidden_squares(tmp_path: Path) -> None:
    """LayerNormalization of values of 3000 is found to overflow inside, though every tensor fits."""
    from onnx import TensorProto, helper

    from trtlens.capture.models.inputs import InputRecipe, Range

    model = save(
        tmp_path / "m.onnx", [helper.make_node("LayerNormalization", ["x", "g"], ["y"], name="norm", axis=-1)],
        {"x": (TensorProto.FLOAT, [4, 256])}, {"y": TensorProto.FLOAT}, {"g": np.ones(256, np.float32)},
    )  # fmt: skip
    folder = run(model, tmp_path / "out", recipe=InputRecipe(ranges={"x": Range(-3000.0, 3000.0)}))
    rows = {row["tensor"]: row for row in open_run(folder).view("overflow").to_pylist()}
    assert set(rows) == {"norm: squares", "norm: sum of squares"}
    x = dict(np.load(folder / "inputs.npz"))["x"].astype(np.float64)
    squares = np.square(x - x.mean(axis=1, keepdims=True))
    assert rows["norm: squares"]["largest"] == pytest.approx(squares.max(), rel=1e-6)
    assert rows["norm: sum of squares"]["largest"] == pytest.approx(squares.sum(axis=1).max(), rel=1e-6)
    assert squares.sum(axis=1).max() / rows["norm: squares"]["scale"] ** 2 <= 65504 / 2


def test_emulated_precision_is_checked(tmp_path: Path) -> None:
    """A precision that nothing emulates is refused before anything is written."""
    with pytest.raises(TrtlensError, match="--emulate fp4"):
        run(MODELS / "small_cnn.onnx", tmp_path / "out", emulate="fp4")
    assert not (tmp_path / "out").exists()


def test_an_interrupted_dump_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C leaves a record with the status interrupted."""
    from trtlens.capture.dumping import dump

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dump, "dump_reference", stop)
    with pytest.raises(KeyboardInterrupt):
        run(MODELS / "small_cnn.onnx", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "interrupted"


def test_options_are_not_changed_by_a_request(dump_of: Callable[..., Path]) -> None:
    """Asking for an emulation sets that one precision and leaves the layers that were named."""
    from trtlens.capture.build_options import BuildOptions
    from trtlens.capture.dumping.dump import DumpRequest, _emulated_options

    options = BuildOptions(fp16=True, layer_precision={"a": "fp32"})
    wanted = replace(options, fp16=False, bf16=True)
    assert _emulated_options(DumpRequest(emulate="bf16", options=options)) == wanted
    assert dump_of("small_cnn", None).is_dir()

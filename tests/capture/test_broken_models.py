"""ONNX models that are broken, or name files that are not theirs: one error with the model's name, and nothing read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxconverter_common")
pytest.importorskip("onnxruntime")

from trtlens.capture.build_options import BuildOptions  # noqa: E402
from trtlens.capture.dumping.dump import DumpRequest, dump_run, list_tensors  # noqa: E402
from trtlens.capture.models.convert import convert_model  # noqa: E402  needs what is asked for above
from trtlens.capture.models.model import (  # noqa: E402
    identify_model,
    load_onnx,
    model_errors,
)
from trtlens.capture.recorder import create_recorder  # noqa: E402
from trtlens.errors import TrtlensError  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS = Path(__file__).parents[2] / "fixtures" / "models"


def reverse_nodes(graph: Any) -> None:
    nodes = list(graph.node)[::-1]
    del graph.node[:]
    graph.node.extend(nodes)


def empty_constant(graph: Any) -> None:
    graph.node.insert(0, onnx.helper.make_node("Constant", [], ["nothing"], name="nothing"))


def short_weight(graph: Any) -> None:
    graph.initializer[0].raw_data = graph.initializer[0].raw_data[:-3]


def long_weight(graph: Any) -> None:
    graph.initializer[0].raw_data += bytes(8)


def huge_weight(graph: Any) -> None:
    graph.initializer[0].dims[0] = 2**62


def twice(graph: Any) -> None:
    graph.input.append(graph.input[0])


def more_inputs(graph: Any) -> None:
    graph.node[1].op_type = "Cast"
    graph.node[1].input.append("input")


def other_type(graph: Any) -> None:
    graph.initializer[0].data_type = onnx.TensorProto.FLOAT16


def nameless_input(graph: Any) -> None:
    graph.input[0].name = ""


BREAKS = (
    reverse_nodes, empty_constant, short_weight, huge_weight, twice, more_inputs, other_type, nameless_input,
)  # fmt: skip


def broken(path: Path, change: Callable[[Any], None]) -> Path:
    model = onnx.load(MODELS / "small_cnn.onnx")
    change(model.graph)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("change", BREAKS)
@pytest.mark.parametrize("work", ["reference", "fp16", "int8", "convert", "list"])
def test_a_broken_model_is_named(change: Callable[[Any], None], work: str, tmp_path: Path) -> None:
    """Whatever breaks in onnx, numpy or the converters, it ends in one error with the model's name, or in the work done."""
    message = refusal(broken(tmp_path / "broken.onnx", change), work, tmp_path / "run")
    known = ("ONNX Runtime cannot", "the model cannot be", "nothing makes", "cannot be emulated", "input")
    assert message is None or "broken.onnx" in message or any(words in message for words in known)


def refusal(model: Path, work: str, out: Path) -> str | None:
    """What a command answers to the model, None where it does the work."""
    try:
        if work == "list":
            list_tensors(model)
        elif work == "convert":
            convert_model(model, BuildOptions(fp16=True), create_recorder(out, {}))
        else:
            dump_run(model, out, DumpRequest(emulate=None if work == "reference" else work))
    except TrtlensError as error:
        return error.message
    return None


@pytest.mark.parametrize("change", [empty_constant, short_weight, long_weight])
def test_a_conversion_says_what_is_broken(change: Callable[[Any], None], tmp_path: Path) -> None:
    """The checker's words stand in the error of a conversion, behind the model's name."""
    model = broken(tmp_path / "broken.onnx", change)
    with pytest.raises(TrtlensError, match=r"broken\.onnx.*(Constant|raw_data|reshape)"):
        convert_model(model, BuildOptions(fp16=True), create_recorder(tmp_path / "run", {}))


def test_a_fault_of_ours_is_not_the_models() -> None:
    """What goes wrong with a valid model keeps its traceback; an error for the user passes as it is."""
    for fault in (AssertionError("ours"), TrtlensError("usage")):
        with pytest.raises(type(fault)) as caught, model_errors(MODELS / "small_cnn.onnx", "running it"):
            raise fault
        assert caught.value is fault


def test_types_that_onnx_does_not_have_are_unknown(tmp_path: Path) -> None:
    """The list of tensors holds no type for a number that names none."""

    def odd_output(graph: Any) -> None:
        graph.output[0].type.tensor_type.elem_type = 99

    rows = list_tensors(broken(tmp_path / "odd.onnx", odd_output))
    assert rows[-1].dtype is None
    assert rows[0].tensor == "stem/conv_output"


@pytest.mark.parametrize("extent", [2**40, 2**55, 2**62])
def test_inputs_that_no_memory_holds_are_refused(extent: int, tmp_path: Path) -> None:
    """An input of terabytes is told with its name and shape."""

    def grow(graph: Any) -> None:
        graph.input[0].type.tensor_type.shape.dim[0].dim_value = extent

    with pytest.raises(TrtlensError, match=r"input 'input' is .* more than memory holds"):
        dump_run(broken(tmp_path / "huge.onnx", grow), tmp_path / "run", DumpRequest())


# -- external weights --------------------------------------------------------------------------------------------------


def naming(path: Path, location: str) -> Path:
    """A model of one node whose weight lies in that file."""
    weight = onnx.numpy_helper.from_array(np.zeros(8, np.float32), "w")
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("length", "32")):
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [8]) for name in ("x", "y")]
    inner = onnx.helper.make_graph([onnx.helper.make_node("Constant", [], ["c"], value=weight)], "inner", [], [ends[1]])
    nodes = [
        onnx.helper.make_node("Add", ["x", "w"], ["y"], name="add"),
        onnx.helper.make_node("If", ["x"], ["z"], then_branch=inner, else_branch=inner),
    ]
    with_weight = [weight] if location.endswith("weight") else []
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:], with_weight)), path)
    return path


@pytest.mark.parametrize(
    "location",
    [
        "{outside}",
        "../outside.weight",
        "deep/../../outside.weight",
        "link.weight",
        "../outside",
        "linked/outside",
        "x" * 300,
        "a\0b",
    ],
)
def test_weights_outside_of_the_models_folder_are_not_read(
    location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that the model names and that is not beside it is neither hashed nor loaded, also where a link leads to it."""
    outside = tmp_path / "outside.weight"
    outside.write_bytes(bytes(32))
    (tmp_path / "outside").write_bytes(bytes(32))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link.weight").symlink_to(outside)
    (folder / "linked").symlink_to(tmp_path)
    model = naming(folder / "m.onnx", location.format(outside=outside))
    opened: list[Path] = []
    real = Path.open

    def noted(path: Path, *given: Any, **named: Any) -> Any:
        opened.append(path.resolve())
        return real(path, *given, **named)

    monkeypatch.setattr(Path, "open", noted)
    assert identify_model(model)["external"] == {location.format(outside=outside): None}
    assert set(opened) == {model.resolve()}
    with pytest.raises(TrtlensError, match=r"m\.onnx (names weights outside of its folder|.*File name too long)"):
        load_onnx(model, "testing")
    load_onnx(model, "testing", weights=False)


def test_weights_beside_the_model_are_read(tmp_path: Path) -> None:
    """A folder below the model's, and a way through the model's own folder, are inside; what is not there has no hash."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.weight").write_bytes(bytes(32))
    for location in ("deep/a.weight", "deep/../deep/a.weight"):
        (value,) = identify_model(naming(tmp_path / "m.onnx", location))["external"].values()
        assert len(value) == 64
    assert identify_model(naming(tmp_path / "m.onnx", "absent"))["external"] == {"absent": None}


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Protobuf hands out a name that is not UTF-8 as bytes; the error names the model and shows the name."""
    node = onnx.helper.make_node("Relu", ["x"], ["inner"], name="relu")
    info = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "inner")]
    whole = onnx.helper.make_model(onnx.helper.make_graph([node], "g", info[:1], info[1:])).SerializeToString()
    model = tmp_path / "garbled.onnx"
    model.write_bytes(whole.replace(b"inner", b"in\xbaer"))
    with pytest.raises(TrtlensError, match=r"garbled\.onnx holds a name that is no UTF-8 text \(b'in\\xbaer'\)"):
        load_onnx(model, "listing tensors")

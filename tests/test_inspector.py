"""The inspector: JSON, one-line text and the log's layer lines describe one engine alike."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtlens_parsers.errors import FormatError
from trtlens_parsers.formats import read_format
from trtlens_parsers.inspector import InspectorRecord, IoTensorRecord, ProfileRange, read_inspector
from trtlens_parsers.layers import LayerRecord, TensorRecord, read_layer
from trtlens_parsers.strides import read_strides

FIXTURES = Path(__file__).parents[1] / "fixtures"
ENGINES = sorted(path.parent for path in FIXTURES.glob("inspector-*/*/layers.json"))
TEXTS = sorted(FIXTURES.glob("inspector-rtx-*/*.txt"))
INPUT = IoTensorRecord(
    name="x", mode="Input", dtype="fp32", dims=(None, 3), location="Device", is_shape_inference=False, profiles=()
)


def read(path: Path) -> str:
    """Decode a fixture without touching its line ends."""
    return path.read_bytes().decode()


@pytest.fixture(params=ENGINES, ids=lambda path: f"{path.parent.name}/{path.name}")
def engine(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_json_and_one_line_text_are_one_record(engine: Path) -> None:
    """The inspector's two outputs give equal records, down to the text of every parameter."""
    record = read_inspector(read(engine / "layers.json"))
    assert record == read_inspector(read(engine / "layers.txt"))
    assert record.bindings == ("data", "logits")
    assert (record.names_only, record.unreadable) == (False, ())
    assert all(layer.detailed for layer in record.layers)


def test_the_log_and_the_inspector_agree(engine: Path) -> None:
    """A layer line of the log and the inspector's row of that layer agree in all that both show."""
    lines = [line for line in read(engine / "layer-lines.txt").split("\n") if line]
    inspected = read_inspector(read(engine / "layers.json")).layers
    assert len(lines) == len(inspected)
    for line, detailed in zip(lines, inspected, strict=True):
        plain = read_layer(line)
        assert plain is not None
        assert (plain.name, plain.type, plain.tactic_id) == (detailed.name, detailed.type, detailed.tactic_id)
        pairs = zip((*plain.inputs, *plain.outputs), (*detailed.inputs, *detailed.outputs), strict=True)
        for shown, told in pairs:
            assert (shown.name, shown.dims, shown.format.dtype) == (told.name, told.dims, told.format.dtype)
            assert shown.format.vector_width == told.format.vector_width
            assert shown.format.vector_axis == told.format.vector_axis
            assert shown.format.layout in {None, told.format.layout}


def test_strides_and_sentences_name_one_layout(engine: Path) -> None:
    """The layout that strides decide is the one that the inspector's sentence names for the same tensor."""
    layers = read_inspector(read(engine / "layers.json")).layers
    layouts = {tensor.name: tensor.format for layer in layers for tensor in (*layer.inputs, *layer.outputs)}
    compared = 0
    for line in read(engine / "added-reformats.txt").split("\n"):
        tensor, _, change = line.removeprefix("Adding reformat layer: ").partition(" (")
        _, _, change = change.rpartition(") from ")
        wanted = layouts.get(tensor)
        if not wanted:
            continue
        before, after = (read_strides(text) for text in change.split(" to "))
        side = before if "Reformatted Output Tensor" in tensor else after
        assert side is not None
        assert (side.format.layout, side.format.dtype) == (wanted.layout, wanted.dtype)
        assert side.format.vector_width == wanted.vector_width
        compared += 1
    assert compared


def test_a_convolution_of_8_6() -> None:
    """A row of TensorRT 8.6 gives kernel, tactic, stream, nodes and formats as the document has them."""
    layers = read_inspector(read(FIXTURES / "inspector-8.6-resnet50" / "fp16" / "layers.json")).layers
    layer = next(layer for layer in layers if layer.name == "/conv1/Conv + /relu/Relu")
    assert layer.type == "CaskConvolution"
    assert layer.tactic_id == 0xC4E457EB6DC4CC67
    assert layer.tactic_name
    assert layer.tactic_name.startswith("sm90_xmma_fprop_image_first_layer_f16f16_f32_f16_nhwckrsc_nhwc_hmma")
    assert (layer.metadata, layer.stream) == (("/conv1/Conv", "/relu/Relu"), 0)
    assert dict(layer.parameters)["Kernel"] == "[7,7]"
    assert dict(layer.parameters)["Weights"] == '{"Type": "Half", "Count": 9408}'
    formats = [(tensor.format.dtype, tensor.format.layout, tensor.location) for tensor in layer.inputs[:1]]
    assert formats == [("fp16", "hwc2", "Device")]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_every_row_of_tensorrt_rtx_reads(path: Path) -> None:
    """TensorRT-RTX's one-line block reads whole: layers with constants and strides, I/O tensors, engine metadata."""
    record = read_inspector(read(path))
    assert record.unreadable == ()
    assert len(record.layers) == sum(line.startswith("Name: ") for line in read(path).split("\n"))
    assert [tensor.name for tensor in record.io_tensors] == ["input", "logits"]
    assert record.engine_metadata == (("Multi-Device", "Disabled"),)
    convolutions = [layer for layer in record.layers if layer.type == "correlation"]
    assert all(layer.constants and layer.inputs[0].strides for layer in convolutions)
    assert {layer.inputs[0].format.layout for layer in convolutions} == {"hwc"}


def test_ranges_of_a_profile() -> None:
    """Inputs list their smallest, usual and largest shape per profile; outputs have a format alone."""
    record = read_inspector(read(FIXTURES / "inspector-rtx-1.7-small-cnn" / "dynamic-batch.txt"))
    linear = read_format("Row major linear FP32 format (kLINEAR)")
    first, last = record.io_tensors
    ranges = ProfileRange((1, 3, 32, 32), (4, 3, 32, 32), (8, 3, 32, 32), linear)
    assert first == replace(INPUT, name="input", dims=(None, 3, 32, 32), profiles=(ranges,))
    assert last.profiles == (ProfileRange(None, None, None, linear),)


ELEVEN = """{"Layers": [{
  "Name": "c_myl0_1",
  "LayerType": "kgen",
  "Inputs": [{"Name": "x", "Dimensions": [1,3], "Datatype": "Float", "Format": "(Linear) Row major linear format"}],
  "Constants": [{"Name": "w", "Dimensions": [], "DataType": "Half", "Format": "(Linear) Row major linear format"}],
  "Outputs": [],
  "TacticName": "", "StreamId": 0, "Metadata": ""
}],
"I/O Tensors": [{"Name": "x", "IOMode": "Input", "DataType": "Float", "Dimensions": [-1, 3], "Location": "Device",
  "IsShapeInferenceIO": false, "ProfileInfo": [
    {"MinShape": [1,3], "OptShape": [2,3], "MaxShape": [4,3], "Format": "Row major linear FP32 format (kLINEAR)"}]}],
"Engine Metadata": {"Multi-Device": "Disabled", "Count": 1}}"""


def test_the_json_of_11() -> None:
    """TensorRT 11 parts type from format and replaces the bindings; both spellings of the type's key are read."""
    linear = "(Linear) Row major linear format"
    api = read_format("Row major linear FP32 format (kLINEAR)")
    layer = LayerRecord(
        name="c_myl0_1",
        type="kgen",
        inputs=(TensorRecord("x", read_format(linear, "Float", 2), (1, 3)),),
        constants=(TensorRecord("w", read_format(linear, "Half", 0), ()),),
        stream=0,
        detailed=True,
    )
    ranges = ProfileRange((1, 3), (2, 3), (4, 3), api)
    wanted = InspectorRecord(
        layers=(layer,),
        bindings=(),
        io_tensors=(replace(INPUT, profiles=(ranges,)),),
        engine_metadata=(("Multi-Device", "Disabled"), ("Count", "1")),
        names_only=False,
        unreadable=(),
    )
    assert read_inspector(ELEVEN) == wanted


@pytest.mark.parametrize(
    "text",
    [
        '{"Layers": ["conv1 + relu"\n,"a\x1eb"\n,"conv1 + relu"\n],\n"Bindings": ["x"\n,"y"\n]}\n',
        "Layers:\nconv1 + relu\na\x1eb\nconv1 + relu\n\nBindings:\nx\ny\n",
        "[07/07/2026-02:11:38] [I] Layers:\r\nconv1 + relu\r\na\x1eb\r\nconv1 + relu\r\n\r\nBindings:\r\nx\r\ny\r\n",
    ],
)
def test_names_only(text: str) -> None:
    """With LAYER_NAMES_ONLY there are names, repeated ones too, and nothing else."""
    record = read_inspector(text)
    assert [layer.name for layer in record.layers] == ["conv1 + relu", "a\x1eb", "conv1 + relu"]
    assert all((layer.type, layer.inputs, layer.detailed) == (None, (), False) for layer in record.layers)
    assert (record.names_only, record.bindings) == (True, ("x", "y"))


def row(**members: object) -> dict[str, object]:
    """One inspector row with a tensor on each side."""
    tensors = [{"Name": "t", "Dimensions": [1], "Format/Datatype": "Half"}]
    return {"Name": "n", "LayerType": "T", "Inputs": tensors, "Outputs": tensors, **members}


def test_a_row_printed_twice_is_one_layer() -> None:
    """A repeated row is the same layer; rows that differ anywhere, or that write nothing, are layers of their own."""
    twice = {"Layers": [row(), row(), row(TacticValue="0x3ea"), row(Outputs=[]), row(Outputs=[])]}
    layers = read_inspector(json.dumps(twice)).layers
    assert [layer.tactic_id for layer in layers] == [None, 1002, None, None]


def test_bare_quotes_do_not_break_the_document() -> None:
    """TensorRT escapes nothing: quotes and backslashes in names and metadata are read as printed."""
    text = json.dumps({"Layers": [row(Name="N", Metadata="M")]}, indent=1)
    text = text.replace('"N"', '"conv "3x3" C:\\models"').replace('"M"', '"[ONNX Layer: a "b"]"')
    layer = read_inspector(text).layers[0]
    assert (layer.name, layer.metadata) == ('conv "3x3" C:\\models', ('a "b"',))


def test_rows_that_are_no_layers_are_kept_aside() -> None:
    """What claims to be a layer and is none is reported, not dropped."""
    record = read_inspector(json.dumps({"Layers": [row(), {"LayerType": "T"}, 7]}))
    assert len(record.layers) == 1
    assert record.unreadable == ('{"LayerType": "T"}', "7")
    text = "Layers:\nName: a, LayerType: T, Inputs: [], Outputs: [], Metadata: \nName: b, LayerType: T, Inp\n"
    text += "\nI/O Tensors:\n Name: x, IOMode: In\n"
    record = read_inspector(text)
    assert [layer.name for layer in record.layers] == ["a"]
    assert (record.unreadable, record.unreadable_tensors) == (
        ("Name: b, LayerType: T, Inp",),
        (" Name: x, IOMode: In",),
    )
    record = read_inspector(json.dumps({"Layers": [row()], "Bindings": ["x", 1], "I/O Tensors": [[], {"Name": "y"}]}))
    assert (record.bindings, record.unreadable, record.unreadable_tensors) == (("x",), (), ("1", "[]"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the layer information is empty"),
        (" \n", "the layer information is empty"),
        ("{", "is not JSON"),
        ("[]", 'neither a JSON object nor a line "Layers:"'),
        ('{"Layers": 1}', 'no list "Layers"'),
        ('{"Layers": [{"Name": "a"}\n\n', "in line 3"),
        ('{"Layers": ' + "[" * 200_000, "nested too deeply"),
        ("hello", 'neither a JSON object nor a line "Layers:"'),
    ],
)
def test_another_document_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    """A document of another kind raises one error that says what was wrong and where."""
    with pytest.raises(FormatError, match=sentence):
        read_inspector(text)


def test_the_error_knows_its_line() -> None:
    """A broken JSON document names the line where it breaks."""
    with pytest.raises(FormatError) as caught:
        read_inspector('{"Layers": [\n"a",\n}')
    assert caught.value.line == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Name", "Inputs", "Outputs", "Dimensions", "Metadata", "Weights"]), inner)
    ),
    max_leaves=12,
)


@given(st.text() | st.text().map("Layers:\n{}".format) | st.text().map('{{"Layers": [{}]}}'.format))
def test_any_text_reads_or_is_refused(text: str) -> None:
    """No text makes the reader raise anything but its own error."""
    with suppress(FormatError):
        assert isinstance(read_inspector(text), InspectorRecord)


@given(st.lists(JSON, max_size=3))
def test_any_json_reads(rows: list[object]) -> None:
    """Whatever stands in the list of layers, each row is a layer, a repetition of one, or reported."""
    record = read_inspector(json.dumps({"Layers": rows, "Bindings": rows, "I/O Tensors": rows}))
    assert len(record.layers) + len(record.unreadable) <= len(rows)
    assert len(record.layers) + len(record.unreadable) >= min(1, len(rows))


@pytest.mark.parametrize("unit", ["a", '"', "[", "\\", '": [', "{"])
def test_time_is_bounded_by_length(unit: str) -> None:
    """Two megabytes of one repeated piece are read or refused in the time of one pass, not of a square."""
    for head in ('{"Layers": [', '{"Layers": [{"Name": "', "Layers:\n"):
        start = time.process_time()
        with suppress(FormatError):
            read_inspector(head + unit * (2_000_000 // len(unit)))
        assert time.process_time() - start < 3

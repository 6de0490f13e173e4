"""Layer lines: every spelling of a layer ends in the same record, and a broken line in none."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trtlens_parsers.formats import read_format, read_tensor
from trtlens_parsers.layers import (
    LayerRecord,
    TensorRecord,
    is_layer_line,
    read_layer,
    read_metadata,
)
from trtlens_parsers.messages.tactic_lines import read_tactic_id

FIXTURES = Path(__file__).parents[1] / "fixtures"


def tensor(name: str, text: str) -> TensorRecord:
    shaped = read_tensor(text)
    assert shaped is not None
    return TensorRecord(name, shaped.format, shaped.dims)


LINES = [
    (
        "Layer: conv1 input reformatter 0 (Reformat), Tactic: 0, data[Float(1,28,28)] -> in 0[Int8(1,28,28)]",
        LayerRecord(
            name="conv1 input reformatter 0",
            type="Reformat",
            tactic_id=0,
            inputs=(tensor("data", "Float(1,28,28)"),),
            outputs=(tensor("in 0", "Int8(1,28,28)"),),
        ),
    ),
    (
        "Layer(i8816cudnn): conv2, Tactic: -545024964146453661, pool1[Int8(20,12,12)] -> conv2[Int8(50,8,8)]",
        LayerRecord(
            name="conv2",
            type="i8816cudnn",
            tactic_id=2**64 - 545024964146453661,
            inputs=(tensor("pool1", "Int8(20,12,12)"),),
            outputs=(tensor("conv2", "Int8(50,8,8)"),),
        ),
    ),
    (
        "Layer(PluginV2): NMS, Tactic: 0, a[Float(7,1,1)], b [x][Float(2,7,1)] -> NMS[Float(1,9,7)], k[Float(1,1,1)]",
        LayerRecord(
            name="NMS",
            type="PluginV2",
            tactic_id=0,
            inputs=(tensor("a", "Float(7,1,1)"), tensor("b [x]", "Float(2,7,1)")),
            outputs=(tensor("NMS", "Float(1,9,7)"), tensor("k", "Float(1,1,1)")),
        ),
    ),
    (
        "Layer(cudaFusedBlockLocalMLP): 2-layer MLP: A + B -> C, Tactic: 0, x[Half(84,1,1)] -> y[Half(10,1,1)]",
        LayerRecord(
            name="2-layer MLP: A + B -> C",
            type="cudaFusedBlockLocalMLP",
            tactic_id=0,
            inputs=(tensor("x", "Half(84,1,1)"),),
            outputs=(tensor("y", "Half(10,1,1)"),),
        ),
    ),
    (
        "Layer(Constant): c, Tactic: 0,  -> (Unnamed Layer* 5) [Shuffle]_output[Float(1,1,256)]",
        LayerRecord(
            name="c",
            type="Constant",
            tactic_id=0,
            outputs=(tensor("(Unnamed Layer* 5) [Shuffle]_output", "Float(1,1,256)"),),
        ),
    ),
    (
        "Layer(NoOp): {ForeignNode[a + b...c]}, Tactic: 0xd15ea5edd15ea5ed, PWN(p, q) (Half[8,64:8,7,7]) -> r (Half[])",
        LayerRecord(
            name="{ForeignNode[a + b...c]}",
            type="NoOp",
            tactic_id=0xD15EA5EDD15EA5ED,
            inputs=(tensor("PWN(p, q)", "Half[8,64:8,7,7]"),),
            outputs=(tensor("r", "Half[]"),),
        ),
    ),
    (
        "Layer(TrainStation): [trainStation1], Tactic: 0x0000000000000000,  -> ",
        LayerRecord(name="[trainStation1]", type="TrainStation", tactic_id=0),
    ),
    (
        "Layer(DeviceToShapeHost): count to host, Tactic: 0x0000000000000000, (Unnamed Layer* 7) [NMS]_1_output (Int32[]) -> ",
        LayerRecord(
            name="count to host",
            type="DeviceToShapeHost",
            tactic_id=0,
            inputs=(tensor("(Unnamed Layer* 7) [NMS]_1_output", "Int32[]"),),
        ),
    ),
    (
        "Layer(DeviceToShapeHost): host, x[Int32()], y[Int32(4)] -> ",
        LayerRecord(
            name="host",
            type="DeviceToShapeHost",
            inputs=(tensor("x", "Int32()"), tensor("y", "Int32(4)")),
        ),
    ),
    (
        "Layer(Reformat): PWN(a, b), x (Float[n,3]) -> y (Half[n,3])",
        LayerRecord(
            name="PWN(a, b)",
            type="Reformat",
            inputs=(tensor("x", "Float[n,3]"),),
            outputs=(tensor("y", "Half[n,3]"),),
        ),
    ),
    (
        "Layer(Constant): weights,  -> w (Half[3])",
        LayerRecord(name="weights", type="Constant", outputs=(tensor("w", "Half[3]"),)),
    ),
    (
        (
            "Name: Conv_0, LayerType: Conv, Inputs: [ { Name: x, Dimensions: [1,-1], Format/Datatype: Int32 }], "
            'Outputs: [], Kernel: [3,3], Weights: {"Type": "Half", "Count": 9}, Operations: ["a = b, c: d;", "e"], '
            "TacticName: k_1, TacticValue: 0x3ea"
        ),
        LayerRecord(
            name="Conv_0",
            type="Conv",
            tactic_id=0x3EA,
            tactic_name="k_1",
            inputs=(TensorRecord("x", read_format("Int32"), (1, None)),),
            parameters=(
                ("Kernel", "[3,3]"),
                ("Weights", '{"Type": "Half", "Count": 9}'),
                ("Operations", '["a = b, c: d;", "e"]'),
            ),
            detailed=True,
        ),
    ),
    (
        (
            "Name: g, LayerType: kgen, Inputs: [ { Name: i, Dimensions: [2], Strides: [1], StrideOrder: [0], "
            "Datatype: Half, Format: (Linear) Row major linear format }], "
            "Constants: [ { Name: c, Dimensions: [], Format/Datatype: Int64 }], "
            "Outputs: [], TacticName: , StreamId: 1, Origin: QDQ, Metadata: [ONNX Layer: a]\x1f[ONNX Layer: b [c], d]"
        ),
        LayerRecord(
            name="g",
            type="kgen",
            inputs=(TensorRecord("i", read_format("(Linear) Row major linear format", "Half", 1), (2,), (1,)),),
            constants=(TensorRecord("c", read_format("Int64"), ()),),
            metadata=("a", "b [c], d"),
            stream=1,
            origin="QDQ",
            detailed=True,
        ),
    ),
]


@pytest.mark.parametrize(("line", "record"), LINES, ids=[record.type for _, record in LINES])
def test_a_line_of_each_version_reads(line: str, record: LayerRecord) -> None:
    """Each version's spelling gives name, type, tactic and tensors as they stand in the line."""
    assert is_layer_line(line)
    assert read_layer(line) == record
    assert read_layer(f"  {line}\r") == record


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Layer: Conv_0 Host Persistent: 4592 Device Persistent: 0 Scratch Memory: 0",
        "Layer(T): a, b, x (Half[1]) -> y (Half[1])",
        "Layer(T): a, Tactic: 0, x (Half[1])",
        "Layer(T): a, Tactic: 0, x (Half[1]) -> y (Half[1]) ->",
        "Layer(T): a, Tactic: 0, x (Half[1]) ",
        "Layer(T): a, Tactic: 0, x (Half[1]) -> y (Half[1]) -> z (Half[1])",
        "Layer(T): a, Tactic: 0, x (Half[1]) -> y[Half(1)]",
        "Name: a, LayerType: T",
        "Name: a, LayerType: T, Inputs: [], Outputs: [], OutMaps: 64",
        "Name: a, LayerType: T, Inputs: [], Outputs: [], StreamId: 0",
        "Name: a, LayerType: T, Inputs: [], Outputs: [], Metadata: [ONNX Layer: a",
        "Name: a, LayerType: T, Inputs: [], Outputs: [], Metadata: [ONNX Layer: a]\x1e",
        "Name: a, LayerType: T, Inputs: [], Outputs: [], TacticValue: 0x",
        "Name: a, LayerType: T, Inputs: [], Outputs: [], TacticValue: 0x00000",
        "Name: a, LayerType: T, Inputs: [ { Name: x }], Outputs: [], Metadata: ",
        "Name: a, LayerType: T, Inputs: [], Weights: {, Metadata: ",
        "Name: a, LayerType: T, Inputs: [ { Name: x, Dimensions: [1], Dimensions: [2] }], Outputs: [], Metadata: ",
    ],
)
def test_what_is_cut_or_ambiguous_is_no_layer(line: str) -> None:
    """A line that breaks off, or that leaves open where a name ends, has no record rather than a wrong one."""
    assert read_layer(line) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("-3360065831133338131", 0xD15EA5EDD15EA5ED),
        ("0xd15ea5edd15ea5ed", 0xD15EA5EDD15EA5ED),
        ("0x3EA", 1002),
        ("1002", 1002),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", None),
        ("-9223372036854775809", None),
        ("0x", None),
        ("", None),
        ("9" * 5000, None),
    ],
)
def test_tactic_ids_are_64_bits_in_any_spelling(text: str, number: int | None) -> None:
    """Signed decimal and hexadecimal spell the same unsigned number; what does not fit is unknown."""
    assert read_tactic_id(text) == number


def test_metadata_of_another_shape_is_kept_as_text() -> None:
    """Only ONNX layers give node names; a user's own metadata stays a parameter, word for word."""
    assert read_metadata("[ONNX Layer: a][ONNX Layer: b]\x1e[ONNX Layer: c]") == ("a", "b", "c")
    assert read_metadata("") == ()
    own = '{"tta": "[ONNX Layer: a]"}'
    record = read_layer(f"Name: n, LayerType: T, Inputs: [], Outputs: [], Metadata: {own}")
    assert record is not None
    assert (record.metadata, record.parameters) == ((), (("Metadata", own),))


def test_constants_may_be_names_alone() -> None:
    """A list of another shape than tensors is kept as a parameter."""
    record = read_layer('Name: n, LayerType: kgen, Inputs: [], Constants: ["a", "b"], Outputs: [], Metadata: ')
    assert record is not None
    assert (record.constants, record.parameters) == ((), (("Constants", '["a", "b"]'),))


def test_odd_names_of_a_real_engine() -> None:
    """TensorRT-RTX prints `, LayerType: y` and quotes inside names; they stay part of the names."""
    text = FIXTURES.joinpath("inspector-rtx-1.7-small-cnn", "odd-names.txt").read_bytes().decode()
    records = {line: read_layer(line) for line in text.split("\n") if line.startswith("Name: ")}
    assert None not in records.values()
    names = [record.name for record in records.values() if record]
    assert "e [x], LayerType: y2_myl0_2" in names
    assert "b, c -> d9_myl0_5" in names
    nodes = [node for record in records.values() if record for node in record.metadata]
    assert 'a "quoted" name0' in nodes
    assert "g]h14" in nodes


# -- round trips ---------------------------------------------------------------------------------------------------

FRAGMENTS = [
    *("conv", "Relu_1", "a.b", "::", "/", " ", "x", "9", "\x1e", "\x1f", "%", "#", '"', "'", "\\", "\t", "é", "層"),
    *(", ", " + ", " || ", " -> ", ": ", "[", "]", "(", ")", "{", "}", "])", ")]", "[Shuffle]", "(Half)", "...", " * "),
    *("(Unnamed Layer* 5) [Shuffle]", "{ForeignNode[a + b...c]}", "PWN(a, b)", "[profile 1]", ", LayerType: y"),
    *(", Tactic: ", " }]", " { Name: ", "[ONNX Layer: ", "Reformatted Input Tensor 0 to "),
]
NAMES = (
    st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=6)
    .map("".join)
    # a name that begins or ends with blanks, or with the arrow, cannot be told from its surroundings
    .filter(lambda name: name == name.strip() and not name.startswith("-> "))
)
SIZES = st.lists(st.integers(0, 4096), max_size=5).map(tuple)
DTYPES = st.sampled_from(["Float", "Half", "Int8", "Int32", "Bool", "BFloat16", "FP8"])


@dataclass(frozen=True)
class Spelling:
    """How one version writes a layer line."""

    head: str
    tensor: str
    tactic: str


SPELLINGS = [
    Spelling("Layer: {name} ({type}), Tactic: {tactic}, ", "{name}[{dtype}({dims})]", "decimal"),
    Spelling("Layer({type}): {name}, Tactic: {tactic}, ", "{name}[{dtype}({dims})]", "decimal"),
    Spelling("Layer({type}): {name}, Tactic: {tactic}, ", "{name}[{dtype}({dims})]", "hexadecimal"),
    Spelling("Layer({type}): {name}, Tactic: {tactic}, ", "{name} ({dtype}[{dims}])", "hexadecimal"),
]


@st.composite
def layers(draw: st.DrawFn) -> LayerRecord:
    def tensors(fewest: int) -> tuple[TensorRecord, ...]:
        drawn = draw(st.lists(st.tuples(NAMES, DTYPES, SIZES), min_size=fewest, max_size=3))
        return tuple(
            TensorRecord(name, read_format(dtype, rank=len(dims)), dims, location=None) for name, dtype, dims in drawn
        )

    tactic_id = draw(st.integers(0, 2**64 - 1))
    kind = draw(st.sampled_from(["CaskConvolution", "Reformat", "i8816cudnn"]))
    return LayerRecord(draw(NAMES), kind, tactic_id, None, tensors(0), tensors(1))


def spell_tactic(number: int, how: str) -> str:
    return f"0x{number:016x}" if how == "hexadecimal" else str(number - 2**64 if number >= 2**63 else number)


def render(layer: LayerRecord, spelling: Spelling) -> str:
    def side(tensors: tuple[TensorRecord, ...]) -> str:
        return ", ".join(
            spelling.tensor.format(name=t.name, dtype=t.format.text, dims=",".join(map(str, t.dims or ())))
            for t in tensors
        )

    tactic = spell_tactic(layer.tactic_id or 0, spelling.tactic)
    head = spelling.head.format(name=layer.name, type=layer.type, tactic=tactic)
    return f"{head}{side(layer.inputs)} -> {side(layer.outputs)}"


def render_detailed(layer: LayerRecord, separator: str) -> str:
    def side(tensors: tuple[TensorRecord, ...]) -> str:
        rows = [
            f"{{ Name: {t.name}, Location: Device, Dimensions: [{','.join(map(str, t.dims or ()))}], "
            f"Format/Datatype: {t.format.text} }}"
            for t in tensors
        ]
        return f"[ {', '.join(rows)}]" if rows else "[]"

    metadata = separator.join(f"[ONNX Layer: {node}]" for node in layer.metadata)
    return (
        f"Name: {layer.name}, LayerType: {layer.type}, Inputs: {side(layer.inputs)}, Outputs: {side(layer.outputs)}, "
        f"OutMaps: 64, TacticValue: 0x{layer.tactic_id:016x}, StreamId: 0, Metadata: {metadata}"
    )


def essence(layer: LayerRecord) -> tuple[object, ...]:
    """What every spelling of a layer shows."""
    tensors = [[(t.name, t.format.dtype, t.dims) for t in side] for side in (layer.inputs, layer.outputs)]
    return layer.name, layer.type, layer.tactic_id, tensors


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda one: one.head[:6] + one.tensor)
def test_a_tactic_in_the_name_of_an_output_ends_no_layer(spelling: Spelling) -> None:
    """What stands behind it is no list of tensors: the tactic before it is the layer's."""
    output = TensorRecord(
        5 * ", Tactic: " + "a, Tactic: 9, LayerType: y", read_format("Float", rank=1), (8,), location=None
    )
    layer = LayerRecord("conv, Tactic: 7, b", "CaskConvolution", 3, None, (), (output,))
    record = read_layer(render(layer, spelling))
    assert record is not None
    assert essence(record) == essence(layer)


@given(layers(), st.sampled_from(SPELLINGS))
def test_any_name_survives_each_layer_line(layer: LayerRecord, spelling: Spelling) -> None:
    """Names with any character, and ids of 64 bits, come back from every version's layer line as they went in."""
    assume(not (spelling.head.startswith("Layer: ") and layer.name.endswith(" (")))
    line = render(layer, spelling)
    # a tensor's name that holds a tactic, with an arrow behind it, cannot be told from a longer name of the layer
    operands = line[len(line) - len(render(layer._replace(name="", type=""), spelling)) :]
    assume(not re.search(r", Tactic: [-\w]+,.*->", operands.partition(", Tactic: ")[2], re.DOTALL))
    record = read_layer(line)
    assert record is not None
    assert essence(record) == essence(layer)


@given(layers(), st.lists(NAMES, max_size=3), st.sampled_from(["\x1e", "\x1f"]))
def test_any_name_survives_detailed_information(layer: LayerRecord, nodes: list[str], separator: str) -> None:
    """The same holds for one-line layer information, and for the names of ONNX nodes in its metadata."""
    assume(all("[ONNX Layer: " not in node for node in nodes))
    wanted = layer._replace(metadata=tuple(nodes))
    record = read_layer(render_detailed(wanted, separator))
    assert record is not None
    assert essence(record) == essence(layer)
    assert (record.metadata, record.stream, record.parameters) == (tuple(nodes), 0, (("OutMaps", "64"),))


@given(layers(), st.sampled_from(SPELLINGS), st.data())
def test_a_cut_layer_line_is_never_another_layer(layer: LayerRecord, spelling: Spelling, data: st.DataObject) -> None:
    """A prefix of a layer line has no record, or, cut exactly behind the arrow or an output, lacks the later outputs."""
    line = render(layer, spelling)
    cut = read_layer(line[: data.draw(st.integers(0, len(line) - 1))])
    whole = read_layer(line)
    assert whole is not None
    if cut is not None:
        assert cut._replace(outputs=whole.outputs) == whole
        assert cut.outputs == whole.outputs[: len(cut.outputs)]


@given(layers(), st.lists(st.sampled_from(["/a/Conv", "b", "c d"]), max_size=3), st.data())
def test_cut_detailed_information_is_never_another_layer(
    layer: LayerRecord, nodes: list[str], data: st.DataObject
) -> None:
    """A prefix of one-line information has no record, or lacks what stands behind the tactic and the last nodes."""
    line = render_detailed(layer._replace(metadata=tuple(nodes)), "\x1e")
    end = data.draw(st.integers(line.index(", OutMaps: ") if data.draw(st.booleans()) else 0, len(line) - 1))
    cut, whole = read_layer(line[:end]), read_layer(line)
    assert whole is not None
    if cut is not None:
        assert cut._replace(metadata=whole.metadata, stream=whole.stream) == whole
        assert cut.metadata == whole.metadata[: len(cut.metadata)]


@given(st.text() | st.text().map("Layer(T): n, Tactic: 0, {}".format) | st.text().map("Name: {}".format))
def test_any_text_has_an_answer(text: str) -> None:
    """No line makes the reader raise, and what it reads as a layer also looks like one."""
    if read_layer(text) is not None:
        assert is_layer_line(text)


@pytest.mark.parametrize("unit", [*'a (){[",:-', " (A[", ", a: ", ", Tactic: 0,", " (Half[1]), "])
@pytest.mark.parametrize(
    "head",
    [
        "Layer(T): ",
        "Layer(T): n, Tactic: 0, ",
        "Name: a, LayerType: T, Inputs: [ { Name: ",
        "Name: a, LayerType: T, Inputs: [], Outputs: [], Foo: [",
    ],
)
def test_time_is_bounded_by_length(head: str, unit: str) -> None:
    """Two megabytes of one repeated piece take a second at most, wherever in a layer line they stand."""
    line = head + unit * (2_000_000 // len(unit) if len(unit) == 1 else 1_000_000 // len(unit))
    start = time.process_time()
    read_layer(line)
    assert time.process_time() - start < 3

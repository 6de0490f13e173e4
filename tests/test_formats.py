"""Tensor formats: sentences, dimensions and strides say the same thing about the same tensor."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtlens_parsers.data_types import read_dtype
from trtlens_parsers.formats import TensorFormat, read_format, read_tensor, tensor_bytes
from trtlens_parsers.strides import read_strides, read_strides_list

SENTENCES = [
    # 8.2 to 8.6
    ("Row major linear FP32", "fp32", 1, "linear"),
    ("Row major linear FP16 format", "fp16", 1, "linear"),
    ("Thirty-two wide channel vectorized row major Int8 format.", "int8", 32, "chw32"),
    ("Row major linear Int32", "int32", 1, "linear"),
    ("Row major linear BOOL", "bool", 1, "linear"),
    ("Row major Int8 format", "int8", 1, "linear"),
    ("Row major Int8 format where column stride % 64 == 0", "int8", 1, "dla_linear"),
    ("Two wide channel vectorized row major FP16 format", "fp16", 2, "chw2"),
    ("Four wide channel vectorized row major Int8 format", "int8", 4, "chw4"),
    ("Sixteen wide channel vectorized row major FP16 format", "fp16", 16, "chw16"),
    ("Thirty-two wide channel vectorized row major FP32 format", "fp32", 32, "chw32"),
    ("Thirty-two wide channel vectorized row major Int8 format with 3 spatial dimensions", "int8", 32, "cdhw32"),
    ("Channel major FP16 format", "fp16", 1, "hwc"),
    ("Channel major FP32 format with 3 spatial dimensions", "fp32", 1, "dhwc"),
    ("Channel major FP16 format where channel % 2 == 0", "fp16", 2, "hwc2"),
    ("Channel major FP16 format where channel % 8 == 0", "fp16", 8, "hwc8"),
    ("Channel major FP16 format where channel % 8 == 0 with 3 spatial dimensions", "fp16", 8, "dhwc8"),
    ("Channel major FP32 format with 3 spatial dimensions where channel % 4 == 0", "fp32", 4, "dhwc4"),
    ("Channel major INT8 format where channel == 4 and column stride % 32 == 0", "int8", 4, "dla_hwc4"),
    ("Channel major FP16 format where channel == 1 and column stride % 32 == 0", "fp16", 1, "dla_hwc4"),
    ("Channel major INT8 format where column stride % 32 == 0", "int8", None, None),
    # 9 and 10
    ("Half", "fp16", None, None),
    ("BFloat16", "bf16", None, None),
    ("FP4E2M1", "fp4", None, None),
    ("Row major linear BFloat16 format", "bf16", 1, "linear"),
    ("Channel major BFloat16 format where channel % 8 == 0", "bf16", 8, "hwc8"),
    # the API's
    ("Row major linear UINT8 format (kLINEAR)", "uint8", 1, "linear"),
    ("Four wide channel vectorized row major FP16 format (kCHW4)", "fp16", 4, "chw4"),
    (
        "Thirty-two wide channel vectorized row major INT8 format (kCDHW32) with 3 spatial dimensions",
        "int8",
        32,
        "cdhw32",
    ),
    ("Eight channel BF16 format (kHWC8) where C is padded to a multiple of 8", "bf16", 8, "hwc8"),
    (
        "Eight channel FP16 format (kDHWC8) where C is padded to a multiple of 8 and has 3 spatial dimensions",
        "fp16",
        8,
        "dhwc8",
    ),
    ("Sixteen channel FP8 format (kHWC16) where C is padded to a multiple of 16", "fp8", 16, "hwc16"),
    ("Non-vectorized channel-last FP32 format", "fp32", 1, "hwc"),
    ("Non-vectorized channel-last UINT8 format with 3 spatial dimensions", "uint8", 1, "dhwc"),
    # nothing is known
    ("N/A due to dynamic shapes", None, None, None),
    ("Format not available due to dynamic shapes", None, None, None),
    ("Unknown format", None, None, None),
    ("None", None, None, None),
    ("", None, None, None),
    ("Row major linear FP7 format", None, 1, "linear"),
    ("Channel major FP16 format where the moon is full", "fp16", None, None),
    ("Fortytwo wide channel vectorized row major FP16 format", "fp16", None, None),
]


@pytest.mark.parametrize(("text", "dtype", "width", "layout"), SENTENCES)
def test_every_sentence_reads_by_its_grammar(
    text: str, dtype: str | None, width: int | None, layout: str | None
) -> None:
    """Type, vector width and layout follow from a format sentence's words; what it leaves open is None."""
    record = read_format(text)
    assert (record.dtype, record.vector_width, record.layout, record.text) == (dtype, width, layout, text)


@pytest.mark.parametrize(
    ("text", "datatype", "dtype", "width", "layout"),
    [
        ("(Linear) Row major linear format", "Float", "fp32", 1, "linear"),
        ("(NHWC) Channel major format", "Half", "fp16", 1, "hwc"),
        ("Channel major format where channel % 16 == 0", "Int8", "int8", 16, "hwc16"),
        ("Two wide channel vectorized format", "BFloat16", "bf16", 2, "chw2"),
        ("(Transposed) Transposed format", "Float", "fp32", None, None),
        ("DLA planar format", "Int8", "int8", None, None),
        ("Format not available due to dynamic shapes", "Half", "fp16", None, None),
    ],
)
def test_type_and_format_may_be_printed_apart(
    text: str, datatype: str, dtype: str, width: int | None, layout: str | None
) -> None:
    """TensorRT 11 and RTX print `Datatype` and a `Format` without it; both end in one record that keeps both texts."""
    record = read_format(text, datatype)
    assert (record.dtype, record.vector_width, record.layout) == (dtype, width, layout)
    assert datatype in record.text
    assert text in record.text


def test_the_vector_axis_follows_from_the_rank() -> None:
    """The channel is the third axis from the end, the fourth in formats with depth, and unknown without dimensions."""
    plane, volume = "Channel major FP16 format where channel % 8 == 0", " with 3 spatial dimensions"
    assert [read_format(plane, rank=rank).vector_axis for rank in (None, 2, 3, 4, 5)] == [None, None, 0, 1, 2]
    assert [read_format(plane + volume, rank=rank).vector_axis for rank in (3, 4, 5)] == [None, 0, 1]
    assert read_format("Row major linear FP32", rank=4).vector_axis is None


@pytest.mark.parametrize(
    ("text", "form", "dims"),
    [
        ("Int8[8,512:32,7,7]", ("int8", 32, 1, "chw32"), (8, 512, 7, 7)),
        ("Int8[1,64:32,4,7,7]", ("int8", 32, 1, "cdhw32"), (1, 64, 4, 7, 7)),
        ("Half[8,64:8,56,56]", ("fp16", 8, 1, "hwc8"), (8, 64, 56, 56)),
        ("Float[-1,64:4,56,56]", ("fp32", 4, 1, "hwc4"), (None, 64, 56, 56)),
        ("Half[8,3:2,224,224]", ("fp16", 2, 1, None), (8, 3, 224, 224)),
        ("Half[8,32:16,7,7]", ("fp16", 16, 1, None), (8, 32, 7, 7)),
        ("Int8[8,4:4,7,7]", ("int8", 4, 1, None), (8, 4, 7, 7)),
        ("Float[8,3,224,224]", ("fp32", 1, None, None), (8, 3, 224, 224)),
        ("Int8(1,64,56,56)", ("int8", None, None, None), (1, 64, 56, 56)),
        ("Float(-8,256,-10,19)", ("fp32", None, None, None), (None, 256, None, 19)),
        ("Float[n,3]", ("fp32", 1, None, None), (None, 3)),
        ("Int32[]", ("int32", 1, None, None), ()),
        ("Novel[2,3]", (None, 1, None, None), (2, 3)),
    ],
)
def test_dimensions_show_the_vector_from_8_5_on(
    text: str, form: tuple[str | None, int | None, int | None, str | None], dims: tuple[int | None, ...]
) -> None:
    """Dimensions give sizes and vector; a layout only where TensorRT has one family for that type and width."""
    record = read_tensor(text)
    assert record is not None
    assert record.format == TensorFormat(*form, text)
    assert record.dims == dims


@pytest.mark.parametrize("text", ["", "Half", "Half[1,2", "Half[1,2)", "half(1)", "Novel[n]", "Half[1][2]", "[1,2]"])
def test_what_is_no_tensor_is_none(text: str) -> None:
    """A text that is not a type with dimensions has no record."""
    assert read_tensor(text) is None


STRIDES = [
    ("Float(25088,784,28,1)", 1, None, "linear", (25088, 784, 28, 1)),
    ("Float(401408,1,14336,512)", 1, None, "hwc", (401408, 1, 14336, 512)),
    ("Float(784,1,28,1)", 1, None, "hwc", (784, 1, 28, 1)),
    ("Float(100352,1,14336,1792,64)", 1, None, "dhwc", (100352, 1, 14336, 1792, 64)),
    ("Int8(6272,196:32,14,1)", 32, 1, "chw32", (6272, 196, 14, 1)),
    ("Half(100352,50176:2,224,1)", 2, 1, "chw2", (100352, 50176, 224, 1)),
    ("Half(100352,1:2,448,2)", 2, 1, "hwc2", (100352, 1, 448, 2)),
    ("Half(784,1:8,56,4)", 8, 1, "hwc8", (784, 1, 56, 4)),
    ("Half(125,1:8,125,125)", 8, 1, "hwc8", (125, 1, 125, 125)),
    ("Half(784,1:8,28,1)", 8, 1, "hwc8", (784, 1, 28, 1)),
    ("Half(1568,1:8,784,56,4)", 8, 1, "dhwc8", (1568, 1, 784, 56, 4)),
    ("Half(128,1:2,1,1)", 2, 1, "chw2", (128, 1, 1, 1)),
    ("Int8(1,1:16,1,1)", 16, 1, "hwc16", (1, 1, 1, 1)),
    ("Half(1,1:2,1,1)", 2, 1, None, (1, 1, 1, 1)),
    ("Half(51200,25600,64,8,8:32,2,1)", 32, 4, "chw32", (51200, 25600, 64, 8, 8, 2, 1)),
    ("Float(1,64)", 1, None, None, (1, 64)),
    ("Float(0,1)", 1, None, None, (0, 1)),
    ("Float()", 1, None, "linear", ()),
    ("Float(1)", 1, None, "linear", (1,)),
    ("Float(E0,2048,1)", 1, None, "linear", (None, 2048, 1)),
    ("Float(E0:4,256,1)", 4, 0, "chw4", (None, 256, 1)),
    ("Float(E0:32,256,1)", 32, 0, "chw32", (None, 256, 1)),
    ("Float((* (# 2 (SHAPE x, y)) E0),1:4,E0,64)", 4, 1, "hwc4", (None, 1, None, 64)),
    ("Float(E0,E1,1)", 1, None, "linear", (None, None, 1)),
    ("Novel(2,1)", 1, None, "linear", (2, 1)),
]


@pytest.mark.parametrize(("text", "width", "axis", "layout", "strides"), STRIDES)
def test_strides_decide_the_layout(
    text: str, width: int, axis: int | None, layout: str | None, strides: tuple[int | None, ...]
) -> None:
    """Which axis has the unit stride and which the vector decides the layout; symbols stay None and keep their text."""
    record = read_strides(text)
    assert record is not None
    assert (record.format.vector_width, record.format.vector_axis, record.format.layout) == (width, axis, layout)
    assert (record.strides, record.format.text, record.long_strided) == (strides, text, False)


@pytest.mark.parametrize(("text", "width", "axis", "layout", "strides"), STRIDES)
def test_7x_prints_the_innermost_axis_first(
    text: str, width: int, axis: int | None, layout: str | None, strides: tuple[int | None, ...]
) -> None:
    """The same tensor with its axes written backwards gives the same layout and strides under the flag of 7.x."""
    name, _, inner = text.partition("(")
    if "SHAPE" in inner:
        return  # 7.x printed no formulas
    record = read_strides(f"{name}({','.join(reversed(inner[:-1].split(',')))})", innermost_first=True)
    assert record is not None
    assert (record.strides, record.format.vector_width, record.format.vector_axis) == (strides, width, axis)
    assert record.format.layout == layout


def test_a_combination_splits_into_inputs_and_outputs() -> None:
    """Operands keep their order and side; formulas, `where` on either side and `long-strided` do not split them."""
    combination = read_strides_list(
        "Float((* (# 2 (SHAPE a -> b)) E0),1,E0,256) where E0=(* 256 (# 3 (SHAPE a -> b)))"
        " -> Half(784,1:8,28,1) long-strided where E0=(* 64 (# 3 (SHAPE x))) ***************"
    )
    assert combination is not None
    assert [tensor.strides for tensor in combination.inputs] == [(None, 1, None, 256)]
    assert [tensor.long_strided for tensor in combination.outputs] == [True]
    assert combination.outputs[0].format.text == "Half(784,1:8,28,1) long-strided"


@pytest.mark.parametrize(
    ("text", "inputs", "outputs"),
    [
        (" -> Float(1)", 0, 1),
        ("Float(1) -> ", 1, 0),
        ("Float(E0,1), Float(2,1), Half() -> Float(E0,1) where E0=(* 2 (# 1 (SHAPE t))) ****", 3, 1),
        ("Int8(8,1:32,1,1) -> Int8(1), Int8(2,1)", 1, 2),
    ],
)
def test_either_side_may_be_empty(text: str, inputs: int, outputs: int) -> None:
    """A runner without inputs or outputs is a combination like any other."""
    combination = read_strides_list(text)
    assert combination is not None
    assert (len(combination.inputs), len(combination.outputs)) == (inputs, outputs)


@pytest.mark.parametrize(
    "text", ["", "->x", "Float(1)", "Float(1,2 -> Float(1)", "Float(1) -> Float(1), ", "Float(1) -> Float(1) and more"]
)
def test_a_broken_combination_is_none(text: str) -> None:
    """A combination that breaks off or goes on differently has no record."""
    assert read_strides_list(text) is None


@pytest.mark.parametrize(
    ("dtype", "dims", "width", "axis", "expected"),
    [
        ("fp16", (8, 3, 224, 224), 8, 1, 8 * 8 * 224 * 224 * 2),
        ("int8", (1, 33, 7, 7), 32, 1, 64 * 49),
        ("fp32", (8, 3, 2, 2), 1, None, 8 * 3 * 4 * 4),
        ("fp4", (3,), 1, None, 2),
        ("int4", (), 1, None, 1),
        ("bool", (5,), 1, None, 5),
        ("fp32", (0, 4), 1, None, 0),
        ("fp32", (None, 4), 1, None, None),
        (None, (4,), 1, None, None),
        ("fp16", (8, 3, 4, 4), 8, None, None),
        ("fp16", (8, 3, 4, 4), None, None, None),
        ("fp16", (32, 64, 4, 4), None, None, 32 * 64 * 16 * 2),
        ("fp16", (8, 3), None, None, 48),
    ],
)
def test_bytes_count_the_padding(
    dtype: str | None, dims: tuple[int | None, ...], width: int | None, axis: int | None, expected: int | None
) -> None:
    """Channels fill whole vectors, sub-byte types are rounded up, and a size that cannot be known is None."""
    assert tensor_bytes(dtype, dims, width, axis) == expected


def test_types_have_one_spelling() -> None:
    """Each printed spelling of a type reads as one name in any case, and an unlisted name as none."""
    assert {read_dtype(name) for name in ("Float", "FP32", "float")} == {"fp32"}
    assert {read_dtype(name) for name in ("BF16", "BFloat16")} == {"bf16"}
    assert read_dtype("FP6") is None


@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    """No text makes a format reader raise, and what it keeps is the text itself."""
    assert read_format(text).text == text
    for record in (read_tensor(text), read_strides(text)):
        assert record is None or record.format.text == text.strip()
    read_strides_list(text)


@pytest.mark.parametrize("character", list("a1(,:[ -*"))
def test_two_megabytes_of_one_character_take_no_second(character: str) -> None:
    """Time is bounded by the length of the text, whatever it repeats."""
    text = "Float(" + character * 2_000_000
    for reader in (read_strides, read_strides_list, read_tensor, read_format):
        start = time.process_time()
        reader(text)
        assert time.process_time() - start < 3

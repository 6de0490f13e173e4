"""Tensor formats: data type, dimensions, strides, vectorisation and memory layout, from every text that shows them.

Four texts carry them. Autotuner lines print strides, `Half(784,1:8,28,1)` (TensorRT 7 to 11; see `strides`); layer
lines print dimensions, `Int8(1,64,56,56)` to 8.4 and `Int8[8,512:32,7,7]` from 8.5; the inspector prints a sentence
(8.x), the type alone (9, 10) or `Datatype` and `Format` (11, TensorRT-RTX); bindings print the API's sentence, with
`(kHWC8)` in it.

Strides and sentences say the layout. Dimensions say only how many channels form a vector, and from 8.5 on only: a
layout follows where TensorRT has one family for that type and width (FP16 by 8 is always channel-last). The others stay
None: an FP16 tensor in pairs is `Channel major .. channel % 2 == 0` in some engines and kCHW2 in others, INT8 by 4 and
FP16 by 16 likewise, which the sentences inside libnvinfer 8.6 and measured engines show.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import NamedTuple

from trtlens_parsers.data_types import DTYPE_BITS, PRINTED_DTYPES, read_dtype

Dims = tuple[int | None, ...]
"""One value an axis, None where it is dynamic or symbolic; empty for a scalar."""

# What a layer line may hold as dimensions: numbers, `512:32`, and for a type of known name also a symbol such as `n`.
# All repetition is bounded: no text, however long, makes a search go over it twice.
_SIZE = r"-?\d{1,20}(?::\d{1,4})?"
_NUMBERS = rf"(?:{_SIZE}(?:,{_SIZE}){{0,31}})?"
_SYMBOLS = r"[\w:,.*+/ -]{0,999}"
BRACKETED_TENSOR = rf"(?:(?:{PRINTED_DTYPES})\[{_SYMBOLS}\]|[A-Z]\w{{0,31}}\[{_NUMBERS}\])"
PARENTHESISED_TENSOR = rf"(?:(?:{PRINTED_DTYPES})\({_SYMBOLS}\)|[A-Z]\w{{0,31}}\({_NUMBERS}\))"
"""Patterns of a type with its dimensions, as 8.5+ and up to 8.4 spell it."""
_TENSOR = re.compile(rf"{BRACKETED_TENSOR}|{PARENTHESISED_TENSOR}")

LARGEST = 2**63 - 1
"""The largest extent, stride or size in bytes: what a signed 64-bit number holds."""
_WORDS = {"two": 2, "four": 4, "eight": 8, "sixteen": 16, "thirty-two": 32}
_SENTENCE = re.compile(
    r"(?:\((?P<lead>\w{1,32})\)\ )?"  # 11.x: (Linear) (NHWC) (Transposed)
    r"(?:(?P<row>Row\ major(?:\ linear)?)"
    r"|(?P<wide>[\w-]{1,16})\ wide\ channel\ vectorized(?:\ row\ major)?"
    r"|(?P<channel>Channel\ major|Non-vectorized\ channel-last)"
    r"|(?P<padded>[\w-]{1,16})\ channel)"
    r"(?:\ (?P<dtype>(?!format\b|where\b|with\b)\w+))?(?:\ format)?(?:\ \(k\w+\))?"
    r"(?P<qualifiers>(?:\ .*)?)",
    re.VERBOSE | re.DOTALL,
)
_QUALIFIERS = re.compile(
    r"(?:(?:\ where\ channel\ %\ (?P<multiple>\d{1,4})\ ==\ 0)"
    r"|(?:\ where\ channel\ ==\ (?P<channels>\d{1,4})\ and\ column\ stride\ %\ 32\ ==\ 0)"
    r"|(?:\ where\ column\ stride\ %\ (?P<pitch>\d{1,4})\ ==\ 0)"
    r"|(?:\ where\ C\ is\ padded\ to\ a\ multiple\ of\ \d{1,4})"
    r"|(?P<volume>\ (?:with|and\ has)\ 3\ spatial\ dimensions))*",
    re.VERBOSE,
)
# The API's enumerators, with their vector widths; DLA's image format has 1 or 4 and does not say which.
_API_NAME = re.compile(r"\(k([A-Z][A-Z0-9_]{1,15})\)")
_API_WIDTHS: dict[str, int | None] = {
    **dict.fromkeys(("linear", "hwc", "dhwc", "dla_linear"), 1),
    **dict.fromkeys(("hwc8", "dhwc8"), 8),
    **dict.fromkeys(("chw16", "hwc16"), 16),
    **dict.fromkeys(("chw32", "cdhw32"), 32),
    "chw2": 2,
    "chw4": 4,
    "dla_hwc4": None,
}
# Types and widths that exist in one layout family only; the key is what dimensions show.
_FAMILY = {
    ("fp16", 8): "hwc",
    ("bf16", 8): "hwc",
    ("fp32", 4): "hwc",
    ("int8", 16): "hwc",
    ("fp8", 16): "hwc",
    ("fp32", 32): "chw",
    ("fp16", 32): "chw",
    ("int8", 32): "chw",
}


class TensorFormat(NamedTuple):
    """How a tensor lies in memory, as far as one text shows it.

    Attributes:
        dtype: trtlens's name of the element type; None when unknown.
        vector_width: elements of the vectorised axis that lie together; 1 for none, None when it is not shown.
        vector_axis: the axis that is vectorised, counted from 0; None when there is none or it is not shown.
        layout: TensorRT's TensorFormat in lower case without the k (linear, chw32, hwc8, dhwc, dla_hwc4, ...), or the
            same scheme for internal formats (hwc2, chw8); None where the text leaves it open.
        text: what TensorRT printed.
    """

    dtype: str | None
    vector_width: int | None
    vector_axis: int | None
    layout: str | None
    text: str


class ShapedTensor(NamedTuple):
    """A type with dimensions from a layer line."""

    format: TensorFormat
    dims: Dims


def family_of(dtype: str | None, vector_width: int) -> str | None:
    """Say whether TensorRT vectorises a type by that width channel-last (`hwc`) or channel-first (`chw`) only."""
    return _FAMILY.get((dtype or "", vector_width))


def layout_name(family: str, spatial_axes: int, vector_width: int) -> str | None:
    """Compose a layout from family `hwc` or `chw`, the number of axes behind the channel (2 or 3), and the width."""
    if spatial_axes not in (2, 3):
        return None
    stem = {"hwc": ("hwc", "dhwc"), "chw": ("chw", "cdhw")}[family][spatial_axes - 2]
    return stem if vector_width == 1 else f"{stem}{vector_width}"


def read_int(text: str) -> int | None:
    """Read a decimal number as TensorRT prints sizes; None for a symbol and for what 64 bits do not hold."""
    try:
        number = int(text) if len(text) <= 20 and text.isascii() and "_" not in text else None
    except ValueError:
        return None
    return number if number is not None and -LARGEST <= number <= LARGEST else None


def read_dims(text: str) -> Dims:
    """Read `1,3,-1,n`: a negative number (8.0 to 8.4 print a distinct one per unknown size) or a symbol is None."""
    sizes = (read_int(part.partition(":")[0]) for part in text.split(",")) if text.strip() else ()
    return tuple(size if size is not None and size >= 0 else None for size in sizes)


@lru_cache(maxsize=16384)
def read_tensor(text: str) -> ShapedTensor | None:
    """Read `Int8[8,512:32,7,7]` (8.5 on) or `Int8(1,64,56,56)` (to 8.4, which never show the vector); else None."""
    if not _TENSOR.fullmatch(text):
        return None
    bracketed = text[-1] == "]"
    name, _, inner = text[:-1].partition("[" if bracketed else "(")
    dtype, dims = read_dtype(name), read_dims(inner)
    axis, width = _vector(inner)
    if axis is None or width is None:
        return ShapedTensor(TensorFormat(dtype, 1 if bracketed else None, None, None, text), dims)
    family = family_of(dtype, width)
    layout = layout_name(family, len(dims) - 1 - axis, width) if family else None
    return ShapedTensor(TensorFormat(dtype, width, axis, layout, text), dims)


def _vector(inner: str) -> tuple[int | None, int | None]:
    if ":" in inner:
        for axis, part in enumerate(inner.split(",")):
            if ":" in part:
                return axis, read_int(part.partition(":")[2])
    return None, None


@lru_cache(maxsize=4096)
def read_format(text: str, datatype: str | None = None, rank: int | None = None) -> TensorFormat:
    """Read the inspector's `Format/Datatype`, or `Format` with its `Datatype` (TensorRT 11, TensorRT-RTX).

    Args:
        text: a sentence of 8.x (`Channel major FP16 format where channel % 8 == 0`), a bare type of 9 and 10 (`Half`),
            a composed text of 11 (`(NHWC) Channel major format`), or the API's (`.. format (kHWC8) ..`).
        datatype: the type's name where it is printed apart.
        rank: number of dimensions, from which the vectorised axis follows.
    """
    printed = text if datatype is None else f"{datatype} {text}"
    stated = None if datatype is None else read_dtype(datatype)
    if len(text) > 1024:
        return TensorFormat(stated, None, None, None, printed)
    match = _SENTENCE.fullmatch(text.strip(" ."))  # the documents of 8.2 show a full stop
    layout, width = _arrangement(match) if match else (None, None)
    named = _API_NAME.search(text)
    if named and named[1].lower() in _API_WIDTHS:
        layout = named[1].lower()
        width = _API_WIDTHS[layout]
    dtype = stated or read_dtype(match["dtype"] or "" if match else text.strip())
    return TensorFormat(dtype, width, _vector_axis(layout, width, rank), layout, printed)


def _vector_axis(layout: str | None, width: int | None, rank: int | None) -> int | None:
    """The channel: the third axis from the end, or the fourth where depth, height and width follow it."""
    if layout is None or rank is None or width in (None, 1):
        return None
    axis = rank - (4 if layout.startswith(("dhwc", "cdhw")) else 3)
    return axis if axis >= 0 else None


def _arrangement(match: re.Match[str]) -> tuple[str | None, int | None]:
    """Layout and vector width of a format sentence; both None for one with words that are not known."""
    qualifiers = _QUALIFIERS.fullmatch(match["qualifiers"])
    if not qualifiers:
        return None, None
    if qualifiers["channels"]:  # DLA's image format: C padded to 1 or 4, rows to 32 bytes
        return "dla_hwc4", int(qualifiers["channels"])
    if qualifiers["pitch"]:  # DLA's planar format: rows padded to 64 bytes
        return ("dla_linear", 1) if match["row"] and qualifiers["pitch"] == "64" else (None, None)
    if match["row"]:
        return "linear", 1
    spatial = 3 if qualifiers["volume"] else 2
    width = int(qualifiers["multiple"] or 1)
    if not match["channel"]:
        counted = _WORDS.get((match["wide"] or match["padded"]).lower())
        if counted is None:
            return None, None
        width = counted
    return layout_name("chw" if match["wide"] else "hwc", spatial, width), width


def tensor_bytes(dtype: str | None, dims: Dims, vector_width: int | None, vector_axis: int | None) -> int | None:
    """Count the bytes of a dense tensor, its channels padded to whole vectors; sub-byte types are rounded up.

    A width of None means that the text does not show it: the size is then given only where no vectorisation could
    change it. Pass 1 for the unpadded size. Row padding of DLA formats and broadcast strides are not counted.

    Returns:
        None for a dynamic dimension, an unknown type, padding that cannot be known, or a size beyond 64 bits.
    """
    bits = DTYPE_BITS.get(dtype or "")
    sizes = [size for size in dims if size is not None]
    if bits is None or len(sizes) != len(dims):
        return None
    if vector_width is None:
        # The channel is the third or fourth axis from the end (HW or DHW behind it); 32 is the widest vector.
        if any(size % 32 for size in sizes[-4:-2]):
            return None
    elif vector_width > 1:
        if vector_axis is None or vector_axis >= len(sizes):
            return None
        sizes[vector_axis] = -(-sizes[vector_axis] // vector_width) * vector_width
    size = -(-math.prod(sizes) * bits // 8)
    return size if size <= LARGEST else None

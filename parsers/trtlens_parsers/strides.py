"""Tensors by their strides, as the autotuner prints them (TensorRT 7 to 11 and TensorRT-RTX).

`Half(784,1:8,28,1)` lists a stride per axis, counted in vectors, with `:8` on the axis whose elements lie together in
eights. 7.x lists the innermost axis first, 8.0 and later the outermost. Under dynamic shapes (8.4 on) a stride is a
symbol, `Float(E0,2048,1) .. where E0=(* 2048 (# 1 (SHAPE x)))`, or a formula with blanks and commas in its place.
`long-strided` behind a tensor (8.6 on) says that an axis is padded beyond its size.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from trtlens_parsers.data_types import read_dtype
from trtlens_parsers.formats import Dims, TensorFormat, family_of, layout_name, read_int

_OPENING = re.compile(r"[A-Z]\w{1,24}\(")
_PARENTHESIS = re.compile(r"[()]")
_SPLIT = re.compile(r"[(),]")
_ARROW_OR_PARENTHESIS = re.compile(r" -> |[()]")
_WIDTH = re.compile(r":(\d{1,4})$")
_LONG_STRIDED = " long-strided"
# A combination of two thousand tensors is still shorter; whatever is longer was not printed by TensorRT.
_LONGEST = 1 << 17


@dataclass(frozen=True, slots=True)
class StridedTensor:
    """One tensor of a format combination.

    Attributes:
        format: type, vectorisation and layout; its text is the whole printed operand.
        strides: one per axis, outermost axis first, counted in vectors; None where symbolic.
        long_strided: TensorRT called it so: the strides leave gaps.
    """

    format: TensorFormat
    strides: Dims
    long_strided: bool


@dataclass(frozen=True, slots=True)
class FormatCombination:
    """What a runner would read and write: `Half(..), Half(..) -> Float(..)`."""

    inputs: tuple[StridedTensor, ...]
    outputs: tuple[StridedTensor, ...]


@lru_cache(maxsize=16384)
def read_strides(text: str, *, innermost_first: bool = False) -> StridedTensor | None:
    """Read one tensor such as `Int8(6272,196:32,14,1)`; None if the text is anything else.

    Args:
        text: the type and its strides, with or without ` long-strided`.
        innermost_first: TensorRT 7.x wrote it.
    """
    operand = text.strip()
    body = operand.removesuffix(_LONG_STRIDED)
    opening = _OPENING.match(body)
    if not opening or len(body) > _LONGEST or _closing(body, opening.end()) != len(body):
        return None
    parts = _split_top_level(body[opening.end() : -1])
    if innermost_first:
        parts.reverse()
    dtype = read_dtype(body[: opening.end() - 1])
    strides = tuple(read_int(_WIDTH.sub("", part)) for part in parts)
    vectors = [(axis, int(found[1])) for axis, part in enumerate(parts) if (found := _WIDTH.search(part))]
    if len(vectors) > 1:
        return None
    axis, width = vectors[0] if vectors else (None, 1)
    layout = _layout(dtype, strides, axis, width)
    return StridedTensor(TensorFormat(dtype, width, axis, layout, operand), strides, body != operand)


def read_strides_list(text: str, *, innermost_first: bool = False) -> FormatCombination | None:
    """Read `A, B -> C where E0=..`, the text between the asterisks of an autotuner header; None if it is no such text.

    Each side may be empty (` -> Float(1)`) and may carry its own `where`; the asterisks may still follow.
    """
    body = text.strip(" *\r\n")
    if len(body) > _LONGEST:
        return None
    inputs: list[StridedTensor] = []
    outputs: list[StridedTensor] = []
    arrow = 0
    if not body.startswith("->"):
        end = _read_operands(body, 0, inputs, innermost_first=innermost_first)
        if end is None or not body.startswith(" ->", end):
            return None
        arrow = end + 1
    start = arrow + len("-> ")
    if start <= len(body) and _read_operands(body, start, outputs, innermost_first=innermost_first) != len(body):
        return None
    return FormatCombination(tuple(inputs), tuple(outputs))


def _read_operands(body: str, position: int, into: list[StridedTensor], *, innermost_first: bool) -> int | None:
    """Read operands and a `where` clause from position; where the side ends, or None if it is malformed."""
    while True:
        opening = _OPENING.match(body, position)
        end = _closing(body, opening.end()) if opening else None
        if end is None:
            return None
        if body.startswith(_LONG_STRIDED, end):
            end += len(_LONG_STRIDED)
        tensor = read_strides(body[position:end], innermost_first=innermost_first)
        if tensor is None:
            return None
        into.append(tensor)
        if not body.startswith(", ", end):
            return _skip_where(body, end)
        position = end + 2


def _skip_where(body: str, position: int) -> int | None:
    if not body.startswith(" where ", position):
        return position
    depth = 0
    for found in _ARROW_OR_PARENTHESIS.finditer(body, position):
        if found[0] == " -> ":
            if depth == 0:
                return found.start()
        else:
            depth += 1 if found[0] == "(" else -1
    return len(body) if depth == 0 else None


def _closing(body: str, position: int) -> int | None:
    """Position behind the parenthesis that closes the one before `position`; None if it is never closed."""
    depth = 1
    for found in _PARENTHESIS.finditer(body, position):
        depth += 1 if found[0] == "(" else -1
        if depth == 0:
            return found.end()
    return None


def _split_top_level(inner: str) -> list[str]:
    """Cut at commas outside of parentheses: a stride may be a formula that holds commas itself."""
    if not inner.strip():
        return []
    if "(" not in inner:
        return [part.strip() for part in inner.split(",")]
    parts, start, depth = [], 0, 0
    for found in _SPLIT.finditer(inner):
        if found[0] == ",":
            if depth == 0:
                parts.append(inner[start : found.start()].strip())
                start = found.end()
        else:
            depth += 1 if found[0] == "(" else -1
    return [*parts, inner[start:].strip()]


def _layout(dtype: str | None, strides: Dims, axis: int | None, width: int) -> str | None:
    if axis is None:
        return _plain_layout(strides)
    family: str | None
    behind = strides[axis + 1 :]
    if strides[axis] == 1 and (axis == 0 or strides[0] == 1) and all(stride == 1 for stride in behind):
        family = family_of(dtype, width)  # one vector in all: both families lie alike
    elif behind and behind[-1] == 1 and _descending(strides[axis:]):
        family = "chw"
    else:
        family = "hwc" if strides[axis] == 1 and _descending(behind) else None
    return layout_name(family, len(behind), width) if family else None


def _plain_layout(strides: Dims) -> str | None:
    if not strides or (strides[-1] == 1 and _descending(strides)):
        return "linear"
    for axis in (len(strides) - 3, len(strides) - 4):
        # A batch-last tensor of rank 4 also has its unit stride in front: that is no channel-last volume.
        is_channel = axis >= 0 and strides[axis] == 1 and not (len(strides) == 4 and axis == 0)
        if is_channel and _descending((*strides[:axis], *strides[axis + 1 :])):
            return layout_name("hwc", len(strides) - 1 - axis, 1)
    return None


def _descending(strides: Dims) -> bool:
    """Whether no stride is smaller than one further in; a symbolic one fits anywhere but inside a unit stride."""
    outer: int | None = None
    for stride in strides:
        if stride is None:
            if outer == 1:
                return False
        elif stride < 1 or (outer is not None and stride > outer):
            return False
        else:
            outer = stride
    return True

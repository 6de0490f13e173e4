"""Tensors that TensorRT's samples print as text: the shape in brackets, then the values.

`BufferManager::dumpBuffer` (samples/common/buffers.h, TensorRT 5.1 to 10) writes `[1, 10, 1, 1]` in the first line, then
the values, one row of the last dimension a line. trtexec's debug tensors of format `string` (10.12 and later) are nested
brackets without a shape. Neither states the data type. INT8 values of `dumpBuffer` are characters, not numbers, and are
refused as such.
"""

from __future__ import annotations

import re

from trtlens_parsers.errors import FormatError

LONGEST_TOKEN = 64
"""Characters that no printed number exceeds; longer runs are refused before anything tries to read them."""

_SHAPE = re.compile(r"\s{0,9}\[([0-9, ]{0,400})\]\s{0,9}")
_EXTENT = re.compile(r"[0-9]{1,18}")
_NAN = re.compile(r"[+-]?(?:nan\(?[a-z0-9_()]{0,20}|1\.#(?:qnan|snan|ind)[0-9]{0,9})", re.IGNORECASE)
_INFINITY = re.compile(r"([+-]?)1\.#inf[0-9]{0,9}", re.IGNORECASE)
_BRACKETS = str.maketrans("[]", "  ")


def read_shape(line: str) -> tuple[int, ...]:
    """The shape that the first line of a dump states; `[]` is a tensor without dimensions.

    Raises:
        FormatError: the line is no list of extents in brackets.

    """
    match = _SHAPE.fullmatch(line)
    parts = [part.strip() for part in match[1].split(",")] if match and match[1].strip() else []
    if match is None or not all(_EXTENT.fullmatch(part) for part in parts):
        raise FormatError(f"the first line is no shape such as [1, 10, 1, 1]: {line[:60]!r}", 1)
    return tuple(int(part) for part in parts)


def read_values(text: str, *, nested: bool = False) -> list[float]:
    """The numbers of a piece of text that is cut between numbers; `nested` also allows brackets around them.

    Raises:
        FormatError: something else than a number stands there.

    """
    tokens = (text.translate(_BRACKETS) if nested else text).split()
    if text.isascii() and "_" not in text and max(map(len, tokens), default=0) <= LONGEST_TOKEN:
        try:
            return list(map(float, tokens))
        except ValueError:
            pass
    return [_number(token) for token in tokens]


def _number(token: str) -> float:
    """One number, also as Microsoft's runtime prints those that are none."""
    if len(token) <= LONGEST_TOKEN and token.isascii() and "_" not in token:
        try:
            return float(token)
        except ValueError:
            if _NAN.fullmatch(token):
                return float("nan")
            infinity = _INFINITY.fullmatch(token)
            if infinity:
                return float(f"{infinity[1]}inf")
    raise FormatError(f"{token[:40]!r} is no number")

r"""JSON documents of any origin: parsed, and their members read, so that whatever is wrong raises `FormatError` alone.

A number that is not finite (NaN, Infinity, 1e999) is unknown: None. Half of a surrogate pair (`"\ud800"` without its other
half) is no character and could be written nowhere: it stays in the text as its escape, six characters.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from trtlens_parsers.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_VALUES = 8_000_000
"""Values in one document; each takes up to 100 bytes in memory, however few it takes in the file."""

MOST_EXTENTS = 64
"""Dimensions of a tensor: numpy holds no more, TensorRT 8."""

_HEAD = 1 << 16
"""Characters by which a document is told."""
_LARGEST_WHOLE = 2**63 - 1
_LARGEST_EXTENT = 2**62
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


class Members(tuple[tuple[str, Any], ...]):
    """A JSON object with its members in order, repeated keys included."""

    __slots__ = ()


def kind_by_start(text: str, kinds: Iterable[tuple[str, re.Pattern[str]]]) -> str | None:
    """The first kind whose pattern matches the beginning of a document, byte-order mark and blanks aside; None for no kind."""
    head = text[:_HEAD].lstrip("\ufeff \t\r\n")
    return next((kind for kind, pattern in kinds if pattern.match(head)), None)


def parse_json(
    text: str,
    what: str,
    *,
    members: Callable[[list[tuple[str, Any]]], Any] | None = None,
    number: Callable[[str], Any] | None = None,
    constant: Callable[[str], Any] | None = None,
) -> Any:
    """Parse a document; `what` names it in errors, the other arguments are hooks of `json.loads`.

    Raises:
        FormatError: it is no JSON, is nested too deeply, or holds more than `MOST_VALUES` values.

    """
    if sum(map(text.count, ",[{")) > MOST_VALUES:
        raise FormatError(
            f"the {what} document holds more than {MOST_VALUES:,} values, too many to read at once: export fewer inferences"
        )
    body = text.lstrip("\ufeff")
    if _HALF_PAIR.search(body):
        body = _ESCAPE.sub(lambda escape: f"\\\\{escape[1]}" if escape[1] else escape[0], body)
    try:
        return json.loads(
            body,
            strict=False,
            object_pairs_hook=members,
            parse_int=number,
            parse_float=number,
            parse_constant=constant or _unknown,
        )
    except json.JSONDecodeError as error:
        message = f"the {what} document is not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        raise FormatError(message, error.lineno) from None
    except RecursionError:
        raise FormatError(f"the {what} document is nested too deeply to be read") from None
    except ValueError as error:  # Python reads no whole number of thousands of digits
        raise FormatError(f"the {what} document holds a number that cannot be read ({error})") from None


def _unknown(_constant: str) -> None:
    """What NaN and Infinity become."""


def spelled(value: Any) -> str:
    """A value for an error message, in a few words however large or deep it is."""
    if isinstance(value, (str, int, float)):
        return f"{value!r:.60}"
    return "null" if value is None else "a list" if type(value) is list else "an object"


# -- members of an object; what is absent is null, and whatever else stands there raises FormatError -----------------


def number_of(row: dict[str, Any], key: str) -> float | None:
    """A number; None for null and for what is not finite."""
    return finite(row.get(key), key)


def finite(value: Any, what: str) -> float | None:
    """The number that a value is; None for null and for what is not finite, or too large for a float."""
    if type(value) is float:  # nearly all are
        return value if math.isfinite(value) else None
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise FormatError(f"{what} is no number: {spelled(value)}")
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def integer_of(row: dict[str, Any], key: str) -> int | None:
    """A whole number of at most 64 bits."""
    return _member(row, key, _is_whole, "is no whole number of 64 bits")


def _is_whole(value: Any) -> bool:
    return type(value) is int and abs(value) <= _LARGEST_WHOLE


def boolean_of(row: dict[str, Any], key: str) -> bool | None:
    """True or false."""
    return _member(row, key, lambda value: isinstance(value, bool), "is neither true nor false")


def optional_text(row: dict[str, Any], key: str) -> str | None:
    """A text, or None."""
    return _member(row, key, lambda value: isinstance(value, str), "is no text")


def required_text(row: dict[str, Any], key: str) -> str:
    """A text that must be there."""
    value = optional_text(row, key)
    if value is None:
        raise FormatError(f"a row has no {key}; it has {sorted(row)[:9]!r:.200}")
    return value


def texts_of(row: dict[str, Any], key: str) -> tuple[str, ...] | None:
    """A list of texts."""
    value = _member(row, key, _is_list_of_texts, "is no list of texts")
    return None if value is None else tuple(value)


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _member(row: dict[str, Any], key: str, is_right: Callable[[Any], bool], wrong: str) -> Any:
    value = row.get(key)
    if value is not None and not is_right(value):
        raise FormatError(f"{key} {wrong}: {spelled(value)}")
    return value


def rows_of(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of objects that must be there."""
    rows = document.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FormatError(f"{key} is no list of objects")
    return rows


def object_of(document: dict[str, Any], key: str) -> dict[str, Any]:
    """An object, empty for null."""
    value = document.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise FormatError(f"{key} is no object: {spelled(value)}")
    return value


def is_shape(value: Any) -> bool:
    """Whether a value is a list of the extents of a tensor."""
    return isinstance(value, list) and len(value) <= MOST_EXTENTS and all(map(_is_extent, value))


def _is_extent(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _LARGEST_EXTENT

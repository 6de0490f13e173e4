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
    from collections.abc import Callable

    Members = list[tuple[str, Any]]

MOST_VALUES = 8_000_000
"""Values in one document; each takes up to 100 bytes in memory, however few it takes in the file."""

MOST_EXTENTS = 64
"""Dimensions of a tensor: numpy holds no more, TensorRT 8."""

_LARGEST_WHOLE = 2**63 - 1
_LARGEST_EXTENT = 2**62
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def parse_json(
    text: str,
    what: str,
    *,
    members: Callable[[Members], Any] | None = None,
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


# -- members of an object; what is absent is null --------------------------------------------------------------------


def number_of(row: dict[str, Any], key: str) -> float | None:
    """A number; None for null and for what is not finite.

    Raises:
        FormatError: something else stands there, a truth value too.

    """
    return finite(row.get(key), key)


def finite(value: Any, what: str) -> float | None:
    """The number that a value is; None for null and for what is not finite, or too large for a float.

    Raises:
        FormatError: it is something else, a truth value too.

    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise FormatError(f"{what} is no number: {spelled(value)}")
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def whole_of(row: dict[str, Any], key: str) -> int | None:
    """A whole number of at most 64 bits.

    Raises:
        FormatError: something else stands there.

    """
    value = row.get(key)
    if value is not None and (type(value) is not int or abs(value) > _LARGEST_WHOLE):
        raise FormatError(f"{key} is no whole number of 64 bits: {spelled(value)}")
    return value


def truth_of(row: dict[str, Any], key: str) -> bool | None:
    """True or false.

    Raises:
        FormatError: something else stands there.

    """
    value = row.get(key)
    if value is not None and not isinstance(value, bool):
        raise FormatError(f"{key} is neither true nor false: {spelled(value)}")
    return value


def optional_text(row: dict[str, Any], key: str) -> str | None:
    """A text.

    Raises:
        FormatError: something else stands there.

    """
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise FormatError(f"{key} is no text: {spelled(value)}")
    return value


def required_text(row: dict[str, Any], key: str) -> str:
    """A text that must be there.

    Raises:
        FormatError: it is not, or something else stands there.

    """
    value = optional_text(row, key)
    if value is None:
        raise FormatError(f"a row has no {key}; it has {sorted(row)[:9]!r:.200}")
    return value


def texts_of(row: dict[str, Any], key: str) -> tuple[str, ...] | None:
    """A list of texts.

    Raises:
        FormatError: something else stands there.

    """
    value = row.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise FormatError(f"{key} is no list of texts: {spelled(value)}")
    return tuple(value)


def rows_of(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of objects that must be there.

    Raises:
        FormatError: it is not, or something else stands there.

    """
    rows = document.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FormatError(f"{key} is no list of objects")
    return rows


def object_of(document: dict[str, Any], key: str) -> dict[str, Any]:
    """An object, empty for null.

    Raises:
        FormatError: something else stands there.

    """
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

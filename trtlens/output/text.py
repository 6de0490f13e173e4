"""Text for people: control characters escaped, names shortened in their middle, prose wrapped, and what it is printed on."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 120
"""Characters of a line where no terminal says how many it has, and at most of a line of prose."""
_NARROWEST = 24
_COMMAND = re.compile(r"`[^`\n]{1,200}`")
_QUANTITY = re.compile(r"(?<=\d) (?=(?:[mµ]?s|%|[KMGTP]?i?B)\b|%)")
"""The space between a number and its unit, where no line is broken."""
_NO_BREAK = "\x00"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufff9-\ufffb\ud800-\udfff]")
"""What a terminal would interpret: control characters, text-direction marks, halves of surrogate pairs."""


def visible(text: str) -> str:
    """``text`` with control characters and text-direction marks as escapes, so that no name can act on a terminal."""
    return _CONTROL.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def json_escaped(text: str) -> str:
    """JSON without any character that a terminal acts on: the json module escapes the controls of ASCII alone."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def cell_width(text: str) -> int:
    """Columns of a terminal that a text takes: two for each wide character of Chinese, Japanese, Korean or an emoji."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415

    return cell_len(text)


def shorten(text: str, width: int) -> str:
    """``text`` in at most ``width`` columns, its middle replaced: both ends of a layer's name tell it from others."""
    if cell_width(text) <= width:
        return text
    tail = (width - 1) // 2
    return _start(text, width - 1 - tail) + "…" + _start(text[::-1], tail)[::-1]


def _start(text: str, width: int) -> str:
    """As much of a text's start as fits."""
    start = text[:width]
    while cell_width(start) > width:
        start = start[:-1]
    return start


def line_width() -> int:
    """Characters of a line of standard output: the terminal's; in a pipe those that ``COLUMNS`` says, else 120."""
    if sys.stdout.isatty():
        return shutil.get_terminal_size((PIPE_WIDTH, 24)).columns
    told = os.environ.get("COLUMNS", "")
    return int(told) if told.isdecimal() and int(told) else PIPE_WIDTH


def console(stream: IO[str] | None = None) -> Console:
    """A console that knows whether it is a terminal; a pipe gets no colour."""
    from rich.console import Console  # noqa: PLC0415

    out = stream or sys.stdout
    return Console(
        file=out, width=line_width(), highlight=False, markup=False, emoji=False, legacy_windows=False, soft_wrap=True
    )


def wrapped(text: str, used: int = 0, *, whole: bool = False) -> list[str]:
    """Prose in lines that fit next to ``used`` characters, broken at spaces.

    A `command` is never broken, and stands in a line of its own if it is longer; so does any word with ``whole``, else it is cut
    in its middle.
    """
    width = max(min(line_width(), PIPE_WIDTH) - used, _NARROWEST)
    lines = _lines(text, width)
    return lines if whole else [line if "`" in line else shorten(line, width) for line in lines]


def wrapped_at(text: str, width: int) -> list[str]:
    """Prose in lines of a width, broken at spaces; a word that is longer is cut in its middle."""
    return [shorten(line, width) for line in _lines(text, width)]


def _lines(text: str, width: int) -> list[str]:
    whole = _COMMAND.sub(lambda match: match[0].replace(" ", _NO_BREAK), _QUANTITY.sub(_NO_BREAK, visible(text)))
    lines = textwrap.wrap(whole, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace(_NO_BREAK, " ") for line in lines] or [""]

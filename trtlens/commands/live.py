"""A few lines that are drawn over and over at the end of a terminal; elsewhere one line each 10 s."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from trtlens.output import shorten, visible
from trtlens.output.text import wrapped_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_REDRAW_S = 0.5
_SPARSE_S = 10.0
_UP, _CLEAR = "\x1b[{}F", "\x1b[J"
_WIDTH = 80
_MOST_WARNINGS = 40


@dataclass(slots=True)
class Live:
    """Lines that change, on a stream; on one that is no terminal the first of them, at times.

    `clock` counts seconds.
    """

    stream: TextIO
    clock: Callable[[], float] = time.monotonic
    _drawn: int = 0
    _warned: int = 0
    _last_s: float = field(default=float("-inf"))

    def __post_init__(self) -> None:
        """Outside of a terminal the first line comes after a while, so that short work prints none."""
        if not self.stream.isatty():
            self._last_s = self.clock()

    @property
    def is_due(self) -> bool:
        """Whether it is time to draw again."""
        return self.clock() - self._last_s >= (_REDRAW_S if self.stream.isatty() else _SPARSE_S)

    def draw(self, lines: Sequence[str], sentence: str) -> None:
        """Put the lines in place of those drawn before; outside of a terminal print the sentence."""
        self._last_s = self.clock()
        if not self.stream.isatty():
            self.stream.write(f"{visible(sentence)}\n")
        else:
            width = self._width()
            cut = [shorten(visible(line), width - 1) for line in lines]
            self.stream.write(self._start() + "".join(f"{line}\n" for line in cut))
            self._drawn = len(cut)
        self.stream.flush()

    def warn(self, lines: Sequence[str]) -> None:
        """Print warnings; after so many that nobody reads them, say once that there are more."""
        for line in lines:
            self._warned += 1
            if self._warned <= _MOST_WARNINGS:
                self.say(line)
            elif self._warned == _MOST_WARNINGS + 1:
                self.say("more warnings and errors come: trtlens show messages lists all")

    def say(self, line: str) -> None:
        """Print a line that stays, above those that change; on a terminal it is wrapped at blanks."""
        lines = wrapped_at(line, self._width() - 1) if self.stream.isatty() else [visible(line)]
        self.stream.write(self._start() + "".join(f"{text}\n" for text in lines))
        self._drawn = 0
        self._last_s = float("-inf") if self.stream.isatty() else self._last_s
        self.stream.flush()

    def clear(self) -> None:
        """Take the lines away."""
        self.stream.write(self._start())
        self._drawn = 0
        self.stream.flush()

    def _start(self) -> str:
        return _UP.format(self._drawn) + _CLEAR if self._drawn else ""

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or _WIDTH
        except OSError:
            return _WIDTH

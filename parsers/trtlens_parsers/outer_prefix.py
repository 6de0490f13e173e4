"""Learns what a program that is not known puts before every line: the stamps of Jenkins, of ``ts``, of a house's own tools.

Known programs are told by `text.find_shippers`. Of others it is learnt from the lines in which a message of TensorRT can
be told from what stands before it: where nearly all lines begin with one of a few shapes (``[9999-99-99T99:99:99Z] ``),
those are taken off.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trtlens_parsers.prefixes import message_start

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SAMPLE_LINES = 400
_REACH = 300
"""Characters of a line in which a message must begin."""
_FEWEST = 5
_MOST_SAMPLES = 100
"""Samples in which messages are looked for: what a job prints before the build can be long."""
_SHARE = 0.9
_MOST_SHAPES = 8
_MOST_WORDS = 12
_TOKEN = re.compile(r"\d+|[^\W\d_]+|[ \t]+|.", re.DOTALL)
_DIGITS, _LETTERS, _BLANKS = "9", "a", " "


@dataclass(slots=True)
class OuterPrefix:
    """Takes the learnt prefix off the lines of one log, given in order; lines wait until enough are there to learn from."""

    _pattern: re.Pattern[str] | None = None
    _samples_left: int = _MOST_SAMPLES
    _waiting: list[str] = field(default_factory=list)

    def strip(self, lines: list[str]) -> list[str]:
        """Those lines that can be read now, without the prefix where one was learnt."""
        if not self._samples_left:
            return self._stripped(lines)
        self._waiting += lines
        ready: list[str] = []
        while self._samples_left and len(self._waiting) >= _SAMPLE_LINES:
            sample, self._waiting = self._waiting[:_SAMPLE_LINES], self._waiting[_SAMPLE_LINES:]
            self._learn(sample)
            ready += self._stripped(sample)
        return ready if self._samples_left else ready + self.finish()

    def finish(self) -> list[str]:
        """The lines that still wait."""
        waiting, self._waiting = self._waiting, []
        if self._samples_left:
            self._learn(waiting)
        return self._stripped(waiting)

    def _stripped(self, lines: list[str]) -> list[str]:
        if self._pattern is None:
            return lines
        match = self._pattern.match
        return [line[found.end() :] if (found := match(line)) else line for line in lines]

    def _learn(self, lines: Sequence[str]) -> None:
        sample = [line[:_REACH] for line in lines if line.strip()]
        starts = [(line, message_start(line)) for line in sample]
        told = [(line, start) for line, start in starts if start is not None]
        if len(told) < _FEWEST:
            self._samples_left -= 1
            return
        self._samples_left = 0
        outer = [line[:start] for line, start in told if start]
        if len(outer) > len(told) / 2:
            pattern = _pattern_of(outer)
            if sum(pattern.match(line) is not None for line in sample) >= _SHARE * len(sample):
                self._pattern = pattern


def _pattern_of(prefixes: Iterable[str]) -> re.Pattern[str]:
    """A pattern of the most frequent shapes of these texts: digits stand for any digits, words for those that were seen."""
    shapes: dict[tuple[str, ...], list[list[str]]] = defaultdict(list)
    for prefix in prefixes:
        tokens = _TOKEN.findall(prefix)
        shapes[tuple(map(_kind, tokens))].append(tokens)
    frequent = sorted(shapes, key=lambda shape: -len(shapes[shape]))[:_MOST_SHAPES]
    frequent.sort(key=len, reverse=True)
    return re.compile("|".join(_spelled(shape, shapes[shape]) for shape in frequent))


def _kind(token: str) -> str:
    if token.isdecimal():
        return _DIGITS
    if token.isalpha():
        return _LETTERS
    return _BLANKS if token.isspace() else token


def _spelled(shape: Sequence[str], seen: Sequence[Sequence[str]]) -> str:
    parts = []
    for place, kind in enumerate(shape):
        if kind == _DIGITS:
            parts.append(r"\d{1,20}")
        elif kind == _BLANKS:
            parts.append(r"[ \t]{1,40}")
        elif kind == _LETTERS:
            words = sorted({tokens[place] for tokens in seen}, key=lambda word: (-len(word), word))
            parts.append(f"(?:{'|'.join(words)})" if len(words) <= _MOST_WORDS else r"[^\W\d_]{1,60}")
        else:
            parts.append(re.escape(kind))
    return "".join(parts)

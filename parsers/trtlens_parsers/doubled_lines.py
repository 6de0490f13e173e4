"""Tells a log in which every message stands twice, as two handlers on one logger write it, and leaves the second copies out.

A message is a line with what belongs to it: its continuation lines, the rows of an engine. In such a log the messages that
follow one another unchanged come in even numbers; in any other log nearly all of them come alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from trtlens_parsers.layers import is_layer_line
from trtlens_parsers.prefixes import read_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    NumberedLines = tuple[int, list[str]]
    """Lines that follow one another, with the number of the line above them."""

_SAMPLE_LINES = 400
_MOST_SAMPLES = 100
"""Samples in which messages are looked for: what a job prints before the build can be long."""
_FEWEST_GROUPS = 10
_EVEN_SHARE = 0.9


@dataclass(slots=True)
class DoubledLines:
    """Hands on the lines of one log, given in order, each message once; lines wait until enough are there to tell.

    ``dropped`` counts the lines that were left out, ``line`` all lines that were handed on or left out.
    """

    dropped: int = 0
    line: int = 0
    _doubled: bool = False
    _prefixed: bool = False
    _samples_left: int = _MOST_SAMPLES
    _waiting: list[str] = field(default_factory=list)
    _message: list[str] = field(default_factory=list)
    _above: tuple[str, ...] = ()

    def feed(self, lines: list[str]) -> Iterator[NumberedLines]:
        """Those lines that can be read now."""
        if self._samples_left:
            self._waiting += lines
            while self._samples_left and len(self._waiting) >= _SAMPLE_LINES:
                sample, self._waiting = self._waiting[:_SAMPLE_LINES], self._waiting[_SAMPLE_LINES:]
                self._learn(sample)
                yield from self._single_lines(sample)
            if self._samples_left:
                return
            lines, self._waiting = self._waiting, []
        yield from self._single_lines(lines)

    def finish(self) -> Iterator[NumberedLines]:
        """The lines that still wait."""
        waiting, self._waiting = self._waiting, []
        if self._samples_left:
            self._learn(waiting)
        yield from self._single_lines(waiting)
        if self._message:
            yield from self._end_message([])

    def _learn(self, sample: Sequence[str]) -> None:
        prefixed = sum(read_prefix(line) is not None for line in sample)
        if prefixed < _FEWEST_GROUPS and self._samples_left > 1 and len(sample) == _SAMPLE_LINES:
            self._samples_left -= 1
            return
        self._samples_left = 0
        self._prefixed = prefixed > len(sample) / 2
        lengths = [len(list(group)) for _, group in groupby(_key(message) for message in self._messages(sample))][:-1]
        even = sum(length % 2 == 0 for length in lengths)
        self._doubled = len(lengths) >= _FEWEST_GROUPS and even >= _EVEN_SHARE * len(lengths)

    def _messages(self, lines: Sequence[str]) -> Iterator[list[str]]:
        message: list[str] = []
        for line in lines:
            if message and not self._continues(line):
                yield message
                message = []
            message.append(line)
        yield message

    def _continues(self, line: str) -> bool:
        return is_layer_line(line) or (self._prefixed and read_prefix(line) is None)

    def _single_lines(self, lines: list[str]) -> Iterator[NumberedLines]:
        if not self._doubled:
            self.line += len(lines)
            yield self.line - len(lines), lines
            return
        for line in lines:
            if self._message and not self._continues(line):
                yield from self._end_message([line])
            else:
                self._message.append(line)

    def _end_message(self, begun: list[str]) -> Iterator[NumberedLines]:
        """Hand on the message that is whole now, unless it is the one above it again."""
        message, self._message = self._message, begun
        self.line += len(message)
        key = _key(message)
        if key == self._above:
            self._above = ()
            self.dropped += len(message)
        else:
            self._above = key
            yield self.line - len(message), message


def _key(message: Sequence[str]) -> tuple[str, ...]:
    """What two copies of a message share: two handlers can write other prefixes before it."""
    if not message:
        return ()
    prefix = read_prefix(message[0])
    return (message[0][prefix.length if prefix is not None else 0 :], *message[1:])

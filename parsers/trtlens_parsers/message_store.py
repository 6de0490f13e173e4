"""Keeps the warnings, the errors and the known lines of a build: each of them up to a bound, then how many more there are.

A log can hold millions of warnings. What they take of the memory is bounded for all builds of a log together.

TensorRT writes most messages on one line. Those of several lines show it: a bracket or a colon leaves the line above
open, the parser prints a node as protocol buffer text, or the line begins as such lines do. Polygraphy indents all
further lines by four blanks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from trtlens_parsers.meanings import classify
from trtlens_parsers.text import Beginnings

if TYPE_CHECKING:
    from trtlens_parsers.prefixes import Prefix

_MOST_LINES = 40
_LONGEST_TEXT = 20_000
"""Characters kept of one message."""


class Message(NamedTuple):
    """A warning, an error, or a line with a known meaning (``code``); ``occurrences`` of the log's messages share the record."""

    severity: str
    code: str | None
    text: str
    layer: str | None
    tensor: str | None
    line: int
    occurrences: int = 1


@dataclass(slots=True)
class MessageBudget:
    """What is left for the messages of a log: how many, and characters of their texts."""

    messages: int = 50_000
    characters: int = 2**25

    def take(self, message: Message) -> bool:
        """Whether there is budget for the message, which then has it."""
        if self.messages <= 0 or self.characters <= 0:
            return False
        self.messages -= 1
        self.characters -= len(message.text)
        return True

    def give_back(self, message: Message) -> None:
        """The message is not kept any longer."""
        self.messages += 1
        self.characters += len(message.text)


@dataclass(slots=True)
class MessageStore:
    """The messages of one build so far."""

    budget: MessageBudget
    rows: list[Message] = field(default_factory=list)
    _left_out: dict[tuple[str, str | None], Message] = field(default_factory=dict)
    _last: Message | None = None  # the last warning, error or known line, kept or not
    _is_kept: bool = False
    _end: int = 0  # line on which the last warning or error ends so far
    _is_indented: bool = False

    def add(self, text: str, prefix: Prefix, line: int) -> None:
        """Keep a warning or an error; lines without a prefix can go on with it."""
        self._keep(_read(prefix.severity, text, line))
        self._end, self._is_indented = line, prefix.wrapper == "polygraphy"

    def add_known(self, severity: str, text: str, line: int) -> bool:
        """Keep a line of lower severity if its meaning is known; False otherwise."""
        message = _read(severity, text, line)
        if message.code is None:
            return False
        self._keep(message)
        return True

    def add_unfinished(self, severity: str, text: str, line: int) -> None:
        """Keep a warning or an error without its end: what it means is told by its words, of which some may be missing."""
        self._keep(Message(severity, None, text[:_LONGEST_TEXT], None, None, line))

    def extend(self, text: str, line: int, *, indented: bool) -> bool:
        """Add a continuation line to the message right above it; False where it is none, or there is none."""
        last = self._last
        if last is None or line != self._end + 1 or last.text.count("\n") + 1 >= _MOST_LINES:
            return False
        if text and not (indented and self._is_indented) and not continues(last.text, text):
            return False
        if not text and not is_open(last.text):
            return False
        self._end = line
        if text:
            self._take_back(last)
            self._keep(_read(last.severity, f"{last.text}\n{text}", last.line))
        return True

    def finish(self) -> tuple[Message, ...]:
        """All messages, and behind them one for each kind of those for which there was no budget."""
        return (*self.rows, *(self._summary(message) for message in self._left_out.values()))

    def _summary(self, message: Message) -> Message:
        text = f"{message.occurrences:,} more like this were not kept, the first on line {message.line:,}: {message.text[:200]}"
        return message._replace(text=text, layer=None, tensor=None)

    def _keep(self, message: Message) -> None:
        self._last, self._is_kept = message, self.budget.take(message)
        if self._is_kept:
            self.rows.append(message)
            return
        kind = message.severity, message.code
        first = self._left_out.get(kind)
        self._left_out[kind] = message if first is None else first._replace(occurrences=first.occurrences + 1)

    def _take_back(self, message: Message) -> None:
        if self._is_kept:
            self.budget.give_back(self.rows.pop())
            return
        kind = message.severity, message.code
        first = self._left_out.pop(kind)
        if first.occurrences > 1:
            self._left_out[kind] = first._replace(occurrences=first.occurrences - 1)


def _read(severity: str, text: str, line: int) -> Message:
    """A message with what it means."""
    text = text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
    meaning = classify(text)
    if meaning is None:
        return Message(severity, None, text, None, None, line)
    return Message(severity, meaning.code, text, meaning.layer, meaning.tensor, line)


# -- lines without a prefix that go on with the message above them -----------------------------------------------------

INDENT = "    "
"""What Polygraphy puts before every further line of a message."""
_STARTS = Beginnings(
    (
        "Try decreasing the workspace",
        "Try increasing the workspace",
        "If this is not the desired behavior",
        "If not already in use",
        "Check verbose logs for the list of affected weights",
    ),
    key=5,
)
_SOURCE = re.compile(r"\[[\w./~]{1,120}(?:::|:)[\w~: ]{1,200}(?:::|:)\d{1,6}\] ")  # [shuffleNode.cpp::execute::387]
_EXCEPTION = " due to exception ["
_REFUSED = "Invalid Node - "
_LONGEST_NAME = 400
_PROTOCOL = re.compile(r"\s{0,40}(?:[a-z][a-z_]{0,30}(?:: (?:\"|-?\d|[A-Z_]{1,30}\s*$)| \{\s*$)|\}\s*$)")
_LAST_FIELD = re.compile(r"(?:^|\.cpp:\d{1,6}: )(?P<field>[a-z][a-z_]{0,30}: \".{0,4000})$", re.DOTALL)


def continues(message: str, line: str) -> bool:
    """Whether a line goes on with the message so far, which stands right above it."""
    last = message[message.rfind("\n") + 1 :].rstrip()
    if _STARTS.match(line) or _SOURCE.match(line) or last.endswith(":") or is_open(message):
        return True
    if _REFUSED in last[-_LONGEST_NAME:]:  # the reason stands below the node's name
        return True
    return bool(_PROTOCOL.match(line) and (_PROTOCOL.match(last) or _LAST_FIELD.search(last)))


def is_open(message: str) -> bool:
    """Whether a bracket of the message still waits for its end, or it tells of an exception, whose text has many lines."""
    waits = message.count("(") > message.count(")") or message.count("[") > message.count("]")
    return waits or _EXCEPTION in message

"""One row of the message catalogue, and the template language in which a row says how its lines read.

A template is the message with ``<layer>`` and ``<tensor>`` where it names one and ``<*>`` where anything may stand:
``Missing scale and zero-point for tensor <tensor>, expect fall back``. It fits a text that holds its literal parts in
that order. A ``^`` in front ties it to the message's start (behind TensorRT's error prefix), a ``$`` behind it ties its
last part to the end of a line; a slot at the very end runs to the end of its line. Matching is a chain of substring
searches, so that no text can make it slow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "info"]

_SLOT = re.compile(r"<(layer|tensor|\*)>")
_SOURCE = r"[\w./\\-]{1,160}\.(?:cpp|cu|h)"
_ERROR_HEAD = re.compile(
    r"\s{0,8}(?:Error\[\d{1,3}\]: )?"
    r"(?:[A-Z_]{4,40}: )?"
    r"(?:\d{1,2}: )?"
    r"(?:\[[^\]\n]{1,200}\] )?"
    r"(?:\w{1,80}::[\w:~]{1,120}: (?=Error Code))?"
    rf"(?:{_SOURCE}:\d{{1,6}}: )?"
    rf"(?:{_SOURCE} \(\d{{1,6}}\) - \w[\w ]{{0,40}} in \w{{1,80}}: -?\d{{1,6}} \()?"
    r"(?:Error Code:? \d{1,3}: (?:[A-Z][\w ]{1,40} \()?)?"
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one logger message means for a user; ``layer`` and ``tensor`` as the message spells them, else None."""

    code: str
    severity_hint: Severity
    layer: str | None
    tensor: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One known meaning: its lines in every version and wrapper, and ``below_warning`` if INFO or VERBOSE lines carry it.

    ``versions`` says which TensorRT releases print it (a part of TensorRT's own number, or the tool's name).
    """

    code: str
    severity: Severity
    versions: str
    title: str
    templates: tuple[str, ...]
    below_warning: bool = False


def entry(
    code: str, severity: Severity, versions: str, title: str, *templates: str, below_warning: bool = False
) -> Entry:
    """A row of the catalogue, its templates one below the other."""
    return Entry(code, severity, versions, title, templates, below_warning)


class Names(NamedTuple):
    """The layer and the tensor that a fitting message names."""

    layer: str | None
    tensor: str | None


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template: ``literals`` stand around ``slots``; ``key`` is the literal that a text must hold at all."""

    entry: Entry
    key: str
    literals: tuple[str, ...]
    slots: tuple[str, ...]
    at_start: bool
    at_end: bool

    @classmethod
    def parse(cls, entry: Entry, text: str) -> Template:
        """The template that ``text`` spells."""
        parts = _SLOT.split(text.removeprefix("^").removesuffix("$"))
        literals, slots = tuple(parts[0::2]), tuple(parts[1::2])
        return cls(entry, max(literals, key=len), literals, slots, text.startswith("^"), text.endswith("$"))

    def fit(self, text: str) -> Names | None:
        """The names that ``text`` gives if it reads like this template, else None."""
        at = self._start(text)
        if at is None:
            return None
        found: dict[str, str] = {}
        for number, slot in enumerate(self.slots, 1):
            stop = self._stop(text, at, number)
            if stop < 0:
                return None
            found[slot] = text[at:stop]
            at = stop + len(self.literals[number])
        return Names(_name(found.get("layer")), _name(found.get("tensor")))

    def _start(self, text: str) -> int | None:
        first = self.literals[0]
        if self.at_start:
            head = _ERROR_HEAD.match(text)
            begin = head.end() if head else 0
            return begin + len(first) if text.startswith(first, begin) else None
        begin = text.find(first)
        return begin + len(first) if begin >= 0 else None

    def _stop(self, text: str, at: int, number: int) -> int:
        literal = self.literals[number]
        is_last = number == len(self.slots)
        if literal and not (is_last and self.at_end):
            return text.find(literal, at)
        line = text[at:].split("\n", 1)[0].rstrip()
        return at + len(line) - len(literal) if line.endswith(literal) else -1


def _name(text: str | None) -> str | None:
    """``text`` as a name: None where it is empty or spans lines, which no name does."""
    name = (text or "").strip(" \t\r")
    return name if name and "\n" not in name else None

"""Patterns over names of layers, ONNX nodes and tensors: globs, and regular expressions that cannot hang.

In a glob `*` stands for anything and `?` for one character; brackets stand for themselves, since names are full of them.
A regular expression is found anywhere in a name. It runs in the package `regex`, whose searches end after a given time;
what would take long to compile is refused beforehand by its length, its depth and its counted repeats.
"""

from __future__ import annotations

import re
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import translate
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

REGEX_PREFIX = "match:"
"""Before a regular expression where a glob may stand as well."""

_SECONDS = 2.0
"""What one expression may take over all names, of the processor's time."""
_LEAST_SECONDS = 0.001
_LONGEST = 1000
_DEEPEST = 8
_MOST_REPEATS = 10_000
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_COUNTED = re.compile(r"(?P<group>\))?\{(?P<low>\d{0,9}),?(?P<high>\d{0,9})\}")


@dataclass(frozen=True, slots=True)
class LayerPattern:
    """Which names are meant; `text` is what the user gave, `fits` may raise TrtlensError for a hostile expression."""

    text: str
    fits: Callable[[str], bool]


def read_pattern(text: str, *, ignore_case: bool = False) -> LayerPattern:
    """A glob, or behind `match:` a regular expression; raises TrtlensError for an expression that is refused."""
    return (
        expression(text[len(REGEX_PREFIX) :]) if text.startswith(REGEX_PREFIX) else glob(text, ignore_case=ignore_case)
    )


def read_patterns(text: str) -> tuple[LayerPattern, ...]:
    """Globs with commas between them, or behind `match:` one regular expression, commas included."""
    if text.startswith(REGEX_PREFIX):
        return (read_pattern(text),)
    return tuple(glob(part) for part in text.split(",") if part)


def asked_pattern(layer: str | None, match: str | None) -> LayerPattern | None:
    """What the options `--layer GLOB` and `--match REGEX` of a command ask for; raises TrtlensError where both are given."""
    if layer is not None and match is not None:
        raise TrtlensError("--layer and --match exclude each other: give one of them")
    if match is not None:
        return expression(match)
    return None if layer is None else glob(layer, ignore_case=True)


@lru_cache(maxsize=256)
def glob(text: str, *, ignore_case: bool = False) -> LayerPattern:
    """Names that are the text as a whole, `*` and `?` standing for anything; takes time in proportion to the name."""
    compiled = re.compile(translate(text.replace("[", "[[]")), re.IGNORECASE if ignore_case else 0)
    return LayerPattern(text, lambda name: compiled.match(name) is not None)


def expression(text: str) -> LayerPattern:
    """Names in which a regular expression is found.

    Raises:
        TrtlensError: it is none, or would take too long to compile; `fits` raises it where the search takes too long.

    """
    compiled = _compiled(text)
    left = _SECONDS

    @cache
    def fits(name: str) -> bool:
        nonlocal left
        started = time.process_time()  # the clock of the package's own limit
        with suppress(TimeoutError, MemoryError):
            found = compiled.search(name, timeout=max(left, _LEAST_SECONDS)) is not None
            left -= time.process_time() - started
            if left > 0:
                return found
        left = 0.0
        raise TrtlensError(
            f"the regular expression {_shown(text)} takes more than {_SECONDS:g} seconds, at the name {_shown(name)}: "
            "leave out repeats inside of repeats"
        )

    return LayerPattern(text, fits)


def _compiled(text: str) -> Any:
    fault = _fault(text)
    if fault is not None:
        raise TrtlensError(f"the regular expression {_shown(text)} {fault}: give a simpler one")
    import regex  # noqa: PLC0415  takes longer to import than most answers

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what later releases of the package will read differently
            return regex.compile(text)
    except Exception as error:  # besides regex.error comes what deep or odd expressions make of its parser
        raise TrtlensError(f"{_shown(text)} is no regular expression ({error}): correct it, or give a glob") from error


def _fault(text: str) -> str | None:
    """Why an expression might take long to compile: groups are written out as often as they are repeated at least."""
    if len(text) > _LONGEST:
        return f"has {len(text)} characters, more than {_LONGEST}"
    bare = _ESCAPED.sub("", text)
    depth = deepest = 0
    for character in bare:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    if deepest > _DEEPEST:
        return f"has groups inside of groups, {deepest} deep, more than {_DEEPEST}"
    groups = atoms = 1
    for counted in _COUNTED.finditer(bare):
        count = max(int(counted["low"] or 0), int(counted["high"] or 0), 1)
        groups, atoms = (groups * count, atoms) if counted["group"] else (groups, max(atoms, count))
    return (
        f"repeats up to {groups * atoms} times, more than {_MOST_REPEATS}" if groups * atoms > _MOST_REPEATS else None
    )


def _shown(text: str, longest: int = 80) -> str:
    return repr(text if len(text) <= longest else f"{text[:longest]}..")


def lookup(patterns: Mapping[str, Any], name: str) -> Any:
    """What the exact name maps to, else the first glob that fits it, else None."""
    if name in patterns:
        return patterns[name]
    return next((value for pattern, value in patterns.items() if glob(pattern).fits(name)), None)


def listed(names: Sequence[str], most: int = 8) -> str:
    """The first names of a list, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")

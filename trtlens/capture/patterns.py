"""Names with `*`, the one special character: tensor and layer names hold `?`, `[` and `]` of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def matches(pattern: str, name: str) -> bool:
    """Whether the whole name fits; takes time in proportion to the name, however many `*` there are."""
    first, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    if not name.startswith(first):
        return False
    position = len(first)
    for part in rest[:-1]:
        found = name.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return len(name) - position >= len(rest[-1]) and name.endswith(rest[-1])


def lookup(patterns: Mapping[str, Any], name: str) -> Any:
    """What the exact name maps to, else the first pattern that fits it, else None."""
    if name in patterns:
        return patterns[name]
    return next((value for pattern, value in patterns.items() if matches(pattern, name)), None)


def shorten(names: Sequence[str], shown: int = 8) -> str:
    """The first names of a list, and how many more there are."""
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest > 0 else "")

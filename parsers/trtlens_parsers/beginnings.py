"""Which of many known beginnings a line has, told at the cost of one look-up for a line that has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Beginnings:
    """A set of texts that lines begin with; none of them is shorter than ``key`` characters."""

    def __init__(self, starts: Iterable[str], key: int) -> None:
        self._key = key
        self._starts: dict[str, tuple[str, ...]] = {}
        for start in sorted(starts, key=len, reverse=True):
            if len(start) < key:
                raise ValueError(f"{start!r} is shorter than {key} characters")
            self._starts[start[:key]] = (*self._starts.get(start[:key], ()), start)

    def match(self, text: str) -> bool:
        """Whether the text begins with one of them."""
        starts = self._starts.get(text[: self._key])
        return starts is not None and text.startswith(starts)

    def longest(self, text: str) -> str | None:
        """The longest of them that the text begins with."""
        starts = self._starts.get(text[: self._key], ())
        return next((start for start in starts if text.startswith(start)), None)

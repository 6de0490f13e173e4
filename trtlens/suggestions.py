"""What a mistyped word may mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 200
_MOST = 5000


def did_you_mean(word: str, known: Iterable[str], most: int = 3) -> str:
    """``"did you mean a or b? "``, or nothing where no known word is near."""
    from difflib import get_close_matches  # noqa: PLC0415  most words are right

    choices = {text.lower(): text for text in list(known)[:_MOST]}
    close = get_close_matches(word[:_LONGEST].lower(), choices, most)
    return f"did you mean {' or '.join(choices[text] for text in close)}? " if close else ""

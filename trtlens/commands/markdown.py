"""Results as Markdown, for a comment on a pull request: tables of the dialect that GitHub and GitLab read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from trtlens.output import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Characters that Markdown or the HTML in it would act on. Backslash escapes work for all of them.
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>|#~&@]")


def escape(text: str) -> str:
    """``text`` so that a reader of Markdown shows it as it is: no name can format, link or mention."""
    return _SPECIAL.sub(
        lambda match: "\\" + match[0] if match[0] not in "@<>&" else f"&#{ord(match[0])};", visible(text)
    )


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; numbers stand to the right, unknown is empty."""
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [any(row[i] for row in cells) and all(_is_number(row[i]) for row in cells) for i in range(len(headings))]
    lines = [_line(map(escape, headings)), _line("---:" if right else "---" for right in numeric)]
    return "\n".join([*lines, *(_line(row) for row in cells)]) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return escape(str(value))


def _is_number(text: str) -> bool:
    return not text or re.fullmatch(r"[+-]?\d[\d.,]*(?:e[+-]?\d+)?", text) is not None

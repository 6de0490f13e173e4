"""A comparison in Markdown, as a comment on a pull request: what decides stands open, its evidence is folded, and all of it fits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from trtlens.output import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from trtlens.comparison.changes import ChangeRow
    from trtlens.comparison.comparison import Comparison
    from trtlens.comparison.gate import Outcome

LONGEST = 64_000
"""Characters of a comment; GitHub takes 65,536, of which whoever posts it may need some."""
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>|#~&@]")
"""Characters that Markdown or the HTML in it would interpret: escaped by a backslash, ``@<>&`` by entities."""
_LEFT_OUT = "\n{count} more lines do not fit a comment; the report has all.\n"
_ROOM = 100
"""Characters for the sentence above, and its number."""


def comment(comparison: Comparison, outcomes: Sequence[Outcome], *, regions: bool, top: int, whole: bool) -> str:
    """Checks and sentences, then the changes, settings and regions, folded; tables lose rows where all would not fit.

    Of chosen layers (not ``whole``) the changes and regions alone.
    """
    from trtlens.comparison.headlines import tell  # noqa: PLC0415
    from trtlens.comparison.result_tables import changes_shown, settings_table, side_by_side  # noqa: PLC0415

    told = [_checks(outcomes)] if outcomes else []
    told += [
        f"### {escape(section.title)}\n\n" + "".join(f"- {escape(text)}\n" for text in section.sentences)
        for section in (tell(comparison) if whole else ())
    ]
    rows, hidden = changes_shown(comparison, top)
    headings = ("run", "change [ms]", "what", "where", "verdict of the region")
    changes = markdown_table(headings, [_cells(comparison, row) for row in rows]) if rows else ""
    more = f"\n{hidden} more changes: `--top 0` shows all.\n" if hidden else ""
    tables = (
        ("Changes", changes + more),
        ("Settings that differ", _of_table(settings_table(comparison)) if whole else ""),
        ("Regions", _of_table(side_by_side(comparison)) if regions else ""),
    )
    return _within(told, [(title, body) for title, body in tables if body])


def _checks(outcomes: Sequence[Outcome]) -> str:
    return "### Checks\n\n" + "".join(f"- {escape(outcome.line)}\n" for outcome in outcomes)


def _within(told: Sequence[str], tables: Sequence[tuple[str, str]]) -> str:
    """The parts with the tables folded; what does not fit is cut at the end of a line, and said to be."""
    parts = list(_cut("\n".join(told), LONGEST // 2))
    room = LONGEST - sum(map(len, parts))
    for title, body in tables:
        head, tail = f"\n<details><summary>{title}</summary>\n\n", "\n</details>\n"
        shown = "".join(_cut(body, max(room - len(head) - len(tail), 0)))
        parts.append(head + shown + tail)
        room -= len(parts[-1])
    return "".join(parts)


def _cut(text: str, longest: int) -> tuple[str, str]:
    """As many whole lines as fit, and what is said of the others."""
    if len(text) <= longest:
        return text, ""
    kept = text[: max(text.rfind("\n", 0, max(longest - _ROOM, 0)) + 1, 0)]
    return kept, _LEFT_OUT.format(count=f"{text.count(chr(10)) - kept.count(chr(10)):,}")


def _of_table(table: pa.Table) -> str:
    return markdown_table(table.column_names, (row.values() for row in table.to_pylist())) if table.num_rows else ""


def _cells(comparison: Comparison, row: ChangeRow) -> tuple[str | float | None, ...]:
    return comparison.names[row.run], row.diff_ms, row.words, row.label, row.verdict


def escape(text: str) -> str:
    """``text`` escaped for Markdown: no name can format, link or mention."""
    return _SPECIAL.sub(
        lambda match: "\\" + match[0] if match[0] not in "@<>&" else f"&#{ord(match[0])};", visible(text)
    )


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; numbers are aligned to the right, unknown is empty."""
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

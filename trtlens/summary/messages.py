"""The errors and warnings of a build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.tuning.kept_strategy import kept_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.runs.run import Run

_SHOWN_MESSAGES = 3
_SECOND_LINES = frozenset({"advice"})
_FRAMES = ("--- Begin node ---", "--- End node ---")
_SEVERE = ("internal error", "error", "warning")


def telling_messages(run: Run) -> tuple[tuple[str, str, int, str], ...]:
    """Severity, code, count and first line of errors, in the order of the log, then of warnings, the most frequent first.

    The second line of a warning belongs to the first and is left out.
    """
    rows = [row for row in kept_rows(run, "messages").to_pylist() if row["severity"] in _SEVERE]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        if row["code"] not in _SECOND_LINES:
            groups.setdefault((row["severity"], row["code"] or _first_line(row)), []).append(row)
    ordered = sorted(groups.items(), key=lambda item: _place(item[0][0], item[1]))
    return tuple(
        (severity, found[0]["code"] or "-", _count(found), _telling(found))
        for (severity, _), found in ordered[:_SHOWN_MESSAGES]
    )


def _place(severity: str, found: Sequence[dict[str, Any]]) -> tuple[int, int]:
    return _SEVERE.index(severity), found[0]["line"] if "error" in severity else -_count(found)


def _count(found: Sequence[dict[str, Any]]) -> int:
    return sum(row["count"] for row in found)


def _telling(found: Sequence[dict[str, Any]]) -> str:
    """The first text that is not a frame around an ONNX node."""
    texts = [_first_line(row) for row in found]
    return next((text for text in texts if not text.endswith(_FRAMES)), texts[0])


def _first_line(row: dict[str, Any]) -> str:
    return str(row["text"]).split("\n", 1)[0]

"""What is to be said of how the lines of a run's files were read, before anything else of them is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trtlens.runs.run import Run

_NO_TEXT = frozenset({"blank", "doubled"})


def line_counts(run: Run) -> dict[str, int]:
    """Lines by how they were read; see the table `reading`."""
    return {row["kind"]: row["lines"] for row in run["reading"].to_pylist()}


def not_understood(run: Run) -> str | None:
    """A sentence where most lines of a log are of no form that is known; None otherwise."""
    counts = line_counts(run)
    unread = counts.get("unread", 0)
    lines = sum(count for kind, count in counts.items() if kind not in _NO_TEXT)
    if unread * 2 <= lines:
        return None
    return (
        f"{unread:,} of {lines:,} lines are of no form that is known, so most of what the log says is missing here: trtlens parse --unread "
        "shows them"
    )


def reading_notes(run: Run) -> tuple[str, ...]:
    """What was left out of the files on purpose, and why."""
    doubled = line_counts(run).get("doubled", 0)
    if not doubled:
        return ()
    return (
        f"every message stands twice in the log, as two handlers on one logger write it: {doubled:,} lines that are second copies were left out",
    )

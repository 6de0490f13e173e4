"""Which warnings and errors did the build print, and what do they mean?"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from trtlens.output import layout
from trtlens.tables.schema import declare
from trtlens.tuning.wording import counted
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

COLUMNS = declare(
    "view messages", "one kind of message: the same severity and code, or the same text", "build strategy severity code text",
    """
    build | int | | number of the build
    strategy | int | | backend strategy during which it was printed; null for none
    severity | text | | internal error, error, warning, info, verbose, unknown
    code | text | | what it means, see docs/messages.md; null for a message without a known meaning
    count | int | | how often it was printed
    text | text | | the first such message
    layers | texts | | layers that these messages name
    tensors | texts | | tensors that these messages name
    line | int | | line of the first one
    """,
)  # fmt: skip
_RANK = {"internal error": 0, "error": 1, "warning": 2}


def table(run: Run) -> pa.Table:
    """Messages grouped by severity and meaning, the most severe first, then in the order of the log."""
    kinds: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in run["messages"].to_pylist():
        kinds[row["build"], row["strategy"], row["severity"], row["code"] or row["text"]].append(row)
    merged = [_merged(rows) for rows in kinds.values()]
    merged.sort(key=lambda row: (row["build"], _RANK.get(row["severity"], len(_RANK)), row["line"]))
    return COLUMNS.of_rows(merged)


def _merged(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The first message of a kind, with how many there are and what all of them name."""
    return {
        **rows[0],
        "count": sum(row["count"] for row in rows),
        "layers": _distinct(rows, "layer"),
        "tensors": _distinct(rows, "tensor"),
    }


def _distinct(rows: Sequence[dict[str, Any]], column: str) -> list[str] | None:
    return list(dict.fromkeys(row[column] for row in rows if row[column] is not None)) or None


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """How many errors and warnings there are, and the first of the most severe."""
    counts = Counter({"error": 0, "warning": 0})
    for row in rows:
        counts[str(row["severity"]).removeprefix("internal ")] += row["count"]
    told = [counted(counts[one], one, f"{one}s") for one in ("error", "warning") if counts[one]]
    text = (
        " and ".join(told) or f"No error and no warning, {counted(counts.total(), 'other message', 'other messages')}"
    )
    first = rows[0]
    return (
        f"{text}; first (line {first['line']}): {first['text'].split(chr(10), 1)[0]}"
        if first["severity"] in _RANK
        else text
    )


VIEW = View(
    table,
    question="Which warnings and errors did the build print, and what do they mean?",
    answer=_answer,
    place=14,
    layout=layout("severity count text code line", prose="text", stretches="text"),
    heading="Messages of the build",
    empty="the build printed no warning, no error and no message with a known meaning",
)

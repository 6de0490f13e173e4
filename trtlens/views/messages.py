"""Which warnings and errors did the build print, and what do they mean?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.joins import arrow, frame
from trtlens.schema import declare
from trtlens.views import View

if TYPE_CHECKING:
    import pyarrow as pa

    from trtlens.runs import Run

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
    rows = frame(run["messages"])
    rows["kind"] = rows["code"].fillna(rows["text"])
    groups = rows.groupby(["build", "strategy", "severity", "kind"], sort=False, dropna=False)
    merged = groups.agg(
        code=("code", "first"), count=("line", "size"), text=("text", "first"), line=("line", "first"),
        layers=("layer", _distinct), tensors=("tensor", _distinct),
    ).reset_index()  # fmt: skip
    merged["rank"] = merged["severity"].map(_RANK).fillna(len(_RANK))
    merged = merged.sort_values(["build", "rank", "line"])
    return arrow(merged, COLUMNS)


def _distinct(values: object) -> list[str] | None:
    names = list(dict.fromkeys(values.dropna()))  # type: ignore[attr-defined]
    return names or None


VIEW = View(
    table,
    question="Which warnings and errors did the build print, and what do they mean?",
    place=14,
    heading="Messages of the build",
    empty="the build printed no warning, no error and no message with a known meaning",
)

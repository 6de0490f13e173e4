"""How much memory was in use, step by step?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.output import layout
from trtlens.quantities import byte_size
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

_IN_USE = "in use"


def table(run: Run) -> pa.Table:
    """Steps in the order of the log."""
    return run["memory_use"].sort_by([("build", "ascending"), ("line", "ascending")])


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """The most GPU memory in use and at which step, what was in use at the first, and the most that TensorRT itself held."""
    known = [row for row in rows if row["gpu_bytes"] is not None]
    used, own = ([row for row in known if (row["counts"] == _IN_USE) is in_use] for in_use in (True, False))
    told = []
    if used:
        most, first = max(used, key=lambda row: row["gpu_bytes"]), used[0]
        before = first["gpu_bytes"] - (first["gpu_change_bytes"] or 0)
        told.append(
            f"at most {byte_size(most['gpu_bytes'])} of GPU memory were in use ({most['event']}), {byte_size(before)} at first"
        )
    if own:
        told.append(f"TensorRT's own allocators held {byte_size(max(row['gpu_bytes'] for row in own))} at most")
    text = "; ".join(told) or "no line states GPU memory"
    return text[0].upper() + text[1:]


VIEW = View(
    table,
    question="How much memory was in use, step by step?",
    answer=_answer,
    place=26,
    layout=layout("event counts gpu_change_bytes gpu_bytes cpu_change_bytes cpu_bytes line", stretches="event"),
    empty="no memory in use in the log: TensorRT 8.0 and later print it at info level",
)

"""Which layers need memory besides their tensors?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.engine.times import arrow, frame
from trtlens.output import Fold, layout
from trtlens.quantities import byte_size
from trtlens.tables.schema import declare
from trtlens.tuning.kept_strategy import kept_rows
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

COLUMNS = declare(
    "view memory", "one layer that needs memory besides its tensors", "build line",
    """
    build | int | | number of the build
    strategy | int | | backend strategy that it belongs to; null for none
    profile | int | | optimisation profile that it belongs to, from 0; null where the log does not say
    layer | text | | layer
    scratch_bytes | int | bytes | scratch memory while the layer runs
    device_persistent_bytes | int | bytes | device memory that the layer keeps
    host_persistent_bytes | int | bytes | host memory that the layer keeps
    line | int | | line of the log
    """,
)  # fmt: skip
_SIZES = ["scratch_bytes", "device_persistent_bytes", "host_persistent_bytes"]


def table(run: Run) -> pa.Table:
    """Layers of the strategy that was kept by scratch, then by persistent memory; those without a line need none or are not stated."""
    if not run["memory"].num_rows:
        return COLUMNS.empty()
    rows = frame(kept_rows(run, "memory"))
    rows = rows[(rows[_SIZES].fillna(0) > 0).any(axis=1)]
    by = ["build", "strategy", "profile", *_SIZES, "line"]
    rows = rows.sort_values(by, ascending=[True, True, True, False, False, False, True])
    return arrow(rows, COLUMNS)


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """The layer that needs the most scratch memory, and what all keep."""
    most = max(rows, key=lambda row: row["scratch_bytes"] or 0)
    scratch = most["scratch_bytes"] or 0
    text = (
        f"{most['layer']} needs the most scratch memory, {byte_size(scratch)}"
        if scratch
        else "No layer needs scratch memory"
    )
    if len({row["profile"] for row in rows}) > 1:
        return text
    kept = {where: sum(row[f"{where}_persistent_bytes"] or 0 for row in rows) for where in ("device", "host")}
    told = " and ".join(f"{byte_size(size)} of {where} memory" for where, size in kept.items() if size)
    return f"{text}; the layers keep {told}" if told else text


VIEW = View(
    table,
    question="Which layers need memory besides their tensors?",
    answer=_answer,
    place=12,
    layout=layout(
        "layer scratch_bytes device_persistent_bytes host_persistent_bytes",
        stretches="layer",
        fold=Fold(("scratch_bytes", "device_persistent_bytes"), 5, sums=("host_persistent_bytes",)),
    ),
    heading="Layers that need memory",
    empty="no memory figures: a verbose log states totals and per-layer memory once an engine is finished",
)

"""Which units does the plan keep in FP32, what does that cost, and how much error would each add?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.layer_patterns import listed
from trtlens.output import layout
from trtlens.quantities import duration, percent
from trtlens.tables.declarations import TABLES
from trtlens.tuning.wording import counted
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

_FULL = "fp32"
_MOST_NAMED = 3


def table(run: Run) -> pa.Table:
    """The units of each plan: those that stay in FP32 by choice first, then those that must, each by its error."""
    rows = sorted(run["plan_units"].to_pylist(), key=_place)
    return TABLES["plan_units"].of_rows(rows)


def _place(row: dict[str, Any]) -> tuple[int, bool, bool, float, int]:
    return (row["build"], row["type"] != _FULL, row["why"] is not None, -(row["error"] or 0.0), row["index"])


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """How many stay in FP32, what that costs, and which of them cannot go down."""
    kept = [row for row in rows if row["type"] == _FULL]
    if not kept:
        return f"None of {counted(len(rows), 'unit', 'units')} is kept in FP32"
    held = [row for row in kept if row["why"] is not None]
    told = f"{len(kept)} of {counted(len(rows), 'unit', 'units')} are kept in FP32{_cost(kept)}"
    return f"{told}; {len(held)} of them cannot go down: {listed([row['name'] for row in held], _MOST_NAMED)}" if held else told  # fmt: skip


def _cost(kept: Sequence[dict[str, Any]]) -> str:
    """What they would save in the reduced type, as far as it is known of all."""
    for name, told in (("costs_ms", duration), ("costs_percent", percent)):
        costs = [row[name] for row in kept if row["why"] is None]
        if costs and all(cost is not None for cost in costs):
            whole = "" if name == "costs_ms" else " of the time in FP32 by operations and bytes"
            return f", which costs {told(sum(costs))}{whole} (casts not counted) where they could go down"
    return ""


VIEW = View(
    table,
    question="Which units does the plan keep in FP32, what does that cost, and how much error would each add?",
    answer=_answer,
    place=28,
    layout=layout(
        "name type error costs_percent costs_ms why fp32_percent fp32_ms remedy operators",
        stretches="name",
        prose="why remedy",
    ),
    heading="Units of the plan",
    empty="no plan: build the run with trtlens profile MODEL --plan plan.json (trtlens plan makes one), or name a plan.json",
)

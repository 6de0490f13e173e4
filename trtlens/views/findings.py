"""What costs time, what puts accuracy at risk, and what should be checked next?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.findings import find
from trtlens.findings.finding import COLUMNS, findings_table
from trtlens.findings.stakes import stake_text
from trtlens.output import layout
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

__all__ = ["COLUMNS", "table"]


def table(run: Run, against: Run | None = None) -> pa.Table:
    """Findings of each build, severe ones first, then by the time at stake; ``against`` is a second run to compare with."""
    return findings_table(find(run, against))


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """The finding that leads, and how many there are."""
    first = rows[0]
    stake = stake_text(first["at_stake_low_ms"], first["at_stake_ms"], first["at_stake_high_ms"])
    more = f"; {len(rows) - 1} more" if len(rows) > 1 else ""
    return f"{first['title']}{f': {stake} of an inference at stake' if stake else ''}{more}"


VIEW = View(
    table,
    question="What costs time, what puts accuracy at risk, and what should be checked next?",
    answer=_answer,
    place=8,
    layout=layout("severity code title at_stake_ms at_stake_s next_check", prose="title next_check"),
    empty="no findings: no rule applies, or the run holds too little data (a verbose log and a layer profile cover all rules)",
)

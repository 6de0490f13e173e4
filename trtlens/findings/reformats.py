"""What the findings about reformats say alike: the share of the time, the severity by it, one reformat as evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.findings.finding import Evidence
from trtlens.quantities import duration

if TYPE_CHECKING:
    from trtlens.engine.reformat_causes import Reformat
    from trtlens.findings.engine import Engine

WORTH_SHARE = 0.03
"""Share of all layers' time from which reformats are worth looking at."""
_HEAVY_SHARE = 0.1


def share_text(cost: float, count: int, engine: Engine) -> str:
    """A sum of times with its share of all layers' time."""
    share = f", {100 * cost / engine.total_ms:.1f} % of {engine.clock.whole}" if engine.total_ms else ""
    return f"{'it takes' if count == 1 else 'they take'} {duration(cost)}{share}"


def reformat_evidence(reformat: Reformat) -> Evidence:
    """A reformat with its cause, its cost and its line."""
    cost = f": {duration(reformat.cost_ms)} ({reformat.cost_source})" if reformat.cost_ms is not None else ""
    return Evidence(f"{reformat.node.name}: {reformat.detail}{cost}", reformat.node.row["line"])


def severity_by_share(cost: float | None, engine: Engine) -> str:
    """Severity of a cost: high from a tenth of all layers' time, low where that is not known."""
    if cost is None or not engine.total_ms:
        return "low"
    share = cost / engine.total_ms
    return "high" if share >= _HEAVY_SHARE else "medium" if share >= WORTH_SHARE else "low"

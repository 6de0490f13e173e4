"""What trtexec's performance summary in a log gives for a metric; read without pandas, which ``trtlens parse`` must not wait for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trtlens.runs.run import Run

_STATISTICS = ("median", "value", "mean")


@dataclass(frozen=True, slots=True)
class Figure:
    """One printed figure; ``value`` counts in ``unit`` (``ms``, ``qps`` or ``s``)."""

    value: float
    unit: str
    statistic: str


def stated_figure(run: Run, metric: str) -> Figure | None:
    """Median, single value or mean of a metric: the first that is a number.

    TensorRT 7.0 prints a throughput of ``0 qps`` and later ones ``nan ms`` where nothing was measured: neither is a figure.
    """
    rows = run["performance"].to_pylist()
    found = {row["statistic"]: row for row in rows if row["metric"] == metric and row["value"] is not None}
    row = next((found[name] for name in _STATISTICS if name in found), None)
    return None if row is None else Figure(row["value"], row["unit"], row["statistic"])

"""How long does one inference take?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.engine.inference_timing import inference_figures
from trtlens.engine.times import arrow
from trtlens.output import layout
from trtlens.quantities import duration, number
from trtlens.tables.schema import declare
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

STATISTICS = ("value", "median", "mean", "min", "max", "p90", "p95", "p99")
_TOLD = (
    ("gpu_compute_time", "An inference takes"),
    ("throughput", "throughput"),
    ("latency", "latency"),
)
COLUMNS = declare(
    "view latency", "one latency metric with its statistics", "build metric source",
    """
    build | int | | number of the build
    metric | text | | gpu_compute_time (queued), gpu_compute_time_alone, latency, enqueue_time, throughput, ...
    unit | text | | ms, s or qps
    value | float | | the figure, where there is one value only
    median | float | | median
    mean | float | | mean
    min | float | | smallest
    max | float | | largest
    p90 | float | | 90th percentile, by trtexec's rule
    p95 | float | | 95th percentile, by trtexec's rule
    p99 | float | | 99th percentile, by trtexec's rule
    samples | int | | inferences behind the figure, where known
    source | text | | samples with their pass, or trtexec (its performance summary)
    """,
)  # fmt: skip


def table(run: Run) -> pa.Table:
    """Figures from the run's own samples, then those of trtexec's performance summary."""
    return arrow(inference_figures(run), COLUMNS)


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """GPU time of an inference, its tail, and the throughput."""
    figures = {row["metric"]: row for row in reversed(rows)}
    told = [_figure(label, figures[metric]) for metric, label in _TOLD if metric in figures]
    return "; ".join(filter(None, told)) or f"{rows[0]['metric']} is {_value(rows[0])}"


def _figure(label: str, row: dict[str, Any]) -> str:
    tail = f" (99 % within {duration(row['p99'])})" if row["p99"] is not None and row["unit"] == "ms" else ""
    return f"{label} {_value(row)}{tail}"


def _value(row: dict[str, Any]) -> str:
    value = next((row[name] for name in STATISTICS if row[name] is not None), None)
    if value is None:
        return "not known"
    return duration(value) if row["unit"] == "ms" else f"{number(value)} {row['unit']}"


VIEW = View(
    table,
    question="How long does one inference take?",
    answer=_answer,
    place=15,
    layout=layout("metric value median p99 min max mean samples source p90 p95", unit_column="unit"),
    heading="Latency statistics",
    empty=(
        "no inference was timed in this run: trtlens profile times them; of trtexec add the file of --exportTimes, or the whole log, "
        "which ends with a performance summary unless --buildOnly or --skipInference was given"
    ),
)

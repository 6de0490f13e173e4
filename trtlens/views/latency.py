"""How long does one inference take?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.engine.inference_timing import inference_figures
from trtlens.engine.times import arrow
from trtlens.output import layout
from trtlens.tables.schema import declare
from trtlens.views import View

if TYPE_CHECKING:
    import pyarrow as pa

    from trtlens.runs.run import Run

STATISTICS = ("value", "median", "mean", "min", "max", "p90", "p95", "p99")
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


VIEW = View(
    table,
    question="How long does one inference take?",
    place=15,
    layout=layout("metric value median p99 min max mean samples source p90 p95", unit_column="unit"),
    heading="Latency statistics",
    empty=(
        "no inference was timed in this run: trtlens profile times them; of trtexec add the file of --exportTimes, or the whole log, "
        "which ends with a performance summary unless --buildOnly or --skipInference was given"
    ),
)

"""How long does one inference take?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from trtlens.engine.times import arrow, frame
from trtlens.statistics import summarize
from trtlens.tables.schema import declare
from trtlens.views import View

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from trtlens.runs.run import Run

STATISTICS = ("value", "median", "mean", "min", "max", "p90", "p95", "p99")
COLUMNS = declare(
    "view latency", "one figure of how long an inference takes, with its statistics", "build metric source",
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
# What the samples of each pass measure: queued inferences the GPU's time, single ones what a caller waits.
_SAMPLED = {
    "timing": {"gpu_ms": "gpu_compute_time", "enqueue_ms": "enqueue_time"},
    "latency": {"host_ms": "latency", "gpu_ms": "gpu_compute_time_alone"},
    "trtexec": {
        "gpu_ms": "gpu_compute_time", "host_ms": "latency", "enqueue_ms": "enqueue_time", "h2d_ms": "h2d_latency",
        "d2h_ms": "d2h_latency",
    },
}  # fmt: skip


def table(run: Run) -> pa.Table:
    """Figures from the run's own samples, then those of trtexec's performance summary."""
    rows = pd.concat([_from_samples(frame(run["run_times"])), _from_summary(frame(run["performance"]))])
    return arrow(rows, COLUMNS)


def _from_summary(figures: pd.DataFrame) -> pd.DataFrame:
    """One row a metric; a log that prints a figure twice keeps the last, which is the whole run's."""
    figures = figures.drop_duplicates(["build", "metric", "statistic"], keep="last")
    if figures.empty:
        return pd.DataFrame()
    wide = figures.pivot_table(
        index=["build", "metric", "unit"], columns="statistic", values="value", aggfunc="last", sort=False
    )
    return wide.reset_index().assign(source="trtexec")


def _from_samples(times: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (build, name), group in times.groupby(["build", "pass"], sort=False):
        for column, metric in _SAMPLED.get(str(name), {}).items():
            values = group[column].dropna().to_numpy("float64")
            if len(values):
                known = {"build": build, "metric": metric, "unit": "ms", "source": f"samples ({name})"}
                rows.append({**known, **_statistics(values)})
    return pd.DataFrame(rows)


def _statistics(times: NDArray[np.float64]) -> dict[str, float]:
    found = summarize(times)
    assert found is not None  # noqa: S101  the caller drops empty columns
    return {
        "median": found.median_ms, "mean": found.mean_ms, "min": found.min_ms, "max": found.max_ms,
        "p90": found.p90_ms, "p95": found.p95_ms, "p99": found.p99_ms, "samples": found.count,
    }  # fmt: skip


VIEW = View(
    table,
    question="How long does one inference take?",
    place=15,
    heading="Figures of the latency",
    empty=(
        "no inference was timed in this run: trtlens profile times them; of trtexec add the file of --exportTimes, or the whole log, "
        "which ends with a performance summary unless --buildOnly or --skipInference was given"
    ),
)

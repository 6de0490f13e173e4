"""How a run was timed as a whole: with a CUDA graph or without, and whether the GPU waited for the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from trtlens.engine.times import frame
from trtlens.runs.run import once
from trtlens.statistics import summarize
from trtlens.tables.arrays import of_build

if TYPE_CHECKING:
    from trtlens.runs.run import Run
    from trtlens.statistics import Statistics

_WAITING_SHARE = 0.9
"""Enqueueing that takes this share of the GPU's time or more leaves the GPU waiting."""
_DRY_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Timing:
    """What is known of whole inferences; None for what the run does not state.

    ``waits`` is whether the GPU waited for the host, so that its time holds the wait; ``dry`` of ``samples`` inferences
    found it idle. ``line`` is that of trtexec's own warning. ``graph_ms`` is an inference from a CUDA graph, where the others were enqueued.
    """

    inference_ms: float | None = None
    enqueue_ms: float | None = None
    cuda_graph: bool | None = None
    dry: int | None = None
    samples: int | None = None
    line: int | None = None
    graph_ms: float | None = None

    @property
    def waits(self) -> bool | None:
        """Whether the GPU waited; None where neither samples nor enqueue times nor trtexec tell."""
        if self.line is not None or (self.dry is not None and self.samples and self.dry > _DRY_SHARE * self.samples):
            return True
        if self.inference_ms is None or self.enqueue_ms is None:
            return None
        return self.enqueue_ms >= _WAITING_SHARE * self.inference_ms


@once
def read_timing(run: Run, build: int, *, cuda_graph: bool | None = None) -> Timing:
    """How the engine of one build was timed, by its samples and trtexec's summary; ``cuda_graph`` as the caller knows it."""
    rows = inference_figures(run)
    figures = (
        {} if rows.empty else {row["metric"]: row for row in reversed(rows[rows["build"] == build].to_dict("records"))}
    )
    dry, samples = _dry(run, build)
    messages = of_build(run["messages"], build)
    codes = zip(messages["code"].to_pylist(), messages["line"].to_pylist(), strict=True)
    told = [line for code, line in codes if code == "enqueue-bound"]
    return Timing(
        _typical(figures.get("gpu_compute_time")), _typical(figures.get("enqueue_time")),
        cuda_graph, dry, samples, told[0] if told else None, _typical(figures.get("gpu_compute_time_from_graph")),
    )  # fmt: skip


def _typical(row: dict[str, Any] | None) -> float | None:
    """The median, else the mean: trtexec to 7.0 prints that alone."""
    if row is None or row["unit"] != "ms":
        return None
    known = [row[name] for name in ("median", "mean") if not pd.isna(row.get(name))]
    return float(known[0]) if known else None


def _dry(run: Run, build: int) -> tuple[int | None, int | None]:
    """Inferences that found the GPU idle, of how many."""
    times = of_build(run["run_times"], build)
    rows = zip(times["pass"].to_pylist(), times["queue_dry"].to_pylist(), strict=True)
    known = [dry for kind, dry in rows if kind == "timing" and dry is not None]
    return (sum(known), len(known)) if known else (None, None)


# -- figures ---------------------------------------------------------------------------------------------------------

# What the samples of each pass measure: queued inferences the GPU's time, single ones what a caller waits.
_SAMPLED = {
    "timing": {"gpu_ms": "gpu_compute_time", "enqueue_ms": "enqueue_time"},
    "latency": {"host_ms": "latency", "gpu_ms": "gpu_compute_time_alone"},
    "graph": {"gpu_ms": "gpu_compute_time_from_graph"},
    "trtexec": {
        "gpu_ms": "gpu_compute_time", "host_ms": "latency", "enqueue_ms": "enqueue_time", "h2d_ms": "h2d_latency",
        "d2h_ms": "d2h_latency",
    },
}  # fmt: skip


@once
def inference_figures(run: Run) -> pd.DataFrame:
    """Figures of whole inferences with their statistics: from the run's own samples, then those of trtexec's summary."""
    return pd.concat([_from_samples(frame(run["run_times"])), _from_summary(frame(run["performance"]))])


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
            found = summarize_samples(group, column)
            if found is not None:
                known = {"build": build, "metric": metric, "unit": "ms", "source": f"samples ({name})"}
                rows.append({**known, **_statistics(found)})
    return pd.DataFrame(rows)


def summarize_samples(times: pd.DataFrame, column: str) -> Statistics | None:
    """Statistics of a column of rows of ``run_times``, over the processes that timed them; None where all are unknown."""
    known = times[times[column].notna()]
    return summarize(known[column].to_numpy("float64"), known["process"].fillna(0).to_numpy("int64"))


def _statistics(found: Statistics) -> dict[str, float]:
    return {
        "median": found.median_ms, "mean": found.mean_ms, "min": found.min_ms, "max": found.max_ms,
        "p90": found.p90_ms, "p95": found.p95_ms, "p99": found.p99_ms, "samples": found.count,
    }  # fmt: skip

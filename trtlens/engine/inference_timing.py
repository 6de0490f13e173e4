"""How a run was timed as a whole: with a CUDA graph or without, and whether the GPU waited for the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trtlens.runs.run import Run

_WAITING_SHARE = 0.9
"""Enqueueing that takes this share of the GPU's time or more leaves the GPU waiting."""
_DRY_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Timing:
    """What is known of whole inferences; None for what the run does not state.

    ``waits`` is whether the GPU waited for the host, so that its time holds the wait; ``dry`` of ``samples`` inferences
    found it idle. ``line`` is that of trtexec's own warning.
    """

    inference_ms: float | None = None
    enqueue_ms: float | None = None
    cuda_graph: bool | None = None
    dry: int | None = None
    samples: int | None = None
    line: int | None = None

    @property
    def waits(self) -> bool | None:
        """Whether the GPU waited; None where neither samples nor enqueue times nor trtexec tell."""
        if self.line is not None or (self.dry is not None and self.samples and self.dry > _DRY_SHARE * self.samples):
            return True
        if self.inference_ms is None or self.enqueue_ms is None:
            return None
        return self.enqueue_ms >= _WAITING_SHARE * self.inference_ms


def read_timing(run: Run, build: int, *, cuda_graph: bool | None = None) -> Timing:
    """How the engine of one build was timed, by its samples and trtexec's summary; ``cuda_graph`` as the caller knows it."""
    rows = [row for row in run.view("latency").to_pylist() if row["build"] == build]
    figures = {row["metric"]: row for row in reversed(rows)}
    dry, samples = _dry(run, build)
    told = [
        row["line"] for row in run["messages"].to_pylist() if (row["build"], row["code"]) == (build, "enqueue-bound")
    ]
    return Timing(
        _typical(figures.get("gpu_compute_time")), _typical(figures.get("enqueue_time")),
        cuda_graph, dry, samples, told[0] if told else None,
    )  # fmt: skip


def _typical(row: dict[str, Any] | None) -> float | None:
    """The median, else the mean: trtexec to 7.0 prints that alone."""
    if row is None or row["unit"] != "ms":
        return None
    value = row["median"] if row["median"] is not None else row["mean"]
    return None if value is None else float(value)


def _dry(run: Run, build: int) -> tuple[int | None, int | None]:
    """Inferences that found the GPU idle, of how many."""
    rows = run["run_times"].select(["build", "pass", "queue_dry"]).to_pylist()
    known = [row["queue_dry"] for row in rows if (row["build"], row["pass"]) == (build, "timing")]
    known = [dry for dry in known if dry is not None]
    return (sum(known), len(known)) if known else (None, None)

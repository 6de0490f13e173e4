"""The samples of whole inferences that stand for a run: the best kind that it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.engine.inference_timing import summarize_samples

if TYPE_CHECKING:
    from trtlens.runs.run import Run
    from trtlens.statistics import Statistics

_PASSES = (
    ("timing", "gpu_ms", "GPU time of one inference, queued back to back"),
    ("trtexec", "gpu_ms", "GPU time of one inference, from trtexec's samples"),
    ("latency", "host_ms", "host latency of one inference at a time"),
)


@dataclass(frozen=True, slots=True)
class Samples:
    """Statistics of the samples, and in words what they measure."""

    words: str
    told: Statistics


def samples_of(run: Run) -> Samples | None:
    """The best samples that the run has, or None."""
    times = run["run_times"].to_pandas()
    for name, column, words in _PASSES:
        found = summarize_samples(times[times["pass"] == name], column)
        if found is not None:
            return Samples(words, found)
    return None

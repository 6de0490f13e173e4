"""One whole inference in two runs: median GPU times, from samples of one kind that both have, else from trtexec's summaries of both."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING

import numpy as np

from trtlens.comparison.times import UNSAMPLED_SHARE, Difference, judge
from trtlens.engine.stated_figures import stated_figure
from trtlens.quantities import number
from trtlens.runs.run import once
from trtlens.statistics import by_process, typical_error, typical_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from trtlens.runs.run import Run

PROCESSES_SHARE = 0.007
"""How far two processes were apart that timed one engine (H200, ten processes of trtlens, trtexec and a plain loop)."""
CAPTURE_SHARE = 0.0015
"""Standard deviation of a capture's median beside another capture of the same engine file: five engines, each captured twice some
minutes apart in several processes each, were 0.05 to 0.37 % apart (H200, TensorRT 8.6.0; docs/timing.md). One capture does not show it."""
_IN_PERCENT = 1.1
_PASSES = ("timing", "trtexec", "latency")


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds of a run and of the baseline; ``difference`` is None where there are too few samples to judge by.

    ``holds_processes`` is whether its interval holds what lies between processes: each run was timed in several.
    """

    run_ms: float
    base_ms: float
    difference: Difference | None
    holds_processes: bool = False

    def rates(self, base_batch: int, run_batch: int) -> str:
        """Samples a second of GPU time: ``44,700 samples a second against 2,500: 17.9x as many``."""
        run, base = 1000 * run_batch / self.run_ms, 1000 * base_batch / self.base_ms
        return f"{number(run)} samples a second against {number(base)}, {run / base:.3g}x as many"


def factor(one_ms: float, other_ms: float) -> str:
    """How far two times are apart, as stands before faster or slower: ``1.19x``, below a tenth ``0.43 %``; nothing of 0."""
    fast, slow = sorted((one_ms, other_ms))
    if not fast:
        return ""
    return f"{slow / fast:.2f}x " if slow / fast >= _IN_PERCENT else f"{100 * (slow / fast - 1):.2g} % "


def adds_up(inference: Latencies | None, layers: Difference | None, layers_ms: float | None) -> bool | None:
    """Whether the difference of all layers is that of a whole inference, within the intervals of both.

    None where one of them is not known. Without samples 5 % of the baseline's time stand for the interval; ``layers_ms``
    is what the baseline's layers take together.
    """
    if inference is None or layers is None or layers_ms is None:
        return None
    whole = inference.difference
    halves = _half(whole, inference.base_ms), _half(layers, layers_ms)
    return abs(inference.run_ms - inference.base_ms - layers.diff_ms) <= hypot(*halves)


def _half(difference: Difference | None, base_ms: float) -> float:
    if difference is None or difference.low_ms is None or difference.high_ms is None:
        return UNSAMPLED_SHARE * base_ms
    return (difference.high_ms - difference.low_ms) / 2


def compare_latency(run: Run, base: Run) -> Latencies | None:
    """The median GPU time of one inference in both runs, or None where they have none of one kind."""
    for name in _PASSES:
        ours, theirs = (_timed_samples(one, name) for one in (run, base))
        if len(ours) and len(theirs):
            return _judged(ours, theirs)
    run_ms, base_ms = (summarized(one, "gpu_compute_time") for one in (run, base))
    return None if run_ms is None or base_ms is None else Latencies(run_ms, base_ms, None)


def typical_inference(run: Run) -> tuple[float, float | None] | None:
    """Milliseconds of one inference of a run and their standard error, None where there are too few samples; None without times."""
    for name in _PASSES:
        apart = _timed_samples(run, name)
        if apart:
            return typical_ms(apart), typical_error(apart)
    stated_ms = summarized(run, "gpu_compute_time")
    return None if stated_ms is None else (stated_ms, None)


def summarized(run: Run, metric: str) -> float | None:
    """What trtexec's summary in the log gives for a metric."""
    figure = stated_figure(run, metric)
    return None if figure is None else figure.value


@once
def _timed_samples(run: Run, name: str) -> list[npt.NDArray[np.float64]]:
    """The GPU times of one pass, process by process; nothing where there are none."""
    rows = run["run_times"].select(["pass", "gpu_ms", "process"]).to_pylist()
    own = [row for row in rows if row["pass"] == name and row["gpu_ms"] is not None]
    return by_process(np.array([row["gpu_ms"] for row in own]), [row["process"] or 0 for row in own]) if own else []


def _judged(ours: Sequence[npt.NDArray[np.float64]], theirs: Sequence[npt.NDArray[np.float64]]) -> Latencies:
    run_ms, base_ms = typical_ms(ours), typical_ms(theirs)
    errors = [error for apart in (ours, theirs) if (error := typical_error(apart)) is not None]
    captures = (CAPTURE_SHARE * run_ms, CAPTURE_SHARE * base_ms)
    difference = judge(run_ms - base_ms, *errors, *captures) if len(errors) == 2 else None
    return Latencies(run_ms, base_ms, difference, holds_processes=min(len(ours), len(theirs)) > 1)

"""One whole inference in two runs: median GPU times, from samples of one kind that both have, else from trtexec's summaries of both."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from trtlens.comparison.times import UNSAMPLED_SHARE, Difference, judge
from trtlens.engine.stated_figures import stated_figure
from trtlens.quantities import number
from trtlens.runs.run import Run, once
from trtlens.statistics import by_process, typical_error, typical_ms

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
        ours, theirs = (_sampled(one, name) for one in (run, base))
        if ours is not None and theirs is not None:
            return _judged(ours, theirs)
    run_ms, base_ms = (summarized(one, "gpu_compute_time") for one in (run, base))
    return None if run_ms is None or base_ms is None else Latencies(run_ms, base_ms, None)


def typical_inference(run: Run) -> tuple[float, float | None] | None:
    """Milliseconds of one inference of a run and their standard error, None where there are too few samples; None without times."""
    for name in _PASSES:
        found = _sampled(run, name)
        if found is not None:
            return found.time_ms, found.error_ms
    stated_ms = summarized(run, "gpu_compute_time")
    return None if stated_ms is None else (stated_ms, None)


def summarized(run: Run, metric: str) -> float | None:
    """What trtexec's summary in the log gives for a metric."""
    figure = stated_figure(run, metric)
    return None if figure is None else figure.value


class _Sampled(NamedTuple):
    """What an inference takes by the samples of one pass, its standard error where there are enough, and in how many processes."""

    time_ms: float
    error_ms: float | None
    processes: int


@once
def _sampled(run: Run, name: str) -> _Sampled | None:
    """The GPU times of one pass; None where there are none."""
    rows = run["run_times"].select(["pass", "gpu_ms", "process"])
    own = rows.filter(pc.and_(pc.equal(rows["pass"].cast(pa.string()), name), pc.is_valid(rows["gpu_ms"])))
    if not own.num_rows:
        return None
    apart = by_process(own["gpu_ms"].to_numpy(), pc.fill_null(own["process"], 0).to_pylist())
    return _Sampled(typical_ms(apart), typical_error(apart), len(apart))


def _judged(ours: _Sampled, theirs: _Sampled) -> Latencies:
    errors = [one.error_ms for one in (ours, theirs) if one.error_ms is not None]
    captures = (CAPTURE_SHARE * ours.time_ms, CAPTURE_SHARE * theirs.time_ms)
    difference = judge(ours.time_ms - theirs.time_ms, *errors, *captures) if len(errors) == 2 else None
    holds = min(ours.processes, theirs.processes) > 1
    return Latencies(ours.time_ms, theirs.time_ms, difference, holds_processes=holds)

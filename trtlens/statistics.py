"""What is told of a list of times: the figures that trtexec prints, how sure the median is, and whether the times drift.

Percentiles follow `findPercentile` of trtexec (samples/common/sampleReporting.cpp, 8.6 to 11.1): no interpolation, and
the number of excluded samples is worked out in 32-bit floats. In doubles `(1 - 90 / 100) * 10` falls just short of 1
and a ten-sample list would give another sample than trtexec does.

Three things blur a median, and its error holds all of them:

- *Sampling.* The bootstrap's variance of the median in closed form (Maritz and Jarrett 1978): what endless resampling
  converges to, so that there is nothing to seed. Medians of layers are added by their influence functions, which keeps
  the covariance of layers that slow down together.
- *Drift.* Clocks move while a run is timed, so neighbouring executions are alike. The same influence, averaged over five
  blocks of consecutive executions, shows it; the larger of both variances counts.
- *The timer.* CUDA events tell times apart by about 0.5 microseconds (CUDA Runtime API, cudaEventElapsedTime), and a
  layer's error is the same in each execution: no number of samples averages it out.

Two processes that load one engine file are further apart than that: memory lies elsewhere, clocks settle otherwise. Where
an engine was timed in several processes, each process gives one median. Their median stands for the engine, their spread
(Student's distribution, a degree of freedom less than processes) makes the interval, and it is never less than what blurs
the median of one process: a hierarchical interval. Of one process nothing is known of the spread, and the interval says so.

docs/compare.md has the coverage that was measured for this interval and for others, docs/timing.md for processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import lgamma, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np

from trtlens.quantities import interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CONFIDENCE_PERCENT = 99
Z = 2.5758
"""Standard errors on either side of the middle of a two-sided interval with `CONFIDENCE_PERCENT`."""
FEWEST_SAMPLES = 10
"""Executions below which nothing is said of noise: five blocks of two."""
UNSTEADY_PERCENT = 2.5
"""Coefficient of variation above which trtexec warns that the GPU time is unstable; a drift counts from here on too."""
TIMER_MS = 0.0005

_BLOCKS = 5
_STUDENT = (63.6567, 9.9248, 5.8409, 4.6041, 4.0321, 3.7074, 3.4995, 3.3554, 3.2498, 3.1693, 3.1058, 3.0545, 3.0123, 2.9768,
            2.9467, 2.9208, 2.8982, 2.8784, 2.8609)  # fmt: skip
"""Student's quantiles for `CONFIDENCE_PERCENT` by degrees of freedom, from 1."""
MOST_PROCESSES = len(_STUDENT) + 1
_OF_MEDIAN = pi / 2
"""Variance of a median over that of a mean of as many normal values, where they are many; of few it is less."""
_PARTS = 3
_GRID = 20_001


@dataclass(frozen=True, slots=True)
class Statistics:
    """One list of times in milliseconds; `median_low_ms` to `median_high_ms` holds the median with 99 % confidence.

    Of several processes `median_ms` is the median of their medians, and the interval that of a further process's median; of
    one it is that of this process alone. Both ends are None for fewer than ten samples. `variation_percent` is the
    coefficient of variation (population standard deviation over mean) of all samples; None where the mean is 0.
    """

    count: int
    median_ms: float
    mean_ms: float
    min_ms: float
    max_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    variation_percent: float | None
    median_low_ms: float | None
    median_high_ms: float | None
    processes: int = 1

    @property
    def interval(self) -> str:
        """The interval in words: ``507.62 to 509.15 µs in a further process, with 99 % confidence``, or that there is none."""
        if self.median_low_ms is None or self.median_high_ms is None:
            return f"fewer than {FEWEST_SAMPLES} samples, so no interval"
        ends = interval(self.median_low_ms, self.median_high_ms)
        where = "in a further process" if self.processes > 1 else "in this process alone"
        return f"{ends} {where}, with {CONFIDENCE_PERCENT} % confidence"


def summarize(
    times_ms: Sequence[float] | NDArray[np.float64], processes: Sequence[int] | NDArray[np.int64] | None = None
) -> Statistics | None:
    """All figures of a list of finite times in milliseconds, in the order in which they were taken; None for an empty list.

    `processes` says in which process each was taken, None that it was one.
    """
    times = np.asarray(times_ms, dtype=np.float64)
    if not len(times):
        return None
    ordered = np.sort(times)
    apart = by_process(times, processes)
    median = typical_ms(apart)
    error = _further_error(apart)
    return Statistics(
        count=len(ordered),
        median_ms=median,
        mean_ms=float(ordered.mean()),
        min_ms=float(ordered[0]),
        max_ms=float(ordered[-1]),
        p90_ms=percentile(ordered, 90),
        p95_ms=percentile(ordered, 95),
        p99_ms=percentile(ordered, 99),
        variation_percent=variation_percent(ordered),
        median_low_ms=None if error is None else max(median - Z * error, 0.0),
        median_high_ms=None if error is None else median + Z * error,
        processes=len(apart),
    )


def percentile(ordered_ms: NDArray[np.float64], percent: float) -> float:
    """The sample that trtexec prints as `percentile(P%)`; the list is ascending and holds at least one sample."""
    count = len(ordered_ms)
    excluded = int((np.float32(1) - np.float32(percent) / np.float32(100)) * np.float32(count))
    return float(ordered_ms[max(count - 1 - excluded, 0)])


def variation_percent(times_ms: NDArray[np.float64]) -> float | None:
    """Population standard deviation over mean, in percent, as trtexec compares with 2.5; None where the mean is 0."""
    mean = float(times_ms.mean())
    return float(times_ms.std()) / mean * 100 if mean else None


# -- how sure a median is ------------------------------------------------------------------------------------------


def median_error(times_ms: NDArray[np.float64]) -> float | None:
    """Standard error of the median of times in their order, the timer's included; None for fewer than ten."""
    if len(times_ms) < FEWEST_SAMPLES:
        return None
    return float(np.hypot(standard_error(influence(times_ms[None, :]))[0], timer_error(1)))


def by_process(
    times_ms: NDArray[np.float64], processes: Sequence[int] | NDArray[np.int64] | None
) -> list[NDArray[np.float64]]:
    """The times of each process, in their order."""
    if processes is None:
        return [times_ms]
    numbers = np.asarray(processes)
    return [times_ms[numbers == number] for number in np.unique(numbers)]


def typical_ms(apart: Sequence[NDArray[np.float64]]) -> float:
    """The median of the processes' medians: what a process takes as a rule."""
    return float(np.median([np.median(times) for times in apart]))


def typical_error(apart: Sequence[NDArray[np.float64]]) -> float | None:
    """Standard error of `typical_ms`, widened for few processes so that `Z` of it make the interval; None for too few samples."""
    if len(apart) == 1:
        return median_error(apart[0])
    spread = _spread(apart)
    return None if spread is None else spread * sqrt(_OF_MEDIAN / len(apart))


def _further_error(apart: Sequence[NDArray[np.float64]]) -> float | None:
    """How far the median of a further process may lie from `typical_ms`, likewise; of one process its own error."""
    if len(apart) == 1:
        return median_error(apart[0])
    spread = _spread(apart)
    return None if spread is None else spread * sqrt(1 + _OF_MEDIAN / len(apart))


def _spread(apart: Sequence[NDArray[np.float64]]) -> float | None:
    """Standard deviation of processes' medians, at least what blurs one of them, widened by Student's distribution."""
    errors = [median_error(times) for times in apart]
    known = [error for error in errors if error is not None]
    if len(known) < len(errors):
        return None
    medians = np.array([np.median(times) for times in apart])
    between = max(float(medians.std(ddof=1)), float(np.sqrt(np.mean(np.square(known)))))
    return between * _STUDENT[min(len(apart), MOST_PROCESSES) - 2] / Z


def student(freedom: int) -> float:
    """Student's quantile of a two-sided interval of `CONFIDENCE_PERCENT`; of many degrees of freedom that of the most that are listed."""
    return _STUDENT[min(freedom, len(_STUDENT)) - 1]


def timer_error(timed: int) -> float:
    """Standard error that the timer's resolution leaves in a sum over so many timed layers, each off by up to 0.5 us."""
    return TIMER_MS * sqrt(timed / 3.0)


def influence(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much each execution moves each row's median, in ms times executions; 0 for rows of nan.

    The mean square of a row over its executions, divided by their number, is the variance of its median.
    """
    executions = samples.shape[1]
    known = np.where(np.isnan(samples), 0.0, samples)
    ordered = np.sort(known, axis=1)
    weights = _weights(executions)
    mean = ordered @ weights
    variance = np.maximum((ordered - mean[:, None]) ** 2 @ weights, 0.0)
    away = np.sign(known - np.median(ordered, axis=1)[:, None])
    result: NDArray[np.float64] = away * np.sqrt(variance * executions)[:, None]
    return result


def standard_error(moved: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard error of each row's median from its influence: the larger of the sampling's and the drift's."""
    executions = moved.shape[1]
    sampling = _sampling_error(moved)
    width = executions // _BLOCKS
    if executions < FEWEST_SAMPLES:
        return sampling
    means = moved[:, executions - _BLOCKS * width :].reshape(len(moved), _BLOCKS, width).mean(axis=2)
    drift = means.std(axis=1, ddof=1) / sqrt(_BLOCKS) * (_STUDENT[_BLOCKS - 2] / Z)
    return np.asarray(np.maximum(sampling, drift), np.float64)


def _sampling_error(moved: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard error of each row's median if its executions followed in no order."""
    return np.asarray(np.sqrt((moved**2).mean(axis=1) / moved.shape[1]), np.float64)


@lru_cache(maxsize=64)
def _weights(executions: int) -> NDArray[np.float64]:
    """Weight of each order statistic in the bootstrap's median: a step of the beta distribution around the middle."""
    shape = (executions + 1) / 2
    grid = np.linspace(0.0, 1.0, _GRID)
    inner = grid[1:-1]
    scale = lgamma(2 * shape) - 2 * lgamma(shape)
    density = np.zeros_like(grid)
    density[1:-1] = np.exp(scale + (shape - 1) * (np.log(inner) + np.log1p(-inner)))
    area = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    steps = np.diff(np.interp(np.arange(executions + 1) / executions, grid, area / area[-1]))
    return np.asarray(steps / steps.sum(), np.float64)


# -- drift ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Drift:
    """Sum of the rows' medians over the first third of the executions and over the last; `changes_ms` by row."""

    executions: int
    first_ms: float
    last_ms: float
    changes_ms: NDArray[np.float64]

    @property
    def percent(self) -> float:
        """How much longer the last third takes than the first."""
        return 100 * (self.last_ms - self.first_ms) / self.first_ms


def find_drift(samples_ms: NDArray[np.float64]) -> Drift | None:
    """Whether times (rows x executions, nan for unknown) changed while they were taken, by the ends of the list.

    None where the ends' medians differ by 2.5 % or less, or by no more than the scatter within the ends explains, or
    where a third of the executions is too few.
    """
    third = samples_ms.shape[1] // _PARTS
    if third < FEWEST_SAMPLES:
        return None
    known = np.nan_to_num(samples_ms)
    ends = known[:, :third], known[:, -third:]
    medians = [np.median(end, axis=1) for end in ends]
    first, last = (float(one.sum()) for one in medians)
    spread = [_sampling_error(influence(end).sum(axis=0, keepdims=True))[0] for end in ends]
    noise = float(np.hypot(np.hypot(*spread), timer_error(len(known))))
    if not first or abs(last - first) <= max(UNSTEADY_PERCENT / 100 * first, Z * noise):
        return None
    return Drift(third, first, last, medians[1] - medians[0])

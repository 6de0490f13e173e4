"""Whether a difference of times is more than noise: an interval for the difference of medians, from the raw samples.

Three things blur a median, and the interval holds all of them:

- *Sampling.* The bootstrap's variance of the median in closed form (Maritz and Jarrett 1978): what endless resampling
  converges to, so that there is nothing to seed. Medians of layers are added by their influence functions, which keeps
  the covariance of layers that slow down together.
- *Drift.* Clocks move while a run is timed. The same influence, averaged over blocks of consecutive executions, shows it;
  the larger of both variances counts.
- *The timer.* CUDA events tell times apart by about 0.5 microseconds (CUDA Runtime API, cudaEventElapsedTime), and a
  layer's error is the same in each execution: no number of samples averages it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import lgamma, sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

CONFIDENCE_PERCENT = 99
TIMER_MS = 0.0005
FASTER, SLOWER, NO_DIFFERENCE = "faster", "slower", "no difference seen"
UNSAMPLED_SHARE = 0.05
"""Of the baseline's time: less than this is no difference where there are no samples to judge it by."""

_Z = 2.5758  # two-sided, for CONFIDENCE_PERCENT
_FEWEST_FOR_BLOCKS = 25
_GRID = 20_001


@dataclass(frozen=True, slots=True)
class Difference:
    """Milliseconds that a run takes more than the baseline (negative: less), with the interval and the verdict.

    The ends are None where the verdict rests on summaries alone.
    """

    diff_ms: float
    low_ms: float | None
    high_ms: float | None
    verdict: str


def judge(diff_ms: float, error_ms: float) -> Difference:
    """A difference with samples on both sides; ``error_ms`` is its standard error."""
    half = _Z * error_ms
    verdict = NO_DIFFERENCE if abs(diff_ms) <= half else SLOWER if diff_ms > 0 else FASTER
    return Difference(diff_ms, diff_ms - half, diff_ms + half, verdict)


def judge_summary(diff_ms: float, base_ms: float, layers: int) -> Difference:
    """A difference of times that are averaged already: beyond the timer's error and 5 % of the baseline."""
    least = max(UNSAMPLED_SHARE * base_ms, _Z * sqrt(2.0) * timer_error(layers))
    verdict = NO_DIFFERENCE if abs(diff_ms) <= least else SLOWER if diff_ms > 0 else FASTER
    return Difference(diff_ms, None, None, verdict)


def timer_error(layers: int) -> float:
    """Standard error that the timer's resolution leaves in a sum over so many timed layers, each off by up to 0.5 us."""
    return TIMER_MS * sqrt(layers / 3.0)


def influence(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
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
    result: npt.NDArray[np.float64] = away * np.sqrt(variance * executions)[:, None]
    return result


def standard_error(moved: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Standard error of each row's median from its influence: the larger of the sampling's and the drift's."""
    executions = moved.shape[1]
    sampling = np.sqrt((moved**2).mean(axis=1) / executions)
    if executions < _FEWEST_FOR_BLOCKS:
        return np.asarray(sampling, np.float64)
    blocks = round(sqrt(executions))
    width = executions // blocks
    means = moved[:, executions - blocks * width :].reshape(len(moved), blocks, width).mean(axis=2)
    drift = means.std(axis=1, ddof=1) / sqrt(blocks) * (_t(blocks - 1) / _Z)
    return np.asarray(np.maximum(sampling, drift), np.float64)


@lru_cache(maxsize=64)
def _weights(executions: int) -> npt.NDArray[np.float64]:
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


def _t(freedom: int) -> float:
    """Student's quantile for the confidence (Cornish-Fisher; within 6 % from four degrees of freedom on)."""
    cubic = (_Z**3 + _Z) / (4 * freedom)
    quintic = (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2)
    return _Z + cubic + quintic

"""What is told of a list of times: the figures that trtexec prints, and how sure the median is.

Percentiles follow `findPercentile` of trtexec (samples/common/sampleReporting.cpp, 8.6 to 11.1): no interpolation, and
the number of excluded samples is worked out in 32-bit floats. In doubles `(1 - 90 / 100) * 10` falls just short of 1
and a ten-sample list would give another sample than trtexec does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

UNSTEADY_PERCENT = 2.5
"""Coefficient of variation above which trtexec warns that the GPU time is unstable."""

_CONFIDENCE = 0.95
_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Statistics:
    """One list of times in milliseconds; `median_low_ms` to `median_high_ms` holds the median with 95 % confidence.

    `variation_percent` is the coefficient of variation (population standard deviation over mean); None where the mean
    is 0.
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
    median_low_ms: float
    median_high_ms: float


def summarize(times_ms: Sequence[float] | NDArray[np.float64], *, seed: int = 0) -> Statistics | None:
    """All figures of a list of finite times in milliseconds, or None for an empty list; `seed` drives the bootstrap."""
    ordered = np.sort(np.asarray(times_ms, dtype=np.float64))
    if not len(ordered):
        return None
    low, high = median_interval(ordered, seed=seed)
    return Statistics(
        count=len(ordered),
        median_ms=_median(ordered),
        mean_ms=float(ordered.mean()),
        min_ms=float(ordered[0]),
        max_ms=float(ordered[-1]),
        p90_ms=percentile(ordered, 90),
        p95_ms=percentile(ordered, 95),
        p99_ms=percentile(ordered, 99),
        variation_percent=variation_percent(ordered),
        median_low_ms=low,
        median_high_ms=high,
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


def median_interval(ordered_ms: NDArray[np.float64], *, seed: int) -> tuple[float, float]:
    """The 95 % bootstrap interval of the median of an ascending list, drawn without resampling the list.

    A resample of n samples is n uniform draws, each picking the sample at `floor(n * u)`; its median needs only the
    middle one or two of the sorted draws, and these follow a beta distribution. Drawing those directly gives the
    same bootstrap in time that does not grow with n.
    """
    count = len(ordered_ms)
    generator = np.random.default_rng(seed)
    lower = (count + 1) // 2
    draws = generator.beta(lower, count - lower + 1, size=_RESAMPLES)
    medians = ordered_ms[_picked(draws, count)]
    if count % 2 == 0:
        upper = draws + (1 - draws) * generator.beta(1, count - lower, size=_RESAMPLES)
        medians = (medians + ordered_ms[_picked(upper, count)]) / 2
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(medians, [tail, 1 - tail])
    return float(low), float(high)


def _picked(draws: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Positions in the list that uniform draws pick; a draw that rounds up to 1 picks the last sample."""
    return np.minimum((draws * count).astype(np.intp), count - 1)


def _median(ordered_ms: NDArray[np.float64]) -> float:
    middle = len(ordered_ms) // 2
    if len(ordered_ms) % 2:
        return float(ordered_ms[middle])
    return float((ordered_ms[middle - 1] + ordered_ms[middle]) / 2)

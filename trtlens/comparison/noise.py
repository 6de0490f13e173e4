"""Whether a difference of two times is more than noise; `trtlens.statistics` says how sure each of them is."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, sqrt

from trtlens.statistics import Z, timer_error

FASTER, SLOWER, NO_DIFFERENCE = "faster", "slower", "no difference seen"
UNSAMPLED_SHARE = 0.05
"""Of the baseline's time: less than this is no difference where there are no samples to judge it by."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Milliseconds that a run takes more than the baseline (negative: less), with the interval and the verdict.

    The ends are None where the verdict rests on summaries alone.
    """

    diff_ms: float
    low_ms: float | None
    high_ms: float | None
    verdict: str


def judge(diff_ms: float, *errors_ms: float) -> Difference:
    """A difference of times with samples; ``errors_ms`` are their standard errors."""
    half = Z * hypot(*errors_ms)
    verdict = NO_DIFFERENCE if abs(diff_ms) <= half else SLOWER if diff_ms > 0 else FASTER
    return Difference(diff_ms, diff_ms - half, diff_ms + half, verdict)


def judge_summary(diff_ms: float, base_ms: float, layers: int) -> Difference:
    """A difference of times that are averaged already: beyond the timer's error and 5 % of the baseline."""
    least = max(UNSAMPLED_SHARE * base_ms, Z * sqrt(2.0) * timer_error(layers))
    verdict = NO_DIFFERENCE if abs(diff_ms) <= least else SLOWER if diff_ms > 0 else FASTER
    return Difference(diff_ms, None, None, verdict)

"""How often intervals of the median hold it: stretches of the inferences timed in `fixtures/h200` against each whole run.

    python benchmarks/coverage.py

Three intervals are held against the median of all the run's inferences: the 95 % bootstrap, the same variance at 99 % as
if the samples came in no order, and the one that trtlens gives. Steady runs are those with a coefficient of variation up
to 2.5 %. The last column says how often two stretches of one run that do not overlap differ by more than noise.
"""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trtlens import open_run
from trtlens.statistics import UNSTEADY_PERCENT, Z, influence, median_error, variation_percent

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Times = NDArray[np.float64]

FIXTURES = Path(__file__).parents[1] / "fixtures" / "h200"
QUEUED = "timing"
STRETCHES = 80
RESAMPLES = 1000


def main() -> None:
    """Print a table of coverage by steadiness, length of the stretch, and interval."""
    runs = [times for folder in sorted(FIXTURES.iterdir()) if len(times := timed(folder))]
    steady = [(variation_percent(times) or 0.0) <= UNSTEADY_PERCENT for times in runs]
    print(
        "| runs | inferences | "
        + " | ".join(INTERVALS)
        + " | called different |\n"
        + "|---" * (len(INTERVALS) + 3)
        + "|"
    )
    for wanted, words in ((True, "steady"), (False, "unsteady")):
        group = [times for times, is_steady in zip(runs, steady, strict=True) if is_steady == wanted]
        for count in (100, 250, 600):
            print(f"| {words} ({len(group)}) | {count} | {row(group, count)} |")


def timed(folder: Path) -> Times:
    """GPU times of the queued inferences of a run, in order; empty where none were timed."""
    if not (folder / "run.json").is_file():
        return np.empty(0)
    rows = open_run(folder)["run_times"].select(["pass", "gpu_ms"]).to_pylist()
    return np.array([row["gpu_ms"] for row in rows if row["pass"] == QUEUED], np.float64)


def row(runs: list[Times], count: int) -> str:
    """Percent of the stretches whose interval holds the run's median, and of the pairs that are called different."""
    generator = np.random.default_rng(0)
    held: dict[str, list[bool]] = {name: [] for name in INTERVALS}
    different = []
    for times in (times for times in runs if len(times) >= 2 * count):
        for _ in range(STRETCHES):
            one, other = stretches(times, count, generator)
            for name, interval in INTERVALS.items():
                low, high = interval(one)
                held[name].append(bool(low <= np.median(times) <= high))
            error = np.hypot(median_error(one) or 0.0, median_error(other) or 0.0)
            different.append(bool(abs(np.median(one) - np.median(other)) > Z * error))
    return " | ".join(f"{100 * np.mean(one):.0f} %" for one in (*held.values(), different))


def stretches(times: Times, count: int, generator: np.random.Generator) -> tuple[Times, Times]:
    """Two stretches of consecutive inferences that do not overlap."""
    first, second = 0, 0
    while abs(first - second) < count:
        first, second = generator.integers(0, len(times) - count + 1, 2)
    return times[first : first + count], times[second : second + count]


def bootstrap(times: Times) -> tuple[float, float]:
    """The 95 % percentile bootstrap."""
    picked = np.random.default_rng(0).integers(0, len(times), (RESAMPLES, len(times)))
    low, high = np.quantile(np.median(times[picked], axis=1), [0.025, 0.975])
    return float(low), float(high)


def without_order(times: Times) -> tuple[float, float]:
    """The bootstrap's variance in closed form at 99 %, without blocks and without the timer."""
    half = Z * sqrt(float((influence(times[None, :]) ** 2).mean()) / len(times))
    return float(np.median(times)) - half, float(np.median(times)) + half


def given(times: Times) -> tuple[float, float]:
    """The interval that trtlens gives."""
    half = Z * (median_error(times) or 0.0)
    return float(np.median(times)) - half, float(np.median(times)) + half


INTERVALS: dict[str, Callable[[Times], tuple[float, float]]] = {
    "bootstrap, 95 %": bootstrap, "without order, 99 %": without_order, "given, 99 %": given,
}  # fmt: skip

if __name__ == "__main__":
    main()

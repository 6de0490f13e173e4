"""Figures of a list of times: against numpy, against trtexec's arithmetic, and against a resampling bootstrap."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtlens.statistics import median_interval, percentile, summarize, variation_percent

TIMES = st.lists(st.floats(min_value=1e-4, max_value=1e4), min_size=1, max_size=200)


def _trtexec_position(percent: float, count: int) -> int:
    """The position that `findPercentile` of trtexec reads, in C's arithmetic: int32(float32) of (1 - p / 100) * n."""
    share = np.float32(np.float32(1) - np.float32(np.float32(percent) / np.float32(100)))
    return max(count - 1 - int(np.float32(share * np.float32(count))), 0)


@given(TIMES)
def test_figures_agree_with_numpy(times: list[float]) -> None:
    """Median, mean, extremes and coefficient of variation are those of numpy, the deviation being the population's."""
    figures = summarize(times)

    assert figures is not None
    assert figures.count == len(times)
    assert figures.median_ms == pytest.approx(float(np.median(times)), rel=1e-12)
    assert figures.mean_ms == pytest.approx(float(np.mean(times)), rel=1e-12)
    assert (figures.min_ms, figures.max_ms) == (min(times), max(times))
    assert figures.variation_percent == pytest.approx(float(np.std(times) / np.mean(times) * 100), abs=1e-9)


@given(TIMES)
def test_order_of_the_samples_is_without_influence(times: list[float]) -> None:
    """The figures of a list and of the same list backwards are the same, the bootstrap interval included."""
    assert summarize(times) == summarize(times[::-1])


@given(TIMES)
def test_interval_lies_within_the_samples_around_the_median(times: list[float]) -> None:
    """The interval of the median holds the median and stays between the smallest and the largest sample."""
    figures = summarize(times)

    assert figures is not None
    assert figures.min_ms <= figures.median_low_ms <= figures.median_high_ms <= figures.max_ms
    assert figures.median_low_ms <= figures.median_ms * (1 + 1e-12)
    assert figures.median_high_ms >= figures.median_ms * (1 - 1e-12)


def test_no_samples_give_no_figures() -> None:
    """An empty list has no statistics, not zeros."""
    assert summarize([]) is None


@pytest.mark.parametrize("percent", [90, 95, 99])
def test_percentile_is_the_sample_that_trtexec_prints(percent: float) -> None:
    """For every list length to 3000 the position is that of trtexec's 32-bit arithmetic."""
    for count in range(1, 3001):
        assert percentile(np.arange(count, dtype=np.float64), percent) == _trtexec_position(percent, count)


@pytest.mark.parametrize(
    ("percent", "count", "position"),
    [(90, 10, 8), (99, 100, 99), (99, 101, 99), (95, 20, 18), (50, 10, 4), (100, 7, 6), (0, 7, 0), (99, 1, 0)],
)
def test_percentile_by_hand(percent: float, count: int, position: int) -> None:
    """Positions worked out by hand; 90 % of 10 and 99 % of 100 are where doubles would give the neighbour."""
    assert percentile(np.arange(count, dtype=np.float64), percent) == position


def test_variation_of_a_mean_of_zero_is_unknown() -> None:
    """Layers of 0 ms have no coefficient of variation."""
    assert variation_percent(np.zeros(5)) is None


@pytest.mark.parametrize("count", [1, 2, 9, 10, 101, 1000])
def test_interval_is_that_of_resampling(count: int) -> None:
    """Drawing the middle order statistics directly gives the interval of 20,000 resamples, within its noise."""
    generator = np.random.default_rng(7)
    ordered = np.sort(generator.gamma(9, 0.1, size=count))
    resampled = np.median(ordered[generator.integers(0, count, size=(20_000, count))], axis=1)
    expected = np.quantile(resampled, [0.025, 0.975])

    drawn = np.array([median_interval(ordered, seed=seed) for seed in range(20)])

    spread = max(float(expected[1] - expected[0]), 1e-9)
    assert np.abs(drawn.mean(axis=0) - expected).max() < 0.05 * spread + 1e-12


def test_interval_is_seeded() -> None:
    """The same seed gives the same interval, and another seed may not."""
    ordered = np.sort(np.random.default_rng(1).random(501))

    assert median_interval(ordered, seed=3) == median_interval(ordered, seed=3)
    assert len({median_interval(ordered, seed=seed) for seed in range(8)}) > 1


def test_ten_thousand_samples_take_little_time() -> None:
    """All figures of 10,000 samples, bootstrap included, come in less than 50 ms."""
    times = np.random.default_rng(2).gamma(9, 0.1, size=10_000)
    summarize(times)

    took = []
    for _ in range(5):
        began = time.process_time()
        summarize(times)
        took.append(time.process_time() - began)

    assert min(took) < 0.05

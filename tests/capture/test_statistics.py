"""Figures of a list of times: against numpy, against trtexec's arithmetic, and how often the interval holds."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import FIXTURES
from tests.golden.inputs import opened
from trtlens.statistics import (
    FEWEST_SAMPLES,
    Z,
    by_process,
    find_drift,
    median_error,
    percentile,
    summarize,
    timer_error,
    typical_error,
    typical_ms,
    variation_percent,
)

H200 = FIXTURES / "h200"
STEADY = ("resnet50-fp32", "resnet50-fp16", "resnet50-int8", "encoder-fp32", "mobilenet-batch-32")
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
def test_interval_holds_the_median_and_needs_ten_samples(times: list[float]) -> None:
    """The median lies inside its interval, which is no narrower than the timer allows; fewer than ten samples give none."""
    figures = summarize(times)

    assert figures is not None
    if len(times) < FEWEST_SAMPLES:
        assert (figures.median_low_ms, figures.median_high_ms) == (None, None)
    else:
        assert figures.median_low_ms is not None
        assert figures.median_high_ms is not None
        assert 0.0 <= figures.median_low_ms <= figures.median_ms <= figures.median_high_ms
        assert figures.median_high_ms - figures.median_ms >= 0.99 * Z * timer_error(1)


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


def test_interval_holds_the_median_as_often_as_it_says() -> None:
    """Of 600 lists without order, 40 samples each, at least 97 % of the intervals hold the median that they are drawn from."""
    drawn = 0.1 * np.random.default_rng(7).gamma(9, 1.0, size=(600, 40))
    truth = 0.866895  # a tenth of the median of the gamma distribution of shape 9

    found = [summarize(times) for times in drawn]

    held = [one is not None and (one.median_low_ms or 0) <= truth <= (one.median_high_ms or 0) for one in found]
    assert np.mean(held) >= 0.97


def test_neighbours_that_are_alike_widen_the_interval() -> None:
    """The same samples as steps of a wandering clock leave the median less sure than shuffled, by far."""
    steps = np.repeat(1.0 + 0.1 * np.random.default_rng(8).standard_normal(20), 50)
    shuffled = np.random.default_rng(9).permutation(steps)

    ordered, mixed = median_error(steps), median_error(shuffled)

    assert ordered is not None
    assert mixed is not None
    assert ordered > 3 * mixed


@pytest.mark.parametrize("name", STEADY)
def test_stretches_of_a_measured_run_hold_its_median(name: str) -> None:
    """Of stretches of 250 inferences of a steady run at least 90 % of the intervals hold the whole run's median."""
    rows = opened(f"h200/{name}")["run_times"].select(["pass", "gpu_ms"]).to_pylist()
    times = np.array([row["gpu_ms"] for row in rows if row["pass"] == "timing"])
    starts = range(0, len(times) - 250, 50)

    found = [summarize(times[start : start + 250]) for start in starts]

    truth = np.median(times)
    held = [one is not None and (one.median_low_ms or 0) <= truth <= (one.median_high_ms or 0) for one in found]
    assert np.mean(held) >= 0.9


# -- drift -----------------------------------------------------------------------------------------------------------


def test_a_drift_is_found_with_its_size() -> None:
    """A slope of 6 % is 4 % from the middle of the first third to that of the last, and lies in the row that has it."""
    scatter = np.random.default_rng(3).normal(1.0, 0.002, (2, 90))
    scatter[1] *= np.linspace(1.0, 1.12, 90)

    drift = find_drift(scatter)

    assert drift is not None
    assert drift.executions == 30
    assert drift.percent == pytest.approx(4.0, abs=0.3)
    assert abs(drift.changes_ms[0]) < 0.01 < drift.changes_ms[1]


@pytest.mark.parametrize("spread", [0.001, 0.1])
def test_scatter_is_no_drift(spread: float) -> None:
    """Of 200 lists without order at most two are said to drift, whether the times are steady or scatter by a tenth."""
    found = [find_drift(np.random.default_rng(seed).normal(1.0, spread, (1, 60))) for seed in range(200)]

    assert sum(drift is not None for drift in found) <= 2


def test_few_executions_say_nothing_of_drift() -> None:
    """A third of fewer than thirty executions is too few."""
    slope = np.linspace(1.0, 2.0, 29)[None, :]

    assert find_drift(slope) is None
    assert find_drift(np.linspace(1.0, 2.0, 30)[None, :]) is not None


def test_ten_thousand_samples_take_little_time() -> None:
    """All figures of 10,000 samples, interval included, come in less than 50 ms."""
    times = np.random.default_rng(2).gamma(9, 0.1, size=10_000)
    summarize(times)

    took = []
    for _ in range(5):
        began = time.process_time()
        summarize(times)
        took.append(time.process_time() - began)

    assert min(took) < 0.05


# -- several processes -----------------------------------------------------------------------------------------------


def _processes(generator: np.random.Generator, count: int) -> tuple[list[float], list[int]]:
    """Times of an engine in so many processes: 2 % scatter within one, whose middle is 1 % off at random."""
    middles = 1.0 + 0.01 * generator.standard_normal(count)
    times = [middle * (1 + 0.02 * generator.standard_normal(30)) for middle in middles]
    return np.concatenate(times).tolist(), np.repeat(np.arange(count), 30).tolist()


def test_the_interval_of_several_processes_holds_a_further_ones_median() -> None:
    """In at least 98 of 100 cases for 99 % confidence; that of one process alone holds it in few."""
    generator = np.random.default_rng(4)
    held = alone = 0
    for _ in range(200):
        further, _ = _processes(generator, 1)
        middle = float(np.median(further))
        figures, one = summarize(*_processes(generator, 5)), summarize(_processes(generator, 1)[0])
        for found in (figures, one):
            assert found is not None
            assert found.median_low_ms is not None
            assert found.median_high_ms is not None
            inside = found.median_low_ms <= middle <= found.median_high_ms
            held, alone = (held + inside, alone) if found is figures else (held, alone + inside)
    assert held >= 196
    assert alone < 170


def test_two_sets_of_processes_of_one_engine_differ_seldom() -> None:
    """The difference of the medians of medians is within the error of both in at least 97 of 100 cases."""
    generator = np.random.default_rng(5)
    differ = 0
    for _ in range(200):
        sets = [
            by_process(np.array(times), numbers)
            for times, numbers in (_processes(generator, 5), _processes(generator, 5))
        ]
        error = sum((typical_error(one) or 0.0) ** 2 for one in sets) ** 0.5
        differ += abs(typical_ms(sets[0]) - typical_ms(sets[1])) > Z * error
    assert differ <= 6


def test_processes_that_agree_are_no_surer_than_one_of_them() -> None:
    """Equal medians by chance do not make the timer exact."""
    times = [0.5, 0.501] * 20
    several, one = summarize(times * 5, np.repeat(np.arange(5), 40)), summarize(times)

    assert several is not None
    assert one is not None
    assert several.median_low_ms is not None
    assert one.median_low_ms is not None
    assert several.median_ms - several.median_low_ms > one.median_ms - one.median_low_ms
    assert several.interval.endswith("in a further process, with 99 % confidence")
    assert one.interval.endswith("in this process alone, with 99 % confidence")

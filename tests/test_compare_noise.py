"""Noise: what is called a difference, and what is not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.doubles.made_runs import MadeRun, chain
from tests.golden.inputs import opened
from trtlens.comparison import compare_runs
from trtlens.comparison.changes import list_changes
from trtlens.comparison.times import (
    FASTER,
    NO_DIFFERENCE,
    SLOWER,
    judge_summary,
)
from trtlens.statistics import influence, standard_error, timer_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from trtlens.runs.run import Run

LAYERS = chain(*(f"conv{number}" for number in range(200)))


def verdicts(one: np.ndarray, other: np.ndarray) -> list[str]:
    runs = [MadeRun(LAYERS, times).run(name) for name, times in (("one", one), ("other", other))]
    rows = compare_runs(runs).rows
    return [row.cells[1].difference.verdict for row in rows if row.cells[1].difference is not None]


def noisy(seed: int, *, executions: int = 60, base_ms: float = 0.05) -> np.ndarray:
    """Samples of one engine: the layers' own times, noise of 3 %, and now and then an execution that takes far longer."""
    random = np.random.default_rng(seed)
    own = base_ms * (1 + np.arange(len(LAYERS)) / 50)[:, None]
    outliers = np.where(random.random((len(LAYERS), executions)) < 0.03, 1.5, 1.0)
    return np.asarray(own * random.normal(1.0, 0.03, (len(LAYERS), executions)) * outliers)


@pytest.mark.parametrize("seed", range(5))
def test_generated_noise_is_no_difference(seed: int) -> None:
    """Two runs with the same distribution differ in at most one region of twenty."""
    found = verdicts(noisy(2 * seed), noisy(2 * seed + 1))
    assert len(found) == len(LAYERS)
    assert found.count(NO_DIFFERENCE) >= 0.95 * len(found)


def test_a_real_difference_is_seen() -> None:
    """Layers of 50 us and more that take 10 % longer in one run are slower in nearly all regions, faster the other way."""
    slow, fast = 1.1 * noisy(1), noisy(2)
    assert verdicts(fast, slow).count(SLOWER) >= 0.95 * len(LAYERS)
    assert verdicts(slow, fast).count(FASTER) >= 0.95 * len(LAYERS)


def test_less_than_the_timer_resolves_is_no_difference() -> None:
    """Events tell times apart by 0.5 us: samples without any noise that differ by half of that show nothing."""
    times = np.full((len(LAYERS), 50), 0.004)
    assert set(verdicts(times, times + 0.00025)) == {NO_DIFFERENCE}
    assert set(verdicts(times, times + 0.002)) == {SLOWER}


def test_drift_within_a_run_widens_the_interval() -> None:
    """A run whose clock changes half-way says less: the same medians with drift give a wider interval than without."""
    random = np.random.default_rng(5)
    steady = 0.1 * random.normal(1.0, 0.02, (len(LAYERS), 60))
    drifting = np.concatenate([steady[:, :30] * 1.1, steady[:, 30:] * 0.9], axis=1)
    runs = [MadeRun(LAYERS, times).run(name) for name, times in (("a", steady), ("b", steady), ("c", drifting))]
    rows = compare_runs(runs).rows
    widths = [
        np.mean([d.high_ms - d.low_ms for row in rows if (d := row.cells[place].difference) and d.high_ms and d.low_ms])
        for place in (1, 2)
    ]
    assert widths[1] > 2 * widths[0]


def test_error_of_the_median_is_that_of_the_bootstrap() -> None:
    """The closed form gives what resampling gives, within what 4000 resamples can tell."""
    random = np.random.default_rng(3)
    samples = random.gamma(4.0, 1.0, 50)
    resampled = np.median(random.choice(samples, (4000, 50)), axis=1).std()
    moved = influence(samples[None, :])
    closed = np.sqrt((moved**2).mean() / 50)
    assert closed == pytest.approx(resampled, rel=0.06)


def test_layers_that_slow_down_together_add_up() -> None:
    """A region of two layers with the same noise is twice as uncertain as one, not 1.4 times."""
    random = np.random.default_rng(4)
    one = random.normal(1.0, 0.05, (1, 80))
    single = standard_error(influence(one))[0]
    both = standard_error(influence(np.repeat(one, 2, axis=0)).sum(axis=0, keepdims=True))[0]
    assert both == pytest.approx(2 * single)


def test_error_shrinks_with_more_executions() -> None:
    """Four times the executions halve the error of the median, about."""
    random = np.random.default_rng(6)
    few, many = (standard_error(influence(random.normal(1.0, 0.1, (200, count)))).mean() for count in (50, 200))
    assert few / many == pytest.approx(2.0, rel=0.4)  # fewer blocks cost certainty of their own


def test_the_interval_does_not_depend_on_chance() -> None:
    """The same samples give the same interval each time."""
    one, other = noisy(1), noisy(2)
    assert verdicts(one, other) == verdicts(one, other)


def test_constant_samples_and_one_execution_are_no_trouble() -> None:
    """No spread gives no sampling error, one execution gives no interval at all."""
    assert standard_error(influence(np.full((3, 10), 2.0))).tolist() == [0.0, 0.0, 0.0]
    runs = [MadeRun(LAYERS, np.full((len(LAYERS), 1), 0.1)).run(name) for name in ("a", "b")]
    comparison = compare_runs(runs)
    assert comparison.judged_on == "summary"
    assert all(row.cells[1].difference.low_ms is None for row in comparison.rows if row.cells[1].difference)


def test_summaries_need_five_percent_and_the_timer() -> None:
    """Without samples a difference counts beyond 5 % and beyond what the timer resolves."""
    assert judge_summary(0.004, 0.1, 1).verdict == NO_DIFFERENCE
    assert judge_summary(0.006, 0.1, 1).verdict == SLOWER
    assert judge_summary(-0.006, 0.1, 1).verdict == FASTER
    assert judge_summary(0.0005, 0.002, 1).verdict == NO_DIFFERENCE
    assert timer_error(4) == pytest.approx(2 * timer_error(1))


def test_a_tactic_change_within_noise_is_told_as_such() -> None:
    """Another tactic in the same time is a change with the verdict that no difference is seen."""
    from trtlens.comparison.changes import ALL_LAYERS, list_changes

    layers = chain("conv")
    other = chain("conv", kernel="kernel_b", tactic=2)
    times = np.random.default_rng(7).normal(0.1, 0.002, (1, 60))
    comparison = compare_runs([MadeRun(layers, times).run("a"), MadeRun(other, times[:, ::-1].copy()).run("b")])
    whole, change = list_changes(comparison)
    assert (whole.kind, whole.verdict) == (ALL_LAYERS, NO_DIFFERENCE)
    assert (change.kind, change.before, change.after) == ("tactic", "kernel_a", "kernel_b")
    assert change.verdict == NO_DIFFERENCE


def captured_again(run: Run, factor: Callable[[int], float]) -> Run:
    """Another capture of the same engine: each launch takes so many times as long."""
    samples = run["kernel_samples"]
    rows = zip(samples["launch"].to_pylist(), samples["duration_ns"].to_pylist(), strict=True)
    times = pa.array([round(factor(launch) * time) for launch, time in rows], pa.int64())
    place = samples.schema.get_field_index("duration_ns")
    return replace(
        run, tables={**run.tables, "kernel_samples": samples.set_column(place, samples.schema.field(place), times)}
    )


@pytest.mark.parametrize("name", ["resnet50-fp16-folded-traced", "resnet50-fp16-traced"])
def test_two_traces_of_one_engine_do_not_differ(name: str) -> None:
    """Launches that scatter by 4 %, or all take longer; and the two captures of the fixture, one from a graph and one from a stream."""
    run = opened(f"h200/{name}")
    stream = replace(run, tables={
        **run.tables, **{table: run[table].filter(pc.equal(run[table]["source"].cast("string"), "stream")) for table in ("kernel_launches", "kernel_samples")}
    })  # fmt: skip
    scattered = captured_again(run, lambda launch: 1.04 if launch % 2 else 0.96)
    for other in (stream, scattered, captured_again(run, lambda _: 1.015)):
        found = list_changes(compare_runs([run, other]))
        assert {change.verdict for change in found} <= {NO_DIFFERENCE}, found
        assert {change.region for change in found} == {None}
    longer = compare_runs([run, captured_again(run, lambda _: 1.048)])
    assert {row.cells[1].difference.verdict for row in longer.rows if row.cells[1].difference} == {NO_DIFFERENCE}
    whole = longer.totals[1].difference
    assert whole is None or whole.verdict == SLOWER


def test_a_kernel_that_takes_a_tenth_more_is_seen_in_a_trace() -> None:
    """Of layers of 6 µs and more a tenth is above both limits."""
    run = opened("h200/resnet50-fp16-folded-traced")
    rows = compare_runs([run, captured_again(run, lambda _: 1.1)]).rows
    known = [
        cell for row in rows if (cell := row.cells[1]).difference is not None and (cell.figures.time_ms or 0) > 0.006
    ]
    assert {cell.difference.verdict for cell in known if cell.difference} == {SLOWER}
    assert len(known) > 40

"""The gate: conditions are read strictly, judged against the baseline, and never on what is not known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.doubles.made_runs import MadeLayer, MadeRun, chain
from trtlens import TrtlensError
from trtlens.comparison import Comparison, compare_runs
from trtlens.comparison.gate import BREACH, PASSED, UNKNOWN, judge_checks, read_check
from trtlens.comparison.quantities import QUANTITIES

DOCS = Path(__file__).parents[1] / "docs" / "compare.md"


def sampled(milliseconds: float, seed: int, *, noise: float = 0.002, **facts: Any) -> MadeRun:
    random = np.random.default_rng(seed)
    times = milliseconds * random.normal(1.0, noise, (2, 60)) / 2
    return MadeRun(chain("conv1", "conv2", **facts), times)


def compared(base_ms: float, run_ms: float, **facts: Any) -> Comparison:
    return compare_runs([sampled(base_ms, 1).run("base"), sampled(run_ms, 2, **facts).run("run")])


def states(comparison: Comparison, *texts: str) -> list[str]:
    return [outcome.state for outcome in judge_checks(comparison, [read_check(text) for text in texts])]


@pytest.mark.parametrize(
    ("text", "operator", "limit", "is_change", "relative"),
    [
        ("latency > +3%", ">", 3.0, True, True),
        ("latency>+3%", ">", 3.0, True, True),
        ("  latency >= + 0.1 ms ", ">=", 0.1, True, False),
        ("latency > +100us", ">", 0.1, True, False),
        ("throughput < -5%", "<", -5.0, True, True),
        ("reformats > +2", ">", 2.0, True, False),
        ("reformats != 0", "!=", 0.0, False, False),
        ("fp32_time_share > 10%", ">", 10.0, False, False),
        ("fp32_time_share > +5%", ">", 5.0, True, False),
        ("activation_bytes > +10MiB", ">", 10 * 2.0**20, True, False),
        ("build_time <= 2min", "<=", 120.0, False, False),
    ],
)
def test_conditions_are_read(text: str, operator: str, limit: float, is_change: bool, relative: bool) -> None:
    """A sign makes a change, a percent sign behind it a relative one, units are converted; shares are percent already."""
    check = read_check(text)
    assert (check.operator, check.is_change, check.relative) == (operator, is_change, relative)
    assert check.limit == pytest.approx(limit)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "QUANTITY OPERATOR LIMIT"),
        ("latency", "QUANTITY OPERATOR LIMIT"),
        ("latency > ", "QUANTITY OPERATOR LIMIT"),
        ("latency > +3% and more", "QUANTITY OPERATOR LIMIT"),
        ("latency => 3", "QUANTITY OPERATOR LIMIT"),
        ("latency > nan", "QUANTITY OPERATOR LIMIT"),
        ("latancy > +3%", "did you mean latency"),
        ("wholly_unknown > 3", "--list-quantities"),
        ("latency > 3%", "a change in percent has a sign"),
        ("reformats > 2ms", "leave the unit out"),
        ("latency > +3KiB", "use s, ms, us"),
    ],
)
def test_what_is_no_condition_is_refused_with_advice(text: str, hint: str) -> None:
    """A bad expression is a user's error, with what to write in its place."""
    with pytest.raises(TrtlensError, match=hint.replace("(", r"\(")) as error:
        read_check(text)
    assert error.value.exit_code == 2


def test_a_slower_run_breaches_and_a_faster_one_does_not() -> None:
    """`layer_time > +3%` holds for 10 % more, not for 1 % more and not for less."""
    for run_ms, state in ((1.1, BREACH), (1.01, PASSED), (0.9, PASSED)):
        assert states(compared(1.0, run_ms), "layer_time > +3%") == [state]


def test_a_change_within_noise_is_no_breach() -> None:
    """A median that is 4 % up in samples that scatter by 40 % shows no difference, so it does not fail a build."""
    noisy = compare_runs([sampled(1.0, 1, noise=0.4).run("base"), sampled(1.04, 2, noise=0.4).run("run")])
    (outcome,) = judge_checks(noisy, [read_check("layer_time > +3%")])
    assert outcome.state == PASSED
    assert outcome.line.startswith("within noise")


def test_breaches_say_the_value_the_change_and_the_limit() -> None:
    """One line with the run, the quantity, its value and change, the baseline, and the condition as written."""
    (outcome,) = judge_checks(compared(1.0, 1.2), [read_check("layer_time > +3%")])
    assert outcome.line.startswith("breach: run: layer_time is 1.2")
    for part in ("ms", "against base", "more than +3 %", "(layer_time > +3%)"):
        assert part in outcome.line


def test_shares_and_counts_are_judged() -> None:
    """Precision shares are of the layers' time, reformats are counted, changes of shares are in points."""
    moved = [MadeLayer("conv1", nodes=("conv1",), precision="fp32"), MadeLayer("to fp16", "Reformat"), *chain("conv2")]
    times = np.repeat([[0.6], [0.1], [0.3]], 30, axis=1)
    comparison = compare_runs([sampled(1.0, 1).run("base"), MadeRun(moved, times).run("run")])
    assert states(comparison, "fp32_time_share > 50%", "fp32_time_share > 70%") == [BREACH, PASSED]
    assert states(comparison, "fp32_time_share > +50%", "reformats > +0", "reformats > +1") == [BREACH, BREACH, PASSED]
    assert states(comparison, "reformat_time_share > 9%", "fp16_layers < 2", "computing_layers != 2") == [
        BREACH,
        BREACH,
        PASSED,
    ]


def test_what_is_not_known_is_told_and_not_judged() -> None:
    """A quantity that a run does not have is unknown: neither passed nor breached."""
    comparison = compared(1.0, 1.5)
    outcomes = judge_checks(comparison, [read_check("weights_bytes > +1%"), read_check("throughput < 100")])
    assert [outcome.state for outcome in outcomes] == [UNKNOWN, UNKNOWN]
    assert all(outcome.line.startswith("unknown, not judged") for outcome in outcomes)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_not_judged(value: float) -> None:
    """A figure that is no number neither passes nor breaches, as a value and as a change, on either side."""
    figures: dict[str, list[Any]] = {
        "metric": ["throughput"],
        "statistic": ["value"],
        "value": [value],
        "unit": ["qps"],
    }
    odd = replace(sampled(1.0, 1), tables={"performance": figures})
    plain = replace(sampled(1.0, 2), tables={"performance": {**figures, "value": [100.0]}})
    for runs in ((odd, plain), (plain, odd)):
        comparison = compare_runs([made.run(name) for made, name in zip(runs, ("base", "run"), strict=True)])
        assert states(comparison, "throughput < -5%", "throughput > +5%") == [UNKNOWN, UNKNOWN]
    assert (
        states(compare_runs([plain.run("base"), odd.run("run")]), "throughput < 50", "throughput > 50") == [UNKNOWN] * 2
    )


def test_tensor_core_share_is_unknown_where_a_unit_is() -> None:
    """A share of time on tensor cores is no number while some layer's unit is not known."""
    assert states(compared(1.0, 1.0), "tensor_core_time_share < 101%") == [BREACH]
    assert states(compared(1.0, 1.0, unit=None), "tensor_core_time_share < 101%") == [UNKNOWN]


def test_a_percentage_of_nothing_is_unknown() -> None:
    """A relative change against a baseline of 0 is no number."""
    assert states(compared(1.0, 1.0), "reformats > +10%") == [UNKNOWN]


def test_latency_is_taken_from_whole_inferences_where_both_runs_have_them() -> None:
    """The sum of the layers is no latency: where only one run was timed as a whole, a change is unknown."""
    layers = chain("conv1")
    times = np.full((1, 30), 1.0)
    with_samples = MadeRun(layers, times, inference_ms=[0.5] * 30)
    slower = MadeRun(layers, times, inference_ms=[0.6] * 30)
    without = MadeRun(layers, times)
    assert states(compare_runs([with_samples.run("a"), slower.run("b")]), "latency > +10%") == [BREACH]
    assert states(compare_runs([without.run("a"), slower.run("b")]), "latency > +10%") == [UNKNOWN]
    assert states(compare_runs([slower.run("a"), without.run("b")]), "latency < 5ms") == [UNKNOWN]
    assert states(compare_runs([without.run("a"), slower.run("b")]), "latency < 0.7ms") == [BREACH]


def test_every_run_but_the_baseline_is_judged() -> None:
    """With three runs there are two outcomes for each check, and none for the baseline."""
    runs = [sampled(1.0, seed).run(f"run{seed}") for seed in range(3)]
    outcomes = judge_checks(compare_runs(runs, baseline=1), [read_check("layers > 1")])
    assert [outcome.run for outcome in outcomes] == ["run0", "run2"]


def test_every_quantity_is_documented() -> None:
    """The list in the documentation is the list of the program."""
    documented = [line.split("`")[1] for line in DOCS.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert [name for name in documented if name in QUANTITIES] == list(QUANTITIES)


@pytest.mark.parametrize("name", QUANTITIES)
def test_every_quantity_can_be_measured(name: str) -> None:
    """Each quantity has a value or none for runs that state little, and raises nothing."""
    bare = MadeRun(chain("conv1", "conv2", precision=None, unit=None, kernel=None, tactic=None))
    comparison = compare_runs([bare.run("a"), bare.run("b")])
    assert judge_checks(comparison, [read_check(f"{name} >= 0")])[0].state in {BREACH, UNKNOWN}

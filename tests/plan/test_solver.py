"""The exact plan: against every choice there is, and what its bound says."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from trtlens.errors import TrtlensError
from trtlens.plan.bound import Bound, Deviation, parse_bound
from trtlens.plan.network import Boundary, Network, Unit
from trtlens.plan.search import Search
from trtlens.plan.solver import Choice, Costs, Damages, Model
from trtlens_parsers.saved_plan import COSINE, ERROR


def made(seed: int, units: int = 7) -> Model:
    """A network of random links with two outputs, two kept units, and a tensor that cannot be cast."""
    generator = np.random.default_rng(seed)
    boundaries = [Boundary("x", None, (0, 1), leaves=False, elements=1.0)]
    for place in range(units):
        readers = tuple(sorted(set(generator.integers(place + 1, units, 2).tolist()))) if place + 1 < units else ()
        boundaries.append(Boundary(f"t{place}", place, readers, place + 1 == units or place == 2, 1.0))
    network = Network(
        tuple(Unit((f"n{place}",), ("Conv",), keeps="it must" if place == 3 else None) for place in range(units)),
        tuple(boundaries), ("a", "b"),
    )  # fmt: skip
    full = generator.uniform(2, 5, units)
    damages = Damages(generator.uniform(0, 1, (units, 2)), generator.uniform(0, 0.2, (len(boundaries), 2)))
    damages.boundaries[5] = np.inf
    return Model(
        network,
        Costs(full, full * generator.uniform(0.3, 0.9, units), generator.uniform(0.05, 0.8, len(boundaries)), 1.0),
        damages,
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("budget", [0.4, 1.2, np.inf])
def test_no_choice_is_faster(seed: int, budget: float) -> None:
    """Of all choices within the budget of both outputs none undercuts the plan, nor the bound, which is at most the plan."""
    model = made(seed)
    limit = np.array([budget, budget / 2])
    choices = [np.array(bits, bool) for bits in itertools.product((False, True), repeat=7)]
    allowed = [
        low
        for low in choices
        if not low[3] and (model.damage(low) <= limit).all() and np.isfinite(model.damage(low)).all()
    ]
    fastest = min(model.time_ms(low) for low in allowed)
    plan = model.solve(limit)
    assert plan.time_ms == pytest.approx(fastest, rel=3e-3)
    assert (plan.damage <= limit * (1 + 1e-6)).all()
    assert plan.lower_ms <= fastest * (1 + 1e-9)
    assert plan.lower_ms >= fastest * 0.99


def test_casts_are_counted_once_for_all_readers() -> None:
    """A tensor that one of two readers takes in FP32 is cast once, and one that leaves is cast up."""
    network = Network(
        tuple(Unit((name,), ("Conv",)) for name in "abc"),
        (Boundary("t", 0, (1, 2), leaves=True, elements=1.0), Boundary("x", None, (0,), leaves=False, elements=1.0)), ("o",),
    )  # fmt: skip
    costs = Costs(np.full(3, 10.0), np.full(3, 4.0), np.array([1.0, 2.0]), 0.5)
    model = Model(network, costs, Damages(np.ones((3, 1)), np.full((2, 1), 0.25)))
    assert model.time_ms(np.array([True, False, False])) == 10 + 10 + 4 + 2 + 1 + 0.5
    assert model.time_ms(np.array([False, True, True])) == 10 + 4 + 4 + 1 + 0.5
    assert model.time_ms(np.array([True, True, True])) == 4 * 3 + 2 + 1 + 0.5
    assert model.damage(np.array([False, True, True])).tolist() == [2.25]
    assert model.damage(np.array([True, True, False])).tolist() == [2.25]


def test_a_tensor_that_fp16_cannot_hold_is_not_cast() -> None:
    """Its readers stay in FP32 with the unit that makes it, whatever the budget."""
    network = Network(
        tuple(Unit((name,), ("Conv",), keeps=keeps) for name, keeps in (("a", "it must"), ("b", None))),
        (Boundary("t", 0, (1,), leaves=False, elements=1.0),), ("o",),
    )  # fmt: skip
    costs = Costs(np.full(2, 10.0), np.full(2, 1.0), np.full(1, 0.1))
    for damage, low in ((np.inf, [False, False]), (0.5, [False, True])):
        model = Model(network, costs, Damages(np.zeros((2, 1)), np.full((1, 1), damage)))
        assert model.solve(np.array([np.inf])).low.tolist() == low


class _Truth:
    """A judge whose damages are the model's, times a factor."""

    def __init__(self, model: Model, bound: Bound, factor: float, *, told: bool = True) -> None:
        self.model, self.bound, self.factor, self.told = model, bound, factor, told
        self.asked: list[np.ndarray] = []

    def check(self, low: np.ndarray) -> tuple[bool, np.ndarray | None]:
        self.asked.append(low)
        damage = self.factor * self.model.damage(low)
        return self.bound.holds(damage), damage if self.told else None

    def rounding(self, boundary: int) -> np.ndarray:
        return np.asarray(self.model.damages.boundaries[boundary])


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_a_search_corrects_its_prediction(factor: float) -> None:
    """Whatever the damages really are, the plan holds, is as fast as the true model's, and takes six checks at most."""
    model = made(1)
    bound = Bound(ERROR, 0.9)
    truth = replace(model, damages=Damages(model.damages.units * factor, model.damages.boundaries * factor))
    judge = _Truth(model, bound, factor)
    found = Search(model, bound, judge).run()
    assert (factor * model.damage(found.best.low) <= bound.damage).all()
    assert found.best.time_ms <= truth.solve(np.full(2, bound.damage)).time_ms * 1.02
    assert len(judge.asked) <= 6
    assert found.gap is not None
    assert found.gap < 0.05


def test_a_search_that_only_hears_yes_or_no() -> None:
    """Budgets are halved between all that failed and nothing; the plan holds and saves something."""
    model, bound = made(1), Bound(ERROR, 0.9)
    judge = _Truth(model, bound, 1.0, told=False)
    found = Search(model, bound, judge).run()
    assert bound.holds(model.damage(found.best.low))
    assert found.best.low.any()
    assert found.damage is None
    assert len(judge.asked) <= 6


def test_what_holds_at_once_is_asked_once() -> None:
    """Everything that may go down is judged first; if it holds nothing else is."""
    model = made(2)
    judge = _Truth(model, Bound(ERROR, 0.99), 1e-6)
    found = Search(model, judge.bound, judge).run()
    assert len(judge.asked) == 1
    assert isinstance(found.best, Choice)
    assert not found.best.low[3]


def test_bounds_are_read() -> None:
    """Both quantities with their way; nonsense is refused with the value."""
    assert parse_bound("error<=5e-4") == Bound(ERROR, 5e-4)
    assert parse_bound(" cosine >= 0.9999 ") == Bound(COSINE, 0.9999)
    assert Bound(COSINE, 0.98).damage == pytest.approx(0.04)
    for text in ("error>=1", "cosine<=0.9", "error<=0", "error<=nan", "error<=1e", "latency<=3", "cosine>=1", ""):
        with pytest.raises(TrtlensError, match="--bound"):
            parse_bound(text)


def test_deviations_add_up_over_inputs() -> None:
    """Error and cosine are of all inputs together; a value that is lost, or noise beside zeros, is infinite damage."""
    sums = Deviation.of(3)
    zeros = np.zeros(2, np.float32)
    for scale in (1.0, 3.0):
        a = np.array([scale, 0.0], np.float32)
        sums.add([a, a, zeros], [a + np.array([0, 0.5], np.float32), np.array([np.inf, 0], np.float32), zeros + 1])
    assert sums.damage(ERROR) == pytest.approx([0.5 / 10, np.inf, np.inf])
    assert sums.damage(COSINE)[0] == pytest.approx(2 * (1 - 10 / np.sqrt(10 * 10.5)))

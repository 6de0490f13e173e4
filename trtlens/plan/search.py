"""From a model of times and damages to a plan that holds by measurement: plan, check, correct, plan again.

Noises of units are taken to add up; how far that is from the truth each check tells, and the next budget is the limit
divided by it. What a cast rounds is measured once a plan holds the cast.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from trtlens.plan.solver import Damages

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trtlens.plan.bound import Bound
    from trtlens.plan.solver import Choice, Model

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

MOST_CHECKS = 6
_CLOSE = 0.01
"""A plan this near to what no plan undercuts is not sought any better."""
_SIMPLE = 0.01
"""All that may go down goes down, unless leaving some of it in FP32 is faster by more than this share."""
_CORRECTION = 64.0
"""How far a correction may move what is predicted, either way."""
_SAFETY = 1.03
_WIDEST = 8.0
"""How far below what failed, or above what held, another budget is sought."""
_HALVINGS = 10
_BEYOND = 1.6


class Judge(Protocol):
    """Who says whether a choice holds."""

    def check(self, low: Flags) -> tuple[bool, Floats | None]:
        """Whether it holds, and the damage of each output where that is measured."""
        ...

    def rounding(self, boundary: int) -> Floats | None:
        """The damage of rounding one tensor alone, None where that is not measured."""
        ...


@dataclass(frozen=True, slots=True)
class Check:
    """One choice that was judged."""

    choice: Choice
    holds: bool
    damage: Floats | None


@dataclass(frozen=True, slots=True)
class Found:
    """What the search came to.

    Attributes:
        best: the fastest choice that holds: all FP32 where no other does.
        damage: its damage as measured; None for a command that only says yes or no.
        checks: all that was judged, in order; the first is everything that may go down.
        gap: no choice of the model is faster by more than this share; None where the last correction was not solved.
        model: the model, with what was measured on the way.
        corrected: the model whose damages are those that the last check found; None where none was measured.
    """

    best: Choice
    damage: Floats | None
    checks: tuple[Check, ...]
    gap: float | None
    model: Model
    corrected: Model | None = None

    @property
    def closest(self) -> Check | None:
        """Of the choices that failed the one with the least damage."""
        failed = [one for one in self.checks if not one.holds and one.damage is not None]
        return min(failed, key=lambda one: float(np.max(one.damage)), default=None)  # type: ignore[arg-type]


@dataclass(slots=True)
class Search:
    """The state of one search; `run` makes it."""

    model: Model
    bound: Bound
    judge: Judge
    most_checks: int = MOST_CHECKS
    earlier: tuple[Check, ...] = ()
    _checks: list[Check] = field(default_factory=list)
    _known: set[int] = field(default_factory=set)

    def run(self) -> Found:
        """Judge choices until one holds that none undercuts by much, or so many were judged."""
        self._checks += self.earlier
        first = self.everything()
        if not first.low.any() or (self._seen(first) or self._judge(first)).holds:
            return self._found()
        if self._checks[-1].damage is None:
            self._halved()
        else:
            self._corrected(np.full(len(self.model.network.outputs), self.bound.damage))
        return self._found()

    def judged_at_once(self) -> Check | None:
        """All that may go down, judged; None where nothing may."""
        first = self.everything()
        return self._judge(first) if first.low.any() else None

    def _seen(self, choice: Choice) -> Check | None:
        return next((one for one in self._checks if np.array_equal(one.choice.low, choice.low)), None)

    def everything(self) -> Choice:
        """All that may go down, or what is faster by more than a little; a weight alone holds nothing back that may all go."""
        anything = np.full(len(self.model.network.outputs), np.inf)
        free = self.model.network.free & np.isfinite(self.model.damages.units).all(axis=1)
        fastest = self.model.solve(anything)
        time_ms = self.model.time_ms(free)
        if (self.model.costs.is_weight and free.all()) or time_ms <= fastest.time_ms * (1 + _SIMPLE):
            return replace(fastest, low=free, time_ms=time_ms, damage=self.model.damage(free))
        return fastest

    def _judge(self, choice: Choice) -> Check:
        holds, damage = self.judge.check(choice.low)
        check = Check(choice, holds, damage)
        self._checks.append(check)
        return check

    def _best(self) -> Check | None:
        held = [one for one in self._checks if one.holds]
        return min(held, key=lambda one: one.choice.time_ms, default=None)

    # -- a measured bound ----------------------------------------------------------------------------------------------

    def _corrected(self, limit: Floats) -> None:
        """Plan within the limit over what the last check was off by; then between what holds and what fails."""
        while len(self._checks) < self.most_checks:
            choice = self._planned(limit / self._correction(self._checks[-1]))
            if self._seen(choice) is not None:
                choice = self._planned(limit / (self._correction(self._checks[-1]) * _SAFETY**3))
            if not self._is_better(choice):
                break
            self._judge(choice)
        self._narrowed(limit)

    def _narrowed(self, limit: Floats) -> None:
        """Halve what lies between the budgets that held and failed: noises of few units may cancel, which no sum predicts."""
        best = self._best()
        low = None if best is None else self._share(best, limit)
        failed = [share for one in self._checks if not one.holds and (share := self._share(one, limit)) > (low or 0.0)]
        high = min(failed, default=_WIDEST * (low or 1.0))
        low = min(low or high / _WIDEST, high)
        for step in range(_HALVINGS):
            if len(self._checks) >= self.most_checks:
                return
            if high <= low * _SAFETY:  # another choice may hold although one of less damage by the model failed
                low, high = high, high * _BEYOND ** (step + 1)
            middle = float(np.sqrt(low * high))
            choice = self._planned(limit * middle)
            holds = self._judge(choice).holds if self._is_better(choice) else not self._fails(choice)
            low, high = (middle, high) if holds else (low, middle)

    def _share(self, check: Check, limit: Floats) -> float:
        """The predicted damage of a choice over the limit, of the output where that is most."""
        return float(np.max(self.model.damage(check.choice.low) / limit))

    def _fails(self, choice: Choice) -> bool:
        seen = self._seen(choice)
        return seen is not None and not seen.holds

    def _is_better(self, choice: Choice) -> bool:
        """Whether a choice is worth a check: new, and faster than what holds."""
        best = self._best()
        late = best is not None and choice.time_ms >= best.choice.time_ms * (1 - _CLOSE)
        return bool(choice.low.any()) and self._seen(choice) is None and not late

    def _correction(self, check: Check) -> Floats:
        """Measured over predicted damage of each output, a little more where the check failed."""
        predicted = self.model.damage(check.choice.low)
        assert check.damage is not None  # noqa: S101  the caller has asked
        measured = np.where(np.isfinite(check.damage), check.damage, predicted * _CORRECTION)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(predicted > 0, measured / predicted, 1.0)
        ratio = np.clip(ratio, 1 / _CORRECTION, _CORRECTION)
        return ratio if check.holds else ratio * _SAFETY

    def _planned(self, budget: Floats) -> Choice:
        """The fastest choice within the budget, its casts measured."""
        choice = self.model.solve(budget)
        for _ in range(3):
            if not self._measure_casts(choice):
                break
            choice = self.model.solve(budget)
        return choice

    def _measure_casts(self, choice: Choice) -> bool:
        """Measure what the casts of a choice round, where that is not known; whether anything is new."""
        casts = [
            place for place in np.flatnonzero(self.model.network.down(choice.low)).tolist() if place not in self._known
        ]
        boundaries = self.model.damages.boundaries.copy()
        for place in casts:
            self._known.add(place)
            found = self.judge.rounding(place)
            if found is not None:
                boundaries[place] = found
        self.model = replace(self.model, damages=Damages(self.model.damages.units, boundaries))
        return bool(casts)

    # -- yes or no -----------------------------------------------------------------------------------------------------

    def _halved(self) -> None:
        """Halve the budget's power between all that failed and nothing."""
        high = float(self.model.damage(self._checks[-1].choice.low).max())
        high = high if np.isfinite(high) else 1.0
        steps = [value for value in self.model.damages.units.max(axis=1) if 0 < value < np.inf]
        low = min(steps, default=high / 2) / 2
        outputs = len(self.model.network.outputs)
        while len(self._checks) < self.most_checks and high / low > _SAFETY:
            middle = float(np.sqrt(low * high))
            choice = self.model.solve(np.full(outputs, middle))
            if not choice.low.any():
                low = middle
                continue
            holds = (self._seen(choice) or self._judge(choice)).holds
            low, high = (middle, high) if holds else (low, middle)

    # -- the end -------------------------------------------------------------------------------------------------------

    def _found(self) -> Found:
        best = self._best()
        none = np.zeros(len(self.model.network.units), bool)
        if best is not None:
            gap = self._gap(best, best.choice.time_ms)
            return Found(best.choice, best.damage, tuple(self._checks), gap, self.model, self._corrected_model(best))
        still = self.model.solve(np.zeros(len(self.model.network.outputs)))
        nothing = replace(still, low=none, time_ms=self.model.time_ms(none), damage=np.zeros_like(still.damage))
        last = self._checks[-1] if self._checks else None
        gap = None if last is None else self._gap(last, nothing.time_ms)
        corrected = None if last is None else self._corrected_model(last)
        return Found(nothing, nothing.damage, tuple(self._checks), gap, self.model, corrected)

    def _corrected_model(self, check: Check) -> Model | None:
        """The model as a check corrects it; None where nothing was measured, of the check or of single units."""
        if check.damage is None or not self.model.damages.units.any():
            return None
        ratio, damages = self._correction(check), self.model.damages
        return replace(self.model, damages=Damages(damages.units * ratio, damages.boundaries * ratio))

    def _gap(self, check: Check, time_ms: float) -> float | None:
        """How much faster than a time a choice could be, if the model is right as this check corrects it."""
        if check.damage is None:
            return None
        if check.holds and check is self._checks[0]:  # nothing was kept back
            budget = np.full(len(check.damage), np.inf)
        else:
            budget = self.bound.damage / self._correction(check)
        lower = self.model.solve(budget).lower_ms
        return max(time_ms / lower - 1, 0.0) if lower > 0 else None

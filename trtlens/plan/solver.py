"""The fastest choice of types under a budget of damage: an exact integer program, solved by HiGHS (scipy).

One variable a unit; one a boundary and direction for its cast, which serves all readers. What a cast to the reduced type
rounds counts as damage where its producer stays in FP32. HiGHS also tells a bound that no choice of the model undercuts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from trtlens.plan.network import Network

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

_SECONDS = 20.0
_GAP = 0.002
_WHOLE = 1000.0
"""What the time of all FP32 is scaled to: HiGHS's tolerances are absolute."""
_LEAST_TIME = 1e-12
_NEVER = 1e30
_WHOLE_NUMBER = 1e-6


@dataclass(frozen=True, slots=True)
class Costs:
    """Times [ms] of each unit in FP32 and in the reduced type, of each boundary's casts, and of what nobody chooses.

    ``is_weight`` says that nobody measured them.
    """

    full_ms: Floats
    low_ms: Floats
    cast_ms: Floats
    rest_ms: float = 0.0
    is_weight: bool = False


@dataclass(frozen=True, slots=True)
class Damages:
    """What going down adds: of each unit and output, and of each boundary's rounding before its readers."""

    units: Floats
    boundaries: Floats


@dataclass(frozen=True, slots=True)
class Choice:
    """Which units go down, what the model says of it, and the time that no choice within the budget undercuts."""

    low: Flags
    time_ms: float
    damage: Floats
    lower_ms: float


@dataclass(frozen=True)
class Model:
    """What the search knows of a network."""

    network: Network
    costs: Costs
    damages: Damages

    def time_ms(self, low: Flags) -> float:
        """The time of a choice, casts and what nobody chooses included."""
        costs, network = self.costs, self.network
        casts = network.down(low).astype(float) + network.up(low)
        return float(np.where(low, costs.low_ms, costs.full_ms).sum() + (casts * costs.cast_ms).sum() + costs.rest_ms)

    def damage(self, low: Flags) -> Floats:
        """The damage of a choice, of each output."""
        down = self.network.down(low)
        return np.asarray(self.damages.units[low].sum(axis=0) + self.damages.boundaries[down].sum(axis=0))

    def solve(self, budget: Floats) -> Choice:
        """The fastest choice whose damage is within the budget of each output, all FP32 where none is faster.

        Raises:
            TrtlensError: scipy is not installed.

        """
        free = self.network.free & (self.damages.units <= np.minimum(budget, _NEVER)).all(axis=1)
        none = np.zeros(len(free), bool)
        if not free.any():
            return self._choice(none, self.time_ms(none))
        low, lower_ms = _solved(self, budget, free)
        best = self._choice(low, lower_ms)
        if best.time_ms < self.time_ms(none) and (best.damage <= budget * (1 + 1e-6)).all():
            return best
        return self._choice(none, min(lower_ms, self.time_ms(none)))

    def _choice(self, low: Flags, lower_ms: float) -> Choice:
        time_ms = self.time_ms(low)
        return Choice(low, time_ms, self.damage(low), min(lower_ms, time_ms))


def require_scipy() -> None:
    """Raise TrtlensError where scipy is not installed."""
    try:
        import scipy.optimize  # noqa: F401, PLC0415  a large optional package
    except ImportError as error:
        raise TrtlensError("planning needs scipy: `pip install 'trtlens[plan]'`") from error


def _solved(model: Model, budget: Floats, free: Flags) -> tuple[Flags, float]:
    """The choice and its lower bound [ms].

    The relaxed program comes first: few of its variables are no whole numbers, and with all others fixed the choice is
    mostly as good as the bound. The whole program is solved where it is not.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415  a large optional package

    network, costs = model.network, model.costs
    units, casts = len(network.units), len(network.boundaries)
    fixed = float(costs.full_ms.sum() + costs.rest_ms)
    scale = _WHOLE / max(fixed, _LEAST_TIME)
    saving = np.where(free, costs.low_ms - costs.full_ms, 0.0)
    objective = np.concatenate([saving, costs.cast_ms, costs.cast_ms]) * scale
    constraints = [LinearConstraint(_meetings(network), -np.inf, 0.0)]
    if np.isfinite(budget).any():
        constraints.append(LinearConstraint(_shares(model, budget, free).T, -np.inf, 1.0))
    castable = np.isfinite(model.damages.boundaries).all(axis=1)
    upper = np.concatenate([free.astype(float), castable.astype(float), np.ones(casts)])
    whole = np.concatenate([np.ones(units), np.zeros(2 * casts)])
    options = {"time_limit": _SECONDS, "mip_rel_gap": _GAP}

    def solve(low: Any, high: Any, integrality: Any) -> Any:
        bounds = Bounds(low, high)
        return milp(objective, integrality=integrality, bounds=bounds, constraints=constraints, options=options)

    relaxed = solve(0, upper, np.zeros_like(whole))
    if relaxed.x is None:
        return np.zeros(units, bool), 0.0
    is_one, is_some = relaxed.x[:units] > 1 - _WHOLE_NUMBER, relaxed.x[:units] > _WHOLE_NUMBER
    low = np.concatenate([is_one.astype(float), np.zeros(2 * casts)])
    high = np.concatenate([np.where(is_some, upper[:units], 0.0), upper[units:]])
    found, bound = solve(low, high, whole), float(relaxed.fun)
    if found.x is None or found.fun - bound > _GAP * (_WHOLE + bound):
        exact = solve(0, upper, whole)
        bound = max(bound, exact.mip_dual_bound) if exact.mip_dual_bound is not None else bound
        found = min((one for one in (found, exact) if one.x is not None), key=lambda one: float(one.fun), default=found)
    chosen = np.zeros(units, bool) if found.x is None else found.x[:units] > 0.5
    return chosen & free, fixed + bound / scale


def _shares(model: Model, budget: Floats, free: Flags) -> Floats:
    """What each variable takes of the budget of each output; more than all of it counts as twice."""
    units = np.where(free[:, None], model.damages.units, 0.0)
    rows = np.concatenate([units, model.damages.boundaries, np.zeros_like(model.damages.boundaries)])
    return np.asarray(np.minimum(np.minimum(rows, _NEVER) / np.maximum(budget, 1 / _NEVER), 2.0))


def _meetings(network: Network) -> Any:
    """A row for each reader of each boundary and direction: a cast is at least what their types differ by."""
    from scipy.sparse import csr_array  # noqa: PLC0415  a large optional package

    rows, columns, values = zip(*_entries(network), strict=True) if network.boundaries else ((), (), ())
    variables = len(network.units) + 2 * len(network.boundaries)
    return csr_array((values, (rows, columns)), shape=(max(rows, default=-1) + 1, variables))


def _entries(network: Network) -> Iterator[tuple[int, int, float]]:
    row, units, casts = 0, len(network.units), len(network.boundaries)
    for place, one in enumerate(network.boundaries):
        for reader in one.readers:  # reader low, producer not: cast down
            yield row, reader, 1.0
            yield row, units + place, -1.0
            if one.producer is not None:
                yield row, one.producer, -1.0
            row += 1
        if one.producer is None:
            continue
        for reader in (*one.readers, *((None,) if one.leaves else ())):  # producer low, reader not: cast up
            yield row, one.producer, 1.0
            yield row, units + casts + place, -1.0
            if reader is not None:
                yield row, reader, -1.0
            row += 1

"""The front of a search: how fast a plan can be within each error, by the model as the last check corrects it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from trtlens.plan.search import Found
    from trtlens.plan.solver import Choice

_POINTS = 12
_BELOW = 64.0
"""How far below the damage of all that may go down the front begins."""
_LONGEST_S = 20.0


def front_of(found: Found, bound: float) -> Iterator[tuple[NDArray[np.float64], Choice]]:
    """Budgets of damage, rising to that of all that may go down and `bound` among them, with the fastest choice within each.

    None where damages are not known. It takes seconds for thousands of units, and ends early where it takes long.
    """
    model, first = found.corrected, found.checks[0] if found.checks else None
    if model is None or first is None or first.damage is None:
        return
    most = float(np.max(first.damage))
    most = most if np.isfinite(most) else float(model.damage(first.choice.low).max())
    ends = time.monotonic() + _LONGEST_S
    for budget in sorted({*np.geomspace(most / _BELOW, most, _POINTS).tolist(), bound}) if most > 0 else ():
        if time.monotonic() > ends:
            return
        limits = np.full(len(model.network.outputs), budget)
        yield limits, model.solve(limits)

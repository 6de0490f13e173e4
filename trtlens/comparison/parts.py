"""How the difference between two whole runs is made up: computing by change of precision, reformats, copies of constants."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.comparison.figures import COMPUTE, CONSTANT, CONVERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trtlens.comparison.comparison import Comparison
    from trtlens.comparison.noise import Difference

_UNKNOWN = "unknown precision"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a difference. ``before`` and ``after`` are precisions for a part that computes, else None."""

    kind: str
    before: str | None
    after: str | None
    regions: int
    base_ms: float
    run_ms: float
    difference: Difference


def split_difference(comparison: Comparison, number: int) -> list[Part]:
    """Parts of what one run takes more than the baseline, the largest first; they add up to the aligned difference."""
    layers = (comparison.baseline, number)
    groups: dict[tuple[str, str | None, str | None], list[tuple[list[int], list[int]]]] = defaultdict(list)
    for row in comparison.rows:
        base, run = (row.cells[place].figures for place in layers)
        for role in (COMPUTE, CONVERSION, CONSTANT):
            sides = tuple(_with_role(comparison, place, row.region.layers[place], role) for place in layers)
            if any(sides):
                computes = role == COMPUTE
                before = (base.precision or _UNKNOWN) if computes else None
                after = (run.precision or _UNKNOWN) if computes else None
                groups[role, before, after].append((sides[0], sides[1]))
    parts = [part for key, members in groups.items() for part in _part(comparison, number, key, members)]
    return sorted(parts, key=lambda part: -abs(part.difference.diff_ms))


def _with_role(comparison: Comparison, place: int, positions: Iterable[int], role: str) -> list[int]:
    roles = comparison.measures[place].roles
    return [position for position in positions if roles[position] == role]


def _part(
    comparison: Comparison,
    number: int,
    key: tuple[str, str | None, str | None],
    members: list[tuple[list[int], list[int]]],
) -> list[Part]:
    base = [position for positions, _ in members for position in positions]
    run = [position for _, positions in members for position in positions]
    before, after = comparison.measures[comparison.baseline].time_ms(base), comparison.measures[number].time_ms(run)
    if not (before or after):
        return []
    return [Part(*key, len(members), before, after, comparison.judge(number, base, run))]

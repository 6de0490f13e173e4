"""What one region is in one engine: its time in parts, precision, unit, kernels, reformats, memory, error."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from trtlens.comparison.times import TUNER, capture_error
from trtlens.engine.kernel_times import KERNELS
from trtlens.engine.kernels_run import kernels_run
from trtlens.statistics import influence, standard_error, timer_error
from trtlens.tuning.kept_strategy import kept_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from trtlens.comparison.alignment import Alignment
    from trtlens.comparison.comparison import Comparison
    from trtlens.comparison.times import Difference, Times
    from trtlens.engine.built_engine import BuiltEngine, PlacedLayer

COMPUTE, CONVERSION, CONSTANT, NOTHING = "compute", "conversion", "constant", "nothing"
"""What a layer does: works, changes type or layout, copies weights or biases, or launches no kernel."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One region in one engine. Times in ms, None where unknown; ``error_ms`` is the standard error of ``time_ms``.

    ``compute_ms``, ``conversion_ms`` and ``constant_ms`` add up to ``time_ms`` where all are known; ``padding_ms`` is what
    kernels that pad biases take of the first, known of traces alone. ``precisions`` and ``units`` are those of the layers
    that compute, the most time first. ``kernels`` and ``tactics`` follow the layers.
    """

    layers: tuple[str, ...]
    computing: tuple[str, ...]
    types: tuple[str, ...]
    conversions: int
    time_ms: float | None
    compute_ms: float | None
    conversion_ms: float | None
    constant_ms: float | None
    error_ms: float | None
    timed_layers: int
    precisions: tuple[str, ...]
    units: tuple[str, ...]
    kernels: tuple[str | None, ...]
    tactics: tuple[int | None, ...]
    scratch_bytes: int | None
    persistent_bytes: int | None
    error: float | None
    error_added: float | None
    padding_ms: float | None = None

    @property
    def kernels_ms(self) -> float | None:
        """What the kernels take that compute, without those that pad their biases."""
        return self.compute_ms if self.compute_ms is None else self.compute_ms - (self.padding_ms or 0.0)

    @property
    def precision(self) -> str | None:
        """The precision that it computes in, several joined by ``+``; None where unknown."""
        return "+".join(self.precisions) or None

    @property
    def unit(self) -> str | None:
        """The unit that it runs on, both joined by ``+``; None where unknown."""
        return "+".join(self.units) or None


class Measure:
    """Takes the figures of any set of layers of one engine."""

    def __init__(self, engine: BuiltEngine, number: int, alignment: Alignment, times: Times) -> None:
        self._layers = engine.layers
        self._source = times.source
        self._time_ms: list[float] = times.time_ms.tolist()
        self._known_ms: list[float] = np.nan_to_num(times.time_ms).tolist()
        self.roles: tuple[str, ...] = _roles(engine, number, alignment)
        self._moved = None if times.samples is None else influence(times.samples)
        self._scratch, self._persistent = _memory(engine)
        self._errors = _errors(engine)
        self._layer_nodes = alignment.layer_nodes[number]
        self._padding_ms = _padding(engine) if times.source == KERNELS else None

    def figures(self, positions: Sequence[int], error_ms: float | None = None) -> Figures:
        """Figures of the layers at these positions; ``error_ms`` is what `errors_ms` found for them."""
        layers = [self._layers[position] for position in positions]
        computing = [layer for layer in layers if self.roles[layer.position] == COMPUTE]
        parts = {role: self._time(layers, role) for role in (COMPUTE, CONVERSION, CONSTANT)}
        moving = [layer for layer in layers if self.roles[layer.position] == CONVERSION]
        error, added = self._worst(layers)
        return Figures(
            layers=tuple(layer.name for layer in layers), computing=tuple(layer.name for layer in computing),
            types=tuple(layer.type for layer in computing), conversions=len(moving),
            time_ms=self._whole(layers, parts), compute_ms=parts[COMPUTE], conversion_ms=parts[CONVERSION],
            constant_ms=parts[CONSTANT], error_ms=error_ms, timed_layers=self._timed(positions),
            precisions=self._by_time(computing, "precision"), units=self._by_time(computing, "unit"),
            kernels=tuple(layer.tactic_name for layer in computing),
            tactics=tuple(layer.tactic_id for layer in computing),
            scratch_bytes=_largest(self._scratch, layers), persistent_bytes=_sum(self._persistent, layers),
            error=error, error_added=added, padding_ms=self._padded(computing),
        )  # fmt: skip

    def time_ms(self, positions: Iterable[int]) -> float:
        """Sum of the known times of these layers."""
        return sum(self._known_ms[position] for position in positions)

    def errors_ms(self, groups: Sequence[Sequence[int]], *, whole: bool = False) -> npt.NDArray[np.float64] | None:
        """Standard error of the time of each group of layers, that of the clock included; None without samples.

        ``whole`` is said of groups that are a region each, whose layers a capture may all lengthen alike.
        """
        if self._moved is None:
            return None
        moved = np.zeros((len(groups), self._moved.shape[1]))
        numbers = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
        np.add.at(moved, numbers, self._moved[[position for group in groups for position in group]])
        apart = np.array([self._apart(group, whole=whole) for group in groups])
        return np.asarray(np.hypot(standard_error(moved), apart), np.float64)

    def _apart(self, group: Sequence[int], *, whole: bool) -> float:
        """What no number of samples averages out: of a profile the timer's error, of a trace what lies between two captures."""
        if self._source != KERNELS:
            return timer_error(self._timed(group))
        times = [self._known_ms[position] for position in group]
        return capture_error([sum(times)] if whole else times)

    def _timed(self, positions: Iterable[int]) -> int:
        return sum(self._known_ms[position] > 0 for position in positions)

    def _time(self, layers: Iterable[PlacedLayer], role: str) -> float | None:
        """Sum over the layers of one role: 0 for none, None where one of them has no time."""
        if self._source is None or (self._source == TUNER and role != COMPUTE):
            return None
        total = sum(self._time_ms[layer.position] for layer in layers if self.roles[layer.position] == role)
        return None if isnan(total) else total

    def _whole(self, layers: Sequence[PlacedLayer], parts: Mapping[str, float | None]) -> float | None:
        """The time of all layers. Layers that launch no kernel count with the time that a profiler gave them."""
        if self._source == TUNER:
            return parts[COMPUTE] if any(self.roles[layer.position] == COMPUTE for layer in layers) else None
        if None in parts.values():
            return None
        return self.time_ms(layer.position for layer in layers)

    def _padded(self, layers: Sequence[PlacedLayer]) -> float | None:
        if self._padding_ms is None:
            return None
        return sum(self._padding_ms.get(layer.index, 0.0) for layer in layers)

    def _by_time(self, layers: Sequence[PlacedLayer], fact: str) -> tuple[str, ...]:
        spent: dict[str, float] = {}
        for layer in layers:
            value = getattr(layer, fact)
            if value is not None:
                spent[value] = spent.get(value, 0.0) + self._known_ms[layer.position]
        return tuple(sorted(spent, key=lambda value: (-spent[value], value)))

    def _worst(self, layers: Sequence[PlacedLayer]) -> tuple[float | None, float | None]:
        """The largest error, and the largest added, of the tensors that the layers or their nodes make."""
        if not self._errors:
            return None, None
        made = [name for layer in layers for name in (*layer.output_names, *self._layer_nodes[layer.position].nodes)]
        known = [self._errors[name] for name in made if name in self._errors]
        errors, added = (
            [value for value in values if value is not None]
            for values in (zip(*known, strict=True) if known else ((), ()))
        )
        return max(errors, default=None), max(added, default=None)


def _roles(engine: BuiltEngine, number: int, alignment: Alignment) -> tuple[str, ...]:
    """What each layer does; a layer that holds nothing but conversions is one, as a reformat is."""
    flow, converting = alignment.flows[number], alignment.converting[number]
    roles = []
    for layer in engine.layers:
        if layer.position in flow.constant:
            roles.append(CONSTANT)
        elif layer.is_reformat or layer.position in converting:
            roles.append(NOTHING if layer.type == "NoOp" else CONVERSION)
        else:
            roles.append(COMPUTE if layer.works else NOTHING)
    return tuple(roles)


def _padding(engine: BuiltEngine) -> dict[int, float]:
    """What kernels that pad biases take, by the index of the layer that launches them."""
    found: dict[int, float] = defaultdict(float)
    for one in kernels_run(engine.run, engine.build):
        if one.pads_bias and one.layer_index is not None:
            found[one.layer_index] += one.median_ms
    return dict(found)


def _memory(engine: BuiltEngine) -> tuple[dict[str, int], dict[str, int]]:
    scratch: dict[str, int] = {}
    persistent: dict[str, int] = {}
    for row in kept_rows(engine.run, "memory").to_pylist():
        if row["scratch_bytes"] is not None:
            scratch[row["layer"]] = max(row["scratch_bytes"], scratch.get(row["layer"], 0))
        if row["device_persistent_bytes"] is not None:
            persistent[row["layer"]] = row["device_persistent_bytes"]
    return scratch, persistent


def _largest(sizes: Mapping[str, int], layers: Iterable[PlacedLayer]) -> int | None:
    return max((sizes[layer.name] for layer in layers if layer.name in sizes), default=None)


def _sum(sizes: Mapping[str, int], layers: Iterable[PlacedLayer]) -> int | None:
    known = [sizes[layer.name] for layer in layers if layer.name in sizes]
    return sum(known) if known else None


def _errors(engine: BuiltEngine) -> dict[str, tuple[float | None, float | None]]:
    """Error and error added by tensor and by the node that makes it, where the run was compared with a reference."""
    found: dict[str, tuple[float | None, float | None]] = {}
    columns = ("tensor", "producer", "error", "error_added")
    for tensor, producer, error, added in zip(
        *(engine.run["tensor_errors"][name].to_pylist() for name in columns), strict=True
    ):
        for name in (tensor, producer):
            if name is not None and error is not None and error >= (found.get(name, (0.0, None))[0] or 0.0):
                found[name] = (error, added)
    return found


# -- parts of a whole difference --------------------------------------------------------------------------------------
# How the difference between two whole runs is made up: computing by change of precision, reformats, copies of constants.


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

"""What one region is on one side: its time in parts, precision, unit, kernels, reformats, memory, error."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from trtlens.comparison.times import TUNER
from trtlens.statistics import influence, standard_error, timer_error
from trtlens.tuning.kept_strategy import kept_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from trtlens.comparison.alignment import Alignment
    from trtlens.comparison.times import Times
    from trtlens.engine.sides import Layer, Side

COMPUTE, CONVERSION, CONSTANT, NOTHING = "compute", "conversion", "constant", "nothing"
"""What a layer does: works, changes type or layout, copies weights or biases, or launches no kernel."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One region on one side. Times in ms, None where unknown; ``error_ms`` is the standard error of ``time_ms``.

    ``compute_ms``, ``conversion_ms`` and ``constant_ms`` add up to ``time_ms`` where all are known. ``precisions`` and
    ``units`` are those of the layers that compute, the most time first. ``kernels`` and ``tactics`` follow the layers.
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

    @property
    def precision(self) -> str | None:
        """The precision that it computes in, several joined by ``+``; None where unknown."""
        return "+".join(self.precisions) or None

    @property
    def unit(self) -> str | None:
        """The unit that it runs on, both joined by ``+``; None where unknown."""
        return "+".join(self.units) or None


class Measure:
    """Takes the figures of any set of layers of one side."""

    def __init__(self, side: Side, number: int, alignment: Alignment, times: Times) -> None:
        self._layers = side.layers
        self._source = times.source
        self._time_ms: list[float] = times.time_ms.tolist()
        self._known_ms: list[float] = np.nan_to_num(times.time_ms).tolist()
        self.roles = _roles(side, number, alignment)
        self._moved = None if times.samples is None else influence(times.samples)
        self._scratch, self._persistent = _memory(side)
        self._errors = _errors(side)
        self._holdings = alignment.holdings[number]

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
            error=error, error_added=added,
        )  # fmt: skip

    def time_ms(self, positions: Iterable[int]) -> float:
        """Sum of the known times of these layers."""
        return sum(self._known_ms[position] for position in positions)

    def errors_ms(self, groups: Sequence[Sequence[int]]) -> npt.NDArray[np.float64] | None:
        """Standard error of the time of each group of layers, that of the timer included; None without samples."""
        if self._moved is None:
            return None
        moved = np.zeros((len(groups), self._moved.shape[1]))
        numbers = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
        np.add.at(moved, numbers, self._moved[[position for group in groups for position in group]])
        timer = np.array([timer_error(self._timed(group)) for group in groups])
        return np.asarray(np.hypot(standard_error(moved), timer), np.float64)

    def _timed(self, positions: Iterable[int]) -> int:
        return sum(self._known_ms[position] > 0 for position in positions)

    def _time(self, layers: Iterable[Layer], role: str) -> float | None:
        """Sum over the layers of one role: 0 for none, None where one of them has no time."""
        if self._source is None or (self._source == TUNER and role != COMPUTE):
            return None
        total = sum(self._time_ms[layer.position] for layer in layers if self.roles[layer.position] == role)
        return None if isnan(total) else total

    def _whole(self, layers: Sequence[Layer], parts: Mapping[str, float | None]) -> float | None:
        """The time of all layers. Layers that launch no kernel count with the time that a profiler gave them."""
        if self._source == TUNER:
            return parts[COMPUTE] if any(self.roles[layer.position] == COMPUTE for layer in layers) else None
        if None in parts.values():
            return None
        return self.time_ms(layer.position for layer in layers)

    def _by_time(self, layers: Sequence[Layer], fact: str) -> tuple[str, ...]:
        spent: dict[str, float] = {}
        for layer in layers:
            value = getattr(layer, fact)
            if value is not None:
                spent[value] = spent.get(value, 0.0) + self._known_ms[layer.position]
        return tuple(sorted(spent, key=lambda value: (-spent[value], value)))

    def _worst(self, layers: Sequence[Layer]) -> tuple[float | None, float | None]:
        """The largest error, and the largest added, of the tensors that the layers or their nodes make."""
        if not self._errors:
            return None, None
        made = [name for layer in layers for name in (*layer.outputs, *self._holdings[layer.position].nodes)]
        known = [self._errors[name] for name in made if name in self._errors]
        errors, added = (
            [value for value in values if value is not None]
            for values in (zip(*known, strict=True) if known else ((), ()))
        )
        return max(errors, default=None), max(added, default=None)


def _roles(side: Side, number: int, alignment: Alignment) -> tuple[str, ...]:
    """What each layer does; a layer that holds nothing but conversions is one, as a reformat is."""
    flow, converting = alignment.flows[number], alignment.converting[number]
    roles = []
    for layer in side.layers:
        if layer.position in flow.constant:
            roles.append(CONSTANT)
        elif layer.is_reformat or layer.position in converting:
            roles.append(NOTHING if layer.type == "NoOp" else CONVERSION)
        else:
            roles.append(COMPUTE if layer.works else NOTHING)
    return tuple(roles)


def _memory(side: Side) -> tuple[dict[str, int], dict[str, int]]:
    scratch: dict[str, int] = {}
    persistent: dict[str, int] = {}
    for row in kept_rows(side.run, "memory").to_pylist():
        if row["scratch_bytes"] is not None:
            scratch[row["layer"]] = max(row["scratch_bytes"], scratch.get(row["layer"], 0))
        if row["device_persistent_bytes"] is not None:
            persistent[row["layer"]] = row["device_persistent_bytes"]
    return scratch, persistent


def _largest(sizes: Mapping[str, int], layers: Iterable[Layer]) -> int | None:
    return max((sizes[layer.name] for layer in layers if layer.name in sizes), default=None)


def _sum(sizes: Mapping[str, int], layers: Iterable[Layer]) -> int | None:
    known = [sizes[layer.name] for layer in layers if layer.name in sizes]
    return sum(known) if known else None


def _errors(side: Side) -> dict[str, tuple[float | None, float | None]]:
    """Error and error added by tensor and by the node that makes it, where the run was compared with a reference."""
    found: dict[str, tuple[float | None, float | None]] = {}
    columns = ("tensor", "producer", "error", "error_added")
    for tensor, producer, error, added in zip(
        *(side.run["tensor_errors"][name].to_pylist() for name in columns), strict=True
    ):
        for name in (tensor, producer):
            if name is not None and error is not None and error >= (found.get(name, (0.0, None))[0] or 0.0):
                found[name] = (error, added)
    return found

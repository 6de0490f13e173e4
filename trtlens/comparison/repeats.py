"""Repeats: builds of one model with the same flags held beside one another, and two sets of them.

The tuner measures, so two builds of one thing choose differently where tactics are about as fast: the build lottery. What
differs between a few builds of each of two kinds is an effect of the kind only if it is more than the lottery makes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from math import hypot, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.comparison.inference_latency import typical_inference
from trtlens.comparison.times import FASTER, NO_DIFFERENCE, SLOWER, Difference, read_times
from trtlens.engine.inference_timing import read_timing
from trtlens.quantities import hexadecimal
from trtlens.statistics import student
from trtlens.tables.engine_layers import NO_WORK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trtlens.comparison.times import Times
    from trtlens.engine.built_engine import BuiltEngine, PlacedLayer

TACTIC, TYPES, FORMATS, PRESENCE = "tactic", "types", "formats", "presence"
"""What of a layer can differ between builds; ``presence``: some builds have no layer of that name, as where fusions differ."""
CHANCE = 0.01
"""Probability up to which chance counts as ruled out."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What one build chose for one layer; the tactic is None where the log names none."""

    tactic: str | None
    types: tuple[str | None, ...]
    formats: tuple[Any, ...]
    time_ms: float | None


@dataclass(frozen=True, slots=True)
class RepeatedLayer:
    """A layer by its name (of several of one name the n-th) with the choice of each build, None where it has no such layer."""

    name: str
    type: str
    is_reformat: bool
    choices: tuple[Choice | None, ...]

    @property
    def changes(self) -> tuple[str, ...]:
        """In what the builds that show it differ."""
        there = [one for one in self.choices if one is not None]
        found = [TACTIC] if len({one.tactic for one in there} - {None}) > 1 else []
        found += [TYPES] if len({one.types for one in there}) > 1 else []
        found += [FORMATS] if len({one.formats for one in there}) > 1 else []
        return tuple([*found, PRESENCE] if len(there) < len(self.choices) else found)

    @property
    def tactics(self) -> Counter[str]:
        """Builds by tactic."""
        return Counter(one.tactic for one in self.choices if one is not None and one.tactic is not None)

    @property
    def names_tactics(self) -> bool:
        """Whether every build that has the layer names its tactic."""
        return all(one.tactic is not None for one in self.choices if one is not None)

    @property
    def times_ms(self) -> list[float]:
        """Its time in each build that has one."""
        return [one.time_ms for one in self.choices if one is not None and one.time_ms is not None]

    @property
    def mean_ms(self) -> float | None:
        """What it adds to a build on average: nothing to one without it; None without times."""
        return sum(self.times_ms) / len(self.choices) if self.times_ms else None


@dataclass(frozen=True, slots=True)
class Inference:
    """Milliseconds of one inference in one build, and their standard error, None where it has too few samples.

    ``waits``: the GPU waited for the host, so that the time is not the engine's alone.
    """

    time_ms: float
    error_ms: float | None
    waits: bool


@dataclass(frozen=True, slots=True)
class Repeats:
    """Builds of one thing.

    Attributes:
        engines: one for each build.
        layers: all layers of any build that launch a kernel, in execution order of the builds.
        time_source: where the layers' times come from; None where the builds have none of one kind.
        inferences: of each build; None where it was not timed.
        outputs: whether all builds gave the same output bits for the same input; None where not every build kept them.
    """

    engines: tuple[BuiltEngine, ...]
    layers: tuple[RepeatedLayer, ...]
    time_source: str | None
    inferences: tuple[Inference | None, ...]
    outputs: bool | None

    @property
    def changing(self) -> list[RepeatedLayer]:
        """Layers that differ between builds, the most costly first."""
        return sorted((one for one in self.layers if one.changes), key=lambda one: -(one.mean_ms or 0.0))

    @property
    def changing_share(self) -> float | None:
        """Share of the layers' time that the changing ones carry; None without times."""
        total = sum(one.mean_ms or 0.0 for one in self.layers)
        return sum(one.mean_ms or 0.0 for one in self.changing) / total if total else None

    @property
    def times_ms(self) -> list[float] | None:
        """Inference times of all builds; None where one has none, or one that holds the wait for the host."""
        known = [one.time_ms for one in self.inferences if one is not None and not one.waits]
        return known if len(known) == len(self.inferences) else None

    @property
    def within_ms(self) -> float | None:
        """Standard error of one build's time, root mean square over the builds; None where one has too few samples."""
        errors = [one.error_ms for one in self.inferences if one is not None and one.error_ms is not None]
        return float(np.sqrt(np.mean(np.square(errors)))) if len(errors) == len(self.inferences) else None

    @property
    def between_ms(self) -> float | None:
        """Standard deviation of the builds' times."""
        return None if self.times_ms is None else float(np.std(self.times_ms, ddof=1))

    @property
    def fastest(self) -> int | None:
        """Position of the build with the least inference time."""
        return None if self.times_ms is None else int(np.argmin(self.times_ms))


def read_repeats(engines: Sequence[BuiltEngine]) -> Repeats:
    """Two builds or more of one thing; that they are of one thing is for the caller to know."""
    times = read_times(engines)
    return Repeats(
        tuple(engines),
        tuple(_layers(engines, times)),
        times[0].source,
        tuple(map(_inference, engines)),
        _same_outputs(engines),
    )


def _inference(engine: BuiltEngine) -> Inference | None:
    known = typical_inference(engine.run)
    return None if known is None else Inference(*known, waits=bool(read_timing(engine.run, engine.build).waits))


def _layers(engines: Sequence[BuiltEngine], times: Sequence[Times]) -> Iterable[RepeatedLayer]:
    found: dict[tuple[str, int], list[Choice | None]] = {}
    kinds: dict[tuple[str, int], PlacedLayer] = {}
    for number, (engine, timed) in enumerate(zip(engines, times, strict=True)):
        seen: dict[str, int] = defaultdict(int)
        for layer in engine.layers:
            if layer.type in NO_WORK:
                continue
            key = layer.name, seen[layer.name]
            seen[layer.name] += 1
            kinds.setdefault(key, layer)
            own = found.setdefault(key, [None] * len(engines))
            own[number] = _choice(
                layer, float(timed.time_ms[layer.position]) if timed.source is not None else float("nan")
            )
    for key, choices in found.items():
        yield RepeatedLayer(key[0], kinds[key].type, kinds[key].is_reformat, tuple(choices))


def _choice(layer: PlacedLayer, time_ms: float) -> Choice:
    tensors = (*layer.inputs, *layer.outputs)
    is_placeholder = (
        layer.type == "Myelin" or layer.tactic_id is None
    )  # a region has no tactic of its own: 0 is printed
    known = (layer.tactic_name, None if is_placeholder else hexadecimal(layer.tactic_id or 0))
    return Choice(
        " ".join(text for text in known if text) or None, (layer.precision, *(tensor.dtype for tensor in tensors)),
        tuple((tensor.layout, tensor.strides, tensor.vector_width) for tensor in tensors), None if np.isnan(time_ms) else time_ms,
    )  # fmt: skip


def _same_outputs(engines: Sequence[BuiltEngine]) -> bool | None:
    digests = [dict(engine.run.info.output_sha256) for engine in engines]
    return None if not all(digests) else all(one == digests[0] for one in digests)


# -- two sets ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Effect:
    """What one set of builds differs in from another.

    Attributes:
        difference: of an inference, with an interval of 99 % (Student's distribution over the builds); None without times.
        apart: layers of both sets for which no build of one set chose what a build of the other did.
        varying: layers that change within a set.
        layers: layers of either set.
        chance: probability that a layer which chooses between two by the flip of a coin is among ``apart``.
    """

    difference: Difference | None
    apart: tuple[str, ...]
    varying: int
    layers: int
    chance: float

    @property
    def is_chance_ruled_out(self) -> bool:
        """Whether so many builds leave one coin's flips too unlikely to explain choices that differ."""
        return self.chance <= CHANCE


def read_effect(base: Repeats, other: Repeats) -> Effect:
    """The second set held against the first; both need two builds."""
    count = len(base.engines) + len(other.engines)
    both = read_repeats([*base.engines, *other.engines])
    cut = len(base.engines)
    halves = [(one, set(_told(one.choices[:cut])), set(_told(one.choices[cut:]))) for one in both.layers]
    apart = tuple(one.name for one, ours, theirs in halves if not ours & theirs)
    varying = sum(len(ours) > 1 or len(theirs) > 1 for _, ours, theirs in halves)
    return Effect(_difference(base, other), apart, varying, len(both.layers), 2.0 ** (1 - count))


def _told(choices: Sequence[Choice | None]) -> Iterable[Any]:
    """What tells choices apart: absence is one, time is none."""
    return (None if one is None else (one.tactic, one.types, one.formats) for one in choices)


def _difference(base: Repeats, other: Repeats) -> Difference | None:
    """Means of the builds' times, blurred by the builds of either set together, at least by what blurs one build."""
    ours, theirs = base.times_ms, other.times_ms
    if ours is None or theirs is None:
        return None
    freedom = len(ours) + len(theirs) - 2
    between = sqrt(sum(float(np.var(one) * len(one)) for one in (ours, theirs)) / freedom)
    within = hypot(base.within_ms or 0.0, other.within_ms or 0.0) / sqrt(2.0)
    half = student(freedom) * max(between, within) * sqrt(1 / len(ours) + 1 / len(theirs))
    diff = float(np.mean(theirs) - np.mean(ours))
    verdict = NO_DIFFERENCE if abs(diff) <= half else SLOWER if diff > 0 else FASTER
    return Difference(diff, diff - half, diff + half, verdict)

"""The parts of a build and what they took: as TensorRT states it, and by the time stamps before its lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trtlens.runs.stretches import KEYS, Stretches

if TYPE_CHECKING:
    from trtlens_parsers.records import Build


class PhaseTime(NamedTuple):
    """Seconds of a part of a build; ``source`` is ``stated`` or ``stamps``."""

    name: str
    seconds: float
    source: str
    line: int


def all_phases(build: Build) -> list[PhaseTime]:
    """What TensorRT states, in the order of the log, then what the time stamps show."""
    stated = [PhaseTime(phase.name, phase.seconds, "stated", phase.line) for phase in build.phases]
    return [*stated, *_stamped(build)]


def _stamped(build: Build) -> list[PhaseTime]:
    """Seconds between time stamps, given to the phase that was running when the later stamp came, by strategy and profile."""
    moments, stretches = build.moments, Stretches(build)
    lines = np.array([moment.line for moment in moments], np.int64)
    parts = zip(*(stretches.of(key, lines).tolist() for key in KEYS), strict=True)
    spans: dict[tuple[str, tuple[int, ...]], PhaseTime] = {}
    for before, after, part in zip(moments, moments[1:], list(parts)[1:], strict=False):
        first = PhaseTime(after.phase, 0.0, "stamps", after.line)
        span = spans.setdefault((after.phase, part), first)
        took = max(after.stamp_s - before.stamp_s, 0.0)
        spans[after.phase, part] = span._replace(seconds=span.seconds + took)
    return list(spans.values())

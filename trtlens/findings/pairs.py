"""Two runs of the same model side by side: layers of the same name, and candidates that are the very same work."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from trtlens.combinations import decoded

if TYPE_CHECKING:
    from trtlens.engine_graph import Node
    from trtlens.findings.engine import Engine

_LONG_MS = 0.01
"""Below ten microseconds a time is mostly the launch."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One layer that both engines have: measured and tuner's times of this and of the other, None where one lacks."""

    node: Node
    other: Node
    measured: tuple[float, float] | None
    tuned: tuple[float, float] | None


def common_layers(engine: Engine, other: Engine) -> list[Pair]:
    """Computing layers whose name stands once in both engines, in this engine's order."""
    here, there = _by_name(engine), _by_name(other)
    pairs = []
    for name, node in here.items():
        twin = there.get(name)
        if node is None or twin is None:
            continue
        pairs.append(
            Pair(node, twin, _both(node.time_ms, twin.time_ms), _both(engine.tuned_ms(node), other.tuned_ms(twin)))
        )
    return pairs


def _by_name(engine: Engine) -> dict[str, Node | None]:
    """Computing layers by name; None for a name that stands twice."""
    found: dict[str, Node | None] = {}
    for index in engine.subjects:
        node = engine.graph.nodes[index]
        found[node.name] = None if node.name in found else node
    return found


def _both(one: float | None, other: float | None) -> tuple[float, float] | None:
    return None if one is None or other is None else (one, other)


@dataclass(frozen=True, slots=True)
class SameWork:
    """Candidates that both tuners timed: how many, and the median ratio of this run's time to the other's.

    ``long`` are those of ten microseconds and more, ``short`` the others.
    """

    long_count: int
    long_ratio: float | None
    short_count: int
    short_ratio: float | None


def same_work(engine: Engine, other: Engine) -> SameWork:
    """Times of the very same tactics of the same layers in the same formats, as two builds measured them."""
    here, there = _times(engine), _times(other)
    ratios = [(time_ms / there[key], there[key]) for key, time_ms in here.items() if there.get(key)]
    long = [ratio for ratio, base in ratios if base >= _LONG_MS]
    short = [ratio for ratio, base in ratios if base < _LONG_MS]
    return SameWork(len(long), median(long) if long else None, len(short), median(short) if short else None)


def _times(engine: Engine) -> dict[tuple[object, ...], float]:
    table = engine.run["candidates"]
    columns = (
        "build",
        "layer",
        "op",
        "input_formats",
        "output_formats",
        "runner",
        "tactic_id",
        "tactic_name",
        "split_k",
        "time_ms",
    )
    times: dict[tuple[object, ...], float] = {}
    for build, *key, time_ms in zip(*(decoded(table[name]) for name in columns), strict=True):
        if build == engine.number and time_ms is not None and key[1] is None:
            known = times.get(tuple(key))
            times[tuple(key)] = time_ms if known is None else min(known, time_ms)
    return times

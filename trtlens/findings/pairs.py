"""One build beside a build of a second run of the same model, aligned and measured as ``trtlens compare`` does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING

from trtlens.comparison.comparison import compare_runs
from trtlens.comparison.figures import COMPUTE
from trtlens.comparison.same_work import mismatches
from trtlens.tables.arrays import decoded

if TYPE_CHECKING:
    from trtlens.comparison.comparison import Comparison
    from trtlens.comparison.same_work import Mismatch
    from trtlens.engine.engine_graph import GraphLayer
    from trtlens.findings.engine import Engine

_LONG_MS = 0.01
"""Below ten microseconds a time is mostly the launch."""


@dataclass(frozen=True, slots=True)
class TunedRegion:
    """Layers of both engines that compute the same ONNX nodes, with what the two tuners timed for all of them.

    ``nodes`` are this engine's layers, ``other_precision`` is what the other engine computes in.
    """

    nodes: tuple[GraphLayer, ...]
    here_ms: float
    there_ms: float
    other_precision: str | None

    @property
    def loss_ms(self) -> float:
        """How much longer this engine's tactics take."""
        return self.here_ms - self.there_ms


class Pair:
    """A build, and the build of another run to compare it with; ``name`` and ``other_name`` tell the runs apart."""

    def __init__(
        self, engine: Engine, other: Engine, *, name: str | None = None, other_name: str | None = None
    ) -> None:
        self.engine: Engine = engine
        self.other: Engine = other
        self._runs = other.run.build(other.number), engine.run.build(engine.number)
        self.name: str = name or engine.run.name
        self.other_name: str = other_name or other.run.name
        if self.name == self.other_name:  # such as verbose.log
            self.other_name = "the other run"

    @cached_property
    def comparison(self) -> Comparison | None:
        """The two compared, the other run being the baseline; None where one of them lists no engine layers.

        Raises:
            TrtlensError: the runs are of different models.

        """
        if not all(run["layers"].num_rows for run in self._runs):
            return None
        return compare_runs(self._runs, names=(self.other_name, self.name))

    @cached_property
    def mismatches(self) -> tuple[Mismatch, ...]:
        """How the runs differ, so that their times cannot be compared.

        Raises:
            TrtlensError: the runs are of different models.

        """
        return tuple(mismatches(*self._runs)) if self.comparison is None else self.comparison.mismatches[1]

    @cached_property
    def tuned(self) -> list[TunedRegion]:
        """Regions of which both tuners timed what every computing layer runs."""
        if self.comparison is None:
            return []
        found = []
        for row in self.comparison.rows:
            there, here = (self._computing(side, row.region.layers[side]) for side in (0, 1))
            times = [
                [engine.tuned_ms(node) for node in nodes]
                for engine, nodes in ((self.engine, here), (self.other, there))
            ]
            known = [[time_ms for time_ms in side if time_ms is not None] for side in times]
            if all(times) and known == times:
                figures = row.cells[0].figures
                found.append(TunedRegion(tuple(here), sum(known[0]), sum(known[1]), figures.precision))
        return found

    def _computing(self, side: int, positions: tuple[int, ...]) -> list[GraphLayer]:
        """Layers of one side (0 is the other engine) that do the work of a region."""
        assert self.comparison is not None  # noqa: S101  the caller has it
        layers, roles = self.comparison.engines[side].layers, self.comparison.measures[side].roles
        graph = (self.other, self.engine)[side].graph
        return [graph.nodes[layers[place].index] for place in positions if roles[place] == COMPUTE]


@dataclass(frozen=True, slots=True)
class SameTactics:
    """Candidates that both tuners timed: how many, and the median ratio of this run's time to the other's.

    ``long`` are those of ten microseconds and more, ``short`` the others.
    """

    long_count: int
    long_ratio: float | None
    short_count: int
    short_ratio: float | None


def same_tactics(engine: Engine, other: Engine) -> SameTactics:
    """Times of the very same tactics of the same layers in the same formats, as two builds measured them."""
    here, there = _times(engine), _times(other)
    ratios = [(time_ms / there[key], there[key]) for key, time_ms in here.items() if there.get(key)]
    long = [ratio for ratio, base in ratios if base >= _LONG_MS]
    short = [ratio for ratio, base in ratios if base < _LONG_MS]
    return SameTactics(len(long), median(long) if long else None, len(short), median(short) if short else None)


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

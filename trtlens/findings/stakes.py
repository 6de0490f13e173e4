"""Time at stake: what one inference would gain, likely and at least and at most, and never more than an inference takes.

What layers take comes from the clock of their engine (`trtlens.findings.estimates`). How much of it an advice gains depends on
the advice (`Reach`): layers that are not launched any more take nothing; what layers would take with other kernels is seldom in a
record. To take an advice means to build anew, and another build can choose other tactics for all other layers: after
the copies of constants were folded out of a ResNet-50 with one timing cache, the other kernels took 1.9 % longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.findings.estimates import Estimate, Part, by_kernels, by_profile, by_tuner
from trtlens.quantities import duration, interval

if TYPE_CHECKING:
    from collections.abc import Sequence

KERNEL_TRACE, LAYER_PROFILER, TUNER = "the kernel trace", "the layer profiler", "the tuner"
NO_TIMES = "not known: the run has no time of these layers"
_ANEW = 0.02
"""How much longer or shorter the rest of an engine takes when it is built anew."""
_GRAPH_GAPS, _MOST_GRAPH_GAPS, _LEAST_GRAPH_GAPS = 0.01, 0.05, -0.04
"""Gaps between the kernels of a CUDA graph, as a share of their time: as measured, at most, and where kernels took longer while they were traced."""
_SCATTER = 0.3
"""How far launch-bound inferences lie apart from process to process."""


@dataclass(frozen=True, slots=True)
class Stake:
    """Milliseconds that one inference would gain, with their method, or why they are not known.

    Attributes:
        time_ms: what is likely; None if no record says it.
        basis: the method.
        low_ms: the least.
        high_ms: the most, None where consequences that have no time come on top of it: then the others are "at least".
    """

    time_ms: float | None
    basis: str
    low_ms: float | None = None
    high_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """Which part of the layers' time an advice can gain, and whether their launches go too; ``why`` continues the method."""

    low: float
    likely: float | None
    high: float
    launches_go: bool
    why: str


REMOVED = Reach(1.0, 1.0, 1.0, launches_go=True, why="")
FASTER = Reach(0.0, 1.0, 1.0, launches_go=False, why="nothing if what other kernels need around them costs as much")
AVOIDED = Reach(
    0.0, None, 1.0, launches_go=True, why="what the layers around them would take without them is in no record"
)
HALVED = Reach(
    0.0, 0.5, 1.0, launches_go=False, why="half of it is likely, because values of half the bytes are read and written"
)
BOUND = Reach(0.0, None, 1.0, launches_go=False, why="what would be left of it is in no record")


def stake_text(low_ms: float | None, likely_ms: float | None, high_ms: float | None) -> str:
    """``34.9 µs (22.7 to 47.8 µs)``, ``138 µs or more``, ``up to 63.0 µs``; nothing where nothing is known."""
    if likely_ms is None:
        return "" if high_ms is None else f"up to {duration(high_ms)}"
    if high_ms is None:
        return f"{duration(likely_ms)} or more" + (f" ({duration(low_ms)} at least)" if low_ms else "")
    return duration(likely_ms) + ("" if low_ms is None else f" ({interval(low_ms, high_ms)})")


@dataclass(frozen=True, slots=True)
class Clock:
    """The source of the layers' times, and what of a whole inference is known.

    Attributes:
        source: `KERNEL_TRACE`, `LAYER_PROFILER` or `TUNER`.
        total_ms: sum of the layers' times.
        inference_ms: a whole inference; of a trace that was not timed from the first start to the last end.
        layers: layers that launch something; of a trace, launches.
        busy_ms: of a trace, the time in which a kernel runs.
        waits: whether the GPU waits for the host.
    """

    source: str
    total_ms: float | None
    inference_ms: float | None
    layers: int = 0
    busy_ms: float | None = None
    waits: bool = False

    @property
    def whole(self) -> str:
        """The total that shares refer to, in words."""
        total = "unknown time" if self.total_ms is None else duration(self.total_ms)
        return f"all layers' {total} by {self.source}"

    def stake(self, parts: Sequence[Part], reach: Reach = BOUND, *, untimed: int = 0, at_least: bool = False) -> Stake:
        """What an advice about layers gains.

        Args:
            parts: the layers' times by this clock.
            reach: which part of their time the advice can gain.
            untimed: further such layers, which this clock does not time.
            at_least: whether the advice also changes layers that are not among these.

        """
        if not parts or self.total_ms is None:
            return Stake(None, NO_TIMES)
        found = self._estimate(parts, reach, untimed)
        if self.waits and self.inference_ms is not None:
            found, reach = self._waiting(found, len(parts) + untimed, reach)
        told = [
            found.method,
            "no inference was timed"
            if self.inference_ms is None
            else f"an inference takes {duration(self.inference_ms)}",
            reach.why,
        ]
        anew = 0.0
        if self.inference_ms is not None and reach.likely is not None:
            anew = _ANEW * max(self.inference_ms - reach.likely * found.likely_ms, 0.0)
            told.append(f"a new build may choose other tactics for the rest, {duration(anew)} either way")
        is_open = at_least or (bool(untimed) and self.source != KERNEL_TRACE)
        return Stake(
            None if reach.likely is None else self._bounded(reach.likely * found.likely_ms),
            "; ".join(text for text in told if text), self._bounded(reach.low * found.low_ms - anew),
            None if is_open else self._bounded(reach.high * found.high_ms + anew),
        )  # fmt: skip

    def _estimate(self, parts: Sequence[Part], reach: Reach, untimed: int) -> Estimate:
        """What the parts take of an inference."""
        assert self.total_ms is not None  # noqa: S101  the caller has asked
        if self.source == KERNEL_TRACE:
            known = self.inference_ms is not None and self.busy_ms is not None
            gaps = max((self.inference_ms or 0.0) - (self.busy_ms or 0.0), 0.0) if known else None
            longer = max((self.busy_ms or 0.0) / self.inference_ms, 1.0) if self.inference_ms and known else 1.0
            return by_kernels(parts, gaps if reach.launches_go else None, self.layers, untimed, longer=longer)
        if self.source == LAYER_PROFILER:
            whole = None if self.waits else self.inference_ms
            return by_profile(parts, self.total_ms, whole, self.layers)
        return by_tuner(parts, self.total_ms, self.inference_ms)

    def _waiting(self, found: Estimate, count: int, reach: Reach) -> tuple[Estimate, Reach]:
        """Where the GPU waits for launches: fewer of them take less in proportion, faster kernels nothing."""
        if not reach.launches_go or not self.layers:
            text = f"{found.method}; the GPU waits for launches, so faster kernels may gain nothing"
            return Estimate(0.0, 0.0, found.high_ms, text), Reach(0.0, None, 1.0, launches_go=False, why="")
        assert self.inference_ms is not None  # noqa: S101  the caller has asked
        fewer = self.inference_ms * min(count / self.layers, 1.0)
        text = (
            f"{count} of {self.layers} launches, for which the GPU waits: their share of an inference, or at least what they take "
            f"themselves ({found.method}); inferences that wait lie {100 * _SCATTER:.0f} % apart from process to process"
        )
        low, high = (1 - _SCATTER) * min(fewer, found.low_ms), (1 + _SCATTER) * max(fewer, found.likely_ms)
        return Estimate(low, fewer, high, text), reach

    def _bounded(self, time_ms: float) -> float:
        most = self.inference_ms if self.inference_ms is not None else self.total_ms
        return max(0.0, time_ms if most is None else min(time_ms, most))

    def stake_beyond(self, other_ms: float, other: str) -> Stake:
        """What an inference takes more than one of another run, which takes ``other_ms``."""
        if self.inference_ms is None:
            return Stake(None, "not known: no inference was timed as a whole")
        basis = f"an inference takes {duration(self.inference_ms)}, one of {other} {duration(other_ms)}"
        beyond, apart = self.inference_ms - other_ms, _ANEW * other_ms
        return Stake(
            self._bounded(beyond), f"{basis}; a new build may lie {duration(apart)} apart",
            self._bounded(beyond - apart), self._bounded(beyond + apart),
        )  # fmt: skip

    def stake_of_graph(self, graph_ms: float) -> Stake:
        """What an inference takes more than one of the same engine from a CUDA graph, which was timed as well."""
        if self.inference_ms is None:
            return Stake(None, "not known: no inference was timed as a whole")
        both = f"an inference takes {duration(self.inference_ms)} enqueued and {duration(graph_ms)} from a CUDA graph, both timed"
        return Stake(self._bounded(self.inference_ms - graph_ms), both)

    def stake_of_waiting(self) -> Stake | None:
        """What an inference gains from a CUDA graph, by what its kernels take alone; None without a trace."""
        if self.source != KERNEL_TRACE or self.busy_ms is None or self.inference_ms is None:
            return None
        low, likely, high = (
            self._bounded(self.inference_ms - (1 + gaps) * self.busy_ms)
            for gaps in (_MOST_GRAPH_GAPS, _GRAPH_GAPS, _LEAST_GRAPH_GAPS)
        )
        basis = (
            f"an inference takes {duration(self.inference_ms)}, its kernels {duration(self.busy_ms)}; gaps between the kernels of a CUDA graph "
            f"take {100 * _GRAPH_GAPS:.0f} % of their time as a rule, {100 * _MOST_GRAPH_GAPS:.0f} % at most, and kernels up to "
            f"{-100 * _LEAST_GRAPH_GAPS:.0f} % less where they are not traced"
        )
        return Stake(likely, basis, low, high)

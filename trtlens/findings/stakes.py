"""Time at stake: of one inference, and never more than an inference takes.

A profiler that times layer by layer stretches each layer, short ones most: layers of a few microseconds were seen to take
1.8 to 3.5 times as long as their kernels, layers beyond ten microseconds 1.3 times. So layers that together take longer
than an inference are counted in proportion: a part of their sum is the same part of the inference. Of short layers,
which the profiler stretches more than others, that is an upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass

from trtlens.quantities import duration

KERNEL_TRACE, LAYER_PROFILER, TUNER = "the kernel trace", "the layer profiler", "the tuner"
_MORE = {
    KERNEL_TRACE: "kernels that run in parallel are each counted",
    LAYER_PROFILER: "it makes layers look longer, short ones most: for short layers this is an upper bound",
    TUNER: "it timed each layer alone",
}
"""Why the layers add up to more than an inference, by source."""
NO_TIMES = "not known: the run has no time of these layers"


@dataclass(frozen=True, slots=True)
class Stake:
    """Milliseconds of one inference (None if not known), and what they are based on or why they are not known."""

    time_ms: float | None
    basis: str


@dataclass(frozen=True, slots=True)
class Clock:
    """The source of the layers' times and their sum, and the time of a whole inference."""

    source: str
    total_ms: float | None
    inference_ms: float | None

    @property
    def is_stretched(self) -> bool:
        """Whether the layers add up to more than an inference takes."""
        return self.total_ms is not None and self.inference_ms is not None and self.total_ms > self.inference_ms

    @property
    def whole(self) -> str:
        """The total that shares refer to, in words."""
        total = "unknown time" if self.total_ms is None else duration(self.total_ms)
        return f"all layers' {total} by {self.source}"

    def stake(self, spent_ms: float | None) -> Stake:
        """The part of an inference that layers of this clock's time take: all of it at most."""
        if spent_ms is None or self.total_ms is None:
            return Stake(None, NO_TIMES)
        spent_ms = min(spent_ms, self.total_ms)
        if self.inference_ms is None:
            return Stake(spent_ms, f"of {self.whole}; no inference was timed")
        if not self.is_stretched:
            return Stake(spent_ms, f"times of {self.source}; an inference takes {duration(self.inference_ms)}")
        share = spent_ms / self.total_ms
        part = (
            f"{100 * share:.1f} % of an inference of {duration(self.inference_ms)}, the same share as of {self.whole}"
        )
        return Stake(share * self.inference_ms, f"{part}; {_MORE[self.source]}")

    def stake_beyond(self, other_ms: float, other: str) -> Stake:
        """What an inference takes more than one of another run, which takes ``other_ms``."""
        if self.inference_ms is None:
            return Stake(None, "not known: no inference was timed as a whole")
        basis = f"an inference takes {duration(self.inference_ms)}, one of {other} {duration(other_ms)}"
        return Stake(max(self.inference_ms - other_ms, 0.0), basis)

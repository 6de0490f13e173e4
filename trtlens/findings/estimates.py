"""How much of an inference layers take, by each clock: a likely time with its interval, and how it was got.

- **Kernel trace**: what the kernels take, and the gaps before them: the trace's own where it has starts, else an even share of
  what an inference takes beyond its kernels.
- **Layer profiler**: it lengthens each layer by about as much, whatever the layer takes: on an H200 the layers of two engines
  of which both clocks are known take 3.0 to 3.3 µs longer than their kernels (standard deviation 0.4 µs; copies of constants 3.3
  and 1.1 µs). So what the layers add up to beyond an inference, evenly over the layers, is taken off each of them; the interval
  takes off a third more or less, and its upper end is at least the same share of an inference as of the layers' sum.
- **Tuner**: times of layers alone; of 93 layers of these engines nine tenths took 0.82 to 1.1 times as long in the trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.quantities import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNEVEN = 1 / 3
"""How far the time that a profiler adds to a kind of layers lies from that of all layers."""
_MOST_STRETCHED = 3.5
"""How many times as long as their kernels layers were profiled, at most, as a rule."""
_TUNER_LOW, _TUNER_HIGH = 0.8, 1.1


@dataclass(frozen=True, slots=True)
class Part:
    """What a layer takes by the clock of its engine, how much of it is in question, and the gaps before its kernels, if known."""

    time_ms: float
    share: float = 1.0
    gap_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """Milliseconds of an inference: likely, and the ends of the interval; ``method`` is a sentence without its full stop."""

    low_ms: float
    likely_ms: float
    high_ms: float
    method: str


def spent_ms(parts: Sequence[Part]) -> float:
    """The parts' time by their clock."""
    return sum(part.share * part.time_ms for part in parts)


def by_kernels(
    parts: Sequence[Part], gaps_ms: float | None, launches: int, untimed: int, *, longer: float = 1.0
) -> Estimate:
    """Kernels and the gaps before them.

    Args:
        parts: layers that launch kernels.
        gaps_ms: what an inference takes beyond all its kernels; None if not known.
        launches: launches of an inference, with those that are not timed.
        untimed: layers in question that the trace does not time, such as copies without a kernel.
        longer: how many times as long as an inference its traced kernels are, 1 at least.

    """
    spent = spent_ms(parts) / longer
    text = f"{duration(longer * spent)} by the kernel trace"
    if longer > 1:
        text += f", whose kernels are {longer:.2f} times as long as the inference: counted in proportion"
    if gaps_ms is None or not launches:
        return Estimate(spent, spent, spent, text)
    known = [part.share * part.gap_ms for part in parts if part.gap_ms is not None]
    if len(known) == len(parts) and not untimed:
        gap = min(sum(known), gaps_ms)
        before = f" and {duration(gap)} of gaps before these kernels" if gap else ""
        return Estimate(spent, spent + gap, spent + gap, text + before)
    gap = gaps_ms * min((len(parts) + untimed) / launches, 1.0)
    text = f"{text} and {duration(gap)} of the {duration(gaps_ms)} between all kernels, all of it at most"
    return Estimate(spent, spent + gap, spent + gaps_ms, text)


def by_profile(parts: Sequence[Part], total_ms: float, inference_ms: float | None, layers: int) -> Estimate:
    """The profiled time, less what the profiler adds."""
    spent = spent_ms(parts)
    of_all = f"{duration(spent)} of all layers' {duration(total_ms)} by the layer profiler"
    if inference_ms is None or total_ms <= inference_ms or not layers:
        text = f"{of_all}, which lengthens layers up to {_MOST_STRETCHED} times"
        return Estimate(spent / _MOST_STRETCHED, spent, spent, text)
    added = (total_ms - inference_ms) / layers
    share = inference_ms * spent / total_ms
    low, likely, high = (_less(parts, added * by) for by in (1 + _UNEVEN, 1.0, 1 - _UNEVEN))
    text = (
        f"{of_all}, less the {duration(added)} by which it lengthens a layer on average, a third more or less; at most their share of "
        f"the layers' time, {100 * spent / total_ms:.1f} %"
    )
    return Estimate(min(low, share), likely, max(high, share), text)


def _less(parts: Sequence[Part], added_ms: float) -> float:
    return sum(part.share * max(part.time_ms - added_ms, 0.0) for part in parts)


def by_tuner(parts: Sequence[Part], total_ms: float, inference_ms: float | None) -> Estimate:
    """The tuner's time, in proportion where all layers' times add up to more than an inference."""
    spent = spent_ms(parts)
    text = f"{duration(spent)} of all layers' {duration(total_ms)} by the tuner, which timed each layer alone"
    if inference_ms is None:
        return Estimate(_TUNER_LOW * spent, spent, _TUNER_HIGH * spent, text)
    likely = spent * min(1.0, inference_ms / total_ms)
    if likely < spent:
        text += f"; the same share of an inference, {100 * spent / total_ms:.1f} %"
    return Estimate(_TUNER_LOW * likely, likely, _TUNER_HIGH * likely, text)

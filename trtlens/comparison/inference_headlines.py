"""Sentences about whole inferences: how long they take in two runs, in what these are not alike, and what layers say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.comparison.figures import COMPUTE, split_difference
from trtlens.comparison.inference_latency import PROCESSES_SHARE, factor
from trtlens.comparison.same_work import batches
from trtlens.comparison.times import NO_DIFFERENCE, TUNER
from trtlens.engine.kernel_times import KERNELS
from trtlens.quantities import duration, signed_duration
from trtlens.statistics import CONFIDENCE_PERCENT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trtlens.comparison.comparison import Comparison
    from trtlens.comparison.inference_latency import Latencies
    from trtlens.comparison.times import Difference


_WORTH_SHARE = 0.02
"""Of the layers' difference: padding that changed by less is not told."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What timed the layers, and why its sums are no inference."""

    name: str
    why: str


_CLOCKS = {
    "measured": Clock("the layer profiler", "It stretches layers, short ones most, and not alike in two runs"),
    TUNER: Clock("the tuner", "It timed each tactic alone while the engine was built"),
}
_KERNELS = Clock(
    "the kernel trace",
    "Gaps between kernels are no part of any layer, and a traced kernel may take longer than an untraced one",
)


def clock_of(comparison: Comparison) -> Clock:
    """What timed the layers of all runs."""
    return _KERNELS if comparison.times[0].source == KERNELS else _CLOCKS[comparison.time_source or ""]


def tell_mismatches(comparison: Comparison, number: int) -> Iterable[str]:
    """In what the runs differ so that a time says less than it seems to."""
    for one in comparison.mismatches[number]:
        meaning = "so not the same work" if one.certain else "so whether it is the same work is not known"
        meaning = meaning if one.is_other_work else "and times tell of it as much as of the engine"
        told = f"{one}, {meaning}."
        yield told[0].upper() + told[1:]


def tell_inference(comparison: Comparison, number: int) -> Iterable[str]:
    """How long a whole inference takes, where both runs state it: that is what a user waits for."""
    found = comparison.inferences[number]
    if found is None:
        return
    name, base_name = comparison.names[number], comparison.names[comparison.baseline]
    times = [duration(found.run_ms), duration(found.base_ms)]
    if any(one.is_other_work for one in comparison.mismatches[number]):
        batch = batches(*(comparison.engines[place].run for place in (comparison.baseline, number)))
        rates = f": {found.rates(*batch)}" if batch is not None and found.run_ms and found.base_ms else ""
        counts = (
            [f" for {count} sample{'s' if count != 1 else ''}" for count in (batch[1], batch[0])] if batch else ["", ""]
        )
        yield f"One inference takes {name} {times[0]} on the GPU{counts[0]}, {base_name} {times[1]}{counts[1]}{rates}."
        return
    told = f"One inference takes {name} {times[0]} on the GPU, {base_name} {times[1]}"
    if found.difference is None:
        yield f"{told}; noise cannot be told without samples."
        return
    yield f"{told}: {verdict_text(comparison, found.difference, found.run_ms, found.base_ms)}.{_small(found)}"


def _small(found: Latencies) -> str:
    """Said of a difference that is more than the samples' noise, but no more than what lies between two processes."""
    seen = found.difference is not None and found.difference.verdict != NO_DIFFERENCE
    if not seen or found.holds_processes or abs(found.run_ms - found.base_ms) > PROCESSES_SHARE * found.base_ms:
        return ""
    return f" Two processes that time one engine can be {100 * PROCESSES_SHARE:.1f} % apart, so time both in several (trtlens profile --processes 5) before this counts."


def verdict_text(comparison: Comparison, difference: Difference, run_ms: float, base_ms: float) -> str:
    """How many times faster or slower, with the interval; or that no difference is seen."""
    ratio = "" if difference.verdict == NO_DIFFERENCE else factor(run_ms, base_ms)
    return f"{ratio}{difference.verdict} ({_interval(comparison, difference)})"


def _interval(comparison: Comparison, difference: Difference) -> str:
    if difference.low_ms is None or difference.high_ms is None:
        return signed_duration(difference.diff_ms) + (", from summaries" if comparison.judged_on == "summary" else "")
    ends = f"{signed_duration(difference.low_ms)} to {signed_duration(difference.high_ms)}"
    return f"{signed_duration(difference.diff_ms)}; with {CONFIDENCE_PERCENT} % confidence {ends}"


def tell_accounting(comparison: Comparison, number: int) -> Iterable[str]:
    """That the layers do not account for the inferences' difference, before anything is said of layers."""
    found, layers = comparison.inferences[number], comparison.totals[number].difference
    if comparison.adds_up[number] is not False or found is None or layers is None:
        return
    clock = clock_of(comparison)
    why = _waits(comparison, number) or _differ(comparison, number, clock, found, layers)
    yield (
        f"The layers do not account for this: {why}. Where in an inference the difference lies is not known; all that follows about "
        f"layers is of {clock.name}'s sums alone."
    )


def _waits(comparison: Comparison, number: int) -> str | None:
    """That an inference holds waits for the host, which no layer has."""
    waiting = comparison.waiting(number)
    if not waiting:
        return None
    told = []
    for place in waiting:
        enqueue_ms, inference_ms = comparison.timings[place].enqueue_ms, comparison.timings[place].inference_ms
        known = enqueue_ms is not None and inference_ms is not None
        spent = f" (enqueueing takes {duration(enqueue_ms or 0.0)} of {duration(inference_ms or 0.0)})" if known else ""
        told.append(f"{comparison.names[place]}{spent}")
    return f"the GPU waited for the host in {' and in '.join(told)}, and no layer has the wait, which differs from process to process"


def _differ(comparison: Comparison, number: int, clock: Clock, found: Latencies, layers: Difference) -> str:
    """That the layers' difference is another one than the inferences', and how far the sums are from inferences."""
    sums = [comparison.totals[place].figures.time_ms or 0.0 for place in (number, comparison.baseline)]
    ratios = [f"{total / whole:.2f}" for total, whole in zip(sums, (found.run_ms, found.base_ms), strict=True) if whole]
    differ = f"they differ by {signed_duration(layers.diff_ms)}, the inferences by {signed_duration(found.run_ms - found.base_ms)}"
    return f"by {clock.name} {differ}, which is more than noise. {clock.why}: its sums are {' and '.join(ratios)} times an inference"


def tell_padding(comparison: Comparison, number: int) -> Iterable[str]:
    """Kernels beside those of the layers that engines with biases at run time launch; only traces tell them apart."""
    places, difference = (comparison.baseline, number), comparison.totals[number].difference
    if difference is None:
        return
    base_ms, run_ms = (comparison.totals[place].figures.padding_ms or 0.0 for place in places)
    if abs(run_ms - base_ms) <= _WORTH_SHARE * abs(difference.diff_ms):
        return
    computing = sum(part.difference.diff_ms for part in split_difference(comparison, number) if part.kind == COMPUTE)
    yield (
        f"{signed_duration(run_ms - base_ms)} of computing is kernels that pad biases ({duration(base_ms) if base_ms else 'none'} before, "
        f"{duration(run_ms) if run_ms else 'none'} now), and {signed_duration(computing - run_ms + base_ms)} the rest: a bias that reaches its layer "
        "at run time, through a copied constant, is padded for INT8 at every inference."
    )

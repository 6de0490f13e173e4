"""The answer of the first screen: which run is the fastest and by how much, or why that cannot be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.comparison.headlines import tell
from trtlens.comparison.inference_latency import compare_latency, factor
from trtlens.comparison.same_work import batches
from trtlens.comparison.times import NO_DIFFERENCE
from trtlens.engine.inference_samples import samples_of
from trtlens.engine.inference_timing import read_timing
from trtlens.engine.times import profiled_layers
from trtlens.limits.split import last_split
from trtlens.limits.verdict import verdict
from trtlens.quantities import duration, interval, number, signed_duration
from trtlens.statistics import CONFIDENCE_PERCENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trtlens.comparison.same_work import Mismatch
    from trtlens.report.payload import Compared
    from trtlens.report.subject import Subject

_MOST_CHANGES = 2
_MOST_NAMES = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """One sentence for the whole page; ``basis`` is what it rests on: the interval, or what else is known."""

    text: str
    basis: str = ""
    is_timed: bool = True


@dataclass(frozen=True, slots=True)
class Timed:
    """A run whose inferences were timed; ``unlike`` is in what its work differs from the first run's."""

    subject: Subject
    inference_ms: float
    unlike: Sequence[Mismatch]

    @property
    def is_other_work(self) -> bool:
        """Whether its time is that of something else than the first run's."""
        return any(one.is_other_work for one in self.unlike)

    @property
    def waits(self) -> bool:
        """Whether its time holds what the GPU waited for the host."""
        return self.subject.build is not None and bool(read_timing(self.subject.run, self.subject.build).waits)

    @property
    def spread(self) -> str:
        """The interval of its median; empty without samples."""
        found = samples_of(self.subject.run)
        return "" if found is None or found.told.median_low_ms is None else found.told.interval


def answer(subjects: Sequence[Subject], compared: Compared) -> Answer | None:
    """The fastest run that does the first one's work; None where no run has an engine."""
    timed = [
        Timed(subject, time_ms, compared.mismatches(subjects, place) if place else ())
        for place, subject in enumerate(subjects)
        if (time_ms := _inference_ms(subject)) is not None
    ]
    if not timed:
        return _untimed(subjects, compared) if any(subject.run["layers"].num_rows for subject in subjects) else None
    if len(timed) == 1:
        return _single(timed[0], subjects)
    same = sorted((one for one in timed if not one.is_other_work), key=lambda one: one.inference_ms)
    return _fastest(same) if len(same) > 1 else _other_work(timed)


def _inference_ms(subject: Subject) -> float | None:
    return None if subject.build is None else read_timing(subject.run, subject.build).inference_ms


def _untimed(subjects: Sequence[Subject], compared: Compared) -> Answer:
    """That no time is known, and what is: what changed between the engines, or the sum of the layers."""
    unknown = "Which run is the fastest" if len(subjects) > 1 else "How long an inference takes"
    basis = _changes(compared) or _sums(subjects)
    return Answer(f"{unknown} is not known: no inference was timed", basis, is_timed=False)


def _sums(subjects: Sequence[Subject]) -> str:
    sums = [(one, profiled_layers(one.run)["time_ms"].dropna()) for one in subjects]
    told = ", ".join(f"{subject.name} {duration(times.sum())}" for subject, times in sums if len(times))
    return f"The layers, each timed on its own with some overhead, together take: {told}." if told else ""


def _changes(compared: Compared) -> str:
    if compared.comparison is None:
        return ""
    first = tell(compared.comparison)[0]
    return " ".join([f"{first.title}:", *first.sentences[:_MOST_CHANGES]]) if first.sentences else ""


def _single(timed: Timed, subjects: Sequence[Subject]) -> Answer:
    name = f"{timed.subject.name}: " if len(subjects) > 1 else ""
    told = ["No other run was timed."] if len(subjects) > 1 else []
    told += [f"Its median: {timed.spread}." if timed.spread else "No samples, so no interval."]
    split = last_split(timed.subject.run)
    if split is not None and not isinstance(split.roofs, str):
        told += [f"{verdict(split).partition('; ')[0]}."]
    return Answer(f"{name}{duration(timed.inference_ms)} an inference", " ".join([*told, *_waits([timed])]))


def _waits(timed: Sequence[Timed]) -> list[str]:
    """Said of times that hold what the GPU waited for the host."""
    waiting = [one.subject.name for one in timed if one.waits]
    where = " and ".join(waiting) if len(waiting) <= _MOST_NAMES else f"{len(waiting)} runs"
    told = f"The GPU waited for the host in {where}, and the time holds the wait."
    return [told] if waiting else []


def _fastest(ordered: Sequence[Timed]) -> Answer:
    """The fastest run against the next one, or that no difference is seen between them."""
    best, second = ordered[0], ordered[1]
    found = compare_latency(best.subject.run, second.subject.run)
    times = [f"{one.subject.name} {duration(one.inference_ms)}" for one in ordered]
    more = f" and {len(times) - _MOST_NAMES} more take longer" if len(times) > _MOST_NAMES else ""
    basis = [f"An inference takes {', '.join(times[:_MOST_NAMES])}{more}.", *_waits(ordered)]
    if found is None or found.difference is None:
        return Answer(
            " and ".join(times[:2]),
            " ".join(["Whether that is more than noise cannot be told without samples.", *basis]),
        )
    if found.difference.verdict == NO_DIFFERENCE:
        what = "two fastest runs" if len(ordered) > 2 else "runs"
        ends = _ends(
            f"{signed_duration(found.difference.diff_ms)} an inference",
            found.difference.low_ms,
            found.difference.high_ms,
        )
        return Answer(f"No difference is seen between the {what}", " ".join([ends, *basis]))
    faster = f"{factor(found.run_ms, found.base_ms)}faster than {second.subject.name}"
    gain = found.difference
    ends = _ends(f"{duration(-gain.diff_ms)} less an inference", *_negative(gain.high_ms, gain.low_ms))
    return Answer(
        f"{best.subject.name} is the fastest: {duration(best.inference_ms)}, {faster}", " ".join([ends, *basis])
    )


def _negative(*values: float | None) -> list[float | None]:
    return [None if one is None else -one for one in values]


def _ends(told: str, low_ms: float | None, high_ms: float | None) -> str:
    if low_ms is None or high_ms is None:
        return f"{told}."
    return f"{told}: {interval(low_ms, high_ms)} with {CONFIDENCE_PERCENT} % confidence."


# -- runs of other work ------------------------------------------------------------------------------------------------


def _other_work(timed: Sequence[Timed]) -> Answer:
    """Samples a second where only the batch differs; else times, which are not compared."""
    first = timed[0]
    known = [batches(first.subject.run, one.subject.run) for one in timed[1:]]
    sizes = [one for one in known if one is not None]
    if len(sizes) == len(known):
        return _most_samples(
            dict(zip((one.subject.name for one in timed), [sizes[0][0], *(b for _, b in sizes)], strict=True)), timed
        )
    times = ", ".join(f"{one.subject.name} {duration(one.inference_ms)}" for one in timed[:_MOST_NAMES])
    others = [f"{one.subject.name}: {', '.join(map(str, one.unlike))}" for one in timed if one.is_other_work]
    differ = "; ".join(others[:_MOST_NAMES])
    return Answer("Not the same work, so times are not compared", f"An inference takes {times}. {differ}.")


def _most_samples(batch: Mapping[str, int], timed: Sequence[Timed]) -> Answer:
    rates = {one.subject.name: 1000 * batch[one.subject.name] / one.inference_ms for one in timed}
    ordered = sorted(timed, key=lambda one: -rates[one.subject.name])
    best, second = ordered[0].subject.name, ordered[1].subject.name
    told = ", ".join(
        f"{one.subject.name} {number(rates[one.subject.name])}{_rate_ends(one, batch)}" for one in ordered[:_MOST_NAMES]
    )
    return Answer(
        f"{best} computes most samples a second: {number(rates[best])}, {rates[best] / rates[second]:.3g}x as many as {second}",
        f"Samples a second of GPU time, with {CONFIDENCE_PERCENT} % confidence: {told}.",
    )


def _rate_ends(timed: Timed, batch: Mapping[str, int]) -> str:
    found = samples_of(timed.subject.run)
    if found is None or not found.told.median_low_ms or not found.told.median_high_ms:
        return ""
    ends = (1000 * batch[timed.subject.name] / one for one in (found.told.median_high_ms, found.told.median_low_ms))
    return f" ({' to '.join(map(number, ends))})"

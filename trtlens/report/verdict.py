"""What the report says first: which run is the fastest and by how much, what to do about it, and what endangers the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.comparison.inference_latency import compare_latency, factor
from trtlens.comparison.same_work import batches
from trtlens.comparison.times import NO_DIFFERENCE
from trtlens.engine.inference_timing import read_timing
from trtlens.findings.finding import SEVERITIES
from trtlens.quantities import duration, number, signed_duration
from trtlens.report.markup import text
from trtlens.statistics import CONFIDENCE_PERCENT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trtlens.comparison.same_work import Mismatch
    from trtlens.report.finding_list import FindingGroup
    from trtlens.report.subject import Subject

_MOST_ACTIONS = 3
_SPEED, _ACCURACY = "Speed", "Accuracy"
"""Sections of findings."""
_NO_TIME = "No inference was timed: trtlens profile times an engine, and files of trtexec's --exportTimes are read beside a log"


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


def verdict(
    subjects: Sequence[Subject], groups: Sequence[FindingGroup], unlike: Callable[[int], Sequence[Mismatch]]
) -> str:
    """The answer in a sentence, at most three things to do in the order of what they gain, and what puts accuracy at risk.

    ``unlike`` gives in what the run at a place differs from the first.
    """
    failed = [group for group in groups if group.rule.leads]
    told = "".join(
        f'<p class="answer">{text(one)}</p>' for one in (*_failures(failed, subjects), _answer(subjects, unlike)) if one
    )
    actions = [group for group in groups if _gains(group)][:_MOST_ACTIONS]
    risks = [group for group in groups if group.rule.section == _ACCURACY]
    return f'<div class="verdict">{told}{_actions(actions, subjects)}{_risks(risks)}</div>'


def _failures(groups: Sequence[FindingGroup], subjects: Sequence[Subject]) -> list[str]:
    return [f"{subjects[entry.place].name}: {entry.row['title']}." for group in groups for entry in group.entries]


# -- how long an inference takes -------------------------------------------------------------------------------------


def _answer(subjects: Sequence[Subject], unlike: Callable[[int], Sequence[Mismatch]]) -> str:
    """The fastest run that does the first one's work; empty where no run has an engine."""
    timed = [
        Timed(subject, time_ms, unlike(place) if place else ())
        for place, subject in enumerate(subjects)
        if (time_ms := _inference_ms(subject)) is not None
    ]
    if not timed:
        return f"{_NO_TIME}." if any(subject.run["layers"].num_rows for subject in subjects) else ""
    same = [one for one in timed if not one.is_other_work]
    if len(timed) == 1:
        return f"{_of_run(timed[0], subjects)}{duration(timed[0].inference_ms)} an inference."
    if len(same) < 2:
        return _rates(timed)
    return _fastest(sorted(same, key=lambda one: one.inference_ms))


def _inference_ms(subject: Subject) -> float | None:
    return None if subject.build is None else read_timing(subject.run, subject.build).inference_ms


def _of_run(timed: Timed, subjects: Sequence[Subject]) -> str:
    return f"{timed.subject.name}: " if len(subjects) > 1 else ""


def _fastest(ordered: Sequence[Timed]) -> str:
    """The fastest run against the next one, or that no difference is seen between them."""
    best, second = ordered[0], ordered[1]
    found = compare_latency(best.subject.run, second.subject.run)
    times = f"{best.subject.name} takes {duration(best.inference_ms)}, {second.subject.name} {duration(second.inference_ms)}"
    if found is None or found.difference is None:
        return f"{times}; whether that is more than noise cannot be told without samples."
    difference = found.difference
    ends = (
        ""
        if difference.low_ms is None or difference.high_ms is None
        else f"; {signed_duration(difference.low_ms)} to {signed_duration(difference.high_ms)} with {CONFIDENCE_PERCENT} % confidence"
    )
    if difference.verdict == NO_DIFFERENCE:
        return f"No run is seen to be the fastest: {times} an inference ({signed_duration(difference.diff_ms)}{ends})."
    faster = f"{factor(found.run_ms, found.base_ms)}faster than {second.subject.name}"
    return (
        f"{best.subject.name} is the fastest: {duration(best.inference_ms)} an inference, {faster} "
        f"({signed_duration(difference.diff_ms)}{ends})."
    )


def _rates(timed: Sequence[Timed]) -> str:
    """Runs of other work: samples a second where only the batch differs; else their times, which are not compared."""
    first = timed[0]
    known = [(one, batches(first.subject.run, one.subject.run)) for one in timed[1:]]
    if all(batch is not None for _, batch in known):
        rates = {first.subject.name: (known[0][1] or (0, 0))[0] / first.inference_ms}
        rates |= {one.subject.name: (batch or (0, 0))[1] / one.inference_ms for one, batch in known}
        best = max(rates, key=lambda name: rates[name])
        others = ", ".join(f"{name} {number(1000 * rate)}" for name, rate in rates.items() if name != best)
        return f"{best} computes most samples a second: {number(1000 * rates[best])} ({others})."
    times = ", ".join(f"{one.subject.name} {duration(one.inference_ms)}" for one in timed)
    return f"The runs are not the same work, so their times are not compared: {times} an inference."


# -- what to do --------------------------------------------------------------------------------------------------------


def _gains(group: FindingGroup) -> bool:
    """Whether something is to be done that gains time: how much is known, or it is severe."""
    row = group.first.row
    known = row["at_stake_ms"] is not None or row["at_stake_high_ms"] is not None
    return bool(row["next_check"]) and group.rule.section == _SPEED and (known or row["severity"] == SEVERITIES[0])


def _actions(groups: Sequence[FindingGroup], subjects: Sequence[Subject]) -> str:
    rows = "".join(
        f'<li><a href="#{text(group.anchor)}">{text(group.first.row["title"])}</a> <b>{text(group.first.cost)}</b>'
        f"{_where(group, subjects)}<br><span class='next'>{text(group.first.row['next_check'])}</span></li>"
        for group in groups
    )
    return f"<h3>Do first, by what it gains</h3><ol>{rows}</ol>" if rows else ""


def _where(group: FindingGroup, subjects: Sequence[Subject]) -> str:
    """Of which run the gain is, where there are several."""
    if len(subjects) < 2:
        return ""
    name = subjects[group.first.place].name
    more = f" and {len(group.entries) - 1} more" if len(group.entries) > 1 else ""
    return f' <span class="muted">in {text(name)}{more}</span>'


def _risks(groups: Sequence[FindingGroup]) -> str:
    links = ", ".join(f'<a href="#{text(group.anchor)}">{text(group.first.row["title"])}</a>' for group in groups)
    return f"<p class='risk'>Accuracy is at risk: {links}.</p>" if links else ""

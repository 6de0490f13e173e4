"""What the report says first: which run is the fastest and by how much, what to do about it, and what endangers the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.findings.finding import SEVERITIES
from trtlens.output import shorten
from trtlens.report.inference_answer import Answer, answer
from trtlens.report.markup import text
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.report.finding_list import FindingGroup
    from trtlens.report.payload import Compared
    from trtlens.report.subject import Subject

_MOST_ACTIONS = 3
_SPEED, _ACCURACY = "Speed", "Accuracy"
"""Sections of findings."""
_ONE_STEP = {"int8-without-fp16": "int8-slower-than-fp16"}
"""Findings that ask for the same thing as another one."""
_NOT_KNOWN = "gain not known"
_LONGEST_REASON = 240


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do: what shows that it is needed, with the place of the evidence on the page; its gain; the next step."""

    title: str
    anchor: str
    gain: str
    where: str
    step: str


_TIME_IT = Action(
    "Time the engines", "latency", "", "",
    "trtlens profile MODEL --out RUN times what it builds; files of trtexec's --exportTimes are read beside a log",
)  # fmt: skip


def verdict(subjects: Sequence[Subject], groups: Sequence[FindingGroup], compared: Compared) -> str:
    """The answer in a sentence, at most three things to do in the order of what they gain, and what puts accuracy at risk."""
    found = answer(subjects, compared)
    answers = [*_failures(groups, subjects), *([found] if found else [])]
    told = "".join(_told(one) for one in answers)
    actions = _actions(groups, subjects, is_timed=found is None or found.is_timed)
    return f'<div class="verdict">{told}{_list(actions)}{_risks(groups, subjects)}</div>'


def _told(one: Answer) -> str:
    basis = f'<p class="basis">{text(one.basis)}</p>' if one.basis else ""
    return f'<p class="answer">{text(one.text)}</p>{basis}'


def _failures(groups: Sequence[FindingGroup], subjects: Sequence[Subject]) -> list[Answer]:
    entries = [entry for group in groups if group.rule.leads for entry in group.entries]
    told = [(subjects[entry.place].name, *entry.row["title"].partition(": ")) for entry in entries]
    return [
        Answer(f"{name}: {state}", shorten(f"{why}.", _LONGEST_REASON) if why else "") for name, state, _, why in told
    ]


# -- what to do --------------------------------------------------------------------------------------------------------


def _actions(groups: Sequence[FindingGroup], subjects: Sequence[Subject], *, is_timed: bool) -> list[Action]:
    """A failed build first, then what gains most, then what gains an unknown time, the most severe first."""
    codes = {group.rule.code for group in groups}
    useful = [one for one in groups if one.first.row["next_check"] and _ONE_STEP.get(one.rule.code) not in codes]
    failed = [one for one in useful if one.rule.leads]
    speed = [one for one in useful if one.rule.section == _SPEED]
    ordered = sorted(
        speed, key=lambda one: (not _gains(one), 0 if _gains(one) else SEVERITIES.index(one.first.row["severity"]))
    )
    first = [_action(one, subjects) for one in failed] + ([] if is_timed else [_TIME_IT])
    return [*first, *(_action(one, subjects) for one in ordered)][:_MOST_ACTIONS]


def _gains(group: FindingGroup) -> bool:
    """Whether it is known what the group's first finding gains."""
    row = group.first.row
    return row["at_stake_ms"] is not None or row["at_stake_high_ms"] is not None


def _action(group: FindingGroup, subjects: Sequence[Subject]) -> Action:
    row, is_failure = group.first.row, group.rule.leads
    title = (
        f"{subjects[group.first.place].name} has no engine"
        if is_failure
        else row["title"][0].upper() + row["title"][1:]
    )
    gain = group.first.cost or ("" if is_failure else _NOT_KNOWN)
    return Action(title, group.anchor, gain, _where(group, subjects), row["next_check"])


def _where(group: FindingGroup, subjects: Sequence[Subject]) -> str:
    """Of which run the gain is, where there are several."""
    if len(subjects) < 2 or group.rule.leads:
        return ""
    more = f" and {len(group.entries) - 1} more" if len(group.entries) > 1 else ""
    return f"in {subjects[group.first.place].name}{more}"


def _list(actions: Sequence[Action]) -> str:
    rows = "".join(
        f'<li><a href="#{text(one.anchor)}">{text(one.title)}</a> <b>{text(one.gain)}</b> <span class="muted">{text(one.where)}</span>'
        f"<br><span class='next'>{text(one.step)}</span></li>"
        for one in actions
    )
    by = ", by predicted gain" if any(one.gain not in {"", _NOT_KNOWN} for one in actions) else ""
    return f"<h3>Do first{by}</h3><ol>{rows}</ol>" if rows else ""


# -- what endangers the result -----------------------------------------------------------------------------------------


def _risks(groups: Sequence[FindingGroup], subjects: Sequence[Subject]) -> str:
    """What the findings say, and what comparing tensors with a reference gave."""
    told = [
        f'<a href="#{text(group.anchor)}">{text(group.first.row["title"])}</a> {text(_where(group, subjects))}'.rstrip()
        for group in groups if group.rule.section == _ACCURACY
    ]  # fmt: skip
    compared = [(subject, subject.view("accuracy")) for subject in subjects]
    told += [
        f'<a href="#accuracy">{text(f"{subject.name}: " if len(subjects) > 1 else "")}{text(one)}</a>'
        for subject, table in compared for one in VIEWS["accuracy"].answers(table)
    ]  # fmt: skip
    missing = "" if any(table.num_rows for _, table in compared) else " No tensors were compared with a reference."
    return f"<p class='risk'><b>Accuracy</b>: {'; '.join(told) + '.' if told else 'no finding.'}{missing}</p>"

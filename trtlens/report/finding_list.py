"""The findings of all runs as plain HTML without scripts: one entry a finding, with a value and the evidence of each run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.findings import find_across
from trtlens.findings.finding import SEVERITIES, findings_table
from trtlens.findings.rules import FINDINGS
from trtlens.findings.stakes import stake_text
from trtlens.quantities import seconds
from trtlens.report.markup import text
from trtlens.tuning.wording import counted
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trtlens.findings.finding import Rule
    from trtlens.report.subject import Subject

_MOST_BUTTONS = 8
_MOST_VALUES = 4
"""Entries of a finding whose values stand beside its title."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One finding of one run: the place of the run, and the row of the view `findings`."""

    place: int
    row: dict[str, Any]

    @property
    def cost(self) -> str:
        """What is at stake, in words; empty where nothing is known."""
        row = self.row
        stake = stake_text(row["at_stake_low_ms"], row["at_stake_ms"], row["at_stake_high_ms"])
        build_s = row["at_stake_s"]
        return f"{seconds(build_s)} of build" if build_s is not None and not stake else stake

    @property
    def order(self) -> tuple[float, float, int, float, int]:
        """What costs an inference most comes first."""
        row = self.row
        return (
            -(row["at_stake_ms"] or 0.0),
            -(row["at_stake_high_ms"] or 0.0),
            SEVERITIES.index(row["severity"]),
            -(row["at_stake_s"] or 0.0),
            self.place,
        )


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """What one rule found in all runs, the most costly entry first."""

    rule: Rule[Any]
    entries: tuple[Entry, ...]

    @property
    def anchor(self) -> str:
        """Id of its element on the page."""
        return f"finding-{self.rule.code}"

    @property
    def first(self) -> Entry:
        """The most costly entry."""
        return self.entries[0]


def group_findings(subjects: Sequence[Subject]) -> list[FindingGroup]:
    """The findings of all runs and of each pair of them by rule: builds without an engine first, then the most costly."""
    entries = [Entry(place, row) for place, one in enumerate(subjects) for row in one.view("findings").to_pylist()]
    for place, found in find_across([(subject.name, subject.run) for subject in subjects]):
        entries += [Entry(place, row) for row in findings_table([found]).to_pylist()]
    rules = {rule.code: rule for rule in FINDINGS.values()}
    entries.sort(key=lambda one: (not rules[one.row["code"]].leads, *one.order, one.row["code"]))
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.row["code"], []).append(entry)
    return [FindingGroup(rules[code], tuple(own)) for code, own in groups.items()]


def findings(groups: Sequence[FindingGroup], subjects: Sequence[Subject]) -> str:
    """All groups; said where there is none."""
    if not groups:
        empty = VIEWS["findings"].empty
        return f'<p class="missing">{text(empty[0].upper() + empty[1:])}.</p>'
    return "".join(_group(group, subjects) for group in groups)


def _group(group: FindingGroup, subjects: Sequence[Subject]) -> str:
    severities = [entry.row["severity"] for entry in group.entries]
    severity = min(severities, key=SEVERITIES.index)
    values = "".join(
        f'<span class="value">{_of(entry, subjects)}<span class="cost">{text(entry.cost)}</span></span>'
        for entry in group.entries[:_MOST_VALUES]
    )
    left = len(group.entries) - _MOST_VALUES
    values += f'<span class="value of">and {counted(left, "more run", "more runs")}</span>' if left > 0 else ""
    head = (
        f'<span class="badge {text(severity)}">{text(severity)}</span><h3 class="what">{text(group.first.row["title"])}</h3>'
        f'<span class="values">{values}</span>'
    )
    bodies = "".join(_entry(entry, subjects, is_only=len(group.entries) == 1) for entry in group.entries)
    return f'<details class="finding" id="{text(group.anchor)}"><summary>{head}</summary><div>{bodies}</div></details>'


def _of(entry: Entry, subjects: Sequence[Subject]) -> str:
    return f'<span class="of">{text(subjects[entry.place].name)}</span>' if len(subjects) > 1 else ""


def _entry(entry: Entry, subjects: Sequence[Subject], *, is_only: bool) -> str:
    """What was found in one run: text, evidence, stake, layers, what to do."""
    row, basis = entry.row, entry.row["at_stake_from"]
    head = "" if is_only else f"<h4 class='who'>{text(subjects[entry.place].name)}: {text(row['title'])}</h4>"
    evidence = "".join(f"<li>{text(one)}</li>" for one in row["evidence"] or ())
    confidence = f' <span class="muted">Confidence: {text(row["confidence"])}.</span>' if row["confidence"] else ""
    return (
        f"{head}<p>{text(row['text'])}{confidence}</p>" + (f"<h4>Evidence</h4><ul>{evidence}</ul>" if evidence else "")
        + (f"<h4>At stake</h4><p>{text(basis)}.</p>" if basis else "")
        + _layers(entry.place, row["layers"] or (), subjects[entry.place])
        + (f"<h4>Next</h4><p>{text(row['next_check'])}</p>" if row["next_check"] else "")
    )  # fmt: skip


def _layers(place: int, names: Iterable[str], subject: Subject) -> str:
    """Buttons that select the layers of a finding."""
    known: dict[str, int] = {}
    for row in subject.run["layers"].select(["name", "index"]).to_pylist():
        known.setdefault(row["name"], row["index"])
    found = [(name, known[name]) for name in names if name in known]
    buttons = "".join(
        f'<button type="button" class="pick" data-pick="{place}:{index}">{text(name)}</button>'
        for name, index in found[:_MOST_BUTTONS]
    )
    more = f'<span class="muted">and {len(found) - _MOST_BUTTONS} more</span>' if len(found) > _MOST_BUTTONS else ""
    return f'<h4>Layers</h4><p class="picks">{buttons}{more}</p>' if buttons else ""

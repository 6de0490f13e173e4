"""The findings of all runs as plain HTML without scripts, each with its evidence."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from trtlens.findings import find_across
from trtlens.findings.finding import SEVERITIES, findings_table
from trtlens.findings.rules import FINDINGS
from trtlens.findings.stakes import stake_text
from trtlens.quantities import seconds
from trtlens.report.markup import text
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trtlens.report.subject import Subject

_MOST_BUTTONS = 8


def findings(subjects: Sequence[Subject]) -> str:
    """The findings of all runs and of each pair of them, most costly first, each with its evidence."""
    rows = [(place, row) for place, subject in enumerate(subjects) for row in subject.view("findings").to_pylist()]
    for place, found in find_across([(subject.name, subject.run) for subject in subjects]):
        rows += [(place, row) for row in findings_table([found]).to_pylist()]
    if not rows:
        empty = VIEWS["findings"].empty
        return f'<p class="missing">{text(empty[0].upper() + empty[1:])}.</p>'
    leading = {rule.code for rule in FINDINGS.values() if rule.leads}
    rows.sort(key=lambda one: (one[1]["code"] not in leading, *_costs(one[1]), one[0], one[1]["code"]))
    seen: Counter[str] = Counter()
    shown = []
    for place, row in rows:
        anchor = f"finding-{place}-{row['code']}"
        seen[anchor] += 1
        shown.append(_finding(anchor if seen[anchor] == 1 else f"{anchor}-{seen[anchor]}", place, row, subjects))
    return "".join(shown)


def _costs(row: dict[str, Any]) -> tuple[float, float, int, float]:
    return (
        -(row["at_stake_ms"] or 0.0),
        -(row["at_stake_high_ms"] or 0.0),
        SEVERITIES.index(row["severity"]),
        -(row["at_stake_s"] or 0.0),
    )


def _finding(anchor: str, place: int, row: dict[str, Any], subjects: Sequence[Subject]) -> str:
    stake = stake_text(row["at_stake_low_ms"], row["at_stake_ms"], row["at_stake_high_ms"])
    build_s = row["at_stake_s"]
    cost = f"{seconds(build_s)} of build" if build_s is not None and not stake else stake
    basis = row["at_stake_from"]
    run = f'<span class="of">{text(subjects[place].name)}</span>' if len(subjects) > 1 else ""
    head = (
        f'<span class="badge {text(row["severity"])}">{text(row["severity"])}</span><span class="what">{text(row["title"])}</span>'
        f'{run}<span class="cost">{text(cost)}</span>'
    )
    evidence = "".join(f"<li>{text(one)}</li>" for one in row["evidence"] or ())
    confidence = f' <span class="muted">Confidence: {text(row["confidence"])}.</span>' if row["confidence"] else ""
    body = (
        f"<p>{text(row['text'])}{confidence}</p>" + (f"<h4>Evidence</h4><ul>{evidence}</ul>" if evidence else "")
        + (f"<h4>At stake</h4><p>{text(basis)}.</p>" if basis else "") + _layers(place, row["layers"] or (), subjects[place])
        + (f"<h4>Next</h4><p>{text(row['next_check'])}</p>" if row["next_check"] else "")
    )  # fmt: skip
    return f'<details class="finding" id="{text(anchor)}"><summary>{head}</summary><div>{body}</div></details>'


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

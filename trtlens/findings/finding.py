"""One finding, and the table of findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.tables.schema import declare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from trtlens.findings.rule import Rule
    from trtlens.findings.stakes import Stake

SEVERITIES = ("high", "medium", "low")
SHOWN = 3
"""Layers, tactics or messages that a finding names as evidence."""
COLUMNS = declare(
    "view findings", "one thing that costs time, or puts the result at risk, in one build", "build code",
    """
    build | int | | number of the build
    code | text | | what was found, see docs/findings.md
    severity | text | | high, medium or low
    title | text | | what was found, in one line
    at_stake_ms | float | ms | time of one inference that is at stake, never more than an inference takes; null where it is not known
    at_stake_from | text | | what that time is based on, or why it is not known; null for findings that are not about time
    at_stake_s | float | s | build time that is at stake; null for findings about the engine
    text | text | | what was found, with its numbers
    evidence | texts | | the evidence, one text each, with the line of the log if it comes from one
    lines | ints | | the lines of the log in the evidence
    layers | texts | | engine layers that it is about, the most costly first
    confidence | text | | high: the log or the profile states it; medium: it follows from the tuner's times; low: it may have another cause
    next_check | text | | what to do or to look at next
    """,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of evidence: a sentence, and the line of the log that it comes from."""

    text: str
    line: int | None = None

    def __str__(self) -> str:
        return self.text if self.line is None else f"line {self.line}: {self.text}"


def message_evidence(row: Mapping[str, Any]) -> Evidence:
    """The first line of a message of the table ``messages``."""
    return Evidence(row["text"].split("\n", 1)[0], row["line"])


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found in one build."""

    severity: str
    title: str
    text: str
    evidence: tuple[Evidence, ...]
    confidence: str
    next_check: str
    stake: Stake | None = None
    at_stake_s: float | None = None
    layers: tuple[str, ...] = ()

    @property
    def at_stake_ms(self) -> float | None:
        """Time of one inference that is at stake, None where it is not known."""
        return None if self.stake is None else self.stake.time_ms

    def lines(self) -> list[int]:
        """Lines of the log that the evidence names."""
        return list(dict.fromkeys(row.line for row in self.evidence if row.line is not None))


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found in the build of that number."""

    build: int
    rule: Rule[Any]
    finding: Finding


def findings_table(found: Sequence[Found]) -> pa.Table:
    """The findings of all builds, a build that failed first, then severe ones, then by the time at stake."""
    ordered = sorted(found, key=_place)
    rows = [one.finding for one in ordered]
    return COLUMNS.table({
        "build": [one.build for one in ordered], "code": [one.rule.code for one in ordered],
        "severity": [f.severity for f in rows], "title": [f.title for f in rows],
        "at_stake_ms": [f.at_stake_ms for f in rows],
        "at_stake_from": [f.stake.basis if f.stake is not None else None for f in rows],
        "at_stake_s": [f.at_stake_s for f in rows], "text": [f.text for f in rows],
        "evidence": [[str(row) for row in f.evidence] for f in rows], "lines": [f.lines() for f in rows],
        "layers": [list(f.layers) for f in rows], "confidence": [f.confidence for f in rows],
        "next_check": [f.next_check for f in rows],
    })  # fmt: skip


def _place(found: Found) -> tuple[Any, ...]:
    severity, stake_ms = SEVERITIES.index(found.finding.severity), found.finding.at_stake_ms or 0.0
    return found.build, not found.rule.leads, severity, -stake_ms, found.rule.code

"""One finding; what its module declares, from which docs/findings.md is made; and the table of findings."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from trtlens.quantities import duration
from trtlens.tables.schema import declare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from trtlens.engine.reformat_causes import Reformat
    from trtlens.findings.engine import Engine  # noqa: F401  the type of what a rule about one build takes
    from trtlens.findings.pairs import Pair
    from trtlens.findings.stakes import Stake

_NO_ENGINE = "No engine"
SECTIONS = (_NO_ENGINE, "Speed", "Accuracy", "The build")
"""Sections of docs/findings.md in their order."""
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
    at_stake_ms | float | ms | time that one inference is likely to gain, never more than it takes; null where no record says it
    at_stake_low_ms | float | ms | the least that it gains; null where nothing is known
    at_stake_high_ms | float | ms | the most; null where nothing is known, and where more comes on top that has no time: then the others are "at least"
    at_stake_from | text | | how these times were got, or why they are not known; null for findings that are not about time
    at_stake_s | float | s | build time that is at stake; null for findings about the engine
    text | text | | what was found, with its numbers
    evidence | texts | | the evidence, one text each, with the line of the log if it comes from one
    lines | ints | | the lines of the log in the evidence
    layers | texts | | engine layers that it is about, the most costly first
    confidence | text | | high: the log or the profile states it; medium: it follows from the tuner's times; low: it may have another cause
    next_check | text | | what to do or to look at next
    """,
)  # fmt: skip
_Subject = TypeVar("_Subject")


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


def reformat_evidence(reformat: Reformat) -> Evidence:
    """A reformat with its cause, its cost and its line."""
    cost = f": {duration(reformat.cost_ms)} ({reformat.cost_source})" if reformat.cost_ms is not None else ""
    return Evidence(f"{reformat.node.name}: {reformat.detail}{cost}", reformat.node.row["line"])


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
        """Time that one inference is likely to gain, None where it is not known."""
        return None if self.stake is None else self.stake.time_ms

    def lines(self) -> list[int]:
        """Lines of the log that the evidence names."""
        return list(dict.fromkeys(row.line for row in self.evidence if row.line is not None))


@dataclass(frozen=True, slots=True)
class Rule(Generic[_Subject]):
    """What every finding's module declares as ``FINDING``; texts are Markdown, for docs/findings.md.

    Attributes:
        find: its function: takes what the finding is about, gives the finding or None.
        section: section of the page, of `SECTIONS`.
        place: place in that section, from 1.
        title: what was found, in a few words.
        meaning: when it is found, and when not.
        stake: which time is at stake, or why none is.
        next_check: what to do about it.
        needs: what it reads; a run without that never has the finding.
    """

    find: Callable[[_Subject], Finding | None]
    _: KW_ONLY
    section: str
    place: int
    title: str
    meaning: str
    stake: str
    next_check: str
    needs: str

    @property
    def code(self) -> str:
        """Code of the finding: the name of its module, with hyphens."""
        return self.find.__module__.rpartition(".")[2].replace("_", "-")

    @property
    def leads(self) -> bool:
        """Whether the finding comes before all others of its build: without an engine the others say little."""
        return self.section == _NO_ENGINE


@dataclass(frozen=True, slots=True)
class BuildRule(Rule["Engine"]):
    """A finding about one build.

    Attributes:
        add_second_run: takes the finding, and its build beside that of a second run of the same model; gives the finding
            with what the second run adds, which ``second_run`` describes.
    """

    _: KW_ONLY
    add_second_run: Callable[[Finding, Pair], Finding] | None = None
    second_run: str = ""

    def find_beside(self, pair: Pair) -> Finding | None:
        """The finding about the first build of a pair, with what the second adds."""
        found = self.find(pair.engine)
        return found if found is None or self.add_second_run is None else self.add_second_run(found, pair)


class PairRule(Rule["Pair"]):
    """A finding about one build beside a build of a second run of the same model."""


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
        "at_stake_low_ms": [f.stake.low_ms if f.stake is not None else None for f in rows],
        "at_stake_high_ms": [f.stake.high_ms if f.stake is not None else None for f in rows],
        "at_stake_from": [f.stake.basis if f.stake is not None else None for f in rows],
        "at_stake_s": [f.at_stake_s for f in rows], "text": [f.text for f in rows],
        "evidence": [[str(row) for row in f.evidence] for f in rows], "lines": [f.lines() for f in rows],
        "layers": [list(f.layers) for f in rows], "confidence": [f.confidence for f in rows],
        "next_check": [f.next_check for f in rows],
    })  # fmt: skip


def _place(found: Found) -> tuple[Any, ...]:
    severity, stake = SEVERITIES.index(found.finding.severity), found.finding.stake
    most = (0.0, 0.0) if stake is None else (stake.time_ms or 0.0, stake.high_ms or 0.0)
    return found.build, not found.rule.leads, severity, -most[0], -most[1], found.rule.code

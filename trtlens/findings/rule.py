"""The declaration of a finding, from which docs/findings.md is made."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from trtlens.findings.engine import Engine  # noqa: F401  the type of what a rule about one build takes
    from trtlens.findings.finding import Finding
    from trtlens.findings.pairs import Pair

_NO_ENGINE = "No engine"
SECTIONS = (_NO_ENGINE, "Speed", "Accuracy", "The build")
"""Sections of docs/findings.md in their order."""
_Subject = TypeVar("_Subject")


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
            with what the second run tells, of which ``second_run`` is the description.
    """

    _: KW_ONLY
    add_second_run: Callable[[Finding, Pair], Finding] | None = None
    second_run: str = ""

    def find_beside(self, pair: Pair) -> Finding | None:
        """The finding about the first build of a pair, with what the second tells."""
        found = self.find(pair.engine)
        return found if found is None or self.add_second_run is None else self.add_second_run(found, pair)


class PairRule(Rule["Pair"]):
    """A finding about one build beside a build of a second run of the same model."""

"""Which of some candidates have to be changed so that a fault goes away: a search in few builds, whatever a build is.

All candidates are changed first. If that cures, the shortest part of their order that still does is found by halving; its last
candidate is needed, and is tried alone. Where it does not cure alone, the same is done from the other end of what is left, so that
candidates that stand together are found as a stretch. What is told to cure was itself built, and cured; that no smaller choice
would is known of one candidate alone, since none at all is what erred.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, log2
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

CURED, ERRS, UNKNOWN = "cured", "errs", "unknown"

Chosen = tuple[str, ...]
_FEWEST = 2
"""Builds to try another choice with: one for itself, one for what is known to cure."""


class Judge(Protocol):
    """Builds with these candidates changed, and says `CURED`, `ERRS` or `UNKNOWN`."""

    def __call__(self, chosen: Chosen, /, *, bare: bool) -> str:
        """``bare`` builds hand nothing out but what was chosen, others the ends of the region, too."""
        ...


@dataclass(frozen=True, slots=True)
class Cure:
    """A choice that cured, in the candidates' order; `bare` where nothing else was handed out, `is_smallest` where less is known not to cure."""

    chosen: Chosen
    bare: bool

    @property
    def is_smallest(self) -> bool:
        """Whether less is known not to cure."""
        return len(self.chosen) == 1


def usual_builds(candidates: int) -> int:
    """Builds that suffice where one candidate alone cures: all of them, the halvings, and the confirmation."""
    return ceil(log2(candidates)) + 2 if candidates else 0


def find_cure(
    candidates: Sequence[str], judge: Judge, builds: int, *, bare: bool = True, guess: Chosen = ()
) -> Cure | None:
    """A choice that cures, or None where all candidates together do not, or their builds do not agree.

    ``bare`` says whether builds that hand nothing else out can be judged; the confirmation is such a build then. A ``guess``
    is built first, and nothing else if it cures.
    """
    if not candidates or builds < 1:
        return None
    search = _Search(tuple(candidates), judge, builds, bare=bare)
    if guess and search.outcome(guess, bare=bare) == CURED:
        return Cure(guess, bare=bare)
    return search.run() if search.left and search.outcome(search.candidates) == CURED else None


@dataclass(slots=True)
class _Search:
    """`left` builds may still be made; `cured` are the choices that cured with the region's ends handed out.

    It is `contradicted` where a choice cured in one build and did not in the next.
    """

    candidates: Chosen
    judge: Judge
    left: int
    bare: bool
    cured: set[Chosen] = field(default_factory=set)
    contradicted: bool = False

    def run(self) -> Cure | None:
        """Narrow down what is known to cure until a choice is confirmed or the builds are spent."""
        needed: Chosen = ()
        rest, backwards = self.candidates, False
        while True:
            rest, is_exact = self._narrowed(needed, rest, backwards=backwards)
            known = self._ordered(needed + rest)
            last = rest[:1] if backwards else rest[-1:]
            chosen = self._ordered(needed + last) if is_exact else known
            cure = self._confirmed(chosen)
            if cure is not None or self.contradicted:
                return cure
            if self.left < _FEWEST:
                return self._confirmed(known) or (None if self.contradicted else Cure(known, bare=False))
            needed, rest, backwards = chosen, rest[1:] if backwards else rest[:-1], not backwards

    def outcome(self, chosen: Chosen, *, bare: bool = False) -> str:
        """Spend a build."""
        self.left -= 1
        found = self.judge(chosen, bare=bare)
        if found == CURED and not bare:
            self.cured.add(chosen)
        return found

    def _narrowed(self, needed: Chosen, rest: Chosen, *, backwards: bool) -> tuple[Chosen, bool]:
        """The shortest part of the rest that cures beside what is needed, if the builds suffice; one is kept for the confirmation."""
        low, high = 0, len(rest)
        while high - low > 1 and self.left > 1:
            middle = (low + high) // 2
            part = rest[-middle:] if backwards else rest[:middle]
            if self.outcome(self._ordered(needed + part)) == CURED:
                high = middle
            else:
                low = middle
        return rest[-high:] if backwards else rest[:high], high - low == 1

    def _confirmed(self, chosen: Chosen) -> Cure | None:
        """A choice that cured in a build for that alone, or with the region's ends handed out at least; None where it does not cure."""
        was_cured = chosen in self.cured
        if self.bare and self.left and self.outcome(chosen, bare=True) == CURED:
            return Cure(chosen, bare=True)
        if self.bare and was_cured:
            return Cure(chosen, bare=False)
        if self.left < (_FEWEST if self.bare else 1):
            return None
        if self.outcome(chosen) == CURED:
            return Cure(chosen, bare=False)
        self.contradicted = was_cured
        return None

    def _ordered(self, chosen: Chosen) -> Chosen:
        return tuple(name for name in self.candidates if name in chosen)

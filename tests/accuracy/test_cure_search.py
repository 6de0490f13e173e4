"""The search of a cure: it needs few builds, and tells nothing to cure that did not."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, log2
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtlens.accuracy.cure_search import CURED, ERRS, UNKNOWN, Cure, find_cure, usual_builds

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Builds:
    """Builds by a rule of what cures, and a record of them; ``bare`` builds may have another rule."""

    rule: Callable[[frozenset[str]], str]
    bare_rule: Callable[[frozenset[str]], str] | None = None
    made: list[tuple[tuple[str, ...], bool, str]] = field(default_factory=list)

    def __call__(self, chosen: tuple[str, ...], /, *, bare: bool) -> str:
        """Judge and remember."""
        rule = self.bare_rule if bare and self.bare_rule is not None else self.rule
        self.made.append((chosen, bare, rule(frozenset(chosen))))
        return self.made[-1][2]


def names(count: int) -> list[str]:
    return [f"t{place}" for place in range(count)]


def needs_any(*groups: set[str]) -> Callable[[frozenset[str]], str]:
    """Cured where one of these groups is chosen as a whole."""
    return lambda chosen: CURED if any(group <= chosen for group in groups) else ERRS


@given(count=st.integers(1, 70), data=st.data(), bare=st.booleans())
def test_one_that_cures_alone_is_found_in_few_builds(count: int, data: st.DataObject, *, bare: bool) -> None:
    """Whichever candidates cure alone, one of them is found in at most ceil(log2) + 2 builds, and known to be the smallest."""
    good = data.draw(st.sets(st.sampled_from(names(count)), min_size=1))
    builds = Builds(needs_any(*({name} for name in good)))
    cure = find_cure(names(count), builds, usual_builds(count), bare=bare)
    assert cure is not None
    assert len(cure.chosen) == 1
    assert cure.chosen[0] in good
    assert cure.bare is bare
    assert cure.is_smallest
    assert len(builds.made) <= ceil(log2(count)) + 2


@given(count=st.integers(1, 24), data=st.data(), bare=st.booleans(), spent=st.integers(0, 60))
def test_what_cures_was_built(count: int, data: st.DataObject, *, bare: bool, spent: int) -> None:
    """With any rule, monotone or not, some builds refused: a cure is a choice whose last build of that kind cured, within the builds."""
    seed = data.draw(st.randoms(use_true_random=False))
    outcomes: dict[tuple[frozenset[str], bool], str] = {}

    def rule(kind: bool) -> Callable[[frozenset[str]], str]:
        return lambda chosen: outcomes.setdefault((chosen, kind), seed.choice((CURED, CURED, ERRS, UNKNOWN)))

    builds = Builds(rule(False), rule(True))  # noqa: FBT003
    cure = find_cure(names(count), builds, spent, bare=bare)
    assert len(builds.made) <= spent
    if cure is not None:
        kind = [outcome for chosen, is_bare, outcome in builds.made if (chosen, is_bare) == (cure.chosen, cure.bare)]
        assert kind
        assert kind[-1] == CURED


@given(count=st.integers(2, 40), data=st.data())
def test_a_stretch_is_found_in_two_halvings(count: int, data: st.DataObject) -> None:
    """Neighbours that must all be chosen: with builds for both ends nothing beside the stretch is chosen, and it is not told to be the smallest."""
    first = data.draw(st.integers(0, count - 2))
    last = data.draw(st.integers(first + 1, count - 1))
    builds = Builds(needs_any(set(names(count)[first : last + 1])))
    most = 2 * ceil(log2(count)) + 5
    cure = find_cure(names(count), builds, most)
    assert cure is not None
    assert cure.chosen == tuple(names(count)[first : last + 1])
    assert not cure.is_smallest


@given(count=st.integers(1, 30), data=st.data())
def test_with_builds_enough_nothing_superfluous_is_chosen(count: int, data: st.DataObject) -> None:
    """Of one group that must be chosen as a whole, wherever its members stand, exactly that group is found."""
    group = data.draw(st.sets(st.sampled_from(names(count)), min_size=1))
    cure = find_cure(names(count), Builds(needs_any(group)), 1000)
    assert cure is not None
    assert set(cure.chosen) == group


@pytest.mark.parametrize("outcome", [ERRS, UNKNOWN])
def test_nothing_is_tried_where_all_together_do_not_cure(outcome: str) -> None:
    """One build tells; without a candidate or a build none is made."""
    builds = Builds(lambda _: outcome)
    assert find_cure(names(9), builds, 6) is None
    assert len(builds.made) == 1
    assert find_cure([], builds, 6) is None
    assert find_cure(names(3), builds, 0) is None
    assert len(builds.made) == 1


def test_the_ends_of_the_region_count_where_they_are_needed() -> None:
    """What cures with the ends handed out alone is told as that."""
    builds = Builds(needs_any({"t2"}), lambda _: ERRS)
    assert find_cure(names(4), builds, 10) == Cure(("t2",), bare=False)


def test_builds_that_contradict_each_other_cure_nothing() -> None:
    """A choice that cured once and errs when it is built again is no cure."""
    answers = iter([CURED, ERRS])
    assert find_cure(names(1), Builds(lambda _: next(answers)), 5, bare=False) is None


def test_what_is_known_is_kept_when_the_builds_are_spent() -> None:
    """Two that are far apart, with builds for one: the part that cured, and no claim that it is the smallest."""
    builds = Builds(needs_any({"t1", "t6"}))
    cure = find_cure(names(8), builds, usual_builds(8))
    assert cure is not None
    assert {"t1", "t6"} <= set(cure.chosen) < set(names(8))
    assert not cure.is_smallest

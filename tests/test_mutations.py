"""The mutation runs know the modules that there are."""

from __future__ import annotations

import pytest

from benchmarks.mutate import SCOPE, equivalent, files_of
from benchmarks.mutation.mutants import mutants_of
from benchmarks.mutation.operators import ROOT


@pytest.mark.parametrize("package", SCOPE)
def test_every_pattern_names_files(package: str) -> None:
    """A module that moved, or was joined to another, would drop out of the sample without a word."""
    assert files_of(package)


def test_changes_without_effect_are_changes() -> None:
    """Each change that is listed as equivalent is still one that is made, and has its reason."""
    reasons = equivalent()
    made = {m.change for file in {change.split(" | ")[0] for change in reasons} for m in mutants_of(ROOT / file)}
    assert reasons.keys() <= made
    assert all(reasons.values())

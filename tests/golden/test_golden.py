"""What trtlens says of the fixtures is what the files under ``fixtures/expected`` say; and each thing it can say is among them.

``pytest tests/golden --update-golden`` writes the files anew and prints what changed: read it before it is committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import GOLDEN_CHANGES
from tests.golden.products import EXPECTED, NAMES, compare, left_over, update

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_as_expected(
    name: str, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    """Every product of a run, or of a comparison, is its golden file, and no golden file is left over."""
    if request.config.getoption("--update-golden"):
        for difference in update(name):
            record_property(GOLDEN_CHANGES, f"{name}/{difference}")
        return
    found = compare(name)
    assert not found, "\n\n".join([f"{name}: if this is meant, pytest tests/golden --update-golden", *found])


def test_no_golden_file_is_left_over(request: pytest.FixtureRequest) -> None:
    """Each golden file belongs to a run or a comparison that is there; no name of one is the folder of another."""
    if request.config.getoption("--update-golden"):
        for file in left_over():
            (EXPECTED.parent / file).unlink()
    assert left_over() == []
    assert not [(name, other) for name in NAMES for other in NAMES if other.startswith(f"{name}/")]

"""What trtlens says of the fixtures is what the files under ``fixtures/expected`` say; and each thing it can say is among them.

``pytest tests/golden --update-golden`` writes the files anew and prints what changed: read it before it is committed.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from tests.conftest import FIXTURES, GOLDEN_CHANGES
from tests.golden.products import EXPECTED, NAMES, compare, expected, left_over, update
from trtlens.charts import CHARTS
from trtlens.comparison.quantities import QUANTITIES
from trtlens.findings.rules import FINDINGS
from trtlens.tables.declarations import TABLES
from trtlens.views import VIEWS

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


# -- everything that can be said is said somewhere -----------------------------------------------------------------


_UPDATE = (
    "run pytest tests/golden --update-golden; if that changes nothing, no run of the fixtures has it: add one that does"
)


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """Every golden file."""
    return {f"{name}/{file}": text for name in NAMES for file, text in expected(name).items()}


def _named(files: dict[str, str], folder: str) -> set[str]:
    """Names of files in any run's folder of that name; of a comparison's chart without the number of the run."""
    paths = [PurePosixPath(path) for path in files]
    return {re.sub(r"-\d+$", "", path.stem) for path in paths if path.parent.name == folder}


def test_every_view_has_rows(files: dict[str, str]) -> None:
    """A new view fails until a golden file holds rows of it."""
    assert _named(files, "views") == set(VIEWS), _UPDATE


def test_every_chart_is_drawn(files: dict[str, str]) -> None:
    """A new chart, of a run or of a comparison, fails until a golden file holds what it draws."""
    drawn = {path: text for path, text in files.items() if "[trace 0]" in text}
    assert _named(drawn, "charts") == set(CHARTS), _UPDATE


def test_every_finding_occurs(files: dict[str, str]) -> None:
    """A new rule fails until a run or a comparison gives its finding."""
    said = "\n".join(text for path, text in files.items() if path.endswith(("/findings.txt", "/against.txt")))
    occur = set(re.findall(r"^(?:high|medium|low)  ([\w-]+)  ", said, re.MULTILINE))
    assert occur == {rule.code for rule in FINDINGS.values()}, _UPDATE


def test_every_table_has_rows(files: dict[str, str]) -> None:
    """A new table fails until a run fills it."""
    said = "\n".join(text for path, text in files.items() if path.endswith("/tables.txt"))
    assert set(re.findall(r"^\[(\w+)\]$", said, re.MULTILINE)) == set(TABLES), _UPDATE


def test_every_quantity_is_judged(files: dict[str, str]) -> None:
    """A new quantity of the gate fails until a comparison knows it in both runs."""
    said = "\n".join(text for path, text in files.items() if path.endswith("/markdown.md")).replace("\\", "")
    judged = rf"^- (?:passed|breach|within noise): .+: ({'|'.join(QUANTITIES)}) is .* against "
    assert set(re.findall(judged, said, re.MULTILINE)) == set(QUANTITIES), _UPDATE


def test_golden_files_are_small_and_of_no_place(files: dict[str, str]) -> None:
    """All of them take 6 MB at most, and no path of a machine is in them."""
    assert sum(len(text.encode()) for text in files.values()) < 6_000_000
    assert [path for path, text in files.items() if str(FIXTURES.parent) in text] == []

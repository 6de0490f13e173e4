"""What the tables say of a log is what plain counting over its lines says, in the fixtures and in public logs."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.conftest import FIXTURES
from tests.independent import counting, profiles
from tests.independent.agreement import disagreements
from trtlens.errors import TrtlensError
from trtlens.runs.run import open_run

LOGS = sorted({*FIXTURES.rglob("*.log"), *FIXTURES.rglob("verbose.log.xz")})
SHARES = 8


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.relative_to(FIXTURES).as_posix())
def test_tables_of_a_fixture_agree_with_plain_counting(path: Path) -> None:
    """Layers by type, tactics by outcome, fastest and chosen ones, reformats, memory, seconds and sizes of a log."""
    assert disagreements(counting.lines_of(path), open_run(path)) == []


@pytest.mark.parametrize("share", range(SHARES))
def test_tables_of_public_logs_agree_with_plain_counting(share: int, corpus: list[Path]) -> None:
    """Likewise for every public log that holds TensorRT output."""
    found = {}
    for path in corpus[share::SHARES]:
        try:
            run = open_run(path)
        except TrtlensError:  # no line of TensorRT
            continue
        found[path.name] = disagreements(counting.lines_of(path), run)
    assert {name: texts for name, texts in found.items() if texts} == {}


@pytest.mark.parametrize("module", [counting, profiles])
def test_counting_shares_no_code(module: object) -> None:
    """What counts imports the standard library alone."""
    tree = ast.parse(Path(str(getattr(module, "__file__", ""))).read_text("utf-8"))
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names

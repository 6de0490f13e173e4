"""What the tables say of a log is what plain counting over its lines says, in the fixtures and in public logs."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import FIXTURES
from tests.independent import counting, profiles, trtexec_counting
from tests.independent.agreement import disagreements, facts, read
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Iterable

LOGS = sorted({*FIXTURES.rglob("*.log"), *FIXTURES.rglob("verbose.log.xz")})
SHARES = 8


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.relative_to(FIXTURES).as_posix())
def test_tables_of_a_fixture_agree_with_plain_counting(path: Path) -> None:
    """Layers, tactics by outcome, fastest and chosen ones, reformats, memory, seconds, sizes, what trtexec prints."""
    assert disagreements(read(path)) == []


def test_every_fact_is_counted_somewhere() -> None:
    """A form of lines that no log of the fixtures has would be counted as none, and would agree with no row."""
    logs = [facts(read(path)) for path in FIXTURES.glob("releases/*.log")]
    counted = {fact for log in logs for fact, (counted, _) in log.items() if any(_numbers(counted))}
    assert {fact for log in logs for fact in log} - counted == set()


def _numbers(counted: object) -> Iterable[object]:
    return counted if isinstance(counted, tuple) else counted.values() if isinstance(counted, dict) else [counted]


@pytest.mark.parametrize("share", range(SHARES))
def test_tables_of_public_logs_agree_with_plain_counting(share: int, corpus: list[Path]) -> None:
    """Likewise for every public log; and under 1 % of all lines, under 5 % of any log with tactics, are not understood."""
    found, unread, total = {}, 0, 0
    for path in corpus[share::SHARES]:
        try:
            reading = read(path)
        except TrtlensError:
            found[path.name] = [line for line in counting.lines_of(path) if counting.tells_of_tensorrt(line)]
            continue
        lines = reading.log.reading
        unread, total = unread + lines.counts["unread"], total + lines.lines
        found[path.name] = disagreements(reading)
        if any(build.blocks for build in reading.log.builds) and lines.counts["unread"] > 0.05 * lines.lines:
            found[path.name].append(f"not understood: {lines.unread[:5]}")
    assert {name: texts for name, texts in found.items() if texts} == {}
    assert unread < 0.01 * total


@pytest.mark.parametrize("module", [counting, profiles, trtexec_counting])
def test_counting_shares_no_code(module: object) -> None:
    """What counts imports the standard library alone."""
    tree = ast.parse(Path(str(getattr(module, "__file__", ""))).read_text("utf-8"))
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names

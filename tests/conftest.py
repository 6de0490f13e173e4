"""What tests share: the fixtures' folders, and the public logs where the environment names them."""

from __future__ import annotations

import gc
import importlib.util
import lzma
import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
import typer.main
import typer.testing
from hypothesis import HealthCheck, settings

from trtlens.__main__ import _YOUNG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trtlens.runs.run import Run


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that writes golden files anew."""
    parser.addoption(
        "--update-golden", action="store_true", help="write fixtures/expected anew, and print what changed"
    )


def pytest_configure() -> None:
    """What holds for the process: lines as in a pipe, the collector of garbage as in the program, its commands made once.

    pytest-xdist tells its workers the width of the terminal. Making the commands from their signatures takes longer than most answers.
    No property depends on how long an example takes: on a busy machine that says nothing.
    """
    settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("any machine")
    os.environ.pop("COLUMNS", None)
    # Tests start many processes; where nothing keeps what was compiled, each compiles the whole package for half a second.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    gc.set_threshold(_YOUNG)
    made_once = cache(typer.main.get_command)
    for place in ("typer.main.get_command", "typer.testing._get_command"):
        patch(place, made_once).start()


@pytest.hookimpl(trylast=True)  # when those are gone that are not run, else the middle is another
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests that read many runs first, and those of the browser in the middle, where the second of two workers begins.

    A worker takes neighbours: it reads a run and makes its views once, and starts one browser for all of its tests.
    """
    items.sort(key=lambda item: not item.nodeid.startswith(MANY_RUNS))
    driving: list[pytest.Item] = []
    rest: list[pytest.Item] = []
    for item in items:
        (driving if "chromium" in getattr(item, "fixturenames", ()) else rest).append(item)
    middle = len(items) // 2
    items[:] = [*rest[:middle], *driving, *rest[middle:]]


def pytest_collection_finish() -> None:
    """Modules and tests stay to the end: the collector of garbage need not look through them again and again."""
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what golden files were written anew."""
    for report in terminalreporter.stats.get("passed", ()):
        for text in (text for name, text in report.user_properties if name == GOLDEN_CHANGES):
            terminalreporter.write_line(text)


MANY_RUNS = (
    "tests/golden/", "tests/test_every_command.py", "tests/independent/test_profiles.py", "tests/report/test_report_command.py",
    "tests/report/test_report_page.py", "tests/report/test_ch", "tests/test_findings", "tests/test_captured", "tests/test_compare",
    "tests/test_ad", "tests/test_answers", "tests/test_choices", "tests/test_documentation", "tests/test_reformats", "tests/test_runs",
    "tests/test_same_work", "tests/test_schemas", "tests/test_stakes", "tests/test_t", "tests/test_unstable_choice",
)  # fmt: skip
"""Where tests stand that read runs of the fixtures by `opened`."""
GOLDEN_CHANGES = "golden changes"
"""The property by which a test says what it wrote anew."""
FIXTURES = Path(__file__).parents[1] / "fixtures"
CAPTURES = FIXTURES / "resnet50-h200"
PRECISIONS = ("fp32", "fp16", "int8")


def read_xz(path: Path) -> bytes:
    """The decompressed content of a fixture."""
    return lzma.decompress(path.read_bytes())


def capture_files(precision: str) -> list[Path]:
    """Everything that was kept of one of the three ResNet-50 captures: log, inspector's JSON and layer times."""
    return [CAPTURES / precision / name for name in ("verbose.log.xz", "layers.json.xz", "layer-times.json.xz")]


def captured(precision: str) -> Run:
    """One of the three ResNet-50 captures, read once."""
    from tests.golden.inputs import opened

    return opened(f"resnet50-h200/{precision}")


@cache
def captured_log(precision: str) -> Run:
    """The log of one of the three ResNet-50 captures without the JSON files, read once."""
    from trtlens.runs.run import open_run

    return open_run(CAPTURES / precision / "verbose.log.xz")


def docs_program(name: str) -> Any:
    """A program of the folder docs as a module."""
    spec = importlib.util.spec_from_file_location(name, FIXTURES.parent / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def corpus_files() -> list[Path]:
    """Public logs that the environment variable TRTLENS_CORPUS names; none where it is not set."""
    folder = os.environ.get("TRTLENS_CORPUS")
    return sorted(Path(folder).glob("*.log.xz")) if folder else []


@pytest.fixture(scope="module")
def fixtures_read_once() -> Iterator[None]:
    """In a module that uses it, commands take runs of the fixtures that were read before instead of reading them again."""
    from tests.golden.inputs import read_once

    with read_once():
        yield


@pytest.fixture(params=PRECISIONS)
def capture(request: pytest.FixtureRequest) -> Path:
    """The folder of one of the three ResNet-50 captures."""
    return CAPTURES / str(request.param)


@pytest.fixture(scope="session")
def corpus() -> list[Path]:
    """The public logs; the test is skipped where the environment does not name them."""
    files = corpus_files()
    if not files:
        pytest.skip("set TRTLENS_CORPUS to a folder of *.log.xz to run over public logs")
    return files

"""Fleets that tests share."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from tests.fleet.logs import trtexec_log
from trtlens.fleet.batches import Added, Adding
from trtlens.fleet.filling import Workers, fill
from trtlens.fleet.fleet import Fleet, open_fleet
from trtlens.fleet.sources import find_sources
from trtlens.fleet.store import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSIONS = {number: "10.3.0" if number < 10 else "10.9.0" for number in range(20)}


def added_to(fleet: Path, *paths: Path | str, adding: Adding | None = None) -> Added:
    """Add paths to a fleet in this process."""
    return fill(
        Place(str(fleet)),
        find_sources([str(path) for path in paths]),
        adding or Adding(),
        Workers(processes=1),
        lambda _: None,
    )


@pytest.fixture(scope="session", autouse=True)
def one_database() -> Iterator[None]:
    """Connections to one instance of DuckDB: starting one takes longer than most questions; temporary views stay apart."""
    import duckdb

    with patch("duckdb.connect", duckdb.connect(config={"threads": 1}).cursor):
        yield


@pytest.fixture(scope="session")
def series(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Twenty runs of one model on two machines, the last ten by a newer TensorRT, slower by 10 %, with another tactic."""
    folder = tmp_path_factory.mktemp("series")
    logs = folder / "logs"
    logs.mkdir()
    for number, version in VERSIONS.items():
        late = number >= 10
        text = trtexec_log(
            number, latency_ms=round((1.1 if late else 1.0) + 0.001 * (number % 3), 6), version=version, uuid=f"GPU-{number % 2}",
            tactic=1 + (number == 5), tuner_ms=0.012 if number % 2 else 0.01,
        )  # fmt: skip
        (logs / f"{number:02}.log").write_text(text)
    (logs / "broken.log").write_text("nothing to see\n")
    added_to(folder / "fleet", logs)
    return open_fleet(folder / "fleet")


@pytest.fixture
def asked_once(series: Fleet) -> Iterator[None]:
    """Commands open the series as it is, and a question that it was asked before has its answer."""
    with (
        patch(
            "trtlens.fleet.fleet.open_fleet",
            lambda path: series if Path(path).resolve() == Path(series.place.root).resolve() else open_fleet(path),
        ),
        patch.object(Fleet, "ask", _ask),
    ):
        yield


_ask = cache(Fleet.ask)


@pytest.fixture(scope="session")
def one_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet of one run, ``0.log`` of ``logs`` beside it."""
    folder = tmp_path_factory.mktemp("one")
    (folder / "logs").mkdir()
    (folder / "logs" / "0.log").write_text(trtexec_log(0))
    added_to(folder / "fleet", folder / "logs")
    return folder


@pytest.fixture
def begun(one_run: Path, tmp_path: Path) -> Path:
    """A copy of that fleet to write to."""
    return shutil.copytree(one_run / "fleet", tmp_path / "fleet")

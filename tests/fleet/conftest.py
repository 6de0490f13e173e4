"""Fleets that tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fleet.logs import trtexec_log
from trtlens.fleet.batches import Added, Adding
from trtlens.fleet.filling import Workers, fill
from trtlens.fleet.fleet import Fleet, open_fleet
from trtlens.fleet.sources import find_sources
from trtlens.fleet.store import Place

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.fixture(scope="module")
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

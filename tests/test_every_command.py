"""Every command over every fixture, and over public logs: an answer, or exit code 2 with one line; never a traceback.

The usual run takes turns: every second fixture is shown in each view, the others become reports, which read all views and
charts; of large ones, which golden files hold, every second is compared, the others are explained and exported. Of the
public logs it takes the smallest, which are the oddest: excerpts, cut, of old releases. ``TRTLENS_SMOKE=all`` runs everything.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

import pytest

from tests.golden.commands import Said, say
from tests.golden.inputs import FILES, read_once
from trtlens.runs.run import open_run
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_open_again = lru_cache(4)(open_run)
_EVERYTHING = os.environ.get("TRTLENS_SMOKE") == "all"
_LARGE_BYTES = 20_000
_PUBLIC, _REPORTED = 16, 4
_SHARES = 4
_OF_SMALL = ({"show"}, {"report"})
_OF_LARGE = ({"show", "report", "compare"}, {"show", "report", "why", "export"})
"""Commands that fixtures at even and at odd places leave out."""


def _wrong_endings(run: str, other: str, folder: Path, left_out: Collection[str]) -> list[str]:
    """Commands that end in another way than they should, with what they wrote on stderr."""
    files = run.split(",")
    shown: list[list[object]] = [["show", view, *files] for view in VIEWS]
    commands: list[list[object]] = [
        ["parse", *files],
        *shown,
        ["findings", *files],
        ["why", "*", *files],
        ["compare", run, run],
        ["compare", run, other],
        ["report", run, "-o", folder / "report.html"],
        ["export", run, "-o", folder / "trace.json"],
    ]
    with read_once(_open_again):
        said = [(words, say(*words)) for words in commands if _EVERYTHING or words[0] not in left_out]
    return [f"{words}: exit code {one.code}: {one.err[-500:]}" for words, one in said if not _ends_well(one)]


def _ends_well(said: Said) -> bool:
    return said.code == 0 or (said.code == 2 and not said.out and said.err.count("\n") == 1)


@pytest.mark.parametrize("place", range(len(FILES)), ids=list(FILES))
def test_every_command_ends_well_on_every_fixture(place: int, tmp_path: Path) -> None:
    """Each with itself and with the one before it."""
    names = list(FILES)
    run, other = (",".join(map(str, FILES[name])) for name in (names[place], names[place - 1]))
    first = FILES[names[place]][0]
    log = first / "verbose.log.xz" if first.is_dir() else first
    is_large = log.exists() and log.stat().st_size > _LARGE_BYTES
    left_out = (_OF_LARGE if is_large else _OF_SMALL)[place % 2]
    assert _wrong_endings(run, other, tmp_path, left_out) == []


@pytest.mark.parametrize("share", range(_SHARES))
def test_every_command_ends_well_on_public_logs(share: int, corpus: list[Path], tmp_path: Path) -> None:
    """Each with itself and with the next larger one."""
    logs = sorted(corpus, key=lambda path: (path.stat().st_size, path.name))
    logs = logs if _EVERYTHING else logs[:_PUBLIC]
    found = []
    for place in range(share, len(logs), _SHARES):
        run, other = str(logs[place]), str(logs[place - 1])
        found += _wrong_endings(run, other, tmp_path, _OF_SMALL[place >= _REPORTED])
    assert found == []

"""Names of files that are no text: every answer is given, with the odd bytes as escapes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from trtlens import open_run
from trtlens.accuracy.readers import open_dump
from trtlens.runs.arguments import read_argument, run_names
from trtlens.runs.sources import path_text
from trtlens.tables.arrays import array

FIXTURES = Path(__file__).parents[1] / "fixtures"

pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take no such name")


def odd_copy(source: Path, folder: Path) -> Path:
    """A copy whose name holds a byte that is no UTF-8."""
    target = folder / os.fsdecode(b"a\xff" + os.fsencode(source.suffix))
    target.write_bytes(source.read_bytes())
    return target


def test_a_log_is_read_and_named(tmp_path: Path) -> None:
    """The run, its tables and the names of a comparison hold the byte as an escape."""
    path = odd_copy(FIXTURES / "small-build" / "verbose.log", tmp_path)
    run = open_run(path)
    assert run.name == "a\\xff.log"
    assert set(run["reading"]["file"].to_pylist()) == {"a\\xff.log"}
    assert run_names([read_argument(str(path)), read_argument("b.log")])[0] == "a\\xff"


def test_a_dumped_tensor_is_kept(tmp_path: Path) -> None:
    """A tensor is called by its file, and a table takes the name."""
    odd_copy(FIXTURES / "dumps" / "npy-run" / "ids.npy", tmp_path)
    (name,) = open_dump(tmp_path).tensors
    assert array([name, "ö", None], pa.string()).to_pylist() == ["a\\udcff", "ö", None]


def test_other_names_stay_as_they_are() -> None:
    """What is text is not escaped."""
    assert path_text("a/ö/\U0001f600.log") == "a/ö/\U0001f600.log"

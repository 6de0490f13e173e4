"""The folder of a run while it is written."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from trtlens.capture.recorder import create_recorder
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_run_says_what_it_is_from_the_start(tmp_path: Path) -> None:
    """The folder appears with a run.json of format 1, with the facts that were given and nothing else around it."""
    recorder = create_recorder(tmp_path / "deep" / "run", {"library": "tensorrt"})
    record = json.loads((recorder.folder / "run.json").read_text())
    assert (record["format"], record["status"], record["library"]) == (1, "building", "tensorrt")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["run"]
    assert [path.name for path in recorder.folder.iterdir()] == ["run.json"]


def test_every_change_is_on_disk(tmp_path: Path) -> None:
    """Notes are kept once and in order, timings and times are added, the status comes with the end."""
    recorder = create_recorder(tmp_path / "run", {})
    recorder.note("first")
    recorder.note("second")
    recorder.note("first")
    recorder.add_timing({"pass": "gpu", "iterations": 10})
    recorder.add_time("build_s", 1.25)
    recorder.finish("done", shapes={"input": [1]})
    record = json.loads((recorder.folder / "run.json").read_text())
    assert record["notes"] == ["first", "second"]
    assert record["timings"] == [{"pass": "gpu", "iterations": 10}]
    assert record["times"]["build_s"] == 1.25
    assert record["times"]["total_s"] >= 0
    assert (record["status"], record["shapes"]) == ("done", {"input": [1]})
    assert record["finished"] >= record["started"]


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    """run.json can be read as JSON at any moment while two threads change it."""
    recorder = create_recorder(tmp_path / "run", {"padding": "x" * 100_000})

    def write(name: str) -> None:
        for number in range(50):
            recorder.note(f"{name} {number}")

    threads = [threading.Thread(target=write, args=[name]) for name in "ab"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        json.loads((recorder.folder / "run.json").read_text())
    assert len(json.loads((recorder.folder / "run.json").read_text())["notes"]) == 100
    assert [path.name for path in recorder.folder.iterdir()] == ["run.json"]


def test_odd_facts_are_written(tmp_path: Path) -> None:
    """Names that are no Unicode text and values that JSON does not know do not stop a capture."""
    recorder = create_recorder(tmp_path / "run", {"command": ["trtlens", "mod\udcffel.onnx"], "path": tmp_path})
    record = json.loads((recorder.folder / "run.json").read_text())
    assert record["command"] == ["trtlens", "mod?el.onnx"]
    assert record["path"] == str(tmp_path)


def test_a_file_in_the_way(tmp_path: Path) -> None:
    """A file at the place of the folder is named; an empty folder is taken."""
    (tmp_path / "file").touch()
    with pytest.raises(TrtlensError, match="is a file"):
        create_recorder(tmp_path / "file", {})
    (tmp_path / "empty").mkdir()
    assert create_recorder(tmp_path / "empty", {}).folder == tmp_path / "empty"

"""The folder of a run while it is written."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from trtlens.capture.build_options import parse_options
from trtlens.capture.building.engine_build import build_run
from trtlens.capture.recorder import create_recorder
from trtlens.errors import TrtlensError
from trtlens.runs.run_info import foreign_files, is_captured

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.capture.conftest import Double

FIXTURES = Path(__file__).parents[2] / "fixtures"
CAPTURED = sorted(path.parent for path in FIXTURES.glob("h200*/*/run.json"))


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


def test_a_discarded_run_leaves_nothing(tmp_path: Path) -> None:
    """The run that it replaced is back; a run that somebody has put a file into stays, as failed."""
    create_recorder(tmp_path / "run", {"command": ["old"]}).finish("done")
    create_recorder(tmp_path / "run", {"command": ["new"]}, force=True).discard()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["command"] == ["old"]
    recorder = create_recorder(tmp_path / "other", {})
    (recorder.folder / "thesis.txt").touch()
    recorder.discard()
    assert json.loads((tmp_path / "other" / "run.json").read_text())["status"] == "failed"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "run"]


def test_a_replaced_run_is_gone_when_the_new_one_ends(tmp_path: Path) -> None:
    """Until then it is set aside; then nothing of it is left."""
    create_recorder(tmp_path / "run", {"command": ["old"]}).finish("done")
    recorder = create_recorder(tmp_path / "run", {"command": ["new"]}, force=True)
    assert len(list(tmp_path.iterdir())) == 2
    recorder.finish("failed")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["command"] == ["new"]


def test_every_file_of_a_capture_is_known_as_ours(play: Callable[..., Double], small_cnn: Path, tmp_path: Path) -> None:
    """--force takes a run away only where each of its files is known: so must be whatever a capture writes."""
    options = parse_options({"fp16": True})
    for release in ("8.6.0", "11.4.0.106"):
        run = build_run(small_cnn, tmp_path / release, options, backend=play(release).backend)
        assert foreign_files(run.folder, ()) == []


@pytest.mark.parametrize("folder", CAPTURED, ids=lambda folder: folder.name)
def test_files_of_captures_are_known_as_ours(folder: Path) -> None:
    """Those of real captures too, also where they were compressed since."""
    packed = {name.removesuffix(".xz") for name in foreign_files(folder, ())}
    assert {name for name in packed if not is_captured(name.rsplit("/", 1)[-1])} <= {"README.md"}

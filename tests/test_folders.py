"""Where results are written: whole or not at all, and never in the place of what a user made."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from trtlens import TrtlensError
from trtlens.runs.folders import (
    GENERATOR,
    _exchanged_at_once,
    check_folder,
    check_place,
    new_folder,
    whole_file,
    write_document,
    write_whole,
)

DOCUMENT = f'<meta name="generator" content="{GENERATOR}">'


def make_run(folder: Path, **files: str) -> Path:
    """A run folder as trtlens writes it, with more files by their paths."""
    for name, text in {"run.json": '{"format": 1}', "verbose.log": "log", **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# -- files -----------------------------------------------------------------------------------------------------------


def test_an_older_document_makes_way_and_nothing_else(tmp_path: Path) -> None:
    """A document of trtlens is replaced, also through a link, which stays; a user's file, a folder and a pipe are not."""
    out, link = tmp_path / "report.html", tmp_path / "link.html"
    link.symlink_to(out)
    write_document(link, DOCUMENT)
    out.chmod(0o600)
    write_document(link, DOCUMENT + "2")
    assert link.is_symlink()
    assert (out.read_text(), stat.S_IMODE(out.stat().st_mode)) == (DOCUMENT + "2", 0o600)
    (tmp_path / "mine").write_text("thesis")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, told in (
        ("mine", "did not write"),
        ("folder", "is a folder"),
        ("pipe", "is a pipe"),
        ("a/b", "no folder"),
    ):
        for write in (check_place, lambda path: write_document(path, DOCUMENT)):
            with pytest.raises(TrtlensError, match=told):
                write(tmp_path / name)
    assert (tmp_path / "mine").read_text() == "thesis"
    assert (tmp_path / "pipe").is_fifo()
    assert names(tmp_path) == ["folder", "link.html", "mine", "pipe", "report.html"]


@pytest.mark.parametrize("name", ["/dev/null", "/dev/full", "x" * 300], ids=["null", "full", "long name"])
def test_devices_and_impossible_names_are_refused(name: str) -> None:
    """A device stays a device, whatever is to be written there."""
    for write in (check_place, lambda path: write_document(path, DOCUMENT), lambda path: write_whole(path, b"x")):
        with pytest.raises(TrtlensError):
            write(Path(name))
    assert not name.startswith("/dev") or Path(name).is_char_device()


def test_a_file_that_comes_meanwhile_stays(tmp_path: Path) -> None:
    """What a user puts under the name while a document is written is not replaced, and no temporary file is left."""
    out = tmp_path / "report.html"

    class Slow(str):
        """A document in whose writing a user saves a file."""

        __slots__ = ()

        def encode(self, *_: object) -> bytes:
            out.write_text("thesis")
            return super().encode()

    with pytest.raises(TrtlensError, match="did not write"):
        write_document(out, Slow(DOCUMENT))
    assert out.read_text() == "thesis"
    assert names(tmp_path) == ["report.html"]


def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    """Until the end the old content stands; an error leaves it, and nothing beside it."""
    out = tmp_path / "times.json"
    out.write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(out) as file:  # noqa: PT012  what stands meanwhile is the point
        file.write(b"half")
        file.flush()
        assert out.read_text() == "old"
        raise KeyboardInterrupt
    assert out.read_text() == "old"
    assert names(tmp_path) == ["times.json"]


def test_a_name_may_have_all_its_bytes(tmp_path: Path) -> None:
    """The temporary name is no longer than a name may be."""
    write_whole(tmp_path / ("x" * 255), b"whole")
    with new_folder(tmp_path / ("y" * 255)):
        pass
    assert [len(name) for name in names(tmp_path)] == [255, 255]


# -- folders ---------------------------------------------------------------------------------------------------------


def test_a_folder_that_comes_meanwhile_stays(tmp_path: Path) -> None:
    """Files that a user puts under the name while the run is made are kept, with and without force."""
    for force in (False, True):
        out = tmp_path / f"run-{force}"
        with pytest.raises(TrtlensError), new_folder(out, force=force) as made:  # noqa: PT012  it comes meanwhile
            (made / "run.json").write_text("{}")
            out.mkdir()
            (out / "thesis.txt").write_text("mine")
        assert names(out) == ["thesis.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run-False", "run-True"]


def test_the_rename_itself_refuses_what_is_not_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a folder comes between the last look and the rename, the system refuses it."""
    out = tmp_path / "run"
    monkeypatch.setattr("trtlens.runs.folders._checked_folder", lambda out, **_: out)
    with pytest.raises(TrtlensError, match="not empty"), new_folder(out):
        make_run(out)
    assert names(out) == ["run.json", "verbose.log"]


@pytest.mark.parametrize(
    "foreign", ["thesis.txt", "tables/mine.csv", "plots/a.png", "tensors/mine.npy", "verbose.log/x"]
)
def test_force_replaces_only_what_trtlens_wrote(foreign: str, tmp_path: Path) -> None:
    """A user's file anywhere in a run keeps the whole run from being replaced, and the message names it."""
    out = make_run(tmp_path / "run", **{"tables/layers.parquet": "x"})
    (out / "verbose.log").unlink()
    (out / foreign).parent.mkdir(parents=True, exist_ok=True)
    (out / foreign).write_text("mine")
    before = names(out)
    with pytest.raises(TrtlensError, match=foreign.split("/", maxsplit=1)[0]), new_folder(out, force=True):
        pytest.fail("it was made all the same")
    assert names(out) == before


def test_a_file_put_into_the_run_meanwhile_is_kept(tmp_path: Path) -> None:
    """A replaced run in which a user saves something while the new one is made stays whole, under its name."""
    out = make_run(tmp_path / "run")
    with pytest.raises(TrtlensError, match=r"thesis\.txt"), new_folder(out, force=True) as made:  # noqa: PT012
        (made / "run.json").write_text("new")
        (out / "thesis.txt").write_text("mine")
    assert names(out) == ["run.json", "thesis.txt", "verbose.log"]
    assert (out / "run.json").read_text() == '{"format": 1}'
    assert names(tmp_path) == ["run", "run/run.json", "run/thesis.txt", "run/verbose.log"]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_file_saved_at_the_last_moment_is_kept(
    at_once: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the old run has lost its name it is looked through again; with somebody's file in it, it gets the name back."""
    if not at_once:
        monkeypatch.setattr("trtlens.runs.folders._exchanged_at_once", lambda *_: False)
    monkeypatch.setattr("trtlens.runs.folders._checked_folder", lambda out, **_: out)
    out = make_run(tmp_path / "run", **{"thesis.txt": "mine"})
    with pytest.raises(TrtlensError, match=r"thesis\.txt"), new_folder(out, force=True) as made:
        (made / "run.json").write_text("new")
    assert names(tmp_path) == ["run", "run/run.json", "run/thesis.txt", "run/verbose.log"]
    assert (out / "run.json").read_text() == '{"format": 1}'


@pytest.mark.parametrize("at_once", [True, False])
def test_force_puts_the_new_run_in_place_of_the_old(
    at_once: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name holds the new run and nothing else is left, on file systems that cannot exchange two names too."""
    if not at_once:
        monkeypatch.setattr("trtlens.runs.folders._exchanged_at_once", lambda *_: False)
    out = make_run(tmp_path / "run", **{"kept.log": "raw", "marked/1/verbose.log": "x", ".trtlens-0a.tmp": "killed"})
    (out / "run.json").write_text('{"format": 1, "raw": ["kept.log"]}')
    with new_folder(out, force=True) as made:
        (made / "run.json").write_text("new")
    assert names(tmp_path) == ["run", "run/run.json"]
    assert (out / "run.json").read_text() == "new"


def test_there_is_a_run_at_every_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system can, the names are exchanged in one step: no rename leaves the name without a run."""
    one, other = make_run(tmp_path / "one"), make_run(tmp_path / "other")
    if not _exchanged_at_once(one, other):
        pytest.skip("this file system cannot exchange two names")
    monkeypatch.setattr(Path, "rename", lambda *_: pytest.fail("for a moment there was no run"))
    with new_folder(one, force=True) as made:
        (made / "run.json").write_text("new")
    assert names(one) == ["run.json"]


def test_the_folder_that_one_is_in_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell would be left in a folder that is gone: not with ``.``, nor a link to it, nor force from within the run."""
    run = make_run(tmp_path / "run")
    (run / "tables").mkdir()
    (tmp_path / "link").symlink_to(run)
    monkeypatch.chdir(run / "tables")
    for out in (Path(), Path(".."), run, tmp_path / "link"):
        with pytest.raises(TrtlensError, match="that you are in"):
            check_folder(out, force=True)


def test_a_link_is_followed(tmp_path: Path) -> None:
    """A link to an empty folder, or to none yet, stays a link; the run is where it leads."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "a").symlink_to(tmp_path / "disk")
    (tmp_path / "b").symlink_to(tmp_path / "later")
    for name, place in (("a", "disk"), ("b", "later")):
        with new_folder(tmp_path / name) as made:
            (made / "run.json").touch()
        assert (tmp_path / name).is_symlink()
        assert names(tmp_path / place) == ["run.json"]


_STOPPED = """
import signal, sys, time
from pathlib import Path
from trtlens.runs.folders import new_folder
from trtlens.runs.stops import STOPS
for one in (signal.SIGHUP, signal.SIGINT):  # ignored under nohup and in the background, which trtlens leaves alone
    signal.signal(one, signal.SIG_DFL)
STOPS.install()
with new_folder(Path(sys.argv[1])) as made:
    (made / "verbose.log").write_text("half")
    print("begun", flush=True)
    time.sleep(60)
"""
_HELD = """
import os, signal
from trtlens.runs.stops import STOPS
STOPS.install()
try:
    with STOPS.held():
        os.kill(os.getpid(), signal.SIGTERM)
        print("put in place")
    print("not heard")
except KeyboardInterrupt:
    print("stopped by", STOPS.received)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    """What was begun when a command is told to stop is put away, whichever signal tells it."""
    command = [sys.executable, "-c", _STOPPED, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        assert names(tmp_path)
        process.send_signal(number)
        process.wait(30)
    assert names(tmp_path) == []


def test_a_signal_waits_while_files_are_moved() -> None:
    """A block that must not be left half done is finished first."""
    done = subprocess.run([sys.executable, "-c", _HELD], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["put in place", f"stopped by {int(signal.SIGTERM)}"]

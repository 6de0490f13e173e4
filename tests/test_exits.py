"""How a command ends: exit codes that cannot be mistaken for one another, and one line for what went wrong."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from trtlens import TrtlensError
from trtlens.commands.process import OutputError, exit_code
from trtlens.errors import CaptureError
from trtlens.output import Format, write_table
from trtlens.runs.stops import STOPS

SMALL = Path(__file__).parents[1] / "fixtures" / "small-build" / "verbose.log"
_BUG = (
    "import sys, trtlens.runs.arguments as a, trtlens.runs.run as r\n"
    "def broken(*_, **__): raise ERROR\n"
    "a.open_run = r.open_run = broken\n"
    "from trtlens.__main__ import main; sys.argv[0] = 'trtlens'; main()"
)


def run_bug(
    *arguments: object, temporary: Path, error: str = "KeyError('direction')"
) -> subprocess.CompletedProcess[str]:
    """A command in whose midst trtlens fails."""
    command = [sys.executable, "-c", _BUG.replace("ERROR", error), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(temporary)}
    )


def shell(command: str, **env: str) -> subprocess.CompletedProcess[str]:
    line = f"set -o pipefail; {command.replace('TRTLENS', f'{sys.executable} -m trtlens')}"
    bash = shutil.which("bash") or pytest.skip("needs bash")
    return subprocess.run([bash, "-c", line], capture_output=True, text=True, check=False, env={**os.environ, **env})


def test_a_bug_is_one_line_and_never_a_failed_check(tmp_path: Path) -> None:
    """A gate that fails inside trtlens exits with 70; the line names the error, its place and the file of the traceback."""
    done = run_bug("compare", "a", "b", "--fail-on", "latency > +3%", temporary=tmp_path)
    assert (done.returncode, done.stdout) == (70, "")
    assert done.stderr.count("\n") == 1
    assert "KeyError: 'direction'" in done.stderr
    assert "/issues" in done.stderr
    (kept,) = tmp_path.glob("trtlens-*.txt")
    assert str(kept) in done.stderr
    text = kept.read_text()
    assert "in broken" in text
    assert "'latency > +3%'" in text


@pytest.mark.parametrize(("error", "code"), [("EOFError('cut')", 70), ("BrokenPipeError(32, 'gone')", 141)])
def test_no_error_is_taken_for_a_failed_check(error: str, code: int, tmp_path: Path) -> None:
    """Errors that the command line's library has an exit code of its own for keep ours."""
    done = run_bug("compare", "a", "b", "--fail-on", "latency > +3%", temporary=tmp_path, error=error)
    assert done.returncode == code
    assert "Aborted" not in done.stdout


def test_debug_prints_the_traceback_wherever_it_stands(tmp_path: Path) -> None:
    """``--debug`` behind the command prints the traceback and keeps no file; the exit code stays."""
    done = run_bug("show", "layers", SMALL, "--debug", temporary=tmp_path)
    assert done.returncode == 70
    assert "Traceback (most recent call last)" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (TrtlensError("no such run"), 2, "trtlens: no such run\n"),
        (CaptureError("no engine"), 3, "trtlens: no engine\n"),
        (
            FileNotFoundError(2, "No such file or directory", "a\x1b.log"),
            2,
            "trtlens: a\\x1b.log: No such file or directory\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_become_exit_codes(
    error: BaseException, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on stderr for what a user can mend, nothing for what he stopped."""
    assert exit_code(error, debug=False) == code
    assert capsys.readouterr().err == told


def test_what_fails_after_a_signal_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A library whose import was interrupted may claim that it is not installed: the signal is what happened."""
    monkeypatch.setattr(STOPS, "received", int(signal.SIGTERM))
    assert exit_code(TrtlensError("install onnxruntime"), debug=False) == 143
    assert capsys.readouterr().err == ""


_STOPPED_IMPORT = """
import os, signal, sys

class Finder:
    def find_spec(self, name, *_):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)

module, sys.argv = sys.argv[1], ["trtlens", *sys.argv[2:]]
sys.meta_path.insert(0, Finder())
from trtlens.__main__ import main
main()
"""


@pytest.mark.parametrize(("module", "codes"), [("trtlens.cli", {-signal.SIGINT}), ("pyarrow", {130, -signal.SIGINT})])
def test_ctrl_c_while_modules_are_loaded_is_silent(module: str, codes: set[int]) -> None:
    """Neither a traceback nor advice on what to install, whichever import it hits."""
    command = [sys.executable, "-c", _STOPPED_IMPORT, module, "show", "layers", str(SMALL)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in codes
    assert done.stderr == ""


def test_an_output_error_is_no_error_of_a_file() -> None:
    """It is told apart from files that cannot be read by its class alone."""
    assert issubclass(OutputError, OSError)
    assert OutputError(28, "No space left on device").filename is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_that_takes_nothing() -> None:
    """Full or closed standard output gives 74 and one line, a reader that left 141 and none; never 0 and never 1."""
    full = shell("TRTLENS --version > /dev/full")
    assert (full.returncode, full.stderr.count("\n")) == (74, 1)
    assert "No space left" in full.stderr
    closed = shell("TRTLENS --version >&-")
    assert (closed.returncode, closed.stderr.count("\n")) == (74, 1)
    gone = shell(f"TRTLENS show candidates {SMALL} --format json | true")
    assert (gone.returncode, gone.stderr) == (141, "")


def test_closed_streams_are_no_files() -> None:
    """With all three streams closed a log is still read, and none of it is taken for standard input or output."""
    done = shell("TRTLENS parse - <&- >&-")
    assert done.returncode == 2
    assert "- cannot be read (Bad file descriptor)" in done.stderr


def test_any_encoding_takes_any_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters that the terminal's encoding lacks are written as escapes; JSON stays JSON, with the very name."""
    table = pa.table({"name": ["層🙂"]})
    for form in (Format.TABLE, Format.CSV, Format.JSON):
        stream = io.TextIOWrapper(io.BytesIO(), "ascii", errors="backslashreplace")
        monkeypatch.setattr(sys, "stdout", stream)
        write_table(table, form)
        stream.flush()
        written = stream.buffer.getvalue()
        assert rb"\u5c64" in written
    assert json.loads(written) == [{"name": "層🙂"}]


def test_standard_output_escapes_what_its_encoding_lacks() -> None:
    """The process's own stream too is one that no name can end."""
    done = shell(
        f"{sys.executable} -c 'from trtlens.commands.process import prepare_streams as p; p(); print(chr(0x5c64))'",
        PYTHONIOENCODING="cp1252",
    )
    assert (done.returncode, done.stdout) == (0, "\\u5c64\n")

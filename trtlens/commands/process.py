"""The process of a command: its standard streams, and its exit code with one line on stderr if something went wrong.

Streams may be closed, full, or of an encoding that lacks some characters.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | a check that the user asked for failed, and nothing else |
| 2 | wrong usage, or a file that cannot be read or written |
| 3 | TensorRT or CUDA failed |
| 70 | a bug of trtlens |
| 74 | standard output cannot be written: full or closed |
| 130, 143 | stopped by a signal (128 and its number); 141 if the reader of the output exited |
"""

from __future__ import annotations

import io
import os
import platform
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from trtlens._version import VERSION
from trtlens.errors import TrtlensError, reason
from trtlens.runs.stops import STOPS

if TYPE_CHECKING:
    from typing_extensions import Buffer

WRONG_USAGE = 2
CRASHED = 70
OUTPUT_FAILED = 74
_SIGNALLED = 128
_CLOSED_PIPE = _SIGNALLED + 13
_ISSUES = "https://github.com/trtlens/trtlens/issues"


def exit_code(error: BaseException, *, debug: bool) -> int:
    """Print on stderr why a command ended, and return the exit code; ``debug`` also prints the traceback."""
    if STOPS.received is not None or isinstance(error, KeyboardInterrupt):  # errors after a signal are of no interest
        return _SIGNALLED + (STOPS.received or signal.SIGINT)
    if isinstance(error, BrokenPipeError):
        abandon_output()
        return _CLOSED_PIPE
    if debug:
        traceback.print_exception(error)
    if isinstance(error, TrtlensError):
        return _told(str(error), error.exit_code)
    if isinstance(error, OutputError):
        abandon_output()
        return _told(
            f"the output cannot be written ({reason(error)}): free disk space, or write it elsewhere", OUTPUT_FAILED
        )
    if isinstance(error, OSError) and error.filename is not None:
        return _told(f"{error.filename}: {reason(error)}", WRONG_USAGE)
    return _crash(error, debug=debug)


def _told(line: str, code: int) -> int:
    from trtlens.output import visible  # noqa: PLC0415  most commands end well
    from trtlens.output.text import wrapped_at  # noqa: PLC0415

    text = visible(f"trtlens: {line}")
    width = _terminal_width()
    sys.stderr.write("\n".join([text] if width is None else wrapped_at(text, width)) + "\n")
    return code


def _terminal_width() -> int | None:
    """Characters of a line of the terminal that stderr is; None where it is none, whose reader gets one line."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns - 1 if sys.stderr.isatty() else None
    except (OSError, ValueError):
        return None


def _crash(error: BaseException, *, debug: bool) -> int:
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" in {Path(frame.filename).name}, line {frame.lineno}" for frame in last)
    what = f"a bug of trtlens: {type(error).__name__}: {' '.join(str(error).split())[:200]}{where}"
    kept = "" if debug else f"; {_kept(error)}"
    return _told(f"{what}{kept}; please report it with what you ran: {_ISSUES}", CRASHED)


def _kept(error: BaseException) -> str:
    """Write the traceback to a new file, and say where it is."""
    lines = traceback.format_exception(error)
    facts = f"trtlens {VERSION}, Python {platform.python_version()}, {platform.platform()}\n{sys.argv[1:]!r}\n\n"
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="backslashreplace", prefix="trtlens-", suffix=".txt", delete=False
        ) as file:
            file.write(facts + "".join(lines))
    except OSError:
        return "trtlens --debug ... prints the traceback"
    return f"the traceback is in {file.name} (--debug prints it)"


# -- standard streams ----------------------------------------------------------------------------------------------


class OutputError(OSError):
    """Standard output cannot be written: full or closed. Errors of other files are not this one."""


class _Output(io.FileIO):
    """Standard output's descriptor, whose write errors become `OutputError`."""

    def write(self, data: Buffer, /) -> int:
        """Write bytes as `io.FileIO` does."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(error.errno, error.strerror) from error


def prepare_streams() -> None:
    """Open streams that the caller closed, and escape characters that an encoding lacks.

    A closed stream gets its own number back, so that no file opened later receives the output; reading or
    writing it fails as the system says it.
    """
    for number, stream, flags in (
        (0, sys.stdin, os.O_WRONLY),
        (1, sys.stdout, os.O_RDONLY),
        (2, sys.stderr, os.O_WRONLY),
    ):
        if stream is None:
            _open_as(number, flags)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  it lasts as long as the process
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  likewise
    sys.stdout = _writer(sys.stdout.encoding if sys.stdout else "utf-8")


def _open_as(number: int, flags: int) -> None:
    descriptor = os.open(os.devnull, flags)
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)


def _writer(encoding: str) -> io.TextIOWrapper:
    buffer = io.BufferedWriter(_Output(1, "w", closefd=False))
    return io.TextIOWrapper(buffer, encoding, errors="backslashreplace", line_buffering=buffer.isatty())


def abandon_output() -> None:
    """Drop what is still buffered for standard output: Python would try to write it again at exit, and report the failure."""
    _open_as(sys.stdout.fileno(), os.O_WRONLY)

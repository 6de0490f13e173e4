"""The standard streams of a command, whatever its caller made of them: closed, full, or of an encoding without our letters."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer


class OutputError(OSError):
    """Standard output takes nothing: full, closed, or gone; not an error of any other file."""


class _Output(io.FileIO):
    """A descriptor whose errors in writing can be told from those of other files."""

    def write(self, data: Buffer, /) -> int:
        """Write bytes as `io.FileIO` does."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(error.errno, error.strerror) from error


def prepare_streams() -> None:
    """Open those that the caller closed, and let no letter that an encoding lacks end a command.

    A closed stream gets its own number back, so that no file that is opened later takes what is printed; reading or
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
    """Drop what is still to be written to standard output: Python would try again at its end, and say so."""
    _open_as(sys.stdout.fileno(), os.O_WRONLY)

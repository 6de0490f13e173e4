"""The standard streams of a command, even if closed, full, or of an encoding that lacks some characters."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer


class OutputError(OSError):
    """Standard output cannot be written: full or closed. Errors of other files are not this one."""


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

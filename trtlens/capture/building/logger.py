"""One logger for the whole process, whose messages go to whichever run is being captured.

TensorRT keeps the first logger that it is given while any builder, runtime or parser lives, and says of a second one
that it "differs from one already provided": hence a single logger object for each library, with a sink that changes. A
record is written as trtexec writes it (`[MM/DD/YYYY-HH:MM:SS] [V] [TRT] message`, trtexec 7.0 and later); the further
lines of a message stand bare.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

SEVERITIES = ("INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE")
_LETTERS = (b"F", b"E", b"W", b"I", b"V")
_WARNING = 2
_KEPT_ERRORS = 20
_FLUSH_BYTES = 1 << 16


class Sink(Protocol):
    """Where the messages of a run go; called from TensorRT's threads, one call at a time."""

    def write(self, severity: int, message: str) -> None:
        """Take one message; `severity` is TensorRT's number, 0 for an internal error to 4 for verbose."""


class LogFile:
    """A `verbose.log` that is being written: buffered, so that a callback costs little, and flushed by its owner.

    Warnings and errors are flushed at once. The thread that waits for the build calls `flush` several times a second: a
    killed process loses no more than that. A file that cannot be written any more (a full disk) is left as it is, with
    the reason in `failure`: an exception in TensorRT's callback would only be printed. `messages` counts TensorRT's.
    """

    __slots__ = ("_file", "_prefixes", "_second", "failure", "messages", "path")

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("ab", buffering=_FLUSH_BYTES)
        self._second = -1
        self._prefixes: tuple[bytes, ...] = ()
        self.path: Path = path
        self.failure: OSError | None = None
        self.messages: int = 0

    def write(self, severity: int, message: str) -> None:
        """Write one message with its prefix; the time is the local one, as in trtexec."""
        if self.failure is not None:
            return
        self.messages += 1
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._prefixes = _prefixes(second)
        line = b"%b%b\n" % (self._prefixes[severity], message.encode("utf-8", "replace"))
        try:
            self._file.write(line)
            if severity <= _WARNING:
                self._file.flush()
        except OSError as error:
            self.failure = error

    def write_own(self, message: str) -> None:
        """Write a line of the wrapper's own, which in trtexec's dialect carries no `[TRT]`."""
        stamp = time.strftime("[%m/%d/%Y-%H:%M:%S]")
        self._file.write(f"{stamp} [I] {message}\n".encode())

    def flush(self) -> None:
        """Hand what is buffered to the operating system; does nothing once the file is closed."""
        try:
            self._file.flush()
        except ValueError:
            return
        except OSError as error:
            self.failure = error

    def close(self) -> None:
        """Flush and close."""
        with suppress(OSError):
            self._file.close()


def _prefixes(second: int) -> tuple[bytes, ...]:
    stamp = time.strftime("[%m/%d/%Y-%H:%M:%S]", time.localtime(second)).encode()
    return tuple(b"%b [%b] [TRT] " % (stamp, letter) for letter in _LETTERS)


@cache
def process_logger(trt: Any) -> Any:
    """The one `ILogger` of that library in this process; set its `sink` through `capturing`."""
    severities = {int(getattr(trt.ILogger, name)): number for number, name in enumerate(SEVERITIES)}

    class RunLogger(trt.ILogger):  # type: ignore[misc]
        """Passes messages on to the sink and to a listener and keeps the last errors; without a sink drops them."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)  # pybind11 refuses an object whose base was not initialised
            self.sink: Sink | None = None
            self.listener: Callable[[str], None] | None = None
            self.errors: deque[str] = deque(maxlen=_KEPT_ERRORS)

        def log(self, severity: Any, msg: str) -> None:
            """Take one message of TensorRT; an exception here would be printed and lost, so none is raised."""
            sink = self.sink
            if sink is None:
                return
            level = severities[int(severity)]
            if level < _WARNING:
                self.errors.append(msg)
            try:
                sink.write(level, msg)
            except ValueError:  # the file was closed by an interrupted build
                return
            if self.listener is not None:
                self.listener(msg)

    return RunLogger()


@contextmanager
def capturing(logger: Any, sink: Sink, listener: Callable[[str], None] | None = None) -> Iterator[None]:
    """Send the messages of this logger to the sink while the block runs, then to where they went before.

    The logger's `errors` are then the last ones of this block.
    """
    before = logger.sink, logger.listener
    logger.sink, logger.listener = sink, listener
    logger.errors.clear()
    try:
        yield
    finally:
        logger.sink, logger.listener = before


def last_errors(logger: Any, shown: int = 5) -> str:
    """The last errors that TensorRT logged, for a message; says so where there was none."""
    errors = list(dict.fromkeys(message.strip() for message in logger.errors))[-shown:]
    return "; ".join(errors) or "it logged no error"

"""Follows a log that grows, to its end, and shows how far the build is."""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trtlens.commands.build_lines import build_lines, build_sentence
from trtlens.commands.growing_log import PIECE, GrowingFile, Pipe, widen_pipe
from trtlens.commands.live import Live
from trtlens.errors import TrtlensError, reason
from trtlens.output import visible
from trtlens.runs.folders import regular_mode
from trtlens_parsers.build_progress import BUILT, BuildProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STDIN = "-"
_LOG_OF_A_RUN = "verbose.log"
_POLL_S = 0.2
_VERDICT_S = 1.0
"""Without a further line for so long, trtexec's verdict is its last."""
_BUILT_S = 10.0
"""Without a further line for so long, the program that built the engine says no more."""


@contextmanager
def opened_log(log: str, tee: Path | None) -> Iterator[tuple[GrowingFile | Pipe, Path, str]]:
    """What to read, the file that then holds all of it, and a name for people."""
    if log != _STDIN:
        path = Path(log) / _LOG_OF_A_RUN if Path(log).is_dir() else Path(log)
        if not path.exists():
            if not path.parent.is_dir():
                raise TrtlensError(f"{path}: there is no folder {path.parent}; check the name")
            sys.stderr.write(f"{visible(str(path))} is not there yet: waiting for it\n")
        yield GrowingFile(path), path, path.name
    elif tee is not None:
        yield _pipe(tee), tee, tee.name
    else:
        with tempfile.TemporaryDirectory(prefix="trtlens-") as folder:
            path = Path(folder, "standard-input.log")
            yield _pipe(path), path, "standard input"


def _pipe(copy: Path) -> Pipe:
    try:
        if regular_mode(copy) is not None and copy.stat().st_size:
            raise TrtlensError(f"--tee {copy}: the file is there already; give another name, or remove it")
        file = copy.open("wb", buffering=0)
    except OSError as error:
        raise TrtlensError(f"{copy} cannot be written ({reason(error)}): choose another place with --tee") from error
    widen_pipe(sys.stdin.fileno())
    return Pipe(sys.stdin.fileno(), file)


def follow(source: GrowingFile | Pipe, name: str) -> bool:
    """Read and show until the log ends; False where Ctrl-C ended it."""
    watcher = Watcher(name, Live(sys.stderr))
    try:
        while not source.ended and not watcher.is_over:
            data = source.read()
            if source.took_anew():
                watcher.begin_anew()
            watcher.take(data, source.failure)
            if len(data) < PIECE // 4:  # so that several lines come at once
                time.sleep(_POLL_S)
    except KeyboardInterrupt:
        return False
    finally:
        watcher.live.clear()
        source.close()
    return True


@dataclass(slots=True)
class Watcher:
    """What was read so far, and how long ago; `clock` counts seconds."""

    name: str
    live: Live
    clock: Callable[[], float] = time.monotonic
    progress: BuildProgress = field(default_factory=BuildProgress)
    _began_s: float = 0.0
    _last_s: float = 0.0
    _is_failure_told: bool = False

    def __post_init__(self) -> None:
        """Begin to count."""
        self._began_s = self._last_s = self.clock()

    @property
    def quiet_s(self) -> float:
        """Seconds since the last bytes came."""
        return self.clock() - self._last_s

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come: after trtexec's verdict, and a while after a built engine."""
        progress = self.progress
        if progress.verdict is not None:
            return self.quiet_s >= _VERDICT_S
        return progress.phase == BUILT and self.quiet_s >= _BUILT_S

    def begin_anew(self) -> None:
        """Forget what was read: the log was truncated or replaced."""
        self.live.say(f"{self.name} was truncated or replaced: reading it from its beginning")
        self.progress = BuildProgress()

    def take(self, data: bytes, failure: str | None = None) -> None:
        """Read the next bytes, print new warnings, and draw if it is time; `failure` says why the copy ends here."""
        if data:
            self._last_s = self.clock()
            self.progress.feed(data)
        self.live.warn([f"{alarm.severity}: {alarm.text}" for alarm in self.progress.new_alarms()])
        if failure is not None and not self._is_failure_told:
            self._is_failure_told = True
            self.live.say(f"{self.name} cannot be written any more ({failure}): the copy ends here, the build goes on")
        if self.live.is_due:
            state = (self.progress, self.name, self.clock() - self._began_s, self.quiet_s)
            self.live.draw(build_lines(*state), build_sentence(*state))

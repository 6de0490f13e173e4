"""Signals that end a command, so that whatever it was writing is put away first.

SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread; while a block of `Stops.held` moves files they wait
for its end. Only the command line installs them: in anyone else's program signals are not ours to take.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@dataclass(slots=True)
class Stops:
    """What became of the signals: `received` is the number of the last one, None where none came."""

    received: int | None = None
    _holds: int = 0
    _waiting: bool = False

    def install(self) -> None:
        """Take the signals, except those that the caller had ignored (nohup, a job in the background)."""
        for name in _NAMES:
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._take)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self.received = number
        if self._holds:
            self._waiting = True
            return
        raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let a signal that comes in this block take effect at its end; other threads than the main one get none."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            if self._waiting and not self._holds:
                self._waiting = False
                raise KeyboardInterrupt


STOPS = Stops()
"""The process's own."""

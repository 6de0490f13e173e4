"""Shows on stderr how far a capture is, while it runs."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trtlens.capture.progress import Progress
    from trtlens.commands.capture_display import CaptureDisplay

_POLL_S = 0.2


@contextmanager
def shown_progress(log: Path | None = None) -> Iterator[Progress]:
    """A progress callback whose phases are shown, with the log of the build where it is known."""
    from trtlens.commands.capture_display import CaptureDisplay  # noqa: PLC0415  other commands need none of it
    from trtlens.commands.growing_log import GrowingFile  # noqa: PLC0415
    from trtlens.commands.live import Live  # noqa: PLC0415

    display = CaptureDisplay(Live(sys.stderr), None if log is None else GrowingFile(log))
    done = threading.Event()
    thread = threading.Thread(target=_refresh, args=(display, done), name="trtlens-progress", daemon=True)
    thread.start()
    try:
        yield display.report
    finally:
        done.set()
        thread.join()
        display.close()


def _refresh(display: CaptureDisplay, done: threading.Event) -> None:
    while not done.wait(_POLL_S):
        with suppress(TrtlensError, OSError):  # what cannot be shown stops no build
            display.refresh()

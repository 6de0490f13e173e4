"""``python -m trtlens`` and the command ``trtlens``."""

from __future__ import annotations

import gc
import signal

from trtlens.commands.process import prepare_streams
from trtlens.runs.stops import STOPS

_YOUNG = 100_000
"""New objects from which on cycles are looked for, instead of 700: a command makes many objects and few cycles."""


def main() -> None:
    """Prepare the process, and run the command line in it."""
    gc.set_threshold(_YOUNG)
    prepare_streams()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is begun yet: Ctrl-C just ends the process
    from trtlens.cli import main as run  # noqa: PLC0415  its imports are a good part of what the threshold saves

    STOPS.install()
    run()


if __name__ == "__main__":
    main()

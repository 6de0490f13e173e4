"""``python -m trtlens`` and the command ``trtlens``."""

from __future__ import annotations

import gc
import signal

_YOUNG = 100_000
"""New objects from which on cycles are looked for, instead of 700: a command makes many objects and few cycles."""


def main() -> None:
    """Run the command line."""
    gc.set_threshold(_YOUNG)
    if (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):  # while nothing was begun, Ctrl-C just ends the process
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from trtlens.cli import main as run  # noqa: PLC0415  its imports are a good part of what the threshold saves

    run()


if __name__ == "__main__":
    main()

"""``python -m trtlens`` and the command ``trtlens``."""

from __future__ import annotations

import gc
import sys

_YOUNG = 100_000
"""New objects from which on cycles are looked for, instead of 700: a command makes many objects and few cycles."""
_COMPLETE = "__complete"
"""What a shell calls trtlens with at every press of the tab key (`trtlens.commands.typed_words`)."""


def main() -> None:
    """Prepare the process, and run the command line in it."""
    gc.set_threshold(_YOUNG)
    if sys.argv[1:2] == [_COMPLETE]:
        from trtlens.commands.typed_words import answer_shell  # noqa: PLC0415  the rest takes longer than the answer

        answer_shell(sys.argv[2:])
        return
    _run()


def _run() -> None:
    import signal  # noqa: PLC0415

    from trtlens.commands.process import prepare_streams  # noqa: PLC0415

    prepare_streams()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is begun yet: Ctrl-C just ends the process
    from trtlens.cli import main as run  # noqa: PLC0415  its imports are a good part of what the threshold saves
    from trtlens.runs.stops import STOPS  # noqa: PLC0415

    STOPS.install()
    run()


if __name__ == "__main__":
    main()

"""``python -m trtlens`` and the command ``trtlens``."""

from __future__ import annotations

import gc
import sys
from typing import Any

_YOUNG = 100_000
"""New objects from which on cycles are looked for, instead of 700: a command makes many objects and few cycles."""
_COMPLETE = "__complete"
"""What a shell calls trtlens with at every press of the tab key (`trtlens.commands.typed_words`)."""


def main() -> None:
    """Prepare the process, and run the command line in it."""
    gc.set_threshold(_YOUNG)
    if sys.argv[1:2] == [_COMPLETE]:
        _answer_shell(sys.argv[2:])
    else:
        _run()


def _answer_shell(arguments: list[str]) -> None:
    from trtlens.commands.typed_words import answer_shell, read_description  # noqa: PLC0415  all else takes longer

    answer_shell(arguments, read_description() or _described())


def _described() -> dict[str, Any]:
    """The description of the program, made and kept."""
    from typer.main import get_command  # noqa: PLC0415

    from trtlens.cli import app  # noqa: PLC0415
    from trtlens.commands.description import write_description  # noqa: PLC0415

    return write_description(get_command(app))


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

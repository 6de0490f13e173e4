"""The command ``watch``: how far a build is, from the log that it is still writing."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import Annotated, Optional

import typer

from trtlens.commands.parse import print_run
from trtlens.commands.read import opened_run
from trtlens.errors import TrtlensError
from trtlens.output import visible

_STDIN = "-"
_UNKEPT = "LOG"
"""What stands in commands to copy for a log that came through a pipe and was not kept."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(watch)


def watch(
    log: Annotated[str, typer.Argument(help="A log that is being written, a run that is being made, or - for stdin.")],
    tee: Annotated[
        Optional[Path],  # noqa: UP045  typer reads annotations at run time, on Python 3.10 too
        typer.Option("--tee", help="Keep what comes through stdin in this file."),
    ] = None,
) -> None:
    """Show how far a build is, while it writes its log.

    Shows the phase, the layer that is tuned, the tactics timed so far and warnings as they come, and ends with the summary of
    `parse`: when a pipe ends, when trtexec says PASSED or FAILED, 10 s after the last line behind a built engine, or at Ctrl-C.
    """
    from trtlens.commands.watched_log import follow, opened_log  # noqa: PLC0415  other commands need none of it

    if tee is not None and log != _STDIN:
        raise TrtlensError("--tee keeps what comes through stdin: trtexec ... 2>&1 | trtlens watch - --tee build.log")
    with opened_log(log, tee) as (source, path, name):
        is_whole = follow(source, name)
        if path.exists() and path.stat().st_size:
            _summarise(path, _UNKEPT if log == _STDIN and tee is None else None)
        if tee is not None and source.failure is None:
            sys.stderr.write(f"the log is kept in {visible(str(tee))}\n")
    if not is_whole:
        raise KeyboardInterrupt


def _summarise(path: Path, unkept: str | None) -> None:
    """Print the summary of `parse`; what is kept nowhere is called by another name, since its file is gone afterwards."""
    try:
        print_run(opened_run([str(path)], None), unkept or str(path))
    except TrtlensError as error:
        raise TrtlensError(str(error).replace(str(path), unkept or str(path))) from error

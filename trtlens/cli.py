"""The command line: the only place that turns errors into one line on stderr and an exit code.

Exit codes: 0 done; 1 a check that the user asked for failed; 2 wrong usage or unreadable input; 3 TensorRT or CUDA failed.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Optional

import typer

from trtlens._version import VERSION
from trtlens.commands import accuracy, capture, compare, dump, kernel, read, report, why
from trtlens.errors import TrtlensError

app = typer.Typer(
    name="trtlens",
    help="Reads what TensorRT says while it builds: precision, tactics, reformats, memory and time, layer by layer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help in plain text needs no rich, whose import takes longer than all the rest
)
read.register(app)
kernel.register(app)
capture.register(app)
compare.register(app)
why.register(app)
dump.register(app)
accuracy.register(app)
report.register(app)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"trtlens {VERSION}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        Optional[bool],  # noqa: UP045  typer reads annotations at run time, on Python 3.10 too
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop."),
    ] = None,
) -> None:
    """Reads what TensorRT says while it builds: precision, tactics, reformats, memory and time, layer by layer."""


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    try:
        app()
    except TrtlensError as error:
        from trtlens.output import visible  # noqa: PLC0415

        sys.stderr.write(f"trtlens: {visible(str(error))}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output has gone: `trtlens show ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)

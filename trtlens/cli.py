"""The command line: turns every error into one line on stderr and an exit code (`trtlens.commands.process`)."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from trtlens._version import VERSION
from trtlens.commands import (
    cache,
    capture,
    compare,
    completion,
    dump,
    fleet,
    isolate,
    kernel,
    parse,
    plan,
    read,
    repeats,
    report,
    schema,
    trace,
    watch,
    why,
)
from trtlens.commands import dump_accuracy as accuracy
from trtlens.commands.help import WIDEST, Application, CommandGroup
from trtlens.commands.process import exit_code
from trtlens.runs.stops import STOPS

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEBUG, _NO_COLOR = "--debug", "--no-color"

app: Application = Application(
    name="trtlens",
    cls=CommandGroup,
    context_settings={"max_content_width": WIDEST},
    help="Reads what TensorRT says while it builds: precision, tactics, reformats, memory and time, layer by layer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help in plain text needs no rich, whose import takes longer than all the rest
)
parse.register(app)
read.register(app)
watch.register(app)
kernel.register(app)
schema.register(app)
completion.register(app)
capture.register(app)
trace.register(app)
compare.register(app)
repeats.register(app)
why.register(app)
dump.register(app)
plan.register(app)
accuracy.register(app)
isolate.register(app)
report.register(app)
cache.register(app)
fleet.register(app)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"trtlens {VERSION}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        Optional[bool],  # noqa: UP045  typer reads annotations at run time, on Python 3.10 too
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = None,
    debug: Annotated[bool, typer.Option(_DEBUG, help="Print the traceback of an error.")] = False,
    no_color: Annotated[
        bool, typer.Option(_NO_COLOR, help="Print without colours, as with NO_COLOR in the environment.")
    ] = False,
) -> None:
    """Reads what TensorRT says while it builds: precision, tactics, reformats, memory and time, layer by layer."""


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    arguments, debug = _without(_DEBUG, sys.argv[1:])
    arguments, is_plain = _without(_NO_COLOR, arguments)
    if is_plain:
        os.environ["NO_COLOR"] = "1"
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001  whatever it is, it becomes an exit code
        code = exit_code(error, debug=debug)
    sys.exit(code)


def _without(flag: str, arguments: Sequence[str]) -> tuple[list[str], bool]:
    """The arguments without a flag that may stand before or behind the command, and whether it was there."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    kept = [text for text in arguments[:end] if text != flag]
    return [*kept, *arguments[end:]], len(kept) < end


def _run(arguments: list[str]) -> int:
    """The exit code of the command; raises what it raised."""
    try:
        app(args=arguments)
    except SystemExit as end:
        if STOPS.received is not None:  # typer makes 130 of every signal
            raise KeyboardInterrupt from None
        cause = end.__context__.__cause__ if isinstance(end.__context__, typer.Abort) else end.__context__
        if isinstance(cause, (BrokenPipeError, EOFError)):  # typer makes 1 of them, which says that a check failed
            raise cause from None
        return end.code if isinstance(end.code, int) else 0
    return 0

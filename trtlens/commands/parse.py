"""The command ``parse``: what a log says at a glance, of one build in a few lines, of several in a table."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from trtlens.commands.read import BuildOption, FormatOption, opened_run, print_answers, run_of
from trtlens.errors import TrtlensError
from trtlens.output import Format, console, layout, print_table, visible, wrapped, write_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.runs.arguments import RunArgument
    from trtlens.runs.run import Run
    from trtlens.summary import BuildSummary

_LABEL = 13
_MORE = " …"
_SEVERITY_STYLES = {"internal error": "bold red", "error": "bold red", "warning": "yellow"}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(parse)


def parse(
    files: Annotated[
        list[str],
        typer.Argument(help="A verbose log (also .gz, .xz, .zst, or - for stdin), with JSON files of the same run."),
    ],
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", "-o", help="Save the run in this folder: its raw files and Parquet tables."),
    ] = None,
    build: BuildOption = None,
    unread: Annotated[
        bool,
        typer.Option("--unread", help="Show how the lines were read, with examples of those that were not understood."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a run that the folder already contains.")] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Summarise the builds in a log, or in several.

    JSON files of the same run are read with the log before them.
    """
    if out is not None:
        from trtlens.runs.run_folders import keep_run  # noqa: PLC0415

        keep_run(files, out, build=build, force=force)
        sys.stderr.write(f"run saved in {visible(str(out))}\n")
        files = [str(out)]
    from trtlens.runs.arguments import read_arguments  # noqa: PLC0415

    arguments = read_arguments(files)
    if len(arguments) > 1 and not unread:
        _parse_several(arguments, build, form)
    else:
        _print_parsed(opened_run(files, build), form, " ".join(files), unread=unread)


def _parse_several(arguments: Sequence[RunArgument], build: int | None, form: Format) -> None:
    """A row for each build of several runs; of one that cannot be read why."""
    from trtlens.runs.arguments import run_names  # noqa: PLC0415
    from trtlens.summary import summarise  # noqa: PLC0415
    from trtlens.summary.builds import BUILDS_LAYOUT, answer_of_builds, builds_table, unread_row  # noqa: PLC0415

    rows = []
    for name, argument in zip(run_names(arguments), arguments, strict=True):
        try:
            summaries = summarise(run_of(argument, build))
        except TrtlensError as error:
            rows.append(unread_row(name, str(error)))
            continue
        rows += [{**one.row, "run": name} for one in summaries if not one.is_calibration]
    if form is Format.TABLE:
        print_answers([answer_of_builds(rows)])
    write_table(builds_table(rows), form, BUILDS_LAYOUT)


def _print_parsed(run: Run, form: Format, typed: str, *, unread: bool) -> None:
    if unread:
        write_table(run["reading"], form, layout("kind lines examples file", stretches="file", prose="examples"))
    elif form is not Format.TABLE:
        write_table(run["builds"], form)
    else:
        print_run(run, typed)


def print_run(run: Run, typed: str | None = None) -> None:
    """Print what a run says at a glance: of one build a few lines, of several a table; and on stderr how to get what is missing.

    ``typed`` is how the user named it, for commands to copy.
    """
    from trtlens.summary import summarise  # noqa: PLC0415
    from trtlens.summary.builds import BUILDS_LAYOUT, answer_of_builds, builds_table  # noqa: PLC0415

    summaries = summarise(run)
    engines = [one for one in summaries if not one.is_calibration] or summaries
    if len(engines) == 1:
        _print_build(engines[0], [one for one in summaries if one is not engines[0]])
    else:
        rows = [one.row for one in engines]
        print_answers([answer_of_builds(rows)])
        print_table(builds_table(rows), BUILDS_LAYOUT)
        sys.stderr.write(f"trtlens parse {_named(run, typed)} --build {engines[-1].build} says more of one build\n")
    for note in summaries[-1].notes:
        _print_fact("note", note)
    _print_notes(run, _named(run, typed))


def _named(run: Run, typed: str | None) -> str:
    return visible(typed or str(run.path or run.name))


def _print_build(summary: BuildSummary, calibrations: Sequence[BuildSummary]) -> None:
    """The answer, what was built on what, the facts, and the messages that matter."""
    out = console()
    for line in wrapped(summary.answer):
        out.print(line, style="bold")
    calibrated = [f"calibrated by build {one.build}, lines {one.row['lines']}" for one in calibrations]
    out.print("\n".join(wrapped("; ".join([summary.title, *calibrated]))))
    for fact in summary.facts:
        _print_fact(fact.label, fact.value)
    for severity, code, count, text in summary.messages:
        first, *more = wrapped(f"{code}{f' x{count}' if count > 1 else ''}  {text}", _LABEL + len(_MORE))
        _print_fact(severity, f"{first}{_MORE if more else ''}", _SEVERITY_STYLES.get(severity, ""))


def _print_fact(label: str, text: str, style: str = "") -> None:
    """A label and its text, in lines of the terminal's width."""
    from rich.text import Text  # noqa: PLC0415

    for number, line in enumerate(wrapped(text, _LABEL)):
        console().print(Text.assemble((f"{'' if number else label:<{_LABEL}}", style), line))


def _print_notes(run: Run, name: str) -> None:
    from trtlens.engine.build_ending import line_counts, not_understood  # noqa: PLC0415

    unread = line_counts(run).get("unread", 0)
    if not_understood(run) is not None:
        return  # what is missing says nothing of the log
    if unread:
        lines = "line was" if unread == 1 else "lines were"
        sys.stderr.write(f"{unread:,} {lines} not understood: trtlens parse {name} --unread shows them\n")
    if not run["layers"].num_rows and not run["candidates"].num_rows and not _has_failed(run):
        sys.stderr.write(
            "no layers and no tactics: TensorRT prints them at verbose level only; build with trtexec --verbose "
            "(or trt.Logger.VERBOSE) and write stdout and stderr to one file: > build.log 2>&1\n"
        )


def _has_failed(run: Run) -> bool:
    """Whether a build of the run failed, or is mixed with another, so that no verbosity would have brought layers."""
    from trtlens.engine.build_ending import FAILED, MIXED, read_ending  # noqa: PLC0415

    endings = [read_ending(run, build) for build in run["builds"]["build"].to_pylist()]
    return any(ending is not None and ending.state in {FAILED, MIXED} for ending in endings)

"""Commands that show rows of one run, ``show`` and ``views``; and how a command opens the run that is named."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from trtlens.commands.layer_rows import LayerOption, MatchOption, fitting_rows
from trtlens.commands.row_choice import ColumnsOption, RowChoice, SortOption, TopOption, WideOption
from trtlens.errors import TrtlensError
from trtlens.layer_patterns import asked_pattern, listed
from trtlens.output import Format, console, layout, wrapped, write_table
from trtlens.runs.folders import check_place, write_document
from trtlens.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from trtlens.layer_patterns import LayerPattern
    from trtlens.runs.arguments import RunArgument
    from trtlens.runs.run import Run
    from trtlens.views import View

FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to write the rows.")]
BuildOption = Annotated[
    Optional[int],  # noqa: UP045  typer reads annotations at run time, on Python 3.10 too
    typer.Option("--build", help="Only this build of a log with several, from 1."),
]
_TABLE = "table:"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(show)
    app.command()(views)


def opened_run(paths: list[str], build: int | None) -> Run:
    """The one run that arguments name, or one build of it, which the JSON files then describe.

    Raises:
        TrtlensError: a file cannot be read, there is no such build, or several runs are named.

    """
    from trtlens.runs.arguments import read_arguments, run_names  # noqa: PLC0415

    arguments = read_arguments(paths)
    if len(arguments) > 1:
        raise TrtlensError(
            f"these files are {len(arguments)} runs ({listed(run_names(arguments))}): give one; trtlens parse lists several, compare and "
            "report take them beside one another"
        )
    return run_of(arguments[0], build)


def run_of(argument: RunArgument, build: int | None) -> Run:
    """The run that an argument names, or one build of it."""
    number = build if build is not None else argument.build
    run = replace(argument, build=number).open()
    return run if number is None else run.build(number)


def tell_empty(run: Run, view: str) -> None:
    """Say on stderr why a view has no rows."""
    _tell(f"{run.name} has no rows for {view}{_why_empty(run, view)}")


def _why_empty(run: Run, view: str) -> str:
    """Why a view has no rows: a build that gave no engine, else what the view needs."""
    from trtlens.engine.build_ending import FINISHED, NOT_SHOWN, read_ending  # noqa: PLC0415
    from trtlens.views import VIEWS  # noqa: PLC0415

    endings = [read_ending(run, build) for build in run["builds"]["build"].to_pylist()]
    told = [one.text for one in endings if one is not None and one.state not in {FINISHED, NOT_SHOWN}]
    why = told[-1] if told else VIEWS[view].empty if view in VIEWS else ""
    return f": {why}" if why else ""


def _tell(text: str) -> None:
    sys.stderr.write("\n".join(wrapped(text)) + "\n")


def show(
    view: Annotated[
        str,
        typer.Argument(
            help="The view or table to show (table:layers for the table of that name); `trtlens views` lists the views."
        ),
    ],
    run: Annotated[list[str], typer.Argument(help="A run folder, or a log with JSON files of the same run.")],
    build: BuildOption = None,
    layer: LayerOption = None,
    match: MatchOption = None,
    columns: ColumnsOption = None,
    sort: SortOption = None,
    top: TopOption = None,
    wide: WideOption = False,
    form: FormatOption = Format.TABLE,
    chart: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--chart", help="Write the view's chart to this HTML file instead of printing rows."),
    ] = None,
    on: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--on", help="With bound: estimate what the parts would take on this GPU, such as T4, by its data sheet."
        ),
    ] = None,
) -> None:
    """Print a view or a table of a run."""
    from trtlens.tables.declarations import TABLES  # noqa: PLC0415
    from trtlens.views import VIEWS  # noqa: PLC0415

    table = view.removeprefix(_TABLE) if view.startswith(_TABLE) or view not in VIEWS else None
    if table is not None and table not in TABLES:
        raise TrtlensError(_no_view(view, run, VIEWS, TABLES))
    pattern = asked_pattern(layer, match)
    choice = RowChoice(columns, sort, top, wide)
    if on is not None:
        if table is not None or view != "bound" or pattern is not None or chart is not None:
            raise TrtlensError(
                "--on estimates the view bound: trtlens show bound RUN --on GPU, without --layer, --match and --chart"
            )
        _print_estimates(opened_run(run, build), on, choice, form)
        return
    if chart is not None:
        if pattern is not None:
            raise TrtlensError("--chart draws all layers: leave out --layer and --match")
        check_place(chart)
    opened = opened_run(run, build)
    if chart is not None:
        write_chart(opened, view, chart)
        return
    rows = opened.view(view) if table is None else opened[table]
    if form is Format.TABLE and not rows.num_rows:
        tell_empty(opened, view)
    if pattern is not None:
        rows = _fitting(rows, pattern, view, form)
    if table is not None:
        choice.write(choice.rows(rows, None), form, None)
    else:
        _print_view(VIEWS[view], rows, choice, form, answers=pattern is None)


def _print_view(view: View, rows: pa.Table, choice: RowChoice, form: Format, *, answers: bool) -> None:
    """Rows of a view, for people behind what all of them say."""
    if form is Format.TABLE and answers:
        print_answers(view.answers(rows))
    choice.write(choice.rows(rows, view.largest_first), form, view.layout)


def _print_estimates(run: Run, gpu: str, choice: RowChoice, form: Format) -> None:
    from trtlens.limits.elsewhere import LAYOUT, estimates_on  # noqa: PLC0415
    from trtlens.views import VIEWS  # noqa: PLC0415

    rows, told = estimates_on(run, gpu)
    if form is Format.TABLE:
        print_answers(told or [VIEWS["bound"].empty])
    choice.write(choice.rows(rows, None), form, LAYOUT)


def _no_view(word: str, run: list[str], views: Iterable[str], tables: Iterable[str]) -> str:
    """What to say of a word that names no view and no table: a file stands there, another name is meant, or all names."""
    second = next((name for name in run if name in {*views, *tables}), None)
    if second is not None:
        paths = " ".join([word, *(name for name in run if name != second)])
        return f"there is no view {word!r}, and the view comes first: trtlens show {second} {paths}"
    hint = did_you_mean(word.removeprefix(_TABLE), [*views, *tables])
    if hint:
        return f"there is no view {word!r}: {hint}trtlens views lists them"
    return (
        f"there is no view {word!r}: choose one of {', '.join(views)}; or a table: {', '.join(tables)} "
        f"({_TABLE}layers for a table with the name of a view)"
    )


def print_answers(answers: Iterable[str]) -> None:
    """Print what a table's rows say, a sentence each, before the rows."""
    lines = [line for text in answers for line in wrapped(text)]
    out = console()
    for line in lines:
        out.print(line, style="bold")
    if lines:
        out.print()


def _fitting(rows: pa.Table, pattern: LayerPattern, view: str, form: Format) -> pa.Table:
    fitting = fitting_rows(rows, pattern, view)
    if rows.num_rows and not fitting.num_rows and form is Format.TABLE:
        _tell(f"none of {rows.num_rows} rows of {view} fits {pattern.text!r}")
    return fitting


def write_chart(run: Run, view: str, path: Path) -> None:
    """Write the chart of a view to an HTML file.

    Raises:
        TrtlensError: the view has none, the run lacks what it draws, or the file cannot be written.

    """
    from trtlens.charts import CHARTS, chart_of_view  # noqa: PLC0415
    from trtlens.charts.drawing.style import with_title  # noqa: PLC0415
    from trtlens.report.chart_page import chart_page  # noqa: PLC0415
    from trtlens.report.subject import read_subject  # noqa: PLC0415

    found = chart_of_view(view)
    if found is None:
        drawn = sorted({name for one in CHARTS.values() for name in one.views})
        raise TrtlensError(
            f"there is no chart of {view}: choose one of {', '.join(drawn)}; or make all charts with trtlens report"
        )
    subject = read_subject(run)
    write_document(path, chart_page(with_title(found.draw(subject.run), f"{found.title}, {subject.name}")))
    sys.stderr.write(f"chart written to {path}\n")


def views(form: FormatOption = Format.TABLE) -> None:
    """List the views with their questions."""
    from trtlens.commands.printed_rows import VIEW_LIST  # noqa: PLC0415
    from trtlens.views import VIEWS  # noqa: PLC0415

    rows = {"view": [view.name for view in VIEWS.values()], "question": [view.question for view in VIEWS.values()]}
    write_table(VIEW_LIST.table(rows), form, layout("view question", prose="question"))

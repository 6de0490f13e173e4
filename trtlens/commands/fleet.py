"""Commands over many runs: ``fleet add``, ``ask``, ``sql``, ``shell``, ``check``, ``report``, ``compact``, ``refresh``."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from trtlens.commands.help import Application, Subcommands
from trtlens.commands.read import FormatOption  # noqa: TC001  typer reads it at run time
from trtlens.errors import TrtlensError
from trtlens.output import Format, Layout, visible, write_table
from trtlens.quantities import byte_size, clock_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from trtlens.fleet.batches import Added
    from trtlens.fleet.sources import Source

_MOST_NAMED = 5
_MANY_BATCHES = 64
_SECONDS_BETWEEN = 5.0
_STRETCHING = ("settings", "example", "reason", "runner")
"""Columns of questions that are cut where the terminal is narrow; the first that an answer has."""
FleetArgument = Annotated[str, typer.Argument(help="The fleet: a folder, or an address such as s3://bucket/fleet.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    commands = Application(
        name="fleet",
        cls=Subcommands,
        help="Keep many runs in one dataset, and ask it questions.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    for command in (add, ask, questions, sql, shell, check, report, compact, refresh):
        commands.command()(command)
    app.add_typer(commands)


def add(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Logs, globs, folders, tar and zip archives, s3:// and gs:// addresses; files of one run joined by commas."
        ),
    ],
    to: Annotated[str, typer.Option("--to", help="The fleet, which is made where there is none.")],
    scheduler: Annotated[
        Optional[str],  # noqa: UP045  typer reads annotations at run time, on Python 3.10 too
        typer.Option(
            "--scheduler", help="Address of a running Dask scheduler, as tcp://host:8786; default: processes here."
        ),
    ] = None,
    processes: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--processes", min=1, help="Processes here, by default one for each core."),
    ] = None,
    label: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--label",
            help="NAME=TEXT, kept with each run; machine, model and gpu stand in for what a log does not say.",
        ),
    ] = None,
    path_labels: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--path-labels", help="Labels within the paths, as '{machine}/{branch}/*.log'."),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw/--no-raw", help="Keep the logs, compressed, in the fleet.")] = True,
) -> None:
    """Add logs to a fleet; those that it has are left out, a broken one is kept as a row with the reason."""
    from trtlens.fleet.batches import Adding  # noqa: PLC0415  they load pyarrow and pandas
    from trtlens.fleet.filling import Workers, absolute, fill  # noqa: PLC0415
    from trtlens.fleet.sources import find_sources, read_labels  # noqa: PLC0415
    from trtlens.fleet.store import Place, is_url  # noqa: PLC0415

    adding = Adding(read_labels(label or []), path_labels, raw)
    sources = absolute(find_sources(paths))
    place = Place(to if is_url(to) else str(Path(to).absolute()))
    with _shown(sources) as report:
        added = fill(place, sources, adding, Workers(scheduler, processes), report)
    _tell(added, to)
    batches = len(place.names("batches"))
    if batches > _MANY_BATCHES:
        sys.stderr.write(
            f"{batches:,} batches: questions are answered faster after trtlens fleet compact {visible(to)}\n"
        )
    if added.unread:
        raise TrtlensError(f"{len(added.unread)} of {len(sources)} could not be read; all others are in the fleet")


@contextmanager
def _shown(sources: Sequence[Source]) -> Iterator[Callable[[Added], None]]:
    """Tells on stderr how far it is, how fast it goes and how long it takes yet, every few seconds."""
    whole, start = sum(source.bytes for source in sources), time.monotonic()
    state = {"bytes": 0, "runs": 0, "told": start}

    def report(added: Added) -> None:
        state["bytes"] += added.bytes
        state["runs"] += len(added.runs) + added.known + len(added.unread)
        now = time.monotonic()
        if state["runs"] < len(sources) and now - state["told"] < _SECONDS_BETWEEN:
            return
        state["told"] = now
        rate = state["bytes"] / max(now - start, 0.001)
        left = f", {clock_text((whole - state['bytes']) / rate)} left" if rate else ""
        sys.stderr.write(
            f"{int(state['runs']):,} of {len(sources):,} logs, {byte_size(state['bytes'])} of {byte_size(whole)}, "
            f"{byte_size(rate)}/s{left}\n"
        )

    yield report


def _tell(added: Added, to: str) -> None:
    broken = f", {len(added.broken):,} of them broken (trtlens fleet ask broken {visible(to)})" if added.broken else ""
    sys.stderr.write(f"{len(added.runs):,} runs added{broken}; {added.known:,} were known\n")
    for text in [*added.broken[:_MOST_NAMED], *added.unread[:_MOST_NAMED]]:
        sys.stderr.write(f"  {visible(text)}\n")


def ask(
    question: Annotated[str, typer.Argument(help="The question; `trtlens fleet questions` lists them.")],
    fleet: FleetArgument,
    form: FormatOption = Format.TABLE,
    chart: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--chart", help="Write the question's chart to this HTML file instead of printing rows."),
    ] = None,
) -> None:
    """Answer a question from all runs."""
    from trtlens.fleet.fleet import open_fleet  # noqa: PLC0415

    rows = open_fleet(fleet).ask(question)
    if chart is None:
        _write(question, rows, form)
        return
    from trtlens.fleet.page import chart as drawn  # noqa: PLC0415
    from trtlens.report.chart_page import chart_page  # noqa: PLC0415
    from trtlens.runs.folders import write_document  # noqa: PLC0415

    write_document(chart, chart_page(drawn(question, rows)))
    sys.stderr.write(f"chart written to {chart}\n")


def _write(question: str, rows: pa.Table, form: Format) -> None:
    """Write an answer; where a terminal is narrow, what the question's chart draws stays longest."""
    from trtlens.fleet.questions import QUESTIONS  # noqa: PLC0415

    drawn = [name for name in (QUESTIONS[question].chart or ())[1:] if name is not None]
    stretches = next((name for name in _STRETCHING if name in rows.column_names), None)
    write_table(rows, form, Layout(tuple(dict.fromkeys([*drawn, *rows.column_names])), stretches))


def questions(form: FormatOption = Format.TABLE) -> None:
    """List the questions."""
    from trtlens.commands.printed_rows import QUESTION_LIST  # noqa: PLC0415
    from trtlens.fleet.questions import QUESTIONS  # noqa: PLC0415

    rows = {"question": list(QUESTIONS), "asks": [one.text for one in QUESTIONS.values()]}
    write_table(QUESTION_LIST.table(rows), form)


def sql(
    query: Annotated[
        str, typer.Argument(help="A query in DuckDB's SQL; tables are those of docs/tables.md, with run_id.")
    ],
    fleet: FleetArgument,
    form: FormatOption = Format.TABLE,
) -> None:
    """Print the rows of a query."""
    from trtlens.fleet.fleet import open_fleet  # noqa: PLC0415

    write_table(open_fleet(fleet).sql(query), form)


def shell(fleet: FleetArgument, form: FormatOption = Format.TABLE) -> None:
    """Ask query after query: each ends with a semicolon; .tables, .columns TABLE and .quit are known too."""
    from trtlens.fleet.fleet import ask_duckdb, open_fleet  # noqa: PLC0415

    connection = open_fleet(fleet).connect()
    query = ""
    sys.stderr.write("DuckDB over the fleet; queries end with ;  -- .tables, .columns TABLE, .quit\n")
    for line in sys.stdin:
        query += line
        if query.strip() == ".quit":
            return
        if not (query.strip().startswith(".") or query.rstrip().endswith(";")):
            continue
        try:
            write_table(
                _described(query.strip()) if query.strip().startswith(".") else ask_duckdb(connection, query), form
            )
        except TrtlensError as error:
            sys.stderr.write(f"{visible(str(error))}\n")
        query = ""


def _described(command: str) -> pa.Table:
    """The tables, or the columns of one, with what they mean."""
    import pyarrow as pa  # noqa: PLC0415

    from trtlens.fleet.tables import FLEET_TABLES, TRT  # noqa: PLC0415

    word, _, name = command.rstrip(";").partition(" ")
    if word == ".tables":
        return pa.table({"table": list(FLEET_TABLES), "one row is": [spec.doc for spec in FLEET_TABLES.values()]})
    if word != ".columns" or name.strip() not in FLEET_TABLES:
        raise TrtlensError(f"{command!r} is not known: .tables, .columns TABLE, .quit, or a query that ends with ;")
    columns = [*FLEET_TABLES[name.strip()].columns, TRT]
    return pa.table({
        "column": [one.name for one in columns], "type": [one.type for one in columns],
        "unit": [one.unit for one in columns], "meaning": [one.doc for one in columns],
    })  # fmt: skip


def check(
    fleet: FleetArgument,
    fail_on: Annotated[
        list[str],
        typer.Option(
            "--fail-on", help="QUESTION: COLUMN OPERATOR LIMIT and ..., as 'regressions: step_percent > 3 and latest'."
        ),
    ],
    form: FormatOption = Format.TABLE,
) -> None:
    """Exit with 1 if a row of a question meets a condition, for CI; the rows that do are printed.

    Formats for programs hold those of all conditions in one table, with the condition first.
    """
    from trtlens.fleet.fleet import open_fleet  # noqa: PLC0415
    from trtlens.fleet.gate import judge, read_condition  # noqa: PLC0415

    conditions = [read_condition(text) for text in fail_on]
    opened = open_fleet(fleet)
    found: list[pa.Table] = []
    for condition in conditions:
        answer = opened.ask(condition.question)
        judged = judge(condition, answer)
        if judged.breaches:
            rows = answer.take(list(judged.breaches))
            found.append(_of_condition(condition.text, rows))
            if form is Format.TABLE:
                _write(condition.question, rows, form)
        unknown = f", {judged.unknown:,} unknown, not judged" if judged.unknown else ""
        state = f"breach: {len(judged.breaches):,} rows" if judged.breaches else "passed"
        sys.stderr.write(f"{state}{unknown}: {visible(condition.text)}\n")
    if form is not Format.TABLE:
        write_table(_joined(found), form)
    if found:
        raise typer.Exit(1)


def _of_condition(text: str, rows: pa.Table) -> pa.Table:
    """Rows of a question with the condition that they meet before them."""
    import pyarrow as pa  # noqa: PLC0415

    return rows.add_column(0, "condition", pa.array([text] * rows.num_rows, pa.string()))


def _joined(found: Sequence[pa.Table]) -> pa.Table:
    """The rows of all conditions under one another; a column that a question lacks is null."""
    import pyarrow as pa  # noqa: PLC0415

    from trtlens.commands.printed_rows import FLEET_CHECK  # noqa: PLC0415

    return pa.concat_tables([FLEET_CHECK.empty(), *found], promote_options="permissive")


def report(
    fleet: FleetArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="The HTML file to write.")],
) -> None:
    """Write one HTML page: series, steps, models, and what is left out."""
    from trtlens.fleet.fleet import open_fleet  # noqa: PLC0415
    from trtlens.fleet.page import fleet_page  # noqa: PLC0415
    from trtlens.runs.folders import check_place, write_document  # noqa: PLC0415

    check_place(out)
    write_document(out, fleet_page(open_fleet(fleet)))
    sys.stderr.write(f"report written to {out}\n")


def compact(fleet: FleetArgument) -> None:
    """Merge small batches, and remove what killed writers and earlier merges left more than a day ago."""
    from trtlens.fleet.store import Place  # noqa: PLC0415
    from trtlens.fleet.upkeep import compact as merged  # noqa: PLC0415

    done = merged(Place(fleet))
    sys.stderr.write(f"{done.before:,} batches are {done.after:,} now; {done.removed:,} old files removed\n")


def refresh(fleet: FleetArgument) -> None:
    """Read the logs again that an older trtlens read."""
    from trtlens.fleet.store import Place  # noqa: PLC0415
    from trtlens.fleet.upkeep import refresh as read_again  # noqa: PLC0415

    done = read_again(Place(fleet), lambda some, of: sys.stderr.write(f"{some:,} of {of:,} runs\n"))
    sys.stderr.write(f"{done.runs:,} runs read again; {len(done.missing):,} stay as they are\n")
    for text in done.missing[:_MOST_NAMED]:
        sys.stderr.write(f"  {visible(text)}\n")

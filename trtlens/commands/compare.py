"""The command ``compare``: runs of one model compared, and checks for CI."""

from __future__ import annotations

import sys
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from trtlens.commands.layer_rows import LayerOption, MatchOption  # noqa: TC001  typer reads annotations at run time
from trtlens.commands.markdown import comment, markdown_table
from trtlens.errors import TrtlensError
from trtlens.layer_patterns import asked_pattern
from trtlens.output import Format, Layout, console, layout, print_table, visible, wrapped, write_table

if TYPE_CHECKING:
    import pyarrow as pa

    from trtlens.comparison.comparison import Comparison
    from trtlens.comparison.gate import Outcome
    from trtlens.comparison.headlines import Section
    from trtlens.runs.arguments import RunArgument

_INDENT = 2


class CompareFormat(str, Enum):
    """Formats of ``compare``; ``markdown`` is for a comment on a pull request."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    CSV = "csv"
    PARQUET = "parquet"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(compare)


def compare(
    runs: Annotated[
        Optional[list[str]],  # noqa: UP045  typer reads annotations at run time, on Python 3.10 too
        typer.Argument(
            help="Runs of one model: run folders or logs; files of one run joined by commas (verbose.log,layers.json,"
            "layer-times.json); LOG@2 is the second build of a log. The first run is the baseline."
        ),
    ] = None,
    baseline: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--baseline", help="The run to compare the others with: as typed, its name, or its position from 1."
        ),
    ] = None,
    regions: Annotated[
        bool,
        typer.Option(
            "--regions",
            help="Show every region; json, csv and parquet then have a row for each region instead of each change.",
        ),
    ] = False,
    top: Annotated[int, typer.Option("--top", min=0, help="Number of changes in table and markdown; 0 for all.")] = 15,
    layer: LayerOption = None,
    match: MatchOption = None,
    fail_on: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--fail-on", help="Exit with 1 if this is true, such as 'latency > +3%'; may be given several times."
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Also exit with 1 if a check cannot be judged.")] = False,
    form: Annotated[
        CompareFormat, typer.Option("--format", "-f", help="How to write the result.")
    ] = CompareFormat.TABLE,
    list_quantities: Annotated[
        bool, typer.Option("--list-quantities", help="List the quantities that --fail-on can check, and exit.")
    ] = False,
) -> None:
    """Compare runs of one model.

    They may differ in precision, TensorRT version or build.
    """
    if list_quantities:
        _list_quantities(form)
        return
    from trtlens.commands.plan_comparison import compare_plans, plans_among  # noqa: PLC0415
    from trtlens.comparison.gate import judge_checks, read_check  # noqa: PLC0415
    from trtlens.runs.arguments import read_arguments  # noqa: PLC0415

    checks = [read_check(text) for text in fail_on or ()]
    pattern = asked_pattern(layer, match)
    arguments = read_arguments(runs or [])
    if plans := plans_among(arguments):
        if checks or pattern is not None or regions or baseline is not None:
            raise TrtlensError(
                "plans have no layers and no settings: compare them without --fail-on, --layer, --match, --regions and --baseline"
            )
        compare_plans(arguments, plans, form.value)
        return
    comparison = _compare(arguments, baseline)
    outcomes = judge_checks(comparison, checks)
    shown = comparison if pattern is None else comparison.of_layers(pattern.fits)
    _write(shown, outcomes, form, regions=regions, top=top, whole=pattern is None)
    _finish(outcomes, strict=strict)


def _write(
    comparison: Comparison, outcomes: list[Outcome], form: CompareFormat, *, regions: bool, top: int, whole: bool
) -> None:
    """Write the comparison, of the layers that were asked for where it is not ``whole``: of those each region is shown."""
    if form is CompareFormat.MARKDOWN:
        sys.stdout.write(comment(comparison, outcomes, regions=regions or not whole, top=top, whole=whole))
    elif form is CompareFormat.TABLE:
        _print(comparison, regions=regions or not whole, top=top, whole=whole)
    else:
        write_table(_table(comparison, regions=regions, whole=whole), Format(form.value))


def _compare(arguments: list[RunArgument], baseline: str | None) -> Comparison:
    from trtlens.comparison import compare_runs  # noqa: PLC0415
    from trtlens.runs.arguments import run_names  # noqa: PLC0415

    names = run_names(arguments)
    place = 0 if baseline is None else _place(baseline, arguments, names)
    opened = [argument.open() for argument in arguments]
    return compare_runs(opened, names=names, builds=[argument.build for argument in arguments], baseline=place)


def _place(wanted: str, arguments: list[RunArgument], names: list[str]) -> int:
    for place, (argument, name) in enumerate(zip(arguments, names, strict=True)):
        if wanted in {argument.text, name, str(place + 1)}:
            return place
    raise TrtlensError(f"the baseline {wanted!r} is none of the runs: choose one of {', '.join(names)}")


def _table(comparison: Comparison, *, regions: bool, whole: bool) -> pa.Table:
    from trtlens.comparison.changes import SETTING, WHOLE_RUN  # noqa: PLC0415
    from trtlens.comparison.result_tables import change_table, region_table  # noqa: PLC0415

    if regions:
        return region_table(comparison)
    changes = change_table(comparison)
    parts = [kind not in {SETTING, *WHOLE_RUN} for kind in changes["kind"].to_pylist()]
    return changes if whole else changes.filter(parts)


def _list_quantities(form: CompareFormat) -> None:
    from trtlens.commands.printed_rows import QUANTITIES as COLUMNS  # noqa: PLC0415
    from trtlens.comparison.quantities import QUANTITIES  # noqa: PLC0415

    rows = [(quantity.name, quantity.unit, quantity.doc) for quantity in QUANTITIES.values()]
    headings = ("quantity", "unit", "meaning")
    if form is CompareFormat.MARKDOWN:
        sys.stdout.write(markdown_table(headings, rows))
    else:
        table = COLUMNS.table(dict(zip(headings, zip(*rows, strict=True), strict=True)))
        write_table(table, Format(form.value), layout("quantity unit meaning", prose="meaning"))


def _finish(outcomes: list[Outcome], *, strict: bool) -> None:
    """One line for each breach and each check that could not be judged; exit code 1 where they count."""
    from trtlens.comparison.gate import BREACH, UNKNOWN  # noqa: PLC0415

    counting = {BREACH, UNKNOWN} if strict else {BREACH}
    for outcome in outcomes:
        if outcome.state in {BREACH, UNKNOWN}:
            sys.stderr.write(f"{visible(outcome.line)}\n")
    if any(outcome.state in counting for outcome in outcomes):
        raise typer.Exit(1)


# -- on a terminal -------------------------------------------------------------------------------------------------


def _print(comparison: Comparison, *, regions: bool, top: int, whole: bool) -> None:
    """Sentences, changes, settings and regions; of chosen layers (not ``whole``) their changes and regions alone."""
    from trtlens.comparison.headlines import tell  # noqa: PLC0415
    from trtlens.comparison.result_tables import (  # noqa: PLC0415
        CHANGE_COLUMNS,
        CHANGE_LAYOUT,
        change_columns,
        changes_shown,
        settings_table,
        side_by_side,
        side_by_side_layout,
    )

    for section in tell(comparison) if whole else ():
        _print_section(section)
    rows, hidden = changes_shown(comparison, top)
    if rows:
        print_table(CHANGE_COLUMNS.table(change_columns(comparison, rows)), CHANGE_LAYOUT, title="Changes")
    if hidden:
        sys.stdout.write(f"{hidden} more changes: --top 0 shows all\n\n")
    settings = settings_table(comparison)
    if whole and settings.num_rows:
        names = tuple(settings.column_names)
        print_table(settings, Layout(names, "setting", prose=frozenset(names[1:])), title="Settings that differ")
    if regions:
        print_table(side_by_side(comparison), side_by_side_layout(comparison), title="Regions")


def _print_section(section: Section) -> None:
    from rich.text import Text  # noqa: PLC0415

    out = console()
    out.print(Text(visible(section.title), style="bold"))
    for sentence in section.sentences:
        for place, line in enumerate(wrapped(sentence, 2 * _INDENT)):
            out.print(Text(("- " if place == 0 else "  ").rjust(_INDENT + 2) + line))
    out.print()

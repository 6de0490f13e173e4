"""The command ``schema``: what the rows of a command look like in JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from trtlens.errors import TrtlensError
from trtlens.suggestions import did_you_mean

if TYPE_CHECKING:
    from trtlens.tables.schema import TableSpec

OPEN = frozenset({"fleet check", "fleet sql", "fleet shell"})
"""Rows that have further columns: those of the question or query that was asked."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(context_settings={"ignore_unknown_options": True})(schema)  # names have options in them: why --all


def schema(
    view: Annotated[
        Optional[list[str]],  # noqa: UP045  typer reads annotations at run time, on Python 3.10 too
        typer.Argument(
            help="A view, a table (table:layers for the table of that name), or a command as the list has it."
        ),
    ] = None,
) -> None:
    """Print the JSON Schema of what --format json writes.

    Of a view, a table, or another command, such as cache show. Without a name, list the names.
    """
    from trtlens.tables.json_schema import json_schema  # noqa: PLC0415

    known = declared_rows()
    if not view:
        sys.stdout.write("".join(f"{name}\n" for name in known))
        return
    name = " ".join(view)
    if name not in known:
        raise TrtlensError(f"there is no schema of {name!r}: {did_you_mean(name, known)}trtlens schema lists the names")
    document = json_schema(name, known[name], is_open=name in OPEN)
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def declared_rows() -> dict[str, TableSpec]:
    """Every kind of row that ``--format json`` writes, by the view's or table's name, or by the command that writes it."""
    from trtlens.tables.declarations import TABLES  # noqa: PLC0415
    from trtlens.views import VIEWS  # noqa: PLC0415

    views = {name: view.columns for name, view in VIEWS.items()}
    tables = {name: spec for name, spec in TABLES.items() if name not in views}
    answers, listed = _rows_of_answers(), _rows_of_lists()
    return {**views, **answers, **listed, **tables, **{f"table:{name}": spec for name, spec in TABLES.items()}}


def _rows_of_answers() -> dict[str, TableSpec]:
    """Rows about runs, by the command."""
    from trtlens.commands.cure_told import COLUMNS as CURE  # noqa: PLC0415
    from trtlens.commands.region_errors import COLUMNS as BLAME  # noqa: PLC0415
    from trtlens.commands.repeats_display import COLUMNS as REPEATS  # noqa: PLC0415
    from trtlens.comparison.result_tables import CHANGE_COLUMNS, REGION_COLUMNS  # noqa: PLC0415
    from trtlens.explain.ranking import COLUMNS as RANKING  # noqa: PLC0415
    from trtlens.limits.elsewhere import COLUMNS as ESTIMATES  # noqa: PLC0415
    from trtlens.plan.against import COLUMNS as PLANS  # noqa: PLC0415
    from trtlens.plan.told import COLUMNS as PLAN  # noqa: PLC0415
    from trtlens.summary.builds import BUILDS  # noqa: PLC0415
    from trtlens.tables.declarations import TABLES  # noqa: PLC0415
    from trtlens.views import VIEWS  # noqa: PLC0415

    return {
        "parse": TABLES["builds"], "parse of several runs": BUILDS, "parse --unread": TABLES["reading"], "why --all": RANKING,
        "compare": CHANGE_COLUMNS, "compare --regions": REGION_COLUMNS, "compare of two plans": PLANS, "show bound --on": ESTIMATES, "repeats": REPEATS, "plan": PLAN,
        "accuracy A B": _of_runs(VIEWS["accuracy"].columns), "accuracy A B --pins": _of_runs(VIEWS["pins"].columns),
        "accuracy A B --blame": _of_runs(BLAME), "isolate": CURE,
    }  # fmt: skip


def _rows_of_lists() -> dict[str, TableSpec]:
    """Rows about other things: kernels' names, this installation, timing caches, models, fleets."""
    from trtlens.commands import printed_rows as rows  # noqa: PLC0415
    from trtlens.fleet.questions import QUESTIONS  # noqa: PLC0415

    specs = (
        rows.KERNEL, rows.VIEW_LIST, rows.QUANTITIES, rows.DOCTOR, rows.DUMP_LIST, rows.CACHE_ENTRIES, rows.CACHE_DIFFERENCES,
        rows.CACHE_CHECK, rows.PINNED, rows.QUESTION_LIST, rows.FLEET_CHECK, rows.QUERY, *(one.rows for one in QUESTIONS.values()),
    )  # fmt: skip
    return {**{spec.name: spec for spec in specs}, "fleet shell": rows.QUERY}


def _of_runs(spec: TableSpec) -> TableSpec:
    """The rows of several runs under one another, with the run's name first."""
    from trtlens.tables.schema import Column  # noqa: PLC0415

    name = Column("run", "text", None, "the run that was held against the reference")
    return replace(spec, columns=(name, *spec.columns))

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


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(schema)


def schema(
    view: Annotated[
        Optional[str],  # noqa: UP045  typer reads annotations at run time, on Python 3.10 too
        typer.Argument(help="A view, a table (table:layers for the table of that name), or another name of the list."),
    ] = None,
) -> None:
    """Print the JSON Schema of a view's --format json.

    Without a view, list the names.
    """
    from trtlens.tables.json_schema import json_schema  # noqa: PLC0415

    known = declared_rows()
    if view is None:
        sys.stdout.write("".join(f"{name}\n" for name in known))
        return
    if view not in known:
        raise TrtlensError(f"there is no schema of {view!r}: {did_you_mean(view, known)}trtlens schema lists the names")
    sys.stdout.write(json.dumps(json_schema(view, known[view]), indent=2, ensure_ascii=False) + "\n")


def declared_rows() -> dict[str, TableSpec]:
    """Every kind of row that ``--format json`` writes, by the view's or table's name, or by the command that writes it."""
    from trtlens.commands.cure_told import COLUMNS as CURE  # noqa: PLC0415
    from trtlens.commands.region_errors import COLUMNS as BLAME  # noqa: PLC0415
    from trtlens.comparison.result_tables import CHANGE_COLUMNS, REGION_COLUMNS  # noqa: PLC0415
    from trtlens.explain.ranking import COLUMNS as RANKING  # noqa: PLC0415
    from trtlens.limits.elsewhere import COLUMNS as ESTIMATES  # noqa: PLC0415
    from trtlens.plan.told import COLUMNS as PLAN  # noqa: PLC0415
    from trtlens.summary.builds import BUILDS  # noqa: PLC0415
    from trtlens.tables.declarations import TABLES  # noqa: PLC0415
    from trtlens.views import VIEWS  # noqa: PLC0415

    views = {name: view.columns for name, view in VIEWS.items()}
    commands = {
        "parse": TABLES["builds"], "parse of several runs": BUILDS, "why --all": RANKING, "compare": CHANGE_COLUMNS,
        "compare --regions": REGION_COLUMNS, "show bound --on": ESTIMATES, "plan": PLAN,
        "accuracy A B": _of_runs(views["accuracy"]), "accuracy A B --pins": _of_runs(views["pins"]),
        "accuracy A B --blame": _of_runs(BLAME), "isolate": CURE,
    }  # fmt: skip
    tables = {name: spec for name, spec in TABLES.items() if name not in views}
    return {**views, **commands, **tables, **{f"table:{name}": spec for name, spec in TABLES.items()}}


def _of_runs(spec: TableSpec) -> TableSpec:
    """The rows of several runs under one another, with the run's name first."""
    from trtlens.tables.schema import Column  # noqa: PLC0415

    name = Column("run", "text", None, "the run that was held against the reference")
    return replace(spec, columns=(name, *spec.columns))

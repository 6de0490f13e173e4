"""The command ``kernel``: what a kernel's name means."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from trtlens.commands.read import FormatOption  # noqa: TC001  typer reads it at run time
from trtlens.output import Format, write_table

if TYPE_CHECKING:
    import pyarrow as pa


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(kernel)


def kernel(
    names: Annotated[list[str], typer.Argument(help="Kernel or tactic names; - reads them from stdin, one a line.")],
    form: FormatOption = Format.TABLE,
) -> None:
    """Decode kernel names.

    Says the precision and core type of a kernel, and which part of its name shows them.
    """
    listed = [line for name in names for line in (_stdin_lines() if name == "-" else [name])]
    write_table(_table(listed), form)


def _stdin_lines() -> list[str]:
    return [line.strip() for line in sys.stdin.read().split("\n") if line.strip()]


def _table(names: list[str]) -> pa.Table:
    import dataclasses  # noqa: PLC0415

    import pyarrow as pa  # noqa: PLC0415

    from trtlens_parsers.kernels import Kernel, read_kernel  # noqa: PLC0415

    first = ("name", "family", "precision", "unit", "unit_reason", "evidence", "rule")
    fields = [*first, *(field.name for field in dataclasses.fields(Kernel) if field.name not in first)]
    kernels = [read_kernel(name) for name in names]
    return pa.table({field: pa.array([_plain(getattr(k, field)) for k in kernels]) for field in fields})


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value

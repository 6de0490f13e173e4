"""The options ``--columns``, ``--sort``, ``--top`` and ``--wide`` of commands that print tables, and what they make of rows."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from trtlens.errors import TrtlensError
from trtlens.output import Format, left_out, plain_layout, print_table, wrapped, write_table
from trtlens.suggestions import did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

    from trtlens.output import Layout

ColumnsOption = Annotated[
    Optional[str],  # noqa: UP045  typer reads annotations at run time, on Python 3.10 too
    typer.Option("--columns", metavar="A,B,...", help="These columns, in this order."),
]
SortOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--sort", metavar="COLUMN", help="Sort by a column: numbers with the largest first, texts by alphabet."
    ),
]
TopOption = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(
        "--top", min=1, help="Only so many rows: the largest by --sort, else by the view's time, else the first."
    ),
]
WideOption = Annotated[bool, typer.Option("--wide", help="Every column and row in full, however long the lines are.")]


@dataclass(frozen=True, slots=True)
class RowChoice:
    """Which rows and columns of a table are asked for, and in which order; nothing for those that the view shows."""

    columns: str | None = None
    sort: str | None = None
    top: int | None = None
    wide: bool = False

    def rows(self, table: pa.Table, largest_first: str | None = None) -> pa.Table:
        """The rows and columns that are asked for; ``largest_first`` is by what the top is chosen without ``--sort``.

        Raises:
            TrtlensError: the table has no such column.

        """
        sort = self.sort or (largest_first if self.top else None)
        table = table if sort is None else _sorted(table, _known(table, sort))
        table = table if self.top is None else table.slice(0, self.top)
        return (
            table
            if self.columns is None
            else table.select([_known(table, name.strip()) for name in self.columns.split(",")])
        )

    def layout(self, table: pa.Table, layout: Layout | None) -> Layout:
        """The layout of the view for these rows: the columns that were asked for, and rows fold in the view's own order alone."""
        layout = layout or plain_layout(table)
        shown = tuple(table.column_names) if self.columns is not None else layout.shown
        is_own_order = self.columns is None and self.sort is None and self.top is None
        return replace(layout, shown=shown, fold=layout.fold if is_own_order else None)

    def write(self, table: pa.Table, form: Format, layout: Layout | None) -> None:
        """Write rows (of `rows`), and on stderr which columns are left out of a table for people."""
        if form is not Format.TABLE:
            write_table(table, form)
            return
        shown = self.layout(table, layout)
        print_table(table, shown, everything=self.wide)
        hidden = [] if self.wide or self.columns is not None else left_out(table, shown)
        if hidden:
            text = f"{len(hidden)} more column{'s' if len(hidden) > 1 else ''}: --wide, or --columns with some of {', '.join(hidden)}"
            sys.stderr.write("\n".join(wrapped(text)) + "\n")


def _known(table: pa.Table, name: str) -> str:
    if name not in table.column_names:
        hint = did_you_mean(name, table.column_names)
        raise TrtlensError(f"there is no column {name!r}: {hint}choose from {', '.join(table.column_names)}")
    return name


def _sorted(table: pa.Table, name: str) -> pa.Table:
    """Rows sorted by a column, unknown last; rows that are equal stay in their order."""
    values = table[name].to_pylist()
    known = [place for place, value in enumerate(values) if value is not None]
    is_number = bool(known) and isinstance(values[known[0]], (int, float))
    known.sort(key=lambda place: -values[place] if is_number else values[place])
    return table.take(known + [place for place, value in enumerate(values) if value is None])

"""Tables on a terminal: columns by importance, none below the width it needs, and no line wider than the terminal."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from trtlens.output.colours import PRECISION_COLOURS, on_any_ground
from trtlens.output.columns import ShownColumn, shown_column, worth_showing
from trtlens.output.formats import Format, write_rows
from trtlens.output.layout import Folded, Layout, folded
from trtlens.output.text import cell_width, console, line_width, shorten, wrapped_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from rich.text import Text

_LEAST_NAME = 35
"""Characters that a column of names has at least."""
_LEAST_TEXT = 24
"""Characters that a column of other texts has at least, if they have as many."""
_LEAST_PROSE = 30
_GAP = "  "
_BUILD = "build"
"""The column that is shown first wherever it tells builds apart."""
_NAMES = ("name", "layer", "tensor", "node", "kernel", "tactic_name", "text")
"""Columns that may hold names, in a table that declares no layout; the first that it has stretches."""


class Line(NamedTuple):
    """One line of a table: texts with the style of each, and the style of the whole."""

    parts: list[tuple[str, str]]
    style: str

    @property
    def plain(self) -> str:
        """The line without styles."""
        return "".join(text for text, _ in self.parts).rstrip()

    def styled(self) -> Text:
        """The line as rich prints it."""
        from rich.text import Text  # noqa: PLC0415

        line = Text.assemble(*self.parts, style=self.style)
        line.rstrip()
        return line


def write_table(table: pa.Table, form: Format, layout: Layout | None = None, *, title: str | None = None) -> None:
    """Write rows to standard output: in a layout for people, or whole in a format for programs.

    Raises:
        TrtlensError: Parquet, which is binary, would go to a terminal.

    """
    if form is Format.TABLE:
        print_table(table, layout, title=title)
    else:
        write_rows(table, form)


def print_table(
    table: pa.Table, layout: Layout | None = None, *, title: str | None = None, everything: bool = False
) -> None:
    """Print rows in columns that fit the terminal, or (``everything``) each column and row in full."""
    out = console()
    lines = table_lines(table, layout or plain_layout(table), None if everything else line_width())
    if title is not None:
        out.print(title, style="italic")
    if not lines:
        out.print("no rows")
    elif out.is_terminal:
        for line in lines:
            out.print(line.styled())
    else:
        out.file.writelines(f"{line.plain}\n" for line in lines)


def left_out(table: pa.Table, layout: Layout) -> list[str]:
    """Names of columns with values that the layout does not show at this width."""
    shown = {column.name for column in columns_at(table, layout, line_width())[0]}
    return [name for name in table.column_names if worth_showing(name, table) and name not in shown]


def plain_layout(table: pa.Table) -> Layout:
    """The layout of a table that declares none: its first columns, and its names stretch."""
    return Layout(tuple(table.column_names), next((name for name in _NAMES if name in table.column_names), None))


def table_lines(table: pa.Table, layout: Layout, width: int | None) -> list[Line]:
    """Heading, rule and rows of a table in lines of at most ``width`` characters; None for every column in full."""
    return lines_of(*columns_at(table, layout, width), layout)


def lines_of(columns: Sequence[ShownColumn], widths: Mapping[str, int], layout: Layout) -> list[Line]:
    """Heading, rule and rows of columns of these widths."""
    if not columns:
        return []
    headings = [wrapped_at(column.heading, widths[column.name]) for column in columns]
    most = max(map(len, headings))
    heads = zip(*([""] * (most - len(lines)) + lines for lines in headings), strict=True)
    lines = [_line(columns, cells, widths, style="bold") for cells in heads]
    lines.append(_line(columns, ["─" * widths[column.name] for column in columns], widths, style="dim"))
    for cells in zip(*(column.texts for column in columns), strict=True):
        parts = [_cell_lines(text, column, layout, widths) for text, column in zip(cells, columns, strict=True)]
        lines += [_line(columns, part, widths) for part in zip_longest(*parts, fillvalue="")]
    return lines


def _cell_lines(text: str, column: ShownColumn, layout: Layout, widths: Mapping[str, int]) -> list[str]:
    width = widths[column.name]
    if column.name in layout.prose:
        return wrapped_at(text, width)
    return [shorten(text, width)]


def _line(columns: Sequence[ShownColumn], cells: Sequence[str], widths: Mapping[str, int], style: str = "") -> Line:
    parts: list[tuple[str, str]] = []
    for column, cell in zip(columns, cells, strict=True):
        padding = " " * (widths[column.name] - cell_width(cell))
        known = PRECISION_COLOURS.get(cell) if column.name in {"precision", "dtype"} else None
        colour = "" if known is None else on_any_ground(known)
        parts += [(padding, ""), (cell, colour)] if column.is_number else [(cell, colour), (padding, "")]
        parts.append((_GAP, ""))
    return Line(parts, style)


def columns_at(table: pa.Table, layout: Layout, width: int | None) -> tuple[list[ShownColumn], dict[str, int]]:
    """The columns that are shown, in the table's order, and how wide each is."""
    columns = text_columns(table, layout, whole=width is None)
    widths = widths_at(columns, layout, width)
    return [columns[name] for name in table.column_names if name in widths], widths


def text_columns(table: pa.Table, layout: Layout, *, whole: bool = False) -> dict[str, ShownColumn]:
    """Columns with values as texts, the most important first: those of the layout, with rows folded; or (``whole``) all that there are."""
    fold = None if whole else layout.fold
    keys = () if fold is None else (*fold.by, *fold.sums)
    rows = folded({name: table[name].to_pylist() for name in keys}, table.num_rows, fold)
    wanted = table.column_names if whole else dict.fromkeys((_BUILD, *layout.shown))
    names = [name for name in wanted if name in table.column_names and worth_showing(name, table)]
    units = None if layout.unit_column is None else table[layout.unit_column].to_pylist()
    columns = {name: shown_column(table, name, rows, units) for name in names}
    if layout.stretches in columns:
        named = columns[layout.stretches]
        columns[layout.stretches] = replace(named, texts=_named(named.texts, rows, layout.unnamed), is_number=False)
    return columns


def widths_at(columns: Mapping[str, ShownColumn], layout: Layout, width: int | None) -> dict[str, int]:
    """How wide each column is that lines of ``width`` characters have room for; None for lines of any length."""
    natural = {name: max(map(cell_width, (column.heading, *column.texts))) for name, column in columns.items()}
    if width is None:
        return natural
    least = {name: _least(column, layout) for name, column in columns.items()}
    return fitted(natural, least, width, layout.stretches)


def _named(texts: Sequence[str], rows: Sequence[int | Folded], unnamed: str) -> list[str]:
    return [row.text if isinstance(row, Folded) else text or unnamed for text, row in zip(texts, rows, strict=True)]


def _least(column: ShownColumn, layout: Layout) -> int:
    """Below this width a column is left out rather than cut."""
    heading, cells = (max(map(cell_width, texts)) for texts in (column.heading.split(), column.texts))
    if column.is_number:
        return max(heading, cells)
    least = (
        _LEAST_NAME if column.name == layout.stretches else _LEAST_PROSE if column.name in layout.prose else _LEAST_TEXT
    )
    return max(heading, min(cells, least))


def fitted(natural: Mapping[str, int], least: Mapping[str, int], width: int, first: str | None) -> dict[str, int]:
    """Widths of the columns that fit, the most important of which come first: the least each, and the rest for ``first``, then by importance."""
    widths: dict[str, int] = {}
    room = width + len(_GAP)
    for name, needed in least.items():
        if needed + len(_GAP) <= room:
            widths[name] = needed
            room -= needed + len(_GAP)
    for name in sorted(widths, key=lambda name: name != first):
        more = min(room, natural[name] - widths[name])
        widths[name] += more
        room -= more
    return widths

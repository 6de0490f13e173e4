"""What a terminal shows of a view, and that it fits: lines no wider than asked, names and figures never below their width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.output import table_lines
from trtlens.output.tables import lines_of, text_columns, widths_at
from trtlens.output.text import cell_width

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from trtlens.output import Layout
    from trtlens.output.columns import ShownColumn
    from trtlens.views import View

WIDTHS = (80, 120, 200)
_MOST_ROWS = 60
_MOST_LINES = 12


def layout_text(view: View, rows: pa.Table) -> str:
    """A view's answer, and which columns each width shows; fails where one does not fit."""
    layout, told = view.layout, [f"[{view.name}]", *view.answers(rows)]
    first, every = (text_columns(table, layout) for table in (rows.slice(0, _MOST_ROWS), rows))
    for width in WIDTHS:
        check_fit(first, layout, width)
        widths = widths_at(every, layout, width)
        told.append(f"{width}: " + ", ".join(every[name].heading for name in rows.column_names if name in widths))
    return "\n".join(told) + "\n"


def check_fit(columns: Mapping[str, ShownColumn], layout: Layout, width: int) -> None:
    """Fail where a line is wider than asked, a figure is cut, or a text has less than its least width and is cut."""
    widths = widths_at(columns, layout, width)
    shown = [columns[name] for name in widths]
    lines = [line.plain for line in lines_of(shown, widths, layout)]
    assert max(map(cell_width, lines), default=0) <= width, max(lines, key=cell_width)
    for column in shown:
        natural = max(map(cell_width, column.texts))
        least = natural if column.is_number else 35 if column.name == layout.stretches else 24
        assert widths[column.name] >= min(natural, least), column.heading


def screen_text(view: View, rows: pa.Table, width: int) -> str:
    """The first lines of a view on a terminal of so many columns."""
    lines = [line.plain for line in table_lines(rows, view.layout, width)]
    return "\n".join([f"[{view.name}]", *lines[:_MOST_LINES]]) + "\n"

"""What a terminal shows of a view, and that it fits: lines no wider than asked, names and figures never below their width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.output import table_lines
from trtlens.output.tables import columns_at
from trtlens.output.text import cell_width

if TYPE_CHECKING:
    import pyarrow as pa

    from trtlens.output import Layout
    from trtlens.views import View

WIDTHS = (80, 120, 200)
_MOST_ROWS = 60
_MOST_LINES = 12


def layout_text(view: View, rows: pa.Table) -> str:
    """A view's answer, and which columns each width shows; fails where one does not fit."""
    told = [f"[{view.name}]", *view.answers(rows)]
    for width in WIDTHS:
        check_fit(rows.slice(0, _MOST_ROWS), view.layout, width)
        columns, _ = columns_at(rows, view.layout, width)
        told.append(f"{width}: " + ", ".join(column.heading for column in columns))
    return "\n".join(told) + "\n"


def check_fit(rows: pa.Table, layout: Layout, width: int) -> None:
    """Fail where a line is wider than asked, a figure is cut, or a text has less than its least width and is cut."""
    lines = [line.plain for line in table_lines(rows, layout, width)]
    assert max(map(cell_width, lines), default=0) <= width, max(lines, key=cell_width)
    columns, widths = columns_at(rows, layout, width)
    for column in columns:
        natural = max(map(cell_width, column.texts))
        least = natural if column.is_number else 35 if column.name == layout.stretches else 24
        assert widths[column.name] >= min(natural, least), column.heading


def screen_text(view: View, rows: pa.Table, width: int) -> str:
    """The first lines of a view on a terminal of so many columns."""
    lines = [line.plain for line in table_lines(rows, view.layout, width)]
    return "\n".join([f"[{view.name}]", *lines[:_MOST_LINES]]) + "\n"

"""Writes results: tables on a terminal, JSON, CSV and Parquet; with the commands the only code that prints."""

from trtlens.output.colours import PRECISION_COLOURS
from trtlens.output.columns import cell_text, shown_column, worth_showing
from trtlens.output.formats import Format, to_csv, to_json
from trtlens.output.layout import Fold, Layout, layout
from trtlens.output.tables import left_out, plain_layout, print_table, table_lines, write_table
from trtlens.output.text import console, line_width, shorten, visible, wrapped

__all__ = [
    "PRECISION_COLOURS", "Fold", "Format", "Layout", "cell_text", "console", "layout", "left_out", "line_width",
    "plain_layout", "print_table", "shorten", "shown_column", "table_lines", "to_csv", "to_json", "visible", "worth_showing", "wrapped", "write_table",
]  # fmt: skip

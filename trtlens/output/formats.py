"""Rows for programs: JSON, CSV and Parquet, with full precision and the table's column names."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from enum import Enum
from typing import TYPE_CHECKING, Any, TextIO

from trtlens.errors import TrtlensError
from trtlens.output.text import json_escaped, visible
from trtlens.quantities import hexadecimal

if TYPE_CHECKING:
    import pyarrow as pa

_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""First characters of a text that a spreadsheet takes for a formula; the last four are their wide forms."""


class Format(str, Enum):
    """How a reading command writes its rows."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


def write_rows(table: pa.Table, form: Format) -> None:
    """Write rows to standard output in a format for programs.

    Raises:
        TrtlensError: Parquet, which is binary, would go to a terminal.

    """
    if form is Format.PARQUET:
        _write_parquet(table)
    elif form is Format.JSON:
        sys.stdout.write(to_json(table, ascii_only=not _holds_any_letter(sys.stdout)) + "\n")
    else:
        sys.stdout.write(to_csv(table))


def _holds_any_letter(stream: TextIO) -> bool:
    return (stream.encoding or "utf-8").lower().startswith("utf")


def to_json(table: pa.Table, *, ascii_only: bool = False) -> str:
    """One array of objects, a line each, with the table's column names; unknown is null."""
    return "[" + ",\n ".join(_json_text(_plain(row), ascii_only=ascii_only) for row in table.to_pylist()) + "]"


def to_csv(table: pa.Table) -> str:
    """Comma-separated rows under a header; lists are JSON, unknown is empty.

    A text that a spreadsheet would take for a formula gets a ``'`` before it, and control characters are escapes: JSON and
    Parquet have the very names.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        writer.writerow([_csv_cell(value) for value in _plain(row).values()])
    return text.getvalue()


def _csv_cell(value: Any) -> Any:
    if isinstance(value, (list, dict)):
        return _json_text(value)
    if not isinstance(value, str):
        return value
    return f"'{visible(value)}" if value.startswith(_FORMULA) else visible(value)


def _json_text(value: Any, *, ascii_only: bool = False) -> str:
    return json_escaped(json.dumps(value, ensure_ascii=ascii_only, allow_nan=False))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """The row for JSON and spreadsheets: 64-bit ids, which they would round, as hexadecimal text, infinite sums unknown."""
    return {name: _plain_value(name, value) for name, value in row.items()}


def _plain_value(name: str, value: Any) -> Any:
    if name == "tactic_id" and value is not None:
        return hexadecimal(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_parquet(table: pa.Table) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415

    if sys.stdout.isatty():
        raise TrtlensError("Parquet is binary: redirect it to a file (> layers.parquet) or choose another --format")
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    sys.stdout.buffer.write(buffer.getvalue())

"""Writes results: tables on a terminal, JSON, CSV and Parquet; with the commands the only code that prints."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
import textwrap
from enum import Enum
from typing import IO, TYPE_CHECKING, Any, TextIO

from trtlens.errors import TrtlensError
from trtlens.quantities import hexadecimal, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from rich.console import Console

PRECISION_COLOURS = {
    "fp32": "#ff0000", "tf32": "#d94f4f", "fp16": "#ffa500", "bf16": "#c98a1b", "fp8": "#00bfff", "fp4": "#f4d03f",
    "int8": "#76b900", "int4": "#cc66ff", "int32": "#a0a0a0", "int64": "#a0a0a0", "bool": "#a0a0a0",
}  # fmt: skip
"""NVIDIA's explorer's colours where it has one; tf32 and bf16 are darker kin of fp32 and fp16."""

_PIPE_WIDTH = 100_000
_COMMAND = re.compile(r"`[^`\n]{1,200}`")
_NO_BREAK = "\x00"
_WIDEST, _NARROWEST = 120, 24
"""Characters of a line of prose."""
_SHORTEST = 12
"""Characters below which a column of names is not shortened further."""
_LONG = 1e7
"""From here on a number in a cell has a power of ten."""
_NUMBER = re.compile(r"-?[\d,]{1,40}(?:\.\d{1,20})?(?:e[-+]?\d{1,3})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufff9-\ufffb\ud800-\udfff]")
"""What a terminal would interpret: control characters, text-direction marks, halves of surrogate pairs."""
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""First characters of a text that a spreadsheet takes for a formula; the last four are their wide forms."""


class Format(str, Enum):
    """How a reading command writes its rows."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


def write_table(table: pa.Table, form: Format, *, title: str | None = None) -> None:
    """Write rows to standard output in a format.

    Raises:
        TrtlensError: Parquet, which is binary, would go to a terminal.

    """
    if form is Format.PARQUET:
        _write_parquet(table)
    elif form is Format.JSON:
        sys.stdout.write(to_json(table, ascii_only=not _holds_any_letter(sys.stdout)) + "\n")
    elif form is Format.CSV:
        sys.stdout.write(to_csv(table))
    else:
        print_table(table, title=title)


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
    """JSON without any character that a terminal acts on: the json module escapes the controls of ASCII alone."""
    text = json.dumps(value, ensure_ascii=ascii_only, allow_nan=False)
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """The row for JSON and spreadsheets: 64-bit ids, which they would round, as hexadecimal text, infinite sums unknown."""
    return {name: _plain_value(name, value) for name, value in row.items()}


def _plain_value(name: str, value: Any) -> Any:
    if name == "tactic_id" and value is not None:
        return hexadecimal(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def visible(text: str) -> str:
    """``text`` with control characters and text-direction marks as escapes, so that no name can act on a terminal."""
    return _CONTROL.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def _write_parquet(table: pa.Table) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415

    if sys.stdout.isatty():
        raise TrtlensError("Parquet is binary: redirect it to a file (> layers.parquet) or choose another --format")
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    sys.stdout.buffer.write(buffer.getvalue())


# -- tables on a terminal ------------------------------------------------------------------------------------------


def console(stream: IO[str] | None = None) -> Console:
    """A console that knows whether it is a terminal; a pipe gets lines of any length and no colour."""
    from rich.console import Console  # noqa: PLC0415

    out = stream or sys.stdout
    width = None if out.isatty() else _PIPE_WIDTH
    return Console(file=out, width=width, highlight=False, markup=False, emoji=False, legacy_windows=False)


def wrapped(text: str, used: int = 0) -> list[str]:
    """Prose in lines that fit the terminal next to ``used`` characters, broken at spaces, and never within a `command`.

    A pipe gets one line of any length.
    """
    width = min(console().width, _WIDEST) - used if sys.stdout.isatty() else _PIPE_WIDTH**2
    whole = _COMMAND.sub(lambda match: match[0].replace(" ", _NO_BREAK), visible(text))
    lines = textwrap.wrap(whole, max(width, _NARROWEST), break_long_words=False, break_on_hyphens=False)
    return [line.replace(_NO_BREAK, " ") for line in lines] or [""]


def print_table(table: pa.Table, *, title: str | None = None, columns: Sequence[str] | None = None) -> None:
    """Print rows in columns that fit the terminal; long names are shortened in the middle, empty columns left out."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    out = console()
    names = [name for name in columns or table.column_names if worth_showing(name, table)]
    cells = {name: [cell_text(name, value) for value in table[name].to_pylist()] for name in names}
    widths = _fit(cells, out.width if sys.stdout.isatty() else None)
    grid = Table(box=SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, padding=(0, 1))
    for name in names:
        numeric = all(is_number(text) for text in cells[name] if text)
        grid.add_column(heading(name, table), justify="right" if numeric else "left", no_wrap=True)
    for row in zip(*(cells[name] for name in names), strict=True):
        grid.add_row(*(_styled(name, shorten(text, widths[name])) for name, text in zip(names, row, strict=True)))
    out.print(grid) if names else out.print("no rows")


def worth_showing(name: str, table: pa.Table) -> bool:
    """Whether a column has values; the number of the only build is left out too."""
    column = table[name]
    return column.null_count < table.num_rows and not (name == "build" and len(column.unique()) == 1)


def heading(name: str, table: pa.Table) -> str:
    """A column's name in words, with its unit in brackets."""
    metadata = table.schema.field(name).metadata or {}
    unit = metadata.get(b"unit", b"").decode()
    stem = name.removesuffix(f"_{unit}") if unit else name
    return f"{stem.replace('_', ' ')} [{unit}]" if unit and stem != name else stem.replace("_", " ")


def cell_text(name: str, value: Any) -> str:
    """A value for people: four digits, ids in hexadecimal, nothing for null, control characters escaped."""
    if value is None:
        return ""
    if name == "tactic_id":
        return hexadecimal(value)
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.1f}" if abs(value) < _LONG else number(value)
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, list):
        return visible(", ".join(str(part) for part in value))
    return visible(str(value))


def is_number(text: str) -> bool:
    """Whether a cell's text is a number, which is aligned to the right."""
    return _NUMBER.fullmatch(text) is not None


def _styled(name: str, text: str) -> Any:
    from rich.text import Text  # noqa: PLC0415

    style = PRECISION_COLOURS.get(text, "") if name in {"precision", "dtype"} else ""
    return Text(text, style=style)


def _fit(cells: dict[str, list[str]], width: int | None) -> dict[str, int]:
    """Column widths: natural ones, the widest reduced first until the row fits ``width``."""
    natural = {name: max([len(name), *map(len, column)]) for name, column in cells.items()}
    if width is None:
        return natural
    room = width - 3 * len(natural)
    while sum(natural.values()) > room:
        widest = max(natural, key=lambda name: natural[name])
        if natural[widest] <= _SHORTEST:
            break
        natural[widest] -= 1
    return natural


def shorten(text: str, width: int) -> str:
    """``text`` in at most ``width`` characters, its middle replaced: both ends of a layer's name tell it from others."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return text[: width - 1 - tail] + "…" + (text[-tail:] if tail else "")

"""Tables as small texts: CSV with units in the heading; of a long table some rows, and what every column sums to.

Numbers have six significant digits. A wrong value in a row that is not shown changes the digest of its column and of its
stretch of rows, so that a difference names both.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from math import fsum
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

WHOLE = 40
"""Rows up to which a table stands whole."""
_HEAD, _TAIL = 8, 4
RAW_WHOLE = 6
"""Rows up to which a table as it was read stands whole."""
_RAW_HEAD, _RAW_TAIL = 4, 2
_FEW = 6
"""Distinct texts up to which a column's summary counts each."""
_STRETCHES = 32
_NOTHING = 1e-13
_TYPES = {
    "int64": "int",
    "double": "float",
    "string": "text",
    "list<item: string>": "texts",
    "list<item: int64>": "ints",
}


@dataclass(frozen=True)
class Columns:
    """Named columns of values, all of one length."""

    names: Sequence[str]
    values: Sequence[Sequence[Any]]

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.values[0]) if self.values else 0


def table_text(table: pa.Table, whole: int | None = None) -> str:
    """An Arrow table, its columns' types and units in the heading."""
    names = [_heading(field) for field in table.schema]
    return columns_text(Columns(names, [column.to_pylist() for column in table.columns]), whole)


def _heading(field: pa.Field) -> str:
    unit = (field.metadata or {}).get(b"unit", b"").decode()
    kind = str(field.type)
    kind = "label" if kind.startswith("dictionary") else _TYPES.get(kind, kind)
    return f"{field.name} {kind}" + (f" [{unit}]" if unit else "")


def columns_text(columns: Columns, whole: int | None = None) -> str:
    """Columns as CSV: every row up to ``whole`` rows; of more the first, the last, sums and digests."""
    whole = WHOLE if whole is None else whole
    cells = [[cell(value) for value in column] for column in columns.values]
    rows = list(zip(*cells, strict=True))
    if len(rows) <= whole:
        return _csv([columns.names, *rows])
    head, tail = min(_HEAD, whole), min(_TAIL, whole)
    shown = _csv([columns.names, *rows[:head]]) + f"# {len(rows) - head - tail} more rows\n" + _csv(rows[-tail:])
    return shown + "".join(f"# {line}\n" for line in [*_summaries(columns, cells), *_stretches(rows)])


def raw_table_text(table: pa.Table) -> str:
    """A table as it was read, some thousand rows at times: few rows of it, and what every column holds.

    Its numbers were printed by others: they are digested as they are, without rounding.
    """
    if table.num_rows <= RAW_WHOLE:
        return table_text(table)
    head, tail = table.slice(0, _RAW_HEAD), table.slice(table.num_rows - _RAW_TAIL)
    rows = [[cell(value) for value in row.values()] for row in [*head.to_pylist(), *tail.to_pylist()]]
    text = _csv([[_heading(field) for field in table.schema], *rows])
    return (
        text
        + f"# of all {table.num_rows} rows:\n"
        + "".join(f"# {field.name}: {_raw_column(table[field.name])}\n" for field in table.schema)
    )


def _raw_column(column: pa.ChunkedArray) -> str:
    kind = column.type
    known = f"{len(column) - column.null_count} known"
    if pa.types.is_boolean(kind):
        return f"{known}, {pc.sum(column).as_py() or 0} yes, digest {_raw_digest(column.cast(pa.int8()))}"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        finite = column.filter(pc.is_finite(column)) if pa.types.is_floating(kind) else column
        told = f"sum {cell(pc.sum(finite.cast(pa.float64(), safe=False)).as_py())}"
        return f"{known}, {told}, digest {_raw_digest(column)}"
    values = column.cast(pa.string()).to_pylist() if pa.types.is_dictionary(kind) else column.to_pylist()
    texts = ["" if value is None else value if isinstance(value, str) else json.dumps(value) for value in values]
    return f"{known}, {len(set(texts))} distinct, digest {digest(texts)}"


def _raw_digest(column: pa.ChunkedArray) -> str:
    values = column.fill_null(0).to_numpy()
    missing = column.is_null().to_numpy()
    return sha256(values.tobytes() + missing.tobytes()).hexdigest()[:10]


def lines_text(lines: Sequence[str]) -> str:
    """A long text: its first lines, its last, and digests of stretches of lines."""
    if len(lines) <= WHOLE:
        return "\n".join(lines) + "\n"
    shown = [*lines[:_HEAD], f"# {len(lines) - _HEAD - _TAIL} more lines", *lines[-_TAIL:]]
    return "\n".join([*shown, *(f"# {line}" for line in _stretches([[line] for line in lines]))]) + "\n"


def cell(value: Any) -> str:
    """A value with six significant digits; unknown is empty, and a text that is empty is two quotes."""
    if isinstance(value, str):
        return value or '""'
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _short(value)
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(rounded(value), ensure_ascii=False)
    return str(value)


def _short(value: float) -> str:
    """Six digits, by way of ten; what is left over where equal times are subtracted is nothing.

    Sums of times with few digits lie just between two roundings at times, and how they are added up, which differs from
    one Python and one pandas to the next, would decide.
    """
    return f"{0.0 if abs(value) < _NOTHING else float(f'{value:.10g}'):.6g}"


def rounded(value: Any) -> Any:
    """Lists and objects with their numbers at six significant digits."""
    if isinstance(value, float):
        short = float(_short(value))
        return int(short) if short.is_integer() else short
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, (list, tuple)) else value


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _summaries(columns: Columns, cells: Sequence[Sequence[str]]) -> list[str]:
    """A line for each column: how many values are known, their sum or their counts, and the digest of all."""
    lines = [f"of all {columns.count} rows:"]
    for name, values, texts in zip(columns.names, columns.values, cells, strict=True):
        known = [value for value in values if value is not None]
        lines.append(f"{name}: {len(known)} known, {_told(known)}, digest {digest(texts)}")
    return lines


def _told(known: Sequence[Any]) -> str:
    if known and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in known):
        return f"sum {cell(fsum(known)) if any(isinstance(one, float) for one in known) else sum(known)}"
    counts = Counter(map(cell, known))
    if len(counts) <= _FEW:
        return "; ".join(f"{count} {text[:60]}" for text, count in sorted(counts.items())) or "nothing"
    return f"{len(counts)} distinct"


def _stretches(rows: Sequence[Sequence[str]]) -> list[str]:
    """Digests of stretches of rows, which tell where a value changed."""
    step = max(16, -(-len(rows) // _STRETCHES))
    parts = [f"{start}:{digest(_csv(rows[start : start + step]), 6)}" for start in range(0, len(rows), step)]
    return [f"digests from row: {' '.join(parts)}"]


def digest(content: str | Sequence[str], length: int = 10) -> str:
    """The beginning of a hash of a text, or of texts."""
    text = content if isinstance(content, str) else "\0".join(content)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]

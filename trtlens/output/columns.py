"""The columns of a table as text for people: headings with units, numbers of three digits in one unit a column."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.output.layout import Folded
from trtlens.output.text import visible
from trtlens.quantities import byte_size, column_unit, digits, duration, hexadecimal, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

_NUMBER = re.compile(r"-?[\d,]{1,40}(?:\.\d{1,20})?(?:e[-+]?\d{1,3})?")
_PLACES = frozenset({"build", "run"})
_HEADINGS = {
    "unit": "core type", "unit_reason": "core type unknown because", "unit_evidence": "core type shown by", "regret_ms": "saving",
    "regret_percent": "saving", "words": "what", "label": "where", "chosen_ms": "tuner's time", "best_ms": "fastest", "percent": "share",
}  # fmt: skip
"""Headings that say more than the column's name."""


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """A column as it is shown: its heading with the unit, a text for each row, and whether they are numbers."""

    name: str
    heading: str
    texts: list[str]
    is_number: bool


def shown_column(
    table: pa.Table, name: str, rows: Sequence[int | Folded], units: Sequence[str] | None = None
) -> ShownColumn:
    """A column's texts for rows by their place and for folded rows; ``units`` gives each row's unit where they differ."""
    given = table[name].to_pylist()
    values = [row.sums.get(name) if isinstance(row, Folded) else given[row] for row in rows]
    if units is not None and any(isinstance(value, float) for value in values):
        told = [
            "" if isinstance(row, Folded) or given[row] is None else _with_unit(given[row], units[row]) for row in rows
        ]
        return ShownColumn(name, _heading(name, table), told, is_number=True)
    unit = _unit(name, table)
    shown, divisor = column_unit(unit, [value for value in values if isinstance(value, (int, float))])
    exact = not unit or (divisor == 1 and unit == "bytes")
    texts = ["" if value is None else cell_text(name, value) if exact else digits(value / divisor) for value in values]
    numeric = any(texts) and all(_is_number(text) for text in texts if text)
    return ShownColumn(name, _heading(name, table, shown), texts, numeric)


def _with_unit(value: float, unit: str) -> str:
    if unit in {"ms", "s"}:
        return duration(value * (1000 if unit == "s" else 1))
    return byte_size(value) if unit == "bytes" else f"{number(value)} {unit}"


def worth_showing(name: str, table: pa.Table) -> bool:
    """Whether a column has values; the number of the only build, or the name of the only run, is left out too."""
    column = table[name]
    return column.null_count < table.num_rows and not (name in _PLACES and len(column.unique()) == 1)


def _heading(name: str, table: pa.Table, unit: str | None = None) -> str:
    """A column's name in words, with its unit (or the one that its numbers are shown in) in brackets."""
    declared = _unit(name, table)
    stem = (
        name.removesuffix(f"_{declared.lower()}").removesuffix(f" [{declared}]").removesuffix("_percent")
        if declared
        else name
    )
    stem = _HEADINGS.get(name, stem.replace("_", " "))
    unit = declared if unit is None else unit
    return f"{stem} [{unit}]" if unit and stem != declared else stem


def _unit(name: str, table: pa.Table) -> str:
    unit: bytes = (table.schema.field(name).metadata or {}).get(b"unit", b"")
    return unit.decode()


def cell_text(name: str, value: Any) -> str:
    """A value for people: four digits, ids in hexadecimal, nothing for null, control characters escaped."""
    if value is None:
        return ""
    if name == "tactic_id":
        return hexadecimal(value)
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else number(value)
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, list):
        return visible(", ".join(str(part) for part in value))
    return visible(str(value))


def _is_number(text: str) -> bool:
    """Whether a cell's text is a number, which is aligned to the right."""
    return _NUMBER.fullmatch(text) is not None

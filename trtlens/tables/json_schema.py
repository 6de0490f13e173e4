"""JSON Schema (draft 2020-12) of rows as ``--format json`` writes them, made from what a table declares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trtlens.tables.schema import Column, TableSpec

VERSION = 1
"""Goes up where a column goes, or changes its type or unit; a new column changes nothing for who reads the others."""
_TYPES: dict[str, dict[str, Any]] = {
    "int": {"type": ["integer", "null"]},
    "uint": {"type": ["integer", "null"], "minimum": 0},
    "float": {"type": ["number", "null"]},
    "bool": {"type": ["boolean", "null"]},
    "text": {"type": ["string", "null"]},
    "label": {"type": ["string", "null"]},
    "texts": {"type": ["array", "null"], "items": {"type": ["string", "null"]}},
    "ints": {"type": ["array", "null"], "items": {"type": ["integer", "null"]}},
}
_TACTIC_ID = {"type": ["string", "null"], "pattern": "^0x[0-9a-f]+$"}
"""Numbers of 64 bits, which readers of JSON round, are hexadecimal text."""


def json_schema(name: str, spec: TableSpec, *, is_open: bool = False) -> dict[str, Any]:
    """The schema of an array with an object for each row; every column is there in every row, unknown is null.

    ``is_open`` rows have further columns, which whoever asks names.
    """
    key = f" Key: {', '.join(spec.key)}." if spec.key else ""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:trtlens:{name.replace(' ', '-')}:{VERSION}",
        "title": name,
        "description": f"One row is {spec.doc}.{key}",
        "type": "array",
        "items": {
            "type": "object",
            "properties": {column.name: _property(column) for column in spec.columns},
            "required": [column.name for column in spec.columns],
            "additionalProperties": is_open,
        },
    }


def _property(column: Column) -> dict[str, Any]:
    of_type = _TACTIC_ID if column.name == "tactic_id" else _TYPES[column.type]
    return {**of_type, "description": column.doc, **({"x-unit": column.unit} if column.unit else {})}

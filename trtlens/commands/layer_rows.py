"""The options ``--layer`` and ``--match`` of reading commands, and the rows of a table that they keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    import pyarrow as pa

    from trtlens.layer_patterns import LayerPattern

LayerOption = Annotated[
    Optional[str],  # noqa: UP045  typer reads annotations at run time, on Python 3.10 too
    typer.Option("--layer", metavar="GLOB", help="Only layers of this name; * stands for anything, ? for a character."),
]
MatchOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--match", metavar="REGEX", help="Only layers in whose name this regular expression is found."),
]
_NAMES = ("layer", "layers", "name", "tensor", "node")
"""Columns that may hold names, the first of them that does decides."""


def fitting_rows(rows: pa.Table, pattern: LayerPattern, what: str) -> pa.Table:
    """The rows whose layer fits, or of a table without layers whose name, tensor or node does.

    Raises:
        TrtlensError: no column of the rows holds names.

    """
    column = next((name for name in _NAMES if name in rows.column_names and _is_text(rows[name].type)), None)
    if column is None:
        raise TrtlensError(f"{what} names no layers for --layer or --match to choose: leave them out")
    return rows.filter([any(map(pattern.fits, _texts(value))) for value in rows[column].to_pylist()])


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa  # noqa: PLC0415

    inner = kind.value_type if pa.types.is_list(kind) or pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(inner) or pa.types.is_large_string(inner))


def _texts(value: str | list[str] | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else value

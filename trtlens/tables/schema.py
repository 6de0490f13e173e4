"""How a table is declared, and how declared columns become Arrow: types, checks, nulls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from trtlens.tables.arrays import array, within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_LONGEST = {"ms": 1e12, "s": 1e12}
"""By unit the largest time that a table holds, moments since 1970 included: a larger figure is damaged, so unknown."""
LABEL = pa.dictionary(pa.int32(), pa.string())
"""The type of a text that repeats."""
_TYPES: dict[str, pa.DataType] = {
    "int": pa.int64(),
    "uint": pa.uint64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "text": pa.string(),
    "label": LABEL,
    "texts": pa.list_(pa.string()),
    "ints": pa.list_(pa.int64()),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: ``type`` is a key of the types above (``label``: a text that repeats, stored once)."""

    name: str
    type: str
    unit: str | None
    doc: str

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type of the column."""
        return _TYPES[self.type]


@dataclass(frozen=True, slots=True, eq=False)
class TableSpec:
    """A declared table: what one row is, which columns identify it, and every column with its unit."""

    name: str
    doc: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema; units and docs travel as field metadata."""
        return _schema(self)

    def table(self, columns: Mapping[str, Sequence[Any] | pa.Array]) -> pa.Table:
        """An Arrow table of exactly the declared columns, in declared order.

        Raises:
            KeyError: a declared column is missing, or one is given that is not declared.

        """
        names = [column.name for column in self.columns]
        if set(columns) != set(names):
            raise KeyError(f"{self.name}: columns differ from the declaration: {sorted(set(columns) ^ set(names))}")
        if not any(map(len, columns.values())):
            return self.empty()
        arrays = [_array(columns[column.name], column) for column in self.columns]
        return pa.Table.from_arrays(arrays, schema=self.schema)

    def of_rows(self, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
        """An Arrow table of rows by column name; what a row holds beyond the columns is left out.

        Raises:
            KeyError: a row lacks a declared column.

        """
        return self.table({column.name: [row[column.name] for row in rows] for column in self.columns})

    def empty(self) -> pa.Table:
        """The table without rows."""
        return _empty(self)


def declare(name: str, doc: str, key: str, columns: str) -> TableSpec:
    """Read a declaration: one column a line, ``name | type | unit | doc``, the unit empty where there is none."""
    rows = [[part.strip() for part in line.split("|", 3)] for line in columns.strip().splitlines()]
    specs = tuple(Column(row[0], row[1], row[2] or None, row[3]) for row in rows)
    return TableSpec(name, doc, tuple(key.split()), specs)


@cache
def _schema(spec: TableSpec) -> pa.Schema:
    return pa.schema([pa.field(c.name, c.arrow, metadata=_metadata(c)) for c in spec.columns])


@cache
def _empty(spec: TableSpec) -> pa.Table:
    return pa.Table.from_arrays([array((), column.arrow) for column in spec.columns], schema=spec.schema)


def _metadata(column: Column) -> dict[str, str]:
    return {"doc": column.doc, **({"unit": column.unit} if column.unit else {})}


def _array(values: Sequence[Any] | pa.Array, column: Column) -> pa.Array:
    if not isinstance(values, pa.Array):
        made = array(values, column.arrow)
    else:
        made = values if values.type == column.arrow else values.cast(column.arrow)
    return within(made, _LONGEST[column.unit]) if column.unit in _LONGEST else made


# -- tables by name ---------------------------------------------------------------------------------------------------
# Tables by name, each made when it is first asked for: most questions need few of them.


class Tables(Protocol):
    """A run, or its tables by name."""

    def __getitem__(self, table: str, /) -> pa.Table:
        """The table of that name."""


class LazyTables(Mapping[str, pa.Table]):
    """A mapping whose values ``make(name)`` makes on first access and that are then kept."""

    def __init__(self, names: Iterable[str], make: Callable[[str], pa.Table]) -> None:
        self._names = dict.fromkeys(names)
        self._make = make
        self._made: dict[str, pa.Table] = {}

    def __getitem__(self, name: str) -> pa.Table:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


# -- columns that many tables share -----------------------------------------------------------------------------------


BUILD = "build | int | | number of the build in the log, from 1"
RUN = "run | int | | number of the program's run in the log, from 1: trtexec's from its banner to PASSED or FAILED, of others what stands between, or one engine that they load"
STRATEGY = "strategy | int | | backend strategy that it is of (8.6 on); null for none"
PROFILE = "profile | int | | optimisation profile that it is of, from 0; null where the log does not say"
LINE = "line | int | | line of the log, from 1; null where the row came from another file"

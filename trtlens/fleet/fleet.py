"""A fleet as one asks it: SQL over its tables, questions, and handles for Arrow, Dask and Polars."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from trtlens.errors import TrtlensError
from trtlens.fleet.questions import MACROS, QUESTIONS
from trtlens.fleet.store import Place, check_fleet, is_url, read_manifest
from trtlens.fleet.tables import FLEET_TABLES, TRT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trtlens.fleet.store import DataFile, Manifest
    from trtlens.tables.schema import TableSpec

_SQL_TYPES = {
    "int": "BIGINT", "uint": "UBIGINT", "float": "DOUBLE", "bool": "BOOLEAN", "text": "VARCHAR", "label": "VARCHAR",
    "texts": "VARCHAR[]", "ints": "BIGINT[]",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Fleet:
    """A fleet as it was when it was opened: what is added since is in it after `open_fleet` again."""

    place: Place
    manifest: Manifest

    def sql(self, query: str) -> pa.Table:
        """The rows of a query in DuckDB's SQL; every table of `FLEET_TABLES` is a view.

        Raises:
            TrtlensError: DuckDB refuses the query.

        """
        return ask_duckdb(self._connection(query), query)

    def ask(self, question: str) -> pa.Table:
        """The rows of a question of `trtlens.fleet.questions.QUESTIONS`, with units and meanings of its columns.

        Raises:
            TrtlensError: there is no such question.

        """
        if question not in QUESTIONS:
            raise TrtlensError(f"there is no question {question!r}: choose one of {', '.join(QUESTIONS)}")
        _, made = self._own
        if MACROS not in made:
            self.sql(MACROS)
            made.add(MACROS)
        asked = QUESTIONS[question]
        return asked.declared(self.sql(asked.sql))

    def _connection(self, query: str) -> Any:
        """The fleet's own connection, with a view of each table that a query names: each view reads the heads of its files."""
        connection, made = self._own
        named = set(re.findall(r"\w+", query))
        for name in FLEET_TABLES:
            if name in named and name not in made:
                self._make_view(connection, name)
                made.add(name)
        return connection

    @cached_property
    def _own(self) -> tuple[Any, set[str]]:
        """A connection, with names of the views that were made in it, and the questions' macros once they were."""
        return self.connect(()), set()

    def connect(self, tables: Iterable[str] = FLEET_TABLES) -> Any:
        """A new DuckDB connection with a view of each table.

        Raises:
            TrtlensError: DuckDB is not installed.

        """
        try:
            import duckdb  # noqa: PLC0415  reading a log needs none
        except ImportError as error:
            raise TrtlensError(f"DuckDB is not installed ({error}): pip install 'trtlens[fleet]'") from error
        connection = duckdb.connect()
        if is_url(self.place.root):
            connection.register_filesystem(self.place.remote())
        lost = [(batch, run) for batch, runs in self.manifest.superseded.items() for run in sorted(runs)]
        connection.execute("CREATE TEMP TABLE superseded (batch VARCHAR, run_id VARCHAR)")
        if lost:
            connection.executemany("INSERT INTO superseded VALUES (?, ?)", lost)
        for name in tables:
            self._make_view(connection, name)
        return connection

    def _make_view(self, connection: Any, name: str) -> None:
        """Make the view of a table; raises TrtlensError where a file of it is damaged."""
        import duckdb  # noqa: PLC0415

        try:
            connection.execute(self._view(FLEET_TABLES[name]))
        except duckdb.Error as error:
            told = " ".join(str(error).split())[:600]
            raise TrtlensError(
                f"table {name} of the fleet cannot be read ({told}): bring back that file, or fill a new fleet from the logs"
            ) from error

    def _view(self, spec: TableSpec) -> str:
        """A view with every declared column; one that no file has yet is null."""
        columns = [*spec.columns, TRT]
        nothing = ", ".join(f'NULL::{_SQL_TYPES[column.type]} AS "{column.name}"' for column in columns)
        parts = [f"SELECT {nothing} WHERE false"]
        whole: list[DataFile] = []
        for batch, files in self.manifest.files(spec.name):
            if batch.id not in self.manifest.superseded:
                whole += files
                continue
            lost = f"SELECT run_id FROM superseded WHERE batch = '{batch.id}'"  # noqa: S608  a hash of ours
            parts.append(f"SELECT * FROM {self._scan(files)} WHERE run_id NOT IN ({lost})")  # noqa: S608  quoted there
        if whole:
            parts.append(f"SELECT * FROM {self._scan(whole)}")  # noqa: S608  quoted there
        return f'CREATE TEMP VIEW "{spec.name}" AS {" UNION ALL BY NAME ".join(parts)}'

    def _scan(self, files: Sequence[DataFile]) -> str:
        paths = ", ".join("'" + self.place.path(file.name).replace("'", "''") + "'" for file in files)
        return f"read_parquet([{paths}], union_by_name=true, hive_partitioning=true, hive_types={{'trt': VARCHAR}})"

    def paths(self, table: str) -> list[str]:
        """The Parquet files of a table.

        Raises:
            TrtlensError: there is no such table, or two batches hold one run, so that files alone do not tell its rows.

        """
        if table not in FLEET_TABLES:
            raise TrtlensError(f"there is no table {table!r}: choose one of {', '.join(FLEET_TABLES)}")
        if self.manifest.superseded:
            raise TrtlensError(
                f"some runs of {self.place.root} are in two batches: run trtlens fleet compact, or ask with .sql()"
            )
        return [self.place.path(file.name) for _, files in self.manifest.files(table) for file in files]

    def dataset(self, table: str) -> Any:
        """The table as a `pyarrow.dataset.Dataset`; raises TrtlensError as `paths` does."""
        import pyarrow.dataset as ds  # noqa: PLC0415

        paths = self.paths(table)
        schema = pa.schema([*FLEET_TABLES[table].schema, pa.field(TRT.name, pa.string())])
        if not paths:
            return ds.dataset(pa.Table.from_batches([], schema=schema))
        remote = self.place.remote() if is_url(self.place.root) else None
        return ds.dataset(
            paths,
            schema=schema,
            filesystem=remote,
            partitioning=ds.HivePartitioning(pa.schema([schema.field(TRT.name)])),
        )

    def dask(self, table: str) -> Any:
        """The table as a Dask dataframe; raises TrtlensError as `paths` does."""
        import dask.dataframe as dd  # noqa: PLC0415

        return dd.read_parquet(self.paths(table))

    def polars(self, table: str) -> Any:
        """The table as a Polars lazy frame; raises TrtlensError as `paths` does."""
        import polars as pl  # noqa: PLC0415

        return pl.scan_parquet(self.paths(table), hive_schema={TRT.name: pl.String}, missing_columns="insert")

    def __repr__(self) -> str:
        return f"Fleet({self.place.root!r}: {len(self.manifest.runs):,} runs in {len(self.manifest.batches)} batches)"


def open_fleet(path: Any) -> Fleet:
    """Open a fleet: a folder, or an address such as ``s3://bucket/fleet``.

    Raises:
        TrtlensError: there is none.

    """
    place = Place(str(path))
    check_fleet(place)
    return Fleet(place, read_manifest(place))


def ask_duckdb(connection: Any, query: str) -> pa.Table:
    """The rows of a query, in types that every format can write.

    Raises:
        TrtlensError: DuckDB refuses the query.

    """
    import duckdb  # noqa: PLC0415

    try:
        found = connection.sql(query)
        return pa.table({}) if found is None else _plain(found.to_arrow_table())
    except duckdb.Error as error:
        raise TrtlensError(f"DuckDB says of the query: {' '.join(str(error).split())[:600]}") from error


def _plain(table: pa.Table) -> pa.Table:
    """Whole numbers instead of wide decimals, text instead of times and of what JSON has no word for."""
    for position, field in enumerate(table.schema):
        kind = field.type
        if pa.types.is_decimal(kind):
            wanted = pa.int64() if kind.scale == 0 else pa.float64()
        elif pa.types.is_temporal(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind):
            wanted = pa.string()
        else:
            continue
        table = table.set_column(position, field.name, _cast(table.column(position), wanted))
    return table


def _cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    try:
        return column.cast(wanted)
    except pa.ArrowInvalid:  # a sum beyond 64 bits
        return column.cast(pa.float64()) if wanted == pa.int64() else column.cast(pa.string())

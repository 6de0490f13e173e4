"""A run's tables as Parquet files: each names what it was made from, and is read again only while that is still so.

A table is used where its file is whole (page checksums), has the declared columns and types, holds valid values, and was
made from the very raw files that lie beside it, by this version of trtlens. Whatever is not is made again from them.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa

from trtlens._version import VERSION
from trtlens.runs.sources import hash_file
from trtlens.tables.declarations import TABLES
from trtlens.tables.lazy_tables import LazyTables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from trtlens.tables.schema import TableSpec

_MADE_FROM = b"trtlens.made_from"


def fingerprint(files: Iterable[Path], build: int | None) -> str:
    """One hash over the names and contents of raw files, the build that the JSON files describe, and trtlens' version."""
    digest = hashlib.sha256(f"{VERSION}\0{build}\0".encode())
    for path in sorted(files):
        digest.update(f"{path.name}\0{hash_file(path)}\0".encode())
    return digest.hexdigest()


def save_tables(tables: Mapping[str, pa.Table], folder: Path, made_from: str) -> None:
    """Write each table into a new folder, with the `fingerprint` of what it was made from."""
    import pyarrow.parquet as pq  # noqa: PLC0415  a log needs none

    folder.mkdir()
    for name, table in tables.items():
        marked = table.replace_schema_metadata({**(table.schema.metadata or {}), _MADE_FROM: made_from})
        pq.write_table(marked, folder / f"{name}.parquet", compression="zstd", write_page_checksum=True)


def saved_tables(folder: Path, made_from: str, make: Callable[[], Mapping[str, pa.Table]]) -> Mapping[str, pa.Table]:
    """The declared tables, each read from its file, or taken from ``make()`` where the file cannot be trusted."""
    made = cache(make)

    def table(name: str) -> pa.Table:
        stored = _stored(folder / f"{name}.parquet", TABLES[name], made_from)
        return made()[name] if stored is None else stored

    return LazyTables(TABLES, table)


def _stored(path: Path, spec: TableSpec, made_from: str) -> pa.Table | None:
    """The table of a file; None where it is damaged, has other columns, or was made from something else."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        table = pq.read_table(path, page_checksum_verification=True)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError):
        return None
    marked = (table.schema.metadata or {}).get(_MADE_FROM) == made_from.encode()
    if not marked or not table.schema.equals(spec.schema, check_metadata=False):
        return None
    return pa.Table.from_arrays(table.columns, schema=spec.schema)

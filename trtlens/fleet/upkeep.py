"""Keeps a fleet small and up to date: batches merged, leavings of killed writers removed, raw logs read again."""

from __future__ import annotations

import json
import shutil
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trtlens._version import VERSION
from trtlens.errors import reason
from trtlens.fleet.batches import Tables, content_id, joined_rows, read_run, write_batch
from trtlens.fleet.fleet import open_fleet
from trtlens.fleet.store import is_url, read_manifest, version_order
from trtlens.fleet.tables import FLEET_TABLES
from trtlens.runs.run_info import is_run
from trtlens.tables.arrays import array

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trtlens.fleet.store import Batch, DataFile, Manifest, Place

_MERGED_BYTES = 128 * 10**6
"""Size up to which batches are merged; larger ones are left alone."""
_RUNS_AT_ONCE = 64
_OLD_S = 24 * 3600
"""Age from which on a file that no manifest names is what a killed writer left, or what nobody reads any more."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """Batches before and after, and files that were removed."""

    before: int
    after: int
    removed: int


def compact(place: Place, *, old_s: float = _OLD_S) -> Compacted:
    """Merge small batches, drop rows of runs that count elsewhere, remove files that have not counted for a day.

    Readers may go on: what was merged stays until a later call finds it old. ``old_s`` is that age.

    Raises:
        TrtlensError: there is no fleet, or it cannot be written.

    """
    manifest = open_fleet(place.root).manifest
    for batches in _to_merge(manifest):
        _merge(place, manifest, batches)
    return Compacted(len(manifest.batches), len(read_manifest(place).batches), _remove_leavings(place, old_s))


def _to_merge(manifest: Manifest) -> list[list[Batch]]:
    """Small batches in groups that make a large one, and every batch with rows that count elsewhere."""
    groups: list[list[Batch]] = [[]]
    size = 0
    for batch in sorted(manifest.batches, key=lambda batch: (batch.bytes, batch.id)):
        size += batch.bytes
        if size > _MERGED_BYTES:
            groups.append([])
            size = batch.bytes
        groups[-1].append(batch)
    return [group for group in groups if len(group) > 1 or any(batch.id in manifest.superseded for batch in group)]


def _merge(place: Place, manifest: Manifest, batches: Sequence[Batch]) -> None:
    files: dict[tuple[str, str], list[tuple[Batch, DataFile]]] = defaultdict(list)
    for batch in batches:
        for file in batch.files:
            files[file.table, file.trt].append((batch, file))
    runs = {
        run: version
        for batch in batches
        for run, version in batch.runs.items()
        if run not in manifest.superseded.get(batch.id, ())
    }
    rows = {key: partial(_merged, place, manifest, key[0], parts) for key, parts in files.items()}
    write_batch(place, rows, runs, [batch.id for batch in batches])


def _merged(place: Place, manifest: Manifest, table: str, parts: Sequence[tuple[Batch, DataFile]]) -> pa.Table:
    """The rows of some files that count, by run; a column that an older file lacks is null."""
    tables = []
    for batch, file in parts:
        rows = pq.read_table(pa.BufferReader(place.read(file.name)))
        lost = manifest.superseded.get(batch.id)
        if lost:
            rows = rows.filter(pc.invert(pc.is_in(rows["run_id"], value_set=array(sorted(lost), pa.string()))))
        tables.append(_with_all_columns(rows, table))
    rows = pa.concat_tables(tables).unify_dictionaries()
    ids = pc.cast(rows["run_id"], pa.string())
    return rows.take(pc.sort_indices(ids)) if len(parts) > 1 else rows


def _with_all_columns(rows: pa.Table, table: str) -> pa.Table:
    schema = FLEET_TABLES[table].schema
    columns = [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _remove_leavings(place: Place, old_s: float) -> int:
    """Remove old files of batches that count no longer, or never did."""
    if is_url(place.root):
        return 0  # when a file of an object store was written is told in many ways
    counted = {batch.id for batch in read_manifest(place).batches}
    removed = 0
    for name in [*place.names("tables"), *place.names("batches"), *place.names("raw")]:
        path = Path(place.path(name))
        hidden = path.name.startswith(".trtlens-")
        left = hidden or (not name.startswith("raw/") and path.stem not in counted)
        if left and time.time() - path.stat().st_mtime > old_s:
            place.remove(name)
            removed += 1
    return removed


# -- reading again ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Runs that were read again, and those whose log is no longer there, with the reason."""

    runs: int
    missing: tuple[str, ...]


def refresh(place: Place, report: Callable[[int, int], object]) -> Refreshed:
    """Read the logs again that an older trtlens read; ``report`` is told how many are done, of how many.

    Raises:
        TrtlensError: there is no fleet, or it cannot be written.

    """
    fleet = open_fleet(place.root)
    older = sorted(run for run, by in fleet.manifest.runs.items() if version_order(by) < version_order(VERSION))
    rows = {row["run_id"]: row for row in fleet.sql("SELECT * FROM runs").to_pylist()} if older else {}
    missing: list[str] = []
    for start in range(0, len(older), _RUNS_AT_ONCE):
        group = older[start : start + _RUNS_AT_ONCE]
        collected: Tables = defaultdict(list)
        read = [run for run in group if _read_again(collected, place, rows[run], missing)]
        write_batch(place, joined_rows(collected), dict.fromkeys(read, VERSION))
        report(start + len(group), len(older))
    return Refreshed(len(older) - len(missing), tuple(missing))


def _read_again(collected: Tables, place: Place, row: Mapping[str, Any], missing: list[str]) -> bool:
    """Collect a run's rows anew from its log; where that is gone, or another one, the run stays as it is."""
    with TemporaryDirectory(prefix="trtlens-") as folder:
        try:
            files = _unpacked(place, row["raw"], Path(folder)) if row["raw"] else _where_it_was(row)
        except OSError as error:
            missing.append(f"{row['source']}: {reason(error)}")
            return False
        labels = json.loads(row["labels"] or "{}")
        kept = {name: row[name] for name in ("source", "bytes", "added", "raw", "labels")}
        read_run(collected, row["run_id"], files, {**kept, "read_by": VERSION}, labels, row["source"])
    return True


def _unpacked(place: Place, names: Sequence[str], folder: Path) -> list[str]:
    """Local copies of a run's kept files: a run folder, or its files."""
    files = [folder / PurePath(name).name.removesuffix(".zst") for name in names]
    for name, file in zip(names, files, strict=True):
        with pa.CompressedInputStream(pa.BufferReader(place.read(name)), "zstd") as packed, file.open("wb") as copy:
            shutil.copyfileobj(packed, copy)
    return [str(folder)] if is_run(folder) else [str(file) for file in files]


def _where_it_was(row: Mapping[str, Any]) -> list[str]:
    """The file that a run was added from, if its content is still the same."""
    files = [row["source"]]
    if not Path(row["source"]).exists() or content_id(files) != row["run_id"]:
        raise FileNotFoundError("its log was not kept, and is no longer where it was")
    return files

"""Writes one batch: reads some runs, and keeps their tables as Parquet and their logs compressed, then names them."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trtlens._version import VERSION
from trtlens.errors import TrtlensError
from trtlens.fleet.facts import engine_rows, layer_rows, runner_rows
from trtlens.fleet.sources import labels_of_path, opened_archives, unreadable
from trtlens.fleet.store import FORMAT, Batch, DataFile, name_batch, read_manifest
from trtlens.fleet.tables import FLEET_TABLES
from trtlens.runs.run import open_run
from trtlens.runs.run_info import is_run
from trtlens.runs.sources import hash_file, read_chunks
from trtlens.tables.arrays import array, of_numpy
from trtlens.tables.declarations import TABLES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from trtlens.fleet.sources import Source
    from trtlens.fleet.store import Place
    from trtlens.runs.run import Run

_ID_DIGITS = 32
_ROWS_OF_GROUP = 1 << 18
_VERSION = re.compile(r"(\d{1,4}\.\d{1,4})(?:\..*)?")
UNKNOWN_VERSION = "unknown"
Tables = dict[tuple[str, str], list[tuple[str, pa.Table]]]
"""Rows to write, by table and TensorRT version, each run's with its id."""


@dataclass(frozen=True, slots=True)
class Adding:
    """How runs are added: ``labels`` to all of them, ``path_form`` to those whose path has it, ``keep_raw`` their logs too."""

    labels: Mapping[str, str] = field(default_factory=dict)
    path_form: str | None = None
    keep_raw: bool = True


@dataclass(frozen=True, slots=True)
class Added:
    """What became of some sources: ids of runs that were new, how many were known, broken ones and those not read, with the reason."""

    runs: tuple[str, ...] = ()
    known: int = 0
    broken: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    bytes: int = 0


def add_batch(place: Place, sources: Sequence[Source], adding: Adding, known: Collection[str] | None = None) -> Added:
    """Read the sources that the fleet does not know and write them as one batch; a broken log is a row of `runs`.

    ``known`` are the runs that the fleet has, by default those of its manifest as it is now.

    Raises:
        TrtlensError: the fleet cannot be written.

    """
    collected: Tables = defaultdict(list)
    met = read_manifest(place).runs.keys() if known is None else known
    new: dict[str, str | None] = {}
    unread: list[str] = []
    with TemporaryDirectory(prefix="trtlens-") as folder, opened_archives() as local:
        for number, source in enumerate(sources):
            own = Path(folder) / str(number)
            own.mkdir()
            try:
                files = local(source, own)
                run_id = content_id(files)
            except OSError as error:
                unread.append(unreadable(source, error))
                continue
            if run_id not in met and run_id not in new:
                reason = _read_into(collected, place, source, files, run_id, adding)
                new[run_id] = None if reason is None else f"{source.name}: {reason}"
    write_batch(place, joined_rows(collected), dict.fromkeys(new, VERSION))
    broken = tuple(reason for reason in new.values() if reason is not None)
    left = len(sources) - len(new) - len(unread)
    return Added(tuple(new), left, broken, tuple(unread), sum(source.bytes for source in sources))


# -- reading one run --------------------------------------------------------------------------------------------------


def content_id(files: Sequence[str]) -> str:
    """What a run is known by: a hash of its log, or of the hashes of its files, decompressed.

    Raises:
        OSError: a file cannot be read.

    """
    digests = [_digest(path) for path in _members(files)]
    if len(digests) > 1:
        digests = [hashlib.sha256("\0".join(sorted(digests)).encode()).hexdigest()]
    return digests[0][:_ID_DIGITS]


def _members(files: Sequence[str]) -> list[Path]:
    """The files of a run; of a run folder those that stand in it directly, its tables are made of them."""
    if len(files) == 1 and is_run(Path(files[0])):
        return sorted(path for path in Path(files[0]).iterdir() if path.is_file() and path.suffix != ".plan")
    return [Path(path) for path in files]


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        for chunk in read_chunks(str(path)):
            digest.update(chunk)
    except TrtlensError:  # what is no log is known by its bytes
        return hash_file(path)
    return digest.hexdigest()


def _read_into(
    collected: Tables, place: Place, source: Source, files: Sequence[str], run_id: str, adding: Adding
) -> str | None:
    """Collect the rows of one run; the reason where nothing could be read of it."""
    labels = {**adding.labels, **labels_of_path(adding.path_form, source.name)}
    raw = _keep_raw(place, run_id, _members(files)) if adding.keep_raw else None
    row = {
        "source": source.name, "bytes": source.bytes, "added": now(), "read_by": VERSION, "raw": raw,
        "labels": json.dumps(labels, sort_keys=True) if labels else None,
    }  # fmt: skip
    return read_run(collected, run_id, files, row, labels, source.name)


def read_run(
    collected: Tables, run_id: str, files: Sequence[str], row: Mapping[str, Any], labels: Mapping[str, str], name: str
) -> str | None:
    """Collect the rows of a run from its local files; ``row`` is what its row of `runs` says beside how it was read."""
    reason = None
    try:
        tables = _tables_of(open_run(list(files)), labels)
    except TrtlensError as error:
        tables, reason = {}, error.message.replace(files[0], name)
    except Exception as error:  # noqa: BLE001  one log that trtlens fails at must not stop ten thousand others
        tables, reason = {}, f"a bug of trtlens: {type(error).__name__}: {error}"
    versions = sorted({trt for _, trt in tables})
    known = [version for version in versions if version != UNKNOWN_VERSION] or versions
    status = {"run_id": run_id, "status": "read" if reason is None else "broken", "reason": reason, **row}
    place = "runs", known[0] if known else UNKNOWN_VERSION
    collected[place].append((run_id, FLEET_TABLES["runs"].of_rows([status]).drop_columns(["run_id"])))
    for key, table in tables.items():
        collected[key].append((run_id, table))
    return reason


def _tables_of(run: Run, labels: Mapping[str, str]) -> dict[tuple[str, str], pa.Table]:
    """Every table with rows, split by the TensorRT version of the build."""
    tables = {name: run[name] for name in TABLES if run[name].num_rows}
    tables["engines"] = _own_table("engines", engine_rows(run, labels))
    tables["engine_layers"] = _own_table("engine_layers", layer_rows(run))
    tables["tried_runners"] = _own_table("tried_runners", runner_rows(run))
    builds = run["builds"].select(["build", "run", "tensorrt_version"]).to_pylist()
    by_version: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in builds:
        by_version[major_minor(row["tensorrt_version"])].append(row)
    if len(by_version) < 2:
        version = next(iter(by_version), UNKNOWN_VERSION)
        return {(name, version): table for name, table in tables.items() if table.num_rows}
    return {
        (name, version): part
        for name, table in tables.items()
        for version, rows in by_version.items()
        if (part := _rows_of(table, rows, first=rows[0] is builds[0])).num_rows
    }


def _own_table(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return FLEET_TABLES[name].of_rows([{"run_id": None, **row} for row in rows]).drop_columns(["run_id"])


def _rows_of(table: pa.Table, builds: Sequence[Mapping[str, Any]], *, first: bool) -> pa.Table:
    """The rows of some builds; those of a table that belongs to none of them stand with the first build's."""
    for key in ("build", "run"):
        if key in table.column_names:
            wanted = array(sorted({row[key] for row in builds if row[key] is not None}), pa.int64())
            return table.filter(pc.is_in(table[key], value_set=wanted))
    return table if first else table.slice(0, 0)


def major_minor(version: str | None) -> str:
    """The folder of a TensorRT version."""
    match = _VERSION.fullmatch(version or "")
    return match[1] if match else UNKNOWN_VERSION


def _keep_raw(place: Place, run_id: str, files: Sequence[Path]) -> list[str]:
    names = [f"raw/{run_id[:2]}/{run_id}/{file.name}.zst" for file in files]
    for name, file in zip(names, files, strict=True):
        if not place.exists(name):
            place.write(name, _compressed(file))
    return names


def _compressed(path: Path) -> pa.Buffer:
    """A file's content, decompressed and compressed again by zstd; of what cannot be decompressed its bytes as they are."""
    out = pa.BufferOutputStream()
    try:
        with pa.CompressedOutputStream(out, "zstd") as packed:
            for chunk in read_chunks(str(path)):
                packed.write(chunk)
    except TrtlensError:
        return pa.py_buffer(pa.compress(path.read_bytes(), codec="zstd", asbytes=True))
    return out.getvalue()


# -- writing ----------------------------------------------------------------------------------------------------------


def now() -> str:
    """The time as a manifest states it."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


Rows = Mapping[tuple[str, str], Callable[[], pa.Table]]
"""What gives the rows of a file, by table and TensorRT version: they are made one after the other."""


def write_batch(place: Place, rows: Rows, runs: Mapping[str, str], replaces: Sequence[str] = ()) -> None:
    """Write rows as Parquet files and then the manifest that makes them count; nothing for no runs.

    Raises:
        TrtlensError: a file cannot be written.

    """
    if not runs and not replaces:
        return
    identity = f"{FORMAT} {sorted(runs.items())} {sorted(replaces)}"
    name = hashlib.sha256(identity.encode()).hexdigest()[:_ID_DIGITS]
    files = tuple(
        _write_rows(place, table, trt, name, make())
        for (table, trt), make in sorted(rows.items(), key=lambda item: item[0])
    )
    name_batch(place, Batch(name, now(), dict(sorted(runs.items())), files, tuple(sorted(replaces))))


def joined_rows(collected: Tables) -> Rows:
    """The rows of all runs, each file's when it is written."""
    return {key: partial(joined, key[0], parts) for key, parts in collected.items()}


def joined(table: str, parts: Sequence[tuple[str, pa.Table]]) -> pa.Table:
    """The rows of some runs with their ids, in the order of the ids."""
    ordered = sorted(parts, key=lambda part: part[0])
    names = list(dict.fromkeys(run_id for run_id, _ in ordered))
    place = {name: code for code, name in enumerate(names)}
    codes = np.repeat([place[run_id] for run_id, _ in ordered], [part.num_rows for _, part in ordered])
    ids = pa.DictionaryArray.from_arrays(of_numpy(codes.astype(np.int32)), array(names, pa.string()))
    rows = pa.concat_tables([part for _, part in ordered])
    return rows.add_column(0, FLEET_TABLES[table].schema.field("run_id"), ids)


def _write_rows(place: Place, table: str, trt: str, batch: str, rows: pa.Table) -> DataFile:
    """Write one Parquet file: zstd, with statistics of each group of rows."""
    buffer = io.BytesIO()
    pq.write_table(rows, buffer, compression="zstd", row_group_size=_ROWS_OF_GROUP)
    name = str(PurePath("tables", table, f"trt={trt}", f"{batch}.parquet"))
    place.write(name, buffer.getbuffer())
    return DataFile(table, trt, name, rows.num_rows, buffer.getbuffer().nbytes)

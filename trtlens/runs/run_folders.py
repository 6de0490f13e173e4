"""Runs on disk: ``run.json``, the raw files exactly as captured, and, for kept logs, ``tables/*.parquet``.

Raw is the truth: the tables are made again from it wherever saved ones cannot be trusted.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pyarrow as pa

from trtlens._version import VERSION
from trtlens.errors import TrtlensError, reason
from trtlens.runs.captured_tables import with_captured_facts
from trtlens.runs.folders import check_folder, new_folder
from trtlens.runs.ingest import read_documents
from trtlens.runs.run_info import CAPTURES, FORMAT, RUN_JSON, RunInfo, is_captured, is_run, read_info
from trtlens.runs.sources import STDIN, hash_file, path_text
from trtlens.tables.declarations import TABLES
from trtlens.tables.schema import LazyTables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from trtlens.tables.schema import TableSpec

_TABLES_FOLDER = "tables"
_STDIN_NAME = "verbose.log"
_OWN_NAMES = frozenset({RUN_JSON, _TABLES_FOLDER})
# Raw files that say something a table holds, in the order in which a captured run's files are read.
_RAW_SUFFIXES = frozenset({".log", ".txt", ".json", ".jsonl", ".sqlite", ".csv", ".gz", ".xz", ".zst"})

# -- reading ---------------------------------------------------------------------------------------------------------


def read_folder(folder: Path) -> tuple[Mapping[str, pa.Table], RunInfo]:
    """The tables of a run folder, and what its ``run.json`` says.

    Raises:
        TrtlensError: ``run.json`` or a raw file cannot be read, or there is nothing to make the tables from.

    """
    info = read_info(folder)
    raw = _raw_files(folder, info)
    missing = sorted(set(info.raw or ()) - {path.name for path in raw})
    if missing:
        note = f"{', '.join(missing)}, which the run was made from, is no longer in it, or empty: what it said may be missing"
        info = replace(info, notes=(*info.notes, note))

    def from_raw() -> Mapping[str, pa.Table]:
        if not raw:
            raise TrtlensError(_nothing_to_read(folder, info))
        return with_captured_facts(read_documents([str(path) for path in raw], info.build), info)

    made_from = info.made_from if missing or info.tables_by != VERSION else fingerprint(raw, info.build)
    if info.tables_by != VERSION or made_from is None:
        return from_raw(), info
    return saved_tables(folder / _TABLES_FOLDER, made_from, from_raw), info


def read_files(names: Sequence[str], build: int | None) -> Mapping[str, pa.Table]:
    """The tables of files of one run, or of one folder that holds them without a ``run.json``.

    Raises:
        TrtlensError: a file cannot be read, or they are not of one run.

    """
    files = _files_of(names)
    try:
        return read_documents(files, build)
    except TrtlensError as error:
        if files == list(names):
            raise
        raise TrtlensError(
            f"{error.message}; {names[0]} was read as one run: name the files that belong together"
        ) from error


def _files_of(names: Sequence[str]) -> list[str]:
    """The files that were named, or those of the one folder that was, where it holds logs and JSON without a run.json."""
    if len(names) != 1 or names[0] == STDIN or is_run(Path(names[0])):
        return list(names)
    try:
        found = _readable(Path(names[0])) if Path(names[0]).is_dir() else []
    except OSError:
        found = []
    return [str(path) for path in found] or list(names)


def _raw_files(folder: Path, info: RunInfo) -> list[Path]:
    """Files that are there and hold anything; of a captured run those that a capture writes."""
    found = [folder / name for name in info.raw] if info.raw is not None else _readable(folder)
    if info.raw is None and info.kind in CAPTURES:
        found = [path for path in found if is_captured(path.name)]
    return [path for path in found if path.is_file() and path.stat().st_size]


def _readable(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix in _RAW_SUFFIXES and path.name != RUN_JSON and not path.name.startswith(".") and path.is_file()
    )


_ENDED = {"interrupted": "was stopped", "failed": "failed"}


def _nothing_to_read(folder: Path, info: RunInfo) -> str:
    """What became of a run without a line of a log and without a tensor."""
    first = "a tensor was kept" if info.library == "onnxruntime" else "TensorRT printed a line"
    if info.status == "building":
        began = f" at {info.started}" if info.started else ""
        return (
            f"{folder} holds nothing to read: it began{began} and goes on, or was killed before {first}; if it no longer "
            "runs, make it again with --force"
        )
    ended = _ENDED.get(info.status or "")
    if ended is not None:
        why = f" ({'; '.join(info.errors)})" if info.errors else ""
        return f"{folder} holds nothing to read: it {ended} before {first}{why}; make it again with --force"
    wanted = f" ({', '.join(info.raw)})" if info.raw else ""
    return f"{folder} holds a run.json but no log and no JSON to read{wanted}: was the run moved in part?"


# -- keeping ---------------------------------------------------------------------------------------------------------


def keep_run(files: Sequence[str], out: Path, *, build: int | None = None, force: bool = False) -> None:
    """Copy files of one run into a new run folder, read the copies, and save their tables; all of it or nothing appears.

    Raises:
        TrtlensError: ``out`` is refused (`trtlens.runs.folders.check_folder`) or cannot be written, or a file cannot be read.

    """
    check_folder(out, force=force)
    names = _kept_names(_files_of(files))
    with new_folder(out, force=force) as folder:
        copies = [_copy(path, folder / name) for name, path in names.items()]
        made_from = fingerprint(copies, build)
        save_tables(_read_copies(names, folder, build), folder / _TABLES_FOLDER, made_from)
        document = {
            "format": FORMAT, "kind": "parse", "trtlens": VERSION, "tables_by": VERSION, "status": "done",
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"), "raw": list(names), "build": build,
            "made_from": made_from,
        }  # fmt: skip
        (folder / RUN_JSON).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _read_copies(names: Mapping[str, str], folder: Path, build: int | None) -> Mapping[str, pa.Table]:
    """The tables of the copies; errors name the files that were copied."""
    try:
        return read_documents([str(folder / name) for name in names], build)
    except TrtlensError as error:
        message = error.message
        for name, path in names.items():
            message = message.replace(str(folder / name), path)
        raise TrtlensError(message) from error


def _kept_names(files: Sequence[str]) -> dict[str, str]:
    """The files by the names that they get in a run.

    Raises:
        TrtlensError: one is a folder, has a name that the run itself needs, or the name of another.

    """
    names: dict[str, str] = {}
    for path in files:
        name = _STDIN_NAME if path == STDIN else path_text(Path(path).name)
        if is_run(Path(path)):
            raise TrtlensError(f"{path} is a run already: to keep it elsewhere, copy its folder")
        if name.casefold() in _OWN_NAMES:
            raise TrtlensError(f"{path} has the name of what a run writes itself: rename the file")
        if name in names:
            raise TrtlensError(f"two of the files are called {name}: rename one, a run holds each name once")
        names[name] = path
    return names


def _copy(path: str, target: Path) -> Path:
    """A copy of a file, of standard input, or of what comes through a pipe."""
    with _opened(path) as source, target.open("xb") as copy:
        shutil.copyfileobj(source, copy)
    return target


def _opened(path: str) -> AbstractContextManager[IO[bytes]]:
    if path == STDIN:
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise TrtlensError(f"{path} cannot be read ({reason(error)}): check the name") from error


# -- saved tables -----------------------------------------------------------------------------------------------------
# A run's tables as Parquet files: each names what it was made from, and is read again only while that is still so.
#
# A table is used where its file is whole (page checksums), has the declared columns and types, holds valid values, and was
# made from the very raw files that lie beside it, by this version of trtlens. Whatever is not is made again from them.


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

"""A run: named tables with where they came from, in memory or as a folder on disk.

The folder holds ``run.json``, the raw files exactly as captured, and ``tables/*.parquet``. Raw is the truth: the tables
are made again from it when they are missing or were written by another version of trtlens.
"""

from __future__ import annotations

import gc
import json
import shutil
import sys
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from trtlens._version import VERSION
from trtlens.arrays import of_build
from trtlens.captured_facts import with_captured_facts
from trtlens.errors import TrtlensError, reason
from trtlens.folders import check_folder, new_folder, whole_file
from trtlens.ingest import join_documents, read_document
from trtlens.lazy_tables import LazyTables
from trtlens.run_files import RUN_JSON, is_run
from trtlens.run_info import FORMAT, RunInfo, read_info
from trtlens.sources import STDIN, path_text
from trtlens.tables import TABLES
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    import pyarrow as pa

    from trtlens.report.notebook import ShownView

_TABLES_FOLDER = "tables"
# Raw files that say something a table holds, in the order in which a captured run's files are read.
_RAW_SUFFIXES = frozenset({".log", ".txt", ".json", ".gz", ".xz", ".zst"})
_STDIN_NAME = "verbose.log"
_OWN_NAMES = frozenset({RUN_JSON, _TABLES_FOLDER})


@dataclass(frozen=True)
class Run:
    """One log, one run folder, or files that belong together: tables by name and what is known of the run.

    ``info`` is what ``run.json`` says; of a run that was never saved it knows nothing.
    """

    name: str
    tables: Mapping[str, pa.Table]
    path: Path | None = None
    info: RunInfo = field(default_factory=RunInfo)

    def __getitem__(self, table: str) -> pa.Table:
        """The Arrow table of that name; every declared table is there, without rows where nothing is known.

        Raises:
            KeyError: no table of that name is declared.

        """
        return self.tables[table]

    def __iter__(self) -> Iterator[str]:
        """Names of the tables."""
        return iter(self.tables)

    def view(self, name: str, **options: Any) -> pa.Table:
        """The table of a view, such as ``layers`` or ``reformats``; `trtlens.VIEWS` lists them.

        Raises:
            TrtlensError: no view of that name exists.

        """
        if name not in VIEWS:
            raise TrtlensError(f"there is no view {name!r}: choose one of {', '.join(VIEWS)}")
        return VIEWS[name].table(self, **options)

    def show(self, name: str, **options: Any) -> ShownView:
        """A view as a notebook displays it, with its chart.

        Raises:
            TrtlensError: no view of that name exists.

        """
        from trtlens.report.notebook import ShownView  # noqa: PLC0415  the report needs Plotly, a run does not

        return ShownView(self, name, self.view(name, **options))

    @cached_property
    def timed_layers(self) -> pd.DataFrame:
        """The layers joined to their times, for `joins.layers_with_times` alone: do not change it."""
        from trtlens.joins import join_times  # noqa: PLC0415  pandas takes long to import, and not every answer needs it

        return join_times(self)

    def build(self, number: int) -> Run:
        """The run with the rows of one build only.

        Raises:
            TrtlensError: the run has no build of that number.

        """
        known = self.tables["builds"].column("build").to_pylist()
        if number not in known:
            raise TrtlensError(f"{self.name} has no build {number}: it has {_listed(known)}")
        tables = LazyTables(self.tables, lambda name: _of_build(self.tables[name], number))
        return Run(self.name, tables, self.path, self.info)

    def _repr_html_(self) -> str:
        """What a notebook shows of the run."""
        from trtlens.report.notebook import fragment  # noqa: PLC0415  the report needs Plotly, a run does not

        return fragment(self)

    def __repr__(self) -> str:
        filled = ", ".join(f"{name} {table.num_rows}" for name, table in self.tables.items() if table.num_rows)
        return f"Run({self.name!r}: {filled or 'no rows'})"


def _of_build(table: pa.Table, number: int) -> pa.Table:
    return of_build(table, number) if "build" in table.column_names else table


def _listed(numbers: Sequence[int]) -> str:
    return "build 1 only" if len(numbers) == 1 else f"builds {numbers[0]} to {numbers[-1]}"


def open_run(paths: str | Path | Sequence[str | Path], *, build: int | None = None) -> Run:
    """Open a run folder, a saved log, or a log with the JSON files that belong to it.

    Args:
        paths: a folder with ``run.json``; or a log (also .gz, .xz, .zst, ``-`` for standard input) and inspector or
            trtexec JSON files, recognised by content.
        build: the build that the JSON files describe, where the log holds several.

    Raises:
        TrtlensError: a file cannot be read or is none of these; the message says what to do.

    """
    names = [str(paths)] if isinstance(paths, (str, Path)) else [str(path) for path in paths]
    if len(names) == 1 and is_run(Path(names[0])):
        return _open_folder(Path(names[0]))
    tables = _read_tables(names, build)
    return Run("standard input" if names == [STDIN] else path_text(Path(names[0]).name), tables)


def _read_tables(names: Sequence[str], build: int | None) -> Mapping[str, pa.Table]:
    """Tables of files that belong together.

    Records are kept until the end and hold no cycles, so looking for cycles while they pile up only costs time: a third
    of it for a log of 100 MB.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return join_documents([read_document(name) for name in names], build=build)
    finally:
        if collecting:
            gc.enable()


def _open_folder(folder: Path) -> Run:
    import pyarrow.parquet as pq  # noqa: PLC0415  a log needs none

    info = read_info(folder)
    parquet = folder / _TABLES_FOLDER
    if info.tables_by == VERSION and all((parquet / f"{name}.parquet").is_file() for name in TABLES):
        stored = LazyTables(TABLES, lambda name: pq.read_table(parquet / f"{name}.parquet"))
        return Run(path_text(folder.name), stored, folder, info)
    raw = _raw_files(folder, info)
    if not raw:
        raise TrtlensError(f"{folder} holds a run.json but no log and no JSON to read: was the run moved in part?")
    tables = _read_tables([str(path) for path in raw], info.build)
    return Run(path_text(folder.name), with_captured_facts(tables, info), folder, info)


def _raw_files(folder: Path, info: RunInfo) -> list[Path]:
    named = [folder / name for name in info.raw or ()]
    found = named or sorted(p for p in folder.iterdir() if p.suffix in _RAW_SUFFIXES and p.name != RUN_JSON)
    return [path for path in found if path.is_file() and path.stat().st_size]


def check_save(out: Path, raw: Sequence[str], *, force: bool = False) -> None:
    """Ask whether these files can be kept as a run in ``out``, before they are read.

    Raises:
        TrtlensError: `trtlens.folders.check_folder` refuses ``out``, or the files' names do not fit into one run.

    """
    check_folder(out, force=force)
    _kept_names(raw)


def save_run(run: Run, out: Path, raw: Sequence[str], *, force: bool = False) -> None:
    """Write a run folder with copies of the raw files; the folder appears whole or not at all.

    Raises:
        TrtlensError: `check_save` refuses, a raw file cannot be read, or ``out`` cannot be written.

    """
    names = _kept_names(raw)
    with new_folder(out, force=force) as folder:
        copies = [_copy(path, folder / name) for name, path in names.items()]
        _write_tables(run, folder)
        info = {
            "format": FORMAT, "kind": "parse", "trtlens": VERSION, "tables_by": VERSION, "status": "done",
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"), "raw": copies,
        }  # fmt: skip
        (folder / RUN_JSON).write_text(json.dumps(info, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _write_tables(run: Run, folder: Path) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415

    (folder / _TABLES_FOLDER).mkdir()
    for name, table in run.tables.items():
        pq.write_table(table, folder / _TABLES_FOLDER / f"{name}.parquet", compression="zstd")


def _kept_names(raw: Sequence[str]) -> dict[str, str]:
    """The files by the names that they get in a run.

    Raises:
        TrtlensError: one is a folder, has a name that the run itself needs, or the name of another.

    """
    names: dict[str, str] = {}
    for path in raw:
        name = _STDIN_NAME if path == STDIN else Path(path).name
        if Path(path).is_dir():
            raise TrtlensError(f"{path} is a folder: a run is kept from its files; to keep this one, copy the folder")
        if name.casefold() in _OWN_NAMES:
            raise TrtlensError(f"{path} has the name of what a run writes itself: rename the file")
        if name in names:
            raise TrtlensError(f"two of the files are called {name}: rename one, a run holds each name once")
        names[name] = path
    return names


def _copy(path: str, target: Path) -> str:
    try:
        source = Path(path).open("rb")  # noqa: SIM115  closed below, where errors are those of the copy
    except OSError as error:
        raise TrtlensError(f"{path} cannot be read ({reason(error)}): check the name") from error
    with source, target.open("xb") as copy:
        shutil.copyfileobj(source, copy)
    return target.name


def spooled(name: str, folder: Path) -> str:
    """The name of a file with that content that can be read twice: standard input and pipes are copied into the folder.

    Raises:
        TrtlensError: the copy cannot be written.

    """
    if name == STDIN:
        return str(_spool(sys.stdin.buffer, folder / _STDIN_NAME))
    if not Path(name).is_fifo():
        return name
    with Path(name).open("rb") as stream:
        return str(_spool(stream, folder / Path(name).name))


def _spool(stream: IO[bytes], target: Path) -> Path:
    with whole_file(target) as file:
        shutil.copyfileobj(stream, file)
    return target

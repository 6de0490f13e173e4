"""A run: named tables with where they came from, in memory or from a folder on disk (`trtlens.runs.run_folders`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from trtlens.errors import TrtlensError
from trtlens.runs.ingest import listed_builds
from trtlens.runs.run_folders import read_files, read_folder
from trtlens.runs.run_info import RunInfo, is_run
from trtlens.runs.sources import STDIN, path_text
from trtlens.tables.arrays import array, of_build
from trtlens.tables.schema import LazyTables

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

    from trtlens.tables.schema import Tables

_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, eq=False)
class Run:
    """One log, one run folder, or files that belong together: tables by name and what is known of the run.

    ``info`` is what ``run.json`` says; of a run that was never saved it knows nothing. Views and a notebook's display are
    loaded by name when they are asked for: they stand above, and a run is data.
    """

    name: str
    tables: Mapping[str, pa.Table]
    path: Path | None = None
    info: RunInfo = field(default_factory=RunInfo)
    _only: int | None = field(default=None, repr=False, kw_only=True)
    """Number of the build whose rows alone it holds."""
    _answers: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

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
        """The table of a view, such as ``layers`` or ``reformats``, made once; `trtlens.VIEWS` lists them.

        Raises:
            TrtlensError: no view of that name exists.

        """
        views = import_module("trtlens.views").VIEWS
        if name not in views:
            raise TrtlensError(f"there is no view {name!r}: choose one of {', '.join(views)}")
        return _view(self, name, **options)

    def show(self, name: str, **options: Any) -> Any:
        """A view as a notebook displays it, with its chart: a `trtlens.notebook.ShownView`.

        Raises:
            TrtlensError: no view of that name exists.

        """
        return import_module("trtlens.notebook").ShownView(self, name, self.view(name, **options))

    def build(self, number: int) -> Run:
        """The run with the rows of one build only.

        Raises:
            TrtlensError: the run has no build of that number.

        """
        if number == self._only:
            return self
        known = self.tables["builds"].column("build").to_pylist()
        if number not in known:
            raise TrtlensError(f"{self.name} has no build {number}: it has {listed_builds(known)}")
        return _of_build(self, number)

    def _repr_html_(self) -> str:
        """What a notebook shows of the run."""
        html: str = import_module("trtlens.notebook").fragment(self)
        return html

    def __repr__(self) -> str:
        filled = ", ".join(f"{name} {table.num_rows}" for name, table in self.tables.items() if table.num_rows)
        return f"Run({self.name!r}: {filled or 'no rows'})"


def once(
    ask: Callable[Concatenate[Run, _Asked], _Answer],
) -> Callable[Concatenate[Run, _Asked], _Answer]:
    """The function, or class, made to answer once for each run and arguments; whoever takes the answer must not change it.

    The run keeps the answers, so that they go when it goes.
    """

    @wraps(ask)
    def known(run: Run, /, *arguments: _Asked.args, **options: _Asked.kwargs) -> _Answer:
        key = (ask, arguments, *options.items())
        if key not in run._answers:  # noqa: SLF001  the decorator of a run's own module
            run._answers[key] = ask(run, *arguments, **options)  # noqa: SLF001
        answer: _Answer = run._answers[key]  # noqa: SLF001
        return answer

    return known


def open_run(paths: str | Path | Sequence[str | Path], *, build: int | None = None) -> Run:
    """Open a run folder, a saved log, or a log with the JSON files that belong to it.

    Args:
        paths: a folder with ``run.json``, or with a log and JSON files of one run; or a log (also .gz, .xz, .zst, ``-`` for standard input) and inspector or
            trtexec JSON files, recognised by content.
        build: the build that the JSON files describe, where the log holds several.

    Raises:
        TrtlensError: a file cannot be read or is none of these; the message says what to do.

    """
    names = [str(paths)] if isinstance(paths, (str, Path)) else [str(path) for path in paths]
    name = "standard input" if names == [STDIN] else path_text(Path(names[0]).name)
    if len(names) == 1 and is_run(Path(names[0])):
        tables, info = read_folder(Path(names[0]))
        return Run(name, tables, Path(names[0]), info)
    return Run(name, read_files(names, build))


@once
def _view(run: Run, /, name: str, **options: Any) -> pa.Table:
    table: pa.Table = import_module("trtlens.views").VIEWS[name].table(run, **options)
    return table


@once
def _of_build(run: Run, number: int) -> Run:
    tables = LazyTables(run.tables, lambda name: build_rows(run.tables, name, number))
    return Run(run.name, tables, run.path, run.info, _only=number)


# -- rows of one build ------------------------------------------------------------------------------------------------
# Rows of one build, whether a table is keyed by the build or by the program's run that built it.


_OF_NETWORK = frozenset({"nodes", "parsed_layers"})
"""Tables of what the parser says, which it says once of a network that is built twice."""


def build_rows(tables: Tables, name: str, number: int) -> pa.Table:
    """The rows of a table that hold for one build: its own, else those of its run; all of a table without either key.

    To calibrate INT8 TensorRT parses a network once and builds it twice, so that the log names its nodes in the
    calibration's part: they are the engine's, too, and bear its number here.
    """
    table = tables[name]
    if name in _OF_NETWORK:
        return _network_rows(tables, table, number)
    if "build" in table.column_names:
        return of_build(table, number)
    if "run" not in table.column_names:
        return table
    runs = of_build(tables["builds"].select(["build", "run"]), number)["run"].drop_null().to_pylist()
    return table.filter(pc.is_in(table["run"], value_set=array(runs, pa.int64())))


def _network_rows(tables: Tables, table: pa.Table, number: int) -> pa.Table:
    """The build's own rows, else those of the calibrations right above it in its run."""
    own, above = of_build(table, number), number - 1
    if own.num_rows or not table.num_rows:
        return own
    builds = {row["build"]: row for row in tables["builds"].select(["build", "run", "is_calibration"]).to_pylist()}
    run = builds[number]["run"] if number in builds else None
    while not own.num_rows and above in builds and builds[above]["is_calibration"] and builds[above]["run"] == run:
        own, above = of_build(table, above), above - 1
    return own.set_column(0, own.schema.field("build"), array([number] * own.num_rows, pa.int64()))

"""Databases that ``nsys export --type sqlite`` writes, opened read-only, as a trace of kernels.

Read by the schema that NVIDIA documents (Nsight Systems 2021.5, "SQLite Export Schema Reference") and by what exports up to 2025.6
hold: ``CUPTI_ACTIVITY_KIND_KERNEL``, ``CUPTI_ACTIVITY_KIND_MEMCPY`` and ``_MEMSET``, ``CUPTI_ACTIVITY_KIND_RUNTIME``, ``NVTX_EVENTS``,
names as text or as an id of ``StringIds``. Columns that an export lacks are unknown; times are nanoseconds.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from trtlens.errors import TrtlensError
from trtlens_parsers.errors import FormatError
from trtlens_parsers.kernel_trace import COPY, FILL, KERNEL, KernelLaunch, KernelTrace, blocks_of, trace_of
from trtlens_parsers.profiler_events import COPY_WORDS, ApiCall, GpuEvent, RangeEvent, executions_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_ROWS = 4_000_000
"""Rows of one table: a kernel takes about 1 kB in memory while it is read."""
_LARGEST_BYTES = 16 << 30
_LONGEST_NAME = 65_536
_MOST_CHARACTERS = 1 << 29
_MOST_STEPS = 20_000
"""Calls of the progress handler, each after 100,000 instructions of SQLite: minutes, which no plain query of such a table takes."""
_PUSHED = 59
"""NvtxPushPopRange, of the event types that nsys exports."""
_KERNEL, _CALL, _RANGE = "CUPTI_ACTIVITY_KIND_KERNEL", "CUPTI_ACTIVITY_KIND_RUNTIME", "NVTX_EVENTS"
_KERNEL_COLUMNS = (
    "start", "end", "streamId", "correlationId", "globalPid", "gridX", "gridY", "gridZ", "blockX", "blockY", "blockZ",
    "registersPerThread", "staticSharedMemory", "dynamicSharedMemory", "graphNodeId",
)  # fmt: skip
_NAMES = ("mangledName", "demangledName", "shortName", "name")
"""Columns of a kernel's name, the fullest first."""


def read_database(path: str) -> KernelTrace:
    """Read an export of Nsight Systems.

    Raises:
        TrtlensError: it is too large, damaged, or another program's; holds no kernels, or no inferences that can be told apart.

    """
    if Path(path).stat().st_size > _LARGEST_BYTES:
        raise TrtlensError(f"{path} is larger than 16 GiB: trace fewer inferences (nsys profile --duration)")
    place = quote(str(Path(path).absolute()).encode(errors="surrogateescape"))
    try:
        with closing(sqlite3.connect(f"file:{place}?mode=ro&immutable=1", uri=True)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("PRAGMA cell_size_check = ON")
            steps = iter(range(_MOST_STEPS))
            database.set_progress_handler(lambda: int(next(steps, None) is None), 100_000)
            return _read(path, database)
    except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
        raise TrtlensError(
            f"{path} cannot be read as a database of Nsight Systems ({error}): export it again"
        ) from error
    except FormatError as error:
        raise TrtlensError(f"{path}: {error}") from error


def _read(path: str, database: sqlite3.Connection) -> KernelTrace:
    known = {
        name
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if isinstance(name, str)
    }
    if _KERNEL not in known:
        raise TrtlensError(
            f"{path} holds no kernels ({_KERNEL}): trace with nsys profile --trace=cuda,nvtx --cuda-graph-trace=node, then nsys export "
            "--type sqlite"
        )
    events = [*_kernels(database, known), *_memory(database, known)]
    executions = executions_of(events, _calls(database, known), _ranges(database, known))
    return trace_of("Nsight Systems", (KERNEL, COPY, FILL), executions)


def _rows(
    database: sqlite3.Connection, table: str, columns: Sequence[str], names: Sequence[str] = ()
) -> Iterator[list[Any]]:
    """Rows of a table: columns that it lacks are None, and so is a value that is no whole number; then the first of its names.

    Raises:
        FormatError: the table has more rows than are read.

    """
    held = _columns(database, table)
    taken = [f't."{name}"' if name in held else "NULL" for name in columns]
    texts = [f't."{name}"' for name in names if name in held]
    strings = _strings(database) if texts else {}
    query = f"SELECT {', '.join([*taken, *texts])} FROM {table} AS t LIMIT {MOST_ROWS + 1}"  # noqa: S608  names of this module
    for number, row in enumerate(database.execute(query)):
        if number >= MOST_ROWS:
            raise FormatError(f"{table} holds more than {MOST_ROWS:,} rows: trace fewer inferences")
        found = (strings.get(value, value) for value in row[len(columns) :])
        name = next((text[:_LONGEST_NAME] for text in found if isinstance(text, str)), None)
        yield [*(value if type(value) is int else None for value in row[: len(columns)]), name]


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    return {str(row[1]) for row in database.execute(f"PRAGMA table_info({table})")}


def _strings(database: sqlite3.Connection) -> dict[Any, str]:
    """Texts by their ids."""
    query = f"SELECT id, substr(value, 1, {_LONGEST_NAME}) FROM StringIds LIMIT {MOST_ROWS + 1}"  # noqa: S608  numbers of this module
    strings: dict[Any, str] = {}
    characters = 0
    for identifier, text in database.execute(query):
        if isinstance(text, str):
            strings[identifier] = text
            characters += len(text)
        if len(strings) > MOST_ROWS or characters > _MOST_CHARACTERS:
            raise FormatError(
                "StringIds holds more names than are read: trace less of the program (nsys profile --duration)"
            )
    return strings


def _kernels(database: sqlite3.Connection, known: set[str]) -> Iterator[GpuEvent]:
    if "StringIds" not in known:
        raise FormatError("it has no table StringIds: export it again with nsys export --type sqlite")
    for row in _rows(database, _KERNEL, _KERNEL_COLUMNS, _NAMES):
        start, end, stream, correlation, process, *shape, registers, static, dynamic, node, name = row
        grid, block = _triple(shape[:3]), _triple(shape[3:])
        launch = KernelLaunch(
            name or "?", KERNEL, None, stream, grid, block, None if grid is None else blocks_of(grid), registers,
            None if static is None or dynamic is None else static + dynamic, node or None,
        )  # fmt: skip
        yield from _event(launch, start, end, process, correlation)


def _memory(database: sqlite3.Connection, known: set[str]) -> Iterator[GpuEvent]:
    """Copies and fills; their direction is CUPTI's number."""
    for table, kind, words in (
        ("CUPTI_ACTIVITY_KIND_MEMCPY", COPY, "memcpy"),
        ("CUPTI_ACTIVITY_KIND_MEMSET", FILL, "memset"),
    ):
        if table not in known:
            continue
        for row in _rows(
            database, table, ("start", "end", "streamId", "correlationId", "globalPid", "graphNodeId", "copyKind")
        ):
            start, end, stream, correlation, process, node, copied, _ = row
            name = f"[CUDA {words} {COPY_WORDS.get(copied, copied)}]" if copied is not None else f"[CUDA {words}]"
            yield from _event(
                KernelLaunch(name, kind, stream=stream, graph_node=node or None), start, end, process, correlation
            )


def _event(
    launch: KernelLaunch, start: int | None, end: int | None, process: int | None, correlation: int | None
) -> Iterator[GpuEvent]:
    """Nothing of an event that was not finished when the trace ended."""
    if start is not None and end is not None and 0 <= start <= end:
        yield GpuEvent(launch, start, end - start, (_process(process), correlation))


def _process(identifier: int | None) -> int | None:
    """The process of a serialized process or thread id, of which the low 24 bits are the thread."""
    return None if identifier is None else identifier >> 24


def _calls(database: sqlite3.Connection, known: set[str]) -> Iterator[ApiCall]:
    if _CALL not in known:
        return
    has_process = "globalPid" in _columns(database, _KERNEL)
    for start, correlation, thread, _ in _rows(database, _CALL, ("start", "correlationId", "globalTid")):
        if start is not None:
            yield ApiCall((_process(thread) if has_process else None, correlation), thread, start)


def _ranges(database: sqlite3.Connection, known: set[str]) -> Iterator[RangeEvent]:
    if _RANGE not in known:
        return
    for start, end, thread, kind, name in _rows(
        database, _RANGE, ("start", "end", "globalTid", "eventType"), ("text", "textId")
    ):
        if start is not None and name is not None and kind in {None, _PUSHED}:
            yield RangeEvent(thread, start, end, name)


def _triple(values: Sequence[int | None]) -> tuple[int, ...] | None:
    known = tuple(value for value in values if value is not None and value >= 0)
    return known if len(known) == len(values) else None

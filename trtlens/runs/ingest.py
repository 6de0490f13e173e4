"""Which file is read by what: logs and the JSON that trtexec and the inspector write, joined to one run's tables."""

from __future__ import annotations

import gc
import re
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import PurePath
from typing import TYPE_CHECKING

from trtlens.errors import TrtlensError
from trtlens.runs.candidate_tables import with_candidate_kernels, with_layer_precision
from trtlens.runs.log_tables import log_tables
from trtlens.runs.sources import is_database, path_text, read_chunks
from trtlens.tables.declarations import TABLES
from trtlens.tables.schema import LazyTables
from trtlens_parsers.kernel_trace import KernelTrace
from trtlens_parsers.log import LogReader
from trtlens_parsers.ncu_csv import KernelCounters
from trtlens_parsers.records import Log
from trtlens_parsers.text import decode_bytes, sniff_encoding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from trtlens.runs.exported_files import Export

_CHOICE_TABLES = frozenset({"candidates", "combinations", "tuned_layers"})
"""Tables that say what the engine chose."""
_NO_LOG = re.compile(r"[\ufeff \t\r\n]*(?:\{|\[\s*[\[{\]\"]|Layers:)")
"""How a JSON document and the inspector's one-line text begin; a log's line begins otherwise."""
_DATABASE = "database"
_REPORT = re.compile(r'^(?:"?(?:Start|Time) ?[(:][^\n,]*,"?(?:Duration|Total Time)|"ID","Process ID",)', re.MULTILINE)
"""The heading of a report of nsys stats, or of ncu."""


@dataclass(frozen=True, slots=True)
class Document:
    """One file and what it holds."""

    path: str
    content: Log | Export


def read_document(path: str) -> Document:
    """Read a file by its content, whatever its name.

    Raises:
        TrtlensError: the file cannot be read, or holds neither TensorRT output nor a JSON that is known.

    """
    if is_database(path):
        from trtlens.runs.nsight_database import read_database  # noqa: PLC0415  a log needs no SQLite

        return Document(path, read_database(path))
    chunks = read_chunks(path)
    head = next(chunks)
    kind = _kind_of(head)
    chunks = chain([head], chunks)
    return Document(path, _read_log(path, chunks) if kind is None else _read_export(path, kind, chunks))


def export_kind(path: str) -> str | None:
    """Kind of a JSON document, a trace or the inspector's text by its beginning; None for a log.

    Raises:
        TrtlensError: the file cannot be read.

    """
    return _DATABASE if is_database(path) else _kind_of(next(read_chunks(path)))


def _kind_of(head: bytes) -> str | None:
    return _export_kind(decode_bytes(head[:65536])) if sniff_encoding(head) == "utf-8" else None


def _export_kind(head: str) -> str | None:
    """Kind of a JSON document, or of the inspector's one-line text; None for a log."""
    if not _NO_LOG.match(head) and not _REPORT.search(head):
        return None
    from trtlens.runs.exported_files import kind_of  # noqa: PLC0415  a log alone needs no readers of JSON

    return kind_of(head)


def _read_export(path: str, kind: str, chunks: Iterator[bytes]) -> Export:
    from trtlens.runs.exported_files import read_json  # noqa: PLC0415

    return read_json(path, kind, chunks)


def _read_log(path: str, chunks: Iterator[bytes]) -> Log:
    reader = LogReader()
    for chunk in chunks:
        reader.feed(chunk)
    log = reader.finish()
    if not log.reading.counts["tensorrt"]:
        raise TrtlensError(
            f"{path} holds nothing that tells of a TensorRT build ({log.reading.lines} lines read): build with a verbose logger and keep all "
            "it prints, for example: trtexec --onnx=model.onnx --verbose > build.log 2>&1"
        )
    return log


def read_documents(names: Sequence[str], build: int | None) -> Mapping[str, pa.Table]:
    """Tables of files that belong together, joined as `join_documents` does.

    Records are kept until the end and hold no cycles, so looking for cycles while they pile up only costs time: a third
    of it for a log of 100 MB. Raises TrtlensError as `read_document` and `join_documents` do.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return join_documents([read_document(name) for name in names], build=build)
    finally:
        if collecting:
            gc.enable()


def join_documents(documents: Sequence[Document], *, build: int | None = None) -> Mapping[str, pa.Table]:
    """The tables of one run from its documents: at most one log, and JSON files that belong to one of its builds.

    ``build`` names the build that the JSON files describe; by default the one whose layers have the inspector's names,
    else the log's only or last build.

    Raises:
        TrtlensError: two logs, a build that the log does not have, or an inspector file of another engine.

    """
    logs = [d for d in documents if isinstance(d.content, Log)]
    if len(logs) > 1:
        raise TrtlensError(f"{logs[0].path} and {logs[1].path} are two logs, so two runs: read each on its own")
    log = logs[0].content if logs else _empty_log()
    assert isinstance(log, Log)  # noqa: S101  the filter above says so; mypy cannot see it
    exports = [document.content for document in documents if not isinstance(document.content, Log)]
    tables = _log_and_exports(log, exports, path_text(PurePath(logs[0].path).name) if logs else "-", build)
    declared = {name: tables.get(name, spec.empty()) for name, spec in TABLES.items()}
    return _with_choices(with_layer_precision(declared))


def listed_builds(numbers: Sequence[int]) -> str:
    """``build 1 only``, ``builds 1 to 3``."""
    return "build 1 only" if len(numbers) == 1 else f"builds {numbers[0]} to {numbers[-1]}"


def _log_and_exports(log: Log, exports: Sequence[Export], file: str, build: int | None) -> dict[str, pa.Table]:
    numbers = [each.number for each in log.builds]
    if build is not None and build not in numbers:
        raise TrtlensError(f"{file} has no build {build}: it has {listed_builds(numbers)}")
    if not exports:
        return log_tables(log, file)
    from trtlens.runs.exported_files import add_export, described_build, with_inspectors  # noqa: PLC0415

    number = described_build(log, exports) if build is None else build
    tables = log_tables(with_inspectors(log, number, exports), file)
    for export in exports:
        add_export(tables, export, number)
    traces = [export for export in exports if isinstance(export, KernelTrace)]
    if traces:
        from trtlens.runs.kernel_tables import kernel_tables  # noqa: PLC0415  few runs are traced

        tables |= kernel_tables(traces, tables["layers"], number)
    counters = [export for export in exports if isinstance(export, KernelCounters)]
    if counters:
        from trtlens.runs.counter_table import counter_table  # noqa: PLC0415  fewer still are profiled so

        tables["kernel_counters"] = counter_table(counters, tables["layers"], tables.get("kernel_launches"), number)
    return tables


def _with_choices(tables: dict[str, pa.Table]) -> Mapping[str, pa.Table]:
    """The tables, with what the engine chose among the candidates worked out when it is first asked for."""
    chosen: dict[str, pa.Table] = {}

    def make(name: str) -> pa.Table:
        if name not in _CHOICE_TABLES:
            return tables[name]
        if not chosen:
            from trtlens.tuning.choices import add_choices  # noqa: PLC0415  a summary needs none of them

            chosen.update(add_choices(with_candidate_kernels(tables)))
        return chosen[name]

    return LazyTables(tables, make)


def _empty_log() -> Log:
    reader = LogReader()
    log = reader.finish()
    return replace(log, builds=(replace(log.builds[0], is_build=True),))

"""Which file is read by what: logs and the JSON that trtexec and the inspector write, joined to one run's tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from trtlens.choices import CHOICE_TABLES, add_choices
from trtlens.dump_tables import comparison_table, dump_tables
from trtlens.errors import TrtlensError
from trtlens.lazy_tables import LazyTables
from trtlens.log_tables import log_tables
from trtlens.precision import add_precision
from trtlens.sources import read_chunks
from trtlens.tables import TABLES
from trtlens_parsers.captured import GpuState, RunTimes, read_captured, recognise_captured
from trtlens_parsers.dump_index import DumpIndex, KeptComparison, read_kept, recognise_index
from trtlens_parsers.errors import FormatError
from trtlens_parsers.exports import LayerTimes, ProfileExport, TimesExport, read_export, recognise
from trtlens_parsers.inspector import InspectorRecord, read_inspector
from trtlens_parsers.log import LogReader
from trtlens_parsers.records import Build, EngineLayer, Log
from trtlens_parsers.text import decode_bytes, sniff_encoding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Content = (
    Log | InspectorRecord | ProfileExport | TimesExport | LayerTimes | RunTimes | GpuState | DumpIndex | KeptComparison
)


@dataclass(frozen=True, slots=True)
class Document:
    """One file and what it holds."""

    path: str
    content: Content


def read_document(path: str) -> Document:
    """Read a file by its content, whatever its name.

    Raises:
        TrtlensError: the file cannot be read, or holds neither TensorRT output nor a JSON that is known.

    """
    chunks = read_chunks(path)
    head = next(chunks)
    kind = _kind(decode_bytes(head[:65536])) if sniff_encoding(head) == "utf-8" else None
    chunks = chain([head], chunks)
    return Document(path, _read_log(path, chunks) if kind is None else _read_json(path, kind, chunks))


def _kind(head: str) -> str | None:
    """Kind of a JSON document, ``inspector`` also for the inspector's one-line text; None for a log."""
    return (
        "inspector"
        if head.startswith("Layers:")
        else recognise_captured(head) or recognise_index(head) or recognise(head)
    )


def _read_log(path: str, chunks: Iterator[bytes]) -> Log:
    reader = LogReader()
    for chunk in chunks:
        reader.feed(chunk)
    log = reader.finish()
    if not log.reading.counts["tensorrt"]:
        raise TrtlensError(
            f"{path} holds no line of TensorRT ({log.reading.lines} lines read): build with a verbose logger and keep all "
            "it prints, for example: trtexec --onnx=model.onnx --verbose > build.log 2>&1"
        )
    return log


def _read_json(path: str, kind: str, chunks: Iterator[bytes]) -> Content:
    text = decode_bytes(b"".join(chunks).removeprefix(b"\xef\xbb\xbf"))
    try:
        if kind == "inspector":
            return read_inspector(text)
        if kind in ("dump", "accuracy"):
            return read_kept(text, kind)
        return read_captured(text, kind) if recognise_captured(text[:200]) else read_export(text, kind)
    except FormatError as error:
        where = f"{path}, line {error.line}" if error.line else path
        raise TrtlensError(f"{where}: {error}") from error


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
    inspected = [d for d in documents if isinstance(d.content, InspectorRecord)]
    number = _build_number(log, build, inspected)
    for document in inspected:
        assert isinstance(document.content, InspectorRecord)  # noqa: S101
        log = _with_inspector(log, number, document.content)
    tables = log_tables(log, logs[0].path if logs else "-")
    for document in documents:
        _add_export(tables, document.content, number)
    return _with_choices(add_precision({name: tables.get(name, spec.empty()) for name, spec in TABLES.items()}))


def _with_choices(tables: dict[str, pa.Table]) -> Mapping[str, pa.Table]:
    """The tables, with what the engine chose among the candidates worked out when it is first asked for."""
    chosen: dict[str, pa.Table] = {}

    def make(name: str) -> pa.Table:
        if name not in CHOICE_TABLES:
            return tables[name]
        if not chosen:
            chosen.update(add_choices(tables))
        return chosen[name]

    return LazyTables(tables, make)


def _empty_log() -> Log:
    reader = LogReader()
    log = reader.finish()
    return replace(log, builds=(replace(log.builds[0], is_build=True),))


def _build_number(log: Log, wanted: int | None, inspected: Sequence[Document]) -> int:
    numbers = [build.number for build in log.builds]
    if wanted is not None:
        if wanted not in numbers:
            raise TrtlensError(f"there is no build {wanted} in the log: it has builds 1 to {numbers[-1]}")
        return wanted
    for document in inspected:
        assert isinstance(document.content, InspectorRecord)  # noqa: S101
        names = [layer.name for layer in document.content.layers]
        for build in reversed(log.builds):
            if [row.layer.name for row in build.layers] == names:
                return build.number
    return next((build.number for build in reversed(log.builds) if build.is_build), numbers[-1])


def _with_inspector(log: Log, number: int, inspector: InspectorRecord) -> Log:
    """The log with the inspector's layers as the detailed rows of one build; they have no line."""
    rows = tuple(EngineLayer(layer, None) for layer in inspector.layers)
    builds = tuple(_detailed(build, rows, inspector) if build.number == number else build for build in log.builds)
    return replace(log, builds=builds)


def _detailed(build: Build, rows: tuple[EngineLayer, ...], inspector: InspectorRecord) -> Build:
    known = {row.layer.name for row in build.layers}
    if known and not known & {row.layer.name for row in rows}:
        raise TrtlensError(
            f"no layer of the inspector file is in build {build.number} of the log: it describes another engine"
        )
    if inspector.names_only:
        return replace(build, layer_names=tuple((row.layer.name, None) for row in rows))
    return replace(build, detailed_layers=rows, bindings=build.bindings or inspector.bindings)


# -- exports -------------------------------------------------------------------------------------------------------


def _add_export(tables: dict[str, pa.Table], content: Content, build: int) -> None:
    match content:
        case ProfileExport():
            tables["layer_profile"] = _profile_table(content, build)
        case TimesExport():
            tables["run_times"] = _exported_times(content, build)
        case RunTimes():
            times = _captured_times(content, build)
            tables["run_times"] = pa.concat_tables([tables["run_times"], times]) if "run_times" in tables else times
        case GpuState():
            tables["gpu_readings"] = _gpu_readings(content, build)
        case LayerTimes():
            tables["layer_times"] = _layer_times(content, build)
        case DumpIndex():
            dumped = dump_tables(content, build)
            tables |= dumped if not tables["nodes"].num_rows else {"dumps": dumped["dumps"]}
        case KeptComparison():
            tables["tensor_errors"] = comparison_table(content, build)


def _profile_table(export: ProfileExport, build: int) -> pa.Table:
    rows = export.rows
    return TABLES["layer_profile"].table({
        "build": [build] * len(rows), "index": list(range(len(rows))), "layer": [row.name for row in rows],
        "executions": [export.count] * len(rows), "total_ms": [row.time_ms for row in rows],
        "average_ms": [row.average_ms for row in rows], "median_ms": [row.median_ms for row in rows],
        "percent": [row.percentage for row in rows], "source": ["export"] * len(rows), "line": [None] * len(rows),
    })  # fmt: skip


def _exported_times(export: TimesExport, build: int) -> pa.Table:
    rows = export.rows
    return TABLES["run_times"].table({
        "build": [build] * len(rows), "pass": ["trtexec"] * len(rows), "iteration": list(range(len(rows))),
        "gpu_ms": [row.compute_ms for row in rows], "queue_dry": [None] * len(rows),
        "host_ms": [row.latency_ms for row in rows], "enqueue_ms": [_span(row.start_enqueue_ms, row.end_enqueue_ms) for row in rows],
        "h2d_ms": [row.h2d_ms for row in rows], "d2h_ms": [row.d2h_ms for row in rows],
    })  # fmt: skip


def _captured_times(times: RunTimes, build: int) -> pa.Table:
    rows, nothing = times.rows, [None] * len(times.rows)
    return TABLES["run_times"].table({
        "build": [build] * len(rows), "pass": [times.pass_name] * len(rows), "iteration": list(range(len(rows))),
        "gpu_ms": [row.gpu_ms for row in rows], "host_ms": [row.host_ms for row in rows],
        "enqueue_ms": [row.enqueue_ms for row in rows], "h2d_ms": nothing, "d2h_ms": nothing,
        "queue_dry": [row.queue_dry for row in rows],
    })  # fmt: skip


def _gpu_readings(state: GpuState, build: int) -> pa.Table:
    rows = state.readings
    named = ("moment", "sm_clock_mhz", "memory_clock_mhz", "power_w", "temperature_c", "clock_reasons")
    return TABLES["gpu_readings"].table({
        "build": [build] * len(rows), "position": list(range(len(rows))),
        **{name: [getattr(row, name) for row in rows] for name in named},
    })  # fmt: skip


def _span(start_ms: float | None, end_ms: float | None) -> float | None:
    return None if start_ms is None or end_ms is None else end_ms - start_ms


def _layer_times(export: LayerTimes, build: int) -> pa.Table:
    columns: dict[str, list[Any]] = {"build": [], "index": [], "layer": [], "iteration": [], "time_ms": []}
    for index, (layer, times) in enumerate(export.rows):
        columns["build"] += [build] * len(times)
        columns["index"] += [index] * len(times)
        columns["layer"] += [layer] * len(times)
        columns["iteration"] += range(len(times))
        columns["time_ms"] += times
    return TABLES["layer_times"].table(columns)

"""JSON files that belong to a run: what trtexec, the inspector and trtlens's own captures write, and their tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from trtlens.errors import TrtlensError
from trtlens.quantities import byte_size
from trtlens.runs.captured_tables import comparison_table, dump_tables
from trtlens.runs.plan_rows import plan_tables
from trtlens.tables.declarations import TABLES
from trtlens_parsers.captured import CAPTURED_KINDS, GpuState, RunTimes, read_captured, recognise_captured
from trtlens_parsers.dump_index import DumpIndex, SavedComparison, read_saved, recognise_index
from trtlens_parsers.errors import FormatError
from trtlens_parsers.exports import LayerTimes, ProfileExport, TimesExport, read_export, recognise
from trtlens_parsers.inspector import InspectorRecord, read_inspector
from trtlens_parsers.kernel_trace import KernelTrace, read_kernel_trace, recognise_trace
from trtlens_parsers.ncu_csv import KernelCounters, read_counters, recognise_counters
from trtlens_parsers.nsight_csv import read_gpu_trace, recognise_gpu_trace
from trtlens_parsers.records import Build, EngineLayer, Log, UnreadRow
from trtlens_parsers.saved_plan import Plan, read_plan_text, recognise_plan
from trtlens_parsers.text import decode_bytes
from trtlens_parsers.torch_trace import read_torch_trace, recognise_torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_LARGEST_BYTES = 256 << 20
"""A document's size: `--exportTimes` of 800,000 inferences."""

Export = (
    InspectorRecord
    | ProfileExport
    | TimesExport
    | LayerTimes
    | RunTimes
    | GpuState
    | DumpIndex
    | SavedComparison
    | KernelTrace
    | KernelCounters
    | Plan
)


_PROFILERS: dict[str, Callable[[str], KernelTrace | KernelCounters]] = {
    "kernel_trace": read_kernel_trace, "torch_trace": read_torch_trace, "gpu_trace": read_gpu_trace, "kernel_sums": read_gpu_trace,
    "ncu": read_counters,
}  # fmt: skip
"""Readers of what profilers of kernels write, by kind."""


def kind_of(head: str) -> str | None:
    """Kind of a document by its beginning, ``inspector`` also for the inspector's one-line text; None for a log."""
    if head.startswith("Layers:"):
        return "inspector"
    tellers = (
        recognise_trace,
        recognise_captured,
        recognise_index,
        recognise_plan,
        recognise,
        recognise_torch,
        recognise_gpu_trace,
        recognise_counters,
    )
    return next((kind for teller in tellers if (kind := teller(head)) is not None), None)


def read_json(path: str, kind: str, chunks: Iterable[bytes]) -> Export:
    """Read a document of a kind that `kind_of` names.

    Raises:
        TrtlensError: the file is not what its beginning says, or is larger than a document may be.

    """
    text = decode_bytes(_joined(path, chunks).removeprefix(b"\xef\xbb\xbf"))
    try:
        if kind == "inspector":
            return read_inspector(text)
        if kind in _PROFILERS:
            return _PROFILERS[kind](text)
        if kind in ("dump", "accuracy"):
            return read_saved(text, kind)
        if kind == "plan":
            return read_plan_text(text)
        return read_captured(text, kind) if kind in CAPTURED_KINDS else read_export(text, kind)
    except FormatError as error:
        where = f"{path}, line {error.line}" if error.line else path
        raise TrtlensError(f"{where}: {error}") from error


def _joined(path: str, chunks: Iterable[bytes]) -> bytes:
    """The whole document; a small file can expand to any size, so what is too large is told before it is held."""
    parts, size = [], 0
    for chunk in chunks:
        size += len(chunk)
        if size > _LARGEST_BYTES:
            raise TrtlensError(
                f"{path} holds more than {byte_size(_LARGEST_BYTES)} (decompressed), too much for one document: export fewer "
                "inferences, or save the tensors as npz"
            )
        parts.append(chunk)
    return b"".join(parts)


# -- the inspector's layers ------------------------------------------------------------------------------------------


def described_build(log: Log, exports: Sequence[Export]) -> int:
    """The build that the exports are of: the one whose layers have the inspector's names, else the last one."""
    for inspector in _inspectors(exports):
        names = [layer.name for layer in inspector.layers]
        for build in reversed(log.builds):
            if [row.layer.name for row in build.layers] == names:
                return build.number
    return next((build.number for build in reversed(log.builds) if build.is_build), log.builds[-1].number)


def with_inspectors(log: Log, number: int, exports: Sequence[Export]) -> Log:
    """The log with the inspector's layers as the detailed rows of one build; they have no line.

    Raises:
        TrtlensError: the inspector's layers are those of another engine.

    """
    for inspector in _inspectors(exports):
        rows = tuple(EngineLayer(layer, None) for layer in inspector.layers)
        builds = (_detailed(build, rows, inspector) if build.number == number else build for build in log.builds)
        log = replace(log, builds=tuple(builds))
    return log


def _inspectors(exports: Sequence[Export]) -> list[InspectorRecord]:
    return [export for export in exports if isinstance(export, InspectorRecord)]


def _detailed(build: Build, rows: tuple[EngineLayer, ...], inspector: InspectorRecord) -> Build:
    known = {row.layer.name for row in build.layers}
    if known and not known & {row.layer.name for row in rows}:
        raise TrtlensError(
            f"no layer of the inspector file is in build {build.number} of the log: it describes another engine"
        )
    unread = (*build.unread_rows, *_unread(inspector))
    if inspector.names_only:
        return replace(build, layer_names=tuple((row.layer.name, None) for row in rows), unread_rows=unread)
    return replace(build, detailed_layers=rows, bindings=build.bindings or inspector.bindings, unread_rows=unread)


def _unread(inspector: InspectorRecord) -> Iterator[UnreadRow]:
    """What the inspector's file has besides layers and tensors in their places."""
    for rows, is_layer in ((inspector.unreadable, True), (inspector.unreadable_tensors, False)):
        yield from [UnreadRow(None, is_layer, detailed=True)] * len(rows)


# -- tables ---------------------------------------------------------------------------------------------------------


def add_export(tables: dict[str, pa.Table], content: Export, build: int) -> None:
    """Add to the tables what a document holds of one build; the inspector's layers are in them already."""
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
        case SavedComparison():
            tables["tensor_errors"] = comparison_table(content, build)
        case Plan():
            tables |= plan_tables(content, build)


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
        "gpu_ms": [row.compute_ms for row in rows], "queue_dry": [None] * len(rows), "process": [None] * len(rows),
        "host_ms": [row.latency_ms for row in rows], "enqueue_ms": [_span(row.start_enqueue_ms, row.end_enqueue_ms) for row in rows],
        "h2d_ms": [row.h2d_ms for row in rows], "d2h_ms": [row.d2h_ms for row in rows],
    })  # fmt: skip


def _captured_times(times: RunTimes, build: int) -> pa.Table:
    rows, nothing = times.rows, [None] * len(times.rows)
    return TABLES["run_times"].table({
        "build": [build] * len(rows), "pass": [times.pass_name] * len(rows), "iteration": list(range(len(rows))),
        "gpu_ms": [row.gpu_ms for row in rows], "host_ms": [row.host_ms for row in rows],
        "enqueue_ms": [row.enqueue_ms for row in rows], "h2d_ms": nothing, "d2h_ms": nothing,
        "queue_dry": [row.queue_dry for row in rows], "process": [row.process for row in rows],
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

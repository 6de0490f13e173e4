"""Measurements that `trtlens profile` writes into a run: times of whole inferences, of layers, and readings of the GPU.

All are JSON objects that begin with ``{"format":1,``: `times.json` and `latency-times.json` go on with ``"header"``,
`layer-times.json` with ``"layers"``, `gpu-state.json` with ``"limits"``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens_parsers.errors import FormatError
from trtlens_parsers.exports import LayerTimes
from trtlens_parsers.json_text import (
    boolean_of,
    finite,
    integer_of,
    kind_by_start,
    number_of,
    object_of,
    parse_json,
    required_text,
    rows_of,
    spelled,
    texts_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT = 1
_KINDS = tuple(
    (kind, re.compile(rf'\{{\s*"format"\s*:\s*\d+\s*,\s*"{key}"'))
    for key, kind in (("header", "run_times"), ("layers", "captured_layers"), ("limits", "gpu_state"))
)
CAPTURED_KINDS = frozenset(kind for kind, _ in _KINDS)
"""What `recognise_captured` may tell."""
THROTTLING = frozenset(
    {
        "software power cap",
        "hardware slowdown",
        "software thermal slowdown",
        "hardware thermal slowdown",
        "hardware power brake",
    },
)
"""The reasons that mean the GPU runs slower than it could."""


@dataclass(frozen=True, slots=True)
class RunTime:
    """One inference; milliseconds. ``queue_dry`` tells that the GPU waited for it, so that its time measures the launch.

    ``process`` counts from 1 the processes that timed the engine one after another; None where that is not told.
    """

    gpu_ms: float | None
    host_ms: float | None
    enqueue_ms: float | None
    queue_dry: bool | None
    process: int | None = None


@dataclass(frozen=True, slots=True)
class RunTimes:
    """All inferences of one pass: ``timing`` (queued back to back) or ``latency`` (one at a time)."""

    pass_name: str
    rows: tuple[RunTime, ...]


@dataclass(frozen=True, slots=True)
class GpuReading:
    """One look at the GPU through NVML; what it did not tell is None. ``clock_reasons`` are in the words of the capture."""

    moment: str
    sm_clock_mhz: int | None
    memory_clock_mhz: int | None
    power_w: float | None
    temperature_c: int | None
    clock_reasons: tuple[str, ...] | None

    @property
    def throttling(self) -> tuple[str, ...]:
        """Those of the clock reasons that slow the GPU down."""
        return tuple(reason for reason in self.clock_reasons or () if reason in THROTTLING)


@dataclass(frozen=True, slots=True)
class GpuState:
    """The readings of one capture in order."""

    readings: tuple[GpuReading, ...]


def recognise_captured(text_head: str) -> str | None:
    """`run_times`, `captured_layers` or `gpu_state`; None for anything else."""
    return kind_by_start(text_head, _KINDS)


def read_captured(text: str, kind: str) -> RunTimes | LayerTimes | GpuState:
    """Read a document of the kind that `recognise_captured` told.

    Raises:
        FormatError: the document is broken, or of a newer format.

    """
    document = parse_json(text, kind.replace("_", " "))
    number = integer_of(document, "format") if isinstance(document, dict) else None
    if number is not None and number > FORMAT:
        raise FormatError(f"format {number} is newer than this trtlens reads ({FORMAT}): update trtlens")
    try:
        return _READERS[kind](document)
    except FormatError as error:
        raise FormatError(f"the file that trtlens profile wrote is damaged ({error}): profile again") from None


def _run_times(document: dict[str, Any]) -> RunTimes:
    rows = (
        RunTime(
            gpu_ms=number_of(row, "gpu_ms"),
            host_ms=number_of(row, "host_ms"),
            enqueue_ms=number_of(row, "enqueue_ms"),
            queue_dry=boolean_of(row, "queue_dry"),
            process=integer_of(row, "process"),
        )
        for row in rows_of(document, "samples")
    )
    return RunTimes(required_text(object_of(document, "header"), "pass"), tuple(rows))


def _layer_times(document: dict[str, Any]) -> LayerTimes:
    """Rows of executions turned into one row a layer; names may repeat."""
    layers, executions = texts_of(document, "layers") or (), document.get("times_ms")
    if not isinstance(executions, list) or not all(isinstance(row, list) for row in executions):
        raise FormatError(f"times_ms is no list of lists: {spelled(executions)}")
    odd = next((number for number, row in enumerate(executions) if len(row) != len(layers)), None)
    if odd is not None:
        raise FormatError(f"execution {odd} has {len(executions[odd])} times for {len(layers)} layers")
    columns = zip(*([finite(value, "a time") for value in row] for row in executions), strict=True)
    return LayerTimes(tuple(zip(layers, columns if executions else [()] * len(layers), strict=True)))


def _gpu_state(document: dict[str, Any]) -> GpuState:
    return GpuState(tuple(_reading(row) for row in rows_of(document, "readings")))


def _reading(row: dict[str, Any]) -> GpuReading:
    return GpuReading(
        moment=required_text(row, "moment"),
        sm_clock_mhz=integer_of(row, "sm_clock_mhz"),
        memory_clock_mhz=integer_of(row, "memory_clock_mhz"),
        power_w=number_of(row, "power_w"),
        temperature_c=integer_of(row, "temperature_c"),
        clock_reasons=texts_of(row, "clock_reasons"),
    )


_READERS: dict[str, Callable[[dict[str, Any]], RunTimes | LayerTimes | GpuState]] = {
    "run_times": _run_times,
    "captured_layers": _layer_times,
    "gpu_state": _gpu_state,
}

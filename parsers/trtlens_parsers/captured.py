"""Measurements that `trtlens profile` writes into a run: times of whole inferences, of layers, and readings of the GPU.

All are JSON objects that begin with ``{"format":1,``: `times.json` and `latency-times.json` go on with ``"header"``,
`layer-times.json` with ``"layers"``, `gpu-state.json` with ``"limits"``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens_parsers.errors import FormatError
from trtlens_parsers.exports import LayerTimes

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT = 1
_START = re.compile(r'\{\s*"format"\s*:\s*\d+\s*,\s*"(header|layers|limits)"')
_KINDS = {"header": "run_times", "layers": "captured_layers", "limits": "gpu_state"}
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
    """One inference; milliseconds. ``queue_dry`` tells that the GPU waited for it, so that its time measures the launch."""

    gpu_ms: float | None
    host_ms: float | None
    enqueue_ms: float | None
    queue_dry: bool | None


@dataclass(frozen=True, slots=True)
class RunTimes:
    """All inferences of one pass: ``timing`` (queued back to back) or ``latency`` (one at a time)."""

    pass_name: str
    header: dict[str, Any]
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
    """The readings of one capture in order, and what the GPU may do at most."""

    limits: dict[str, Any]
    readings: tuple[GpuReading, ...]


def recognise_captured(text_head: str) -> str | None:
    """`run_times`, `captured_layers` or `gpu_state`; None for anything else."""
    match = _START.match(text_head.lstrip("\ufeff \t\r\n"))
    return _KINDS[match[1]] if match else None


def read_captured(text: str, kind: str) -> RunTimes | LayerTimes | GpuState:
    """Read a document of the kind that `recognise_captured` told.

    Raises:
        FormatError: the document is broken, or of a newer format.

    """
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise FormatError(
                f"format {document['format']} is newer than this trtlens reads ({FORMAT}): update trtlens"
            )
        return _READERS[kind](document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(
            f"the file that trtlens profile wrote is damaged ({type(error).__name__}: {error})"
        ) from error


def _run_times(document: dict[str, Any]) -> RunTimes:
    rows = (RunTime(s["gpu_ms"], s["host_ms"], s["enqueue_ms"], s.get("queue_dry")) for s in document["samples"])
    return RunTimes(str(document["header"]["pass"]), dict(document["header"]), tuple(rows))


def _layer_times(document: dict[str, Any]) -> LayerTimes:
    """Rows of executions turned into one row a layer; names may repeat."""
    columns = list(zip(*document["times_ms"], strict=True)) or [()] * len(document["layers"])
    return LayerTimes(tuple(zip(map(str, document["layers"]), columns, strict=True)))


def _gpu_state(document: dict[str, Any]) -> GpuState:
    return GpuState(dict(document["limits"] or {}), tuple(_reading(row) for row in document["readings"]))


def _reading(row: dict[str, Any]) -> GpuReading:
    reasons = row["clock_reasons"]
    return GpuReading(
        moment=row["moment"],
        sm_clock_mhz=row["sm_clock_mhz"],
        memory_clock_mhz=row["memory_clock_mhz"],
        power_w=row["power_w"],
        temperature_c=row["temperature_c"],
        clock_reasons=None if reasons is None else tuple(reasons),
    )


_READERS: dict[str, Callable[[dict[str, Any]], RunTimes | LayerTimes | GpuState]] = {
    "run_times": _run_times,
    "captured_layers": _layer_times,
    "gpu_state": _gpu_state,
}

"""CUPTI's activity records through `cupti-python`, as the events, calls and ranges that readers of traces know.

CONCURRENT_KERNEL, MEMCPY and MEMSET say what ran on the GPU and when, RUNTIME and DRIVER which call launched it, MARKER the
NVTX ranges around that call: TensorRT opens one for each layer that it enqueues. CUPTI hears of ranges only if
NVTX_INJECTION64_PATH names its library before the process first uses NVTX, so it is loaded before TensorRT. Once records were
enabled launches stay slower in the process, even where they are disabled again: nothing is timed in a process that traces.
Names and fields are those of cupti-python 12.6 to 13.4 (CUPTI API, "Activity Record Types").
"""

from __future__ import annotations

import importlib
import os
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtlens.errors import CaptureError
from trtlens_parsers.kernel_trace import COPY, FILL, KERNEL, KernelLaunch, blocks_of
from trtlens_parsers.profiler_events import COPY_WORDS, ApiCall, GpuEvent, RangeEvent, executions_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

    from trtlens_parsers.kernel_trace import Execution

INSTALL = "`pip install 'trtlens[trace]'`, or the cupti-python of the driver's CUDA (`trtlens doctor` says which)"
RECORDED = (KERNEL, COPY, FILL)

_INJECTION = "NVTX_INJECTION64_PATH"
_MARKER_START, _MARKER_END = 1 << 1, 1 << 2
"""CUPTI_ACTIVITY_FLAG_MARKER_START and _END, of which cupti-python 13.0 names the first alone."""
_BUFFER_BYTES = 8 << 20
_MAPS = Path("/proc/self/maps")


class Collector:
    """Records from the first `begin` until it is closed; `cupti` is the module, one collector for one process."""

    def __init__(self, cupti: Any) -> None:
        self._cupti = cupti
        self._readers = {
            cupti.ActivityKind.CONCURRENT_KERNEL: self._read_kernel,
            cupti.ActivityKind.MEMCPY: self._read_copy,
            cupti.ActivityKind.MEMSET: self._read_fill,
            cupti.ActivityKind.RUNTIME: self._read_call,
            cupti.ActivityKind.DRIVER: self._read_call,
            cupti.ActivityKind.MARKER: self._read_marker,
        }
        self._enabled: list[Any] = []
        self._keeps = False
        self._forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for kind in self._enabled:
            self._cupti.activity_disable(kind)

    def begin(self) -> None:
        """Drop what was recorded so far; the GPU must be idle. Raises CaptureError, with CUPTI's own words, where it refuses to record."""
        if self._enabled:
            self._cupti.activity_flush_all(0)
        else:
            self._enable()
        self._forget()
        self._keeps = True

    def _enable(self) -> None:
        try:
            self._cupti.activity_register_callbacks(lambda: (_BUFFER_BYTES, 0), self._take)
            for kind in self._readers:
                self._cupti.activity_enable(kind)
                self._enabled.append(kind)
        except Exception as error:  # cupti-python's error has no base of its own to name
            raise CaptureError(f"CUPTI does not record ({error}): {_REFUSALS}") from error

    def executions(self) -> Sequence[Execution]:
        """What ran since `begin`, in launch order; the GPU must be idle."""
        self._cupti.activity_flush_all(0)
        self._keeps = False
        if self._failure is not None:
            raise self._failure
        return executions_of(self._events, self._calls, self._ranges)

    def _forget(self) -> None:
        self._events: list[GpuEvent] = []
        self._calls: list[ApiCall] = []
        self._ranges: list[RangeEvent] = []
        self._opened: dict[int, tuple[int, str]] = {}
        self._failure: Exception | None = None

    def _take(self, records: Sequence[Any]) -> None:
        """Copy what is needed: the records end with their buffer. CUPTI drops what is raised here."""
        if not self._keeps:
            return
        try:
            for record in records:
                read = self._readers.get(record.kind)
                if read is not None:
                    read(record)
        except Exception as error:  # noqa: BLE001  it is raised where the records are asked for
            self._failure = error

    def _read_kernel(self, record: Any) -> None:
        grid = (record.grid_x, record.grid_y, record.grid_z)
        launch = KernelLaunch(
            record.name, KERNEL, None, record.stream_id, grid, (record.block_x, record.block_y, record.block_z), blocks_of(grid),
            record.registers_per_thread, record.static_shared_memory + record.dynamic_shared_memory, record.graph_node_id or None,
        )  # fmt: skip
        self._add(launch, record)

    def _read_copy(self, record: Any) -> None:
        self._add_memory(f"[CUDA memcpy {COPY_WORDS.get(record.copy_kind, record.copy_kind)}]", COPY, record)

    def _read_fill(self, record: Any) -> None:
        self._add_memory("[CUDA memset]", FILL, record)

    def _add_memory(self, name: str, kind: str, record: Any) -> None:
        self._add(KernelLaunch(name, kind, stream=record.stream_id, graph_node=record.graph_node_id or None), record)

    def _add(self, launch: KernelLaunch, record: Any) -> None:
        """A start or end of 0 says that CUPTI could not take it."""
        if 0 < record.start <= record.end:
            self._events.append(GpuEvent(launch, record.start, record.end - record.start, record.correlation_id))

    def _read_call(self, record: Any) -> None:
        self._calls.append(ApiCall(record.correlation_id, None, record.start))

    def _read_marker(self, record: Any) -> None:
        """The name stands on the record of a range's start alone; only the thread that enqueues opens ranges."""
        if record.flags_ & _MARKER_START:
            self._opened[record.id] = (record.timestamp, record.name or "")
        elif record.flags_ & _MARKER_END and record.id in self._opened:
            start, name = self._opened.pop(record.id)
            self._ranges.append(RangeEvent(None, start, record.timestamp, name))


_REFUSALS = "another profiler may be attached (nsys, ncu), or the container forbids profiling"


def load_cupti() -> Any:
    """CUPTI's module, which NVTX calls from now on; raises CaptureError where there is none.

    Call it before TensorRT is imported.
    """
    try:
        cupti = importlib.import_module("cupti.cupti")
        cupti.get_timestamp()  # the library is loaded by the first call
    except ImportError as error:
        raise CaptureError(f"tracing kernels needs cupti-python ({error}): {INSTALL}") from error
    except Exception as error:  # its errors have no class to name before it is imported
        raise CaptureError(f"CUPTI does not load ({error}): {INSTALL}") from error
    library = _loaded_library()
    if library is not None:
        os.environ.setdefault(_INJECTION, library)
    return cupti


def collector_name() -> str:
    """The package that collects, with its version."""
    try:
        return f"cupti-python {metadata.version('cupti-python')}"
    except metadata.PackageNotFoundError:
        return "cupti-python"


def _loaded_library() -> str | None:
    """The file of libcupti that this process has loaded: the one that NVTX must call."""
    try:
        lines = _MAPS.read_text().splitlines()
    except OSError:
        return None
    return next((line.split(maxsplit=5)[5] for line in lines if "/libcupti.so" in line), None)

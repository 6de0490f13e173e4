"""The part of the CUDA runtime that running an engine needs; streams, events and graphs are plain numbers here.

Calls go through `cuda.bindings.runtime` (cuda-bindings 12 and 13), or `cuda.cudart` of older cuda-python. Every
function there returns a tuple whose first member is a `cudaError_t`. A stream or an event is an object of the driver,
so it may be handed to a TensorRT that was built with another version of the runtime.
"""

from __future__ import annotations

import ctypes
import importlib
from typing import TYPE_CHECKING, Any

from trtlens.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

INSTALL = "`pip install cuda-bindings` (or `pip install 'trtlens[gpu]'`)"

_ADVICE = {
    2: "free GPU memory, or use smaller shapes",
    35: "update the driver, or install the cuda-bindings of the CUDA that it serves",
    100: "check CUDA_VISIBLE_DEVICES, and the container's GPU option",
    101: "choose a GPU that nvidia-smi lists",
}
_NON_BLOCKING = 1  # cudaStreamNonBlocking: the legacy default stream must not hold up this one
_BUS_ID_LENGTH = 64


class Cuda:
    """CUDA as `runtime`, a module with the functions of the CUDA runtime API, gives it.

    Every method but those that release something raises CaptureError with CUDA's own words where a call fails.
    Durations are milliseconds, sizes bytes.
    """

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime
        self._ok = runtime.cudaError_t.cudaSuccess
        self._not_ready = runtime.cudaError_t.cudaErrorNotReady
        # bound once: these run between inferences
        self._record = runtime.cudaEventRecord
        self._query = runtime.cudaEventQuery
        self._forget = runtime.cudaGetLastError
        self._wait = runtime.cudaEventSynchronize
        self._launch = runtime.cudaGraphLaunch

    def select(self, device: int) -> None:
        """Make `device`, counted among the visible ones, the one of this thread; creates its context."""
        self._call("cudaSetDevice", device)
        self._call("cudaFree", 0)

    def pci_bus_id(self, device: int) -> str:
        """The bus address that names the same GPU to NVML, whatever CUDA_VISIBLE_DEVICES renumbers."""
        raw = self._call("cudaDeviceGetPCIBusId", _BUS_ID_LENGTH, device)
        return bytes(raw).split(b"\0")[0].decode("ascii")

    def create_stream(self) -> int:
        """A new stream, apart from the default one (on which TensorRT adds synchronisations of its own)."""
        return int(self._call("cudaStreamCreateWithFlags", _NON_BLOCKING))

    def destroy_stream(self, stream: int) -> None:
        """Destroy the stream; nothing may use it afterwards, `report_to_profiler` included."""
        self._release("cudaStreamDestroy", stream)

    def synchronize(self, stream: int) -> None:
        """Wait until all work in the stream is done; errors of that work surface here."""
        self._call("cudaStreamSynchronize", stream)

    def create_event(self) -> int:
        """A new event that keeps time."""
        return int(self._call("cudaEventCreate"))

    def destroy_event(self, event: int) -> None:
        """Destroy the event."""
        self._release("cudaEventDestroy", event)

    def record(self, event: int, stream: int) -> None:
        """Put the event behind the work that is in the stream now."""
        (code,) = self._record(event, stream)
        if code != self._ok:
            raise self._error("cudaEventRecord", code)

    def is_done(self, event: int) -> bool:
        """Whether the GPU has passed the event; never waits."""
        (code,) = self._query(event)
        if code == self._not_ready:
            self._forget()  # else it stays the runtime's last error, which TensorRT may read if it shares the runtime
            return False
        if code != self._ok:
            raise self._error("cudaEventQuery", code)
        return True

    def wait(self, event: int) -> None:
        """Wait until the GPU has passed the event."""
        (code,) = self._wait(event)
        if code != self._ok:
            raise self._error("cudaEventSynchronize", code)

    def elapsed_ms(self, start: int, end: int) -> float:
        """GPU time between two events that it has passed; CUDA resolves about half a microsecond."""
        return float(self._call("cudaEventElapsedTime", start, end))

    def allocate(self, size_bytes: int) -> int:
        """Address of new device memory, aligned to 256 bytes at least."""
        return int(self._call("cudaMalloc", size_bytes))

    def free(self, address: int) -> None:
        """Free device memory."""
        self._release("cudaFree", address)

    def upload(self, address: int, values: NDArray[np.generic]) -> None:
        """Copy a C-contiguous array to device memory and wait for it."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call("cudaMemcpy", address, values.ctypes.data, values.nbytes, kind)

    def download(self, address: int, size_bytes: int) -> bytes:
        """Copy device memory to the host and wait for it."""
        copied = ctypes.create_string_buffer(size_bytes)
        if size_bytes:
            kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
            self._call("cudaMemcpy", ctypes.addressof(copied), address, size_bytes, kind)
        return copied.raw

    def capture(self, stream: int, enqueue: Callable[[], bool]) -> int:
        """What `enqueue` puts into the stream, as a graph to launch; raises CaptureError where that is refused."""
        mode = self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call("cudaStreamBeginCapture", stream, mode)
        enqueued = False
        try:
            enqueued = enqueue()
        finally:
            # ends the capture whatever happened, else the stream stays unusable
            code, graph = self._runtime.cudaStreamEndCapture(stream)
        if code != self._ok:
            self._forget()
            raise self._error("cudaStreamEndCapture", code)
        try:
            if not enqueued:
                raise CaptureError("TensorRT refused to enqueue while its stream was captured")
            return int(self._call("cudaGraphInstantiateWithFlags", graph, 0))
        finally:
            self._runtime.cudaGraphDestroy(graph)

    def launch_graph(self, graph: int, stream: int) -> None:
        """Put the whole graph into the stream."""
        (code,) = self._launch(graph, stream)
        if code != self._ok:
            raise self._error("cudaGraphLaunch", code)

    def destroy_graph(self, graph: int) -> None:
        """Destroy the graph."""
        self._release("cudaGraphExecDestroy", graph)

    def _call(self, name: str, *arguments: Any) -> Any:
        code, *values = getattr(self._runtime, name)(*arguments)
        if code != self._ok:
            raise self._error(name, code)
        return values[0] if values else None

    def _release(self, name: str, handle: int) -> None:
        """Release a handle; an error here is an earlier one that surfaces again, and would hide that one."""
        getattr(self._runtime, name)(handle)

    def _error(self, name: str, code: Any) -> CaptureError:
        described = self._runtime.cudaGetErrorString(code)[1]
        text = described.decode(errors="replace") if isinstance(described, bytes) else str(code)
        return CaptureError(
            f"{name} failed: {text} ({int(code)}): {_ADVICE.get(int(code), 'see nvidia-smi and dmesg')}"
        )


def load_cuda() -> Cuda:
    """CUDA through the installed bindings; raises CaptureError where there are none or they do not load."""
    try:
        return Cuda(importlib.import_module("cuda.bindings.runtime"))
    except ImportError as error:
        missing = error
    try:  # only now: newer packages have this name as well, and warn when it is imported
        return Cuda(importlib.import_module("cuda.cudart"))
    except ImportError:
        raise CaptureError(f"timing needs NVIDIA's Python bindings of CUDA ({missing}): {INSTALL}") from None

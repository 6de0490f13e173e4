# ruff: noqa: D102, N802, N815
"""A GPU and a host with one clock that only moves when something is done: what the CUDA runtime and NVML would say.

Work that the host puts into a stream starts when the work ahead of it has ended, and not before its launch has arrived.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from enum import IntEnum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

RECORD_NS = 1_000
TRAVEL_NS = 3_000
NVML_NS = 5_000_000


class CudaError(IntEnum):
    """The three codes that the tests need, numbered as CUDA does."""

    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorNotReady = 600
    cudaErrorIllegalAddress = 700


@dataclass
class VirtualGpu:
    """One GPU, one host thread; times in nanoseconds since the beginning. `log` tells in order what happened."""

    now_ns: int = 0
    memory_limit: int = 1 << 40
    tails_ns: dict[int, int] = field(default_factory=dict)
    events_ns: dict[int, int] = field(default_factory=dict)
    memory: dict[int, int] = field(default_factory=dict)
    graphs: dict[int, list[Callable[[], None]]] = field(default_factory=dict)
    templates: list[list[Callable[[], None]]] = field(default_factory=list)
    uploads: dict[int, bytes] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    captured: list[Callable[[], None]] | None = None
    handles: int = 0
    most_in_flight: int = 0
    _ends_ns: list[int] = field(default_factory=list)

    def clock(self) -> int:
        """The host's clock."""
        return self.now_ns

    def spend(self, host_ns: int) -> None:
        """Let the host be busy."""
        self.now_ns += host_ns

    def work(self, stream: int, gpu_ns: int) -> None:
        """Put work into the stream, or into the graph that is being captured."""
        if self.captured is not None:
            self.captured.append(lambda: self.work(stream, gpu_ns))
            return
        start = max(self.tails_ns[stream], self.now_ns + TRAVEL_NS)
        self.tails_ns[stream] = start + gpu_ns
        self._ends_ns = [end for end in self._ends_ns if end > self.now_ns] + [start + gpu_ns]
        self.most_in_flight = max(self.most_in_flight, len(self._ends_ns))

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in flight."""
        return all(tail <= self.now_ns for tail in self.tails_ns.values())

    @property
    def leftovers(self) -> tuple[int, int, int, int]:
        """How many streams, events, pieces of memory and graphs were not given back."""
        return len(self.tails_ns), len(self.events_ns), len(self.memory), len(self.graphs) + len(self.templates)

    def handle(self) -> int:
        """A number that nothing else has."""
        self.handles += 1
        return self.handles


class VirtualRuntime:
    """The functions of `cuda.bindings.runtime` that are used; each returns a tuple that begins with the error code."""

    cudaError_t = CudaError
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1)
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)

    def __init__(self, gpu: VirtualGpu) -> None:
        self.gpu = gpu
        self.capture_fails = False

    def cudaGetErrorString(self, code: CudaError) -> tuple[CudaError, bytes]:
        return CudaError.cudaSuccess, {2: b"out of memory", 700: b"an illegal memory access"}.get(code, b"no error")

    def cudaGetLastError(self) -> tuple[CudaError]:
        return (CudaError.cudaSuccess,)

    def cudaSetDevice(self, device: int) -> tuple[CudaError]:
        self.gpu.log.append(f"device {device}")
        return (CudaError.cudaSuccess,)

    def cudaDeviceGetPCIBusId(self, _length: int, device: int) -> tuple[CudaError, bytes]:
        return CudaError.cudaSuccess, f"0000:{device:02X}:00.0".encode() + b"\0" * 8

    def cudaStreamCreateWithFlags(self, _flags: int) -> tuple[CudaError, int]:
        stream = self.gpu.handle()
        self.gpu.tails_ns[stream] = 0
        return CudaError.cudaSuccess, stream

    def cudaStreamDestroy(self, stream: int) -> tuple[CudaError]:
        del self.gpu.tails_ns[stream]
        return (CudaError.cudaSuccess,)

    def cudaStreamSynchronize(self, stream: int) -> tuple[CudaError]:
        self.gpu.now_ns = max(self.gpu.now_ns, self.gpu.tails_ns[stream])
        return (CudaError.cudaSuccess,)

    def cudaEventCreate(self) -> tuple[CudaError, int]:
        event = self.gpu.handle()
        self.gpu.events_ns[event] = -1
        return CudaError.cudaSuccess, event

    def cudaEventDestroy(self, event: int) -> tuple[CudaError]:
        del self.gpu.events_ns[event]
        return (CudaError.cudaSuccess,)

    def cudaEventRecord(self, event: int, stream: int) -> tuple[CudaError]:
        gpu = self.gpu
        gpu.spend(RECORD_NS)
        gpu.tails_ns[stream] = gpu.events_ns[event] = max(gpu.tails_ns[stream], gpu.now_ns + TRAVEL_NS)
        return (CudaError.cudaSuccess,)

    def cudaEventQuery(self, event: int) -> tuple[CudaError]:
        done = self.gpu.events_ns[event] <= self.gpu.now_ns
        return (CudaError.cudaSuccess if done else CudaError.cudaErrorNotReady,)

    def cudaEventSynchronize(self, event: int) -> tuple[CudaError]:
        self.gpu.now_ns = max(self.gpu.now_ns, self.gpu.events_ns[event])
        return (CudaError.cudaSuccess,)

    def cudaEventElapsedTime(self, start: int, end: int) -> tuple[CudaError, float | None]:
        if max(self.gpu.events_ns[start], self.gpu.events_ns[end]) > self.gpu.now_ns:
            return CudaError.cudaErrorNotReady, None
        return CudaError.cudaSuccess, (self.gpu.events_ns[end] - self.gpu.events_ns[start]) / 1e6

    def cudaMalloc(self, size: int) -> tuple[CudaError, int | None]:
        if size > self.gpu.memory_limit:
            return CudaError.cudaErrorMemoryAllocation, None
        address = self.gpu.handle() << 20
        self.gpu.memory[address] = size
        return CudaError.cudaSuccess, address

    def cudaFree(self, address: int) -> tuple[CudaError]:
        if address:
            del self.gpu.memory[address]
        return (CudaError.cudaSuccess,)

    def cudaMemcpy(self, target: int, source: int, size: int, _kind: int) -> tuple[CudaError]:
        if size > self.gpu.memory[target]:
            return (CudaError.cudaErrorIllegalAddress,)
        self.gpu.uploads[target] = ctypes.string_at(source, size)
        return (CudaError.cudaSuccess,)

    def cudaStreamBeginCapture(self, _stream: int, _mode: int) -> tuple[CudaError]:
        self.gpu.captured = []
        return (CudaError.cudaSuccess,)

    def cudaStreamEndCapture(self, _stream: int) -> tuple[CudaError, Any]:
        recorded, self.gpu.captured = self.gpu.captured or [], None
        if self.capture_fails:
            return CudaError.cudaErrorIllegalAddress, None
        self.gpu.templates.append(recorded)
        return CudaError.cudaSuccess, recorded

    def cudaGraphInstantiateWithFlags(self, recorded: list[Callable[[], None]], _flags: int) -> tuple[CudaError, int]:
        graph = self.gpu.handle()
        self.gpu.graphs[graph] = recorded
        return CudaError.cudaSuccess, graph

    def cudaGraphDestroy(self, recorded: Any) -> tuple[CudaError]:
        self.gpu.templates.remove(recorded)
        return (CudaError.cudaSuccess,)

    def cudaGraphLaunch(self, graph: int, _stream: int) -> tuple[CudaError]:
        self.gpu.spend(RECORD_NS)
        self.gpu.log.append("graph launch")
        for node in self.gpu.graphs[graph]:
            node()
        return (CudaError.cudaSuccess,)

    def cudaGraphExecDestroy(self, graph: int) -> tuple[CudaError]:
        del self.gpu.graphs[graph]
        return (CudaError.cudaSuccess,)


class NvmlError(Exception):
    """Stands for pynvml.NVMLError."""


@dataclass
class VirtualNvml:
    """The functions of pynvml that are used; every question about the GPU is logged, and takes the host 5 ms."""

    gpu: VirtualGpu
    sm_clock_mhz: int = 1980
    power_mw: int = 300_000
    reasons: int = 0
    refused: frozenset[str] = frozenset()
    asked_while_busy: list[str] = field(default_factory=list)

    NVMLError = NvmlError
    NVML_CLOCK_SM = 1
    NVML_CLOCK_MEM = 2
    NVML_TEMPERATURE_GPU = 0

    def _answer(self, question: str, answer: Any) -> Any:
        if question in self.refused:
            raise NvmlError("Not Supported")
        if not self.gpu.is_idle:
            self.asked_while_busy.append(question)
        self.gpu.log.append(f"nvml {question}")
        self.gpu.spend(NVML_NS)
        return answer

    def nvmlInit(self) -> None:
        if "init" in self.refused:
            raise NvmlError("Driver Not Loaded")

    def nvmlShutdown(self) -> None:
        self.gpu.log.append("nvml shutdown")

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetHandleByPciBusId(self, bus_id: bytes) -> bytes:
        if "bus" in self.refused:
            raise NvmlError("Not Found")
        return bus_id

    def nvmlDeviceGetClockInfo(self, _handle: Any, clock: int) -> Any:
        return self._answer("clock", self.sm_clock_mhz if clock == self.NVML_CLOCK_SM else 3201)

    def nvmlDeviceGetMaxClockInfo(self, _handle: Any, clock: int) -> Any:
        return self._answer("max clock", 1980 if clock == self.NVML_CLOCK_SM else 3201)

    def nvmlDeviceGetApplicationsClock(self, _handle: Any, _clock: int) -> Any:
        return self._answer("application clock", 1980)

    def nvmlDeviceGetPowerUsage(self, _handle: Any) -> Any:
        return self._answer("power", self.power_mw)

    def nvmlDeviceGetEnforcedPowerLimit(self, _handle: Any) -> Any:
        return self._answer("power limit", 700_000)

    def nvmlDeviceGetTemperature(self, _handle: Any, _sensor: int) -> Any:
        return self._answer("temperature", 41)

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, _handle: Any) -> Any:
        return self._answer("reasons", self.reasons)

    def nvmlDeviceGetComputeRunningProcesses(self, _handle: Any) -> Any:
        return self._answer("processes", [1])

    def nvmlDeviceGetName(self, _handle: Any) -> Any:
        return self._answer("name", b"NVIDIA Virtual")

    def nvmlDeviceGetUUID(self, _handle: Any) -> Any:
        return self._answer("uuid", "GPU-0")

    def nvmlSystemGetDriverVersion(self) -> Any:
        return "580.0"

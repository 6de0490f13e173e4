"""The GPU: what the CUDA driver's C library says of it, and clocks, power and temperature around a timing from NVML.

`cuInit`, `cuDeviceGetCount`, `cuDeviceGetName`, `cuDeviceGetAttribute` and `cuDeviceTotalMem_v2` are as in the driver API
since CUDA 3.2 and need no package; the driver's own version is only in NVML (`nvmlSystemGetDriverVersion`).

Read through `pynvml` of nvidia-ml-py. Asking NVML takes milliseconds and disturbs what runs (nvidia-smi in a loop
makes spikes: https://github.com/NVIDIA/TensorRT/issues/3090), so it is asked before, between and after passes, never
during one. The bits of the clock reasons are those of nvml.h ("nvmlClocksEventReasons", "nvmlClocksThrottleReasons"
before driver 535).
"""

from __future__ import annotations

import ctypes
import importlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from trtlens_parsers.captured import GpuReading

if TYPE_CHECKING:
    from collections.abc import Callable

CLOCK_REASONS = (
    (0x001, "idle"),
    (0x002, "application clocks"),
    (0x004, "software power cap"),
    (0x008, "hardware slowdown"),
    (0x010, "sync boost"),
    (0x020, "software thermal slowdown"),
    (0x040, "hardware thermal slowdown"),
    (0x080, "hardware power brake"),
    (0x100, "display clock"),
)
"""NVML's bits and the names they go by here."""


@dataclass(frozen=True, slots=True)
class GpuLimits:
    """What the GPU may do, as far as NVML tells; `application_sm_clock_mhz` is the clock asked for by `nvidia-smi -ac`.

    `processes` counts the processes that compute on the GPU, this one included where it does.
    """

    name: str | None
    uuid: str | None
    driver: str | None
    max_sm_clock_mhz: int | None
    max_memory_clock_mhz: int | None
    application_sm_clock_mhz: int | None
    power_limit_w: float | None
    processes: int | None


class NvmlMonitor:
    """The GPU behind one NVML handle."""

    reason: str | None = None

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml = nvml
        self._handle = handle

    def read(self, moment: str) -> GpuReading:
        """Clocks in MHz, power in watts and temperature in degrees Celsius, at a named moment."""
        nvml = self._nvml
        milliwatts = self._ask("nvmlDeviceGetPowerUsage")
        return GpuReading(
            moment=moment,
            sm_clock_mhz=self._ask("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_SM),
            memory_clock_mhz=self._ask("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_MEM),
            power_w=None if milliwatts is None else milliwatts / 1000,
            temperature_c=self._ask("nvmlDeviceGetTemperature", nvml.NVML_TEMPERATURE_GPU),
            clock_reasons=self._clock_reasons(),
        )

    def limits(self) -> GpuLimits:
        """The names and limits that do not change while an engine is timed."""
        nvml = self._nvml
        milliwatts = self._ask("nvmlDeviceGetEnforcedPowerLimit")
        processes = self._ask("nvmlDeviceGetComputeRunningProcesses")
        return GpuLimits(
            name=_text(self._ask("nvmlDeviceGetName")),
            uuid=_text(self._ask("nvmlDeviceGetUUID")),
            driver=_text(_asked(nvml, nvml.nvmlSystemGetDriverVersion)),
            max_sm_clock_mhz=self._ask("nvmlDeviceGetMaxClockInfo", nvml.NVML_CLOCK_SM),
            max_memory_clock_mhz=self._ask("nvmlDeviceGetMaxClockInfo", nvml.NVML_CLOCK_MEM),
            application_sm_clock_mhz=self._ask("nvmlDeviceGetApplicationsClock", nvml.NVML_CLOCK_SM),
            power_limit_w=None if milliwatts is None else milliwatts / 1000,
            processes=None if processes is None else len(processes),
        )

    def close(self) -> None:
        """Shut NVML down."""
        _asked(self._nvml, self._nvml.nvmlShutdown)

    def _clock_reasons(self) -> tuple[str, ...] | None:
        bits = self._ask("nvmlDeviceGetCurrentClocksEventReasons")
        if bits is None:
            bits = self._ask("nvmlDeviceGetCurrentClocksThrottleReasons")
        return None if bits is None else tuple(name for bit, name in CLOCK_REASONS if bits & bit)

    def _ask(self, function: str, *arguments: Any) -> Any:
        found = getattr(self._nvml, function, None)
        return None if found is None else _asked(self._nvml, found, self._handle, *arguments)


class NoMonitor:
    """The monitor of a GPU that NVML does not report; `reason` says why."""

    def __init__(self, reason: str) -> None:
        self.reason: str | None = reason

    def read(self, moment: str) -> None:
        """No reading."""

    def limits(self) -> None:
        """No limits."""

    def close(self) -> None:
        """Close nothing."""


GpuMonitor = NvmlMonitor | NoMonitor


def open_monitor(pci_bus_id: str | None = None) -> GpuMonitor:
    """The monitor of the GPU at that bus address (any form that CUDA prints), or of the only GPU; never raises."""
    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError:
        return NoMonitor("nvidia-ml-py is not installed: `pip install nvidia-ml-py` records clocks and throttling")
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return NoMonitor(f"NVML does not answer ({error}): is the NVIDIA driver installed?")
    try:
        return NvmlMonitor(nvml, _handle(nvml, pci_bus_id))
    except (nvml.NVMLError, LookupError) as error:
        _asked(nvml, nvml.nvmlShutdown)
        return NoMonitor(f"NVML does not know the GPU {pci_bus_id or ''} ({error})".replace("  ", " "))


def _handle(nvml: Any, pci_bus_id: str | None) -> Any:
    if pci_bus_id is not None:
        return nvml.nvmlDeviceGetHandleByPciBusId(pci_bus_id.encode())
    count = nvml.nvmlDeviceGetCount()
    if count != 1:
        raise LookupError(f"{count} GPUs, and none was named")
    return nvml.nvmlDeviceGetHandleByIndex(0)


def _asked(nvml: Any, function: Callable[..., Any], *arguments: Any) -> Any:
    """What NVML answers, or None where this GPU, driver or permission does not give it."""
    try:
        return function(*arguments)
    except nvml.NVMLError:
        return None


def _text(value: Any) -> str | None:
    """NVML's names were bytes until nvidia-ml-py 11.5."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


# -- the driver --------------------------------------------------------------------------------------------------------


_CUDA_LIBRARIES = ("libcuda.so.1", "libcuda.so", "nvcuda.dll")
_NVML_LIBRARIES = ("libnvidia-ml.so.1", "nvml.dll")
_COMPUTE_CAPABILITY_MAJOR = 75
_COMPUTE_CAPABILITY_MINOR = 76
_MULTIPROCESSOR_COUNT = 16
_MEMORY_BUS_BITS = 37
_L2_BYTES = 38


@dataclass(frozen=True, slots=True)
class GpuIdentity:
    """The GPU that a build is for: `driver` and `cuda` are versions, None where the library did not say, and so are width of the memory's bus and size of the L2 cache."""

    name: str
    compute_capability: str
    multiprocessors: int
    memory_bytes: int
    driver: str | None
    cuda: str | None
    memory_bus_bits: int | None = None
    l2_bytes: int | None = None


def _load(names: tuple[str, ...]) -> ctypes.CDLL | None:
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:  # noqa: PERF203  three names at most
            continue
    return None


@cache
def _cuda() -> ctypes.CDLL | None:
    """The initialised driver library with at least one device, or None."""
    library = _load(_CUDA_LIBRARIES)
    if library is None or library.cuInit(0) != 0:
        return None
    count = ctypes.c_int(0)
    if library.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value < 1:
        return None
    return library


def gpu_present() -> bool:
    """Whether the CUDA driver is there and counts at least one GPU that this process may use."""
    return _cuda() is not None


def identify_gpu(ordinal: int = 0) -> GpuIdentity | None:
    """The GPU of that number among the visible ones, or None without a driver, or without such a GPU."""
    library = _cuda()
    device = ctypes.c_int(0)
    if library is None or library.cuDeviceGet(ctypes.byref(device), ordinal) != 0:
        return None
    name = ctypes.create_string_buffer(256)
    library.cuDeviceGetName(name, len(name), device)
    memory = ctypes.c_size_t(0)
    library.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    major, minor, multiprocessors, bus_bits, l2_bytes = (
        _attribute(library, device, number)
        for number in (
            _COMPUTE_CAPABILITY_MAJOR, _COMPUTE_CAPABILITY_MINOR, _MULTIPROCESSOR_COUNT, _MEMORY_BUS_BITS, _L2_BYTES
        )
    )  # fmt: skip
    return GpuIdentity(
        name=name.value.decode(errors="replace"),
        compute_capability=f"{major}.{minor}",
        multiprocessors=multiprocessors,
        memory_bus_bits=bus_bits or None,
        l2_bytes=l2_bytes or None,
        memory_bytes=memory.value,
        driver=_driver_version(),
        cuda=_cuda_version(library),
    )


def _attribute(library: ctypes.CDLL, device: ctypes.c_int, number: int) -> int:
    value = ctypes.c_int(0)
    library.cuDeviceGetAttribute(ctypes.byref(value), number, device)
    return value.value


def _cuda_version(library: ctypes.CDLL) -> str | None:
    """The newest CUDA that the driver serves; the library gives 1000 * major + 10 * minor."""
    value = ctypes.c_int(0)
    if library.cuDriverGetVersion(ctypes.byref(value)) != 0:
        return None
    return f"{value.value // 1000}.{value.value % 1000 // 10}"


def _driver_version() -> str | None:
    library = _load(_NVML_LIBRARIES)
    if library is None or library.nvmlInit_v2() != 0:
        return None
    text = ctypes.create_string_buffer(96)
    try:
        return text.value.decode() if library.nvmlSystemGetDriverVersion(text, len(text)) == 0 else None
    finally:
        library.nvmlShutdown()

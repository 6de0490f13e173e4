"""What the CUDA driver says of the first GPU, asked through its C library alone, so that no package is needed.

`cuInit`, `cuDeviceGetCount`, `cuDeviceGetName`, `cuDeviceGetAttribute` and `cuDeviceTotalMem_v2` are as in the CUDA
driver API since CUDA 3.2; the driver's own version is not there, only in NVML (`nvmlSystemGetDriverVersion`).
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache

_CUDA_LIBRARIES = ("libcuda.so.1", "libcuda.so", "nvcuda.dll")
_NVML_LIBRARIES = ("libnvidia-ml.so.1", "nvml.dll")
_COMPUTE_CAPABILITY_MAJOR = 75
_COMPUTE_CAPABILITY_MINOR = 76
_MULTIPROCESSOR_COUNT = 16


@dataclass(frozen=True, slots=True)
class GpuIdentity:
    """The GPU that a build is for: `driver` and `cuda` are versions, None where the library did not say."""

    name: str
    compute_capability: str
    multiprocessors: int
    memory_bytes: int
    driver: str | None
    cuda: str | None


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
    major, minor, multiprocessors = (
        _attribute(library, device, number)
        for number in (_COMPUTE_CAPABILITY_MAJOR, _COMPUTE_CAPABILITY_MINOR, _MULTIPROCESSOR_COUNT)
    )
    return GpuIdentity(
        name=name.value.decode(errors="replace"),
        compute_capability=f"{major}.{minor}",
        multiprocessors=multiprocessors,
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

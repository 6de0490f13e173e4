"""What this installation can and cannot do, and what to install: `trtlens doctor`.

Nothing is downloaded and nothing runs on the GPU: packages are looked up by name, libraries are read for their version
(libraries.py), the driver is asked through its C library and NVML (gpu.py). A bare machine is a valid
answer: reading logs needs nothing of all this.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from trtlens.capture.backends.backend import LIBRARIES, find_backend
from trtlens.capture.backends.cuda import load_cuda
from trtlens.capture.backends.gpu import identify_gpu, open_monitor
from trtlens.capture.backends.installation import PACKAGES, Installation, abilities, find_package, is_installed
from trtlens.capture.backends.libraries import file_version, find_headers, find_libraries
from trtlens.errors import TrtlensError
from trtlens.quantities import byte_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.backends.gpu import GpuIdentity, GpuLimits
    from trtlens.capture.backends.libraries import FileVersion
    from trtlens_parsers.captured import GpuReading

State = Literal["ok", "warning", "missing", "unknown"]

_MOST_GPUS = 64


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `value` is what was found, None for nothing, `advice` what to do about it."""

    section: str
    item: str
    value: str | None
    state: State
    advice: str | None = None


def examine(*files: Path) -> tuple[Finding, ...]:
    """Findings of this machine: system, gpu, tensorrt, packages, abilities, in the order to print them; never raises.

    `files` are further TensorRT libraries (`libnvinfer.so`) or headers.
    """
    gpus = _find_gpus()
    backends = {name: _find_backend(name) for name in LIBRARIES if is_installed(name)}
    packages = {package.name: find_package(package) for package in PACKAGES}
    loaded = {name: backend for name, backend in backends.items() if not isinstance(backend, str)}
    installation = Installation(
        gpus=gpus,
        backends=tuple(loaded.values()),
        packages=frozenset(name for name, package in packages.items() if package is not None),
    )
    return (
        Finding("system", "Python", platform.python_version(), "ok"),
        Finding("system", "platform", f"{platform.system()} {platform.machine()}", "ok"),
        *_gpu_findings(gpus),
        *_clock_findings(gpus),
        *(_backend_finding(name, backends.get(name)) for name in LIBRARIES),
        *_file_findings(files, loaded.get("tensorrt")),
        *(_package_finding(name, found, gpus) for name, found in packages.items()),
        *_ability_findings(installation),
    )


# -- gpu -------------------------------------------------------------------------------------------------------------


def _find_gpus() -> tuple[GpuIdentity, ...]:
    found = []
    for ordinal in range(_MOST_GPUS):
        gpu = identify_gpu(ordinal)
        if gpu is None:
            break
        found.append(gpu)
    return tuple(found)


def _gpu_findings(gpus: tuple[GpuIdentity, ...]) -> Iterator[Finding]:
    if not gpus:
        advice = "install NVIDIA's driver, or check CUDA_VISIBLE_DEVICES and the container's GPU option (--gpus all)"
        yield Finding("gpu", "GPU", None, "missing", advice)
        return
    for ordinal, gpu in enumerate(gpus):
        size = f"{gpu.multiprocessors} multiprocessors, {byte_size(gpu.memory_bytes)}"
        yield Finding("gpu", f"GPU {ordinal}", f"{gpu.name}, compute capability {gpu.compute_capability}, {size}", "ok")
    yield Finding("gpu", "driver", gpus[0].driver, "ok" if gpus[0].driver else "unknown")
    yield Finding("gpu", "CUDA of the driver", gpus[0].cuda, "ok" if gpus[0].cuda else "unknown")


def _clock_findings(gpus: tuple[GpuIdentity, ...]) -> Iterator[Finding]:
    if not gpus:
        return
    monitor = open_monitor(_bus_id())
    try:
        reading, limits = monitor.read("now"), monitor.limits()
    finally:
        monitor.close()
    if reading is None or limits is None:
        yield Finding("gpu", "clocks", None, "unknown", monitor.reason)
        return
    yield _clock_finding(reading, limits)
    if reading.throttling:
        yield Finding("gpu", "throttling", ", ".join(reading.throttling), "warning", "look at power and cooling")
    if limits.processes:
        others = f"{limits.processes} processes compute on the GPU"
        yield Finding("gpu", "other work", others, "warning", "stop them before timing")


def _bus_id() -> str | None:
    """The bus address of the first visible GPU, None without the package that tells it."""
    try:
        return load_cuda().pci_bus_id(0)
    except TrtlensError:
        return None


def _clock_finding(reading: GpuReading, limits: GpuLimits) -> Finding:
    """Whether the clocks are held; NVML tells of application clocks alone, not of `nvidia-smi -lgc`."""
    clocks = f"SM at {_mhz(reading.sm_clock_mhz)} of {_mhz(limits.max_sm_clock_mhz)}"
    if "application clocks" in (reading.clock_reasons or ()):
        held = f"held at application clocks ({_mhz(limits.application_sm_clock_mhz)}), {clocks}"
        return Finding("gpu", "clocks", held, "ok")
    advice = "NVML does not tell whether nvidia-smi -lgc holds them; each timing records them before and after"
    return Finding("gpu", "clocks", clocks, "unknown", advice)


def _mhz(clock: int | None) -> str:
    return "unknown" if clock is None else f"{clock} MHz"


# -- tensorrt --------------------------------------------------------------------------------------------------------


def _find_backend(name: str) -> Backend | str:
    """The library, or why it does not load."""
    try:
        return find_backend(name)
    except TrtlensError as error:
        return error.message


def _backend_finding(name: str, found: Backend | str | None) -> Finding:
    if found is None:
        gains = "builds and times on an NVIDIA GPU" if name == "tensorrt" else "builds without a GPU"
        return Finding("tensorrt", name, None, "missing", f"`pip install {name.replace('_', '-')}` {gains}")
    if isinstance(found, str):
        return Finding("tensorrt", name, None, "warning", found)
    return Finding("tensorrt", name, found.version_text, "ok")


def _file_findings(files: tuple[Path, ...], tensorrt: Backend | None) -> Iterator[Finding]:
    """Libraries and headers, the given ones first; another version than Python's is worth a warning."""
    for path in dict.fromkeys((*files, *find_libraries(), *find_headers())):
        yield _file_finding(file_version(path), tensorrt)


def _file_finding(found: FileVersion, tensorrt: Backend | None) -> Finding:
    item = str(found.path)
    if found.version is None:
        return Finding("tensorrt", item, None, "unknown", found.reason)
    value = f"{found.version} (by its {found.source})"
    numbers = tuple(map(int, found.version.split(".")))[:3]
    if tensorrt is None or "rtx" in found.path.name or numbers == tensorrt.version[: len(numbers)]:
        return Finding("tensorrt", item, value, "ok")
    advice = f"Python's tensorrt is {tensorrt.version_text}: engines of the one do not load in the other"
    return Finding("tensorrt", item, value, "warning", advice)


# -- packages and abilities ------------------------------------------------------------------------------------------


_OF_CUDA = frozenset({"cuda-bindings", "cupti-python"})
"""Packages whose version is that of the CUDA that they need."""


def _package_finding(name: str, found: str | None, gpus: tuple[GpuIdentity, ...]) -> Finding:
    if found is None:
        package = next(package for package in PACKAGES if package.name == name)
        return Finding("packages", name, None, "missing", f"`pip install {name}` {package.purpose}")
    version = found or "installed, version unknown"
    cuda = gpus[0].cuda if gpus else None
    if name in _OF_CUDA and found and cuda and _major(found) > _major(cuda):
        advice = f"the driver serves CUDA {cuda}: `pip install '{name}<{_major(cuda) + 1}'`"
        return Finding("packages", name, version, "warning", advice)
    return Finding("packages", name, version, "ok")


def _major(version: str) -> int:
    head = version.partition(".")[0]
    return int(head) if head.isdecimal() else 0


def _ability_findings(installation: Installation) -> Iterator[Finding]:
    for ability in abilities(installation):
        state: State = "ok" if ability.needs is None else "missing"
        yield Finding("abilities", ability.name, "yes" if ability.needs is None else "no", state, ability.needs)

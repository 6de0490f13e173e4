"""What trtlens can do with a given installation, and what is missing for the rest; packages are never imported.

TensorRT needs a GPU to build, TensorRT-RTX does not. An engine of TensorRT-RTX runs on compute capability 7.5, 8.0,
8.6, 8.9 and from 12.0 on (its support matrix, 1.x). INT8 calibrators are gone in 11.0 and were never in TensorRT-RTX:
there the model itself is quantized.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.backends.gpu import GpuIdentity

_RTX_CAPABILITIES = frozenset({"7.5", "8.0", "8.6", "8.9"})
_RTX_FROM_MAJOR = 12
_GPU = "an NVIDIA GPU with its driver"


@dataclass(frozen=True, slots=True)
class Installation:
    """What was found: the GPUs, the TensorRT libraries that load, and the packages by pip's name."""

    gpus: tuple[GpuIdentity, ...]
    backends: tuple[Backend, ...]
    packages: frozenset[str]

    @property
    def tensorrt(self) -> Backend | None:
        """TensorRT proper, if it loads."""
        return next((backend for backend in self.backends if not backend.is_rtx), None)

    @property
    def rtx(self) -> Backend | None:
        """TensorRT-RTX, if it loads."""
        return next((backend for backend in self.backends if backend.is_rtx), None)


@dataclass(frozen=True, slots=True)
class Ability:
    """Something trtlens does; `needs` says what is missing for it, None where nothing is."""

    name: str
    needs: str | None


def abilities(found: Installation) -> tuple[Ability, ...]:
    """Every ability, in the order in which a user meets them."""
    return (
        Ability("read logs", None),
        Ability("build with TensorRT", _missing(*_tensorrt(found), *_gpu(found))),
        Ability("build with TensorRT-RTX, no GPU needed", _missing(*_rtx(found))),
        Ability("time engines", _missing(*_running(found), *_package(found, "cuda-bindings"))),
        Ability(
            "trace kernels",
            _missing(*_running(found), *_package(found, "cuda-bindings"), *_package(found, "cupti-python")),
        ),
        Ability("record clocks", _missing(*_gpu(found), *_package(found, "nvidia-ml-py"))),
        Ability("calibrate INT8", _calibration(found)),
        Ability("quantize models to INT8", _missing(*_package(found, "onnx"), *_quantizer(found))),
        Ability("convert models to FP16", _missing(*_package(found, "onnx"), *_converter(found))),
        Ability("dump tensors", _missing(*_running(found), *_package(found, "cuda-bindings"))),
        Ability("compute reference outputs", _missing(*_package(found, "onnxruntime"))),
    )


def _missing(*needs: str) -> str | None:
    return f"needs {' and '.join(dict.fromkeys(needs))}" if needs else None


def _gpu(found: Installation) -> tuple[str, ...]:
    return () if found.gpus else (_GPU,)


def _tensorrt(found: Installation) -> tuple[str, ...]:
    return () if found.tensorrt else ("`pip install tensorrt`",)


def _rtx(found: Installation) -> tuple[str, ...]:
    return () if found.rtx else ("`pip install tensorrt-rtx`",)


def _package(found: Installation, name: str) -> tuple[str, ...]:
    return () if name in found.packages else (f"`pip install {name}`",)


def _quantizer(found: Installation) -> tuple[str, ...]:
    return () if "nvidia-modelopt" in found.packages else _package(found, "onnxruntime")


def _converter(found: Installation) -> tuple[str, ...]:
    return () if "nvidia-modelopt" in found.packages else _package(found, "onnxconverter-common")


def _running(found: Installation) -> tuple[str, ...]:
    """What running an engine needs: a GPU, and a library whose engines run on it."""
    if found.tensorrt or not found.rtx:
        return (*_tensorrt(found), *_gpu(found))
    if found.gpus and not any(_runs_rtx(gpu) for gpu in found.gpus):
        return ("`pip install tensorrt`, since TensorRT-RTX does not run on this GPU",)
    return _gpu(found)


def _runs_rtx(gpu: GpuIdentity) -> bool:
    major = gpu.compute_capability.partition(".")[0]
    newer = major.isdecimal() and int(major) >= _RTX_FROM_MAJOR
    return newer or gpu.compute_capability in _RTX_CAPABILITIES


def _calibration(found: Installation) -> str | None:
    """A calibrator runs the network on the GPU while it is built."""
    if found.tensorrt is not None and not found.tensorrt.has("IInt8EntropyCalibrator2"):
        return "TensorRT 11 and later have no calibrators: quantize the model instead"
    return _missing(*_tensorrt(found), *_gpu(found), *_package(found, "cuda-bindings"))


# -- packages ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Package:
    """A package by what pip calls it; `module` is what Python imports, `purpose` what it adds."""

    name: str
    module: str
    purpose: str
    other_names: tuple[str, ...] = ()


PACKAGES = (
    Package("cuda-bindings", "cuda.bindings", "times engines, calibrates and dumps tensors", ("cuda-python",)),
    Package("cupti-python", "cupti", "traces the kernels that ran"),
    Package("nvidia-ml-py", "pynvml", "records clocks, power and throttling", ("pynvml",)),
    Package("onnx", "onnx", "reads and converts models"),
    Package("onnxconverter-common", "onnxconverter_common", "converts models to FP16"),
    Package("onnxruntime", "onnxruntime", "computes reference outputs and quantizes models", ("onnxruntime-gpu",)),
    Package("nvidia-modelopt", "modelopt", "converts to mixed precision and quantizes to FP8"),
)
"""In the order to print them. `cuda.cudart`, of cuda-python before 12.8, also serves for the first."""

_OLDER_MODULES = {"cuda.bindings": "cuda.cudart"}


def is_installed(module: str) -> bool:
    """Whether Python would find the module; its parent packages are imported for that, the module itself is not."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def find_package(package: Package) -> str | None:
    """The version of a package, empty where it left no metadata; None where Python does not find it."""
    older = _OLDER_MODULES.get(package.module)
    if not is_installed(package.module) and not (older and is_installed(older)):
        return None
    versions = (_version(name) for name in (package.name, *package.other_names))
    return next(filter(None, versions), "")


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None

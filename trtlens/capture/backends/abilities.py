"""What trtlens can do with a given installation, and what is missing for the rest.

TensorRT needs a GPU to build, TensorRT-RTX does not. An engine of TensorRT-RTX runs on compute capability 7.5, 8.0,
8.6, 8.9 and from 12.0 on (its support matrix, 1.x). INT8 calibrators are gone in 11.0 and were never in TensorRT-RTX:
there the model itself is quantized.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.backends.device import GpuIdentity

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

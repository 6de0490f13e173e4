"""The Python packages beside TensorRT that trtlens can use, looked up by name and never imported."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from importlib import metadata


@dataclass(frozen=True, slots=True)
class Package:
    """A package by what pip calls it; `module` is what Python imports, `purpose` what it adds."""

    name: str
    module: str
    purpose: str
    other_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundPackage:
    """A package that is there; `version` is None where it left no metadata."""

    version: str | None


PACKAGES = (
    Package("cuda-bindings", "cuda.bindings", "times engines, calibrates and dumps tensors", ("cuda-python",)),
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


def find_package(package: Package) -> FoundPackage | None:
    """The package, or None where Python does not find it."""
    older = _OLDER_MODULES.get(package.module)
    if not is_installed(package.module) and not (older and is_installed(older)):
        return None
    versions = (_version(name) for name in (package.name, *package.other_names))
    return FoundPackage(next((version for version in versions if version is not None), None))


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None

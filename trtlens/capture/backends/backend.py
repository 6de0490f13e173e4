"""Which TensorRT is installed, and what it can do: features are asked for, version numbers are never compared.

`tensorrt` (8.6 to 11.x) and `tensorrt_rtx` (1.x) share nearly one Python surface; names appear and go between releases
(precision flags are gone in 11.0 and were never in RTX; EXPLICIT_BATCH went after 10.16; STRONGLY_TYPED came with 9.1).
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.capture.backends.gpu import gpu_present
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["LIBRARIES", "Backend", "backend_from_module", "find_backend", "gpu_present"]

LIBRARIES = ("tensorrt", "tensorrt_rtx")

_INSTALL = (
    "neither tensorrt nor tensorrt_rtx is installed: `pip install tensorrt` builds and times on an NVIDIA GPU, "
    "`pip install tensorrt-rtx` builds without one (no timings)"
)


@dataclass(frozen=True, slots=True)
class Backend:
    """One imported TensorRT library; `trt` is its module, `version` is for records, not for choices."""

    trt: Any
    name: str
    version: tuple[int, ...]
    version_text: str

    @property
    def is_rtx(self) -> bool:
        """Whether this is TensorRT-RTX, which builds ahead of time without a GPU."""
        return self.name == "tensorrt_rtx"

    @property
    def can_run(self) -> bool:
        """Whether an engine could be executed here: the driver counts a GPU."""
        return gpu_present()

    def has(self, path: str) -> bool:
        """Whether the library has that dotted name, such as `IProgressMonitor` or `BuilderFlag.FP16`."""
        return self.find(path) is not None

    def find(self, path: str) -> Any:
        """What that dotted name stands for, or None where this release lacks any part of it."""
        found = self.trt
        for part in path.split("."):
            found = getattr(found, part, None)
            if found is None:
                return None
        return found

    @property
    def has_precision_flags(self) -> bool:
        """Whether `--fp16` can be a builder flag here; else the model itself is converted."""
        return self.has("BuilderFlag.FP16")


def find_backend(prefer: str | None = None) -> Backend:
    """The TensorRT to use: `prefer` if given, else `tensorrt`, else `tensorrt_rtx`.

    Without a GPU `tensorrt_rtx` goes first, since `tensorrt` cannot build there. Raises TrtlensError where the wanted
    library is not installed or does not load.
    """
    if prefer is not None and prefer not in LIBRARIES:
        message = f"unknown library {prefer!r}: choose one of {', '.join(LIBRARIES)}"
        raise TrtlensError(message)
    order = (prefer,) if prefer else LIBRARIES if gpu_present() else LIBRARIES[::-1]
    installed = [name for name in order if importlib.util.find_spec(name) is not None]
    if not installed:
        raise TrtlensError(
            f"{prefer} is not installed: `pip install {prefer.replace('_', '-')}`" if prefer else _INSTALL
        )
    return _first_that_loads(installed)


def _first_that_loads(names: list[str]) -> Backend:
    failures = []
    for name in names:
        try:
            return backend_from_module(importlib.import_module(name))
        except (ImportError, OSError, RuntimeError) as error:  # noqa: PERF203  two libraries at most
            failures.append(f"{name} is installed but does not load ({error})")
    message = f"{'; '.join(failures)}: install the libraries that it names, or reinstall it"
    raise TrtlensError(message)


def backend_from_module(module: ModuleType) -> Backend:
    """Wrap an imported `tensorrt` or `tensorrt_rtx`; raises TrtlensError where it has no readable version."""
    text = str(getattr(module, "__version__", ""))
    numbers = re.match(r"\d{1,9}(?:\.\d{1,9}){0,9}", text)
    if numbers is None:
        message = f"{module.__name__} from {module.__file__} states no version ({text!r}): reinstall it"
        raise TrtlensError(message)
    version = tuple(int(part) for part in numbers.group().split("."))
    return Backend(trt=module, name=module.__name__.partition(".")[0], version=version, version_text=text)

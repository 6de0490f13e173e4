"""A TensorRT that builds in a moment, runs in ONNX Runtime and remembers what it was asked, in the surface of any release.

It holds its users to what the real one does silently: a progress monitor or calibrator that nobody holds on to is an
error, and precision flags on a strongly typed network fail the build.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.doubles import tensorrt_builder, tensorrt_network, tensorrt_runtime
from tests.doubles.tensorrt_players import ILogger, Interface, Script
from tests.doubles.tensorrt_surface import build_module
from trtlens.capture.backends.backend import Backend, backend_from_module

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["Script", "make_double", "running_backend"]

_NUMPY_TYPES = {**tensorrt_runtime.NUMPY_TYPES, "INT8": np.int8}
_INTERFACES = ("IProgressMonitor", "IInt8EntropyCalibrator2", "IInt8MinMaxCalibrator")
_PLAYERS = (*tensorrt_network.PLAYERS, *tensorrt_builder.PLAYERS, *tensorrt_runtime.PLAYERS, ILogger)


def make_double(release: str, script: Script | None = None) -> ModuleType:
    """A stand-in library of that release; `script` may be looked into afterwards, and hold notes that it plays by."""
    plays = Script() if script is None else script

    def init_plugins(logger: Any, namespace: str) -> bool:
        plays.note("init_plugins", (logger is not None, namespace))
        return True

    players: dict[str, type] = {player.__name__: player for player in _PLAYERS}
    functions = {"init_libnvinfer_plugins": init_plugins, "nptype": lambda kind: _NUMPY_TYPES[kind.name]}
    return build_module(release, {**players, **dict.fromkeys(_INTERFACES, Interface)}, functions, plays)


def running_backend(release: str, script: Script) -> Backend:
    """The double of that release as a backend."""
    return backend_from_module(make_double(release, script))

"""A TensorRT that builds nothing, logs a few lines and remembers what it was asked, in the surface of any release.

It holds its users to what the real one does silently: a progress monitor or calibrator that nobody holds on to is an
error, and precision flags on a strongly typed network fail the build.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.doubles import tensorrt_builder, tensorrt_network
from tests.doubles.tensorrt_players import Dims, ILogger, Interface, Player, Registry, Script, Severities
from tests.doubles.tensorrt_surface import build_module

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

__all__ = ["Script", "make_double"]

_NUMPY_TYPES = {"FLOAT": np.float32, "HALF": np.float16, "INT32": np.int32, "INT64": np.int64, "INT8": np.int8}


class EngineInspector(Player):
    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content
        self.execution_context: Any = None

    def get_engine_information(self, format: Any) -> str:  # noqa: A002  the binding's own name
        assert format is self._trt.LayerInformationFormat.JSON
        layers = ", ".join(f'{{"Name": "{name}\x1e"}}' for name in self._content["layers"])
        shapes = getattr(self.execution_context, "_inferred", {})
        return f'{{"Layers": [{layers}], "Shapes": {json.dumps(shapes)}}}'


class IExecutionContext(Player):
    def __init__(self) -> None:
        self._shapes: dict[str, list[int]] = {}
        self._inferred: dict[str, list[int]] = {}

    def set_input_shape(self, name: str, shape: Sequence[int]) -> bool:
        self._shapes[name] = list(shape)
        return True

    def infer_shapes(self) -> list[str]:
        self._inferred = dict(self._shapes)
        return []


class ICudaEngine(Player):
    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content
        self.num_io_tensors = len(content["inputs"])

    def create_engine_inspector(self) -> Any:
        return self._trt.EngineInspector(self._content)

    def create_execution_context(self) -> Any:
        return self._trt.IExecutionContext()

    def get_tensor_name(self, index: int) -> str:
        return list(self._content["inputs"])[index]

    def get_tensor_mode(self, name: str) -> Any:
        assert name in self._content["inputs"]
        return self._trt.TensorIOMode.INPUT

    def get_tensor_shape(self, name: str) -> Dims:
        return Dims(self._content["inputs"][name])

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[Dims]:
        assert profile_index == 0
        return [Dims(2 if extent < 0 else extent for extent in self._content["inputs"][name])] * 3


class Runtime(Player):
    def __init__(self, logger: Any) -> None:
        self._script.loggers.append(logger)
        self._logger = logger
        self.engine_host_code_allowed = False

    def get_plugin_registry(self) -> Registry:
        return Registry(self._script)

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> Any:
        if not serialized_engine.startswith(b"ftrt{"):
            self._logger.log(Severities.ERROR, "Error Code 1: Serialization (magic number mismatch)")
            return None
        self._script.note("engine_host_code_allowed", self.engine_host_code_allowed)
        return self._trt.ICudaEngine(json.loads(serialized_engine[4:]))


_CALIBRATORS = dict.fromkeys(("IInt8EntropyCalibrator2", "IInt8MinMaxCalibrator"), Interface)
_PLAYERS = (EngineInspector, IExecutionContext, ICudaEngine, Runtime, ILogger)


def make_double(release: str, script: Script | None = None) -> ModuleType:
    """A stand-in library of that release; `script` may be looked into afterwards."""
    plays = Script() if script is None else script

    def init_plugins(logger: Any, namespace: str) -> bool:
        plays.note("init_plugins", (logger is not None, namespace))
        return True

    players = {player.__name__: player for player in (*_PLAYERS, *tensorrt_network.PLAYERS, *tensorrt_builder.PLAYERS)}
    functions = {"init_libnvinfer_plugins": init_plugins, "nptype": lambda kind: _NUMPY_TYPES[kind.name]}
    return build_module(release, {**players, "IProgressMonitor": Interface, **_CALIBRATORS}, functions, plays)

"""The runtime side of the double: engines that compute in ONNX Runtime over host memory, and hand out what was marked.

With FP16 allowed every tensor is rounded. `host_cuda` is CUDA over the same memory.
"""

# ruff: noqa: D101, D102, N802, N815  (the members are those of TensorRT and CUDA, which document them)

from __future__ import annotations

import ctypes
import json
from enum import IntEnum
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.doubles.tensorrt_players import Dims, Interface, Player, Registry, Severities
from tests.doubles.tensorrt_surface import EnumMember
from trtlens.capture.backends.cuda import Cuda

if TYPE_CHECKING:
    from collections.abc import Sequence

_TYPES = {"float32": "FLOAT", "float16": "HALF", "int64": "INT64", "int32": "INT32", "bool": "BOOL"}
NUMPY_TYPES = {"FLOAT": np.float32, "HALF": np.float16, "INT64": np.int64, "INT32": np.int32, "BOOL": np.bool_}


class EngineInspector(Player):
    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content
        self.execution_context: Any = None

    def get_engine_information(self, format: Any) -> str:  # noqa: A002  the binding's own name
        assert format is self._trt.LayerInformationFormat.JSON
        told = {"Layers": self._content["layers"], "Bindings": list(self._content["inputs"])}
        told["Shapes"] = getattr(self.execution_context, "_inferred", {})
        return json.dumps(told).replace("\\u001e", "\x1e")  # as it stands in the JSON of 8.6


class IExecutionContext(Player):
    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._addresses: dict[str, int] = {}
        self._listener: Any = None
        self._debug_on = False
        self._unfused = False
        self._shapes: dict[str, list[int]] = {}
        self._inferred: dict[str, list[int]] = {}

    @property
    def unfused_tensors_debug_state(self) -> bool:
        return self._unfused

    @unfused_tensors_debug_state.setter
    def unfused_tensors_debug_state(self, state: bool) -> None:
        self._unfused = state

    def set_input_shape(self, name: str, shape: Sequence[int]) -> bool:
        self._shapes[name] = list(shape)
        return True

    def infer_shapes(self) -> list[str]:
        self._inferred = dict(self._shapes)
        return []

    def get_tensor_shape(self, name: str) -> Dims:
        return self._engine.get_tensor_shape(name)

    def get_tensor_strides(self, name: str) -> Dims:
        shape = self.get_tensor_shape(name)
        return Dims(int(np.prod(shape[place + 1 :])) for place in range(len(shape)))

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        return True

    def get_tensor_address(self, name: str) -> int:
        return self._addresses[name]

    def set_debug_listener(self, listener: Any) -> bool:
        self._listener = listener
        return True

    def set_all_tensors_debug_state(self, flag: bool) -> bool:
        self._debug_on = flag
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        engine = self._engine
        feeds = {}
        for name, shape in engine._content["inputs"].items():
            count = int(np.prod(shape))
            data = ctypes.string_at(self._addresses[name], 4 * count)
            feeds[name] = np.frombuffer(data, np.float32).reshape(shape)
        values = engine._compute(feeds)
        for name, dtype in engine._content["outputs"].items():
            array = np.ascontiguousarray(values[name].astype(NUMPY_TYPES[dtype]))
            ctypes.memmove(self._addresses[name], array.ctypes.data, array.nbytes)
        self._tell(values, stream_handle)
        return not self._script.saw("refuse to run")

    def _tell(self, values: dict[str, Any], stream: int) -> None:
        content = self._engine._content
        wanted = content["debug"] if self._debug_on else []
        if content["unfused"] and self._unfused:
            wanted = [tensor["Name"] for layer in content["layers"] for tensor in layer["Outputs"]]
        for name in wanted:
            array = np.ascontiguousarray(values[name].astype(np.float16 if content["half"] else np.float32))
            kind = getattr(self._trt.DataType, _TYPES[array.dtype.name])
            device = EnumMember("TensorLocation", "DEVICE", 0)
            assert self._listener.process_debug_tensor(array.ctypes.data, device, kind, Dims(array.shape), name, stream)
            array[...] = np.nan  # the memory is good during the call alone


class ICudaEngine(Player):
    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content
        self.num_io_tensors = len(content["inputs"]) + len(content["outputs"])
        self.num_optimization_profiles = 1
        self.refittable = False
        self._shapes: dict[str, tuple[int, ...]] = {}

    @property
    def streamable_weights_size(self) -> int:
        return 0

    def get_aliased_input_tensor(self, name: str) -> str:
        return "" if name else name

    def _compute(self, feeds: dict[str, Any]) -> dict[str, Any]:
        from trtlens.capture.dumping.reference import CpuModel
        from trtlens.capture.models.model import load_onnx
        from trtlens.capture.models.onnx_graphs import inner_tensors, widened, with_outputs

        proto = widened(load_onnx(Path(self._content["model"]), "the double"))
        values = CpuModel(with_outputs(proto, [name for name, _, _ in inner_tensors(proto)]))(feeds)
        if self._content["half"]:
            with np.errstate(over="ignore"):
                values = {
                    name: v.astype(np.float16).astype(v.dtype) if v.dtype.kind == "f" else v
                    for name, v in values.items()
                }
        return values

    def create_engine_inspector(self) -> Any:
        return self._trt.EngineInspector(self._content)

    def create_execution_context(self) -> Any:
        return self._trt.IExecutionContext(self)

    def get_tensor_name(self, index: int) -> str:
        return [*self._content["inputs"], *self._content["outputs"]][index]

    def get_tensor_mode(self, name: str) -> Any:
        return getattr(self._trt.TensorIOMode, "INPUT" if name in self._content["inputs"] else "OUTPUT")

    def get_tensor_dtype(self, name: str) -> Any:
        return getattr(self._trt.DataType, self._content["outputs"].get(name, "FLOAT"))

    def get_tensor_location(self, name: str) -> Any:
        return SimpleNamespace(name="DEVICE" if name else "HOST")

    def get_tensor_shape(self, name: str) -> Dims:
        if name in self._content["inputs"]:
            return Dims(self._content["inputs"][name])
        if any(-1 in shape for shape in self._content["inputs"].values()):
            return Dims((-1,))  # engines of dynamic shapes are only inspected
        if not self._shapes:
            feeds = {key: np.zeros(shape, np.float32) for key, shape in self._content["inputs"].items()}
            self._shapes = {key: value.shape for key, value in self._compute(feeds).items()}
        return Dims(self._shapes[name])

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[Dims]:
        assert profile_index == 0
        return [Dims(2 if extent < 0 else extent for extent in self._content["inputs"][name])] * 3

    def get_tensor_components_per_element(self, *_: Any) -> int:
        return 1

    def get_tensor_vectorized_dim(self, *_: Any) -> int:
        return -1


class Runtime(Player):
    def __init__(self, logger: Any) -> None:
        self._script.loggers.append(logger)
        self._logger = logger
        self.engine_host_code_allowed = False

    def get_plugin_registry(self) -> Registry:
        return Registry(self._script)

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> Any:
        data = bytes(serialized_engine)
        if not data.startswith(b"ftrt{"):
            self._logger.log(Severities.ERROR, "Error Code 1: Serialization (magic number mismatch)")
            return None
        self._script.note("engine_host_code_allowed", self.engine_host_code_allowed)
        return self._trt.ICudaEngine(json.loads(data[4:]))


class IDebugListener(Interface):
    """Base of debug listeners, from 10.0 on."""


PLAYERS = (EngineInspector, IExecutionContext, ICudaEngine, Runtime, IDebugListener)


class CudaError(IntEnum):
    cudaSuccess = 0
    cudaErrorNotReady = 600


class HostRuntime:
    """The functions of the CUDA runtime over host memory; `live` holds what was allocated and not given back."""

    cudaError_t = CudaError
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)

    def __init__(self) -> None:
        self.live: dict[int, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("cuda"):
            raise AttributeError(name)
        return lambda *_: (CudaError.cudaSuccess, 1)

    def cudaStreamSynchronize(self, _stream: int) -> tuple[CudaError]:
        return (CudaError.cudaSuccess,)

    def cudaMalloc(self, size: int) -> tuple[CudaError, int]:
        room = np.zeros(size, np.uint8)
        self.live[room.ctypes.data] = room
        return CudaError.cudaSuccess, room.ctypes.data

    def cudaFree(self, address: int) -> tuple[CudaError]:
        if address:
            del self.live[address]
        return (CudaError.cudaSuccess,)

    def cudaMemcpy(self, target: int, source: int, size: int, _kind: int) -> tuple[CudaError]:
        ctypes.memmove(target, source, size)
        return (CudaError.cudaSuccess,)


def host_cuda() -> tuple[Cuda, HostRuntime]:
    """CUDA over host memory, and what it holds."""
    runtime = HostRuntime()
    return Cuda(runtime), runtime

"""A TensorRT whose engines run: in ONNX Runtime, over host memory, with fusion that marked outputs forbid.

It takes network and builder from the double of the build and adds what a dump asks for: outputs and debug tensors that
are marked, an inspector that tells layers with their tensors, and a context that computes. A Relu is fused into what
makes its input unless that is an output; with FP16 allowed every tensor is rounded.
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

from tests.doubles import tensorrt_builder, tensorrt_network
from tests.doubles.tensorrt_players import Dims, HostMemory, ILogger, Interface, Player, Registry, Script, Severities
from tests.doubles.tensorrt_surface import EnumMember, build_module
from trtlens.capture.backends.backend import Backend, backend_from_module
from trtlens.capture.backends.cuda import Cuda

if TYPE_CHECKING:
    from collections.abc import Sequence

_TYPES = {"float32": "FLOAT", "float16": "HALF", "int64": "INT64", "int32": "INT32", "bool": "BOOL"}
_SIZES = {"FLOAT": np.float32, "HALF": np.float16, "INT64": np.int64, "INT32": np.int32, "BOOL": np.bool_}


class INetworkDefinition(tensorrt_network.INetworkDefinition):
    def _read(self, model: Any, say: Any) -> None:
        tensorrt_network.INetworkDefinition._read(self, model, say)  # the class is put together anew, super() is lost
        self._debug: list[str] = []
        self._unfused = False
        refused = self._script.saw("shape tensor")
        for layer in self._layers:
            for index in range(layer.num_outputs):
                tensor = layer.get_output(index)
                tensor.is_shape_tensor = tensor.name in refused

    def mark_output(self, tensor: Any) -> None:
        self._outputs.append(tensor)
        self.num_outputs = len(self._outputs)
        self._script.note("mark_output", tensor.name)

    def mark_debug(self, tensor: Any) -> bool:
        self._debug.append(tensor.name)
        return not self._script.saw("refuse debug")

    def mark_unfused_tensors_as_debug_tensors(self) -> bool:
        self._unfused = True
        return True


class OnnxParser(tensorrt_network.OnnxParser):
    def parse_from_file(self, model: str) -> bool:
        self._network._model = model
        return tensorrt_network.OnnxParser.parse_from_file(self, model)


class Builder(tensorrt_builder.Builder):
    def build_serialized_network(self, network: Any, config: Any) -> HostMemory | None:
        built = tensorrt_builder.Builder.build_serialized_network(self, network, config)
        if built is None:
            return None
        outputs = {tensor.name: tensor.dtype.name for tensor in network._outputs}
        refused = [name for name in self._script.saw("no kernel for") if name in outputs]
        if refused:
            layer = next(one for one in network._layers if one.get_output(0).name == refused[0])
            self._say_refused(f"before + {layer.name}")
            return None
        content = {
            "model": network._model, "inputs": {tensor.name: list(tensor.shape) for tensor in network._inputs},
            "outputs": outputs, "debug": network._debug, "unfused": network._unfused,
            "half": "FP16" in config._flags, "layers": _layers(network, outputs, half="FP16" in config._flags),
        }  # fmt: skip
        return HostMemory(b"ftrt" + json.dumps(content).encode())

    def _say_refused(self, layer: str) -> None:
        """Log what 8.6 says of a layer whose output was marked and that computes in INT8 alone."""
        said = f"Assertion !n->candidateRequirements.empty() failed. {layer} requires output to be in floating point precision. No format"
        say = self._logger.log
        say(Severities.ERROR, f"2: {said} available with unquantized output.")


def _layers(network: Any, outputs: dict[str, str], *, half: bool) -> list[dict[str, Any]]:
    """Layers as the inspector tells them, Relus fused into what makes their input."""
    layers: list[dict[str, Any]] = []
    kind = "Row major linear FP16 format" if half else "Row major linear FP32"

    def ends(tensors: list[Any]) -> list[dict[str, Any]]:
        return [{"Name": t.name, "Dimensions": [1], "Format/Datatype": kind} for t in tensors]

    for layer in network._layers:
        tensors = [layer.get_output(index) for index in range(layer.num_outputs)]
        last = layers[-1] if layers else None
        fuses = layer.type.name == "ACTIVATION" and last is not None and last["Outputs"][0]["Name"] not in outputs
        if fuses and last is not None:
            last["Name"] += f" + {layer.name}"
            last["Metadata"] += f"\x1e[ONNX Layer: {layer.name}]"
            last["Outputs"] = ends(tensors)
            continue
        layers.append({
            "Name": layer.name, "LayerType": layer.type.name.title(), "Inputs": ends(layer._inputs), "Outputs": ends(tensors),
            "TacticName": f"kernel_of_{layer.type.name.lower()}", "TacticValue": f"0x{len(layer.name):016x}",
            "Metadata": f"[ONNX Layer: {layer.name}]",
        })  # fmt: skip
    return layers


class EngineInspector(Player):
    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content
        self.execution_context: Any = None

    def get_engine_information(self, format: Any) -> str:  # noqa: A002  the binding's own name
        assert format is self._trt.LayerInformationFormat.JSON
        return json.dumps({"Layers": self._content["layers"], "Bindings": list(self._content["inputs"])})


class IExecutionContext(Player):
    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._addresses: dict[str, int] = {}
        self._listener: Any = None
        self._debug_on = False
        self._unfused = False

    @property
    def unfused_tensors_debug_state(self) -> bool:
        return self._unfused

    @unfused_tensors_debug_state.setter
    def unfused_tensors_debug_state(self, state: bool) -> None:
        self._unfused = state

    def set_input_shape(self, name: str, shape: Sequence[int]) -> bool:
        return bool(name and shape)

    def infer_shapes(self) -> list[str]:
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
            array = np.ascontiguousarray(values[name].astype(_SIZES[dtype]))
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
        if not self._shapes:
            feeds = {key: np.zeros(shape, np.float32) for key, shape in self._content["inputs"].items()}
            self._shapes = {key: value.shape for key, value in self._compute(feeds).items()}
        return Dims(self._shapes[name])

    def get_tensor_components_per_element(self, *_: Any) -> int:
        return 1

    def get_tensor_vectorized_dim(self, *_: Any) -> int:
        return -1


class Runtime(Player):
    def __init__(self, logger: Any) -> None:
        self._logger = logger
        self.engine_host_code_allowed = False

    def get_plugin_registry(self) -> Registry:
        return Registry(self._script)

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> Any:
        return self._trt.ICudaEngine(json.loads(bytes(serialized_engine)[4:]))


class IDebugListener(Interface):
    """Base of debug listeners, from 10.0 on."""


_PLAYERS = (
    EngineInspector, IExecutionContext, ICudaEngine, Runtime, ILogger, IDebugListener, INetworkDefinition, OnnxParser, Builder,
)  # fmt: skip


def running_backend(release: str, script: Script) -> Backend:
    """The double of that release as a backend; `script` may hold notes that it plays by (see `saw`)."""
    known: tuple[type, ...] = (*tensorrt_network.PLAYERS, *tensorrt_builder.PLAYERS, *_PLAYERS)
    players: dict[str, type] = {player.__name__: player for player in known}  # ours stand last, and count
    players["IProgressMonitor"] = Interface
    functions = {"init_libnvinfer_plugins": lambda *_: True, "nptype": lambda kind: _SIZES[kind.name]}
    return backend_from_module(build_module(release, players, functions, script))


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

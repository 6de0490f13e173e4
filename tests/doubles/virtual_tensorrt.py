# ruff: noqa: D102, N802
"""TensorRT's runtime half over a virtual GPU: an engine of given tensors whose execution takes given times.

Names and behaviour are those of the Python bindings from 8.6 to 11.4; `old_bindings` makes an engine as 8.6 has it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from trtlens.capture.backends.backend import Backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.doubles.virtual_gpu import VirtualGpu

Shape = tuple[int, ...]


@dataclass
class Tensor:
    """One input or output of the virtual engine; `components` values form a vector along `vectorized`."""

    name: str
    is_input: bool
    dtype: str = "FLOAT"
    shape: Shape = (1, 4)
    profiles: tuple[tuple[Shape, Shape, Shape], ...] = ()
    values: tuple[tuple[Shape, Shape, Shape], ...] = ()
    on_host: bool = False
    components: int = 1
    vectorized: int = -1
    strides: Shape | None = None
    alias: str | None = None
    data_dependent_bytes: int | None = None


def _member(name: str) -> Any:
    return SimpleNamespace(name=name)


class RankUnknown:
    """`Dims` of rank -1: TensorRT's answer where it has none."""

    def __len__(self) -> int:
        return -1  # noqa: PLE0303  as the binding does

    def __getitem__(self, index: int) -> int:
        raise IndexError(index)


class Released:
    """An object as one release has it: members that the release lacks are absent, for reading and for writing."""

    def __init__(self, thing: Any, members: Iterable[str]) -> None:
        object.__setattr__(self, "_thing", thing)
        object.__setattr__(self, "_members", frozenset(members))

    def __getattr__(self, name: str) -> Any:
        if name not in self._members:
            raise AttributeError(f"no {name!r} in this release")
        return getattr(self._thing, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._members:
            raise AttributeError(f"no {name!r} in this release")
        setattr(self._thing, name, value)


@dataclass
class VirtualEngine:
    """`gpu_ns(i)` and `enqueue_ns(i)` are the GPU and host time of the i-th execution; `layers` are names and times."""

    gpu: VirtualGpu
    tensors: list[Tensor]
    gpu_ns: Callable[[int], int] = lambda _: 590_000
    enqueue_ns: Callable[[int], int] = lambda _: 40_000
    layers: tuple[tuple[str, float], ...] = (("conv", 0.4), ("reformat", 0.1), ("conv", 0.2))
    refuses_at: int | None = None
    refuses_capture: bool = False
    verbosity: str = "DETAILED"
    old_bindings: bool = False
    refittable: bool = False
    has_context: bool = True
    keeps_rank_of: tuple[str, ...] = ()
    executions: int = 0
    streamable_weights_size: int = 0
    weight_streaming_budget_v2: int = 0
    weight_streaming_budget: int = 0
    surface: dict[str, Any] | None = None
    logger: Any = None
    contexts: list[VirtualContext] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.old_bindings:
            self.get_profile_shape_input = self._old_values
        else:
            self.get_tensor_profile_values = lambda profile, name: list(self._tensor(name).values[profile])
            self.get_aliased_input_tensor = lambda name: self._tensor(name).alias

    def _old_values(self, profile: int, name: str) -> list[Shape]:
        """As many values as the tensor has dimensions, and a warning that spoils the answer where it is an error."""
        warnings.warn("Use get_tensor_profile_shape instead.", DeprecationWarning, stacklevel=2)
        tensor = self._tensor(name)
        return [values[: len(tensor.shape)] for values in tensor.values[profile]]

    def _tensor(self, name: str) -> Tensor:
        return next(tensor for tensor in self.tensors if tensor.name == name)

    @property
    def profiling_verbosity(self) -> Any:
        return _member(self.verbosity)

    @property
    def num_io_tensors(self) -> int:
        return len(self.tensors)

    @property
    def num_optimization_profiles(self) -> int:
        return max((len(tensor.profiles) for tensor in self.tensors), default=0) or 1

    def get_tensor_name(self, index: int) -> str:
        return self.tensors[index].name

    def get_tensor_dtype(self, name: str) -> Any:
        return _member(self._tensor(name).dtype)

    def get_tensor_shape(self, name: str) -> Any:
        return RankUnknown() if name in self.keeps_rank_of else list(self._tensor(name).shape)

    def get_tensor_mode(self, name: str) -> Any:
        return _member("INPUT" if self._tensor(name).is_input else "OUTPUT")

    def get_tensor_location(self, name: str) -> Any:
        return _member("HOST" if self._tensor(name).on_host else "DEVICE")

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[Shape]:
        return list(self._tensor(name).profiles[profile])

    def get_tensor_components_per_element(self, name: str, *profile: int) -> int:
        if self.old_bindings and profile:
            raise TypeError("incompatible function arguments")
        return self._tensor(name).components

    def get_tensor_vectorized_dim(self, name: str, *profile: int) -> int:
        if self.old_bindings and profile:
            raise TypeError("incompatible function arguments")
        return self._tensor(name).vectorized

    def create_execution_context(self) -> Any:
        if not self.has_context:
            return None
        context = VirtualContext(self)
        self.contexts.append(context)
        return Released(context, self.surface["IExecutionContext"]) if self.surface else context

    def complain(self, message: str) -> None:
        """Log an error as TensorRT does."""
        self.logger.log(VirtualTensorRt.ILogger.ERROR, message)


class VirtualContext:
    """An execution context; what was set on it lies open for the tests."""

    def __init__(self, engine: VirtualEngine) -> None:
        self.engine = engine
        self.profile = 0
        self.shapes: dict[str, Shape] = {}
        self.addresses: dict[str, int] = {}
        self.allocators: dict[str, Any] = {}
        self.enqueue_emits_profile = True
        self._profiler: Any = None
        self._pending: tuple[tuple[str, float], ...] = ()

    @property
    def profiler(self) -> Any:
        return self._profiler

    @profiler.setter
    def profiler(self, profiler: Any) -> None:
        self.engine.gpu.log.append("profiler attached")
        self._profiler = profiler

    def set_optimization_profile_async(self, profile: int, _stream: int) -> bool:
        self.profile = profile
        return True

    def set_input_shape(self, name: str, shape: Shape) -> bool:
        self.shapes[name] = shape
        return True

    def get_tensor_shape(self, name: str) -> Shape:
        shape = self.engine._tensor(name).shape
        batch = next(iter(self.shapes.values()), (1,))[0]
        if self.engine._tensor(name).data_dependent_bytes is not None:
            return shape
        return tuple(batch if extent == -1 else extent for extent in shape)

    def get_tensor_strides(self, name: str) -> Shape:
        tensor, shape = self.engine._tensor(name), self.shapes.get(name) or self.get_tensor_shape(name)
        if tensor.strides is not None:
            return tensor.strides
        extents = [-(-e // tensor.components) if i == tensor.vectorized else e for i, e in enumerate(shape)]
        steps, step = [], 1
        for extent in reversed(extents):
            steps.append(step)
            step *= max(extent, 1)
        return tuple(reversed(steps))

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def get_tensor_address(self, name: str) -> int:
        return self.addresses[name]

    def set_output_allocator(self, name: str, allocator: Any) -> bool:
        self.allocators[name] = allocator
        return True

    def infer_shapes(self) -> list[str]:
        return [tensor.name for tensor in self.engine.tensors if tensor.is_input and tensor.name not in self.addresses]

    def execute_async_v3(self, stream: int) -> bool:
        engine, gpu = self.engine, self.engine.gpu
        number = engine.executions
        if engine.refuses_at == number or (engine.refuses_capture and gpu.captured is not None):
            engine.complain("IExecutionContext::enqueueV3: Error Code 1: Cask (launch failed)")
            return False
        engine.executions += 1
        for name, allocator in self.allocators.items():
            size = engine._tensor(name).data_dependent_bytes or 0
            if not allocator.reallocate_output(name, 0, size, 256):
                engine.complain("allocator returned null")
                return False
            allocator.notify_shape(name, (size,))
        gpu.log.append("capture" if gpu.captured is not None else "launch")
        gpu.spend(engine.enqueue_ns(number))
        gpu.work(stream, engine.gpu_ns(number))
        self._pending = engine.layers
        if self._profiler is not None and self.enqueue_emits_profile:
            gpu.now_ns = max(gpu.now_ns, gpu.tails_ns[stream])
            self._report()
        return True

    def report_to_profiler(self) -> bool:
        if self._profiler is None or self.enqueue_emits_profile:
            return True
        self.engine.gpu.now_ns = max([self.engine.gpu.now_ns, *self.engine.gpu.tails_ns.values()])
        self._report()
        return True

    def _report(self) -> None:
        for name, ms in self._pending:
            self._profiler.report_layer_time(name, ms)


class _ILogger:
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class VirtualTensorRt:
    """The module: what the timing asks of `tensorrt`. Make one for each test, since a logger belongs to a module."""

    ILogger = _ILogger

    class IProfiler:
        """Base of profilers."""

    class IOutputAllocator:
        """Base of output allocators."""

    def __init__(self, engine: VirtualEngine | None) -> None:
        self.engine = engine
        self.plugin_libraries: list[str] = []

    def init_libnvinfer_plugins(self, _logger: Any, _namespace: str) -> bool:
        return True

    def Runtime(self, logger: Any) -> Any:
        def deserialize(_data: bytes) -> Any:
            if self.engine is None:
                logger.log(_ILogger.ERROR, "The engine plan file is not compatible with this version of TensorRT")
                return None
            self.engine.logger = logger
            return Released(self.engine, self.engine.surface["ICudaEngine"]) if self.engine.surface else self.engine

        def load_library(path: str) -> str:
            self.plugin_libraries.append(path)
            return path

        registry = SimpleNamespace(load_library=load_library)
        runtime = SimpleNamespace(
            deserialize_cuda_engine=deserialize,
            engine_host_code_allowed=False,
            get_plugin_registry=lambda: registry,
        )
        return (
            runtime
            if self.engine is None or not self.engine.surface
            else Released(runtime, self.engine.surface["Runtime"])
        )


def virtual_backend(engine: VirtualEngine | None) -> Backend:
    """The backend whose runtime deserializes anything to this engine, or refuses for None."""
    module: Any = VirtualTensorRt(engine)
    if engine is not None and engine.surface:
        module = Released(module, engine.surface)
    return Backend(trt=module, name="tensorrt", version=(10, 3, 0), version_text="10.3.0")

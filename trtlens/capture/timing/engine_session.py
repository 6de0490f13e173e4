"""An engine file opened for execution: options, plugins, runtime, deserialization, weight streaming, and a stream.

What an engine needs is read from the engine. An engine that was built without its weights (`STRIP_PLAN`) must be
refitted before it runs; one that holds a runtime of its own (`VERSION_COMPATIBLE`) runs code from the file, which is
refused unless allowed. Without a GPU, creating a runtime ends the process in 8.6, so the GPU is asked for first.
"""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trtlens.capture.building.logger import SEVERITIES, capturing, process_logger
from trtlens.capture.building.network import load_plugins
from trtlens.capture.models.inputs import InputRecipe
from trtlens.capture.models.io_tensors import IoTensor, read_io_tensors
from trtlens.capture.timing.launch_queue import Extent
from trtlens.errors import CaptureError, TrtlensError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.backends.cuda import Cuda
    from trtlens.capture.models.io_tensors import Shape

_WARNING = SEVERITIES.index("WARNING")
_KEPT_MESSAGES = 3


class RuntimeMessages:
    """A sink for TensorRT's log that keeps the last errors of the runtime."""

    def __init__(self) -> None:
        self._errors: deque[str] = deque(maxlen=_KEPT_MESSAGES)

    def write(self, severity: int, message: str) -> None:
        """Keep a message that is an error."""
        if severity < _WARNING:
            self._errors.append(message)

    @contextmanager
    def adding_errors(self) -> Iterator[None]:
        """Add TensorRT's last errors to a CaptureError that is raised in the block."""
        try:
            yield
        except CaptureError as error:
            if not self._errors:
                raise
            raise CaptureError(f"{error.message}; TensorRT says: {'; '.join(self._errors)}") from error


@dataclass(frozen=True, slots=True)
class EngineSession:
    """A deserialized engine and the stream that it runs on; `notes` tells what was found while opening it."""

    path: Path
    backend: Backend
    cuda: Cuda
    engine: Any
    stream: int
    tensors: tuple[IoTensor, ...]
    notes: tuple[str, ...]

    def create_context(self) -> Any:
        """A new execution context; raises CaptureError where TensorRT makes none."""
        context = self.engine.create_execution_context()
        if context is None:
            advice = "refit it with its weights" if self.engine.refittable else "free GPU memory"
            raise CaptureError(f"no execution context for {self.path.name}: {advice}")
        return context


@contextmanager
def open_engine(
    path: Path,
    plan: bytes,
    backend: Backend,
    cuda: Cuda,
    options: TimingOptions,
) -> Iterator[EngineSession]:
    """Deserialize the plan that `read_plan` read; what TensorRT says goes with an error, warnings are dropped.

    `options` says which GPU, which plugin libraries, how much weight streaming. Raises CaptureError where the plan does
    not run here, TrtlensError where the options do not fit it.
    """
    logger, messages = process_logger(backend.trt), RuntimeMessages()
    with ExitStack() as stack:
        stack.enter_context(capturing(logger, messages))
        stack.enter_context(messages.adding_errors())
        cuda.select(options.device)
        stream = cuda.create_stream()
        stack.callback(cuda.destroy_stream, stream)
        runtime = _create_runtime(backend, logger, options.plugins)
        runtime.engine_host_code_allowed = options.allow_engine_host_code
        if options.dla_core is not None:
            runtime.DLA_core = options.dla_core
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise CaptureError(
                f"{path.name} is no engine for {backend.name} {backend.version_text} on this GPU: "
                "build it here, with this release",
            )
        notes = _set_weight_streaming(engine, options.weight_streaming_budget_bytes)
        yield EngineSession(path, backend, cuda, engine, stream, read_io_tensors(engine), notes)


def read_plan(path: Path, backend: Backend) -> bytes:
    """The bytes of an engine file; raises TrtlensError where it cannot be read, CaptureError where nothing can run."""
    try:
        plan = path.read_bytes()
    except OSError as error:
        raise TrtlensError(f"engine {path} cannot be read ({error.strerror}): build it first") from error
    if not backend.can_run:
        raise CaptureError(f"{path.name} cannot run: no GPU is visible to the CUDA driver; `trtlens doctor` says more")
    return plan


def _create_runtime(backend: Backend, logger: Any, plugins: tuple[Path, ...]) -> Any:
    """A runtime that knows TensorRT's own plugins and those of the given libraries."""
    missing = next((library for library in plugins if not library.is_file()), None)
    if missing is not None:
        raise TrtlensError(f"no such plugin library: {missing}")
    runtime = backend.trt.Runtime(logger)
    load_plugins(backend, runtime, logger, plugins)
    return runtime


def _set_weight_streaming(engine: Any, budget_bytes: int | None) -> tuple[str, ...]:
    """Set the budget where one is given; a note tells when weights are streamed, since the time then includes it."""
    streamable = getattr(engine, "streamable_weights_size", 0)
    if not streamable:
        if budget_bytes is not None:
            raise TrtlensError("the engine streams no weights: build it with weight streaming, or give no budget")
        return ()
    # 10.0 has the first form alone, 11.0 the second alone
    attribute = (
        "weight_streaming_budget_v2" if hasattr(engine, "weight_streaming_budget_v2") else "weight_streaming_budget"
    )
    if budget_bytes is not None:
        setattr(engine, attribute, budget_bytes)
    budget = getattr(engine, attribute)
    return (f"weights are streamed: {budget} of {streamable} bytes stay on the GPU, and the times include the copying",)


# -- options -----------------------------------------------------------------------------------------------------------


_SHORT_MS = 1000.0
_SHORT_COUNT = 10
_MOST_IN_FLIGHT = 64


@dataclass(frozen=True, slots=True)
class TimingOptions:
    """How long, in which shapes and with which inputs an engine is timed; the default lengths are trtexec's.

    `shapes` by input name (for a shape tensor its values), else the optimization profile's usual ones; `profile`
    counts from 0, None takes the first that holds the shapes. The timing lasts for at least `iterations` inferences
    and `duration_ms`, the warm-up for `warmup_count` and `warmup_ms`; no pass exceeds `max_iterations`. The passes
    for latency and layers last for 10 inferences and a second, or for `latency_iterations` and `layer_iterations`,
    whichever comes first; 0 leaves them out. `queue_depth` inferences are in flight.
    """

    shapes: Mapping[str, Shape] = field(default_factory=dict)
    profile: int | None = None
    inputs: InputRecipe = field(default_factory=InputRecipe)
    warmup_ms: float = 200.0
    warmup_count: int = 10
    duration_ms: float = 3000.0
    iterations: int = 10
    max_iterations: int = 100_000
    queue_depth: int = 8
    cuda_graph: bool = False
    latency_iterations: int = 100
    layer_iterations: int = 100
    device: int = 0
    dla_core: int | None = None
    plugins: tuple[Path, ...] = ()
    weight_streaming_budget_bytes: int | None = None
    allow_engine_host_code: bool = False

    def __post_init__(self) -> None:
        """Refuse lengths that time nothing, before anything is started."""
        if not 1 <= self.queue_depth <= _MOST_IN_FLIGHT:
            raise TrtlensError(f"queue depth {self.queue_depth} is not from 1 to {_MOST_IN_FLIGHT}")
        for name in ("iterations", "max_iterations", "warmup_count"):
            if getattr(self, name) < 1:
                raise TrtlensError(f"{name} is {getattr(self, name)}: at least 1 is needed")
        for name in ("warmup_ms", "duration_ms", "latency_iterations", "layer_iterations", "device"):
            if getattr(self, name) < 0:
                raise TrtlensError(f"{name} is {getattr(self, name)}: it cannot be negative")

    def warmup_extent(self) -> Extent:
        """How long inferences run before any counts."""
        return Extent(self.warmup_count, self.warmup_ms, self.max_iterations)

    def timing_extent(self) -> Extent:
        """How long the queued pass lasts."""
        return Extent(self.iterations, self.duration_ms, self.max_iterations)

    def latency_extent(self) -> Extent:
        """How long inferences are waited for one by one."""
        return Extent(_SHORT_COUNT, _SHORT_MS, self.latency_iterations)

    def layer_extent(self) -> Extent:
        """How long executions run with a profiler."""
        return Extent(_SHORT_COUNT, _SHORT_MS, self.layer_iterations)

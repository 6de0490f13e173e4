"""The passes of a timing on one bound context: warm-up, queued, one by one, with a profiler; NVML is read around them.

| pass | what is done |
|---|---|
| warm-up | queued inferences that do not count |
| timing | inferences back to back, several in flight |
| latency | one inference at a time, waited for: what a single caller sees |
| layers | executions with a profiler and no CUDA graph, which would hide the layers from it in TensorRT-RTX |

A profiler makes TensorRT put events between layers, which costs time: the layers of one execution add up to more than the
execution takes without it, the more so the smaller they are. With `enqueue_emits_profile` false the enqueue returns at once
and `report_to_profiler` collects the times (both from 8.5 on); else the enqueue waits. TensorRT calls
`report_layer_time(name, ms)` for each layer in order; a name may come more than once in one execution.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.capture.timing.launch_queue import LaunchQueue
from trtlens.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trtlens.capture.backends.cuda import Cuda
    from trtlens.capture.backends.gpu import GpuMonitor
    from trtlens.capture.timing.engine_session import TimingOptions
    from trtlens.capture.timing.launch_queue import Extent, Samples
    from trtlens_parsers.captured import GpuReading

BEFORE_TIMING = "after warm-up"
AFTER_TIMING = "after timing"


@dataclass(frozen=True, slots=True)
class Instruments:
    """What a timing measures with: CUDA, NVML, and a host clock that counts nanoseconds."""

    cuda: Cuda
    monitor: GpuMonitor
    clock: Callable[[], int] = time.perf_counter_ns


@dataclass(frozen=True, slots=True, eq=False)
class Passes:
    """The samples of every pass, None where it was left out; `readings` in the order in which they were taken."""

    warmup_count: int
    timing: Samples
    latency: Samples | None
    layers: LayerTimes | None
    cuda_graph: bool
    readings: tuple[GpuReading, ...]
    notes: tuple[str, ...]

    def reading(self, moment: str) -> GpuReading | None:
        """What NVML said at that moment."""
        return next((reading for reading in self.readings if reading.moment == moment), None)


class PassRunner:
    """Runs the passes on a context whose inputs and outputs are bound; one runner for one context."""

    def __init__(self, trt: Any, context: Any, stream: int, options: TimingOptions, tools: Instruments) -> None:
        self._trt = trt
        self._context = context
        self._stream = stream
        self._options = options
        self._tools = tools
        self._readings: list[GpuReading] = []
        self._notes: list[str] = []

    def run(self) -> Passes:
        """Every pass in turn; raises CaptureError where TensorRT or CUDA fails in one that the others need."""
        options, latency, layers = self._options, None, None
        self._read_gpu("before warm-up")
        with ExitStack() as stack:
            launch = self._graph_launcher(stack) if options.cuda_graph else self._enqueue
            queue = stack.enter_context(self._queue(launch, options.queue_depth))
            warmup = queue.run(options.warmup_extent())
            self._read_gpu(BEFORE_TIMING)
            timing = queue.run(options.timing_extent(), lead_in=options.queue_depth)
            self._read_gpu(AFTER_TIMING)
            if options.latency_iterations:
                single = stack.enter_context(self._queue(launch, 1))
                latency = single.run(options.latency_extent(), lead_in=1)
                self._read_gpu("after latency")
        if options.layer_iterations:
            layers = self._time_layers()
            self._read_gpu("after layers")
        return Passes(
            warmup_count=len(warmup),
            timing=timing,
            latency=latency,
            layers=layers,
            cuda_graph=launch != self._enqueue,
            readings=tuple(self._readings),
            notes=tuple(self._notes),
        )

    def run_layers(self) -> tuple[LayerTimes | None, tuple[str, ...]]:
        """The layers alone after a warm-up, and why there are none."""
        with self._queue(self._enqueue, self._options.queue_depth) as queue:
            queue.run(self._options.warmup_extent())
        layers = self._time_layers()
        return layers, tuple(self._notes)

    def _read_gpu(self, moment: str) -> None:
        """Read NVML, between passes."""
        reading = self._tools.monitor.read(moment)
        if reading is not None:
            self._readings.append(reading)

    def _enqueue(self) -> bool:
        return bool(self._context.execute_async_v3(self._stream))

    def _queue(self, launch: Callable[[], bool], depth: int) -> LaunchQueue:
        return LaunchQueue(self._tools.cuda, self._stream, launch, depth=depth, clock=self._tools.clock)

    def _graph_launcher(self, stack: ExitStack) -> Callable[[], bool]:
        """What launches a captured inference, or the plain enqueue, with a note, where it cannot be captured."""
        if not self._enqueue():
            raise CaptureError("TensorRT refused to enqueue an inference")
        try:
            return stack.enter_context(graph_launcher(self._tools.cuda, self._stream, self._enqueue))
        except CaptureError as error:
            self._notes.append(f"timed without a CUDA graph, since this engine cannot be captured: {error.message}")
            return self._enqueue

    def _time_layers(self) -> LayerTimes | None:
        """The last pass, since its profiler stays attached; where it fails, the others are kept."""
        tools, stream = self._tools, self._stream
        try:
            return time_layers(
                self._trt,
                self._context,
                self._enqueue,
                lambda: tools.cuda.synchronize(stream),
                extent=self._options.layer_extent(),
                clock=tools.clock,
            )
        except CaptureError as error:
            self._notes.append(f"layers were not timed: {error.message}")
            return None


@contextmanager
def graph_launcher(cuda: Cuda, stream: int, enqueue: Callable[[], bool]) -> Iterator[Callable[[], bool]]:
    """What launches the captured enqueue as a CUDA graph; raises CaptureError where it cannot be captured.

    TensorRT asks for one plain inference before the capture, after every change of shapes.
    """
    cuda.synchronize(stream)
    graph = cuda.capture(stream, enqueue)

    def launch() -> bool:
        cuda.launch_graph(graph, stream)
        return True

    try:
        yield launch
    finally:
        cuda.destroy_graph(graph)


# -- layer times -------------------------------------------------------------------------------------------------------


_WARM_UP = 3


@dataclass(frozen=True, slots=True)
class LayerTimes:
    """`times_ms[execution][position]` belongs to `layers[position]`, the layers in the order of TensorRT's calls.

    `left_out` counts the executions that reported other layers than the first one, or none.
    """

    layers: tuple[str, ...]
    times_ms: tuple[tuple[float, ...], ...]
    left_out: int

    def sums_ms(self) -> tuple[float, ...]:
        """The time of all layers together, one value per execution."""
        return tuple(sum(times) for times in self.times_ms)


def time_layers(
    trt: Any,
    context: Any,
    launch: Callable[[], bool],
    synchronize: Callable[[], None],
    *,
    extent: Extent,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> LayerTimes:
    """Run the context with a profiler until the extent is reached, after a few executions that do not count.

    The profiler stays attached: no other timing may follow on this context. Raises CaptureError where TensorRT refuses.
    """
    recorder = _layer_recorder(trt)
    context.profiler = recorder
    reported: list[list[tuple[str, float]]] = []
    collect = _collector(context)
    began = clock()
    while not extent.is_reached(len(reported) - _WARM_UP, (clock() - began) / 1e6):
        recorder.calls = []
        if not launch():
            raise CaptureError("TensorRT refused to enqueue an inference with a profiler")
        collected = collect()
        synchronize()
        reported.append(recorder.calls if collected else [])
    return _gathered(reported[_WARM_UP:])


def _collector(context: Any) -> Callable[[], bool]:
    """What brings the times of the execution that was just enqueued, and whether it did."""
    if not (hasattr(context, "report_to_profiler") and hasattr(context, "enqueue_emits_profile")):
        return lambda: True
    context.enqueue_emits_profile = False
    return lambda: bool(context.report_to_profiler())


def _gathered(reported: list[list[tuple[str, float]]]) -> LayerTimes:
    layers = next((tuple(name for name, _ in calls) for calls in reported if calls), ())
    kept = [calls for calls in reported if calls and tuple(name for name, _ in calls) == layers]
    times = tuple(tuple(ms for _, ms in calls) for calls in kept)
    return LayerTimes(layers, times, len(reported) - len(kept))


def _layer_recorder(trt: Any) -> Any:
    """An IProfiler that keeps what it is told in `calls`."""

    class LayerRecorder(trt.IProfiler):  # type: ignore[misc]
        """Collects names and milliseconds; nothing more may happen in a callback that TensorRT waits for."""

        def __init__(self) -> None:
            trt.IProfiler.__init__(self)  # pybind11 refuses an object whose base was not initialised
            self.calls: list[tuple[str, float]] = []

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            """Take one layer of the execution that is being collected."""
            self.calls.append((layer_name, ms))

    return LayerRecorder()

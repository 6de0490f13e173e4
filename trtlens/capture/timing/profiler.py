"""The time of each layer, through TensorRT's IProfiler, in executions of their own.

A profiler makes TensorRT put events between layers, which costs time: the layers of one execution add up to more than
the execution takes without a profiler, the more so the smaller the layers. With `enqueue_emits_profile` false the
enqueue returns at once and `report_to_profiler` collects the times (both exist from 8.5 on); else the enqueue itself
waits. TensorRT calls `report_layer_time(name, ms)` for each layer in order; a name may come more than once in one
execution.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable

    from trtlens.capture.timing.launch_queue import Extent

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

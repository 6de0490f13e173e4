"""Inferences put back to back into one stream, timed by an event before and one behind each.

The GPU time of an inference is free of launches only if its work was in the stream before the inference ahead of it
had ended. So several are kept in flight: the host waits for the oldest alone, reads its two events, and puts them
behind the next. Whether that was enough is measured, not assumed: when an enqueue returns and the inference ahead has
ended already, the queue may have run dry, and the sample says so. A depth of 1 waits for each inference, as a caller
that needs the result does.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trtlens.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from typing_extensions import Self

    from trtlens.capture.backends.cuda import Cuda

_NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True)
class Extent:
    """How long to go on: at least `count` inferences and at least `duration_ms`, never more than `most` inferences."""

    count: int
    duration_ms: float
    most: int

    def is_reached(self, done: int, elapsed_ms: float) -> bool:
        """Whether that many inferences in that time are enough."""
        return done >= self.most or (done >= self.count and elapsed_ms >= self.duration_ms)


@dataclass(frozen=True, slots=True)
class Samples:
    """One value per inference, in the order of enqueueing; times in milliseconds.

    `gpu_ms`: between the event before and the event behind it. `enqueue_ms`: host time of the enqueue call alone.
    `host_ms`: host time from when the inference ahead was seen to be complete until this one was; these add up to the
    time on the wall, and with one inference at a time each is the time from call to result. `queue_dry`: the inference
    ahead had ended when this one's enqueue returned, so its GPU time may hold waiting for the host. `process`: in which
    process it was timed, from 1.
    """

    gpu_ms: NDArray[np.float64]
    host_ms: NDArray[np.float64]
    enqueue_ms: NDArray[np.float64]
    queue_dry: NDArray[np.bool_]
    process: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.gpu_ms)


def join_samples(timed: Sequence[Samples]) -> Samples:
    """The samples of several processes one after another, numbered by their place."""
    return Samples(
        gpu_ms=np.concatenate([one.gpu_ms for one in timed]),
        host_ms=np.concatenate([one.host_ms for one in timed]),
        enqueue_ms=np.concatenate([one.enqueue_ms for one in timed]),
        queue_dry=np.concatenate([one.queue_dry for one in timed]),
        process=np.repeat(np.arange(1, len(timed) + 1), [len(one) for one in timed]),
    )


@dataclass(slots=True)
class _InFlight:
    """An enqueued inference: its two events, and what the host saw when it enqueued it."""

    start: int
    end: int
    enqueue_ns: int = 0
    queue_dry: bool = True


@dataclass(frozen=True, slots=True)
class _Completed:
    """An inference that the host has seen complete, at `seen_ns` of its clock."""

    gpu_ms: float
    enqueue_ns: int
    queue_dry: bool
    seen_ns: int


class LaunchQueue:
    """Keeps `depth` inferences in flight on `stream`; `launch` enqueues one and says whether TensorRT took it.

    `clock` counts nanoseconds on the host. Use as a context manager: the events are given back at its end.
    """

    def __init__(
        self,
        cuda: Cuda,
        stream: int,
        launch: Callable[[], bool],
        *,
        depth: int,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._cuda = cuda
        self._stream = stream
        self._launch = launch
        self._clock = clock
        self._idle = deque(_InFlight(cuda.create_event(), cuda.create_event()) for _ in range(depth))
        self._in_flight: deque[_InFlight] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for inference in (*self._idle, *self._in_flight):
            self._cuda.destroy_event(inference.start)
            self._cuda.destroy_event(inference.end)

    def run(self, extent: Extent, *, lead_in: int = 0) -> Samples:
        """Enqueue until the extent is reached and return every sample but those of the first `lead_in` inferences.

        The lead-in fills the queue, so that the first kept sample has an inference ahead of it. When this returns,
        every inference has ended. Raises CaptureError where TensorRT or CUDA refuses.
        """
        completed: list[_Completed] = []
        launched = 0
        with _collector_off():
            began = self._clock()
            while not extent.is_reached(launched - lead_in, (self._clock() - began) / _NS_PER_MS):
                if launched == lead_in:
                    began = self._clock()
                if not self._idle:
                    completed.append(self._retire())
                self._enqueue()
                launched += 1
            while self._in_flight:
                completed.append(self._retire())
        ahead_ns = completed[lead_in - 1].seen_ns if lead_in else began
        return _samples(completed[lead_in:], ahead_ns)

    def _enqueue(self) -> None:
        """Enqueue one inference between two events that nothing else uses now."""
        cuda, inference = self._cuda, self._idle.popleft()
        ahead = self._in_flight[-1] if self._in_flight else None
        self._in_flight.append(inference)
        cuda.record(inference.start, self._stream)
        before = self._clock()
        taken = self._launch()
        inference.enqueue_ns = self._clock() - before
        cuda.record(inference.end, self._stream)
        inference.queue_dry = ahead is None or cuda.is_done(ahead.end)
        if not taken:
            raise CaptureError("TensorRT refused to enqueue an inference")

    def _retire(self) -> _Completed:
        """Wait for the oldest inference in flight; its events are free afterwards."""
        inference = self._in_flight.popleft()
        self._idle.append(inference)
        self._cuda.wait(inference.end)
        seen = self._clock()
        return _Completed(
            self._cuda.elapsed_ms(inference.start, inference.end), inference.enqueue_ns, inference.queue_dry, seen
        )


def _samples(completed: list[_Completed], ahead_ns: int) -> Samples:
    seen_ns = np.array([one.seen_ns for one in completed], dtype=np.int64)
    return Samples(
        gpu_ms=np.array([one.gpu_ms for one in completed], dtype=np.float64),
        host_ms=np.diff(seen_ns, prepend=ahead_ns) / _NS_PER_MS,
        enqueue_ms=np.array([one.enqueue_ns for one in completed], dtype=np.float64) / _NS_PER_MS,
        queue_dry=np.array([one.queue_dry for one in completed], dtype=np.bool_),
        process=np.ones(len(completed), dtype=np.int64),
    )


@contextmanager
def _collector_off() -> Iterator[None]:
    """Keep Python's garbage collector from pausing the host long enough to let the queue run dry."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

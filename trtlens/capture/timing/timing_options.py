"""What a timing is asked for; the lengths are trtexec's (`--warmUp=200 --duration=3 --iterations=10`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trtlens.capture.models.inputs import InputRecipe
from trtlens.capture.timing.launch_queue import Extent
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from trtlens.capture.models.io_tensors import Shape

_SHORT_MS = 1000.0
_SHORT_COUNT = 10
_MOST_IN_FLIGHT = 64


@dataclass(frozen=True, slots=True)
class TimingOptions:
    """How long, in which shapes and with which inputs an engine is timed; the defaults fit any engine.

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

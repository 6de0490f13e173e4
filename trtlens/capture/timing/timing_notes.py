"""What makes a timing doubtful, as sentences: unsteady samples, clocks that moved, a queue that ran dry.

The threshold of unsteadiness is trtexec's (coefficient of variation above 2.5 %); the others are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.statistics import FEWEST_SAMPLES, UNSTEADY_PERCENT, find_drift

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trtlens.capture.backends.gpu_state import GpuLimits
    from trtlens.capture.timing.launch_queue import Samples
    from trtlens.capture.timing.profiler import LayerTimes
    from trtlens.statistics import Statistics
    from trtlens_parsers.captured import GpuReading

_DRY_SHARE = 0.01
_CLOCK_PERCENT = 2.0
_LAYER_EXCESS = 1.25


def sample_notes(samples: Samples, gpu: Statistics, enqueue: Statistics, *, cuda_graph: bool) -> Iterator[str]:
    """What the samples of the queued pass themselves give away."""
    if gpu.count < FEWEST_SAMPLES:
        yield f"only {gpu.count} inferences were timed: time longer for figures that hold"
    if gpu.variation_percent is not None and gpu.variation_percent > UNSTEADY_PERCENT:
        yield (
            f"GPU time is unsteady: its coefficient of variation is {gpu.variation_percent:.1f} % (trtexec warns above "
            f"{UNSTEADY_PERCENT} %): lock the clocks (nvidia-smi -lgc) and keep other work off the GPU"
        )
    yield from _drift_notes(samples)
    dry = int(samples.queue_dry.sum())
    if dry > _DRY_SHARE * gpu.count:
        advice = "leave the host more of its processor" if cuda_graph else "time with a CUDA graph"
        yield (
            f"the queue ran dry at {dry} of {gpu.count} inferences: enqueueing takes {enqueue.median_ms:.4f} ms "
            f"(median), the GPU {gpu.median_ms:.4f} ms, which therefore includes waiting for the host: {advice}"
        )


def _drift_notes(samples: Samples) -> Iterator[str]:
    """A GPU that warms up or loses its boost gets slower bit by bit."""
    drift = find_drift(samples.gpu_ms[None, :])
    if drift is not None:
        trend = "slower" if drift.percent > 0 else "faster"
        yield f"GPU time drifts: the last third is {abs(drift.percent):.1f} % {trend} than the first"


def clock_notes(before: GpuReading | None, after: GpuReading | None) -> Iterator[str]:
    """What NVML said just before and just after the queued pass."""
    if before is None or after is None:
        return
    clocks = (
        ("SM", before.sm_clock_mhz, after.sm_clock_mhz),
        ("memory", before.memory_clock_mhz, after.memory_clock_mhz),
    )
    for name, was, now in clocks:
        if was and now and abs(now / was - 1) * 100 > _CLOCK_PERCENT:
            yield f"the {name} clock went from {was} to {now} MHz during the timing: lock it (nvidia-smi -lgc, -lmc)"
    reasons = dict.fromkeys((*before.throttling, *after.throttling))
    if reasons:
        yield f"the GPU was throttled ({', '.join(reasons)}): the times are not those of its full clocks"


def sharing_notes(limits: GpuLimits | None) -> Iterator[str]:
    """Whether others compute on the same GPU."""
    if limits is not None and limits.processes is not None and limits.processes > 1:
        yield f"{limits.processes} processes use this GPU: what the others do is in the times"


def layer_notes(layers: LayerTimes, ratio: float | None, *, verbosity: str) -> Iterator[str]:
    """What the layer times can and cannot say; `ratio` is their sum over the GPU time of an inference."""
    if layers.left_out:
        yield f"{layers.left_out} executions with a profiler reported other layers than the first, or none: left out"
    if verbosity == "NONE" and layers.layers:
        yield "the engine was built without layer names (profiling verbosity NONE): layers are numbers"
    if ratio is not None and ratio > _LAYER_EXCESS:
        yield (
            f"the layers add up to {ratio:.2f} times the GPU time of an inference: events between layers cost time, "
            "so read layer times as shares"
        )

"""What a timing found, what makes it doubtful, and the raw files that it leaves in the run folder, each written whole.

`times.json`, `latency-times.json` and `graph-times.json` (format 1): `{"format", "header", "samples"}`, a sample being `{"gpu_ms",
"host_ms", "enqueue_ms", "queue_dry", "process"}` as `launch_queue.Samples` describes them. `layer-times.json` (format 1):
`{"format", "layers", "times_ms"}`, one row per execution, its columns in call order, names as often as they come.
`gpu-state.json` (format 1): `{"format", "limits", "readings", "reason"}`, the reason saying why there are no
readings.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.capture.recorder import write_whole
from trtlens.errors import CaptureError
from trtlens.quantities import durations, interval
from trtlens.statistics import FEWEST_SAMPLES, UNSTEADY_PERCENT, by_process, find_drift, summarize
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from trtlens.capture.backends.gpu import GpuLimits
    from trtlens.capture.models.io_tensors import Shape
    from trtlens.capture.timing.launch_queue import Samples
    from trtlens.capture.timing.passes import LayerTimes
    from trtlens.statistics import Statistics
    from trtlens_parsers.captured import GpuReading


FORMAT = 1
TIMES_JSON = "times.json"
LATENCY_TIMES_JSON = "latency-times.json"
GRAPH_TIMES_JSON = "graph-times.json"
LAYER_TIMES_JSON = "layer-times.json"
GPU_STATE_JSON = "gpu-state.json"


@dataclass(frozen=True, slots=True, eq=False)
class TimingResult:
    """One engine timed in one set of shapes; times in milliseconds, `throughput_per_s` counts inferences.

    `gpu`, `host` and `enqueue` are of the queued pass. `latency` is the host time of single inferences, waited for;
    None where that pass was left out. `graph` is of queued inferences from a CUDA graph, where those of `gpu` were enqueued
    and the GPU waited for the host. `layer_sum` adds up the layers of each execution; `layer_sum_ratio` is its
    median over that of `gpu`. `header` is what `times.json` says of the conditions.
    """

    header: Mapping[str, Any]
    output_shapes: Mapping[str, Shape | None]
    samples: Samples
    gpu: Statistics
    host: Statistics
    enqueue: Statistics
    throughput_per_s: float
    latency_samples: Samples | None
    latency: Statistics | None
    readings: tuple[GpuReading, ...]
    limits: GpuLimits | None
    monitor_reason: str | None
    notes: tuple[str, ...]
    graph_samples: Samples | None = None
    graph: Statistics | None = None
    layers: LayerTimes | None = None
    layer_sum: Statistics | None = None
    layer_sum_ratio: float | None = None

    def summary(self) -> dict[str, Any]:
        """The figures without the samples, as JSON values, for the record of the run."""
        return {
            **self.header,
            "throughput_per_s": self.throughput_per_s,
            "gpu": _plain(self.gpu),
            "host": _plain(self.host),
            "enqueue": _plain(self.enqueue),
            "latency": _plain(self.latency),
            "graph": _plain(self.graph),
            "layer_sum": _plain(self.layer_sum),
            "layer_sum_ratio": self.layer_sum_ratio,
            "notes": list(self.notes),
        }


def sample_figures(samples: Samples) -> dict[str, Any]:
    """The samples and what is worked out of them, by the fields of `TimingResult`; raises CaptureError where there are none."""
    columns = {"gpu": samples.gpu_ms, "host": samples.host_ms, "enqueue": samples.enqueue_ms}
    figures = {name: summarize(times_ms, samples.process) for name, times_ms in columns.items()}
    if None in figures.values():
        raise CaptureError("no inference was timed")
    rate = len(samples) / (float(samples.host_ms.sum()) / 1000)
    return {"samples": samples, **figures, "throughput_per_s": rate}


@dataclass(frozen=True, slots=True, eq=False)
class LayerPass:
    """The layers of an engine, None with a note of the reason where they were not timed; `verbosity` is the engine's."""

    layers: LayerTimes | None
    verbosity: str
    notes: tuple[str, ...] = ()


def with_layers(result: TimingResult, timed: LayerPass) -> TimingResult:
    """The result with the layers, their sum beside the whole, and what makes them doubtful."""
    layers = timed.layers
    layer_sum = None if layers is None else summarize(layers.sums_ms())
    ratio = layer_sum.median_ms / result.gpu.median_ms if layer_sum is not None and result.gpu.median_ms else None
    notes = () if layers is None else layer_notes(layers, ratio, verbosity=timed.verbosity)
    return replace(
        result,
        layers=layers,
        layer_sum=layer_sum,
        layer_sum_ratio=ratio,
        notes=(*result.notes, *timed.notes, *notes),
    )


def write_result(result: TimingResult, out: Path) -> tuple[Path, ...]:
    """Write the raw files of a timing into the folder and return their paths; raises TrtlensError where that fails."""
    documents: dict[str, Any] = {
        TIMES_JSON: _times("timing", result.header, result.samples),
        GPU_STATE_JSON: {
            "format": FORMAT,
            "limits": _plain(result.limits),
            "readings": [_plain(reading) for reading in result.readings],
            "reason": result.monitor_reason,
        },
    }
    if result.latency_samples is not None:
        header = {**result.header, "queue_depth": 1}
        documents[LATENCY_TIMES_JSON] = _times("latency", header, result.latency_samples)
    if result.graph_samples is not None:
        header = {**result.header, "cuda_graph": True}
        documents[GRAPH_TIMES_JSON] = _times("graph", header, result.graph_samples)
    if result.layers is not None:
        documents[LAYER_TIMES_JSON] = {
            "format": FORMAT,
            "layers": result.layers.layers,
            "times_ms": result.layers.times_ms,
        }
    return tuple(write_json(out / name, document) for name, document in documents.items())


def write_json(path: Path, document: Any) -> Path:
    """Write one compact JSON document, whole."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return write_whole(path, f"{text}\n".encode("utf-8", "replace"))


def _times(name: str, header: Mapping[str, Any], samples: Samples) -> dict[str, Any]:
    columns = (samples.gpu_ms, samples.host_ms, samples.enqueue_ms)
    others = (samples.queue_dry.tolist(), samples.process.tolist())
    rows = zip(*(column.round(6).tolist() for column in columns), *others, strict=True)
    return {
        "format": FORMAT,
        "header": {"pass": name, **header},
        "samples": [
            {"gpu_ms": gpu, "host_ms": host, "enqueue_ms": enqueue, "queue_dry": dry, "process": process}
            for gpu, host, enqueue, dry, process in rows
        ],
    }


def _plain(record: Any) -> dict[str, Any] | None:
    """A record of plain values as a JSON object."""
    return None if record is None else {part.name: getattr(record, part.name) for part in fields(record)}


# -- notes -------------------------------------------------------------------------------------------------------------


_DRY_SHARE = 0.01
_CLOCK_PERCENT = 2.0
_LAYER_EXCESS = 1.25


def sample_notes(samples: Samples, gpu: Statistics, enqueue: Statistics, *, cuda_graph: bool) -> Iterator[str]:
    """Notes on the samples of the queued pass."""
    if gpu.count < FEWEST_SAMPLES:
        yield f"only {gpu.count} inferences were timed: time longer for figures that hold"
    if gpu.variation_percent is not None and gpu.variation_percent > UNSTEADY_PERCENT:
        yield (
            f"GPU time is unsteady: its coefficient of variation is {gpu.variation_percent:.1f} % (trtexec warns above "
            f"{UNSTEADY_PERCENT} %): lock the clocks (nvidia-smi -lgc) and keep other work off the GPU"
        )
    yield from _drift_notes(samples)
    dry = int(samples.queue_dry.sum())
    if _runs_dry(samples):
        enqueued, computed = durations(enqueue.median_ms, gpu.median_ms)
        advice = "leave the host more of its processor" if cuda_graph else "time with a CUDA graph"
        yield (
            f"the queue ran dry at {dry} of {gpu.count} inferences: enqueueing takes {enqueued} "
            f"(median), the GPU {computed}, which therefore includes waiting for the host: {advice}"
        )


def _runs_dry(samples: Samples) -> bool:
    return int(samples.queue_dry.sum()) > _DRY_SHARE * len(samples)


def waits_for_host(result: TimingResult) -> bool:
    """Whether inferences were enqueued, and the GPU waited for that."""
    return not result.header["cuda_graph"] and _runs_dry(result.samples)


def _drift_notes(samples: Samples) -> Iterator[str]:
    """A GPU that warms up or loses its boost gets slower bit by bit."""
    drift = find_drift(samples.gpu_ms[None, :])
    if drift is not None:
        trend = "slower" if drift.percent > 0 else "faster"
        yield f"GPU time drifts: the last third is {abs(drift.percent):.1f} % {trend} than the first"


def process_notes(samples: Samples) -> Iterator[str]:
    """A note where processes that timed one engine are further apart than a process is unsteady."""
    medians = [float(np.median(times)) for times in by_process(samples.gpu_ms, samples.process)]
    fastest, slowest = min(medians), max(medians)
    if fastest and slowest / fastest - 1 > UNSTEADY_PERCENT / 100:
        yield (
            f"processes that load this engine differ: their medians are {interval(fastest, slowest)}, "
            f"{100 * (slowest / fastest - 1):.1f} % apart, so one number is no answer"
        )


def clock_notes(before: GpuReading | None, after: GpuReading | None) -> Iterator[str]:
    """Notes on the clocks before and after the queued pass."""
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


def sharing_notes(limits: GpuLimits | None, *, own: int) -> Iterator[str]:
    """A note where other processes than our `own` ones use the same GPU; NVML's numbers of processes are not those of a container."""
    if limits is not None and limits.processes is not None and limits.processes > own:
        others = counted(limits.processes - own, "other process", "other processes")
        yield f"{others} used this GPU: what they did is in the times"


def layer_notes(layers: LayerTimes, ratio: float | None, *, verbosity: str) -> Iterator[str]:
    """Notes on the layer times; `ratio` is their sum over the GPU time of an inference."""
    if layers.left_out:
        yield f"{layers.left_out} executions with a profiler reported other layers than the first, or none: left out"
    if verbosity == "NONE" and layers.layers:
        yield "the engine was built without layer names (profiling verbosity NONE): layers are numbers"
    if ratio is not None and ratio > _LAYER_EXCESS:
        yield (
            f"the layers add up to {ratio:.2f} times the GPU time of an inference: events between layers cost time, "
            "so read layer times as shares"
        )

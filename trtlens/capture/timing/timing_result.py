"""What a timing found, and the raw files that it leaves in the run folder, each written whole.

`times.json` and `latency-times.json` (format 1): `{"format", "header", "samples"}`, a sample being `{"gpu_ms",
"host_ms", "enqueue_ms", "queue_dry"}` as `launch_queue.Samples` describes them. `layer-times.json` (format 1):
`{"format", "layers", "times_ms"}`, one row per execution, its columns in call order, names as often as they come.
`gpu-state.json` (format 1): `{"format", "limits", "readings", "reason"}`, the reason saying why there are no
readings.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from trtlens.capture.recorder import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from trtlens.capture.backends.gpu_state import GpuLimits
    from trtlens.capture.models.io_tensors import Shape
    from trtlens.capture.timing.launch_queue import Samples
    from trtlens.capture.timing.profiler import LayerTimes
    from trtlens.statistics import Statistics
    from trtlens_parsers.captured import GpuReading

FORMAT = 1
TIMES_JSON = "times.json"
LATENCY_TIMES_JSON = "latency-times.json"
LAYER_TIMES_JSON = "layer-times.json"
GPU_STATE_JSON = "gpu-state.json"


@dataclass(frozen=True, slots=True, eq=False)
class TimingResult:
    """One engine timed in one set of shapes; times in milliseconds, `throughput_per_s` counts inferences.

    `gpu`, `host` and `enqueue` are of the queued pass. `latency` is the host time of single inferences, waited for;
    None where that pass was left out. `layer_sum` adds up the layers of each execution; `layer_sum_ratio` is its
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
    layers: LayerTimes | None
    layer_sum: Statistics | None
    layer_sum_ratio: float | None
    readings: tuple[GpuReading, ...]
    limits: GpuLimits | None
    monitor_reason: str | None
    notes: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        """The figures without the samples, as JSON values, for the record of the run."""
        return {
            **self.header,
            "throughput_per_s": self.throughput_per_s,
            "gpu": _plain(self.gpu),
            "host": _plain(self.host),
            "enqueue": _plain(self.enqueue),
            "latency": _plain(self.latency),
            "layer_sum": _plain(self.layer_sum),
            "layer_sum_ratio": self.layer_sum_ratio,
            "notes": list(self.notes),
        }


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
    rows = zip(*(column.round(6).tolist() for column in columns), samples.queue_dry.tolist(), strict=True)
    return {
        "format": FORMAT,
        "header": {"pass": name, **header},
        "samples": [
            {"gpu_ms": gpu, "host_ms": host, "enqueue_ms": enqueue, "queue_dry": dry}
            for gpu, host, enqueue, dry in rows
        ],
    }


def _plain(record: Any) -> dict[str, Any] | None:
    """A record of plain values as a JSON object."""
    return None if record is None else {part.name: getattr(record, part.name) for part in fields(record)}

"""What an inference's time is made of: kernels and gaps where kernels were traced, else layers with the profiler's stretch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trtlens.engine.inference_timing import read_timing
from trtlens.engine.kernel_times import read_kernel_times
from trtlens.engine.times import layer_times
from trtlens_parsers.kernel_trace import COPY, FILL, KERNEL, STREAM

if TYPE_CHECKING:
    from trtlens.engine.kernel_times import KernelTimes
    from trtlens.runs.run import Run

KERNEL_TRACE, LAYER_PROFILER, TIMING = "kernel trace", "layer profiler", "timing"
_OVERLAP = (
    "kernels add up to more than the inference: some ran beside one another, or took longer while they were traced"
)
_WORDS = {KERNEL: "kernels", COPY: "copies", FILL: "fills"}
_LEAST_OVERLAP_MS = 1e-6
_SLOWED = "while they were traced, which makes launches slower: time whole inferences to know those of a deployment"
_NO_COPIES = "the trace records no copies, so that they count as gaps"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an inference; ``stretch`` is how many times as long as the inference the layers together are."""

    part: str
    time_ms: float | None
    source: str
    count: int | None = None
    stretch: float | None = None
    note: str | None = None


def inference_parts(run: Run, build: int) -> list[Part]:
    """The parts of one inference of a build and the whole; none where neither layers nor kernels were timed."""
    whole_ms = read_timing(run, build).inference_ms
    traced = read_kernel_times(run, build)
    return _of_layers(run, build, whole_ms) if traced is None else _of_kernels(traced, whole_ms)


def _of_kernels(traced: KernelTimes, whole_ms: float | None) -> list[Part]:
    kinds = [row["kind"] for row in traced.launches]
    parts = [
        Part(_WORDS.get(kind, kind), _sum(traced, kind), KERNEL_TRACE, kinds.count(kind))
        for kind in sorted(dict.fromkeys(kinds), key=lambda kind: kind != KERNEL)
    ]
    total_ms, source = (traced.traced_ms, KERNEL_TRACE) if whole_ms is None else (whole_ms, TIMING)
    overlap_ms = traced.overlap_ms or 0.0
    if overlap_ms > _LEAST_OVERLAP_MS:
        parts.append(Part("beside one another", -overlap_ms, KERNEL_TRACE, note="counted twice in the kernels' sum"))
    gaps_ms = None if total_ms is None else total_ms - sum(part.time_ms or 0.0 for part in parts)
    slowed = whole_ms is None and traced.source == STREAM
    note = (
        _OVERLAP
        if gaps_ms is not None and gaps_ms < 0
        else _NO_COPIES
        if not traced.records_copies
        else _SLOWED
        if slowed
        else None
    )
    parts.append(Part("gaps", gaps_ms if gaps_ms is None or gaps_ms >= 0 else None, KERNEL_TRACE, note=note))
    if whole_ms is not None and traced.traced_ms is not None:
        parts.append(Part("traced, first start to last end", traced.traced_ms, KERNEL_TRACE, traced.inferences))
    return [*parts, Part("inference", total_ms, source)]


def _sum(traced: KernelTimes, kind: str) -> float:
    own = [number for number, row in enumerate(traced.launches) if row["kind"] == kind]
    return float(np.median(traced.duration_ms[own].sum(axis=0)))


def _of_layers(run: Run, build: int, whole_ms: float | None) -> list[Part]:
    known = layer_times(run, build)
    if not known:
        return []
    total = sum(known.values())
    stretch = total / whole_ms if whole_ms else None
    note = "the layer profiler stretches layers, short ones most" + (
        "" if stretch else "; how far is not known: no inference was timed whole"
    )
    return [Part("layers", total, LAYER_PROFILER, len(known), stretch, note), Part("inference", whole_ms, TIMING)]

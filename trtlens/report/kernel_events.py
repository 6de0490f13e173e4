"""Traced kernels as events of a trace: on their streams, with their gaps, the layers that launched them above."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.engine.kernel_times import KernelTimes, read_kernel_times, traced_builds
from trtlens.engine.kernels_run import kernels_run
from trtlens.engine.traced_inference import layer_stretches, starts_ms, typical_inference
from trtlens.output import visible
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

    from trtlens.engine.kernels_run import RanKernel
    from trtlens.runs.run import Run

_PROCESS = 3
_LAYERS, _GAPS = 0, 1
_FIRST_STREAM = 2
_US_PER_MS = 1000
_NO_STARTS = "measured lengths, laid end to end: the trace has no starts"


def name_event(kind: str, process: int, thread: int, name: str) -> dict[str, Any]:
    """The name of a process or of a thread."""
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": name}}


def slice_event(
    process: int, thread: int, start: float, length: float, name: str, args: dict[str, Any]
) -> dict[str, Any]:
    """A slice from ``start``, both in microseconds; what is not known is left out of its arguments."""
    told = {
        key: visible(value) if isinstance(value, str) else value for key, value in args.items() if value is not None
    }
    return {
        "ph": "X", "pid": process, "tid": thread, "ts": round(start, 4), "dur": round(length, 4), "name": visible(name),
        "args": told,
    }  # fmt: skip


def kernel_events(run: Run, inferences: int = 1) -> list[dict[str, Any]]:
    """So many inferences of the last build that was traced, around the one of median length; nothing where none was."""
    builds = traced_builds(run)
    traced = read_kernel_times(run, builds[-1]) if builds else None
    if traced is None:
        return []
    ran = kernels_run(run, builds[-1])
    typical = typical_inference(traced)
    first = max(0, min(typical - inferences // 2, traced.inferences - inferences))
    window = range(first, min(first + inferences, traced.inferences))
    placed = "where they ran" if traced.start_ms is not None else _NO_STARTS
    count = counted(len(window), "inference", "inferences")
    return list(_process(_PROCESS, f"{count}: kernels {placed} ({traced.source})", traced, ran, window))


def _process(
    process: int, name: str, traced: KernelTimes, ran: Sequence[RanKernel], inferences: Sequence[int]
) -> Iterator[dict[str, Any]]:
    streams = sorted({row["stream"] or 0 for row in traced.launches})
    threads = {stream: _FIRST_STREAM + place for place, stream in enumerate(streams)}
    yield name_event("process_name", process, 0, name)
    yield name_event("thread_name", process, _LAYERS, "layers")
    yield name_event("thread_name", process, _GAPS, "gaps: no kernel runs")
    for stream, thread in threads.items():
        yield name_event("thread_name", process, thread, f"kernels of stream {stream}")
    lengths = traced.duration_ms[:, list(inferences)]
    starts = starts_ms(traced, inferences)
    for column, inference in enumerate(inferences):
        yield from _layers(process, traced, starts[:, column], lengths[:, column])
        yield from _gaps(process, traced, starts[:, column], inference)
        for one, start, length in zip(ran, starts[:, column], lengths[:, column], strict=True):
            args = {**_told(one), "inference": inference}
            yield slice_event(
                process, threads[one.row["stream"] or 0], _US_PER_MS * start, _US_PER_MS * length, one.kernel, args
            )


def _layers(
    process: int, traced: KernelTimes, starts: npt.NDArray[np.float64], lengths: npt.NDArray[np.float64]
) -> Iterator[dict[str, Any]]:
    """A slice for each stretch of launches of one layer."""
    for one in layer_stretches(traced, starts, lengths):
        args = {"index": one.index, "kernels": one.launches}
        length = _US_PER_MS * (one.end_ms - one.start_ms)
        yield slice_event(process, _LAYERS, _US_PER_MS * one.start_ms, length, one.layer, args)


def _gaps(
    process: int, traced: KernelTimes, starts: npt.NDArray[np.float64], inference: int
) -> Iterator[dict[str, Any]]:
    """A slice for each time within an inference in which nothing runs; none where the trace has no starts."""
    if traced.gap_ms is None:
        return
    for start, gap, row in zip(starts, traced.gap_ms[:, inference], traced.launches, strict=True):
        if gap > 0:  # nan before the first launch
            before = {"before": row["kernel"], "layer": row["layer"]}
            yield slice_event(process, _GAPS, _US_PER_MS * float(start - gap), _US_PER_MS * float(gap), "gap", before)


def _told(one: RanKernel) -> dict[str, Any]:
    decoded = one.decoded
    names = ("layer", "layer_index", "grid", "block", "blocks", "registers", "shared_bytes", "graph_node")
    told = {name: one.row[name] for name in names}
    if decoded is not None:
        told |= {"precision": decoded.precision, "unit": decoded.unit, "operations": list(decoded.operations) or None}
    return told

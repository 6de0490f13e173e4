"""An engine traced: its kernels as it launches them into a stream, and where it is timed from a CUDA graph, as that does.

The stream's launches stand within TensorRT's NVTX ranges, which say whose layer they are; the graph's do not, and are
matched with the stream's by their order when the run is read. `parsers/trtlens_parsers/kernel_trace.py` has the form of the files.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.capture.backends.backend import find_backend
from trtlens.capture.own_process import in_own_process
from trtlens.capture.timing.passes import graph_launcher
from trtlens.capture.timing.timed_run import bound, opened
from trtlens.capture.tracing.collector import RECORDED, Collector, collector_name, load_cupti
from trtlens.errors import CaptureError
from trtlens_parsers.errors import FormatError
from trtlens_parsers.kernel_trace import GRAPH, STREAM, kernel_trace_text, trace_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from trtlens.capture.recorder import Recorder
    from trtlens.capture.timing.passes import Instruments
    from trtlens.capture.timing.processes import TimedEngine
    from trtlens_parsers.kernel_trace import KernelTrace

TRACE_FILES = {STREAM: "kernels-stream.jsonl.gz", GRAPH: "kernels-graph.jsonl.gz"}
"""The file of a run that each trace is kept in."""

_WARM_UP = 20
_INFERENCES = 50
_TO_MATCH = 10
"""Inferences from a stream that only tell which layers the graph's kernels belong to: each record takes the host its time."""


@dataclass(frozen=True, slots=True)
class Traced:
    """The traces of one engine, and why there is none of the CUDA graph that it is timed from."""

    traces: tuple[KernelTrace, ...]
    note: str | None = None


def add_traces(engine: TimedEngine, recorder: Recorder) -> None:
    """Trace an engine in a process of its own, and put the traces into its run.

    Raises TrtlensError for what does not fit the engine, CaptureError where tracing is refused.
    """
    traced = in_own_process("traced the engine", _trace, engine)
    for trace in traced.traces:
        text = kernel_trace_text(trace).encode("utf-8", "replace")
        recorder.write(TRACE_FILES[trace.source], gzip.compress(text, mtime=0))
    if traced.note is not None:
        recorder.note(traced.note)


def _trace(engine: TimedEngine) -> Traced:
    cupti = load_cupti()  # before TensorRT
    return trace_engine(engine, find_backend(engine.library), cupti)


def trace_engine(engine: TimedEngine, backend: Any, cupti: Any, instruments: Instruments | None = None) -> Traced:
    """Trace an engine in this process, in which nothing may be timed afterwards."""
    with (
        opened(engine.path, backend, engine.options, instruments) as (session, tools),
        bound(session, engine.options) as (context, _, _),
        Collector(cupti) as collector,
    ):

        def launch() -> bool:
            return bool(context.execute_async_v3(session.stream))

        def finish() -> None:
            tools.cuda.synchronize(session.stream)

        graphed = engine.options.cuda_graph
        traces = [_traced(collector, STREAM, launch, finish, _TO_MATCH if graphed else _INFERENCES)]
        if not graphed:
            return Traced(tuple(traces))
        try:
            with graph_launcher(tools.cuda, session.stream, launch) as launch_graph:
                traces.append(_traced(collector, GRAPH, launch_graph, finish, _INFERENCES))
        except CaptureError as error:
            return Traced(tuple(traces), f"kernels were traced from a stream alone: {error.message}")
    return Traced(tuple(traces))


def _traced(
    collector: Collector, source: str, launch: Callable[[], bool], finish: Callable[[], None], inferences: int
) -> KernelTrace:
    """Inferences back to back, as they are timed, after some that do not count."""
    _repeat(launch, _WARM_UP)
    finish()
    collector.begin()
    _repeat(launch, inferences)
    finish()
    try:
        trace = trace_of(collector_name(), RECORDED, collector.executions())
    except FormatError as error:
        raise CaptureError(f"the trace of a {source} is of no use ({error}): trace again") from error
    if trace.source != source:
        raise CaptureError(f"CUPTI recorded no kernel of a {source}: trace again")
    return trace


def _repeat(launch: Callable[[], bool], times: int) -> None:
    for _ in range(times):
        if not launch():
            raise CaptureError("TensorRT refused to enqueue an inference while it was traced")

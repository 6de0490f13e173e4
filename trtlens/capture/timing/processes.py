"""An engine timed in several processes one after another, each of which loads it from the file as a deployment would.

The process that built an engine is no place to time it, nor is one that has traced; and one process is one throw of the dice:
docs/timing.md tells what differs between them. A process that fails is told in a note, and what the others found is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trtlens.capture.backends.backend import find_backend
from trtlens.capture.own_process import in_own_process
from trtlens.capture.timing.launch_queue import join_samples
from trtlens.capture.timing.timed_run import measure_engine, measure_layers
from trtlens.capture.timing.timing_result import (
    LayerPass,
    TimingResult,
    process_notes,
    sample_figures,
    waits_for_host,
    with_layers,
    write_result,
)
from trtlens.errors import CaptureError
from trtlens.statistics import summarize

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trtlens.capture.progress import Progress
    from trtlens.capture.timing.engine_session import TimingOptions

_OWN = 2
"""Processes of ours on the GPU: the one that times, and the one that built the engine and waits."""


@dataclass(frozen=True, slots=True)
class TimedEngine:
    """An engine file to be timed with a library, `tensorrt` or `tensorrt_rtx`."""

    path: Path
    library: str
    options: TimingOptions


def time_in_processes(engine: TimedEngine, out: Path, *, processes: int, progress: Progress) -> TimingResult:
    """Time an engine in that many processes and its layers in one more, and write the raw files into the folder `out`.

    Raises TrtlensError for what does not fit the engine, CaptureError where no process could time it.
    """
    steps = processes + 1
    timed: list[TimingResult] = []
    failures: list[str] = []
    for number in range(1, processes + 1):
        progress("Timing", number, steps, f"process {number} of {processes}")
        try:
            timed.append(in_own_process("timed the engine", measure_alone, _alone(engine, latency=not timed)))
        except CaptureError as error:
            if number == processes and not timed:
                raise
            failures.append(f"process {number} of {processes} did not time the engine: {error.message}")
    result = _joined(timed, failures)
    if waits_for_host(result):
        result = _with_graph(engine, result, len(timed), progress)
    progress("Timing layers", steps, steps, "")
    result = with_layers(result, _layers(engine))
    write_result(result, out)
    return result


def _with_graph(engine: TimedEngine, result: TimingResult, processes: int, progress: Progress) -> TimingResult:
    """The result with times of inferences from a CUDA graph, or with why there are none: what waiting costs is their difference."""
    graphed = replace(engine, options=replace(engine.options, cuda_graph=True))
    timed: list[TimingResult] = []
    try:
        for number in range(1, processes + 1):
            progress("Timing a CUDA graph", number, processes, f"process {number} of {processes}")
            timed.append(in_own_process("timed the CUDA graph", measure_alone, _alone(graphed, latency=False)))
    except CaptureError as error:
        return replace(result, notes=(*result.notes, f"not timed from a CUDA graph as well: {error.message}"))
    if not all(one.header["cuda_graph"] for one in timed):
        return result  # it cannot be captured, and each process has timed it as before
    samples = join_samples([one.samples for one in timed])
    return replace(result, graph_samples=samples, graph=summarize(samples.gpu_ms, samples.process))


def _alone(engine: TimedEngine, *, latency: bool) -> TimedEngine:
    """Whole inferences alone; single ones, waited for, in the first process that times."""
    options = replace(engine.options, layer_iterations=0)
    return replace(engine, options=options if latency else replace(options, latency_iterations=0))


def measure_alone(engine: TimedEngine) -> TimingResult:
    """Time an engine in this process, which another one of ours started and waits for."""
    return measure_engine(engine.path, find_backend(engine.library), engine.options, own_processes=_OWN)


def _layers(engine: TimedEngine) -> LayerPass:
    """The layers' times, or why there are none: the whole is known by now, and stays."""
    if not engine.options.layer_iterations:
        return LayerPass(None, "")
    try:
        return in_own_process("timed the layers", _measure_layers, engine)
    except CaptureError as error:
        return LayerPass(None, "", (f"layers were not timed: {error.message}",))


def _measure_layers(engine: TimedEngine) -> LayerPass:
    return measure_layers(engine.path, find_backend(engine.library), engine.options)


def _joined(timed: Sequence[TimingResult], failures: Sequence[str]) -> TimingResult:
    """One result of all processes: conditions, latency and readings are the first one's."""
    samples = join_samples([one.samples for one in timed])
    return replace(
        timed[0],
        **sample_figures(samples),
        header={**timed[0].header, "processes": len(timed)},
        notes=(*failures, *_notes(timed), *process_notes(samples)),
    )


def _notes(timed: Sequence[TimingResult]) -> list[str]:
    """What all processes say alike once, and what one says with its number."""
    alike = [note for note in timed[0].notes if all(note in one.notes for one in timed)]
    own = (
        f"process {number}: {note}" for number, one in enumerate(timed, 1) for note in one.notes if note not in alike
    )
    return [*alike, *own]

"""Times an engine: GPU time, host time, layers, clocks, and every sample written down.

Copies of inputs and outputs are outside of all times, as in trtexec 11; trtexec 10 and earlier copies between
inferences unless told `--noDataTransfers`. passes.py says what is run, timing_result.py what is written.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trtlens.capture.backends.cuda import load_cuda
from trtlens.capture.backends.gpu import open_monitor
from trtlens.capture.models.inputs import load_arrays, make_inputs
from trtlens.capture.models.io_tensors import choose_shapes, shape_text
from trtlens.capture.timing.bindings import Bindings
from trtlens.capture.timing.engine_session import open_engine, read_plan
from trtlens.capture.timing.passes import AFTER_TIMING, BEFORE_TIMING, Instruments, PassRunner
from trtlens.capture.timing.timing_result import (
    LayerPass,
    TimingResult,
    clock_notes,
    sample_figures,
    sample_notes,
    sharing_notes,
    with_layers,
    write_result,
)
from trtlens.errors import TrtlensError
from trtlens.statistics import summarize

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.models.io_tensors import ChosenShapes
    from trtlens.capture.timing.engine_session import EngineSession, TimingOptions
    from trtlens.capture.timing.passes import Passes


def time_engine(
    engine_path: Path,
    backend: Backend,
    options: TimingOptions,
    out: Path,
    *,
    instruments: Instruments | None = None,
) -> TimingResult:
    """Time an engine file and write the raw files into the folder `out`.

    Raises TrtlensError for what does not fit the engine (shapes, inputs, an unreadable file), CaptureError where
    TensorRT or CUDA fails. `instruments` None uses the real ones.
    """
    _make_folder(out)
    result = measure_engine(engine_path, backend, options, instruments=instruments)
    write_result(result, out)
    return result


def measure_engine(
    engine_path: Path,
    backend: Backend,
    options: TimingOptions,
    *,
    instruments: Instruments | None = None,
    own_processes: int = 1,
) -> TimingResult:
    """Time an engine file and write nothing; raises as `time_engine` does. `own_processes` on the GPU are no strangers."""
    with (
        opened(engine_path, backend, options, instruments) as (session, tools),
        bound(session, options) as (context, bindings, chosen),
    ):
        passes = PassRunner(session.backend.trt, context, session.stream, options, tools).run()
        header = _header(session, options, chosen, passes)
        result = _gather(session, passes, tools, header=header, output_shapes=bindings.output_shapes)
        return replace(result, notes=(*result.notes, *sharing_notes(result.limits, own=own_processes)))


def measure_layers(
    engine_path: Path, backend: Backend, options: TimingOptions, *, instruments: Instruments | None = None
) -> LayerPass:
    """Time the layers of an engine file alone, and write nothing; raises as `time_engine` does."""
    with (
        opened(engine_path, backend, options, instruments) as (session, tools),
        bound(session, options) as (context, _, _),
    ):
        layers, notes = PassRunner(session.backend.trt, context, session.stream, options, tools).run_layers()
        return LayerPass(layers, session.engine.profiling_verbosity.name, notes)


@contextmanager
def bound(session: EngineSession, options: TimingOptions) -> Iterator[tuple[Any, Bindings, ChosenShapes]]:
    """A context of an open engine with everything bound in one set of shapes."""
    loaded = load_arrays(options.inputs.file)
    from_file = {tensor.name: loaded[tensor.name].shape for tensor in session.tensors if tensor.takes_shape_of(loaded)}
    chosen = choose_shapes(session.tensors, {**from_file, **options.shapes}, options.profile)
    values = make_inputs(session.tensors, chosen, options.inputs, loaded)
    context = session.create_context()
    with Bindings(session.backend.trt, session.engine, context, session.cuda) as bindings:
        bindings.bind(session.tensors, chosen, values, session.stream)
        yield context, bindings, chosen


@contextmanager
def opened(
    path: Path,
    backend: Backend,
    options: TimingOptions,
    instruments: Instruments | None,
) -> Iterator[tuple[EngineSession, Instruments]]:
    """The engine, and the given instruments or real ones that are let go at the end."""
    plan = read_plan(path, backend)  # before CUDA is asked for, whose errors say less
    tools = instruments or _real_instruments(options.device)
    try:
        with open_engine(path, plan, backend, tools.cuda, options) as session:
            yield session, tools
    finally:
        if instruments is None:
            tools.monitor.close()


def _real_instruments(device: int) -> Instruments:
    cuda = load_cuda()
    return Instruments(cuda, open_monitor(cuda.pci_bus_id(device)))


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrtlensError(f"folder {out} cannot be made ({error.strerror}): choose another place") from error


def _header(session: EngineSession, options: TimingOptions, chosen: ChosenShapes, passes: Passes) -> dict[str, Any]:
    """The conditions of a timing, as JSON values; `warmup_count` is how many inferences did not count."""
    return {
        "engine": session.path.name,
        "library": session.backend.name,
        "tensorrt_version": session.backend.version_text,
        "shapes": {name: shape_text(shape) for name, shape in chosen.inputs.items()},
        "shape_values": {name: list(values) for name, values in chosen.values.items()},
        "profile": chosen.profile,
        "inputs": "random" if options.inputs.file is None else options.inputs.file.name,
        "seed": options.inputs.seed,
        "warmup_ms": options.warmup_ms,
        "warmup_count": passes.warmup_count,
        "duration_ms": options.duration_ms,
        "queue_depth": options.queue_depth,
        "cuda_graph": passes.cuda_graph,
        "data_transfers": False,
    }


def _gather(
    session: EngineSession,
    passes: Passes,
    tools: Instruments,
    *,
    header: dict[str, Any],
    output_shapes: dict[str, tuple[int, ...] | None],
) -> TimingResult:
    """The figures of all passes, and what makes them doubtful."""
    timing, latency = passes.timing, passes.latency
    figures = sample_figures(timing)
    limits, reason = tools.monitor.limits(), tools.monitor.reason
    notes = [*session.notes, *passes.notes]
    notes += sample_notes(timing, figures["gpu"], figures["enqueue"], cuda_graph=passes.cuda_graph)
    notes += clock_notes(passes.reading(BEFORE_TIMING), passes.reading(AFTER_TIMING))
    if reason is not None:
        notes.append(f"clocks and throttling are unknown: {reason}")
    result = TimingResult(
        header=header,
        output_shapes=output_shapes,
        **figures,
        latency_samples=latency,
        latency=None if latency is None else summarize(latency.host_ms),
        readings=passes.readings,
        limits=limits,
        monitor_reason=reason,
        notes=tuple(notes),
    )
    return with_layers(result, LayerPass(passes.layers, session.engine.profiling_verbosity.name))

"""Commands that run TensorRT or look at the machine: ``profile``, ``doctor``."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtlens.commands.flags import (
    BUILD_FLAGS,
    EXPORT_FLAGS,
    TIMING_FLAGS,
    build_values,
    parse_size,
    recipe_of,
    with_flags,
)
from trtlens.commands.parse import print_run
from trtlens.commands.progress import shown_progress
from trtlens.commands.read import FormatOption, print_answers
from trtlens.commands.repeats import keep_outputs, with_own_cache
from trtlens.commands.trtexec_files import asked_files, write_files
from trtlens.commands.trtexec_line import TrtexecCommand
from trtlens.errors import CaptureError, TrtlensError
from trtlens.output import Format, layout, print_table, visible, wrapped, write_table
from trtlens.quantities import duration, number
from trtlens.runs.folders import check_folder
from trtlens.runs.run_info import is_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from trtlens.capture.building.engine_build import BuiltRun
    from trtlens.capture.models.sweep import PlannedEngine
    from trtlens.capture.recorder import Recorder
    from trtlens.capture.timing.engine_session import TimingOptions
    from trtlens.capture.timing.processes import TimedEngine
    from trtlens.capture.timing.timing_result import TimingResult

_INTERRUPTED = 130
_ADVICE_INDENT = 4
_PROCESSES = 5
"""Processes that time an engine where nobody says how many: the fewest whose spread makes an interval of use."""
_CAN = {"ok": "This installation can", "missing": "It cannot"}


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(cls=TrtexecCommand)(with_flags(profile, *BUILD_FLAGS, *TIMING_FLAGS, *EXPORT_FLAGS))
    app.command()(doctor)


def profile(
    model: Annotated[
        Path, typer.Argument(help="An ONNX model, a serialized engine, or a run whose engine to time again.")
    ],
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="Folder of the run.")] = None,  # noqa: UP045
    shapes: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--shapes", help="Shapes to build for and run at: input:8x3x224x224,...; several times for several engines."
        ),
    ] = None,
    batches: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--batches", help="Batch sizes, one engine each: 1,2,4,8,16; --shapes gives the other extents."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a run that the folder already holds.")] = False,
    no_timing: Annotated[bool, typer.Option("--skipInference", "--skip-inference", help="Build only.")] = False,
    processes: Annotated[
        int,
        typer.Option(
            "--processes", min=1, max=20, help="Time in this many processes one after another, each for --duration."
        ),
    ] = _PROCESSES,
    no_trace: Annotated[bool, typer.Option("--no-trace", help="Do not trace kernels.")] = False,
    repeat: Annotated[
        int,
        typer.Option(
            "--repeat",
            min=1,
            max=20,
            help="Build so many times, each with a fresh timing cache that is kept, and say what changes.",
        ),
    ] = 1,
    **flags: Any,
) -> None:
    """Build an engine, time it, trace its kernels, and keep the run.

    It also takes a line of trtexec as it is.
    """
    from trtlens.capture.models.sweep import plan_engines  # noqa: PLC0415
    from trtlens.runs.run import open_run  # noqa: PLC0415

    timing, engines = timing_options(flags), plan_engines(model, shapes or [], batches)
    files = asked_files(flags)
    _check_combination(model, files, len(engines), repeat)
    folders = _folders(engines, out if out is not None else free_folder(model), repeat)
    for _, folder in folders:
        check_folder(folder, force=force)
    for engine, folder in folders:
        given = {**build_values(flags), **({"shapes": engine.shapes} if engine.shapes else {})}
        built = build_engine(model, folder, with_own_cache(given, folder) if repeat > 1 else given, force=force)
        result = None if no_timing else _measure(built, timing, processes, traced=not no_trace)
        if repeat > 1:
            keep_outputs(built, timing)
        built.recorder.finish("done")
        _print_answer(built, result)
        for note in write_files(files, open_run(folder), built.engine_path, built.layers_path) if files else ():
            sys.stderr.write(f"{visible(note)}\n")
    _sum_up(folders, repeat)


def _check_combination(model: Path, files: Mapping[str, Any], engines: int, repeat: int) -> None:
    """Refuse what cannot be asked for at once."""
    from trtlens.capture.models.model import is_engine  # noqa: PLC0415

    if files and engines > 1:
        raise TrtlensError(f"--{next(iter(files))} takes one engine, and {engines} were asked for: profile one")
    if repeat > 1 and (files or engines > 1 or is_run(model) or is_engine(model)):
        raise TrtlensError(
            "--repeat builds one ONNX model several times: give one, with one set of shapes and no files to export"
        )


def _folders(engines: Sequence[PlannedEngine], out: Path, repeat: int) -> list[tuple[PlannedEngine, Path]]:
    """What is built, and where it is kept."""
    if repeat > 1:
        return [(engines[0], out / str(number)) for number in range(1, repeat + 1)]
    return [(engine, out / engine.label if engine.label else out) for engine in engines]


def _sum_up(folders: list[tuple[PlannedEngine, Path]], repeat: int) -> None:
    """What several builds say together."""
    if repeat > 1:
        from trtlens.commands.repeats_display import show_repeats  # noqa: PLC0415  its table needs pyarrow

        sys.stdout.write("\n")
        show_repeats([str(folder) for _, folder in folders], ())
    elif len(folders) > 1:
        from trtlens.commands.sweep import print_sweep  # noqa: PLC0415  its table needs pyarrow

        print_sweep(folders)


def build_engine(model: Path, out: Path, given: dict[str, Any], *, force: bool) -> BuiltRun:
    """Build a model, or load an engine, into the folder of a run; ``given`` are its options as `parse_options` takes them."""
    from trtlens.capture.backends.backend import find_backend  # noqa: PLC0415
    from trtlens.capture.build_options import parse_options  # noqa: PLC0415
    from trtlens.capture.building.engine_build import build_run  # noqa: PLC0415

    options = parse_options(given)
    backend = find_backend()
    source = model / "engine.plan" if is_run(model) else model
    with telling(out), shown_progress(out / "verbose.log") as progress:
        return build_run(source, out, options, progress=progress, backend=backend, force=force)


@contextmanager
def telling(out: Path) -> Iterator[None]:
    """Say what is left of a run that was stopped or failed in this block."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(f"stopped; the partial run is in {out}\n")
        raise typer.Exit(_INTERRUPTED) from None
    except CaptureError as error:
        _print_failure(out)
        raise error from None


def timing_options(flags: dict[str, Any]) -> TimingOptions:
    """How to run an engine, by those of `TIMING_FLAGS` that a command has."""
    from trtlens.capture.timing.engine_session import TimingOptions  # noqa: PLC0415

    budget = flags.get("weight_streaming_budget")
    lengths = {"warm_up": "warmup_ms", "iterations": "iterations"}
    given = {name: flags[flag] for flag, name in lengths.items() if flag in flags}
    if "duration" in flags:
        given["duration_ms"] = flags["duration"] * 1000
    return TimingOptions(
        inputs=recipe_of(flags),
        cuda_graph=flags["use_cuda_graph"],
        device=flags["device"],
        dla_core=flags.get("use_dlacore"),
        profile=flags.get("use_profile"),
        weight_streaming_budget_bytes=None if budget is None else parse_size(budget, "weightStreamingBudget"),
        plugins=tuple(map(Path, flags["plugins"] or ())),
        **given,
    )


def _measure(built: BuiltRun, options: TimingOptions, processes: int, *, traced: bool) -> TimingResult | None:
    """Time the engine and trace its kernels where it can run; the reason is noted in the run where it cannot."""
    from trtlens.capture.timing.processes import TimedEngine, time_in_processes  # noqa: PLC0415

    if not built.backend.can_run:
        built.recorder.note("not timed: there is no GPU here that runs this engine")
        return None
    engine = TimedEngine(built.engine_path, built.backend.name, replace(options, shapes=built.shapes))
    began = time.monotonic()
    with telling(built.folder), shown_progress() as progress:
        result = time_in_processes(engine, built.folder, processes=processes, progress=progress)
        built.recorder.add_time("timing_s", time.monotonic() - began)
        built.recorder.add_timing(result.summary())
        for note in result.notes:
            built.recorder.note(note)
        if traced:
            progress("Tracing kernels", None, None, "")
            _trace(engine, built.recorder)
    return result


def _trace(engine: TimedEngine, recorder: Recorder) -> None:
    """Trace the kernels; the reason is noted in the run where that is refused."""
    from trtlens.capture.tracing.traced_run import add_traces  # noqa: PLC0415

    began = time.monotonic()
    try:
        add_traces(engine, recorder)
        recorder.add_time("trace_s", time.monotonic() - began)
    except CaptureError as error:
        recorder.note(f"kernels were not traced: {error.message}")


def _print_answer(built: BuiltRun, result: TimingResult | None) -> None:
    from trtlens.runs.run import open_run  # noqa: PLC0415
    from trtlens.views import VIEWS  # noqa: PLC0415

    run = open_run(built.folder)
    print_run(run)
    if result is not None:
        sys.stdout.write(f"\n{_latency(result)}\n")
    slowest = run.view("slowest")
    if slowest.num_rows:
        print_table(slowest, VIEWS["slowest"].layout, title="slowest layers")
    sys.stdout.write(f"run: {built.folder}   (trtlens show layers {built.folder})\n")


def _latency(result: TimingResult) -> str:
    gpu = result.gpu
    text = f"GPU time {duration(gpu.median_ms)} median ({gpu.interval}), p99 {duration(gpu.p99_ms)}"
    text += f", {number(result.throughput_per_s)} inferences/s, {gpu.count:,} samples"
    if result.latency is not None:
        text += f"; one at a time {duration(result.latency.median_ms)}"
    if result.graph is not None:
        text += f"\nthe GPU waited for the host; from a CUDA graph {duration(result.graph.median_ms)} ({result.graph.interval})"
    if result.layer_sum is not None and result.layer_sum_ratio is not None:
        layers = duration(result.layer_sum.median_ms)
        text += f"\nlayers add up to {layers}, {result.layer_sum_ratio:.2f} times the GPU time"
    return text


def _print_failure(out: Path) -> None:
    """Why a build failed, with the lines of its log that say so."""
    from trtlens.engine.build_ending import FAILED, read_ending  # noqa: PLC0415
    from trtlens.runs.run import open_run  # noqa: PLC0415

    if not is_run(out):
        return
    try:
        run = open_run(out)
        ending = read_ending(run, run["builds"]["build"].to_pylist()[-1])
    except TrtlensError:
        return  # the log holds nothing yet
    if ending is not None and ending.state == FAILED:
        lines = (
            f" (log line{'s' if len(ending.lines) > 1 else ''} {', '.join(map(str, ending.lines))})"
            if ending.lines
            else ""
        )
        sys.stderr.write(f"{visible(ending.text)}{lines}\n")
        sys.stderr.write(f"next: {visible(ending.next_check)}\n" if ending.next_check else "")
    sys.stderr.write(f"the log so far is in {out}: trtlens show messages {out}\n")


def free_folder(model: Path) -> Path:
    """``MODEL.trtlens`` in the working folder, with a number where that is taken."""
    stem = f"{model.name.removesuffix('.onnx').removesuffix('.plan')}.trtlens"
    names = (Path(stem if number == 1 else f"{stem}-{number}") for number in range(1, 10_000))
    return next(name for name in names if not name.exists())


def doctor(
    files: Annotated[
        list[Path] | None, typer.Argument(help="TensorRT libraries or headers to look at besides.")
    ] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Say what this installation can do, and what to install."""
    from trtlens.capture.backends.doctor import examine  # noqa: PLC0415
    from trtlens.commands.printed_rows import DOCTOR  # noqa: PLC0415

    findings = examine(*(files or []))
    rows = DOCTOR.table({column.name: [getattr(one, column.name) for one in findings] for column in DOCTOR.columns})
    if form is not Format.TABLE:
        write_table(rows, form)
        return
    can = {state: [one.item for one in findings if one.section == "abilities" and one.state == state] for state in _CAN}
    print_answers(f"{told}: {'; '.join(can[state])}" for state, told in _CAN.items() if can[state])
    print_table(rows, layout("item value state section", prose="value"))
    for finding in findings:
        if finding.advice is not None:
            lines = wrapped(f"{finding.item}: {finding.advice}", _ADVICE_INDENT)
            sys.stdout.write("\n".join((lines[0], *(" " * _ADVICE_INDENT + line for line in lines[1:]))) + "\n")

"""The command ``trace``: the kernels of an engine that was built, and perhaps timed, before."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from trtlens.commands.capture import build_engine, free_folder, timing_options
from trtlens.commands.flags import BUILD_FLAGS, TIMING_FLAGS, with_flags
from trtlens.errors import CaptureError, TrtlensError
from trtlens.output import Format, write_table
from trtlens.runs.folders import check_folder
from trtlens.runs.run_info import is_run, read_info
from trtlens_parsers.json_text import is_shape

if TYPE_CHECKING:
    from trtlens.capture.recorder import Recorder
    from trtlens.capture.timing.processes import TimedEngine

_FLAGS = tuple(
    flag
    for flag in (*TIMING_FLAGS, *BUILD_FLAGS)
    if flag.name in {"useCudaGraph", "seed", "load-inputs", "input", "device", "plugins"}
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(with_flags(trace, *_FLAGS))


def trace(
    engine: Annotated[Path, typer.Argument(help="A run that holds its engine, or a serialized engine.")],
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", "-o", help="Folder of the run that is made of a serialized engine."),
    ] = None,
    shapes: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--shapes", help="Shapes to run a serialized engine at: input:8x3x224x224,..."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace traces, or the run that the folder holds.")] = False,
    **flags: Any,
) -> None:
    """Trace an engine that is there: which kernels ran, how long.

    The traces of a run are put into it; of a serialized engine a new run is made. A run that was timed from a CUDA graph is traced
    from one as well.
    """
    from trtlens.capture.tracing.traced_run import add_traces  # noqa: PLC0415
    from trtlens.runs.run import open_run  # noqa: PLC0415

    subject, recorder = (
        _of_run(engine, out, shapes, flags, force=force)
        if is_run(engine)
        else _of_file(engine, out or free_folder(engine), shapes, flags, force=force)
    )
    add_traces(subject, recorder)
    recorder.finish("done")
    run = open_run(recorder.folder)
    write_table(run.view("inference"), Format.TABLE, title="time of an inference")
    sys.stdout.write(f"run: {recorder.folder}   (trtlens show kernels_run {recorder.folder})\n")


def _of_run(
    folder: Path, out: Path | None, shapes: str | None, flags: dict[str, Any], *, force: bool
) -> tuple[TimedEngine, Recorder]:
    """The engine of a run, as it was timed, and the run to put the traces into."""
    from trtlens.capture.backends.gpu import gpu_present  # noqa: PLC0415
    from trtlens.capture.recorder import ENGINE, reopen_recorder  # noqa: PLC0415
    from trtlens.capture.timing.processes import TimedEngine  # noqa: PLC0415
    from trtlens.capture.tracing.traced_run import TRACE_FILES  # noqa: PLC0415

    if out is not None or shapes is not None:
        raise TrtlensError(f"{folder} is a run, which is traced as it was timed: leave --out and --shapes away")
    held = [name for name in TRACE_FILES.values() if (folder / name).exists()]
    if held and not force:
        raise TrtlensError(f"{folder} holds a trace already ({', '.join(held)}): --force replaces it")
    info = read_info(folder)
    if not gpu_present():
        raise CaptureError(
            f"{folder} cannot be traced: no GPU is visible to the CUDA driver; `trtlens doctor` says more"
        )
    if info.library is None or not (folder / ENGINE).is_file():
        raise TrtlensError(f"{folder} holds no engine that can run: profile the model again")
    recorder, options = reopen_recorder(folder), timing_options(flags)
    timed = info.timings[-1:]
    options = replace(
        options,
        shapes=_shapes(recorder.document.get("shapes"), folder),
        cuda_graph=options.cuda_graph or any(one.cuda_graph for one in timed),
    )
    return TimedEngine(folder / ENGINE, info.library, options), recorder


def _shapes(stated: Any, folder: Path) -> dict[str, tuple[int, ...]]:
    """The shapes that a run was built for, by input; of an engine without dynamic inputs none."""
    if stated is None:
        return {}
    if not isinstance(stated, dict) or not all(isinstance(one, list) and is_shape(one) for one in stated.values()):
        raise TrtlensError(f"{folder / 'run.json'}: shapes is no object of shapes: profile the model again")
    return {name: tuple(shape) for name, shape in stated.items()}


def _of_file(
    engine: Path, folder: Path, shapes: str | None, flags: dict[str, Any], *, force: bool
) -> tuple[TimedEngine, Recorder]:
    """A new run of a serialized engine."""
    from trtlens.capture.models.model import check_model, is_engine  # noqa: PLC0415
    from trtlens.capture.timing.processes import TimedEngine  # noqa: PLC0415

    check_model(engine)
    if not is_engine(engine):
        raise TrtlensError(f"{engine} is no serialized engine: trtlens profile builds a model, and traces its kernels")
    check_folder(folder, force=force)
    options = timing_options(flags)
    built = build_engine(engine, folder, {"shapes": shapes} if shapes else {}, force=force)
    if not built.backend.can_run:
        built.recorder.finish("done")
        raise TrtlensError("there is no GPU here that runs this engine: trace it where there is one")
    return TimedEngine(built.engine_path, built.backend.name, replace(options, shapes=built.shapes)), built.recorder

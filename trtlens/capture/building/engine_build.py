"""`build_run`: from a model to a run folder with its engine, its verbose log and its layers.

TensorRT works in a thread of its own, so that the waiting one can flush the log and receive Ctrl-C. From 9.1 on a
build is stopped through its progress monitor; 8.6 has no way to stop one, so there the thread is abandoned, its
messages and its engine are dropped, and the process leaves without TensorRT's destructors should it still be at work
then.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import warnings
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from trtlens._version import VERSION
from trtlens.capture.backends.backend import find_backend
from trtlens.capture.backends.gpu import identify_gpu
from trtlens.capture.build_options import BuildOptions
from trtlens.capture.building.compilation import CancelledBuild, Compilation
from trtlens.capture.building.inspection import load_engine, require_gpu
from trtlens.capture.building.layer_precision import check_strong_typing
from trtlens.capture.building.logger import LogFile, capturing, process_logger
from trtlens.capture.building.settings import check_supported
from trtlens.capture.models.calibration import CalibrationCache
from trtlens.capture.models.model import check_model, is_engine
from trtlens.capture.progress import Cancellation, LogPhases, guarded, silent
from trtlens.capture.recorder import ENGINE, LAYERS_JSON, VERBOSE_LOG, create_recorder, host_facts
from trtlens.errors import CaptureError, TrtlensError, reason
from trtlens.runs.folders import regular_mode
from trtlens_parsers.program_run import WRITTEN_BY_TRTLENS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.build_options import Shape
    from trtlens.capture.progress import Progress
    from trtlens.capture.recorder import Recorder

__all__ = ["BuiltRun", "build_run", "load_engine"]

_FLUSH_SECONDS = 0.2
_GRACE_SECONDS = 30.0
_GRACE_WITHOUT_MONITOR_SECONDS = 0.5
_INTERRUPTED_EXIT_CODE = 130
_ONE_AT_A_TIME = threading.Lock()
_ABANDONED: list[threading.Thread] = []


@dataclass(frozen=True, slots=True)
class BuiltRun:
    """A run that holds an engine: what the timing of it starts from.

    `shapes` are those to run at, by name of each dynamic input (values for a shape tensor); `layers_path` is None where
    the engine cannot be loaded here. The recorder is still open for notes, timings and the final status.
    """

    folder: Path
    backend: Backend
    options: BuildOptions
    engine_path: Path
    layers_path: Path | None
    shapes: Mapping[str, Shape]
    recorder: Recorder

    @property
    def notes(self) -> tuple[str, ...]:
        """What everyone who reads the run must know, so far."""
        return tuple(self.recorder.document["notes"])


def build_run(
    model: Path,
    out: Path,
    options: BuildOptions | None = None,
    *,
    progress: Progress = silent,
    backend: Backend | None = None,
    command: Sequence[str] | None = None,
    force: bool = False,
) -> BuiltRun:
    """Build an ONNX model, or take a serialized engine, and write the run into the folder `out`.

    `command` is what the user typed, for the record (None takes `sys.argv`). Raises TrtlensError for what cannot be
    asked for, before or after the folder appears, CaptureError where TensorRT fails and KeyboardInterrupt after Ctrl-C;
    the run then says `failed` or `interrupted` and keeps its log; nothing is left where TensorRT was not asked. A second build in the process waits for the first.
    """
    options = BuildOptions() if options is None else options
    backend = find_backend() if backend is None else backend
    check_model(model)
    if is_engine(model):
        require_gpu(backend, f"loading {model.name}")
    else:
        check_supported(backend, options)
        check_strong_typing(backend, options)
    _check_caches(options)
    with _ONE_AT_A_TIME:
        if any(thread.is_alive() for thread in _ABANDONED):
            raise CaptureError(
                "an interrupted build is still at work in this process: wait for it, or start another one"
            )
        recorder = create_recorder(out, _facts(model, options, backend, command), force=force)
        log = LogFile(recorder.path(VERBOSE_LOG))
        try:
            return _capture(model, options, backend, progress, recorder=recorder, log=log)
        finally:
            log.close()


def _check_caches(options: BuildOptions) -> None:
    """Ask before the build whether the files that it will write are free for it; raises TrtlensError where they are not."""
    try:
        if options.calib is not None:
            CalibrationCache(options.calib).check(written=options.calibration_data is not None)
        if options.timing_cache_file is not None:
            regular_mode(options.timing_cache_file)
    except OSError as error:
        raise TrtlensError(f"{error.filename} cannot be used ({reason(error)}): give the cache another name") from error


def _facts(model: Path, options: BuildOptions, backend: Backend, command: Sequence[str] | None) -> dict[str, Any]:
    gpu = identify_gpu() if backend.can_run else None
    return {
        "library": backend.name,
        "tensorrt_version": backend.version_text,
        "gpu": None if gpu is None else asdict(gpu),
        "driver": None if gpu is None else gpu.driver,
        **host_facts(command),
        "flags": options.given(),
        "model": {"path": str(model.absolute()), "bytes": model.stat().st_size, "sha256": None, "external": None},
        "precision_flags": [],
        "int8_ranges": None,
    }


def _capture(
    model: Path, options: BuildOptions, backend: Backend, progress: Progress, *, recorder: Recorder, log: LogFile
) -> BuiltRun:
    cancellation = Cancellation()
    told = guarded(progress, cancellation)
    logger = process_logger(backend.trt)
    log.write_own(f"{WRITTEN_BY_TRTLENS}{VERSION}")
    if not backend.is_rtx:
        log.write_own(f"TensorRT version: {backend.version_text}")
    work = Compilation(backend, logger, model, options, recorder, told, cancellation)
    has_monitor = backend.has("IProgressMonitor")
    listener = None if has_monitor else LogPhases(told)
    patience = _GRACE_SECONDS if has_monitor else _GRACE_WITHOUT_MONITOR_SECONDS
    try:
        with capturing(logger, log, listener), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # releases before 11.0 warn of what they still need
            _run_in_thread(work, log, patience)
    except (KeyboardInterrupt, CancelledBuild):
        _finish_interrupted(recorder, cancellation)
    except TrtlensError as error:
        wrong_usage = not isinstance(error, CaptureError) and not work.building
        if wrong_usage or not log.messages:  # the message says it all, and the folder would hold nothing more
            recorder.discard()
        else:
            recorder.finish("failed", errors=[error.message, *logger.errors])
        raise
    except BaseException as error:
        recorder.finish("failed", errors=[f"{type(error).__name__}: {error}", *logger.errors])
        raise
    recorder.finish("built", shapes={name: list(shape) for name, shape in work.plan.run_shapes.items()})
    layers = recorder.path(LAYERS_JSON)
    return BuiltRun(
        folder=recorder.folder,
        backend=backend,
        options=options,
        engine_path=recorder.path(ENGINE),
        layers_path=layers if layers.is_file() else None,
        shapes=dict(work.plan.run_shapes),
        recorder=recorder,
    )


def _finish_interrupted(recorder: Recorder, cancellation: Cancellation) -> None:
    """Record the interruption and raise what caused it: an exception of the progress callback, or Ctrl-C."""
    failure = cancellation.failure
    if failure is None or isinstance(failure, KeyboardInterrupt):
        recorder.finish("interrupted")
        raise KeyboardInterrupt
    recorder.finish("failed", errors=[f"{type(failure).__name__}: {failure}"])
    raise failure


def _run_in_thread(work: Compilation, log: LogFile, grace_seconds: float) -> None:
    """Do the work in another thread and flush the log meanwhile; raises what the work raised.

    Ctrl-C and a cancellation are given that long to take effect; a second Ctrl-C ends the wait.
    """
    done = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work.run()
        except BaseException as error:  # noqa: BLE001  it is raised in the thread that waits
            failures.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=run, name="trtlens-build", daemon=True)
    thread.start()
    try:
        while not (done.wait(_FLUSH_SECONDS) or work.cancellation.cancelled):
            log.flush()
            if log.failure is not None:
                reason = f"{log.path} cannot be written ({log.failure.strerror}): free the place or choose another"
                work.cancellation.cancel(TrtlensError(reason))
    except KeyboardInterrupt:
        work.cancellation.cancel()
        work.progress("Stopping", None, None, "")
    if work.cancellation.cancelled and not _stops(done, grace_seconds):
        _ABANDONED.append(thread)
        atexit.register(_exit_without_destructors, thread)
    if failures:
        raise failures[0]
    if work.cancellation.cancelled:  # also where the build was done before it noticed
        raise KeyboardInterrupt


def _stops(done: threading.Event, grace_seconds: float) -> bool:
    with suppress(KeyboardInterrupt):
        return done.wait(grace_seconds)
    return False


def _exit_without_destructors(thread: threading.Thread) -> None:
    """Exit under a builder that cannot be stopped: its library's destructors would run while it works."""
    if thread.is_alive():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_INTERRUPTED_EXIT_CODE)

"""A plan proved by builds: built as planned, timed in processes of its own, its error measured, and planned again from what the build told.

A build that is slower than predicted tells the times of its layers, one whose error is beyond the bound how far the emulation was off: both go into the next plan. Where nothing can be run, TensorRT-RTX
builds the typed model on the CPU, and the types of its layers are held against the plan.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from trtlens.capture.backends.cuda import load_cuda
from trtlens.capture.build_options import BuildOptions
from trtlens.capture.building.engine_build import build_run
from trtlens.capture.dumping.engine_run import Execution, run_marked
from trtlens.capture.models.inputs import InputRecipe
from trtlens.capture.models.model import fed_inputs, onnx_extents
from trtlens.capture.models.onnx_inputs import Feeds
from trtlens.capture.planning.engine_types import check_types_of
from trtlens.capture.planning.planning import in_times, planned_anew
from trtlens.capture.timing.engine_session import TimingOptions
from trtlens.capture.timing.processes import TimedEngine, time_in_processes
from trtlens.errors import TrtlensError
from trtlens.plan.bound import Deviation
from trtlens.plan.document import write_plan
from trtlens.plan.tuner_times import read_times
from trtlens.quantities import duration, interval
from trtlens.runs.run import open_run
from trtlens_parsers.saved_plan import MEASURED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from trtlens.capture.backends.backend import Backend
    from trtlens.capture.building.engine_build import BuiltRun
    from trtlens.capture.planning.planning import Planned
    from trtlens.capture.progress import Progress
    from trtlens.plan.tuner_times import LogTimes

_NEAR = 0.05
"""A measured time this near to the predicted one needs no other plan."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One build: its time with the ends of its interval [ms], None for too few samples, and the damage of each output."""

    folder: Path
    time_ms: float
    low_ms: float | None
    high_ms: float | None
    damage: NDArray[np.float64]


class Prover(Protocol):
    """Builds, times and runs engines; the tests have another one."""

    @property
    def can_run(self) -> bool:
        """Whether engines run here."""
        ...

    def build(self, plan: Path, folder: Path, progress: Progress, /) -> Any:
        """Build the model as the plan says into a run."""
        ...

    def measure(self, planned: Planned, built: Any, progress: Progress, /) -> Measured:
        """Time the engine and run it on the plan's inputs."""
        ...

    def times(self, folder: Path, low_type: str) -> LogTimes:
        """What the build's log tells of times."""
        ...


def prove(planned: Planned, prover: Prover, folder: Path, builds: int, progress: Progress) -> Planned:
    """Build the plan, and those that its builds lead to, so many at most; the fastest that held becomes the plan.

    Raises:
        TrtlensError: the plan is judged by a command, or the folder cannot hold the runs.
        CaptureError: TensorRT or CUDA failed.

    """
    bound = planned.prepared.request.bound
    if bound is None and prover.can_run:
        raise TrtlensError("--prove measures the error of an engine against --bound: give one in place of --check")
    if not prover.can_run:
        return _typed(planned, prover, folder, progress)
    held: list[tuple[Planned, Measured]] = []
    rows: list[dict[str, Any]] = []
    current = planned
    for number in range(1, builds + 1):
        place = folder / str(number)
        built = prover.build(_written(current, folder, number), place, progress)
        found = prover.measure(current, built, progress)
        holds = bound is not None and bound.holds(found.damage)
        rows.append(_row(current, found, holds=holds))
        if holds:
            held.append((current, found))
        near = found.time_ms <= current.plan.time_ms * (1 + _NEAR)
        if (holds and near and not current.plan.time_is_weight) or number == builds:
            break
        after = planned_anew(
            current, prover.times(place, current.plan.low_type), None if holds else found.damage, progress
        )
        if np.array_equal(after.found.best.low, current.found.best.low):
            break
        current = after
    return _proved(planned, held, rows, prover)


def _written(planned: Planned, folder: Path, number: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"plan-{number}.json"
    write_plan(planned.plan, path)
    return path


def _row(planned: Planned, found: Measured, *, holds: bool) -> dict[str, Any]:
    """One build for the document."""
    worst = float(np.max(found.damage))
    error = (
        None if not np.isfinite(worst) else float(np.sqrt(worst)) if planned.plan.quantity == "error" else 1 - worst / 2
    )
    return {
        "folder": str(found.folder), "predicted_ms": None if planned.plan.time_is_weight else planned.plan.time_ms, "time_ms": found.time_ms, "low_ms": found.low_ms,
        "high_ms": found.high_ms, "emulated": planned.plan.measured, "measured": error, "holds": holds,
    }  # fmt: skip


def _proved(
    planned: Planned, held: list[tuple[Planned, Measured]], rows: list[dict[str, Any]], prover: Prover
) -> Planned:
    """The fastest that held, its units with times of its build where they had but weights."""
    builds = f"{len(rows)} build{'s' if len(rows) > 1 else ''}"
    if not held:
        sentence = (
            f"Not proved: the error of none of {builds} is within {planned.plan.bound}, although the emulated one is"
        )
        return replace(planned, plan=replace(planned.plan, holds=False, proof={"builds": rows, "sentence": sentence}))
    best, found = min(held, key=lambda one: one[1].time_ms)
    if best.plan.time_is_weight:
        best = in_times(best, prover.times(found.folder, best.plan.low_type))
    known = found.low_ms is not None and found.high_ms is not None
    ends = f" ({interval(found.low_ms or 0.0, found.high_ms or 0.0)})" if known else ""
    sentence = (
        f"Proved in {builds}: {duration(found.time_ms)} an inference{ends}, "
        f"within {planned.plan.bound} by measurement on the engine"
    )
    plan = replace(
        best.plan,
        time_is=MEASURED,
        time_ms=found.time_ms,
        proof={"builds": rows, "sentence": sentence},
    )
    return replace(best, plan=plan)


def _typed(planned: Planned, prover: Prover, folder: Path, progress: Progress) -> Planned:
    """Without a GPU: the typed model is built, and its layers' types are held against the plan."""
    place = folder / "1"
    prover.build(_written(planned, folder, 1), place, progress)
    check = check_types_of(open_run(place), planned.plan)
    sentence = f"Built on the CPU with TensorRT-RTX: {check.sentence}; time predicted, not measured"
    proof = {"builds": [{"folder": str(place), **check.facts()}], "sentence": sentence}
    return replace(planned, plan=replace(planned.plan, proof=proof))


# -- with TensorRT -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TensorRTProver:
    """Builds with an installed library; `options` and `timing` are those of the user's build, timed in so many `processes`."""

    model: Path
    backend: Backend
    options: BuildOptions = field(default_factory=BuildOptions)
    timing: TimingOptions = field(default_factory=TimingOptions)
    processes: int = 5

    @property
    def can_run(self) -> bool:
        """Whether an engine of this library runs here."""
        return self.backend.can_run

    def build(self, plan: Path, folder: Path, progress: Progress) -> BuiltRun:
        """Build as planned; a run that stands there is replaced."""
        options = replace(self.options, plan=plan)
        return build_run(self.model, folder, options, progress=progress, backend=self.backend, force=True)

    def measure(self, planned: Planned, built: BuiltRun, progress: Progress) -> Measured:
        """Several processes time it, one runs it on every input."""
        timing = replace(self.timing, shapes=built.shapes, plugins=self.options.plugins)
        engine = TimedEngine(built.engine_path, self.backend.name, timing)
        result = time_in_processes(engine, built.folder, processes=self.processes, progress=progress)
        built.recorder.add_timing(result.summary())
        built.recorder.finish("done")
        gpu = result.gpu
        return Measured(
            built.folder, gpu.median_ms, gpu.median_low_ms, gpu.median_high_ms, self._damage(planned, built)
        )

    def times(self, folder: Path, low_type: str) -> LogTimes:
        """The tuner's times of the run."""
        return read_times(open_run(folder), low_type)

    def _damage(self, planned: Planned, built: BuiltRun) -> NDArray[np.float64]:
        emulator = planned.prepared.emulator
        sums = Deviation.of(len(emulator.outputs))
        for sample, reference in zip(planned.prepared.samples.arrays, emulator.reference, strict=True):
            run = self._run(built, sample)
            sums.add(reference, [run[name] for name in emulator.outputs])
        return sums.damage(emulator.quantity)

    def _run(self, built: BuiltRun, sample: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """The engine's outputs for one input, in FP32."""
        found: dict[str, NDArray[np.float32]] = {}
        with tempfile.TemporaryDirectory(prefix="trtlens-plan-") as folder:
            Feeds(dict(sample), {}, ()).save(Path(folder))
            recipe = InputRecipe(file=Path(folder))
            execution = Execution(self.backend, load_cuda(), recipe, built.shapes, 0, self.options.plugins, "outputs")
            run_marked(
                built.engine_path, execution, lambda name, read: found.update({name: read.values().astype(np.float32)})
            )
        return found


def shapes_of(planned: Planned) -> dict[str, tuple[int, ...]]:
    """Shapes of the model's dynamic inputs, as the plan's inputs have them."""
    sample = planned.prepared.samples.arrays[0]
    dynamic = [info.name for info in fed_inputs(planned.prepared.typed.proto) if -1 in onnx_extents(info)]
    return {name: tuple(sample[name].shape) for name in dynamic}

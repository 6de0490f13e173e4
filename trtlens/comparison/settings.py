"""What the runs were made with, where that differs, and whether they can be compared at all.

Taken from the log (banner, trtexec's options and device information), from ``run.json`` of a captured run, and from the
engines themselves. A value that nothing states is None, and two unknown values are not called equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.comparison.figures import COMPUTE, CONSTANT, CONVERSION
from trtlens.comparison.same_work import gpu_of, inputs_of, model_of, shapes_text
from trtlens.comparison.times import UNSAMPLED_SHARE
from trtlens.engine.kernel_times import KERNELS
from trtlens.quantities import duration, signed_duration
from trtlens.statistics import find_drift

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trtlens.comparison.comparison import Comparison
    from trtlens.comparison.times import Times
    from trtlens.engine.built_engine import BuiltEngine
    from trtlens.statistics import Drift

_CLOCK_SHARE = 0.02
"""Clocks that differ by more than this share make times incomparable."""
_ROLES = {COMPUTE: "layers that compute", CONVERSION: "reformats and casts", CONSTANT: "copies of constants"}
_BUILD_SECTIONS = frozenset({"Model Options", "Build Options"})
_NOT_TOLD = frozenset(
    {
        "Precision",
        "Model",
        "Max batch",
        "Save engine",
        "Load engine",
        "timingCacheFile",
        "timing_cache_file",
        "Tempfile Controls",
    }
)
"""Options that are told elsewhere, are spelled anew by each release, or name files of one machine."""


_UNSTEADY = "The GPU was not in one state; lock its clocks (nvidia-smi -lgc), warm up and time again."
_NO_TIMES = "the runs have no times in common, so no times are compared; profile each, or add its layer times."
_TUNER = (
    "times are the tuner's, of the tactics that it chose: each kernel alone, while the engine was built, without reformats. "
    "They show which kernels differ, not how long the engine takes."
)
_NO_INFERENCE = (
    "no whole inference was timed in every run: how far the layer profiler stretches the layers' times, and whether their difference is "
    "that of an inference, is not known."
)
_SUMMARY = (
    "times are summaries without samples, so noise cannot be told from difference: less than "
    f"{100 * UNSAMPLED_SHARE:.0f} % is called no difference."
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting with its value in each run, None where a run does not state it."""

    name: str
    values: tuple[str | None, ...]

    @property
    def differs(self) -> bool:
        """Whether two runs state different values."""
        return len({value for value in self.values if value is not None}) > 1


def read_settings(comparison: Comparison) -> list[Setting]:
    """Every known setting, the ones that decide whether times can be compared first."""
    engines = comparison.engines
    settings = [
        Setting("GPU", _each(engines, lambda engine: gpu_of(engine.run))),
        Setting("input shapes", _each(engines, _inputs)),
        Setting("SM clock", _each(engines, _clock)),
        Setting("TensorRT", _each(engines, _version)),
        Setting("driver", _each(engines, lambda engine: engine.run.info.driver)),
        Setting("precisions allowed", _each(engines, _precisions)),
        Setting("model file", _each(engines, lambda engine: model_of(engine.run).file)),
        Setting("model hash", _each(engines, lambda engine: model_of(engine.run).digest)),
        Setting("ONNX nodes", _each(engines, lambda engine: str(len(engine.nodes)) if engine.nodes else None)),
        Setting("executions timed", tuple(_executions(times) for times in comparison.times)),
        *_options(engines),
    ]
    return [setting for setting in settings if any(value is not None for value in setting.values)]


def differing_settings(comparison: Comparison) -> list[Setting]:
    """Settings that are stated differently by two runs."""
    return [setting for setting in read_settings(comparison) if setting.differs]


def fairness(comparison: Comparison) -> list[str]:
    """Sentences on what stands against comparing these times; empty where nothing is known to."""
    settings = read_settings(comparison)
    told = _clocks(comparison)
    told += [sentence for number in range(len(comparison.engines)) for sentence in _drift(comparison, number)]
    told += _sources(comparison)
    unknown = [name for name in ("GPU", "TensorRT") if not _stated(settings, name)]
    if unknown:
        told.append(f"Not stated by every run: {' and '.join(unknown)}; whether they are the same is not known.")
    return [sentence[0].upper() + sentence[1:] for sentence in told]


def _stated(settings: Sequence[Setting], name: str) -> bool:
    found = next((setting for setting in settings if setting.name == name), None)
    return found is not None and None not in found.values


def _each(engines: Sequence[BuiltEngine], read: Callable[[BuiltEngine], Any]) -> tuple[str | None, ...]:
    values = (read(engine) for engine in engines)
    return tuple(None if value is None or value == "" else str(value) for value in values)


def _build(engine: BuiltEngine) -> dict[str, Any]:
    rows = engine.run["builds"].to_pylist()
    return rows[0] if rows else {}


def _version(engine: BuiltEngine) -> str | None:
    return _build(engine).get("tensorrt_version") or engine.run.info.tensorrt_version


def _precisions(engine: BuiltEngine) -> str | None:
    return _build(engine).get("precision_flags") or "+".join(engine.run.info.precision_flags) or None


def _inputs(engine: BuiltEngine) -> str | None:
    inputs = inputs_of(engine.run)
    return None if inputs is None else shapes_text(inputs)


def _clock_mhz(engine: BuiltEngine) -> float | None:
    rows = engine.run["gpu_readings"].select(["moment", "sm_clock_mhz"]).to_pylist()
    busy = [row["sm_clock_mhz"] for row in rows if row["sm_clock_mhz"] and "before" not in (row["moment"] or "")]
    return median(busy) if busy else None


def _clock(engine: BuiltEngine) -> str | None:
    clock = _clock_mhz(engine)
    return None if clock is None else f"{clock:.0f} MHz"


def _executions(times: Times) -> str | None:
    return None if times.samples is None else str(times.samples.shape[1])


def _options(engines: Sequence[BuiltEngine]) -> list[Setting]:
    """Build options of trtexec and flags of a captured run, by name."""
    each: list[dict[str, str]] = []
    for engine in engines:
        rows = engine.run["options"].select(["section", "key", "value"]).to_pylist()
        is_build = _build(engine).get("is_build") is not False  # where an engine is loaded, they are not its build's
        known = {
            row["key"]: row["value"] for row in rows if is_build and row["section"] in _BUILD_SECTIONS and row["value"]
        }
        known.update({key: str(value) for key, value in (engine.run.info.flags or {}).items()})
        each.append(known)
    names = sorted({name for known in each for name in known} - _NOT_TOLD)
    return [Setting(f"option {name}", tuple(known.get(name) for known in each)) for name in names]


def _clocks(comparison: Comparison) -> list[str]:
    clocks = [_clock_mhz(engine) for engine in comparison.engines]
    known = [clock for clock in clocks if clock is not None]
    if len(known) < 2 or max(known) <= (1 + _CLOCK_SHARE) * min(known):
        return []
    pairs = zip(comparison.names, clocks, strict=True)
    listed = ", ".join(f"{name} at {clock:.0f} MHz" for name, clock in pairs if clock is not None)
    return [f"the SM clocks differ ({listed}): lock them (nvidia-smi -lgc) and time again."]


def _drift(comparison: Comparison, number: int) -> list[str]:
    """Whether the layers together took another time at the end of the samples than at their beginning, and where."""
    samples = comparison.times[number].samples
    drift = None if samples is None else find_drift(samples)
    if drift is None:
        return []
    way = "faster" if drift.percent < 0 else "slower"
    change = f"{abs(drift.percent):.0f} % {way} than its first {drift.executions} ({duration(drift.last_ms)} against {duration(drift.first_ms)})"
    told = f"the times of {comparison.names[number]} drift: its last {drift.executions} executions are {change}"
    return [f"{told}{_drifting_part(comparison, number, drift)}. {_UNSTEADY}"]


def _drifting_part(comparison: Comparison, number: int, drift: Drift) -> str:
    """The kind of layers that the drift lies in, where it is one."""
    roles = np.array(comparison.measures[number].roles)
    parts = {words: float(drift.changes_ms[roles == role].sum()) for role, words in _ROLES.items()}
    words, most = max(parts.items(), key=lambda part: abs(part[1]))
    return f", {signed_duration(most)} of it in {words}" if abs(most) > abs(sum(parts.values())) / 2 else ""


def _sources(comparison: Comparison) -> list[str]:
    if comparison.time_source is None:
        return [_NO_TIMES]
    if comparison.time_source == "tuner":
        return [_TUNER]
    told = [_SUMMARY] if comparison.judged_on == "summary" else []
    timed = all(comparison.inferences[number] is not None for number in comparison.others)
    return told if timed or comparison.times[0].source == KERNELS else [*told, _NO_INFERENCE]

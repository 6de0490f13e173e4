"""The time of each engine layer, from the best source that all engines of a comparison have.

Sources, best first: the kernels of each layer in every inference that was traced (``kernels``), every execution that a
profiler timed (``samples``), a profile that is averaged already (``export``, ``profile table``), and the times that the tuner measured for the tactics it chose (``tuner``): those say what a kernel took
alone while the engine was built, not what the layer takes in the engine.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import hypot, sqrt
from typing import TYPE_CHECKING

import numpy as np

from trtlens.engine.kernel_times import KERNELS, read_kernel_times
from trtlens.engine.times import SAMPLES, layers_with_times
from trtlens.statistics import Z, timer_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from trtlens.engine.built_engine import BuiltEngine

TUNER = "tuner"
_PROFILE_TABLE = "profile table"


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """Milliseconds of each layer of one engine by position, nan where unknown.

    ``samples`` (layers x executions) has a row of nan for a layer without samples; None where the source has none.
    ``outside_ms`` is profiled time of rows that belong to no layer of the engine.
    """

    source: str | None
    time_ms: npt.NDArray[np.float64]
    samples: npt.NDArray[np.float64] | None = None
    outside_ms: float = 0.0

    @property
    def total_ms(self) -> float | None:
        """Sum over everything that was timed; None where nothing was."""
        known = self.time_ms[~np.isnan(self.time_ms)]
        return float(known.sum()) + self.outside_ms if len(known) else None


def read_times(engines: Sequence[BuiltEngine]) -> list[Times]:
    """Times that can be compared: of one clock that all engines have: kernels, the profiler's, or the tuner's; else without source."""
    measured = [_measured(engine) for engine in engines]
    if any(times.source == KERNELS for times in measured) and not all(times.source == KERNELS for times in measured):
        measured = [_measured(engine, profiled=True) for engine in engines]
    if all(times.source is not None for times in measured):
        return measured
    tuned = [_tuned(engine) for engine in engines]
    if all(times.source is not None for times in tuned):
        return tuned
    return [Times(None, np.full(len(engine.layers), np.nan)) for engine in engines]


def _measured(engine: BuiltEngine, *, profiled: bool = False) -> Times:
    rows = layers_with_times(engine.run, profiled=profiled)
    times = dict(zip(rows["index"].tolist(), rows["time_ms"].to_numpy(dtype=np.float64, na_value=np.nan), strict=True))
    values = np.array([times[layer.index] for layer in engine.layers], np.float64)
    sources = rows["time_source"].dropna().unique().tolist()
    if not sources or np.isnan(values).all():
        return Times(None, values)
    if sources[0] == KERNELS:
        return _traced(engine, values)
    if sources[0] == _PROFILE_TABLE:
        values = _with_omitted(engine, values)
    samples, total = _samples(engine) if sources[0] == SAMPLES else (None, _profiled_total(engine))
    outside = max(total - float(np.nansum(values)), 0.0)
    return Times(str(sources[0]), values, samples, outside if outside > 1e-9 else 0.0)


def _traced(engine: BuiltEngine, values: npt.NDArray[np.float64]) -> Times:
    """Kernels by layer and inference; what launches belong to no layer of the engine is outside."""
    traced = read_kernel_times(engine.run, engine.build)
    assert traced is not None  # noqa: S101  the layers' times come from it
    indices = [layer.index for layer in engine.layers]
    samples = traced.layer_samples(indices)
    samples[np.isnan(samples) & (values == 0.0)[:, None]] = 0.0
    own = set(indices)
    rest = [number for number, row in enumerate(traced.launches) if row["layer_index"] not in own]
    outside = float(np.median(traced.duration_ms[rest].sum(axis=0))) if rest else 0.0
    return Times(KERNELS, values, samples, outside)


def _with_omitted(engine: BuiltEngine, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The profile table of 8.4 and later leaves out layers that took no time at all."""
    listed = set(engine.run["layer_profile"]["layer"].to_pylist())
    omitted = np.array([layer.name not in listed for layer in engine.layers])
    return np.where(omitted, 0.0, values)


def _profiled_total(engine: BuiltEngine) -> float:
    rows = engine.run["layer_profile"].select(["median_ms", "average_ms"]).to_pylist()
    return float(sum(next((v for v in (row["median_ms"], row["average_ms"]) if v is not None), 0.0) for row in rows))


def _samples(engine: BuiltEngine) -> tuple[npt.NDArray[np.float64] | None, float]:
    """Samples by layer position and the sum of all medians; no samples where layers ran differently often."""
    table = engine.run["layer_times"]
    index, iteration, time = (table[name].to_numpy() for name in ("index", "iteration", "time_ms"))
    order = np.lexsort((iteration, index))
    _, starts, counts = np.unique(index[order], return_index=True, return_counts=True)
    time = time[order].astype(np.float64)
    if len(set(counts.tolist())) != 1:
        parts = np.split(time, starts[1:])
        return None, float(sum(np.median(part) for part in parts))
    timed = time.reshape(len(starts), -1)
    names = table["layer"].take(order[starts]).to_pylist()
    rows = _rows_of_layers(names, [layer.name for layer in engine.layers])
    matrix = np.full((len(engine.layers), timed.shape[1]), np.nan)
    matrix[list(rows)] = timed[list(rows.values())]
    return matrix, float(np.median(timed, axis=1).sum())


def _rows_of_layers(timed: Sequence[str], layers: Sequence[str]) -> dict[int, int]:
    """Layer position to row of the profile: by name and occurrence, names that come differently often left out."""
    often, rows = Counter(timed), Counter(layers)
    places: dict[tuple[str, int], int] = {}
    seen: Counter[str] = Counter()
    for row, name in enumerate(timed):
        places[name, seen[name]] = row
        seen[name] += 1
    found = {}
    seen = Counter()
    for position, name in enumerate(layers):
        if often[name] == rows[name]:
            found[position] = places[name, seen[name]]
        seen[name] += 1
    return found


def _tuned(engine: BuiltEngine) -> Times:
    """The time of the tactic that the engine runs for each layer, where the log says which one that is."""
    table = engine.run["candidates"].select(["layer", "op", "time_ms", "chosen", "line"])
    chosen = [row for row in table.filter(table["chosen"]).to_pylist() if row["time_ms"] is not None]
    by_line = {row["line"]: row["time_ms"] for row in chosen}
    by_name: dict[str, float] = {}
    for row in chosen:
        if row["op"] is None:
            by_name[row["layer"]] = min(row["time_ms"], by_name.get(row["layer"], row["time_ms"]))
    lines = _candidate_lines(engine)
    values = np.array([
        np.nan if not layer.works
        else by_line.get(lines[layer.index], np.nan) if layer.index in lines
        else by_name.get(layer.name, np.nan)
        for layer in engine.layers
    ], np.float64)  # fmt: skip
    return Times(None if np.isnan(values).all() else TUNER, values)


def _candidate_lines(engine: BuiltEngine) -> dict[int, int | None]:
    """Line of the chosen candidate of each layer that the tuner's record knows, or of the layer that it is alike to.

    None where that record does not tell it; the time of a whole Myelin region is no time of a part of it.
    """
    names = ("layer_index", "candidate_line", "matched_by", "twin_index")
    rows = engine.run["tuned_layers"].select(list(names)).to_pylist()
    own = {row["layer_index"]: None if row["matched_by"] == "region" else row["candidate_line"] for row in rows}
    twins = {row["layer_index"]: own.get(row["twin_index"]) for row in rows if row["twin_index"] is not None}
    return {index: twins.get(index) if line is None else line for index, line in own.items()}


# -- differences and noise --------------------------------------------------------------------------------------------
# Whether a difference of two times is more than noise; `trtlens.statistics` says how sure each of them is.


FASTER, SLOWER, NO_DIFFERENCE = "faster", "slower", "no difference seen"
UNSAMPLED_SHARE = 0.05
"""Of the baseline's time: less than this is no difference where there are no samples to judge it by."""


CAPTURE_SHARE, CAPTURE_MS = 0.05, 0.0005
"""How far the times of a kernel lie apart in two traces of one engine: by the larger of both."""
_CAPTURE_ALIKE = 0.02
"""How much longer all kernels take in one trace of an engine than in another."""


def capture_error(times_ms: Sequence[float]) -> float:
    """Standard error that tracing once leaves in a sum of times, each of which another capture finds elsewhere.

    Of one time, the difference of two captures is seen from 5 % or half a microsecond on; of several, which scatter independently,
    the squares add up with that of 2 % of their sum, by which all of them may be longer. In two ResNet-50 146 of 148 launches from a
    stream and from a CUDA graph lie that near, their sums 0.4 % apart; kernels of a ViT took 3 % longer in a trace than untraced.
    """
    apart = [max(CAPTURE_SHARE * time_ms, CAPTURE_MS) for time_ms in times_ms if time_ms > 0]
    alike = _CAPTURE_ALIKE * sum(times_ms) if len(apart) > 1 else 0.0
    return hypot(*apart, alike) / (Z * sqrt(2.0))


@dataclass(frozen=True, slots=True)
class Difference:
    """Milliseconds that a run takes more than the baseline (negative: less), with the interval and the verdict.

    The ends are None where the verdict rests on summaries alone.
    """

    diff_ms: float
    low_ms: float | None
    high_ms: float | None
    verdict: str


def judge(diff_ms: float, *errors_ms: float) -> Difference:
    """A difference of times with samples; ``errors_ms`` are their standard errors."""
    half = Z * hypot(*errors_ms)
    verdict = NO_DIFFERENCE if abs(diff_ms) <= half else SLOWER if diff_ms > 0 else FASTER
    return Difference(diff_ms, diff_ms - half, diff_ms + half, verdict)


def judge_summary(diff_ms: float, base_ms: float, layers: int) -> Difference:
    """A difference of times that are averaged already: beyond the timer's error and 5 % of the baseline."""
    least = max(UNSAMPLED_SHARE * base_ms, Z * sqrt(2.0) * timer_error(layers))
    verdict = NO_DIFFERENCE if abs(diff_ms) <= least else SLOWER if diff_ms > 0 else FASTER
    return Difference(diff_ms, None, None, verdict)

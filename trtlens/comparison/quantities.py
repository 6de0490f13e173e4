"""The quantities of a run that a check in CI can hold against a limit: declared once, listed, documented, measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.comparison.figures import COMPUTE
from trtlens.comparison.inference_latency import compare_latency, summarized
from trtlens.comparison.times import FASTER, NO_DIFFERENCE, SLOWER

if TYPE_CHECKING:
    from collections.abc import Callable

    from trtlens.comparison.comparison import Comparison
    from trtlens.engine.built_engine import PlacedLayer

_TIMES = frozenset({"ms", "s", "qps", "%"})
"""Units of times and of their shares."""
_COUNTED_BY_TIME = frozenset({"regions_slower", "regions_faster"})
_PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "fp8", "int8", "fp4", "int4")


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity: its unit (ms, qps, %, bytes, s, or none for counts) and what it is."""

    name: str
    unit: str | None
    doc: str
    measure: Callable[[Comparison, int], float | None]

    @property
    def rests_on_times(self) -> bool:
        """Whether it says nothing where two runs are of other work or on other GPUs; counts of layers and bytes do."""
        return self.unit in _TIMES or self.name in _COUNTED_BY_TIME


@dataclass(frozen=True, slots=True)
class Reading:
    """A quantity of one run and of the baseline; ``within_noise`` where samples show no difference of the two."""

    value: float | None
    base: float | None
    within_noise: bool = False


def read_quantity(comparison: Comparison, quantity: Quantity, number: int, *, alone: bool = False) -> Reading:
    """The value in one run and in the baseline, from a source that both have where there are several.

    ``alone`` takes the run's own best source, whatever the baseline has.
    """
    if quantity.name == "latency":
        return _latency(comparison, number, alone=alone)
    value, base = (quantity.measure(comparison, place) for place in (number, comparison.baseline))
    difference = comparison.totals[number].difference
    noise = quantity.name == "layer_time" and difference is not None and difference.low_ms is not None
    return Reading(value, base, noise and difference is not None and difference.verdict == NO_DIFFERENCE)


def _latency(comparison: Comparison, number: int, *, alone: bool) -> Reading:
    """Median GPU time of a whole inference, of one kind in both; the sum of the layers is no such time."""
    run = comparison.engines[number].run
    found = compare_latency(run, run) if alone else comparison.inferences[number]
    if found is None:
        return Reading(None, None)
    noise = found.difference is not None and found.difference.verdict == NO_DIFFERENCE
    return Reading(found.run_ms, found.base_ms, noise)


def _summary(comparison: Comparison, number: int, metric: str) -> float | None:
    return summarized(comparison.engines[number].run, metric)


def _own_latency(comparison: Comparison, number: int) -> float | None:
    return _latency(comparison, number, alone=True).value


def _layer_time(comparison: Comparison, number: int) -> float | None:
    return None if comparison.time_source == "tuner" else comparison.totals[number].figures.time_ms


def _reformat_time(comparison: Comparison, number: int) -> float | None:
    return comparison.totals[number].figures.conversion_ms


def _share(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else 100 * part / whole


def _time_share(comparison: Comparison, number: int, wanted: Callable[[PlacedLayer], bool]) -> float | None:
    """Percent of all layers' time that is spent in computing layers of one kind; None without measured times."""
    if comparison.time_source != "measured":
        return None
    engine, times, roles = (
        comparison.engines[number],
        comparison.times[number].time_ms,
        comparison.measures[number].roles,
    )
    spent = sum(
        float(np.nan_to_num(times[layer.position]))
        for layer in engine.layers
        if roles[layer.position] == COMPUTE and wanted(layer)
    )
    return _share(spent, comparison.totals[number].figures.time_ms)


def _build(column: str) -> Callable[[Comparison, int], float | None]:
    def measure(comparison: Comparison, number: int) -> float | None:
        rows: list[dict[str, Any]] = comparison.engines[number].run["builds"].select([column]).to_pylist()
        return None if not rows or rows[0][column] is None else float(rows[0][column])

    return measure


def _build_time(comparison: Comparison, number: int) -> float | None:
    return _build("engine_built_s")(comparison, number) or _build("engine_generation_s")(comparison, number)


def _messages(severities: frozenset[str]) -> Callable[[Comparison, int], float | None]:
    def measure(comparison: Comparison, number: int) -> float | None:
        run = comparison.engines[number].run
        if not any(row["kind"] == "tensorrt" and row["lines"] for row in run["reading"].to_pylist()):
            return None
        rows = run["messages"].select(["severity", "count"]).to_pylist()
        return float(sum(row["count"] for row in rows if row["severity"] in severities))

    return measure


def _judged(verdict: str) -> Callable[[Comparison, int], float | None]:
    def measure(comparison: Comparison, number: int) -> float | None:
        if number == comparison.baseline:
            return 0.0
        found = [row.cells[number].difference for row in comparison.rows]
        known = [difference.verdict for difference in found if difference is not None]
        return float(known.count(verdict)) if known else None

    return measure


def _worst_region(comparison: Comparison, number: int) -> float | None:
    changes = []
    for row in comparison.rows:
        base, difference = row.cells[comparison.baseline].figures.time_ms, row.cells[number].difference
        if base and difference is not None:
            changes.append(100 * difference.diff_ms / base if difference.verdict == SLOWER else 0.0)
    return max(changes, default=0.0 if number == comparison.baseline else None)


def _unaligned(comparison: Comparison, number: int) -> float | None:
    times = [left.figures.time_ms for left in comparison.left if left.entry.engine == number]
    if comparison.time_source != "measured" or None in times:
        return None
    return _share(sum(time for time in times if time is not None), comparison.totals[number].figures.time_ms)


def _layers_in(precision: str) -> Callable[[Comparison, int], float | None]:
    def measure(comparison: Comparison, number: int) -> float | None:
        roles = comparison.measures[number].roles
        layers = comparison.engines[number].layers
        return float(sum(layer.precision == precision and roles[layer.position] == COMPUTE for layer in layers))

    return measure


def _time_in(precision: str) -> Callable[[Comparison, int], float | None]:
    return lambda comparison, number: _time_share(comparison, number, lambda layer: layer.precision == precision)


def _computing_layers(comparison: Comparison, number: int) -> float | None:
    return float(sum(role == COMPUTE for role in comparison.measures[number].roles))


def _tensor_core_share(comparison: Comparison, number: int) -> float | None:
    """Null where the unit of a computing layer is not known: the rest would say too little."""
    roles, layers = comparison.measures[number].roles, comparison.engines[number].layers
    if any(roles[layer.position] == COMPUTE and layer.unit is None for layer in layers):
        return None
    return _time_share(comparison, number, lambda layer: layer.unit == "tensor core")


_ALL = (
    Quantity("latency", "ms", "median GPU time of one inference", _own_latency),
    Quantity("layer_time", "ms", "sum of the layers' median times, each timed on its own, which takes longer than an inference", _layer_time),
    Quantity("throughput", "qps", "inferences per second that trtexec states", lambda c, n: _summary(c, n, "throughput")),
    Quantity("host_latency", "ms", "median time of one inference with its copies, as trtexec states it", lambda c, n: _summary(c, n, "latency")),
    Quantity("layers", None, "engine layers", lambda c, n: float(len(c.engines[n].layers))),
    Quantity("computing_layers", None, "layers that do more than move data", _computing_layers),
    Quantity("reformats", None, "reformats, casts and Q/DQ layers that launch a kernel", lambda c, n: float(c.totals[n].figures.conversions)),
    Quantity("reformat_time", "ms", "time in these", _reformat_time),
    Quantity("reformat_time_share", "%", "share of the layers' time in these", lambda c, n: _share(_reformat_time(c, n), _layer_time(c, n))),
    *(Quantity(f"{p}_layers", None, f"computing layers that compute in {p}", _layers_in(p)) for p in _PRECISIONS),
    *(Quantity(f"{p}_time_share", "%", f"share of the layers' time in computing layers in {p}", _time_in(p)) for p in _PRECISIONS),
    Quantity("tensor_core_time_share", "%", "share of the layers' time on tensor cores", _tensor_core_share),
    Quantity("regions_slower", None, "regions that are slower than in the baseline, beyond noise", _judged(SLOWER)),
    Quantity("regions_faster", None, "regions that are faster than in the baseline, beyond noise", _judged(FASTER)),
    Quantity("worst_region_change", "%", "the most that a region is slower than in the baseline, beyond noise", _worst_region),
    Quantity("unaligned_time_share", "%", "share of the layers' time in layers that could not be aligned", _unaligned),
    Quantity("activation_bytes", "bytes", "activation memory", _build("activation_bytes")),
    Quantity("weights_bytes", "bytes", "weights", _build("weights_bytes")),
    Quantity("scratch_bytes", "bytes", "scratch memory", _build("scratch_bytes")),
    Quantity("build_time", "s", "time that the build took, as trtexec or TensorRT states it", _build_time),
    Quantity("warnings", None, "warnings in the log", _messages(frozenset({"warning"}))),
    Quantity("errors", None, "errors in the log", _messages(frozenset({"error", "internal error"}))),
)  # fmt: skip

QUANTITIES: dict[str, Quantity] = {quantity.name: quantity for quantity in _ALL}
"""Every quantity by name."""

"""Times of units from builds: what the tuner measured for each layer in each type, else what the layer was timed at.

One log of a build that was allowed a reduced type prices both: the fastest candidate with formats of the one type and of
the other, by the tuner's clock, which holds the launches already: over the engines of `fixtures/h200` its sum is 10 % below
to 1 % above what the inference was measured at. A strongly typed build tells one type; give two.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.engine.tensor_layers import held_nodes
from trtlens.engine.times import layers_with_times
from trtlens.errors import TrtlensError
from trtlens.limits.roofs import Roofs, read_roofs
from trtlens.plan.estimates import USUAL_GPU, estimated_costs
from trtlens.plan.solver import Costs
from trtlens.runs.run import build_rows
from trtlens.tables.arrays import rows_of
from trtlens.tuning.queries import precision_of_formats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trtlens.plan.network import Network
    from trtlens.runs.run import Run

LARGEST_LAYER = 48
"""A layer that holds more nodes is a compiled region, and no unit: its time is divided among its nodes."""


@dataclass(frozen=True, slots=True)
class LayerTimes:
    """One engine layer: its ONNX nodes, and times by type, as far as they are known."""

    nodes: tuple[str, ...]
    times_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class LogTimes:
    """What one build tells: layers, the fastest cast of each tensor by its name, and the GPU."""

    name: str
    layers: tuple[LayerTimes, ...]
    casts_ms: Mapping[str, float]
    roofs: Roofs | None

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """Nodes that one layer computes, of layers that are no compiled regions."""
        return [layer.nodes for layer in self.layers if len(layer.nodes) <= LARGEST_LAYER]


def read_times(run: Run, low_type: str) -> LogTimes:
    """The times of a run's last build with layers; raises TrtlensError where it lists none."""
    held = held_nodes(run, None)
    build = int(run["layers"]["build"].to_pylist()[-1])
    tuned, timed = _tuned(run, build, low_type), _timed(run, build)
    layers = [
        LayerTimes(own.nodes, tuned.get(layer.index) or timed.get(layer.index, {}))
        for layer, own in held
        if own.nodes and not layer.is_reformat
    ]
    roofs = read_roofs(run, build)
    return LogTimes(run.name, tuple(layers), _casts(run, build, low_type), roofs if isinstance(roofs, Roofs) else None)


def _tuned(run: Run, build: int, low_type: str) -> dict[int, dict[str, float]]:
    """By layer: the fastest time of the tuner with formats of each type."""
    fastest: dict[str, dict[str, float]] = defaultdict(dict)
    rows = build_rows(run, "combinations", build).select(["layer", "input_formats", "output_formats", "time_ms"])
    for row in rows.to_pylist():
        kind = precision_of_formats(row["input_formats"], row["output_formats"]) if row["time_ms"] is not None else None
        if kind in ("fp32", low_type) and row["layer"] is not None:
            known = fastest[row["layer"]]
            known[kind] = min(known.get(kind, np.inf), row["time_ms"])
    layers = {row["layer_index"]: row for row in build_rows(run, "tuned_layers", build).to_pylist()}
    found = {}
    for index, row in layers.items():
        named = layers.get(row["twin_index"], row)
        if named["matched_by"] in ("name", "region") and named["layer"] in fastest:
            found[index] = fastest[named["layer"]]
    return found


def _timed(run: Run, build: int) -> dict[int, dict[str, float]]:
    """By layer: what it was timed at, in the type that it computes in."""
    rows = layers_with_times(run)
    rows = rows[(rows["build"] == build) & rows["time_ms"].notna() & rows["precision"].notna()]
    kinds = rows["precision"].replace({"tf32": "fp32"})
    return {
        int(index): {str(kind): float(time_ms)}
        for index, kind, time_ms in zip(rows["index"], kinds, rows["time_ms"], strict=True)
    }


def _casts(run: Run, build: int, low_type: str) -> dict[str, float]:
    """By tensor: the fastest reformat between the two types."""
    names = ["source", "target", "input_formats", "output_formats", "time_ms"]
    found: dict[str, float] = {}
    for row in rows_of(build_rows(run, "reformat_candidates", build).select(names)):
        sides = [precision_of_formats(row[side], row[side]) for side in ("input_formats", "output_formats")]
        if row["time_ms"] is None or set(sides) != {"fp32", low_type}:
            continue
        for tensor in {row["source"], row["target"]} - {None, "<in>", "<out>"}:
            found[tensor] = min(found.get(tensor, np.inf), row["time_ms"])
    return found


# -- times of units ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Priced:
    """Costs with how they are known: how many units have both times from a log, and words for the rest."""

    costs: Costs
    source: str
    notes: tuple[str, ...]


def price(network: Network, logs: Sequence[LogTimes], low_type: str, roofs: Roofs | None = None) -> Priced:
    """The costs of units and casts: measured where a log tells, else estimated and brought to the log's scale.

    Raises:
        TrtlensError: the logs tell the time of no unit: they are of another model, or without times.

    """
    roofs = next((log.roofs for log in logs if log.roofs is not None), roofs)
    guess = estimated_costs(network, low_type, roofs)
    if not logs:
        return Priced(guess, f"operations and bytes by the {_gpu(roofs)}, no log was given", ())
    place = {node: number for number, unit in enumerate(network.units) for node in unit.nodes}
    columns: dict[str, np.ndarray[Any, np.dtype[np.float64]]] = {}
    for kind, estimate in (("fp32", guess.full_ms), (low_type, guess.low_ms)):
        columns[kind] = np.full(len(network.units), np.nan)
        for log in logs:
            known = _of_log(log, kind, place, estimate)
            columns[kind] = np.where(np.isnan(columns[kind]), known, columns[kind])
    full, low = columns["fp32"], columns[low_type]
    if np.isnan(full).all() and np.isnan(low).all():
        names = ", ".join(log.name for log in logs)
        raise TrtlensError(f"--log {names} times no node of the model: give the log of a build of this model")
    both = ~np.isnan(full) & ~np.isnan(low)
    notes = []
    if not both.all():
        notes.append(
            f"{int((~both).sum())} of {len(both)} units are not priced in both types by the log; theirs are estimated"
        )
    ratio = [_ratio(full, guess.full_ms), _ratio(low, guess.low_ms)]
    costs = Costs(
        np.where(np.isnan(full), np.where(np.isnan(low), guess.full_ms * ratio[0], low * guess.full_ms / np.maximum(guess.low_ms, 1e-9)), full),
        np.where(np.isnan(low), np.where(np.isnan(full), guess.low_ms * ratio[1], full * guess.low_ms / np.maximum(guess.full_ms, 1e-9)), low),
        _cast_costs(network, logs, guess.cast_ms),
    )  # fmt: skip
    compiled = sum(len(layer.nodes) > LARGEST_LAYER for log in logs for layer in log.layers)
    if compiled:
        notes.append(
            f"{compiled} compiled regions have one time each, which was divided among their units by operations and bytes"
        )
    return Priced(costs, f"the tuner's times in {', '.join(log.name for log in logs)}", tuple(notes))


def _gpu(roofs: Roofs | None) -> str:
    return f"{USUAL_GPU if roofs is None else roofs.gpu}'s data sheet"


def _of_log(log: LogTimes, kind: str, place: Mapping[str, int], estimate: Any) -> Any:
    """The time of each unit in one type; NaN where a layer of it has none."""
    times, unknown = np.zeros(len(estimate)), np.ones(len(estimate), bool)
    missing = np.zeros(len(estimate), bool)
    for layer in log.layers:
        units = sorted({place[node] for node in layer.nodes if node in place})
        if not units:
            continue
        if kind not in layer.times_ms:
            missing[units] = True
            continue
        unknown[units] = False
        shares = estimate[units] / max(float(estimate[units].sum()), 1e-12) if len(units) > 1 else np.ones(1)
        times[units] += shares * layer.times_ms[kind]
    return np.where(unknown | missing, np.nan, times)


def _ratio(known: Any, estimate: Any) -> float:
    """How a log's times stand to the estimates."""
    found = [
        float(time / guess)
        for time, guess in zip(known, estimate, strict=True)
        if not np.isnan(time) and guess > 0 and time > 0
    ]
    return median(found) if found else 1.0


def _cast_costs(network: Network, logs: Sequence[LogTimes], guess: Any) -> Any:
    """The fastest reformat of each tensor, else the estimate at the scale of those that are known."""
    known = {name: time_ms for log in reversed(logs) for name, time_ms in log.casts_ms.items()}
    exact = np.array([known.get(one.tensor, np.nan) for one in network.boundaries])
    scale = _ratio(exact, guess)
    return np.where(np.isnan(exact), guess * scale, exact)

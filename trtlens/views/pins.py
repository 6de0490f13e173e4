"""Which layers are worth keeping in FP32: how much error does each add for the time that it saves?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from trtlens.accuracy.summary import Pin, ranked
from trtlens.engine.tensor_layers import fp32_times, held_nodes, places_of_tensors
from trtlens.engine.times import layers_with_times
from trtlens.output import layout
from trtlens.quantities import duration
from trtlens.tables.schema import declare
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from trtlens.engine.tensor_layers import Fp32Time, Place
    from trtlens.runs.run import Run

_T = TypeVar("_T")
_MOST_NODES = 8
"""Of a layer that holds more, a whole compiled region, the tensor's own node is pinned alone."""

COLUMNS = declare(
    "view pins", "one layer that could stay in FP32, the most worthwhile first", "build rank",
    """
    build | int | | number of the build
    rank | int | | rank from 1: layers that cost nothing in FP32 first, then by error per millisecond, then those of unknown cost by error
    layer | text | | engine layer; ONNX node where the run has no engine
    precision | text | | what it computes in now
    error_added | float | | noise over signal that it adds to that of its inputs; lower is better
    time_ms | float | ms | time of the layer as it runs; where fp32_from is tuner, by the tuner's clock
    fp32_ms | float | ms | time that it would take in FP32
    fp32_from | text | | run (a timed FP32 run) or tuner (the fastest FP32 candidate, without reformats)
    cost_ms | float | ms | what FP32 would cost; negative where it is faster
    error_per_ms | float | | error added for each millisecond saved
    flags | text | | options for trtlens profile and trtlens dump
    cause | text | | what made the error
    """,
)  # fmt: skip


def table(run: Run, *, fp32: Run | None = None) -> pa.Table:
    """Layers worth a pin; ``fp32`` is a timed FP32 run of the same model."""
    builds = list(dict.fromkeys(row["build"] for row in run["tensor_errors"].select(["build"]).to_pylist()))
    rows = [row for build in builds for row in _rows(run, build, fp32)]
    return COLUMNS.of_rows(rows)


def _rows(run: Run, build: int, fp32: Run | None) -> Iterator[dict[str, Any]]:
    for rank, pin in enumerate(ranked(_pins(run, build, fp32)), 1):
        yield {
            "build": build, "rank": rank, "layer": pin.layer, "precision": pin.precision, "error_added": pin.error_added,
            "time_ms": pin.time_ms, "fp32_ms": pin.fp32_ms, "fp32_from": pin.fp32_from, "cost_ms": pin.cost_ms,
            "error_per_ms": pin.error_per_ms, "flags": pin.flags(), "cause": pin.cause,
        }  # fmt: skip


def _pins(run: Run, build: int, fp32: Run | None) -> list[Pin]:
    """One pin for each layer, of the worst tensor that it makes."""
    errors = [row for row in run["tensor_errors"].to_pylist() if row["build"] == build and row["error_added"]]
    places = places_of_tensors(run, build, {row["tensor"]: row["producer"] for row in errors})
    layers = _layers(run, build)
    times = fp32_times(run, build, fp32) if layers else {}
    nodes = {layer.index: held.nodes for layer, held in held_nodes(run, build)} if layers else {}
    pins: dict[str, Pin] = {}
    for row in sorted(errors, key=lambda row: -row["error_added"]):
        place = places.get(row["tensor"])
        pin = _pin(row, _at(place, layers), _nodes(row, _at(place, nodes) or ()), _at(place, times))
        if pin is not None:
            pins.setdefault(pin.layer, pin)
    return list(pins.values())


def _layers(run: Run, build: int) -> dict[int, dict[str, Any]]:
    layers = layers_with_times(run)
    rows = layers[layers["build"] == build][["index", "name", "precision", "time_ms"]]
    records = rows.astype(object).where(rows.notna(), None).to_dict("records")
    return {int(record["index"]): {str(key): value for key, value in record.items()} for record in records}


def _at(place: Place | None, known: Mapping[int, _T]) -> _T | None:
    return None if place is None else known.get(place.layer_index)


def _nodes(row: Mapping[str, Any], held: tuple[str, ...]) -> tuple[str, ...]:
    """The nodes to pin: those that the cause asks for, else all that were fused into the layer, else the tensor's own."""
    if row["keep_fp32"]:
        return tuple(row["keep_fp32"])
    producer = row["producer"]
    if producer in held and len(held) <= _MOST_NODES:
        return held
    return (producer,) if producer else ()


def _pin(
    row: Mapping[str, Any], layer: Mapping[str, Any] | None, nodes: tuple[str, ...], times: Fp32Time | None
) -> Pin | None:
    """A pin for what makes a tensor; None where that runs in FP32 already, or where nobody knows what makes it."""
    name = row["producer"] if layer is None else layer["name"]
    precision = row["dtype"] if layer is None else layer["precision"]
    if name is None or not nodes or precision == "fp32":
        return None
    measured = None if layer is None else layer["time_ms"]
    return Pin(
        layer=name,
        precision=precision,
        error_added=row["error_added"],
        time_ms=measured if times is None else times.now_ms,
        fp32_ms=None if times is None else times.fp32_ms,
        fp32_from=None if times is None else times.source,
        nodes=nodes,
        cause=row["cause"],
    )


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """The layer that is most worth keeping in FP32, with the options to copy."""
    first = rows[0]
    return f"Keep {first['layer']} in FP32 first, {_cost(first['cost_ms'])}: `{first['flags']}`"


def _cost(cost_ms: float | None) -> str:
    """What a pin costs in words; one can save time, too."""
    if cost_ms is None:
        return "at a cost that is not known"
    return f"which costs {duration(cost_ms)}" if cost_ms >= 0 else f"which saves {duration(-cost_ms)}, too"


VIEW = View(
    table,
    question="Which layers are worth keeping in FP32: how much error does each add for the time that it saves?",
    answer=_answer,
    place=18,
    layout=layout(
        "layer precision error_added cost_ms error_per_ms time_ms fp32_ms cause rank", stretches="layer", prose="cause"
    ),
    heading="Layers to keep in FP32",
    empty="no tensors were compared in this run: dump the model with trtlens dump, then trtlens accuracy REFERENCE DUMP --profile RUN --keep stores the comparison in this run (without --profile: in the dump)",
)

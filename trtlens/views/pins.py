"""Which few layers to keep in FP32: how much error does each add for the time that it saves?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.accuracy.pins import Pin, ranked
from trtlens.fp32_times import fp32_times
from trtlens.joins import layers_with_times
from trtlens.schema import declare
from trtlens.tensor_layers import Place, places_of_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from trtlens.runs import Run

COLUMNS = declare(
    "view pins", "one layer that could stay in FP32, the best first", "build rank",
    """
    build | int | | number of the build
    rank | int | | place, from 1: free ones first, then by error per millisecond, then those of unknown cost by error
    layer | text | | engine layer; ONNX node where the run has no engine
    precision | text | | what it computes in now
    error_added | float | | noise over signal that it adds to that of its inputs; lower is better
    time_ms | float | ms | time of the layer
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
    return COLUMNS.table({column.name: [row[column.name] for row in rows] for column in COLUMNS.columns})


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
    pins: dict[str, Pin] = {}
    for row in sorted(errors, key=lambda row: -row["error_added"]):
        pin = _pin(row, places.get(row["tensor"]), layers, times)
        if pin is not None:
            pins.setdefault(pin.layer, pin)
    return list(pins.values())


def _layers(run: Run, build: int) -> dict[int, dict[str, Any]]:
    layers = layers_with_times(run)
    rows = layers[layers["build"] == build][["index", "name", "precision", "time_ms"]]
    records = rows.astype(object).where(rows.notna(), None).to_dict("records")
    return {int(record["index"]): {str(key): value for key, value in record.items()} for record in records}


def _pin(
    row: Mapping[str, Any],
    place: Place | None,
    layers: Mapping[int, Mapping[str, Any]],
    times: Mapping[int, tuple[float, str]],
) -> Pin | None:
    """A pin for what makes a tensor; None where that runs in FP32 already, or where nobody knows what makes it."""
    layer = layers.get(place.layer_index) if place is not None else None
    name = row["producer"] if layer is None else layer["name"]
    nodes = tuple(row["keep_fp32"] or ([row["producer"]] if row["producer"] else ()))
    precision = row["dtype"] if layer is None else layer["precision"]
    if name is None or not nodes or precision == "fp32":
        return None
    fp32_ms, source = times.get(place.layer_index, (None, None)) if place is not None else (None, None)
    return Pin(
        layer=name,
        precision=precision,
        error_added=row["error_added"],
        time_ms=None if layer is None else layer["time_ms"],
        fp32_ms=fp32_ms,
        fp32_from=source,
        nodes=nodes,
        cause=row["cause"],
    )

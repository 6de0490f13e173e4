"""Operations and bytes of a layer, from the parameters and shapes that the engine inspector gives.

Only convolutions (their weights' count times the positions) and matrix products with stated operands are counted;
everything else is unknown. Bytes are those of inputs, outputs and weights, each moved once: the least that is possible.
Form of the parameters: TensorRT 8.6 to 11.4, detailed verbosity.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, prod
from typing import TYPE_CHECKING, Any

from trtlens.engine.clocks import clock_name
from trtlens.engine.times import layers_with_times
from trtlens_parsers.data_types import CHOSEN_TYPES, DTYPE_BITS, read_dtype
from trtlens_parsers.errors import FormatError
from trtlens_parsers.json_text import finite, parse_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.runs.run import Run

_BYTE_BITS = 8


@dataclass(frozen=True, slots=True)
class LayerWork:
    """One layer with a time whose operations and bytes are known."""

    index: int
    name: str
    precision: str | None
    unit: str | None
    time_ms: float
    clock: str
    operations: float
    bytes: float

    @property
    def intensity(self) -> float:
        """Operations per byte."""
        return self.operations / self.bytes

    @property
    def tflops(self) -> float:
        """Operations per second, in units of 1e12."""
        return self.operations / self.time_ms / 1e9


def read_work(run: Run) -> list[LayerWork]:
    """Layers whose time, operations and bytes are all known, in execution order; the last build counts."""
    tensors: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for row in run["layer_tensors"].to_pylist():
        tensors.setdefault((row["build"], row["layer_index"]), []).append(row)
    found = []
    for row in _timed_rows(run):
        work = _work(row, tensors.get((row["build"], row["index"]), []))
        if work is not None:
            found.append(work)
    return found


def _timed_rows(run: Run) -> list[dict[str, Any]]:
    """Layers that have a time and parameters, unknown values as None."""
    if not run["layers"].num_rows:
        return []
    layers = layers_with_times(run)
    layers = layers[layers["time_ms"].notna() & layers["parameters"].notna()]
    columns = ["build", "index", "name", "type", "precision", "unit", "time_ms", "time_source", "parameters"]
    return [
        {str(k): v for k, v in row.items()}
        for row in layers[columns].astype(object).where(layers[columns].notna(), None).to_dict("records")
    ]


def _work(row: dict[str, Any], tensors: Sequence[dict[str, Any]]) -> LayerWork | None:
    parameters = _object(row["parameters"])
    inputs = [one for one in tensors if one["direction"] == "input"]
    outputs = [one for one in tensors if one["direction"] == "output"]
    sizes = [one["bytes"] for one in tensors]
    if not inputs or not outputs or None in sizes or not row["time_ms"] or row["time_ms"] <= 0:
        return None
    weights = _object(parameters.get("Weights"))
    kind = parameters.get("ParameterType")
    if kind in {"Convolution", "Deconvolution"}:
        counted = _convolution(row["type"], weights, inputs[0]["dims"], outputs[0]["dims"])
    elif kind == "MatrixMultiply":
        counted = _product(parameters, inputs[0]["dims"], outputs[0]["dims"])
    else:
        counted = None
    kept = _weight_bytes(weights)
    if not counted or kept is None or not isfinite(counted):
        return None
    return LayerWork(
        row["index"],
        row["name"],
        row["precision"],
        row["unit"],
        float(row["time_ms"]),
        clock_name(row["time_source"]),
        counted,
        sum(sizes) + kept,
    )


def _convolution(
    kind: str | None, weights: dict[str, Any], source: list[int | None], target: list[int | None]
) -> float | None:
    """Each weight is used once at each position: of the output, of the input for a transposed convolution."""
    dims = source if "econv" in (kind or "") else target
    count = _count(weights)
    if count is None or not dims or len(dims) < 3 or None in dims:
        return None
    known = [float(size) for size in dims if size is not None]
    return 2.0 * count * known[0] * prod(known[2:])


def _product(parameters: dict[str, Any], left: list[int | None], target: list[int | None]) -> float | None:
    transposed = {"NONE": False, "kNONE": False, "TRANSPOSE": True, "kTRANSPOSE": True}.get(
        str(parameters.get("MatrixOpA"))
    )
    if transposed is None or not left or not target or len(left) < 2 or None in left or None in target:
        return None
    inner = left[-2 if transposed else -1]
    return 2.0 * (inner or 0) * prod(float(size) for size in target if size is not None)


def _weight_bytes(weights: dict[str, Any]) -> float | None:
    if not weights:
        return 0.0
    dtype, count = read_dtype(str(weights.get("Type"))), _count(weights)
    return None if dtype not in CHOSEN_TYPES or count is None else count * DTYPE_BITS[dtype] / _BYTE_BITS


def _count(weights: dict[str, Any]) -> float | None:
    try:
        return finite(weights.get("Count"), "Count")
    except FormatError:
        return None


def _object(value: Any) -> dict[str, Any]:
    """The inspector writes objects as JSON texts, in some versions within a text."""
    if isinstance(value, str):
        try:
            value = parse_json(value, "parameters")
        except FormatError:
            return {}
    return value if isinstance(value, dict) else {}

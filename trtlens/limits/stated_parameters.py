"""Operations and weights of a layer by the parameters that the engine inspector prints (TensorRT 8.6 to 11.4, detailed verbosity).

Only convolutions (their weights' count times the positions) and matrix products with stated operands are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, prod
from typing import TYPE_CHECKING, Any

from trtlens_parsers.data_types import CHOSEN_TYPES, DTYPE_BITS, read_dtype
from trtlens_parsers.errors import FormatError
from trtlens_parsers.json_text import finite, parse_json

if TYPE_CHECKING:
    from trtlens.limits.model_shapes import Dims
    from trtlens.tables.engine_layers import EngineLayer

_TRANSPOSED = {"NONE": False, "kNONE": False, "TRANSPOSE": True, "kTRANSPOSE": True}
_BITS = 8


@dataclass(frozen=True, slots=True)
class Stated:
    """What the inspector states of one layer; ``weight_bytes`` is None where it states no weights, or not their type."""

    type: str
    parameters: dict[str, Any]
    weight_bytes: float | None

    def operations(self, source: Dims | None, target: Dims | None) -> float | None:
        """Operations with the shapes of the first input and output; None for what is no convolution or product."""
        kind = self.parameters.get("ParameterType")
        counted = None
        if kind in {"Convolution", "Deconvolution"}:
            counted = self._convolution(source if "econv" in self.type else target)
        elif kind == "MatrixMultiply":
            counted = self._product(source, target)
        return counted if counted and isfinite(counted) else None

    def _convolution(self, dims: Dims | None) -> float | None:
        """Each weight is used once at each position: of the output, of the input for a transposed convolution."""
        count = _number(_object(self.parameters.get("Weights")))
        if count is None or not dims or len(dims) < 3 or None in dims:
            return None
        known = [float(size) for size in dims if size is not None]
        return 2.0 * count * known[0] * prod(known[2:])

    def _product(self, left: Dims | None, target: Dims | None) -> float | None:
        transposed = _TRANSPOSED.get(str(self.parameters.get("MatrixOpA")))
        if transposed is None or not left or not target or len(left) < 2 or None in left or None in target:
            return None
        inner = left[-2 if transposed else -1]
        return 2.0 * (inner or 0) * prod(float(size) for size in target if size is not None)


def read_stated(layer: EngineLayer) -> Stated:
    """The parameters of a layer; of one without any nothing is known."""
    parameters = _object(layer.row["parameters"])
    weights, bias = (_object(parameters.get(name)) for name in ("Weights", "Bias"))
    sizes = [_size(one) for one in (weights, bias) if one]
    known = [size for size in sizes if size is not None]
    return Stated(layer.type, parameters, sum(known) if sizes and len(known) == len(sizes) else None)


def _size(weights: dict[str, Any]) -> float | None:
    dtype, count = read_dtype(str(weights.get("Type"))), _number(weights)
    if count == 0:
        return 0.0
    return None if dtype not in CHOSEN_TYPES or count is None else count * DTYPE_BITS[dtype] / _BITS


def _number(weights: dict[str, Any]) -> float | None:
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

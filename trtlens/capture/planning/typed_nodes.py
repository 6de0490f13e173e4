"""What a node's operator lets be 16 bits wide, by its schema in the `onnx` package.

BF16 goes by the same lists: TensorRT takes it in any operator that takes FP16, ONNX itself only since operator set 22.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from trtlens.capture.models.model import require_onnx
from trtlens.capture.models.onnx_graphs import outer_names
from trtlens.capture.models.onnx_rewriting import FLOAT

if TYPE_CHECKING:
    from collections.abc import Mapping

_HALF = "tensor(float16)"
_STRINGS = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})
_ALONE = frozenset({"Resize", "Upsample", "GridSample", "NonMaxSuppression", "RoiAlign", "Range", "CumSum", "TopK"})
"""Operators of which no input, or the first alone, goes down: coordinates lose pixels in 16 bits."""
_FIRST_ONLY = frozenset({"Resize", "Upsample"})
_PASSING = frozenset({
    "Relu", "MaxPool", "GlobalMaxPool", "Reshape", "Transpose", "Concat", "Slice", "Identity", "Squeeze", "Unsqueeze",
    "Flatten", "Split", "Gather", "GatherElements", "GatherND", "Expand", "Tile", "DepthToSpace", "SpaceToDepth", "Dropout",
    "Neg", "Abs", "Max", "Min", "Where", "ScatterND", "ScatterElements",
})  # fmt: skip
"""Operators whose results are some of their inputs: rounding these once more changes nothing."""


def lowered_inputs(node: Any, types: Mapping[str, int], opset: int) -> tuple[int, ...]:
    """Places of the inputs that are cast where the node goes down; nothing where it cannot."""
    if outer_names(node) or node.op_type in _STRINGS or node.domain not in ("", "ai.onnx"):
        return ()
    floats = [place for place, name in enumerate(node.input) if name and types.get(name) == FLOAT]
    if node.op_type == "Cast":
        return tuple(floats)
    if node.op_type in _ALONE:
        return (0,) if node.op_type in _FIRST_ONLY and 0 in floats else ()
    schema = _schema(node.op_type, opset)
    if schema is None:
        return ()
    places = tuple(place for place in floats if _allows(schema, schema.inputs, place))
    variables = {_formal(schema.inputs, place).type_str for place in places}
    outputs = [place for place, name in enumerate(node.output) if name and types.get(name) == FLOAT]
    carried = all(_formal(schema.outputs, place).type_str in variables for place in outputs)
    return places if carried else ()


def passes_values(node: Any) -> bool:
    """Whether the outputs of a node are some of its inputs' values."""
    return node.op_type in _PASSING


@cache
def _schema(op: str, opset: int) -> Any:
    onnx = require_onnx("reading operators")
    try:
        return onnx.defs.get_schema(op, opset, "")
    except onnx.defs.SchemaError:
        return None


def _allows(schema: Any, formals: Any, place: int) -> bool:
    kind = _formal(formals, place).type_str
    constraint = next((one for one in schema.type_constraints if one.type_param_str == kind), None)
    return constraint is not None and _HALF in constraint.allowed_type_strs


def _formal(formals: Any, place: int) -> Any:
    """The parameter of the schema; the last one stands for all that follow it."""
    return formals[min(place, len(formals) - 1)]

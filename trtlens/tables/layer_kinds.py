"""Which engine layers compute nothing: those that launch no kernel, and the reformats with what each of them changes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trtlens_parsers.layers import LayerRecord, TensorRecord

NO_WORK = frozenset({"Constant", "NoOp", "Shape", "signal", "wait", "shape_call"})
"""Types of layers that launch no kernel of their own."""

_TYPES = frozenset({"Reformat", "MyelinReformat"})
# Names that builders of 5.x to 7.x ("conv1 input reformatter 0") and of 8.0 on ("Reformatting CopyNode ..") give.
_NAME = re.compile(r"Reformatting CopyNode for |.* (?:input|output) reformatter \d+$", re.DOTALL)
# Myelin names a generated kernel after the operations it fuses, four letters each: these only move or convert.
_MYELIN_NAME = re.compile(r"__myl_(?P<operations>(?:Move|Tran|Cast|Copy)+)(?:_|$)")


def is_reformat(layer: LayerRecord) -> bool:
    """Whether the layer computes nothing: it changes type or layout, or copies."""
    return layer.type in _TYPES or bool(_NAME.match(layer.name) or _MYELIN_NAME.match(layer.name))


def reformat_kind(layer: LayerRecord) -> str | None:
    """``dtype``, ``layout``, ``both`` or ``copy``; None for other layers and where either side's layout is not shown."""
    if not is_reformat(layer) or len(layer.inputs) != 1 or len(layer.outputs) != 1:
        return None
    source, target = layer.inputs[0], layer.outputs[0]
    if source.format.dtype is None or target.format.dtype is None:
        return None
    new_type, new_layout = source.format.dtype != target.format.dtype, _layout_changes(source, target)
    if new_layout is None:
        return None
    return {(True, True): "both", (True, False): "dtype", (False, True): "layout", (False, False): "copy"}[
        new_type, new_layout
    ]


def _layout_changes(source: TensorRecord, target: TensorRecord) -> bool | None:
    """Whether the memory layout differs; None where one side does not show it."""
    if source.dims is not None and source.dims == target.dims and len(source.dims) < 2:
        return False  # a vector or a scalar has one layout only
    if source.strides and target.strides and None not in (*source.strides, *target.strides):
        same = source.strides == target.strides and source.format.vector_width == target.format.vector_width
        return not same
    before, after = source.format, target.format
    if before.layout and after.layout:
        return before.layout != after.layout
    if before.vector_width is not None and after.vector_width is not None and before.vector_width != after.vector_width:
        return True
    return None

"""Layers and tensors of an engine, as everyone who follows an engine from layer to layer reads them."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trtlens.tables.schema import Tables
    from trtlens_parsers.layers import LayerRecord, TensorRecord

Dims = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output of an engine layer, as far as the log or the inspector shows it; None for what they do not."""

    name: str
    dtype: str | None = None
    dims: Dims | None = None
    strides: Dims | None = None
    vector_width: int | None = None
    layout: str | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class EngineLayer:
    """One engine layer: its row of the table `layers` (or some columns of it), its tensors in printed order."""

    row: Mapping[str, Any]
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()

    @property
    def index(self) -> int:
        """Position in the engine."""
        return int(self.row["index"])

    @property
    def name(self) -> str:
        """The layer's name; empty where none is printed."""
        return str(self.row["name"] or "")

    @property
    def type(self) -> str:
        """The layer's type; empty where only names are printed."""
        return str(self.row["type"] or "")

    @property
    def precision(self) -> str | None:
        """What its kernel computes in."""
        return self.row["precision"]

    @property
    def unit(self) -> str | None:
        """The core type that its kernel uses."""
        return self.row["unit"]

    @property
    def tactic_id(self) -> int | None:
        """Id of the tactic that the engine states."""
        return self.row["tactic_id"]

    @property
    def tactic_name(self) -> str | None:
        """Kernel that the engine states."""
        return self.row["tactic_name"]

    @property
    def is_reformat(self) -> bool:
        """Whether the layer only changes type or layout, or copies."""
        return bool(self.row["is_reformat"])

    @property
    def onnx_nodes(self) -> tuple[str, ...]:
        """ONNX nodes that its metadata lists."""
        return tuple(self.row["onnx_nodes"] or ())

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the tensors that it reads."""
        return tuple(tensor.name for tensor in self.inputs)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the tensors that it writes."""
        return tuple(tensor.name for tensor in self.outputs)

    @property
    def works(self) -> bool:
        """Whether it launches a kernel that does more than move data."""
        return self.type not in NO_WORK and not self.is_reformat


def read_layers(tables: Tables, columns: Sequence[str] | None = None) -> dict[int, list[EngineLayer]]:
    """The engine layers of each build in execution order; ``columns`` of the table `layers` are read, by default all."""
    tensors: dict[tuple[int, int], tuple[list[Tensor], list[Tensor]]] = defaultdict(lambda: ([], []))
    for row in tables["layer_tensors"].to_pylist():
        tensors[row["build"], row["layer_index"]][row["direction"] == "output"].append(_tensor(row))
    layers = tables["layers"] if columns is None else tables["layers"].select(list(columns))
    builds: dict[int, list[EngineLayer]] = defaultdict(list)
    for row in sorted(layers.to_pylist(), key=lambda row: (row["build"], row["index"])):
        inputs, outputs = tensors[row["build"], row["index"]]
        builds[row["build"]].append(EngineLayer(row, tuple(inputs), tuple(outputs)))
    return dict(builds)


def _tensor(row: Mapping[str, Any]) -> Tensor:
    return Tensor(
        row["name"], row["dtype"], None if row["dims"] is None else tuple(row["dims"]),
        None if row["strides"] is None else tuple(row["strides"]), row["vector_width"], row["format"], row["bytes"],
    )  # fmt: skip


# -- kinds of layers --------------------------------------------------------------------------------------------------
# Which engine layers compute nothing: those that launch no kernel, and the reformats with what each of them changes.


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

"""One region of a model, run alone on the CPU on given inputs: as its operators say, and rounded as an engine's types round it.

A region is what lies between tensors that were dumped. Rounded to FP16 or BF16, every node's output, every weight and every
input is; in TF32 weights and inputs are, to 10 bits of mantissa. Q/DQ nodes act when a region is rounded, and pass values on when
it is not; without them INT8 rounds inputs and output to the scales of the calibration, and weights to one scale for each channel. Sums are FP32 here; what sums in FP16 may add is estimated from their lengths.
"""

from __future__ import annotations

from math import prod, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.accuracy.encodings import decode, encode
from trtlens.capture.dumping.reference import CpuModel
from trtlens.capture.models.model import load_onnx, require_onnx
from trtlens.capture.models.onnx_graphs import HALF_NUMBERS, described_nodes, holds_half, weight_values, widened
from trtlens.capture.models.onnx_rewriting import FLOAT, copy, infer_types
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from trtlens.accuracy.blame import Subgraph
    from trtlens_parsers.dump_index import DumpedNode

_PURPOSE = "running a region of the model"
_QUANTIZING = ("QuantizeLinear", "DequantizeLinear")
_ROUNDING = 0.29
"""Standard deviation of a rounding, in units of the last place."""
_HALF_UNIT = 2.0**-11
_CHANNELS = {"Conv": 0, "ConvTranspose": 1, "Gemm": -1, "MatMul": -1}
"""The axis of the output channels in the weights of a product."""
_LARGEST_INT8 = 127
_TF32_DROPPED = 13
"""Bits of an FP32 mantissa that TF32 has not."""


class RegionModels:
    """The regions of one ONNX model.

    Raises:
        TrtlensError: a package is missing, or the model cannot be read.

    """

    def __init__(self, model: Path, scales: Mapping[str, float] | None = None) -> None:
        """Read the model; ``scales`` are those of the engine's INT8 tensors."""
        self._scales = scales or {}
        proto = load_onnx(model, _PURPOSE)
        self._proto = widened(proto) if holds_half(proto) else copy(proto)
        infer_types(self._proto)
        graph = self._proto.graph
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        infos = (*graph.input, *graph.value_info, *graph.output)
        self._types = {info.name: info.type.tensor_type.elem_type for info in infos}
        self._makers = {name: place for place, node in enumerate(graph.node) for name in node.output}

    @property
    def described(self) -> tuple[DumpedNode, ...]:
        """The model's nodes as a dump's index describes them."""
        return described_nodes(self._proto)

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the model is fed, which an engine's dump need not hold."""
        return tuple(info.name for info in self._proto.graph.input if info.name not in self._weights)

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the model puts out."""
        return tuple(info.name for info in self._proto.graph.output)

    def place(self, tensor: str) -> int:
        """The place in the graph's order of the node that makes a tensor."""
        return self._makers.get(tensor, -1)

    def reads(self, region: Subgraph) -> list[str]:
        """The tensors that a region reads and no node of it makes; weights are none of them."""
        nodes = self._nodes(region)
        made = {name for node in nodes for name in node.output}
        return list(
            dict.fromkeys(
                name for node in nodes for name in node.input if name and name not in made and name not in self._weights
            )
        )

    def run(
        self,
        region: Subgraph,
        target: str,
        inputs: Mapping[str, NDArray[Any]],
        precision: str | None,
        kept: Collection[str] = (),
    ) -> NDArray[Any]:
        """The region's output on these inputs; rounded to the precision, or (None) as the operators say.

        Tensors that are ``kept`` are made in FP32, and rounded where another node reads them.

        Raises:
            TrtlensError: ONNX Runtime does not run it.

        """
        scales = self._scales if precision == "int8" and not self._quantizes(region) else {}
        fed = {name: _to_scale(_rounded(values, precision), scales.get(name)) for name, values in inputs.items()}
        outputs = CpuModel(self.model(region, target, fed, precision, kept))(fed)
        values = outputs[target]
        if not isinstance(values, np.ndarray):
            raise TrtlensError(f"{target} is no tensor but a {type(values).__name__}")
        return _to_scale(values, scales.get(target))

    def knows_ranges(self, region: Subgraph) -> bool:
        """Whether Q/DQ nodes, or scales of all that it reads, say how the region's values are quantized."""
        reads = [name for name in self.reads(region) if self._types.get(name, FLOAT) == FLOAT]
        return self._quantizes(region) or (bool(reads) and all(name in self._scales for name in reads))

    def _quantizes(self, region: Subgraph) -> bool:
        return any(node.op_type in _QUANTIZING for node in self._nodes(region))

    def sum_noise(self, region: Subgraph, inputs: Mapping[str, NDArray[Any]]) -> float:
        """What sums in FP16 would add to the error, as a share of the signal: roundings of partial sums, which grow as the root of the length."""
        lengths = [self._sum_length(node, inputs) for node in self._nodes(region)]
        return _ROUNDING * _HALF_UNIT * sqrt(sum(lengths) / 2)

    def _sum_length(self, node: Any, inputs: Mapping[str, NDArray[Any]]) -> int:
        if node.op_type not in ("Conv", "Gemm", "MatMul", "ConvTranspose"):
            return 0
        weights = self._weights.get(node.input[1])
        if weights is not None:
            dims = list(weights.dims)
            return prod(dims) // max(dims[1 if node.op_type == "ConvTranspose" or len(dims) == 2 else 0], 1)
        known = inputs.get(node.input[0])
        return known.shape[-1] if known is not None and known.ndim else 0

    def _nodes(self, region: Subgraph) -> list[Any]:
        places = {self._makers[name] for node in region.nodes for name in node.outputs if name in self._makers}
        return [self._proto.graph.node[place] for place in sorted(places)]

    def model(
        self,
        region: Subgraph,
        target: str,
        fed: Mapping[str, NDArray[Any]],
        precision: str | None = None,
        kept: Collection[str] = (),
    ) -> Any:
        """The region as a model that takes these inputs and puts its last tensor out."""
        onnx = require_onnx(_PURPOSE)
        nodes = [made for node in self._nodes(region) for made in self._as_run(node, precision, kept)]
        read = dict.fromkeys(name for node in self._nodes(region) for name in node.input)
        full = {name for node in self._nodes(region) if not {*node.output}.isdisjoint(kept) for name in node.input}
        per_channel = self._channels(region) if precision == "int8" and not self._quantizes(region) else {}
        weights = [
            self._weight(name, None if name in full else precision, per_channel.get(name))
            for name in read
            if name in self._weights
        ]
        ends = [
            onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(values.dtype), None)
            for name, values in fed.items()
        ]
        graph = onnx.helper.make_graph(nodes, "region", ends, [onnx.ValueInfoProto(name=target)], weights)
        model = onnx.helper.make_model(graph, opset_imports=self._proto.opset_import, functions=self._proto.functions)
        model.ir_version = self._proto.ir_version
        return model

    def _as_run(self, node: Any, precision: str | None, kept: Collection[str]) -> Iterator[Any]:
        """The node, without quantization if nothing is rounded, and with its outputs rounded if they are to be half."""
        run = copy(node)
        if precision is None and node.op_type in _QUANTIZING and node.input[0] not in self._weights:
            run.op_type = "Identity"
            del run.input[1:]
            del run.attribute[:]
        half = HALF_NUMBERS.get(precision or "")
        if half is None or not {*node.output}.isdisjoint(kept):
            yield run
            return
        for place, name in enumerate(node.input):
            if name in kept:
                run.input[place] = f"{name} read by {node.output[0]}"
                yield from _casts(name, run.input[place], half)
        rounded = [name for name in node.output if name and self._types.get(name) == FLOAT]
        for place, name in enumerate(node.output):
            if name in rounded:
                run.output[place] = f"{name} in full"
        yield run
        for name in rounded:
            yield from _casts(f"{name} in full", name, half)

    def _channels(self, region: Subgraph) -> dict[str, int]:
        """Weights of products, with the axis of their output channels."""
        found = {}
        for node in self._nodes(region):
            name = node.input[1] if len(node.input) > 1 else ""
            if node.op_type in _CHANNELS and name in self._weights and self._weights[name].dims:
                turned = node.op_type == "Gemm" and any(one.name == "transB" and one.i for one in node.attribute)
                found[name] = 0 if turned else _CHANNELS[node.op_type]
        return found

    def _weight(self, name: str, precision: str | None, channels: int | None) -> Any:
        tensor = self._weights[name]
        if precision is None or tensor.data_type != FLOAT:
            return tensor
        values = _rounded(weight_values(tensor), precision)
        if channels is not None:
            others = tuple(axis for axis in range(values.ndim) if axis != channels % values.ndim)
            values = _to_scale(values, np.abs(values).max(axis=others, keepdims=True) / _LARGEST_INT8)
        return require_onnx(_PURPOSE).numpy_helper.from_array(values, name)


def _casts(source: str, target: str, half: int) -> Iterator[Any]:
    """Nodes that round a tensor to a half type."""
    helper = require_onnx(_PURPOSE).helper
    yield helper.make_node("Cast", [source], [f"{target} in half"], to=half)
    yield helper.make_node("Cast", [f"{target} in half"], [target], to=FLOAT)


def _to_scale(values: NDArray[Any], scale: float | NDArray[Any] | None) -> NDArray[Any]:
    """Values as INT8 of that scale holds them; as they are without one."""
    if scale is None or values.dtype.kind != "f":
        return values
    with np.errstate(all="ignore"):
        codes = np.clip(np.round(values / scale), -_LARGEST_INT8 - 1, _LARGEST_INT8)
    return np.where(scale, codes * scale, values).astype(np.float32)


def _rounded(values: NDArray[Any], precision: str | None) -> NDArray[Any]:
    """Values as FP32 numbers of the precision; whole numbers, and other precisions, as they are."""
    if values.dtype.kind != "f":
        return values
    full = np.ascontiguousarray(values, np.float32)
    if precision in HALF_NUMBERS:
        with np.errstate(all="ignore"):
            return np.asarray(decode(precision, encode(precision, full)), np.float32)
    if precision == "tf32":
        bits = full.view(np.uint32)
        nearest = (
            (bits + np.uint32((1 << _TF32_DROPPED - 1) - 1) + (bits >> _TF32_DROPPED & 1))
            >> _TF32_DROPPED
            << _TF32_DROPPED
        )
        return np.where(np.isfinite(full), nearest.view(np.float32), full)
    return full

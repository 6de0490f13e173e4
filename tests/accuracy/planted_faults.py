"""Networks with a planted fault, and an engine's double that runs them: faults of a compiler, and faults of the precision.

The double runs each region as a fused kernel does: inputs, weights and outputs are rounded to FP16, what lies between is not. A
compiler's fault is a model in which one node differs from the reference; a fault of the precision is a healthy model whose values or
sums FP16 (or a quantization range) does not hold.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from trtlens.accuracy.readers import Dump
from trtlens.accuracy.tensors import InMemory, Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]
    Row = tuple[str, list[str], str, dict[str, Any]]

_KEPT_INSIDE = frozenset(
    {"Conv", "Gemm", "Transpose", "Reshape", "Sqrt", "Erf", "Pow", "Mul", "Split", "QuantizeLinear", "DequantizeLinear"}
)
"""Operators whose outputs a fused kernel keeps to itself."""


@dataclass(frozen=True)
class Network:
    """A model, what it is fed, and the tensors that a dump of its engine holds."""

    name: str
    model: onnx.ModelProto
    feeds: Arrays
    kept: tuple[str, ...]


@dataclass(frozen=True)
class Planted:
    """A reference, the network that the engine runs in its place, and the precision that it runs in."""

    name: str
    reference: Network
    engine: Network
    precision: str = "fp16"
    half_sums: bool = False
    scales: Mapping[str, float] = field(default_factory=dict)


def network(name: str, rows: Sequence[Row], feeds: Arrays, weights: Arrays, kept: Sequence[str] = ()) -> Network:
    """A model of these nodes; by default a dump holds what a fused kernel would write."""
    nodes = [
        helper.make_node(op, ins, outs.split(), name=f"{op.lower()}{place}", **more)
        for place, (op, ins, outs, more) in enumerate(rows)
    ]
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info(key, onnx.TensorProto.FLOAT, value.shape) for key, value in feeds.items()],
        [helper.make_tensor_value_info(nodes[-1].output[0], onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, key) for key, value in weights.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    shown = kept or [one for node in nodes if node.op_type not in _KEPT_INSIDE for one in node.output]
    return Network(name, model, feeds, tuple(dict.fromkeys((*shown, nodes[-1].output[0]))))


def _scalar(value: float) -> NDArray[np.float32]:
    return np.array(value, np.float32)


def _normal(seed: int, *shape: int, scale: float = 1.0) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)


def _convolutions(seed: int) -> Network:
    weights = {
        f"w{n}": _normal(seed + n, 16, channels, 3, 3, scale=(2 / (9 * channels)) ** 0.5)
        for n, channels in enumerate((3, 16, 16))
    }
    biases = {f"b{n}": _normal(seed + 10 + n, 16, scale=0.1) for n in range(3)}
    rows: list[Row] = []
    top = "x"
    for n in range(3):
        rows += [
            ("Conv", [top, f"w{n}", f"b{n}"], f"c{n}", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
            ("Relu", [f"c{n}"], f"r{n}", {}),
        ]
        top = f"r{n}"
    return network("convolutions", rows, {"x": _normal(seed + 20, 2, 3, 16, 16)}, {**weights, **biases})


def _residual(seed: int) -> Network:
    weights = {f"w{n}": _normal(seed + n, 12, 12, 3, 3, scale=(1 / 108) ** 0.5) for n in range(4)}
    conv = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    rows: list[Row] = []
    top = "x"
    for block in (0, 2):
        rows += [
            ("Conv", [top, f"w{block}"], f"c{block}", conv), ("Relu", [f"c{block}"], f"r{block}", {}),
            ("Conv", [f"r{block}", f"w{block + 1}"], f"d{block}", conv), ("Add", [f"d{block}", top], f"s{block}", {}),
            ("Relu", [f"s{block}"], f"t{block}", {}),
        ]  # fmt: skip
        top = f"t{block}"
    kept = [name for row in rows for name in row[2].split() if row[0] == "Relu"]
    return network("residual", rows, {"x": _normal(seed + 20, 2, 12, 10, 10)}, weights, kept)


def _encoder(seed: int) -> Network:
    size, length = 32, 32
    weights: dict[str, NDArray[Any]] = {
        f"w{key}": _normal(seed + place, size, size, scale=size**-0.5) for place, key in enumerate("qkvo")
    }
    weights |= {"up": _normal(seed + 5, size, 64, scale=size**-0.5), "down": _normal(seed + 6, 64, size, scale=0.1)}
    weights |= {
        "gain": 1 + _normal(seed + 7, size, scale=0.1),
        "bias": _normal(seed + 8, size, scale=0.1),
        "scale": _scalar(size**-0.5),
    }
    rows: list[Row] = [
        ("LayerNormalization", ["x", "gain", "bias"], "n", {"axis": -1, "epsilon": 1e-5}),
        ("MatMul", ["n", "wq"], "q", {}), ("MatMul", ["n", "wk"], "k", {}), ("MatMul", ["n", "wv"], "v", {}),
        ("Transpose", ["k"], "kt", {"perm": [0, 2, 1]}), ("MatMul", ["q", "kt"], "scores", {}), ("Mul", ["scores", "scale"], "scaled", {}),
        ("Softmax", ["scaled"], "soft", {"axis": -1}), ("MatMul", ["soft", "v"], "mixed", {}), ("MatMul", ["mixed", "wo"], "out", {}),
        ("Add", ["out", "x"], "sum", {}), ("MatMul", ["sum", "up"], "wide", {}), ("Tanh", ["wide"], "act", {}),
        ("MatMul", ["act", "down"], "narrow", {}), ("Add", ["narrow", "sum"], "y", {}),
    ]  # fmt: skip
    return network("encoder", rows, {"x": _normal(seed + 20, 2, length, size)}, weights)


def _separable(seed: int) -> Network:
    weights: dict[str, NDArray[Any]] = {"low": _scalar(0), "high": _scalar(6)}
    rows: list[Row] = []
    top = "x"
    for n in range(2):
        weights |= {
            f"d{n}": _normal(seed + n, 24, 1, 3, 3, scale=1.0),
            f"p{n}": _normal(seed + 5 + n, 24, 24, 1, 1, scale=0.3),
        }
        rows += [
            ("Conv", [top, f"d{n}"], f"a{n}", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "group": 24}),
            ("Clip", [f"a{n}", "low", "high"], f"b{n}", {}), ("Conv", [f"b{n}", f"p{n}"], f"c{n}", {"kernel_shape": [1, 1]}),
            ("Clip", [f"c{n}", "low", "high"], f"e{n}", {}),
        ]  # fmt: skip
        top = f"e{n}"
    return network("separable", rows, {"x": np.abs(_normal(seed + 20, 1, 24, 12, 12))}, weights)


def _gated(seed: int) -> Network:
    weights = {
        f"w{n}": _normal(seed + n, *shape, scale=shape[0] ** -0.5)
        for n, shape in enumerate(((48, 64), (48, 64), (64, 48), (96, 20)))
    }
    rows: list[Row] = [
        ("MatMul", ["x", "w0"], "a", {}), ("MatMul", ["x", "w1"], "g", {}), ("Sigmoid", ["g"], "gate", {}), ("Mul", ["a", "gate"], "m", {}),
        ("MatMul", ["m", "w2"], "h", {}), ("Concat", ["x", "h"], "both", {"axis": 1}), ("MatMul", ["both", "w3"], "z", {}), ("Tanh", ["z"], "y", {}),
    ]  # fmt: skip
    return network("gated", rows, {"x": _normal(seed + 20, 24, 48)}, weights, ["a", "gate", "m", "h", "both", "y"])


def _head(seed: int) -> Network:
    weights: dict[str, NDArray[Any]] = {
        "w0": _normal(seed, 16, 16, 3, 3, scale=0.1),
        "w1": _normal(seed + 1, 8, 32, 1, 1, scale=0.2),
    }
    weights |= {"scales": np.array([1, 1, 2, 2], np.float32), "shape": np.array([2, 8, -1], np.int64)}
    rows: list[Row] = [
        ("Conv", ["x", "w0"], "c", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}), ("LeakyRelu", ["c"], "l", {"alpha": 0.1}),
        ("Resize", ["l", "", "scales"], "up", {"mode": "nearest"}), ("Concat", ["up", "side"], "both", {"axis": 1}),
        ("Conv", ["both", "w1"], "d", {"kernel_shape": [1, 1]}), ("Sigmoid", ["d"], "p", {}), ("Reshape", ["p", "shape"], "flat", {}),
        ("Transpose", ["flat"], "y", {"perm": [0, 2, 1]}),
    ]  # fmt: skip
    return network(
        "head", rows, {"x": _normal(seed + 20, 2, 16, 8, 8), "side": _normal(seed + 21, 2, 16, 16, 16)}, weights
    )


HEALTHY: tuple[Callable[[int], Network], ...] = (_convolutions, _residual, _encoder, _separable, _gated, _head)


# -- faults of a compiler ---------------------------------------------------------------------------------------------


def _changed(given: Network, change: Callable[[Any], None]) -> Network:
    model = onnx.ModelProto()
    model.CopyFrom(given.model)
    change(model.graph)
    return replace(given, model=model)


def _node(graph: Any, op: str, place: int = 0) -> Any:
    return [node for node in graph.node if node.op_type == op][place]


def _attribute(op: str, name: str, value: Any, place: int = 0) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        node = _node(graph, op, place)
        kept = [one for one in node.attribute if one.name != name]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute(name, value)])

    return change


def _reads(op: str, position: int, other: str, place: int = 0) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        _node(graph, op, place).input[position] = other

    return change


def _becomes(op: str, other: str, place: int = 0, inputs: int = 1, **attributes: Any) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        node = _node(graph, op, place)
        node.op_type = other
        del node.input[inputs:]
        del node.attribute[:]
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())

    return change


def _swapped(op: str, place: int = 0) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        node = _node(graph, op, place)
        node.input[0], node.input[1] = node.input[1], node.input[0]

    return change


def _weight(name: str, of: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        tensor = next(one for one in graph.initializer if one.name == name)
        tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(of(numpy_helper.to_array(tensor))), name))

    return change


_DEAD: Callable[[NDArray[Any]], NDArray[Any]] = np.zeros_like
COMPILER_FAULTS: Mapping[str, tuple[tuple[str, Callable[[Any], None]], ...]] = {
    "convolutions": (
        ("bias dropped", _weight("b1", _DEAD)),
        ("pads shifted", _attribute("Conv", "pads", [2, 2, 0, 0], 1)),
        ("activation dropped", _becomes("Relu", "Identity", 1)),
        ("another activation", _becomes("Relu", "LeakyRelu", 2, alpha=0.2)),
        ("channels rolled", _weight("w1", lambda w: np.roll(w, 1, axis=0))),
        ("kernel transposed", _weight("w2", lambda w: w.swapaxes(2, 3))),
        ("output dead", _weight("w2", lambda w: w * 0 - 1e3)),
    ),
    "residual": (
        ("addition dropped", _becomes("Add", "Identity")),
        ("adds a stale buffer", _reads("Add", 1, "r0")),
        ("reads the block before", _reads("Conv", 0, "x", 2)),
        ("last addition dropped", _becomes("Add", "Identity", 1)),
        ("kernel mirrored", _weight("w1", lambda w: w[..., ::-1])),
        ("subtracts", _becomes("Add", "Sub", inputs=2)),
        ("some channels lost", _weight("w3", lambda w: w * (np.arange(12) < 8).astype(np.float32).reshape(12, 1, 1, 1))),
    ),
    "encoder": (
        ("softmax along another axis", _attribute("Softmax", "axis", 1)),
        ("keys not transposed", _attribute("Transpose", "perm", [0, 1, 2])),
        ("epsilon", _attribute("LayerNormalization", "epsilon", 0.5)),
        ("queries and keys read in each other's place", _reads("MatMul", 1, "wk")),
        ("values read from keys", _reads("MatMul", 1, "k", 4)),
        ("addition reads the normalised input", _reads("Add", 1, "n")),
        ("scale lost", _weight("scale", np.ones_like)),
        ("activation clipped", _becomes("Tanh", "Relu")),
        ("projection transposed", _weight("wo", np.transpose)),
    ),
    "separable": (
        ("range clipped", _reads("Clip", 2, "bound")),
        ("groups mixed", _weight("d0", lambda w: np.roll(w, 4, axis=0))),
        ("pads shifted", _attribute("Conv", "pads", [0, 0, 2, 2])),
        ("lower bound lost", _becomes("Clip", "Identity", 3)),
        ("weights scaled", _weight("p1", lambda w: w * 1.25)),
        ("last channels lost", _weight("p1", lambda w: w * (np.arange(24) < 20).astype(np.float32).reshape(24, 1, 1, 1))),
    ),
    "gated": (
        ("gate of another product", _reads("Sigmoid", 0, "a")),
        ("gate dropped", _becomes("Mul", "Identity")),
        ("halves exchanged", _swapped("Concat")),
        ("another activation", _becomes("Tanh", "Sigmoid")),
        ("weights of the gate", _reads("MatMul", 1, "w1")),
        ("adds in place of multiplying", _becomes("Mul", "Add", inputs=2)),
    ),
    "head": (
        ("halves exchanged", _swapped("Concat")),
        ("another rounding when resized", _attribute("Resize", "nearest_mode", "ceil")),
        ("slope lost", _becomes("LeakyRelu", "Relu")),
        ("not transposed", _attribute("Transpose", "perm", [0, 1, 2])),
        ("another activation", _becomes("Sigmoid", "Tanh")),
    ),
}  # fmt: skip
"""By network: what is wrong, and the change to the model that makes it so."""


def compiler_faults(seed: int = 1) -> Iterator[Planted]:
    """Every network with every fault that is planted in it."""
    for make in HEALTHY:
        healthy = make(seed)
        healthy.model.graph.initializer.append(numpy_helper.from_array(_scalar(2), "bound"))
        for name, change in COMPILER_FAULTS[healthy.name]:
            yield Planted(f"{healthy.name}: {name}", healthy, _changed(healthy, change))


# -- faults of the precision ------------------------------------------------------------------------------------------


def _overflow(seed: int, size: int) -> Network:
    rows: list[Row] = [
        ("MatMul", ["x", "w"], "a", {}),
        ("Mul", ["a", "a"], "b", {}),
        ("ReduceMean", ["b"], "y", {"axes": [1]}),
    ]
    weights = {"w": _normal(seed, size, size, scale=30.0)}
    return network("overflow", rows, {"x": _normal(seed + 1, 8, size)}, weights, ["a", "b"])


def _cancellation(seed: int, offset: float) -> Network:
    rows: list[Row] = [("Add", ["x", "offset"], "a", {}), ("Sub", ["a", "offset"], "b", {}), ("Tanh", ["b"], "y", {})]
    return network("cancellation", rows, {"x": _normal(seed, 16, 32)}, {"offset": _scalar(offset)}, ["a", "y"])


def _subnormal(seed: int, scale: float) -> Network:
    rows: list[Row] = [("MatMul", ["x", "w"], "a", {}), ("Mul", ["a", "large"], "y", {})]
    return network(
        "subnormal",
        rows,
        {"x": _normal(seed, 8, 64)},
        {"w": _normal(seed + 1, 64, 32, scale=scale), "large": _scalar(1 / scale)},
        ["a", "y"],
    )


def _short_range(seed: int, step: float) -> Network:
    weights: dict[str, NDArray[Any]] = {
        "w": _normal(seed, 32, 32, scale=0.2),
        "step": _scalar(step),
        "zero": np.array(0, np.int8),
    }
    rows: list[Row] = [
        ("QuantizeLinear", ["x", "step", "zero"], "xq", {}), ("DequantizeLinear", ["xq", "step", "zero"], "xd", {}),
        ("MatMul", ["xd", "w"], "a", {}), ("Relu", ["a"], "y", {}),
    ]  # fmt: skip
    return network("short range", rows, {"x": _normal(seed + 1, 16, 32)}, weights, ["y"])


def _long_sum(seed: int, length: int) -> Network:
    rows: list[Row] = [("MatMul", ["x", "w"], "a", {}), ("Relu", ["a"], "y", {})]
    return network(
        "long sum", rows, {"x": np.abs(_normal(seed, 4, length))}, {"w": _normal(seed + 1, length, 8)}, ["y"]
    )


def precision_faults(seed: int = 1) -> Iterator[Planted]:
    """Eight of each kind: overflow, cancellation, subnormal weights, ranges of INT8 that are too short, long sums in FP16."""
    for place in range(8):
        healthy = [
            _overflow(seed + place, 24 + 4 * place), _cancellation(seed + place, 300.0 * (1 + place)),
            _subnormal(seed + place, 1e-7 * (1 + place)), _short_range(seed + place, 0.004 * (1 + place / 4)), _long_sum(seed + place, 4096 * (2 + place)),
        ]  # fmt: skip
        for one in healthy:
            precision = "int8" if one.name == "short range" else "fp16"
            yield Planted(f"{one.name} {place}", one, one, precision, half_sums=one.name == "long sum")


# -- the engine's double ----------------------------------------------------------------------------------------------


def _half(values: NDArray[Any]) -> NDArray[Any]:
    with np.errstate(all="ignore"):
        return values.astype(np.float16).astype(np.float32) if values.dtype == np.float32 else values


def engine_dump(planted: Planted) -> Dump:
    """What the engine's double writes, its faults included."""
    from trtlens.capture.dumping.reference import CpuModel

    given = planted.engine
    known = {name: _kept(planted, name, values) for name, values in given.feeds.items()}
    for region in _regions(given):
        model = _region_model(planted, region, known)
        made = CpuModel(model)({one.name: known[one.name] for one in model.graph.input})
        values = {name: _summed_in_half(given, known) if planted.half_sums else value for name, value in made.items()}
        known |= {name: _kept(planted, name, value) for name, value in values.items()}
    return _dump("engine", {name: known[name] for name in given.kept})


def _kept(planted: Planted, name: str, values: NDArray[Any]) -> NDArray[Any]:
    """A tensor as the engine stores it."""
    return _eighth(values, planted.scales[name]) if name in planted.scales else _stored(planted, values)


def _stored(planted: Planted, values: NDArray[Any]) -> NDArray[Any]:
    return _half(values) if planted.precision == "fp16" else values


def _eighth(values: NDArray[Any], scale: Any) -> NDArray[Any]:
    """The nearest of 255 steps of that size."""
    return (np.rint(values / scale).clip(-127, 127) * scale).astype(np.float32)


def in_int8(given: Network) -> Planted:
    """The network as an engine runs it that was calibrated with what it is fed."""
    values = reference_dump(Planted(given.name, given, given)).tensors
    scales = {name: float(np.abs(tensor.array()).max()) / 127 for name, tensor in values.items()}
    return Planted(f"{given.name} in INT8", given, given, "int8", scales=scales)


def reference_dump(planted: Planted) -> Dump:
    """What ONNX Runtime makes of the reference, and what it is fed."""
    from trtlens.capture.dumping.reference import CpuModel
    from trtlens.capture.models.onnx_graphs import with_outputs, without_quantization

    given = planted.reference
    model, _ = without_quantization(with_outputs(given.model, list(given.kept)))
    return _dump("reference", {**given.feeds, **CpuModel(model)(given.feeds)})


def _dump(name: str, arrays: Arrays) -> Dump:
    return Dump(name, "made", {key: Tensor(key, "fp32", value.shape, InMemory(value)) for key, value in arrays.items()})


def _regions(given: Network) -> Iterator[list[Any]]:
    """The nodes between one kept tensor and the next, in graph order."""
    region: list[Any] = []
    for node in given.model.graph.node:
        region.append(node)
        if any(name in given.kept for name in node.output):
            yield region
            region = []


def _region_model(planted: Planted, region: Sequence[Any], known: Arrays) -> Any:
    given = planted.engine
    made = {name for node in region for name in node.output}
    read = dict.fromkeys(name for node in region for name in node.input if name and name not in made)
    weights = {one.name: numpy_helper.to_array(one) for one in given.model.graph.initializer}
    graph = helper.make_graph(
        list(region), "region",
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, known[name].shape) for name in read if name not in weights],
        [onnx.ValueInfoProto(name=name) for name in made if name in given.kept],
        [numpy_helper.from_array(_weights_of(planted, weights[name]), name) for name in read if name in weights],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=given.model.opset_import)
    model.ir_version = 8
    return model


def _weights_of(planted: Planted, values: NDArray[Any]) -> NDArray[Any]:
    """Weights as the engine stores them: with scales, each output channel of a convolution in 255 steps."""
    if planted.scales and values.ndim == 4:
        return np.stack([_eighth(channel, np.abs(channel).max() / 127 or 1) for channel in values])
    return _stored(planted, values)


def _summed_in_half(given: Network, known: Arrays) -> NDArray[np.float32]:
    """The product of a long sum, rounded to FP16 after each term, as CUDA cores with such sums do."""
    weights = _half(numpy_helper.to_array(given.model.graph.initializer[0]))
    total = np.zeros((known["x"].shape[0], weights.shape[1]), np.float16)
    for row, weight in zip(known["x"].T, weights, strict=True):
        total = (total + np.outer(row, weight)).astype(np.float16)
    return np.maximum(total, 0).astype(np.float32)


def judged(planted: Planted, run: Callable[[Planted, Path], Dump] | None = None) -> list[dict[str, Any]]:
    """The rows of ``accuracy --blame`` for the engine's double, or for what `run` makes in a folder, with the model of the reference."""
    from trtlens.commands.region_errors import Regions, region_table

    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.onnx"
        onnx.save(planted.reference.model, str(model))
        theirs = engine_dump(planted) if run is None else run(planted, Path(folder))
        regions = Regions(reference_dump(planted), theirs, model, planted.scales)
        rows: list[dict[str, Any]] = region_table(regions, {}, planted.precision).to_pylist()
    return rows

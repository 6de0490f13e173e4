"""Models on which advice is tried: made with seeded random weights, so that nobody needs a download or PyTorch.

Exporters share equal biases of folded batch normalisations through Identity nodes: `Graph.convolution` does so too, which gives
the ResNet-50 47 and the MobileNetV2 39 of them, as in exports of torchvision's.

``python benchmarks/advice_models.py FOLDER [NAME ...]`` writes them for `benchmarks/advice.py`, where only another Python has the package onnx.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_OPSET = 17
_IMAGE = 224
_RESNET_50 = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
_RESNET_18 = ((64, 2, 1), (128, 2, 2), (256, 2, 2), (512, 2, 2))
_MOBILENET = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class Graph:
    """An ONNX graph under construction; ``scale`` divides all channels, to make models that are quick to look at."""

    def __init__(self, scale: int = 1) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._random = np.random.default_rng(0)
        self._scale = scale
        self._biases: dict[int, str] = {}

    def channels(self, count: int) -> int:
        """A number of channels in this model's scale."""
        return max(count // self._scale, 1)

    def add(self, op: str, *inputs: str, name: str, **attributes: Any) -> str:
        """One node; its output is called as it is."""
        self.nodes.append(helper.make_node(op, list(inputs), [f"{name}_out"], name=name, **attributes))
        return f"{name}_out"

    def weight(self, name: str, *shape: int, spread: float = 0.0) -> str:
        """Random numbers of that standard deviation, else ones."""
        values = self._random.normal(0, spread, shape) if spread else np.ones(shape)
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def convolution(
        self, x: str, name: str, before: int, after: int, kernel: int = 1, *, stride: int = 1, groups: int = 1
    ) -> str:
        """A convolution whose bias is shared with all of its length, through an Identity from the second on."""
        fan = before // groups * kernel * kernel
        weight = self.weight(f"{name}.weight", after, before // groups, kernel, kernel, spread=(2 / fan) ** 0.5)
        if after in self._biases:
            bias = self.add("Identity", self._biases[after], name=f"{name}.bias")
        else:
            bias = self._biases[after] = self.weight(f"{name}.bias", after, spread=0.01)
        pad = kernel // 2
        return self.add(
            "Conv", x, weight, bias, name=name, kernel_shape=[kernel, kernel], strides=[stride, stride], group=groups, pads=[pad] * 4
        )  # fmt: skip

    def linear(self, x: str, name: str, before: int, after: int) -> str:
        """A matrix product with a bias."""
        product = self.add("MatMul", x, self.weight(f"{name}.weight", before, after, spread=before**-0.5), name=name)
        return self.add("Add", product, self.weight(f"{name}.bias", after, spread=0.01), name=f"{name}.add")

    def model(self, shape: tuple[int, ...], output: str, made_shape: tuple[int, ...]) -> onnx.ModelProto:
        """The whole model, of an input ``data`` and an output of these shapes."""
        given = helper.make_tensor_value_info("data", TensorProto.FLOAT, shape)
        made = helper.make_tensor_value_info(output, TensorProto.FLOAT, made_shape)
        graph = helper.make_graph(self.nodes, "advice", [given], [made], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)


def _classified(graph: Graph, x: str, channels: int, batch: int) -> onnx.ModelProto:
    pooled = graph.add("Flatten", graph.add("GlobalAveragePool", x, name="avgpool"), name="flatten")
    weight = graph.weight("fc.weight", 1000, channels, spread=channels**-0.5)
    output = graph.add("Gemm", pooled, weight, graph.weight("fc.bias", 1000, spread=0.01), name="fc", transB=1)
    return graph.model((batch, 3, _IMAGE, _IMAGE), output, (batch, 1000))


def _stem(graph: Graph) -> str:
    x = graph.add("Relu", graph.convolution("data", "conv1", 3, graph.channels(64), 7, stride=2), name="relu")
    return graph.add("MaxPool", x, name="maxpool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)


def resnet(batch: int, scale: int = 1) -> onnx.ModelProto:
    """ResNet-50 without its batch normalisations: 53 convolutions, 47 of their biases behind an Identity."""
    graph = Graph(scale)
    x, before = _stem(graph), graph.channels(64)
    for stage, (width, blocks, stride) in enumerate(_RESNET_50, 1):
        middle, after = graph.channels(width), 4 * graph.channels(width)
        for block in range(blocks):
            name, step = f"layer{stage}.{block}", stride if block == 0 else 1
            y = graph.add("Relu", graph.convolution(x, f"{name}.conv1", before, middle), name=f"{name}.relu1")
            y = graph.convolution(y, f"{name}.conv2", middle, middle, 3, stride=step)
            y = graph.convolution(graph.add("Relu", y, name=f"{name}.relu2"), f"{name}.conv3", middle, after)
            if block == 0:
                x = graph.convolution(x, f"{name}.downsample", before, after, stride=step)
            x, before = graph.add("Relu", graph.add("Add", y, x, name=f"{name}.add"), name=f"{name}.relu3"), after
    return _classified(graph, x, before, batch)


def small_resnet(batch: int, scale: int = 1) -> onnx.ModelProto:
    """ResNet-18 in the same form: the model that is quantized."""
    graph = Graph(scale)
    x, before = _stem(graph), graph.channels(64)
    for stage, (width, blocks, stride) in enumerate(_RESNET_18, 1):
        after = graph.channels(width)
        for block in range(blocks):
            name, step = f"layer{stage}.{block}", stride if block == 0 else 1
            y = graph.convolution(x, f"{name}.conv1", before, after, 3, stride=step)
            y = graph.convolution(graph.add("Relu", y, name=f"{name}.relu1"), f"{name}.conv2", after, after, 3)
            if step > 1:
                x = graph.convolution(x, f"{name}.downsample", before, after, stride=step)
            x, before = graph.add("Relu", graph.add("Add", y, x, name=f"{name}.add"), name=f"{name}.relu2"), after
    return _classified(graph, x, before, batch)


def mobilenet(batch: int, scale: int = 1) -> onnx.ModelProto:
    """MobileNetV2: 52 convolutions, 39 of their biases behind an Identity."""
    graph, place = Graph(scale), 0

    def clipped(x: str, name: str) -> str:
        return graph.add("Relu", x, name=f"{name}.relu")

    before = graph.channels(32)
    x = clipped(graph.convolution("data", "stem", 3, before, 3, stride=2), "stem")
    for widen, width, blocks, stride in _MOBILENET:
        after = graph.channels(width)
        for block in range(blocks):
            place += 1
            name, wide, step = f"block{place}", before * widen, stride if block == 0 else 1
            y = clipped(graph.convolution(x, f"{name}.expand", before, wide), f"{name}.expand") if widen > 1 else x
            y = graph.convolution(y, f"{name}.depthwise", wide, wide, 3, stride=step, groups=wide)
            y = graph.convolution(clipped(y, f"{name}.depthwise"), f"{name}.project", wide, after)
            x = graph.add("Add", x, y, name=f"{name}.add") if step == 1 and before == after else y
            before = after
    last = graph.channels(1280)
    return _classified(graph, clipped(graph.convolution(x, "head", before, last), "head"), last, batch)


def transformer(batch: int, scale: int = 1, *, layers: int = 4, tokens: int = 128, heads: int = 8) -> onnx.ModelProto:
    """Encoder layers of width 512: attention, LayerNormalization, and a feed-forward part with GELU."""
    graph = Graph(scale)
    width = heads * max(64 // scale, 1)
    split = numpy_helper.from_array(np.array([batch, tokens, heads, width // heads], np.int64), "split")
    joined = numpy_helper.from_array(np.array([batch, tokens, width], np.int64), "joined")
    numbers = [("root", 2**0.5), ("one", 1.0), ("half", 0.5), ("scale", (width // heads) ** -0.5)]
    graph.weights += [split, joined, *(numpy_helper.from_array(np.float32(value), name) for name, value in numbers)]
    x = "data"
    for layer in range(layers):
        name = f"layer{layer}"
        x = _normalised(
            graph, graph.add("Add", x, _attention(graph, x, name, width), name=f"{name}.add1"), f"{name}.norm1", width
        )
        x = _normalised(
            graph, graph.add("Add", x, _forward(graph, x, name, width), name=f"{name}.add2"), f"{name}.norm2", width
        )
    return graph.model((batch, tokens, width), x, (batch, tokens, width))


def _normalised(graph: Graph, x: str, name: str, width: int) -> str:
    scale, bias = graph.weight(f"{name}.weight", width), graph.weight(f"{name}.bias", width, spread=0.01)
    return graph.add("LayerNormalization", x, scale, bias, name=name, axis=-1)


def _attention(graph: Graph, x: str, name: str, width: int) -> str:
    def heads(part: str, order: list[int]) -> str:
        y = graph.add("Reshape", graph.linear(x, f"{name}.{part}", width, width), "split", name=f"{name}.{part}.split")
        return graph.add("Transpose", y, name=f"{name}.{part}.turn", perm=order)

    scores = graph.add("MatMul", heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]), name=f"{name}.scores")
    weights = graph.add(
        "Softmax", graph.add("Mul", scores, "scale", name=f"{name}.scaled"), name=f"{name}.softmax", axis=-1
    )
    mixed = graph.add("MatMul", weights, heads("value", [0, 2, 1, 3]), name=f"{name}.mixed")
    turned = graph.add("Transpose", mixed, name=f"{name}.turn", perm=[0, 2, 1, 3])
    return graph.linear(graph.add("Reshape", turned, "joined", name=f"{name}.join"), f"{name}.out", width, width)


def _forward(graph: Graph, x: str, name: str, width: int) -> str:
    y = graph.linear(x, f"{name}.up", width, 4 * width)
    erf = graph.add("Erf", graph.add("Div", y, "root", name=f"{name}.div"), name=f"{name}.erf")
    gate = graph.add("Mul", graph.add("Add", erf, "one", name=f"{name}.plus"), "half", name=f"{name}.half")
    return graph.linear(graph.add("Mul", y, gate, name=f"{name}.gelu"), f"{name}.down", 4 * width, width)


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without Identity nodes on weights: each reader gets a weight of its own, as constant folding does."""
    made = onnx.ModelProto.FromString(model.SerializeToString())
    values = {tensor.name: tensor for tensor in made.graph.initializer}
    kept = []
    for node in made.graph.node:
        if node.op_type == "Identity" and node.input[0] in values:
            copy = made.graph.initializer.add()
            copy.CopyFrom(values[node.input[0]])
            copy.name = node.output[0]
        else:
            kept.append(node)
    del made.graph.node[:]
    made.graph.node.extend(kept)
    return made


MODELS: Mapping[str, Callable[..., onnx.ModelProto]] = {
    "resnet": resnet, "mobilenet": mobilenet, "transformer": transformer, "quantized": small_resnet,
}  # fmt: skip
"""Makers by name: each takes the batch size and the scale."""
BATCH = 8


def write(name: str, folder: Path) -> None:
    """Write a model and the same with its constants folded, where they are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    plain, bare = folder / f"{name}.onnx", folder / f"{name}-folded.onnx"
    if not (plain.exists() and bare.exists()):
        model = MODELS[name](BATCH)
        onnx.save(model, plain)
        onnx.save(folded(model), bare)


if __name__ == "__main__":
    for asked in sys.argv[2:] or MODELS:
        write(asked, Path(sys.argv[1]))

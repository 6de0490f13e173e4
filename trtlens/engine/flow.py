"""The engine as it is drawn: layers, inputs and outputs as nodes in flow order, tensors as edges, constants folded away."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING

from trtlens.engine.engine_graph import CONSTANT, read_graph
from trtlens.engine.kernels_run import ran_by_layer
from trtlens.runs.run import Run, once
from trtlens.tables.arrays import of_build
from trtlens.tables.engine_layers import NO_WORK, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trtlens.engine.engine_graph import EngineGraph, GraphLayer
    from trtlens.engine.kernels_run import RanKernel

LAYER, REFORMAT, IDLE, INPUT, OUTPUT = "layer", "reformat", "idle", "input", "output"


@dataclass(frozen=True, slots=True)
class FlowNode:
    """A layer, or an input or output of the engine, which has no layer.

    Attributes:
        kind: ``layer``, ``reformat``, ``idle`` (a layer that launches no kernel), ``input`` or ``output``.
        name: the layer's, else the tensor's.
        layer: the layer; None for an input or output.
        constants: constants that it reads, which are no nodes.
        kernels: launches of the layer in a trace, in launch order.
    """

    kind: str
    name: str
    layer: GraphLayer | None = None
    constants: int = 0
    kernels: Sequence[RanKernel] = ()

    @property
    def time_ms(self) -> float | None:
        """The layer's time; None where it is unknown, and for an input or output."""
        return None if self.layer is None else self.layer.time_ms


@dataclass(frozen=True, slots=True)
class FlowEdge:
    """A tensor from the node that makes it to one that reads it, both by their place; ``form`` is the tuner's text of its format."""

    source: int
    target: int
    tensor: Tensor
    form: str | None = None


@dataclass(frozen=True, slots=True)
class EngineFlow:
    """One build's engine: inputs, then layers in execution order, then outputs.

    Left out are ``folded`` constants, and ``apart`` layers that launch no kernel and have no tensors (signals between streams).
    ``total_ms`` is what all layers take together.
    """

    nodes: Sequence[FlowNode]
    edges: Sequence[FlowEdge]
    folded: int
    apart: int
    total_ms: float

    @property
    def time_source(self) -> str | None:
        """The clock of its times; None without times."""
        return next((node.layer.time_source for node in self.nodes if node.layer and node.layer.time_source), None)


@once
def read_flow(run: Run, build: int) -> EngineFlow:
    """The flow of one build; without nodes where the run lists no engine layers.

    A tensor that several layers write (the parts of a concatenation) comes from all of them that stand before its reader, one that
    is written after its reader only (a loop) from those. Inputs and outputs are the engine's bindings, and another tensor that no layer
    writes is a constant inside of Myelin; where the run lists no bindings they are what no layer writes, and what none reads.
    """
    graph = read_graph(run, build)
    launches = ran_by_layer(run, build)
    bound = set(of_build(run["bindings"], build)["name"].to_pylist()) & {*graph.makers, *graph.readers}
    inputs = [name for name in graph.readers if not graph.makers.get(name) and (name in bound or not bound)]
    folded = sum(layer.type == CONSTANT for layer in graph.nodes.values())
    layers = [layer for layer in graph.nodes.values() if layer.type != CONSTANT and not _apart(layer)]
    outputs = [
        name for name in graph.makers if _writers(graph, name) and (name in bound if bound else not graph.readers.get(name))
    ]  # fmt: skip
    nodes = [
        *(FlowNode(INPUT, name) for name in inputs),
        *(
            FlowNode(_kind(one), one.name, one, _constants(graph, one, inputs), launches.get(one.index, ()))
            for one in layers
        ),
        *(FlowNode(OUTPUT, name) for name in outputs),
    ]
    edges = list(_edges(graph, layers, inputs, outputs)) if layers else []
    total_ms = fsum(layer.time_ms or 0.0 for layer in layers)
    return EngineFlow(nodes if layers else [], edges, folded, len(graph.nodes) - len(layers) - folded, total_ms)


def _apart(layer: GraphLayer) -> bool:
    return layer.type in NO_WORK and not layer.inputs and not layer.outputs


def _kind(layer: GraphLayer) -> str:
    if layer.type in NO_WORK:
        return IDLE
    return REFORMAT if layer.is_reformat else LAYER


def _writers(graph: EngineGraph, tensor: str) -> list[int]:
    """Indices of the layers that write a tensor, constants left out."""
    return [index for index in dict.fromkeys(graph.makers.get(tensor, ())) if graph.nodes[index].type != CONSTANT]


def _constants(graph: EngineGraph, layer: GraphLayer, inputs: Sequence[str]) -> int:
    return sum(not _writers(graph, name) and name not in inputs for name in set(layer.input_names))


def _edges(
    graph: EngineGraph, layers: Sequence[GraphLayer], inputs: Sequence[str], outputs: Sequence[str]
) -> Iterator[FlowEdge]:
    place = {layer.index: len(inputs) + number for number, layer in enumerate(layers)}
    entry = {name: number for number, name in enumerate(inputs)}
    for layer in layers:
        for tensor in _distinct(layer.inputs):
            form = graph.formats.get(tensor.name)
            writers = [index for index in _writers(graph, tensor.name) if index != layer.index]
            makers = [index for index in writers if index < layer.index] or writers
            sources = [entry[tensor.name]] if tensor.name in entry else [place[index] for index in makers]
            for source in sources:
                yield FlowEdge(source, place[layer.index], tensor, form.text if form else None)
    for number, name in enumerate(outputs, len(inputs) + len(layers)):
        form = graph.formats.get(name)
        for index in _writers(graph, name):
            (tensor,) = (one for one in _distinct(graph.nodes[index].outputs) if one.name == name)
            yield FlowEdge(place[index], number, tensor, form.text if form else None)


def _distinct(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Each tensor once: a layer may read one twice."""
    return list({tensor.name: tensor for tensor in tensors}.values())

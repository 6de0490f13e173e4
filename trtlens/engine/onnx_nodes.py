"""Which ONNX node of one run is which node of another: by structure where the graphs allow it, else by name.

A name alone is weak evidence: exporters number nodes (``Conv_4``), and a graph with Q/DQ nodes in it numbers them anew.
So graphs are first compared with everything that only converts taken out; siblings (FP32 and FP16, a model and its Q/DQ
form, one model read by two TensorRT versions) are equal then, node by node, whatever their names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from trtlens.engine.built_engine import BuiltEngine, OnnxNode

_NUMBERED = re.compile(r"(?P<op>[A-Za-z]\w*?)_\d+")
_SAME_NUMBERING = 0.99
"""Share of an engine's numbered names that the reference must hold where the engine's own graph is not known."""


class Identities:
    """Gives each node name of each engine a key; two nodes are the same where their keys are equal.

    Keys are the names of the reference, the first engine whose log lists ONNX nodes; a node that is not there has a key of
    its own engine. ``graphs`` holds a graph for each engine that lists nodes.
    """

    def __init__(self, engines: Sequence[BuiltEngine]) -> None:
        self.graphs: list[Graph | None] = [
            Graph(engine.nodes, engine.network_inputs) if engine.nodes else None for engine in engines
        ]
        self.reference: Graph | None = next((graph for graph in self.graphs if graph is not None), None)
        self._keys = [self._side_keys(number, engine) for number, engine in enumerate(engines)]
        self._held = [
            None if graph is None else {self.key(number, node.name) for node in graph.nodes}
            for number, graph in enumerate(self.graphs)
        ]
        self._ops = _operators(self.graphs)

    def key(self, engine: int, name: str) -> str:
        """The key of a node of one engine."""
        return self._keys[engine](name)

    def op(self, engine: int, name: str) -> str | None:
        """The operator of a node, from its own graph or else from another engine's; None where no log tells."""
        graph = self.graphs[engine]
        known = None if graph is None else graph.op(name)
        return known or self._ops.get(name)

    def links(self, engine: int, name: str) -> bool:
        """Whether two layers that hold this node hold the same work: not so for conversions and constants."""
        graph = self.graphs[engine]
        if graph is not None and graph.position.get(name) in graph.constants:
            return False
        return not is_conversion(self.op(engine, name), name)

    def holds(self, engine: int, key: str) -> bool | None:
        """Whether an engine's model has the node; None where its log does not list the model's nodes."""
        held = self._held[engine]
        return None if held is None else key in held

    def _side_keys(self, number: int, engine: BuiltEngine) -> Callable[[str], str]:
        graph, reference = self.graphs[number], self.reference
        if reference is None:
            return lambda name: name
        if graph is None:
            return _unlisted(number, engine, reference)
        if graph is reference:
            return lambda name: name
        known = same_nodes(reference, graph)
        return lambda name: known.get(name, name if name not in graph.position else f"{number}:{name}")


def same_nodes(reference: Graph, other: Graph) -> dict[str, str]:
    """Names in ``other`` to names in ``reference``, for the nodes that are the same."""
    same = {node.name: node.name for node in other.nodes if _is_same(reference, node)}
    places, shape = reference.skeleton()
    other_places, other_shape = other.skeleton()
    if shape == other_shape:
        for there, here in zip(other_places, places, strict=True):
            same[other.nodes[there].name] = reference.nodes[here].name
    return same


def _is_same(reference: Graph, node: OnnxNode) -> bool:
    """Whether the reference has a node of that name and operator and, for a name with a number, of a common tensor."""
    place = reference.position.get(node.name)
    if place is None or reference.nodes[place].op != node.op:
        return False
    numbered = _NUMBERED.fullmatch(node.name)
    if numbered is None or numbered["op"] != node.op:
        return True
    twin = reference.nodes[place]
    shared = {*twin.inputs, *twin.outputs} & {*node.inputs, *node.outputs}
    return any(tensor and not tensor.isdigit() and tensor not in reference.inputs for tensor in shared)


def _unlisted(number: int, engine: BuiltEngine, reference: Graph) -> Callable[[str], str]:
    """Keys for an engine whose log lists no nodes: names as they are, numbered ones only where they fit the reference."""
    numbered = {name for layer in engine.layers for name in layer.onnx_nodes if _NUMBERED.fullmatch(name)}
    fitting = sum(name in reference.position for name in numbered)
    if not numbered or fitting >= _SAME_NUMBERING * len(numbered):
        return lambda name: name
    return lambda name: f"{number}:{name}" if _NUMBERED.fullmatch(name) else name


def _operators(graphs: Sequence[Graph | None]) -> dict[str, str]:
    return {node.name: node.op for graph in reversed(graphs) if graph is not None for node in graph.nodes}


# -- the graph --------------------------------------------------------------------------------------------------------
# An ONNX graph as a log shows it: who makes which tensor, what is constant, which nodes only convert or reshape.
#
# Operator names are those of ONNX; TensorRT's own quantisation operators (``TRT_FP8QuantizeLinear``, ..) end alike.


_CONVERSIONS = frozenset({"Cast", "CastLike", "Identity", "Dropout", "Constant", "BitCast"})
_RESHAPES = frozenset({
    "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Expand", "Shape", "Slice", "Split", "Concat",
})  # fmt: skip
# Names that exporters and converters give to such nodes, for logs that do not print the operators.
_CONVERSION_NAME = re.compile(r"(?:Quantize|Dequantize)Linear(?:_\d+)?$|(?:^|[/_.])Cast(?:_\d+)?$|_cast_(?:to_|\d+$)")


def is_conversion(op: str | None, name: str) -> bool:
    """Whether a node only changes a type or passes its input on: precisions come and go with it, work does not.

    Judged by the operator, or by the name where the operator is unknown.
    """
    if op is None:
        return _CONVERSION_NAME.search(name) is not None
    return op in _CONVERSIONS or op.lower().endswith("quantizelinear")


def is_reshape(op: str | None) -> bool:
    """Whether a node only rearranges data; TensorRT often makes nothing of it."""
    return op in _RESHAPES


class Graph:
    """The nodes of one model in parser order; ``inputs`` are the network's, empty where unknown."""

    def __init__(self, nodes: Sequence[OnnxNode], inputs: Iterable[str] = ()) -> None:
        self.nodes: tuple[OnnxNode, ...] = tuple(nodes)
        self.position: dict[str, int] = {node.name: place for place, node in reversed(list(enumerate(self.nodes)))}
        self.maker: dict[str, int] = {
            tensor: place for place, node in enumerate(self.nodes) for tensor in node.outputs if tensor
        }
        self.readers: dict[str, list[int]] = _readers(self.nodes)
        self.inputs: frozenset[str] = frozenset(
            name for name in inputs if name in self.readers and name not in self.maker
        )
        self.constants: frozenset[int] = self._constants()

    def op(self, name: str) -> str | None:
        """The operator of a node; None where the graph has no node of that name."""
        place = self.position.get(name)
        return None if place is None else self.nodes[place].op

    def is_initializer(self, tensor: str) -> bool:
        """Whether a tensor is read by nodes, made by none, and no network input as far as those are known."""
        return tensor in self.readers and tensor not in self.maker and tensor not in self.inputs

    def _constants(self) -> frozenset[int]:
        """Nodes that depend on weights alone; only nodes without inputs where the network's inputs are unknown."""
        found: set[int] = set()
        for place, node in enumerate(self.nodes):  # parser order is topological
            read = [tensor for tensor in node.inputs if tensor]
            if all(self._is_constant(tensor, found) for tensor in read) and (not read or self.inputs):
                found.add(place)
        return frozenset(found)

    def _is_constant(self, tensor: str, found: set[int]) -> bool:
        return self.maker[tensor] in found if tensor in self.maker else tensor not in self.inputs

    def between(
        self, outputs: Iterable[str], inputs: frozenset[str], within: range | None = None
    ) -> frozenset[int] | None:
        """Nodes on the way back from ``outputs`` to ``inputs``; None where a way ends at another tensor.

        ``within`` limits the walk to a range of parser positions, and then ways may leave it. Constants end a way.
        """
        found: set[int] = set()
        front = [tensor for tensor in outputs if tensor not in inputs]
        while front:
            tensor = front.pop()
            place = self.maker.get(tensor)
            if place is None:
                if within is None and tensor in self.inputs:
                    return None
            elif place not in found and place not in self.constants and (within is None or place in within):
                found.add(place)
                front += [read for read in self.nodes[place].inputs if read and read not in inputs]
        return frozenset(found)

    def work(self) -> list[int]:
        """Positions of the nodes that neither convert nor depend on weights alone."""
        return [
            place for place, node in enumerate(self.nodes)
            if place not in self.constants and not is_conversion(node.op, node.name)
        ]  # fmt: skip

    def skeleton(self) -> tuple[list[int], list[tuple[str, tuple[int, ...]]]]:
        """The work nodes, and for each its operator and which of them it reads, conversions looked through."""
        places = self.work()
        rank = {place: number for number, place in enumerate(places)}
        source: dict[int, int | None] = {}
        for place, node in enumerate(self.nodes):
            first = next((self.maker[t] for t in node.inputs[:1] if t in self.maker), None)
            source[place] = rank[place] if place in rank else None if first is None else source.get(first)
        shape = [(self.nodes[place].op, self._read(place, source)) for place in places]
        return places, shape

    def _read(self, place: int, source: Mapping[int, int | None]) -> tuple[int, ...]:
        made = (self.maker[tensor] for tensor in self.nodes[place].inputs if tensor in self.maker)
        return tuple(number for number in (source.get(maker) for maker in made) if number is not None)


def _readers(nodes: Sequence[OnnxNode]) -> dict[str, list[int]]:
    readers: dict[str, list[int]] = {}
    for place, node in enumerate(nodes):
        for tensor in dict.fromkeys(node.inputs):
            if tensor:
                readers.setdefault(tensor, []).append(place)
    return readers

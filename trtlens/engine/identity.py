"""Which ONNX node of one run is which node of another: by structure where the graphs allow it, else by name.

A name alone is weak evidence: exporters number nodes (``Conv_4``), and a graph with Q/DQ nodes in it numbers them anew.
So graphs are first compared with everything that only converts taken out; siblings (FP32 and FP16, a model and its Q/DQ
form, one model read by two TensorRT versions) are equal then, node by node, whatever their names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trtlens.engine.onnx_graph import Graph, is_conversion

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
        self.graphs = [Graph(engine.nodes, engine.network_inputs) if engine.nodes else None for engine in engines]
        self.reference = next((graph for graph in self.graphs if graph is not None), None)
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

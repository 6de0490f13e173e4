"""Which ONNX nodes each engine layer holds: from its Metadata (8.6 on), else its name, else the tensors around it.

Metadata is exact. A name is, where all its parts are known. What lies between a layer's input and output tensors is held
by it, if these are tensors of the model: that resolves ForeignNodes and layers without a name of their own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.engine.node_names import NameReader, Parts, fused_names, is_unnamed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.engine.built_engine import BuiltEngine, PlacedLayer
    from trtlens.engine.onnx_nodes import Graph, Identities

METADATA, NAME, TENSORS = "metadata", "name", "tensors"
_LONGEST_CHAIN = 16
"""Reformats in a row that are looked through."""


@dataclass(frozen=True, slots=True)
class LayerNodes:
    """The nodes of one layer by their names on its engine; ``source`` says how they are known, None for not at all."""

    nodes: tuple[str, ...]
    source: str | None


def read_layer_nodes(
    engines: Sequence[BuiltEngine], number: int, identities: Identities, *, trust_unnamed: bool
) -> list[LayerNodes]:
    """What each layer of one of the engines holds, in the order of its layers.

    ``trust_unnamed`` takes stand-in names such as ``(Unnamed Layer* 5) [Convolution]`` for nodes: right only where all
    engines number them alike.
    """
    return _Reader(engines, number, identities, trust_unnamed=trust_unnamed).read()


class _Reader:
    def __init__(
        self, engines: Sequence[BuiltEngine], number: int, identities: Identities, *, trust_unnamed: bool
    ) -> None:
        engine, graph = engines[number], identities.graphs[number]
        self._engine, self._graph, self._trust_unnamed = engine, graph, trust_unnamed
        graphs = [known for known in identities.graphs if known is not None]
        own = [graph] if graph is not None else graphs
        nodes = {node.name for known in own for node in known.nodes if node.name}
        nodes.update(name for layer in engine.layers for name in layer.onnx_nodes)
        nodes.update(name for names in engine.foreign.values() for name in names)
        constants = {tensor for known in own for tensor in known.readers if known.is_initializer(tensor)} - nodes
        leaves = frozenset[str]() if nodes else frozenset().union(*(fused_names(one.fusions) for one in engines))
        self._names = NameReader(nodes, constants, engine.fusions, leaves)
        self._writers = Counter(name for layer in engine.layers for name in set(layer.output_names))
        self._tensors = _ModelTensors(engine.layers)

    def read(self) -> list[LayerNodes]:
        parts = [self._names.read(layer.name) for layer in self._engine.layers]
        claimed = {name for part in parts for name in part.nodes}
        claimed.update(name for layer in self._engine.layers for name in layer.onnx_nodes)
        return [
            self._nodes_of(layer, part, claimed) for layer, part in zip(self._engine.layers, parts, strict=True)
        ]  # fmt: skip

    def _nodes_of(self, layer: PlacedLayer, part: Parts, claimed: set[str]) -> LayerNodes:
        named = part.nodes or part.added
        if foreign := self._engine.foreign.get(layer.name):
            return LayerNodes(foreign, METADATA)
        if layer.onnx_nodes:  # a log that breaks lines at U+001E has lost all but the first entry: the name knows more
            return LayerNodes(tuple(dict.fromkeys([*layer.onnx_nodes, *part.nodes])), METADATA)
        if part.complete or not layer.works:
            return LayerNodes(named, NAME if named else None)
        if between := self._between(layer, part, claimed):
            return LayerNodes(tuple(dict.fromkeys([*part.nodes, *between])), TENSORS)
        if named:
            return LayerNodes(named, NAME)
        if last := self._last(layer):
            return LayerNodes(last, TENSORS)
        atoms = self._atoms(part)
        return LayerNodes(atoms, NAME if atoms else None)

    def _atoms(self, part: Parts) -> tuple[str, ...]:
        """Parts that no list of nodes knows, taken for nodes where the log has no such list."""
        if self._graph is not None and not self._trust_unnamed:
            return ()
        return tuple(name for name in part.other if self._trust_unnamed or not is_unnamed(name))

    def _between(self, layer: PlacedLayer, part: Parts, claimed: set[str]) -> list[str]:
        """Nodes between the layer's tensors, else for a ForeignNode those from its first to its last in parser order."""
        graph = self._graph
        if graph is None:
            return []
        outputs = [self._tensors.name(name) for name in layer.output_names]
        inputs = frozenset(self._tensors.name(name) for name in layer.input_names)
        whole = bool(outputs) and all(name in graph.maker for name in outputs) and self._writes_alone(layer)
        if whole and (found := graph.between(outputs, inputs)) is not None:
            return [graph.nodes[place].name for place in sorted(found)]
        if part.ends is None or (span := self._span(graph, *part.ends)) is None:
            return []
        found = graph.between(outputs, inputs, span) if whole else frozenset(span)
        names = [graph.nodes[place].name for place in sorted(found or ()) if place not in graph.constants]
        return [name for name in names if name not in claimed]

    def _writes_alone(self, layer: PlacedLayer) -> bool:
        """Whether no other layer writes its outputs: the parts of a concatenation are written by many."""
        return all(self._writers[name] == 1 for name in layer.output_names)

    def _last(self, layer: PlacedLayer) -> tuple[str, ...]:
        """The nodes whose outputs the layer makes, alone: it does their last step at least."""
        if self._graph is None:
            return ()
        outputs = [self._tensors.name(name) for name in layer.output_names if self._writers[name] == 1]
        places = sorted({self._graph.maker[name] for name in outputs if name in self._graph.maker})
        return tuple(self._graph.nodes[place].name for place in places)

    def _span(self, graph: Graph, first: str | None, last: str | None) -> range | None:
        """Parser positions from one end of a ForeignNode to the other; a constant stands for the node that reads it."""
        places = [_place(graph, name) for name in (first, last) if name is not None]
        known = sorted(place for place in places if place is not None)
        return range(known[0], known[1] + 1) if len(known) > 1 else None


def _place(graph: Graph, name: str) -> int | None:
    readers = graph.readers.get(name)
    return graph.position.get(name, min(readers) if readers else None)


class _ModelTensors:
    """The tensor of the model that a tensor next to a reformat stands for."""

    def __init__(self, layers: Sequence[PlacedLayer]) -> None:
        self._copied_from: dict[str, str] = {}
        self._copied_to: dict[str, str] = {}
        for layer in layers:
            if layer.is_reformat and len(layer.input_names) == len(layer.output_names) == 1:
                self._copied_from[layer.output_names[0]] = layer.input_names[0]
                self._copied_to[layer.input_names[0]] = layer.output_names[0]

    def name(self, tensor: str) -> str:
        """``Reformatted Output Tensor 0 to X`` is known by its copy, other ``Reformatted ..`` by what they copy."""
        for _ in range(_LONGEST_CHAIN):
            engine = self._copied_to if tensor.startswith("Reformatted Output Tensor ") else self._copied_from
            if not tensor.startswith("Reformatted ") or tensor not in engine:
                break
            tensor = engine[tensor]
        return tensor

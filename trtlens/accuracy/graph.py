"""The ONNX graph behind a comparison: which compared tensors a tensor is made of, and by which nodes.

Not every tensor is in both dumps: fusion leaves only some. So the inputs of a tensor are the nearest compared ones above
it, and its region the nodes in between, which is what an engine layer computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from trtlens_parsers.dump_index import DumpedNode


@dataclass(frozen=True, slots=True)
class Region:
    """What makes one tensor: the compared tensors that go in and the nodes, in graph order, the last one its producer."""

    inputs: tuple[str, ...]
    nodes: tuple[DumpedNode, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in graph order, with who makes and who reads each tensor."""

    nodes: tuple[DumpedNode, ...]
    producers: dict[str, DumpedNode]
    readers: dict[str, tuple[DumpedNode, ...]]

    def positions(self) -> dict[str, int]:
        """The place of every node's output in the graph's order."""
        return {tensor: index for index, node in enumerate(self.nodes) for tensor in node.outputs}

    def regions(self, compared: Collection[str]) -> dict[str, Region]:
        """The region of every compared tensor that a node makes."""
        known = set(compared)
        places = {tensor: place for place, node in reversed(list(enumerate(self.nodes))) for tensor in node.outputs}
        return {tensor: self._region(places[tensor], known, places) for tensor in compared if tensor in places}

    def _region(self, last: int, known: set[str], places: dict[str, int]) -> Region:
        """Everything above a node up to the tensors that are known."""
        found = {last}
        pending = [last]
        while pending:
            for name in self.nodes[pending.pop()].inputs:
                place = places.get(name)
                if place is not None and name not in known and place not in found:
                    found.add(place)
                    pending.append(place)
        nodes = tuple(self.nodes[place] for place in sorted(found))
        inputs = dict.fromkeys(name for node in nodes for name in node.inputs if name in known)
        return Region(tuple(inputs), nodes)


def make_graph(nodes: Sequence[DumpedNode]) -> Graph:
    """The graph of these nodes; a tensor that two nodes claim to make keeps the first."""
    producers: dict[str, DumpedNode] = {}
    readers: dict[str, list[DumpedNode]] = {}
    for node in nodes:
        for tensor in node.outputs:
            producers.setdefault(tensor, node)
        for tensor in dict.fromkeys(node.inputs):
            readers.setdefault(tensor, []).append(node)
    return Graph(tuple(nodes), producers, {tensor: tuple(found) for tensor, found in readers.items()})

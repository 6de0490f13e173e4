"""The ONNX graph behind a comparison: which compared tensors a tensor is made of, and by which nodes.

Not every tensor is in both dumps: fusion leaves only some. So the inputs of a tensor are the nearest compared ones above
it, and its region the nodes in between, which is what an engine layer computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from trtlens_parsers.dump_index import DumpedNode

NO_ARITHMETIC = frozenset({
    "Identity", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather", "Expand", "Tile", "Cast",
    "Concat", "Dropout", "Shape", "DepthToSpace", "SpaceToDepth", "Pad", "MaxPool", "Relu",
})  # fmt: skip
"""Operators that move values or choose among them, and round nothing."""


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
        pending: dict[str, Region] = {}
        found: dict[str, Region] = {}
        for node in self.nodes:
            region = _joined((name, known, pending) for name in node.inputs)
            region = Region(region.inputs, (*region.nodes, node))
            for tensor in node.outputs:
                if tensor in known:
                    found[tensor] = region
                else:
                    pending[tensor] = region
        return found


def _joined(ends: Iterable[tuple[str, set[str], dict[str, Region]]]) -> Region:
    inputs: dict[str, None] = {}
    nodes: dict[str, DumpedNode] = {}
    for name, known, pending in ends:
        if name in known:
            inputs[name] = None
        elif name in pending:
            inputs |= dict.fromkeys(pending[name].inputs)
            nodes |= {node.name: node for node in pending[name].nodes}
    return Region(tuple(inputs), tuple(nodes.values()))


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

"""Aligns the engines of several runs: regions that hold the same ONNX nodes on every side, and what cannot be aligned.

Nothing is paired by type, shape or place: a layer is in a region because of the nodes that it holds, or because it
serves layers that are (see `attachment`). What is left is listed with the reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.comparison.attachment import UNALIGNED, attach, read_flow
from trtlens.comparison.order import in_flow_order
from trtlens.comparison.regions import group_layers
from trtlens.engine.identity import Identities
from trtlens.engine.layer_nodes import read_holdings
from trtlens.engine.onnx_graph import is_reshape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trtlens.comparison.attachment import Flow
    from trtlens.comparison.regions import Member
    from trtlens.engine.layer_nodes import Holding
    from trtlens.engine.sides import Layer, Side

# Myelin names a kernel after its operations, to 10.9 three letters each, later four; these only move or convert.
_MOVING_KERNEL = re.compile(
    r"__myl_(?:Move?|Tran?|Cast?|Copy?|Resh|Conc?|Slic?|Mul(?=MinMaxRou)|Min(?=MaxRou)|Max(?=Rou)|Roun?)+(?:_|$)"
)
# A layer of such a type does more than convert, even if all that is known of it are Q/DQ nodes.
_HEAVY_TYPE = re.compile(
    r"conv|gemm|matri|matmul|correlation|pool|softmax|reduce|myelin|plugin|rnn|einsum|attention", re.IGNORECASE
)
FEWEST_SHARED = 0.5
"""Share of the nodes that do work from which on two engines count as engines of one model; of real pairs it is near 0 or 1."""
_UNKNOWN = "its nodes are not known: neither its Metadata nor its name tells them"


@dataclass(frozen=True, slots=True)
class Region:
    """Layers of each side (positions, in execution order) that hold the same nodes, and the layers that serve them.

    ``nodes`` are the shared nodes by their reference names, in parser order where that is known.
    """

    nodes: tuple[str, ...]
    layers: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Unaligned:
    """A layer (by position) of one side that is in no region, and why."""

    side: int
    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class Alignment:
    """Regions in topological order, what is in none, and for each side its flow, and by position what layers hold.

    ``converting`` are the positions of working layers that only convert or move data. ``linking`` are the nodes that do
    work and that a side's layers are known to hold, by their reference names; ``complete`` says whether that is all of them,
    ``listed`` whether they come from a list of nodes and not from the layers' names alone.
    """

    regions: tuple[Region, ...]
    unaligned: tuple[Unaligned, ...]
    flows: tuple[Flow, ...]
    holdings: tuple[tuple[Holding, ...], ...]
    converting: tuple[frozenset[int], ...]
    linking: tuple[frozenset[str], ...]
    complete: tuple[bool, ...]
    listed: tuple[bool, ...]

    def shared(self, one: int, other: int) -> float | None:
        """Share of the working nodes that two sides have in common: of the side with more, else of the one that is known worse.

        None where the nodes of a side are not known: names of layers alone can show that engines are alike, not that they are not.
        """
        counts = [len(self.linking[side]) for side in (one, other)]
        if not all(counts):
            return None
        whole = max(counts) if self.complete[one] and self.complete[other] else min(counts)
        share = len(self.linking[one] & self.linking[other]) / whole
        return share if share >= FEWEST_SHARED or (self.listed[one] and self.listed[other]) else None

    @property
    def largest(self) -> int:
        """Nodes in the largest region; 0 without regions."""
        return max((len(region.nodes) for region in self.regions), default=0)


def align(sides: Sequence[Side]) -> Alignment:
    """Align the engines of all sides at once; the first side's execution order decides between equals."""
    return _Aligner(sides).run()


class _Aligner:
    def __init__(self, sides: Sequence[Side]) -> None:
        self._sides = sides
        self._identities = Identities(sides)
        trust = _numbered_alike(sides)
        self._holdings = [
            read_holdings(sides, number, self._identities, trust_unnamed=trust) for number in range(len(sides))
        ]
        self._flows = [read_flow(side.layers) for side in sides]
        self._keys = [self._linking(number) for number in range(len(sides))]
        self._unknown = [self._unknown_work(number) for number in range(len(sides))]

    def run(self) -> Alignment:
        groups = group_layers(self._keys)
        full = [group for group in groups if len({side for side, _ in group}) == len(self._sides)]
        full.sort(key=min)
        reasons: dict[Member, str] = {}
        for group in groups:
            if len({side for side, _ in group}) < len(self._sides) and (reason := self._missing(group)):
                reasons.update(dict.fromkeys(group, reason))
        for number, unknown in enumerate(self._unknown):
            reasons.update({(number, position): _UNKNOWN for position in unknown})
        places = [self._side_places(number, full, reasons) for number in range(len(self._sides))]
        return self._result(full, places, reasons)

    def _linking(self, number: int) -> dict[int, frozenset[str]]:
        """Keys of the nodes that tie each working layer to layers of other sides."""
        found = {}
        for layer, holding in zip(self._sides[number].layers, self._holdings[number], strict=True):
            if layer.works and layer.position not in self._flows[number].constant:
                found[layer.position] = frozenset(
                    self._identities.key(number, name) for name in holding.nodes if self._identities.links(number, name)
                )
        return found

    def _unknown_work(self, number: int) -> set[int]:
        """Working layers of which nothing tells the nodes that do the work; kernels that only move data left aside."""
        layers, holdings = self._sides[number].layers, self._holdings[number]
        unknown = set()
        for position, keys in self._keys[number].items():
            layer = layers[position]
            converts = bool(holdings[position].nodes) and _HEAVY_TYPE.search(layer.type) is None
            if not keys and not converts and _MOVING_KERNEL.match(layer.name) is None:
                unknown.add(position)
        return unknown

    def _converting(self, number: int) -> frozenset[int]:
        """Working layers that do no node's work, so far as is known: casts, Q/DQ, moves of a generated kernel."""
        layers = self._sides[number].layers
        moving = {p for p, keys in self._keys[number].items() if not keys or _MOVING_KERNEL.match(layers[p].name)}
        return frozenset(moving - self._unknown[number])

    def _missing(self, group: Sequence[Member]) -> str | None:
        """Why a group without layers on some side is not aligned; None where its work can have gone into others."""
        keys = frozenset().union(*(self._keys[side][position] for side, position in group))
        operators = {name: op for side, position in group for name, op in self._operators(side, position)}
        if operators and all(is_reshape(op) for op in operators.values()):
            return None
        present = {side for side, _ in group}
        for number in (number for number in range(len(self._sides)) if number not in present):
            absent = sorted(key for key in keys if self._identities.holds(number, key) is not True)
            name = self._sides[number].name
            if absent and self._identities.graphs[number] is not None:
                return f"the model of {name} has no node {absent[0].partition(':')[2] or absent[0]}"
            if absent:
                return f"no layer of {name} is known to hold its nodes"
            if self._unknown[number]:
                return f"the log of {name} does not tell which layer holds its nodes"
        return None

    def _operators(self, side: int, position: int) -> list[tuple[str, str | None]]:
        names = self._holdings[side][position].nodes
        return [(name, self._identities.op(side, name)) for name in names if self._identities.links(side, name)]

    def _side_places(
        self, number: int, full: Sequence[Sequence[Member]], reasons: Mapping[Member, str]
    ) -> dict[int, int]:
        """Region number, or `UNALIGNED`, for each layer of a side that has one."""
        layers, flow = self._sides[number].layers, self._flows[number]
        placed = {position: region for region, group in enumerate(full) for side, position in group if side == number}
        placed.update({position: UNALIGNED for side, position in reasons if side == number})
        placed.update(self._surrounded(number, placed))
        owners = self._owners(number, placed)
        preferred = {}
        for layer in layers:
            regions = {owners[name] for name in self._holdings[number][layer.position].nodes if name in owners}
            if len(regions) == 1:
                preferred[layer.position] = regions.pop()
        return placed | attach(layers, flow, placed, preferred)

    def _surrounded(self, number: int, placed: Mapping[int, int]) -> dict[int, int]:
        """Layers of unknown nodes between layers of one region, and of no other: they can do that region's work only."""
        flow = self._flows[number]
        found = {}
        for position in self._unknown[number]:
            makers, readers = ({placed.get(place) for place in side[position]} for side in (flow.makers, flow.readers))
            around = makers | readers
            if makers and readers and len(around) == 1 and (region := around.pop()) not in {None, UNALIGNED}:
                found[position] = region
        return {position: region for position, region in found.items() if region is not None}

    def _owners(self, number: int, placed: Mapping[int, int]) -> dict[str, int]:
        """The region that holds each node of a side, where it is one region."""
        owners: dict[str, int] = {}
        shared: set[str] = set()
        for position, region in placed.items():
            for name in self._holdings[number][position].nodes:
                if owners.setdefault(name, region) != region:
                    shared.add(name)
        return {name: region for name, region in owners.items() if name not in shared}

    def _result(
        self, full: Sequence[Sequence[Member]], places: Sequence[Mapping[int, int]], reasons: Mapping[Member, str]
    ) -> Alignment:
        members: list[list[list[int]]] = [[[] for _ in self._sides] for _ in full]
        unaligned = []
        for number, side in enumerate(self._sides):
            for layer in side.layers:
                region = places[number].get(layer.position, UNALIGNED)
                if region == UNALIGNED:
                    reason = reasons.get((number, layer.position)) or _why_loose(layer)
                    unaligned.append(Unaligned(number, layer.position, reason))
                else:
                    members[region][number].append(layer.position)
        regions = [
            Region(self._node_names(group), tuple(map(tuple, layers)))
            for group, layers in zip(full, members, strict=True)
        ]
        ordered = in_flow_order(regions, self._flows)
        converting = tuple(self._converting(number) for number in range(len(self._sides)))
        return Alignment(
            regions=ordered, unaligned=tuple(unaligned), flows=tuple(self._flows),
            holdings=tuple(map(tuple, self._holdings)), converting=converting,
            linking=tuple(frozenset().union(*keys.values()) for keys in self._keys),
            complete=tuple(not unknown for unknown in self._unknown),
            listed=tuple(map(_lists_nodes, self._sides)),
        )  # fmt: skip

    def _node_names(self, group: Iterable[Member]) -> tuple[str, ...]:
        """Nodes that layers of more than one side hold, in the reference's parser order, then by name."""
        sides: dict[str, set[int]] = {}
        for side, position in group:
            for key in self._keys[side][position]:
                sides.setdefault(key, set()).add(side)
        order = {} if self._identities.reference is None else self._identities.reference.position
        shared = [key for key, holders in sides.items() if len(holders) > 1 or len(self._sides) == 1]
        return tuple(sorted(shared, key=lambda key: (order.get(key, len(order)), key)))


def _why_loose(layer: Layer) -> str:
    if not layer.inputs and not layer.outputs:
        return "the log does not show its tensors, so not whom it serves"
    return "no aligned layer makes what it reads or reads what it makes"


def _lists_nodes(side: Side) -> bool:
    return bool(side.nodes or side.foreign) or any(layer.metadata for layer in side.layers)


def _numbered_alike(sides: Sequence[Side]) -> bool:
    """Whether stand-in names mean the same on all sides: one release's parser or API, one network before any pass."""
    if len({tuple(node.name for node in side.nodes) for side in sides}) > 1:
        return False
    versions, counts = set(), set()
    for side in sides:
        versions.update(side.run["builds"]["tensorrt_version"].to_pylist())
        passes = side.run["passes"].select(["name", "layers_after"]).to_pylist()
        counts.add(next((row["layers_after"] for row in passes if row["name"] == "Original"), None))
    return len(versions) == 1 and len(counts) == 1 and None not in counts

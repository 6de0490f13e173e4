"""Aligns the engines of several runs: regions that hold the same ONNX nodes in every engine, and what cannot be aligned.

Nothing is paired by type, shape or place: a layer is in a region because of the nodes that it holds, or because it
serves layers that are (see `attachment`). What is left is listed with the reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.comparison.regions import UNALIGNED, attach, group_layers, in_flow_order, read_flow
from trtlens.engine.layer_nodes import read_layer_nodes
from trtlens.engine.onnx_nodes import Identities, is_reshape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trtlens.comparison.regions import Flow, Member
    from trtlens.engine.built_engine import BuiltEngine, PlacedLayer
    from trtlens.engine.layer_nodes import LayerNodes

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
    """Layers of each engine (positions, in execution order) that hold the same nodes, and the layers that serve them.

    ``nodes`` are the shared nodes by their reference names, in parser order where that is known.
    """

    nodes: tuple[str, ...]
    layers: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Unaligned:
    """A layer (by position) of one engine that is in no region, and why."""

    engine: int
    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class Alignment:
    """Regions in topological order, what is in none, and for each engine its flow, and by position what layers hold.

    ``converting`` are the positions of working layers that only convert or move data. ``linking`` are the nodes that do
    work and that an engine's layers are known to hold, by their reference names; ``complete`` says whether that is all of them,
    ``listed`` whether they come from a list of nodes and not from the layers' names alone.
    """

    regions: tuple[Region, ...]
    unaligned: tuple[Unaligned, ...]
    flows: tuple[Flow, ...]
    layer_nodes: tuple[tuple[LayerNodes, ...], ...]
    converting: tuple[frozenset[int], ...]
    linking: tuple[frozenset[str], ...]
    complete: tuple[bool, ...]
    listed: tuple[bool, ...]

    def shared(self, one: int, other: int) -> float | None:
        """Share of the working nodes that two engines have in common: of the engine with more, else of the one that is known worse.

        None where the nodes of an engine are not known: names of layers alone can show that engines are alike, not that they are not.
        """
        counts = [len(self.linking[engine]) for engine in (one, other)]
        if not all(counts):
            return None
        whole = max(counts) if self.complete[one] and self.complete[other] else min(counts)
        share = len(self.linking[one] & self.linking[other]) / whole
        return share if share >= FEWEST_SHARED or (self.listed[one] and self.listed[other]) else None

    @property
    def largest(self) -> int:
        """Nodes in the largest region; 0 without regions."""
        return max((len(region.nodes) for region in self.regions), default=0)


def align(engines: Sequence[BuiltEngine]) -> Alignment:
    """Align all engines at once; the first engine's execution order decides between equals."""
    return _Aligner(engines).run()


class _Aligner:
    def __init__(self, engines: Sequence[BuiltEngine]) -> None:
        self._engines = engines
        self._identities = Identities(engines)
        trust = _numbered_alike(engines)
        self._layer_nodes = [
            read_layer_nodes(engines, number, self._identities, trust_unnamed=trust) for number in range(len(engines))
        ]
        self._flows = [read_flow(engine.layers) for engine in engines]
        self._keys = [self._linking(number) for number in range(len(engines))]
        self._unknown = [self._unknown_work(number) for number in range(len(engines))]

    def run(self) -> Alignment:
        groups = group_layers(self._keys)
        full = [group for group in groups if len({engine for engine, _ in group}) == len(self._engines)]
        full.sort(key=min)
        reasons: dict[Member, str] = {}
        for group in groups:
            if len({engine for engine, _ in group}) < len(self._engines) and (reason := self._missing(group)):
                reasons.update(dict.fromkeys(group, reason))
        for number, unknown in enumerate(self._unknown):
            reasons.update({(number, position): _UNKNOWN for position in unknown})
        places = [self._side_places(number, full, reasons) for number in range(len(self._engines))]
        return self._result(full, places, reasons)

    def _linking(self, number: int) -> dict[int, frozenset[str]]:
        """Keys of the nodes that tie each working layer to layers of other engines."""
        found = {}
        for layer, held in zip(self._engines[number].layers, self._layer_nodes[number], strict=True):
            if layer.works and layer.position not in self._flows[number].constant:
                found[layer.position] = frozenset(
                    self._identities.key(number, name) for name in held.nodes if self._identities.links(number, name)
                )
        return found

    def _unknown_work(self, number: int) -> set[int]:
        """Working layers of which nothing tells the nodes that do the work; kernels that only move data left aside."""
        layers, layer_nodes = self._engines[number].layers, self._layer_nodes[number]
        unknown = set()
        for position, keys in self._keys[number].items():
            layer = layers[position]
            converts = bool(layer_nodes[position].nodes) and _HEAVY_TYPE.search(layer.type) is None
            if not keys and not converts and _MOVING_KERNEL.match(layer.name) is None:
                unknown.add(position)
        return unknown

    def _converting(self, number: int) -> frozenset[int]:
        """Working layers that do no node's work, so far as is known: casts, Q/DQ, moves of a generated kernel."""
        layers = self._engines[number].layers
        moving = {p for p, keys in self._keys[number].items() if not keys or _MOVING_KERNEL.match(layers[p].name)}
        return frozenset(moving - self._unknown[number])

    def _missing(self, group: Sequence[Member]) -> str | None:
        """Why a group without layers in some engine is not aligned; None where its work can have gone into others."""
        keys = frozenset().union(*(self._keys[engine][position] for engine, position in group))
        operators = {name: op for engine, position in group for name, op in self._operators(engine, position)}
        if operators and all(is_reshape(op) for op in operators.values()):
            return None
        present = {engine for engine, _ in group}
        for number in (number for number in range(len(self._engines)) if number not in present):
            absent = sorted(key for key in keys if self._identities.holds(number, key) is not True)
            name = self._engines[number].name
            if absent and self._identities.graphs[number] is not None:
                return f"the model of {name} has no node {absent[0].partition(':')[2] or absent[0]}"
            if absent:
                return f"no layer of {name} is known to hold its nodes"
            if self._unknown[number]:
                return f"the log of {name} does not tell which layer holds its nodes"
        return None

    def _operators(self, engine: int, position: int) -> list[tuple[str, str | None]]:
        names = self._layer_nodes[engine][position].nodes
        return [(name, self._identities.op(engine, name)) for name in names if self._identities.links(engine, name)]

    def _side_places(
        self, number: int, full: Sequence[Sequence[Member]], reasons: Mapping[Member, str]
    ) -> dict[int, int]:
        """Region number, or `UNALIGNED`, for each layer of an engine that has one."""
        layers, flow = self._engines[number].layers, self._flows[number]
        placed = {
            position: region for region, group in enumerate(full) for engine, position in group if engine == number
        }
        placed.update({position: UNALIGNED for engine, position in reasons if engine == number})
        placed.update(self._surrounded(number, placed))
        owners = self._owners(number, placed)
        preferred = {}
        for layer in layers:
            regions = {owners[name] for name in self._layer_nodes[number][layer.position].nodes if name in owners}
            if len(regions) == 1:
                preferred[layer.position] = regions.pop()
        return placed | attach(layers, flow, placed, preferred)

    def _surrounded(self, number: int, placed: Mapping[int, int]) -> dict[int, int]:
        """Layers of unknown nodes between layers of one region, and of no other: they can do that region's work only."""
        flow = self._flows[number]
        found = {}
        for position in self._unknown[number]:
            makers, readers = (
                {placed.get(place) for place in engine[position]} for engine in (flow.makers, flow.readers)
            )
            around = makers | readers
            if makers and readers and len(around) == 1 and (region := around.pop()) not in {None, UNALIGNED}:
                found[position] = region
        return {position: region for position, region in found.items() if region is not None}

    def _owners(self, number: int, placed: Mapping[int, int]) -> dict[str, int]:
        """The region that holds each node of an engine, where it is one region."""
        owners: dict[str, int] = {}
        shared: set[str] = set()
        for position, region in placed.items():
            for name in self._layer_nodes[number][position].nodes:
                if owners.setdefault(name, region) != region:
                    shared.add(name)
        return {name: region for name, region in owners.items() if name not in shared}

    def _result(
        self, full: Sequence[Sequence[Member]], places: Sequence[Mapping[int, int]], reasons: Mapping[Member, str]
    ) -> Alignment:
        members: list[list[list[int]]] = [[[] for _ in self._engines] for _ in full]
        unaligned = []
        for number, engine in enumerate(self._engines):
            for layer in engine.layers:
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
        converting = tuple(self._converting(number) for number in range(len(self._engines)))
        return Alignment(
            regions=ordered, unaligned=tuple(unaligned), flows=tuple(self._flows),
            layer_nodes=tuple(map(tuple, self._layer_nodes)), converting=converting,
            linking=tuple(frozenset().union(*keys.values()) for keys in self._keys),
            complete=tuple(not unknown for unknown in self._unknown),
            listed=tuple(map(_lists_nodes, self._engines)),
        )  # fmt: skip

    def _node_names(self, group: Iterable[Member]) -> tuple[str, ...]:
        """Nodes that layers of more than one engine hold, in the reference's parser order, then by name."""
        engines: dict[str, set[int]] = {}
        for engine, position in group:
            for key in self._keys[engine][position]:
                engines.setdefault(key, set()).add(engine)
        order = {} if self._identities.reference is None else self._identities.reference.position
        shared = [key for key, holders in engines.items() if len(holders) > 1 or len(self._engines) == 1]
        return tuple(sorted(shared, key=lambda key: (order.get(key, len(order)), key)))


def _why_loose(layer: PlacedLayer) -> str:
    if not layer.input_names and not layer.output_names:
        return "the log does not show its tensors, so not whom it serves"
    return "no aligned layer makes what it reads or reads what it makes"


def _lists_nodes(engine: BuiltEngine) -> bool:
    return bool(engine.nodes or engine.foreign) or any(layer.onnx_nodes for layer in engine.layers)


def _numbered_alike(engines: Sequence[BuiltEngine]) -> bool:
    """Whether stand-in names mean the same in all engines: one release's parser or API, one network before any pass."""
    if len({tuple(node.name for node in engine.nodes) for engine in engines}) > 1:
        return False
    versions, counts = set(), set()
    for engine in engines:
        versions.update(engine.run["builds"]["tensorrt_version"].to_pylist())
        passes = engine.run["passes"].select(["name", "layers_after"]).to_pylist()
        counts.add(next((row["layers_after"] for row in passes if row["name"] == "Original"), None))
    return len(versions) == 1 and len(counts) == 1 and None not in counts

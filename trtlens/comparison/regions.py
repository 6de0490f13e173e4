"""The smallest groups of layers that hold the same ONNX nodes in every engine: connected components, no search, no luck.

Two layers of different engines belong together where they hold a common node. A node that several layers of one engine hold
(a softmax over two kernels, a transpose that both readers repeat) joins them only where the other engines disagree on who
holds it.
"""

from __future__ import annotations

import heapq
import re
from collections import defaultdict, deque
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trtlens.comparison.alignment import Region
    from trtlens.engine.built_engine import PlacedLayer

Member = tuple[int, int]
"""Number of an engine and position of one of its layers."""
_Holders = dict[int, list[Member]]


class _Groups:
    """Disjoint sets of members (union by size, paths halved)."""

    def __init__(self, members: Iterable[Member]) -> None:
        self._parent = {member: member for member in members}
        self._size = dict.fromkeys(self._parent, 1)

    def find(self, member: Member) -> Member:
        parent = self._parent
        while parent[member] != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member

    def join(self, members: Iterable[Member]) -> list[Member]:
        """Make one group of the groups of all members, under the root of the largest; the roots that gave way."""
        roots = sorted({self.find(member) for member in members}, key=lambda root: (-self._size[root], root))
        for root in roots[1:]:
            self._parent[root] = roots[0]
            self._size[roots[0]] += self._size[root]
        return roots[1:]

    def groups(self) -> list[list[Member]]:
        """Every group with its members sorted, the groups in the order of their first members."""
        found: dict[Member, list[Member]] = defaultdict(list)
        for member in sorted(self._parent):
            found[self.find(member)].append(member)
        return list(found.values())


def group_layers(held: Sequence[Mapping[int, frozenset[str]]]) -> list[list[Member]]:
    """Groups of layers from the keys of the linking nodes that each layer (by position) of each engine holds."""
    members = [(engine, position) for engine, layers in enumerate(held) for position, keys in layers.items() if keys]
    groups = _Groups(members)
    _join_equal(held, members, groups)
    holders = _holders(held, members)
    shared = [by_side for by_side in holders.values() if len(by_side) > 1]
    for by_side in shared:
        if all(len(layers) == 1 for layers in by_side.values()):
            groups.join(layers[0] for layers in by_side.values())
    _join_disagreeing([by_side for by_side in shared if any(len(layers) > 1 for layers in by_side.values())], groups)
    return groups.groups()


def _join_equal(held: Sequence[Mapping[int, frozenset[str]]], members: Sequence[Member], groups: _Groups) -> None:
    """Layers that hold exactly the same nodes cannot be told apart by nodes."""
    equal: dict[frozenset[str], list[Member]] = defaultdict(list)
    for engine, position in members:
        equal[held[engine][position]].append((engine, position))
    for layers in equal.values():
        groups.join(layers)


def _holders(held: Sequence[Mapping[int, frozenset[str]]], members: Sequence[Member]) -> dict[str, _Holders]:
    holders: dict[str, _Holders] = defaultdict(lambda: defaultdict(list))
    for engine, position in members:
        for key in held[engine][position]:
            holders[key][engine].append((engine, position))
    return holders


def _join_disagreeing(shared: Sequence[_Holders], groups: _Groups) -> None:
    """Join the holders of a node until all engines that hold it do so in the same groups.

    A node is looked at again when one of its groups has become part of another.
    """
    touching: dict[Member, set[int]] = defaultdict(set)
    for number, by_side in enumerate(shared):
        for member in chain.from_iterable(by_side.values()):
            touching[groups.find(member)].add(number)
    waiting = deque(range(len(shared)))
    while waiting:
        places = [frozenset(map(groups.find, layers)) for layers in shared[waiting.popleft()].values()]
        if all(place == places[0] for place in places[1:]):
            continue
        together = frozenset().union(*places)
        for root in groups.join(together):
            again = touching.pop(root, set())
            touching[groups.find(root)] |= again
            waiting.extend(again)


# -- the order of regions ---------------------------------------------------------------------------------------------
# Regions in topological order: each behind those whose tensors it reads, wherever the engines agree on that.


def in_flow_order(regions: Sequence[Region], flows: Sequence[Flow]) -> tuple[Region, ...]:
    """The regions behind their producers; between equals, and where regions feed one another, by execution order.

    Execution order is that of the first engine, without constants: their copies run first whoever reads them.
    """
    first = [_first_place(region, flows) for region in regions]
    producers = _producers(regions, flows)
    readers: list[list[int]] = [[] for _ in regions]
    for number, sources in enumerate(producers):
        for source in sources:
            readers[source].append(number)
    missing = [len(sources) for sources in producers]
    ready = [(first[number], number) for number in range(len(regions)) if not missing[number]]
    heapq.heapify(ready)
    left = sorted(range(len(regions)), key=lambda number: (first[number], number), reverse=True)
    done: dict[int, None] = {}
    while len(done) < len(regions):
        # Of regions that feed one another the one that runs first goes first.
        number = heapq.heappop(ready)[1] if ready else left.pop()
        if number in done:
            continue
        done[number] = None
        for reader in readers[number]:
            missing[reader] -= 1
            if missing[reader] == 0:
                heapq.heappush(ready, (first[reader], reader))
    return tuple(regions[number] for number in done)


def _first_place(region: Region, flows: Sequence[Flow]) -> int:
    active = [place for place in region.layers[0] if place not in flows[0].constant]
    return min(active or region.layers[0])


def _producers(regions: Sequence[Region], flows: Sequence[Flow]) -> list[set[int]]:
    sources: list[set[int]] = [set() for _ in regions]
    for engine, flow in enumerate(flows):
        owner = {place: number for number, region in enumerate(regions) for place in region.layers[engine]}
        for place, number in owner.items():
            sources[number].update(owner[maker] for maker in flow.makers[place] if maker in owner)
    return [found - {number} for number, found in enumerate(sources)]


# -- layers without nodes of their own --------------------------------------------------------------------------------
# Where layers without nodes of their own belong: reformats, copies of constants, inserted casts, bookkeeping of streams.
#
# A reformat serves the layer that it is named after, else the region that reads what it makes; a constant and its copies
# belong to the first region that reads them. What only an aligned region surrounds is its; the rest is not aligned.


UNALIGNED = -1
"""Stands for a region where a layer that could not be aligned is a neighbour."""

_SERVED = re.compile(r"Reformatting CopyNode for (?:Input|Output) Tensor \d{1,9} to |")
_SERVED_OLD = re.compile(r" (?:input|output) reformatter \d{1,9}$")
_BOOKKEEPING = frozenset({"signal", "wait", "shape_call"})


@dataclass(frozen=True, slots=True)
class Flow:
    """Who makes and who reads each layer's tensors, by positions in one engine; ``constant`` depend on weights alone."""

    makers: tuple[tuple[int, ...], ...]
    readers: tuple[tuple[int, ...], ...]
    constant: frozenset[int]


def read_flow(layers: Sequence[PlacedLayer]) -> Flow:
    """The flow of tensors between the layers of one engine, in execution order.

    A tensor's readers are the layers behind its last maker that read its name: names are used again by some engines.
    """
    makers: list[list[int]] = [[] for _ in layers]
    readers: list[list[int]] = [[] for _ in layers]
    written: dict[str, list[int]] = {}
    constant: set[int] = set()
    for layer in layers:
        sources = dict.fromkeys(maker for name in layer.input_names for maker in written.get(name, ()))
        makers[layer.position] = list(sources)
        for maker in sources:
            readers[maker].append(layer.position)
        if _is_constant(layer, written, constant):
            constant.add(layer.position)
        for name in layer.output_names:
            written.setdefault(name, []).append(layer.position)
    return Flow(tuple(map(tuple, makers)), tuple(map(tuple, readers)), frozenset(constant))


def _is_constant(layer: PlacedLayer, written: Mapping[str, list[int]], constant: set[int]) -> bool:
    if layer.type == "Constant":
        return True
    return bool(layer.input_names) and all(
        name in written and constant.issuperset(written[name]) for name in layer.input_names
    )


def attach(
    layers: Sequence[PlacedLayer], flow: Flow, placed: Mapping[int, int], preferred: Mapping[int, int]
) -> dict[int, int]:
    """Regions for the layers that ``placed`` (position to region) leaves out; a layer that fits nowhere is left out.

    ``placed`` may hold `UNALIGNED`, which is passed on to layers that serve such a layer alone. ``preferred`` names the
    region that holds a layer's nodes, where its name or Metadata tells them. Regions are numbered in execution order.
    """
    return _Attachment(layers, flow, placed).run(preferred)


class _Attachment:
    def __init__(self, layers: Sequence[PlacedLayer], flow: Flow, placed: Mapping[int, int]) -> None:
        self._layers, self._flow = layers, flow
        self._found = dict(placed)
        self._by_name = {layer.name: layer.position for layer in reversed(layers)}

    def run(self, preferred: Mapping[int, int]) -> dict[int, int]:
        loose = [layer for layer in self._layers if layer.position not in self._found]
        before = set(self._found)
        for layer in loose:
            self._place(layer, preferred.get(layer.position))
        for layer in loose:
            self._place(layer, self._served(layer))
        for _ in range(2):  # readers behind a loose layer may be loose too, and so may its makers
            for layer in reversed(loose):
                self._place(layer, self._by_readers(layer))
            for layer in loose:
                self._place(layer, self._by_makers(layer))
        for layer in reversed(loose):
            if layer.type in _BOOKKEEPING:
                self._place(layer, self._next(layer.position))
        return {position: region for position, region in self._found.items() if position not in before}

    def _place(self, layer: PlacedLayer, region: int | None) -> None:
        if region is not None and layer.position not in self._found:
            self._found[layer.position] = region

    def _served(self, layer: PlacedLayer) -> int | None:
        """The region of the layer that a reformat is named after."""
        if not layer.is_reformat:
            return None
        start = _SERVED.match(layer.name)
        name = layer.name[start.end() :] if start and start.end() else _SERVED_OLD.sub("", layer.name)
        return None if name == layer.name else self._found.get(self._by_name.get(name, -1))

    def _regions(self, positions: Iterable[int]) -> list[int]:
        return list(dict.fromkeys(self._found[place] for place in positions if place in self._found))

    def _by_readers(self, layer: PlacedLayer) -> int | None:
        """The one region that reads it; of several the first for a constant, else the one that makes what it reads."""
        readers = self._regions(self._flow.readers[layer.position])
        if len(readers) <= 1:
            return readers[0] if readers else None
        if layer.position in self._flow.constant:
            return min([region for region in readers if region != UNALIGNED] or readers)
        makers = self._regions(self._flow.makers[layer.position])
        return makers[0] if len(makers) == 1 else readers[0]

    def _by_makers(self, layer: PlacedLayer) -> int | None:
        """The last region that makes what it reads: for copies to the network's outputs."""
        makers = self._regions(self._flow.makers[layer.position])
        return makers[-1] if makers else None

    def _next(self, position: int) -> int | None:
        """The region of the next layer in execution order that has one, else of the one before."""
        around = [*range(position + 1, len(self._layers)), *range(position - 1, -1, -1)]
        return next((self._found[place] for place in around if place in self._found), None)

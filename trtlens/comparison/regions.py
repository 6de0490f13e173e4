"""The smallest groups of layers that hold the same ONNX nodes on every side: connected components, no search, no luck.

Two layers of different sides belong together where they hold a common node. A node that several layers of one side hold
(a softmax over two kernels, a transpose that both readers repeat) joins them only where the other sides disagree on who
holds it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Member = tuple[int, int]
"""Number of a side and position of one of its layers."""
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
    """Groups of layers from the keys of the linking nodes that each layer (by position) of each side holds."""
    members = [(side, position) for side, layers in enumerate(held) for position, keys in layers.items() if keys]
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
    for side, position in members:
        equal[held[side][position]].append((side, position))
    for layers in equal.values():
        groups.join(layers)


def _holders(held: Sequence[Mapping[int, frozenset[str]]], members: Sequence[Member]) -> dict[str, _Holders]:
    holders: dict[str, _Holders] = defaultdict(lambda: defaultdict(list))
    for side, position in members:
        for key in held[side][position]:
            holders[key][side].append((side, position))
    return holders


def _join_disagreeing(shared: Sequence[_Holders], groups: _Groups) -> None:
    """Join the holders of a node until all sides that hold it do so in the same groups.

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

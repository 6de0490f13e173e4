"""Regions in topological order: each behind those whose tensors it reads, wherever the engines agree on that."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.comparison.alignment import Region
    from trtlens.comparison.attachment import Flow


def in_flow_order(regions: Sequence[Region], flows: Sequence[Flow]) -> tuple[Region, ...]:
    """The regions behind their producers; between equals, and where regions feed one another, by execution order.

    Execution order is that of the first side, without constants: their copies run first whoever reads them.
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
    for side, flow in enumerate(flows):
        owner = {place: number for number, region in enumerate(regions) for place in region.layers[side]}
        for place, number in owner.items():
            sources[number].update(owner[maker] for maker in flow.makers[place] if maker in owner)
    return [found - {number} for number, found in enumerate(sources)]

"""Places the nodes of a flow from top to bottom in ranks, and folds the long strip into columns as a newspaper does.

Layered drawing after Sugiyama: ranks of bounded width by the longest path, the order in a rank by barycentres, places in a rank by isotonic regression.
It is our own because the libraries that do it are under the GPL (igraph, OGDF), without wheels for Python 3.10 (fast-sugiyama) or
slow and no longer kept (grandalf), and none folds: an engine is thousands of ranks deep and a few nodes wide.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Point = tuple[float, float]
RANK_GAP, SIDE_GAP, GUTTER = 24.0, 18.0, 64.0
_LANE, _LANES = 6.0, 8
_WIDEST = 10
"""Nodes that read others in one rank; more go to the next."""
_LONGEST_SPAN = 24
"""Ranks that an edge may cross between other nodes; longer ones run beside the column."""
_BEND_WIDTH = 8.0
_SWEEPS = 8
_STRAIGHT = 4.0
"""How much more a node keeps below a node, and a bend below a bend, than one below the other."""
_HEAVY = 2.0**12
"""How much more firmly a node stands in its row than a bend does."""
_MIDDLE = 2.0**-20
"""Pull of the picture's middle: it decides between two neighbours that pull alike."""
_WHOLE = 700.0
"""Height up to which there is one column."""
_NEAR = 0.15
"""Share of a column's height within which the place to cut is chosen by the number of edges there."""


@dataclass(frozen=True, slots=True)
class Box:
    """Width and height of a node, and its ``weight``: what has less gives way to it, and pulls less at its neighbours."""

    width: float
    height: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands, in pixels: centres and columns of the nodes, corners of the edges, left edges of the columns."""

    centres: Sequence[Point]
    columns: Sequence[int]
    routes: Sequence[Sequence[Point]]
    lefts: Sequence[float]
    width: float
    height: float


@dataclass(slots=True)
class _Strip:
    """Nodes and the bends of edges in ranks: bends are counted on behind the nodes."""

    boxes: list[Box]
    rank: list[int]
    above: list[list[int]]
    below: list[list[int]]
    bends: dict[int, list[int]] = field(default_factory=dict)
    rows: list[list[int]] = field(default_factory=list)
    x: list[float] = field(default_factory=list)


def lay_out(boxes: Sequence[Box], edges: Sequence[tuple[int, int]], *aspects: float) -> list[Layout]:
    """Nodes in topological order and edges by places among them, folded once for each aspect: so many times as wide as high.

    An edge that goes back to an earlier node takes no part in the ranks.
    """
    strip = _strip(boxes, edges)
    for number in range(_SWEEPS):
        _reorder(strip, downward=number % 2 == 0)
    _place(strip)
    return [_fold(strip, edges, len(boxes), aspect) for aspect in aspects]


# -- ranks and bends --------------------------------------------------------------------------------------------------


def _strip(boxes: Sequence[Box], edges: Sequence[tuple[int, int]]) -> _Strip:
    rank = _ranks(len(boxes), edges)
    strip = _Strip(list(boxes), rank, [[] for _ in boxes], [[] for _ in boxes])
    for number, (source, target) in enumerate(edges):
        if source >= target or rank[target] - rank[source] > _LONGEST_SPAN:
            continue
        before, strip.bends[number] = source, []
        for between in range(rank[source] + 1, rank[target]):
            bend = len(strip.boxes)
            strip.boxes.append(Box(_BEND_WIDTH, 0.0))
            strip.rank.append(between)
            strip.above.append([before])
            strip.below.append([])
            strip.below[before].append(bend)
            strip.bends[number].append(bend)
            before = bend
        strip.below[before].append(target)
        strip.above[target].append(before)
    strip.rows = [[] for _ in range(max(strip.rank, default=-1) + 1)]
    for place, own in enumerate(strip.rank):
        strip.rows[own].append(place)
    return strip


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Each node below all that it reads; one that more nodes read than it reads as low as they let it; a lone one by its place."""
    rank, into, out = [0] * count, [[] for _ in range(count)], [[] for _ in range(count)]  # type: tuple[list[int], list[list[int]], list[list[int]]]
    for source, target in edges:
        if source < target:
            into[target].append(source)
            out[source].append(target)
    held: Counter[int] = Counter()
    for node in range(count):
        rank[node] = max((rank[one] + 1 for one in into[node]), default=0)
        while held[rank[node]] >= _WIDEST and into[node]:
            rank[node] += 1
        held[rank[node]] += 1
    for node in reversed(range(count)):
        if len(out[node]) > len(into[node]):
            rank[node] = min(rank[one] for one in out[node]) - 1
    for node in range(1, count):
        if not into[node] and not out[node]:
            rank[node] = rank[node - 1]
    return rank


# -- order and places within a rank -----------------------------------------------------------------------------------


def _reorder(strip: _Strip, *, downward: bool) -> None:
    """Sort each rank by the mean position of the neighbours in the rank before."""
    position: dict[int, float] = {}
    neighbours = strip.above if downward else strip.below
    for row in strip.rows if downward else reversed(strip.rows):
        own = {node: float(place) for place, node in enumerate(row)}
        for node in row:
            known = [position[one] for one in neighbours[node] if one in position]
            own[node] = sum(known) / len(known) if known else own[node]
        row.sort(key=own.__getitem__)
        position = {node: place - (len(row) - 1) / 2 for place, node in enumerate(row)}


def _place(strip: _Strip) -> None:
    """Bring each node below those that it reads, one that reads none above its readers, and keep distances."""
    strip.x = [0.0] * len(strip.boxes)
    for row in strip.rows:
        _spread(strip, row, [0.0] * len(row))
    for _ in range(_SWEEPS // 2):
        for row in strip.rows:
            _spread(strip, row, [_wanted(strip, node) for node in row])


def _wanted(strip: _Strip, node: int) -> float:
    """The weighted median of the neighbours' places: a node stays below its neighbour node whatever edges join from the side."""
    bend = not strip.boxes[node].height
    neighbours = strip.above[node] or strip.below[node]
    near = sorted((strip.x[other], _pull(strip.boxes[other], bend=bend)) for other in neighbours)
    if len(near) > 1:
        insort(near, (0.0, _MIDDLE))  # between two that pull alike the one nearer to the middle, or a chain would drift
    half, passed = sum(pull for _, pull in near) / 2, 0.0
    for number, (x, pull) in enumerate(near):
        passed += pull
        if passed > half:
            return x
        if passed == half:
            return (x + near[number + 1][0]) / 2
    return strip.x[node]


def _pull(other: Box, *, bend: bool) -> float:
    return other.weight * (_STRAIGHT if bend == (not other.height) else 1.0)


def _weight(box: Box) -> float:
    """How little it gives way to what stands beside it."""
    return box.weight * (_HEAVY if box.height else 1.0)


def _spread(strip: _Strip, row: Sequence[int], wanted: Sequence[float]) -> None:
    """Places nearest to the wanted ones, in the row's order and without overlap: pools of neighbours take their mean."""
    offset, before, offsets = 0.0, 0.0, []
    for node in row:
        offset += (before + strip.boxes[node].width) / 2 + (SIDE_GAP if before else 0.0)
        offsets.append(offset)
        before = strip.boxes[node].width
    pools: list[tuple[float, float, int]] = []
    for node, want, own in zip(row, wanted, offsets, strict=True):
        mean, weight, count = want - own, _weight(strip.boxes[node]), 1
        while pools and pools[-1][0] >= mean:
            other, heavy, more = pools.pop()
            mean = (mean * weight + other * heavy) / (weight + heavy)
            weight, count = weight + heavy, count + more
        pools.append((mean, weight, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    for node, mean, own in zip(row, means, offsets, strict=True):
        strip.x[node] = mean + own


# -- columns ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rank:
    """Extent of one rank: its sides, its height, and how many edges cross the line below it."""

    left: float
    right: float
    height: float
    crossing: int


def _fold(strip: _Strip, edges: Sequence[tuple[int, int]], count: int, aspect: float) -> Layout:
    ranks = _extents(strip)
    if not ranks:
        return Layout([], [], [[] for _ in edges], [], 0.0, 0.0)
    tallest = sum(rank.height for rank in ranks)
    if tallest < _WHOLE:
        return _columns(strip, edges, count, ranks, [0])
    widest = max(rank.right - rank.left for rank in ranks) + GUTTER
    guess = max(1, round((aspect * tallest / widest) ** 0.5))
    cuts = [_cuts(ranks, tallest / number) for number in range(max(1, guess // 2), 2 * guess + 2)]
    best = min(cuts, key=lambda one: abs(log(_shape(ranks, one) / aspect)))
    return _columns(strip, edges, count, ranks, best)


def _extents(strip: _Strip) -> list[_Rank]:
    found, open_edges = [], 0
    for row in strip.rows:
        open_edges += sum(len(strip.below[node]) - len(strip.above[node]) for node in row)
        boxes = [(strip.x[node], strip.boxes[node]) for node in row]
        left, right = min(x - box.width / 2 for x, box in boxes), max(x + box.width / 2 for x, box in boxes)
        found.append(_Rank(left, right, max(box.height for _, box in boxes) + RANK_GAP, open_edges))
    return found


def _cuts(ranks: Sequence[_Rank], height: float) -> list[int]:
    """First ranks of the columns: cut where the fewest edges cross, near the wanted height."""
    cuts, top, best = [0], 0.0, None  # type: tuple[list[int], float, tuple[int, float, int] | None]
    for number, rank in enumerate(ranks[:-1]):
        top += rank.height
        if top >= height * (1 - _NEAR):
            found = (rank.crossing, abs(top - height), number + 1)
            best = found if best is None else min(best, found)
            if top >= height * (1 + _NEAR) and best is not None:
                top = sum(one.height for one in ranks[best[2] : number + 1])
                cuts.append(best[2])
                best = None
    return cuts


def _shape(ranks: Sequence[_Rank], cuts: Sequence[int]) -> float:
    parts = [ranks[first:last] for first, last in zip(cuts, [*cuts[1:], len(ranks)], strict=True)]
    width = sum(max(one.right for one in part) - min(one.left for one in part) + GUTTER for part in parts)
    return width / max(sum(one.height for one in part) for part in parts)


def _columns(
    strip: _Strip, edges: Sequence[tuple[int, int]], count: int, ranks: Sequence[_Rank], cuts: Sequence[int]
) -> Layout:
    column_of, shift, y = [0] * len(ranks), [0.0] * len(ranks), [0.0] * len(ranks)
    lefts, left, lowest = [], 0.0, 0.0
    for column, (first, last) in enumerate(zip(cuts, [*cuts[1:], len(ranks)], strict=True)):
        start = min(rank.left for rank in ranks[first:last])
        top = 0.0
        for number in range(first, last):
            column_of[number], shift[number] = column, left - start
            y[number] = top + (ranks[number].height - RANK_GAP) / 2
            top += ranks[number].height
        lefts.append(left)
        left += max(rank.right for rank in ranks[first:last]) - start + GUTTER
        lowest = max(lowest, top - RANK_GAP)
    points = [(strip.x[node] + shift[own], y[own]) for node, own in enumerate(strip.rank)]
    columns = [column_of[own] for own in strip.rank]
    ways = _Ways(strip, points, columns, [*lefts, left])
    routes = [ways.route(number, *edge) for number, edge in enumerate(edges)]
    return Layout(points[:count], columns[:count], routes, lefts, left - GUTTER, lowest)


class _Ways:
    """Routes of the edges: down through their bends, and through the gutters from column to column."""

    def __init__(self, strip: _Strip, points: Sequence[Point], columns: Sequence[int], lefts: Sequence[float]) -> None:
        self._strip, self._points, self._columns, self._lefts = strip, points, columns, lefts
        self._used = [0] * len(lefts)

    def route(self, number: int, source: int, target: int) -> list[Point]:
        """Corners from the bottom of one node to the top of the other."""
        chain = [source, *self._strip.bends.get(number, ()), target]
        beside = number not in self._strip.bends
        found: list[Point] = [self._end(source, 1)]
        for before, after in pairwise(chain):
            if beside or self._columns[before] != self._columns[after]:
                found += self._around(found[-1], self._end(after, -1), self._columns[before], self._columns[after])
            found.append(self._end(after, -1))
        return found

    def _end(self, node: int, side: int) -> Point:
        x, y = self._points[node]
        return x, y + side * self._strip.boxes[node].height / 2

    def _around(self, start: Point, end: Point, column: int, other: int) -> list[Point]:
        """Through the gutter right of the first column; to a column further on over the top of those between."""
        ways = [self._lane(column)] if other in {column, column + 1} else [self._lane(column), self._lane(other - 1)]
        out, into = start[1] + RANK_GAP / 3, end[1] - RANK_GAP / 3
        if len(ways) == 1:
            return [(start[0], out), (ways[0], out), (ways[0], into), (end[0], into)]
        over = -RANK_GAP - _LANE * (self._used[column] % _LANES)
        return [
            (start[0], out), (ways[0], out), (ways[0], over), (ways[1], over), (ways[1], into), (end[0], into)
        ]  # fmt: skip

    def _lane(self, column: int) -> float:
        """The next free lane of the gutter right of a column; where all are taken the first again."""
        self._used[column] += 1
        return self._lefts[column + 1] - GUTTER / 2 + _LANE * (self._used[column] % _LANES - _LANES / 2)

"""To which engine layer each launch of a trace belongs: by the range around it, by its place, or by its kernel's name.

TensorRT opens an NVTX range with the layer's name around what the layer launches. Myelin opens one of its own within it
(``myelinGraphExecute``), so that a trace which kept the innermost range has no layer's name there. A launch without one takes
its layer from the order: what stands between launches of two layers belongs to the layers between them in the engine,
where that leaves no choice.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from typing import TYPE_CHECKING

from trtlens.runs.stated_kernels import key_of, same_kernel, stated_key
from trtlens.tables.engine_layers import NO_WORK
from trtlens_parsers.kernel_trace import KERNEL, TracedInference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trtlens_parsers.kernel_trace import KernelLaunch, KernelTrace

BY_RANGE, BY_ORDER, BY_KERNEL, BY_STREAM = "range", "order", "kernel", "stream"
"""How a launch's layer is known."""
_MYELIN_RANGE = re.compile(r"\s*(?:\[?[Mm]yelin|__my[el])")
_MYELIN_KERNEL = re.compile(r"__myl_(?:[A-Za-z]+0?_)?bb\d+_(\d+)_|__my[el]_")
_MOST_TURNED, _FEWEST_TURNED = 5_000, 2
_WHOLE_INFERENCE = re.compile(r"\s*ExecutionContext::|\s*TensorRT:")


@dataclass(frozen=True, slots=True)
class EngineRow:
    """What a layer is told by."""

    index: int
    name: str | None
    type: str | None
    kernel: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """The layer of a launch and how it is known; all None where it is not."""

    index: int | None = None
    name: str | None = None
    told_by: str | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many of the compared names agree; ``what`` says of what."""

    agreeing: int
    compared: int
    what: str

    @property
    def share(self) -> float:
        """Agreeing ones of all."""
        return self.agreeing / self.compared


def place_launches(
    trace: KernelTrace, engine: Sequence[EngineRow], stream: tuple[KernelTrace, Sequence[Place]] | None
) -> list[Place]:
    """The layer of each launch; ``stream`` is the trace of the same engine from a stream, already placed."""
    if not engine:
        ranged = [Place(None, one.range, BY_RANGE if one.range else None) for one in trace.launches]
        taken = None if stream is None else _as_in_stream(trace.launches, *stream)
        return ranged if taken is None else taken
    places = _by_range(trace.launches, engine)
    if not any(place.index is not None for place in places):
        taken = None if stream is None else _as_in_stream(trace.launches, *stream)
        places = _by_kernel(trace.launches, engine) if taken is None else taken
    return _filled(trace, places, engine)


def _by_range(launches: Sequence[KernelLaunch], engine: Sequence[EngineRow]) -> list[Place]:
    """By the range's name; of a name that several layers have, the n-th stretch of launches is the n-th layer's."""
    layers: dict[str, list[EngineRow]] = defaultdict(list)
    for row in engine:
        if row.name:
            layers[row.name].append(row)
    stretches = [(name, len(list(group))) for name, group in groupby(_range_name(one, layers) for one in launches)]
    often = Counter(name for name, _ in stretches)
    seen: Counter[str | None] = Counter()
    places = []
    for name, length in stretches:
        own = layers.get(name or "", [])
        one = own[seen[name]] if len(own) == often[name] else own[0] if len(own) == 1 else None
        seen[name] += 1
        places += [Place() if one is None else Place(one.index, one.name, BY_RANGE)] * length
    return places


def _range_name(launch: KernelLaunch, layers: dict[str, list[EngineRow]]) -> str | None:
    name = launch.range
    return name if name is None or name in layers else name.strip()


def _as_in_stream(launches: Sequence[KernelLaunch], stream: KernelTrace, places: Sequence[Place]) -> list[Place] | None:
    """The layers of the same kernels from a stream; None where the kernels are others or in another order.

    Copies have their layers only where both traces have them at the same places: they are nodes of a graph, and may be left out.
    """
    if _kernels(launches) != _kernels(stream.launches):
        return None
    alike = [one.kind for one in launches] == [one.kind for one in stream.launches]
    known = iter([place for one, place in zip(stream.launches, places, strict=True) if alike or one.kind == KERNEL])
    taken = [next(known) if alike or one.kind == KERNEL else Place() for one in launches]
    return [place if place.told_by is None else replace(place, told_by=BY_STREAM) for place in taken]


def _kernels(launches: Iterable[KernelLaunch]) -> list[str]:
    return [one.kernel for one in launches if one.kind == KERNEL]


def _stated(engine: Iterable[EngineRow]) -> list[tuple[str, EngineRow]]:
    """Layers that state a kernel, with its key, in the engine's order."""
    return [(key_of(row.kernel), row) for row in engine if row.kernel and row.type not in NO_WORK]


def _anchors(launches: Sequence[KernelLaunch], stated: Sequence[tuple[str, EngineRow]]) -> list[tuple[int, str]]:
    """Launches of kernels that the engine states, with their keys."""
    keys = {key for key, _ in stated}
    found = ((number, stated_key(one.kernel, keys)) for number, one in enumerate(launches))
    return [(number, key) for number, key in found if key is not None]


def _by_kernel(launches: Sequence[KernelLaunch], engine: Sequence[EngineRow]) -> list[Place]:
    """By the kernels that the engine states: in order where they all come in the engine's, else those that occur once."""
    stated = _stated(engine)
    anchors = _anchors(launches, stated)
    if [key for _, key in anchors] == [key for key, _ in stated]:
        found = {number: row for (number, _), (_, row) in zip(anchors, stated, strict=True)}
    else:
        often, ran = Counter(key for key, _ in stated), Counter(key for _, key in anchors)
        rows = {key: row for key, row in stated if often[key] == 1 == ran[key]}
        found = {number: rows[key] for number, key in anchors if key in rows}
    return [Place(found[n].index, found[n].name, BY_KERNEL) if n in found else Place() for n in range(len(launches))]


# -- by order ---------------------------------------------------------------------------------------------------------


def _filled(trace: KernelTrace, places: Sequence[Place], engine: Sequence[EngineRow]) -> list[Place]:
    """The places, with those that only the order tells."""
    filled = list(places)
    working = [row for row in engine if row.type not in NO_WORK]
    indices = [row.index for row in working]
    known = [place.index for place in places if place.index is not None]
    ends = bisect_left(indices, min(known, default=0)), bisect_right(indices, max(known, default=-1))
    highest = list(accumulate((-1 if place.index is None else place.index for place in places), max, initial=-1))
    for first, last in _gaps(places):
        behind = places[last].index if last < len(places) else None
        start = bisect_right(indices, highest[first])
        between = working[start : len(working) if behind is None else bisect_left(indices, behind)]
        if not trace.inferences_marked and (
            not first or last == len(places)
        ):  # of the end, or of the next one's beginning
            between = [*working[: ends[0]], *working[ends[1] :]]
        filled[first:last] = _between(trace.launches[first:last], between)
    return filled


def _gaps(places: Sequence[Place]) -> Iterator[tuple[int, int]]:
    """Stretches of launches without a layer: first, and one behind the last."""
    start = 0
    for known, group in groupby(places, key=lambda place: place.index is not None):
        end = start + len(list(group))
        if not known:
            yield start, end
        start = end


def _between(launches: Sequence[KernelLaunch], layers: Sequence[EngineRow]) -> list[Place]:
    """Launches between those of two layers, where they can only be of one or, execution by execution, of all Myelin layers."""
    if all(_is_myelin(one) for one in launches):
        regions = [row for row in layers if is_region(row.type, row.name)]
        lengths = _executions(launches)
        if len(regions) == 1:
            return [Place(regions[0].index, regions[0].name, BY_ORDER)] * len(launches)
        if len(regions) == len(lengths):
            return [
                Place(row.index, row.name, BY_ORDER)
                for row, length in zip(regions, lengths, strict=True)
                for _ in range(length)
            ]
    elif len(layers) == 1 == len(launches) and launches[0].range is None:
        return [Place(layers[0].index, layers[0].name, BY_ORDER)]
    return [Place()] * len(launches)


def is_region(layer_type: str | None, name: str | None) -> bool:
    """Whether an engine layer is a region of Myelin, which launches kernels that the engine does not state."""
    return (layer_type or "").startswith("Myelin") or (name or "").startswith("{ForeignNode[")


def _is_myelin(launch: KernelLaunch) -> bool:
    if launch.range is not None and _MYELIN_RANGE.match(launch.range):
        return True
    return _MYELIN_KERNEL.match(launch.kernel) is not None


def _executions(launches: Iterable[KernelLaunch]) -> list[int]:
    """Launches of each execution of a Myelin graph, which numbers its kernels from 1."""
    lengths, last = [0], 0
    for launch in launches:
        match = _MYELIN_KERNEL.match(launch.kernel)
        number = int(match[1]) if match and match[1] and len(match[1]) < 9 else None
        if number is not None:
            if lengths[-1] and number <= last:
                lengths.append(0)
            last = number
        lengths[-1] += 1
    return lengths


# -- is it this engine? -----------------------------------------------------------------------------------------------


def agreement_of(trace: KernelTrace, places: Sequence[Place], engine: Sequence[EngineRow]) -> Agreement | None:
    """The lesser share of names that agree: of ranges with layers, of traced kernels with stated ones; None without names."""
    found = [one for one in (_of_ranges(trace, engine), _of_kernels(trace, places, engine)) if one is not None]
    return min(found, key=lambda one: one.share, default=None)


def _of_ranges(trace: KernelTrace, engine: Sequence[EngineRow]) -> Agreement | None:
    known = {row.name for row in engine}
    ranges = {one.range.strip() for one in trace.launches if one.range and not _MYELIN_RANGE.match(one.range)}
    ranges = {name for name in ranges if not _WHOLE_INFERENCE.match(name)}
    if not ranges or not engine:
        return None
    agreeing = sum(name in known for name in ranges)
    return Agreement(agreeing, len(ranges), "ranges around its kernels are layers of the engine")


def _of_kernels(trace: KernelTrace, places: Sequence[Place], engine: Sequence[EngineRow]) -> Agreement | None:
    """Of layers with a stated kernel: whether it is among what they launched; without places, among all launches."""
    stated = {row.index: row.kernel for row in engine if row.kernel and row.type not in NO_WORK}
    ran: dict[int, list[str]] = defaultdict(list)
    for launch, place in zip(trace.launches, places, strict=True):
        if place.index in stated and place.told_by in {BY_RANGE, BY_STREAM} and launch.kind == KERNEL:
            ran[place.index or 0].append(launch.kernel)
    if ran:
        agreeing = sum(any(same_kernel(kernel, stated[index]) for kernel in kernels) for index, kernels in ran.items())
        return Agreement(agreeing, len(ran), "layers ran the kernel that the engine states")
    wanted = Counter(key_of(kernel) for kernel in stated.values())
    if not wanted:
        return None
    traced = Counter(stated_key(one.kernel, wanted) for one in trace.launches)
    agreeing = sum(min(count, traced[key]) for key, count in wanted.items())
    return Agreement(agreeing, sum(wanted.values()), "kernels that the engine states were traced")


def rotated(trace: KernelTrace, engine: Sequence[EngineRow]) -> KernelTrace:
    """A trace whose inferences were told by repetition, turned so that it begins where the engine does.

    It is left as it is where no turn, or more than one, has the engine's kernels in the engine's order.
    """
    stated = _stated(engine)
    anchors = _anchors(trace.launches, stated)
    keys, wanted = [key for _, key in anchors], [key for key, _ in stated]
    if len(keys) != len(wanted) or len(keys) > _MOST_TURNED or len(trace.inferences) < _FEWEST_TURNED:
        return trace
    turns = [turn for turn in range(len(keys)) if keys[turn:] + keys[:turn] == wanted]
    # What stands before the engine's first stated kernel, a reformat of the input, say, goes with the inference behind it.
    return _turned(trace, anchors[turns[0] - 1][0] + 1) if len(turns) == 1 and turns[0] else trace


def _turned(trace: KernelTrace, cut: int) -> KernelTrace:
    pairs = zip(trace.inferences, trace.inferences[1:], strict=False)
    inferences = tuple(
        TracedInference(
            one.duration_ns[cut:] + after.duration_ns[:cut],
            None if one.start_ns is None or after.start_ns is None else one.start_ns[cut:] + after.start_ns[:cut],
        )
        for one, after in pairs
    )
    return replace(
        trace, launches=trace.launches[cut:] + trace.launches[:cut], inferences=inferences, left_out=trace.left_out + 1
    )

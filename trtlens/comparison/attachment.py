"""Where layers without nodes of their own belong: reformats, copies of constants, inserted casts, bookkeeping of streams.

A reformat serves the layer that it is named after, else the region that reads what it makes; a constant and its copies
belong to the first region that reads them. What only an aligned region surrounds is its; the rest is not aligned.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trtlens.engine.sides import Layer

UNALIGNED = -1
"""Stands for a region where a layer that could not be aligned is a neighbour."""

_SERVED = re.compile(r"Reformatting CopyNode for (?:Input|Output) Tensor \d{1,9} to |")
_SERVED_OLD = re.compile(r" (?:input|output) reformatter \d{1,9}$")
_BOOKKEEPING = frozenset({"signal", "wait", "shape_call"})


@dataclass(frozen=True, slots=True)
class Flow:
    """Who makes and who reads each layer's tensors, by positions in one side; ``constant`` depend on weights alone."""

    makers: tuple[tuple[int, ...], ...]
    readers: tuple[tuple[int, ...], ...]
    constant: frozenset[int]


def read_flow(layers: Sequence[Layer]) -> Flow:
    """The flow of tensors between the layers of one side, in execution order.

    A tensor's readers are the layers behind its last maker that read its name: names are used again by some engines.
    """
    makers: list[list[int]] = [[] for _ in layers]
    readers: list[list[int]] = [[] for _ in layers]
    written: dict[str, list[int]] = {}
    constant: set[int] = set()
    for layer in layers:
        sources = dict.fromkeys(maker for name in layer.inputs for maker in written.get(name, ()))
        makers[layer.position] = list(sources)
        for maker in sources:
            readers[maker].append(layer.position)
        if _is_constant(layer, written, constant):
            constant.add(layer.position)
        for name in layer.outputs:
            written.setdefault(name, []).append(layer.position)
    return Flow(tuple(map(tuple, makers)), tuple(map(tuple, readers)), frozenset(constant))


def _is_constant(layer: Layer, written: Mapping[str, list[int]], constant: set[int]) -> bool:
    if layer.type == "Constant":
        return True
    return bool(layer.inputs) and all(name in written and constant.issuperset(written[name]) for name in layer.inputs)


def attach(
    layers: Sequence[Layer], flow: Flow, placed: Mapping[int, int], preferred: Mapping[int, int]
) -> dict[int, int]:
    """Regions for the layers that ``placed`` (position to region) leaves out; a layer that fits nowhere is left out.

    ``placed`` may hold `UNALIGNED`, which is passed on to layers that serve such a layer alone. ``preferred`` names the
    region that holds a layer's nodes, where its name or Metadata tells them. Regions are numbered in execution order.
    """
    return _Attachment(layers, flow, placed).run(preferred)


class _Attachment:
    def __init__(self, layers: Sequence[Layer], flow: Flow, placed: Mapping[int, int]) -> None:
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

    def _place(self, layer: Layer, region: int | None) -> None:
        if region is not None and layer.position not in self._found:
            self._found[layer.position] = region

    def _served(self, layer: Layer) -> int | None:
        """The region of the layer that a reformat is named after."""
        if not layer.is_reformat:
            return None
        start = _SERVED.match(layer.name)
        name = layer.name[start.end() :] if start and start.end() else _SERVED_OLD.sub("", layer.name)
        return None if name == layer.name else self._found.get(self._by_name.get(name, -1))

    def _regions(self, positions: Iterable[int]) -> list[int]:
        return list(dict.fromkeys(self._found[place] for place in positions if place in self._found))

    def _by_readers(self, layer: Layer) -> int | None:
        """The one region that reads it; of several the first for a constant, else the one that makes what it reads."""
        readers = self._regions(self._flow.readers[layer.position])
        if len(readers) <= 1:
            return readers[0] if readers else None
        if layer.position in self._flow.constant:
            return min([region for region in readers if region != UNALIGNED] or readers)
        makers = self._regions(self._flow.makers[layer.position])
        return makers[0] if len(makers) == 1 else readers[0]

    def _by_makers(self, layer: Layer) -> int | None:
        """The last region that makes what it reads: for copies to the network's outputs."""
        makers = self._regions(self._flow.makers[layer.position])
        return makers[-1] if makers else None

    def _next(self, position: int) -> int | None:
        """The region of the next layer in execution order that has one, else of the one before."""
        around = [*range(position + 1, len(self._layers)), *range(position - 1, -1, -1)]
        return next((self._found[place] for place in around if place in self._found), None)

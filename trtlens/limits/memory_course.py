"""Bytes over the course of an engine: activations that are still needed while each layer runs, and the weights of each layer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from trtlens.engine.engine_graph import CONSTANT, read_graph
from trtlens.limits.stated_parameters import read_stated
from trtlens.runs.run import Run, once
from trtlens.tables.engine_layers import NO_WORK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trtlens.engine.engine_graph import EngineGraph


@dataclass(frozen=True, slots=True)
class Step:
    """One layer that launches something: bytes of the activations that are alive while it runs, and how many have no known size."""

    index: int
    name: str
    alive_bytes: int
    unknown: int


@once
def memory_course(run: Run, build: int) -> list[Step]:
    """The layers in execution order; inputs and outputs of the engine, which are the caller's memory, and constants do not count."""
    graph = read_graph(run, build)
    changes, unknown = _changes(graph)
    steps, alive, missing = [], 0, 0
    for index, layer in sorted(graph.nodes.items()):
        alive, missing = alive + changes[index], missing + unknown[index]
        if layer.type not in NO_WORK:
            steps.append(Step(index, layer.name, alive, missing))
    return steps


def _changes(graph: EngineGraph) -> tuple[Counter[int], Counter[int]]:
    """By layer: bytes that come alive there less those that are needed no more; likewise the tensors of no known size.

    A tensor lives from the layer that makes it first to the one that reads it last.
    """
    sizes = {tensor.name: tensor.bytes for layer in graph.nodes.values() for tensor in layer.outputs}
    following = dict(pairwise(sorted(graph.nodes)))
    changes, unknown = Counter[int](), Counter[int]()
    for tensor, makers in graph.makers.items():
        readers = graph.readers.get(tensor, [])
        if readers and graph.nodes[makers[0]].type != CONSTANT:
            size, behind = sizes[tensor], following.get(max(readers[-1], makers[-1]))
            for place, sign in ((makers[0], 1), (behind, -1)):
                if place is not None:
                    changes[place] += sign * (size or 0)
                    unknown[place] += sign * (size is None)
    return changes, unknown


@once
def weights_of_layers(run: Run, build: int) -> Mapping[int, int]:
    """Bytes of the weights by layer: those that the inspector states, and constants, at the layer that reads them first."""
    graph = read_graph(run, build)
    found: dict[int, int] = {}
    for index, layer in graph.nodes.items():
        if layer.type != CONSTANT and (size := read_stated(layer).weight_bytes):
            found[index] = found.get(index, 0) + int(size)
        for tensor in layer.outputs if layer.type == CONSTANT else ():
            readers = graph.readers.get(tensor.name)
            if readers and tensor.bytes:
                found[readers[0]] = found.get(readers[0], 0) + tensor.bytes
    return found

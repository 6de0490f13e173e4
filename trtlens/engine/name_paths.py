"""Where in the model an engine layer belongs: the path that the names of its ONNX nodes share (`layer1`, `layer1.0`, `conv1`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from trtlens.engine.engine_graph import read_graph
from trtlens.engine.tensor_layers import held_nodes
from trtlens.runs.run import Run, once

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trtlens.engine.engine_graph import EngineGraph, GraphLayer

Path = tuple[str, ...]
_NUMBERED = re.compile(r"(?P<list>[A-Za-z_]\w*)\.\d{1,9}")
_DOTTED = re.compile(r"\w+(?:\.\w+)+")
_BESIDE = re.compile(r"(?:Q|DeQ|Deq)uantizeLinear(?:_\w*)?|(?:Constant|Identity|Cast)(?:_\d+)?")
"""Nodes that are in no label where others are."""
_LONGEST = 2048
_MOST_IN_LABEL = 4


@dataclass(frozen=True, slots=True)
class LayerPath:
    """A layer's path, and a short name below it: what its nodes' names hold beyond the path."""

    path: Path
    label: str


def name_path(name: str) -> Path:
    """The parts of a node's name: split at slashes, else at dots; a member of a list stands below the list.

    `/layer1/layer1.0/conv1/Conv` and `layer1.0.conv1.Conv` both are `layer1`, `layer1.0`, `conv1`, `Conv`.
    """
    if len(name) > _LONGEST:
        return (name,)
    parts = [part for part in name.split("/") if part]
    if len(parts) == 1 and _DOTTED.fullmatch(parts[0]):
        parts = _members(parts[0].split("."))
    found: list[str] = []
    for part in parts:
        member = _NUMBERED.fullmatch(part)
        if member and (not found or found[-1] != member["list"]):
            found.append(member["list"])
        found.append(part)
    return tuple(found) or (name,)


def _members(parts: Sequence[str]) -> list[str]:
    """Numbers joined to the name before them."""
    found: list[str] = []
    for part in parts:
        if part.isdigit() and found:
            found[-1] += f".{part}"
        else:
            found.append(part)
    return found


@once
def layer_paths(run: Run, build: int) -> Mapping[int, LayerPath]:
    """The path of every layer of a build, by its index; empty where the run lists none.

    A layer of several nodes stands where all of them are; a reformat with the layer that reads it, else with that which writes its
    input; a layer without a known node by the parts of its own name.
    """
    graph = read_graph(run, build)
    if not graph.nodes:
        return {}
    nodes = {layer.index: held.nodes for layer, held in held_nodes(run, build)}
    found: dict[int, LayerPath] = {}
    for index, layer in graph.nodes.items():
        if not layer.is_reformat:
            found[index] = _of_nodes(nodes.get(index) or layer.name.split(" + "), layer)
    for index in reversed(graph.nodes):
        layer = graph.nodes[index]
        if layer.is_reformat:
            found[index] = LayerPath(_beside(graph, layer, found), "reformat")
    return {index: found[index] for index in graph.nodes}


def _of_nodes(names: Iterable[str], layer: GraphLayer) -> LayerPath:
    paths = [name_path(name) for name in dict.fromkeys(names)]
    shared = _shared([path[:-1] for path in paths])
    working = [path for path in paths if _BESIDE.fullmatch(path[-1]) is None] or paths
    rest = ["/".join(path[len(shared) :]) for path in working]
    if len(rest) > _MOST_IN_LABEL:
        return LayerPath(shared, f"{rest[0]} … {rest[-1]}, {len(paths)} nodes")
    return LayerPath(shared, " + ".join(rest) or layer.name)


def _shared(paths: Sequence[Path]) -> Path:
    """The first parts that all paths have."""
    least, most = min(paths), max(paths)  # whatever stands between them in order shares what these two share
    same = (one == other for one, other in zip(least, most, strict=False))
    return least[: sum(takewhile(bool, same))]


def _beside(graph: EngineGraph, layer: GraphLayer, known: Mapping[int, LayerPath]) -> Path:
    readers = [reader.index for name in layer.output_names for reader in graph.consumers(name)]
    makers = [maker for name in layer.input_names for maker in graph.makers.get(name, ())]
    return next((known[index].path for index in (*readers, *makers) if index in known), ())

"""Under which name the tuner knows a layer of the engine: its own, a Myelin region's, or an operation's inside one.

Myelin layers that detailed verbosity opens up (9.x on) are called `NAME_myl38_9`: the ninth kernel of region 38. The
region's own name (`{ForeignNode[a...b]}`) does not stand there; it follows from tensors named after it, from its ONNX
nodes (listed by 10.9 and later, else the two in its name), or from there being one region only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.tuning.combination_matcher import boundary_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trtlens.tables.engine_layers import EngineLayer

_PART = re.compile(r"(?P<name>.*)_(?P<group>myl\d{1,6})_\d{1,6}$", re.DOTALL)
_PROFILE = re.compile(r" \[profile \d{1,3}\]$")


@dataclass(frozen=True, slots=True)
class Match:
    """The tuner's names for one engine layer.

    Attributes:
        layer: the layer that the tuner timed; None where no name of the log is this layer.
        op: the operation inside a Myelin region that is this layer.
        by: name, region (the layer is a part of it) or operation; None where there is no match.
    """

    layer: str | None
    op: str | None
    by: str | None


NO_MATCH = Match(None, None, None)


class Matcher:
    """Matches the layers of one build.

    ``timed`` are the names that the tuner used, ``operations`` the operations timed inside each Myelin region, and
    ``region_nodes`` the ONNX nodes that the builder lists for a region.
    """

    def __init__(
        self, timed: Iterable[str], operations: Mapping[str, set[str]], region_nodes: Mapping[str, frozenset[str]]
    ) -> None:
        self._timed = frozenset(timed)
        self._operations = operations
        self._region_nodes = region_nodes
        self._regions = {name for name in self._timed if "{ForeignNode[" in name} | set(region_nodes)

    def match(self, layers: Sequence[EngineLayer]) -> list[Match]:
        """A match for each layer, in the same order."""
        groups: dict[str, list[EngineLayer]] = defaultdict(list)
        for layer in layers:
            if layer.name not in self._timed and (part := _PART.match(layer.name)):
                groups[part["group"]].append(layer)
        regions = {group: self._region_of(members, len(groups)) for group, members in groups.items()}
        return [self._match(layer, regions) for layer in layers]

    def _match(self, layer: EngineLayer, regions: Mapping[str, str | None]) -> Match:
        if layer.name in self._timed:
            return Match(layer.name, None, "name")
        part = _PART.match(layer.name)
        region = regions.get(part["group"]) if part else None
        if part is None or region is None:
            return NO_MATCH
        operation = part["name"]
        if operation in self._operations.get(region, ()):
            return Match(region, operation, "operation")
        return Match(region, None, "region")

    def _region_of(self, members: Sequence[EngineLayer], groups: int) -> str | None:
        """The one region that the parts' tensors or ONNX nodes name; None where they name none, or several."""
        named = {region for layer in members for region in self._named_by_tensors(layer)}
        if not named:
            nodes = {node for layer in members for node in layer.onnx_nodes}
            profile = _profile_of(members)
            named = {r for r in self._regions if self._nodes_of(r) & nodes and (_suffix(r) or "") == profile}
        if not named and groups == 1:
            named = set(self._regions)
        return named.pop() if len(named) == 1 else None

    def _nodes_of(self, region: str) -> frozenset[str]:
        """The region's ONNX nodes as listed, else those between the braces of its name: the first and the last."""
        return self._region_nodes.get(region) or frozenset(
            node for end in _inner(region).split("...") for node in end.split(" + ")
        )

    def _named_by_tensors(self, layer: EngineLayer) -> set[str]:
        ends = (boundary_of(tensor.name) for tensor in (*layer.inputs, *layer.outputs))
        return {end[0] for end in ends if end is not None and end[0] in self._regions}


def _inner(region: str) -> str:
    """``a...b`` of ``{ForeignNode[a...b]}``."""
    return region.partition("{ForeignNode[")[2].rpartition("]}")[0]


def _profile_of(members: Sequence[EngineLayer]) -> str:
    """The suffix ``[profile 1]`` that the parts' tensors carry; empty for the first optimisation profile."""
    names = (tensor.name for layer in members for tensor in (*layer.inputs, *layer.outputs))
    return next((suffix for name in names if (suffix := _suffix(name)) is not None), "")


def _suffix(name: str) -> str | None:
    found = _PROFILE.search(name)
    return found[0] if found else None

"""Which engine layer makes a tensor of the model: by the tensor's own name, else by the ONNX node that makes it.

A tensor that the engine kept carries the model's name on a layer's output. One that fusion took away is made inside of
the layer that holds its node, which the layer's Metadata, its name or the tensors around it tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.engine.identity import Identities
from trtlens.engine.layer_nodes import read_holdings
from trtlens.engine.sides import read_side

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trtlens.engine.layer_nodes import Holding
    from trtlens.engine.sides import Layer
    from trtlens.runs.run import Run

TENSOR = "tensor"


@dataclass(frozen=True, slots=True)
class Place:
    """The engine layer that makes a tensor; ``joined_by`` is tensor, metadata, name or tensors (around its node)."""

    layer_index: int
    joined_by: str


def held_nodes(run: Run, build: int | None) -> list[tuple[Layer, Holding]]:
    """Every engine layer with the ONNX nodes that it holds; ``build`` None takes the last one that lists layers.

    Raises:
        TrtlensError: the run lists no engine layers.

    """
    side = read_side(run.name, run, build)
    holdings = read_holdings([side], 0, Identities([side]), trust_unnamed=False)
    return list(zip(side.layers, holdings, strict=True))


def places_of_tensors(run: Run, build: int, producers: Mapping[str, str | None]) -> dict[str, Place]:
    """The engine layers of these tensors, given with the ONNX nodes that make them; tensors of no layer are left out."""
    if not run.build(build)["layers"].num_rows:
        return {}
    held = held_nodes(run, build)
    # a reformat writes the tensor under its name too, but the layer before it made the values
    by_tensor = {name: layer.index for layer, _ in held if layer.is_reformat for name in layer.outputs}
    by_tensor |= {name: layer.index for layer, _ in held if not layer.is_reformat for name in layer.outputs}
    by_node = {
        node: Place(layer.index, holding.source or "")
        for layer, holding in held
        for node in (holding.nodes if not layer.is_reformat else ())
    }
    places = {name: by_node[node] for name, node in producers.items() if node is not None and node in by_node}
    return places | {name: Place(by_tensor[name], TENSOR) for name in producers if name in by_tensor}

"""Which engine layer makes a tensor of the model: by the tensor's own name, else by the ONNX node that makes it.

A tensor that the engine kept carries the model's name on a layer's output. One that fusion took away is made inside of
the layer that holds its node, which the layer's Metadata, its name or the tensors around it tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from trtlens.engine.built_engine import read_engine
from trtlens.engine.layer_nodes import read_layer_nodes
from trtlens.engine.onnx_nodes import Identities
from trtlens.engine.times import frame, layers_with_times
from trtlens.runs.run import Run, once

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trtlens.engine.built_engine import PlacedLayer
    from trtlens.engine.layer_nodes import LayerNodes

TENSOR = "tensor"


@dataclass(frozen=True, slots=True)
class Place:
    """The engine layer that makes a tensor; ``joined_by`` is tensor, metadata, name or tensors (around its node)."""

    layer_index: int
    joined_by: str


@once
def held_nodes(run: Run, build: int | None) -> list[tuple[PlacedLayer, LayerNodes]]:
    """Every engine layer with the ONNX nodes that it holds; ``build`` None takes the last one that lists layers.

    Raises:
        TrtlensError: the run lists no engine layers.

    """
    engine = read_engine(run.name, run, build)
    layer_nodes = read_layer_nodes([engine], 0, Identities([engine]), trust_unnamed=False)
    return list(zip(engine.layers, layer_nodes, strict=True))


def places_of_tensors(run: Run, build: int, producers: Mapping[str, str | None]) -> dict[str, Place]:
    """The engine layers of these tensors, given with the ONNX nodes that make them; tensors of no layer are left out."""
    if not run.build(build)["layers"].num_rows:
        return {}
    held = held_nodes(run, build)
    # a reformat writes the tensor under its name too, but the layer before it made the values
    by_tensor = {name: layer.index for layer, _ in held if layer.is_reformat for name in layer.output_names}
    by_tensor |= {name: layer.index for layer, _ in held if not layer.is_reformat for name in layer.output_names}
    by_node = {
        node: Place(layer.index, held.source or "")
        for layer, held in held
        for node in (held.nodes if not layer.is_reformat else ())
    }
    places = {name: by_node[node] for name, node in producers.items() if node is not None and node in by_node}
    return places | {name: Place(by_tensor[name], TENSOR) for name in producers if name in by_tensor}


# -- times in FP32 ----------------------------------------------------------------------------------------------------
# What each engine layer takes and would take in FP32: from a timed FP32 run of the model, else from the tuner's own record.
#
# In another run the layers that together hold the same ONNX nodes are added up. The tuner's record, in the verbose log of
# a build that was allowed less than FP32, names the fastest FP32 or TF32 candidate of the layer, without the reformats
# that it would need. It is held against the candidate that the engine runs and not against a profile, which adds the cost
# of its events to every layer.


FROM_RUN, FROM_TUNER = "run", "tuner"


class Fp32Time(NamedTuple):
    """A layer as it runs and in FP32 [ms], both by one clock: that of the ``source``, run or tuner."""

    now_ms: float
    fp32_ms: float
    source: str


def fp32_times(run: Run, build: int, fp32: Run | None) -> dict[int, Fp32Time]:
    """Times by index of the layer; layers of which either is unknown are left out."""
    times = _tuned(run.build(build))
    if fp32 is not None:
        now = _times(run, build)
        held = _held(run, build, fp32)
        times |= {index: Fp32Time(now[index], time_ms, FROM_RUN) for index, time_ms in held.items() if index in now}
    return times


def _tuned(one: Run) -> dict[int, Fp32Time]:
    """The candidate that runs and the fastest timed FP32 or TF32 one, of each layer that the tuner, or its twin's tuner, names."""
    candidates = frame(one["candidates"])
    candidates = candidates[candidates["time_ms"].notna()]
    fastest = candidates[candidates["precision"].isin(["fp32", "tf32"])].groupby("layer")["time_ms"].min().to_dict()
    running = candidates[candidates["chosen"].fillna(value=False).astype(bool)].set_index("line")["time_ms"].to_dict()
    rows = {row["layer_index"]: row for row in one["tuned_layers"].to_pylist()}
    used = {index: rows.get(row["twin_index"], row) for index, row in rows.items()}
    return {
        index: Fp32Time(running[row["candidate_line"]], fastest[row["layer"]], FROM_TUNER)
        for index, row in used.items()
        if row["matched_by"] == "name" and row["candidate_line"] in running and row["layer"] in fastest
    }


def _held(run: Run, build: int, fp32: Run) -> dict[int, float]:
    """The sum of the FP32 run's layers that hold exactly the nodes of a layer, and nothing beside them."""
    ours, theirs = _nodes_of_layers(run, build), _nodes_of_layers(fp32, None)
    times = _times(fp32, read_engine(fp32.name, fp32).build)
    found = {}
    for index, nodes in ours.items():
        parts = {other: held for other, held in theirs.items() if held & nodes}
        covered = frozenset[str]().union(*parts.values())
        if parts and covered == nodes and all(other in times for other in parts):
            found[index] = sum(times[other] for other in parts)
    return found


def _nodes_of_layers(run: Run, build: int | None) -> dict[int, frozenset[str]]:
    return {
        layer.index: frozenset(held.nodes)
        for layer, held in held_nodes(run, build)
        if held.nodes and not layer.is_reformat
    }


def _times(run: Run, build: int) -> dict[int, float]:
    layers = layers_with_times(run)
    timed = layers[(layers["build"] == build) & layers["time_ms"].notna()]
    return dict(zip(timed["index"].tolist(), pd.to_numeric(timed["time_ms"]).tolist(), strict=True))

"""What each engine layer would take in FP32: from a timed FP32 run of the model, else from the tuner's own record.

In another run the layers that together hold the same ONNX nodes are added up. The tuner's record, in the verbose log of
a build that was allowed less than FP32, names the fastest FP32 or TF32 candidate of the layer, without the reformats
that it would need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from trtlens.comparison.sides import read_side
from trtlens.joins import frame, layers_with_times
from trtlens.tensor_layers import held_nodes

if TYPE_CHECKING:
    from trtlens.runs import Run

FROM_RUN, FROM_TUNER = "run", "tuner"


def fp32_times(run: Run, build: int, fp32: Run | None) -> dict[int, tuple[float, str]]:
    """Milliseconds in FP32 by index of the layer, with their source: run or tuner; layers of unknown ones are left out."""
    times = {index: (time_ms, FROM_TUNER) for index, time_ms in _tuned(run.build(build)).items()}
    if fp32 is not None:
        times |= {index: (time_ms, FROM_RUN) for index, time_ms in _held(run, build, fp32).items()}
    return times


def _tuned(one: Run) -> dict[int, float]:
    """The fastest timed FP32 or TF32 candidate of each layer that the tuner knows under a name of its own."""
    known = frame(one["tuned_layers"])
    known = known[known["matched_by"] == "name"][["layer_index", "layer"]]
    candidates = frame(one["candidates"])
    candidates = candidates[candidates["precision"].isin(["fp32", "tf32"]) & candidates["time_ms"].notna()]
    fastest = candidates.groupby("layer", as_index=False)["time_ms"].min()
    joined = known.merge(fastest, on="layer")
    return dict(zip(joined["layer_index"].tolist(), joined["time_ms"].tolist(), strict=True))


def _held(run: Run, build: int, fp32: Run) -> dict[int, float]:
    """The sum of the FP32 run's layers that hold exactly the nodes of a layer, and nothing beside them."""
    ours, theirs = _nodes_of_layers(run, build), _nodes_of_layers(fp32, None)
    times = _times(fp32)
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


def _times(run: Run) -> dict[int, float]:
    layers = layers_with_times(run)
    build = read_side(run.name, run).build
    timed = layers[(layers["build"] == build) & layers["time_ms"].notna()]
    return dict(zip(timed["index"].tolist(), pd.to_numeric(timed["time_ms"]).tolist(), strict=True))

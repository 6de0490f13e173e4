"""One build's engine as a graph: layers with their tensors, who makes and who reads each tensor, formats, times.

Formats are the tuner's texts (`Int8(784,49:32,7,1)`), known for the tensors of layers whose combination is known and
for both ends of reformats that the builder announced.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from trtlens.engine.kernel_times import has_layer_times
from trtlens.runs.run import once
from trtlens.tables.arrays import known_true
from trtlens.tables.engine_layers import EngineLayer, read_layers
from trtlens.tuning.combination_matcher import boundary_of, innermost_first_of, read_combination
from trtlens.tuning.kept_strategy import kept_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trtlens.runs.run import Run

CONSTANT = "Constant"


@dataclass(frozen=True, slots=True)
class GraphLayer(EngineLayer):
    """A layer of the graph: with its row of `tuned_layers` (empty where the log has none) and its measured time."""

    tuned: Mapping[str, Any] = field(default_factory=dict)
    time_ms: float | None = None
    time_source: str | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """The exact format of a tensor as the tuner prints it, and the line that says so."""

    text: str
    line: int


@dataclass(slots=True)
class EngineGraph:
    """The layers of one build by index, and the indices of the layers that write and read each tensor, in execution order."""

    build: int
    nodes: dict[int, GraphLayer]
    makers: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    readers: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    formats: dict[str, Format] = field(default_factory=dict)

    def maker(self, tensor: str, before: int | None = None) -> GraphLayer | None:
        """The layer that writes a tensor last, before the layer of index ``before`` if that is given."""
        indices = self.makers.get(tensor, [])
        count = len(indices) if before is None else bisect_left(indices, before)
        return self.nodes[indices[count - 1]] if count else None

    def consumers(self, tensor: str) -> list[GraphLayer]:
        """The layers that read a tensor."""
        return [self.nodes[i] for i in self.readers.get(tensor, ())]


def builds_with_layers(run: Run) -> list[int]:
    """Numbers of the builds whose engine's layers the run lists."""
    return sorted(pc.unique(run["layers"]["build"]).to_pylist())


@once
def read_graph(run: Run, build: int) -> EngineGraph:
    """The engine of one build; without nodes where the log lists no layers."""
    one = run.build(build)
    times = _times(run, build)
    tuned = {row["layer_index"]: row for row in one["tuned_layers"].to_pylist()}
    graph = EngineGraph(build, {})
    for layer in read_layers(one).get(build, ()):
        index = layer.index
        time_ms, source = times.get(index, (None, None))
        graph.nodes[index] = GraphLayer(layer.row, layer.inputs, layer.outputs, tuned.get(index, {}), time_ms, source)
        for name in layer.output_names:
            graph.makers[name].append(index)
        for name in layer.input_names:
            graph.readers[name].append(index)
    _add_formats(graph, one)
    return graph


def _times(run: Run, build: int) -> dict[int, tuple[float, str]]:
    """Measured milliseconds and their source by layer index; empty for a run without times of layers."""
    if not has_layer_times(run):
        return {}
    from trtlens.engine.times import timed_layers  # noqa: PLC0415  pandas is loaded only where there are times to join

    return timed_layers(run, build)


def _add_formats(graph: EngineGraph, one: Run) -> None:
    """Formats of tensors of one build: from the combinations that layers run, then from the reformats that were announced."""
    chosen = one["combinations"].filter(known_true(one["combinations"]["chosen"]))
    combinations = {row["line"]: row for row in chosen.select(["line", "input_formats", "output_formats"]).to_pylist()}
    innermost_first = innermost_first_of(one)[graph.build]
    for node in graph.nodes.values():
        twin = graph.nodes.get(node.tuned.get("twin_index", -1))
        tuned = node.tuned if twin is None else twin.tuned  # a twin's tensors lie alike, so its formats hold here too
        row = combinations.get(tuned.get("combination_line"))
        if row is None or tuned["matched_by"] != "name":
            continue
        tried = read_combination(row["input_formats"], row["output_formats"], innermost_first=innermost_first)
        if tried is None:
            continue
        for own, strided in ((node.inputs, tried.inputs), (node.outputs, tried.outputs)):
            if len(own) == len(strided):
                for tensor, form in zip(own, strided, strict=True):
                    graph.formats.setdefault(tensor.name, Format(form.format.text, row["line"]))
    for row in kept_rows(one, "added_reformats").to_pylist():
        boundary = boundary_of(row["tensor"])
        before, after = Format(row["input_format"], row["line"]), Format(row["output_format"], row["line"])
        behind = boundary is not None and boundary[1] == "output"
        graph.formats.setdefault(row["tensor"], before if behind else after)
        graph.formats.setdefault(row["source"], after if behind else before)

"""Which tensor goes wrong first, and how much of its error its own layer added.

The error of a tensor is noise over signal (`Metrics.error`). What a layer adds is its output's error less the largest
error among its inputs: a layer that only passes an error on adds nothing, and after a NaN or an infinity, which count as
an error of 1, no later layer is blamed. An operator that takes small differences of large numbers raises the relative
error without rounding anything; that is told as the cause.

Fusion leaves only some tensors of the ONNX graph, so the inputs of a tensor are the nearest compared ones above it, and
its subgraph the nodes in between, which is what an engine layer computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from trtlens.accuracy.compare import ComparedTensor, Comparison
    from trtlens.accuracy.metrics import Metrics
    from trtlens_parsers.dump_index import DumpedNode

OK, SUSPECT, WRONG = "ok", "suspect", "wrong"
INTEGER_PRECISIONS = frozenset({"int8", "int4", "fp8", "fp4"})

_SATURATED_SHARE = 0.001


@dataclass(frozen=True, slots=True)
class Limits:
    """What a tensor must reach to be ok; a new NaN or infinity is always wrong. None asks for nothing."""

    min_sqnr_db: float | None
    min_cosine: float | None


FLOAT_LIMITS = Limits(min_sqnr_db=20.0, min_cosine=0.997)
"""What Polygraphy asks for by default (0.53), for FP32, FP16 and BF16."""
INTEGER_LIMITS = Limits(min_sqnr_db=10.0, min_cosine=None)
"""A tenth of the signal's power as noise, which PPQ warns at, for types of 8 bits and fewer."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A compared tensor with what is known of its place: `error_added` is None where no graph says what goes in."""

    tensor: ComparedTensor
    subgraph: Subgraph | None
    input_error: float | None
    error_added: float | None
    verdict: str | None


def limits_for(precision: str | None) -> Limits:
    """The limits of a run in that precision; an unknown one is held to those of FP16."""
    return INTEGER_LIMITS if precision in INTEGER_PRECISIONS else FLOAT_LIMITS


def judge(comparison: Comparison, graph: Graph, limits: Limits) -> list[Judged]:
    """Every tensor with its verdict and the error that its layer added, in the order of the comparison."""
    errors = {row.name: row.metrics.error for row in comparison.tensors if row.metrics is not None}
    subgraphs = graph.subgraphs(errors)
    return [_judged(row, subgraphs.get(row.name), errors, limits) for row in comparison.tensors]


def _judged(row: ComparedTensor, subgraph: Subgraph | None, errors: dict[str, float | None], limits: Limits) -> Judged:
    if row.metrics is None:
        return Judged(row, subgraph, None, None, None)
    verdict = _verdict(row.metrics, limits)
    error = row.metrics.error
    if subgraph is None or error is None:
        return Judged(row, subgraph, None, None, verdict)
    known = [found for name in subgraph.inputs if (found := errors[name]) is not None]
    if len(known) < len(subgraph.inputs):
        return Judged(row, subgraph, None, None, verdict)
    input_error = max(known, default=0.0)
    return Judged(row, subgraph, input_error, max(error - input_error, 0.0), verdict)


def _verdict(metrics: Metrics, limits: Limits) -> str:
    if metrics.new_nan or metrics.new_inf:
        return WRONG
    noisy = limits.min_sqnr_db is not None and metrics.sqnr_db is not None and metrics.sqnr_db < limits.min_sqnr_db
    turned = (
        limits.min_cosine is not None
        and metrics.cosine_similarity is not None
        and metrics.cosine_similarity < limits.min_cosine
    )
    if noisy or turned:
        return WRONG
    if not metrics.compared:
        return OK
    saturates = (metrics.saturated_share or 0.0) > _SATURATED_SHARE
    # a reference of zeros has no signal: all that the run holds is error
    nothing_expected = metrics.reference_min == metrics.reference_max == 0.0 and bool(metrics.max_abs_error)
    return SUSPECT if saturates or nothing_expected else OK


def first_bad(rows: list[Judged]) -> Judged | None:
    """The first tensor in the execution that is not ok."""
    return next((row for row in rows if row.verdict in (SUSPECT, WRONG)), None)


# -- the ONNX graph ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Subgraph:
    """What makes one tensor: the compared tensors that go in and the nodes, in graph order, the last one its producer."""

    inputs: tuple[str, ...]
    nodes: tuple[DumpedNode, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in graph order, with who makes and who reads each tensor."""

    nodes: tuple[DumpedNode, ...]
    producers: dict[str, DumpedNode]
    readers: dict[str, tuple[DumpedNode, ...]]

    def positions(self) -> dict[str, int]:
        """The place of every node's output in the graph's order."""
        return {tensor: index for index, node in enumerate(self.nodes) for tensor in node.outputs}

    def subgraphs(self, compared: Collection[str]) -> dict[str, Subgraph]:
        """The subgraph of every compared tensor that a node makes."""
        known = set(compared)
        places = {tensor: place for place, node in reversed(list(enumerate(self.nodes))) for tensor in node.outputs}
        return {tensor: self._subgraph(places[tensor], known, places) for tensor in compared if tensor in places}

    def _subgraph(self, last: int, known: set[str], places: dict[str, int]) -> Subgraph:
        """Everything above a node up to the tensors that are known."""
        found = {last}
        pending = [last]
        while pending:
            for name in self.nodes[pending.pop()].inputs:
                place = places.get(name)
                if place is not None and name not in known and place not in found:
                    found.add(place)
                    pending.append(place)
        nodes = tuple(self.nodes[place] for place in sorted(found))
        inputs = dict.fromkeys(name for node in nodes for name in node.inputs if name in known)
        return Subgraph(tuple(inputs), nodes)


def make_graph(nodes: Sequence[DumpedNode]) -> Graph:
    """The graph of these nodes; a tensor that two nodes claim to make keeps the first."""
    producers: dict[str, DumpedNode] = {}
    readers: dict[str, list[DumpedNode]] = {}
    for node in nodes:
        for tensor in node.outputs:
            producers.setdefault(tensor, node)
        for tensor in dict.fromkeys(node.inputs):
            readers.setdefault(tensor, []).append(node)
    return Graph(tuple(nodes), producers, {tensor: tuple(found) for tensor, found in readers.items()})

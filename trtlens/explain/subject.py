"""Everything that is known of the layer that an explanation is about."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from trtlens.engine.engine_graph import EngineGraph, Node, read_graph
from trtlens.engine.reformat_causes import Reformat, ReformatReader
from trtlens.engine.reformat_costs import ReformatCosts
from trtlens.explain.flags import Flags
from trtlens.tables.arrays import of_build
from trtlens.tuning.kept_strategy import kept_rows
from trtlens.tuning.queries import Candidate, Tuner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.runs.run import Run


@dataclass(frozen=True, slots=True)
class Subject:
    """One engine layer with the tuner's record that stands for it.

    Attributes:
        node: the layer.
        twin: the layer whose record is read, where this one has none of its own.
        op: the operation inside a Myelin region that the layer is.
        region: the Myelin region that the layer is a part of.
        candidates: the record's candidates, in the order of the log.
        combinations: its format combinations.
        chosen: the candidate that the engine runs.
        messages: warnings and remarks that name the layer or one of its tensors.
        reformat: cause and cost, for a layer that only changes type or layout.
    """

    node: Node
    graph: EngineGraph
    costs: ReformatCosts
    twin: Node | None
    op: str | None
    region: str | None
    candidates: Sequence[Candidate]
    combinations: Sequence[dict[str, Any]]
    chosen: Candidate | None
    messages: Sequence[dict[str, Any]]
    reformat: Reformat | None


class Build:
    """One build of a run, ready to be asked about its layers."""

    def __init__(self, run: Run, number: int) -> None:
        self.number = number
        self.graph = read_graph(run, number)
        self.tuner = Tuner(run, number)
        self.flags = Flags(run, number, self.tuner)
        self._run = run
        reformats, messages = kept_rows(run, "reformat_candidates"), kept_rows(run, "messages")
        self.costs = ReformatCosts(of_build(reformats, number))
        self._messages: list[dict[str, Any]] = of_build(messages, number).to_pylist()

    def subject(self, node: Node) -> Subject:
        """What is known of an engine layer; of one without a record, through the layer that is like it."""
        twin_index = node.tuned.get("twin_index")
        twin = None if twin_index is None else self.graph.nodes[twin_index]
        tuned = twin.tuned if twin is not None else node.tuned
        layer = tuned.get("layer")
        candidates = self.tuner.candidates(layer) if layer is not None else []
        chosen = next((c for c in candidates if c.line == tuned.get("candidate_line")), None)
        by_region = tuned.get("matched_by") in {"region", "operation"}
        return Subject(
            node, self.graph, self.costs, twin, tuned.get("op"), layer if by_region else None, candidates,
            self.tuner.combinations(layer) if layer is not None else [], chosen, self._about(node),
            self._reformats.get(node.index) if node.is_reformat else None,
        )  # fmt: skip

    @cached_property
    def _reformats(self) -> dict[int, Reformat]:
        found = ReformatReader(self._run, self.number, self.graph).reformats()
        return {reformat.node.index: reformat for reformat in found}

    def _about(self, node: Node) -> list[dict[str, Any]]:
        """Messages that name the layer or one of its tensors, in the order of the log."""
        names = {("tensor", tensor.name) for tensor in (*node.inputs, *node.outputs) if tensor.name}
        places = {place for name in (*names, ("layer", node.name)) for place in self._naming.get(name, ())}
        return [self._messages[place] for place in sorted(places)]

    @cached_property
    def _naming(self) -> dict[tuple[str, str], list[int]]:
        """Places of the messages that name a layer or a tensor."""
        naming: dict[tuple[str, str], list[int]] = defaultdict(list)
        for place, row in enumerate(self._messages):
            for column in ("layer", "tensor"):
                if row[column] is not None:
                    naming[column, row[column]].append(place)
        return naming

"""Everything that is known of the layer that an explanation is about."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from trtlens.engine.engine_graph import EngineGraph, GraphLayer, read_graph
from trtlens.engine.kernel_times import has_layer_times
from trtlens.engine.kernels_run import RanKernel, ran_by_layer
from trtlens.engine.reformat_causes import Reformat, ReformatCosts, read_costs, read_reformats
from trtlens.explain.flags import Flags
from trtlens.runs.run import once
from trtlens.tables.arrays import of_build
from trtlens.tables.schema import declare
from trtlens.tuning.kept_strategy import kept_rows
from trtlens.tuning.queries import Candidate, Tuner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from trtlens.limits.parts import LayerPart
    from trtlens.runs.run import Run
    from trtlens.tuning.queries import Candidate


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
        ran: the kernels that it launched, where they were traced.
        part: its part of an inference, where it has a time.
    """

    node: GraphLayer
    graph: EngineGraph
    costs: ReformatCosts
    twin: GraphLayer | None
    op: str | None
    region: str | None
    candidates: Sequence[Candidate]
    combinations: Sequence[dict[str, Any]]
    chosen: Candidate | None
    messages: Sequence[dict[str, Any]]
    reformat: Reformat | None
    ran: Sequence[RanKernel] = ()
    part: LayerPart | None = None


class Build:
    """One build of a run, ready to be asked about its layers."""

    def __init__(self, run: Run, number: int) -> None:
        self.number: int = number
        self.graph: EngineGraph = read_graph(run, number)
        self.tuner: Tuner = Tuner(run, number)
        self.flags: Flags = Flags(run, number, self.tuner)
        self._run = run
        self.costs: ReformatCosts = read_costs(run, number)
        self._messages: list[dict[str, Any]] = of_build(kept_rows(run, "messages"), number).to_pylist()

    def subject(self, node: GraphLayer) -> Subject:
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
            self._ran_by_layer.get(node.index, ()), self._parts.get(node.index),
        )  # fmt: skip

    @cached_property
    def _parts(self) -> dict[int | None, LayerPart]:
        if not has_layer_times(self._run):
            return {}
        from trtlens.limits.split import read_split  # noqa: PLC0415  pandas is loaded only where there are times to join

        split = read_split(self._run, self.number)
        return {} if split is None else {part.index: part for part in split.parts}

    @cached_property
    def _ran_by_layer(self) -> dict[int, list[RanKernel]]:
        return ran_by_layer(self._run, self.number)

    @cached_property
    def _reformats(self) -> dict[int, Reformat]:
        return {reformat.node.index: reformat for reformat in read_reformats(self._run, self.number)}

    def _about(self, node: GraphLayer) -> list[dict[str, Any]]:
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


read_build: Callable[[Run, int], Build] = once(Build)
"""One build of a run, made ready once."""


# -- statements -------------------------------------------------------------------------------------------------------
# One sentence of an explanation with what it stands on, and the sentences' table.


COLUMNS = declare(
    "view why", "one sentence about one engine layer, with the rows of the log that it stands on", "build layer_index rank",
    """
    build | int | | number of the build
    layer_index | int | | index of the engine layer; null for a layer that the tuner knows and the engine does not
    layer | text | | the layer's name
    rank | int | | position of the sentence, from 0
    section | text | | runs, tried, candidate, fastest, reformats, precision, skipped, note
    verdict | text | | code of what was found, such as slower or not enabled, see docs/why.md
    text | text | | the sentence
    time_ms | float | ms | the time that it is about
    tactic_id | uint | | the tactic that it is about
    kernel | text | | its kernel
    runner | text | | its runner
    precision | text | | the precision that it is about
    unit | text | | tensor core or cuda core
    input_formats | text | | inputs of the combination that it is about, as the tuner prints them
    output_formats | text | | its outputs
    lines | ints | | lines of the log that the sentence stands on; empty where it stands on a table of another file
    """,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence; ``candidate`` is the row of the tuner's record that it is about, ``lines`` are all its lines."""

    section: str
    text: str
    lines: tuple[int, ...]
    verdict: str | None = None
    candidate: Candidate | None = None
    time_ms: float | None = None
    precision: str | None = None


def say(
    section: str,
    text: str,
    *lines: int | None,
    verdict: str | None = None,
    candidate: Candidate | None = None,
    time_ms: float | None = None,
    precision: str | None = None,
) -> Statement:
    """A statement; the candidate's own line comes first, lines that are not known are left out."""
    own = () if candidate is None else (candidate.line,)
    known = tuple(dict.fromkeys(line for line in (*own, *lines) if line is not None))
    if candidate is not None:
        time_ms = candidate.time_ms if time_ms is None else time_ms
        precision = candidate.precision if precision is None else precision
    return Statement(section, text, known, verdict, candidate, time_ms, precision)


def statements_table(layers: Sequence[tuple[int, int | None, str, Sequence[Statement]]]) -> pa.Table:
    """The table of the statements of several layers: (build, layer index, layer name, statements)."""
    rows = [
        (build, index, name, rank, statement)
        for build, index, name, statements in layers
        for rank, statement in enumerate(statements)
    ]
    found = [row[4] for row in rows]
    tried = [statement.candidate for statement in found]
    return COLUMNS.table({
        "build": [r[0] for r in rows], "layer_index": [r[1] for r in rows], "layer": [r[2] for r in rows],
        "rank": [r[3] for r in rows], "section": [s.section for s in found], "verdict": [s.verdict for s in found],
        "text": [s.text for s in found], "time_ms": [s.time_ms for s in found],
        "tactic_id": [c.tactic_id if c else None for c in tried], "kernel": [c.kernel if c else None for c in tried],
        "runner": [c.runner if c else None for c in tried], "precision": [s.precision for s in found],
        "unit": [c.unit if c else None for c in tried],
        "input_formats": [c.input_formats if c else None for c in tried],
        "output_formats": [c.output_formats if c else None for c in tried],
        "lines": [list(s.lines) for s in found],
    })  # fmt: skip

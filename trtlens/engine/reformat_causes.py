"""Why each reformat of an engine is there, what it costs, and what can be done about it.

A cause is named only where the log shows it: the inspector's Origin, the model's own node, a constant or a network input
in front, a plugin or a concatenation beside, a fork, or the consumer's record, which says whether a kernel in the
producer's format exists and what it took. Where nothing shows it the cause is ``not shown``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.engine.engine_graph import read_graph
from trtlens.engine.kernel_times import KERNELS
from trtlens.engine.reformat_situation import Lookups, Situation
from trtlens.runs.run import once
from trtlens.tables.arrays import decoded, known_true, of_build
from trtlens.tuning.kept_strategy import kept_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.engine.engine_graph import EngineGraph, GraphLayer
    from trtlens.runs.run import Run
    from trtlens.tables.engine_layers import Tensor

MEASURED, TUNER, NO_KERNEL = "measured", "tuner", "no kernel"

ADVICE = {
    "constant": (
        "fold the nodes between the constant and its reader before building (polygraphy surgeon sanitize --fold-constants): "
        "shared initializers are often exported behind an Identity"
    ),
    "network input": (
        "give the input in the type and format that the first layer reads: --inputIOFormats (trtexec), or allowed_formats and "
        "dtype of the network's input"
    ),
    "network output": (
        "take the output in the type and format that the last layer writes: --outputIOFormats (trtexec), or allowed_formats "
        "and dtype of the network's output"
    ),
    "plugin": "let the plugin accept its neighbour's type and format (supportsFormatCombination)",
    "concat": "let all inputs of the concatenation end in one type and format, with channel counts that fill whole vectors",
    "qdq": (
        "move the Q node next to the layer that makes the tensor, and quantize every reader of it, so that the layer can write "
        "INT8 itself"
    ),
    "cast": "remove the Cast from the model, or let both sides compute in one type",
    "model node": "the model itself has this node: remove it there if it is not needed",
    "reshape": "reshapes and transpositions want the linear format: move them to the edge of the network, or fold them",
    "fork": "let all readers of the tensor run in one precision, so that one format serves them all",
    "myelin": "the boundary of a Myelin region: the same precision on both sides keeps the tensor as it is",
    "no kernel": "another precision, or channel counts that fill whole vectors, may have a kernel that takes the tensor as it is",
    "slower kernel": "nothing to do: kernels that need no reformat here were there, and the tuner found this detour faster",
    "not shown": "rebuild with a verbose logger, without a timing cache, to see what the reader was tried in",
}
"""What to do, by cause."""


@dataclass(frozen=True, slots=True)
class Reformat:
    """One reformat of the engine.

    Attributes:
        cause: a key of `ADVICE`.
        detail: a sentence on what shows the cause.
        lines: lines of the log that show it.
        cost_ms: what it costs once an inference; None where neither the profile nor the tuner has a time.
        cost_source: measured, tuner, or no kernel (the engine launches nothing for it).
        through_model: whether the model itself has this node; None where its nodes are not known.
    """

    node: GraphLayer
    producer: GraphLayer | None
    consumers: tuple[GraphLayer, ...]
    cause: str
    detail: str
    lines: tuple[int, ...]
    cost_ms: float | None
    cost_source: str | None
    cost_line: int | None
    through_model: bool | None = None


@once
def read_reformats(run: Run, build: int) -> Sequence[Reformat]:
    """Every reformat of one build's engine in execution order."""
    return _ReformatReader(run, build).reformats()


class _ReformatReader:
    """Reads the reformats of one build."""

    def __init__(self, run: Run, build: int) -> None:
        self.graph = read_graph(run, build)
        self._lookups = Lookups(run, self.graph)
        self._costs = read_costs(run, build)
        self._times = _candidate_times(run, build)
        self._traced = any(node.time_source == KERNELS for node in self.graph.nodes.values())

    def reformats(self) -> list[Reformat]:
        """Every reformat in execution order."""
        return [self._read(node) for node in self.graph.nodes.values() if node.is_reformat]

    def _read(self, node: GraphLayer) -> Reformat:
        source = node.inputs[0] if len(node.inputs) == 1 else None
        target = node.outputs[0] if len(node.outputs) == 1 else None
        producer = self.graph.maker(source.name, before=node.index) if source is not None else None
        consumers = tuple(n for n in self.graph.consumers(target.name) if n is not node) if target is not None else ()
        cause, detail, lines = Situation(self._lookups, node, source, target, producer, consumers).cause()
        cost, origin, line = self._cost(node, source, target)
        return Reformat(
            node, producer, consumers, cause, detail, tuple(dict.fromkeys(lines)), cost, origin, line,
            self._lookups.is_of_model(node.name),
        )  # fmt: skip

    def _cost(
        self, node: GraphLayer, source: Tensor | None, target: Tensor | None
    ) -> tuple[float | None, str | None, int | None]:
        """The measured time, else what the tuner timed for this very reformat or for one of the same formats."""
        if node.time_ms is not None:
            return node.time_ms, MEASURED, None
        if node.type == "NoOp":
            return 0.0, NO_KERNEL, node.row["line"]
        if self._traced:  # no kernel of it ran, so that it copies without one; the tuner's time is of another clock
            return None, None, None
        twin = self.graph.nodes.get(node.tuned.get("twin_index", -1))
        tuned = (node if twin is None else twin).tuned
        line = (
            tuned.get("candidate_line") if tuned.get("matched_by") == "name" else None
        )  # a region's time is not its parts'
        if line is not None and self._times.get(line) is not None:
            return self._times[line], TUNER, line
        before = self.graph.formats.get(source.name) if source is not None else None
        after = self.graph.formats.get(target.name) if target is not None else None
        if source is None or before is None or after is None:
            return None, None, None
        cost = self._costs.of(source.name, before.text, after.text)
        return (cost.time_ms, TUNER, cost.line) if cost.time_ms is not None else (None, None, None)


def _candidate_times(run: Run, build: int) -> dict[int, float | None]:
    candidates = run["candidates"]
    chosen = of_build(candidates.filter(known_true(candidates["chosen"])), build)
    return dict(zip(chosen["line"].to_pylist(), chosen["time_ms"].to_pylist(), strict=True))


# -- costs ------------------------------------------------------------------------------------------------------------
# What reformats cost by the tuner's own measurements: of one tensor, and around a layer whose formats would change.
#
# The tuner times a reformat for a tensor once for each pair of formats and takes equal ones from its cache; those stand
# in the log under the tensor that came first. A time of another tensor with the very same strides is taken and said so.


ANY_TENSOR = ("<in>", "<out>")


@dataclass(frozen=True, slots=True)
class ReformatCost:
    """One reformat: its formats, the tuner's best time for it, and the tensor for which that was timed."""

    tensor: str
    before: str
    after: str
    time_ms: float | None
    line: int | None
    timed_on: str | None


@dataclass(frozen=True, slots=True)
class Around:
    """Reformats around a layer in other formats than it has: those that come, and those that go away."""

    added: tuple[ReformatCost, ...]
    removed: tuple[ReformatCost, ...]
    unknown: tuple[str, ...]

    @property
    def extra_ms(self) -> float | None:
        """Milliseconds that the reformats add, less what falls away; None where one of them was not timed."""
        costs = [cost.time_ms for cost in (*self.added, *self.removed)]
        if self.unknown or any(cost is None for cost in costs):
            return None
        added = sum(cost.time_ms or 0.0 for cost in self.added)
        return added - sum(cost.time_ms or 0.0 for cost in self.removed)

    @property
    def lines(self) -> list[int]:
        """Lines of the tuner's times."""
        return [cost.line for cost in (*self.added, *self.removed) if cost.line is not None]


@once
def read_costs(run: Run, build: int) -> ReformatCosts:
    """What the tuner timed reformats with in one build."""
    return ReformatCosts(of_build(kept_rows(run, "reformat_candidates"), build))


class ReformatCosts:
    """The fastest time of every reformat that the tuner timed in one build."""

    def __init__(self, candidates: pa.Table) -> None:
        self._of_tensor: dict[tuple[str | None, str, str], tuple[float, int]] = {}
        self._of_formats: dict[tuple[str, str], tuple[float, int, str | None]] = {}
        names = ("source", "target", "input_formats", "output_formats", "time_ms", "line")
        for source, target, before, after, time_ms, line in zip(*(decoded(candidates[n]) for n in names), strict=True):
            if time_ms is None or before is None or after is None:
                continue
            tensor = target if source in ANY_TENSOR else source
            _keep_faster(self._of_tensor, (tensor, before, after), (time_ms, line))
            _keep_faster(self._of_formats, (before, after), (time_ms, line, tensor))

    def of(self, tensor: str, before: str, after: str) -> ReformatCost:
        """The cost of reformatting a tensor; without a time where no tensor of these formats was timed."""
        own = self._of_tensor.get((tensor, before, after))
        if own is not None:
            return ReformatCost(tensor, before, after, own[0], own[1], tensor)
        alike = self._of_formats.get((before, after))
        if alike is None:
            return ReformatCost(tensor, before, after, None, None, None)
        return ReformatCost(tensor, before, after, *alike)

    def around(self, node: GraphLayer, graph: EngineGraph, inputs: list[str], outputs: list[str]) -> Around:
        """Reformats that come and go if a layer ran in other formats while all other layers stayed as they are.

        ``inputs`` and ``outputs`` are the texts of the operands in the other formats, in the order of the layer's tensors.
        """
        if len(inputs) != len(node.inputs) or len(outputs) != len(node.outputs):
            return Around((), (), ("the number of tensors differs",))
        changes = _Changes(self, graph)
        for tensor, wanted in zip(node.inputs, inputs, strict=True):
            changes.change_input(tensor.name, wanted, node)
        for tensor, made in zip(node.outputs, outputs, strict=True):
            changes.change_output(tensor.name, made)
        return Around(tuple(changes.added), tuple(changes.removed), tuple(changes.unknown))


def _keep_faster(times: dict, key: tuple, value: tuple) -> None:  # type: ignore[type-arg]
    if key not in times or value[0] < times[key][0]:
        times[key] = value


def _is_free(reformat: GraphLayer | None) -> bool:
    """Whether the engine launches nothing for a reformat, so that nothing is saved where it falls away."""
    return reformat is not None and reformat.type == "NoOp"


class _Changes:
    """Collects the reformats that differ between a layer as it is and in other formats."""

    def __init__(self, costs: ReformatCosts, graph: EngineGraph) -> None:
        self._costs = costs
        self._graph = graph
        self.added: list[ReformatCost] = []
        self.removed: list[ReformatCost] = []
        self.unknown: list[str] = []

    def change_input(self, tensor: str, wanted: str, node: GraphLayer) -> None:
        """A tensor that the layer would read in the format ``wanted``; a reformat before it starts from its source."""
        now = self._graph.formats.get(tensor)
        if now is not None and wanted == now.text:
            return
        maker = self._graph.maker(tensor, before=node.index)
        moved = maker is not None and maker.is_reformat and len(maker.inputs) == 1
        source = maker.inputs[0].name if moved and maker is not None else tensor
        has = self._graph.formats.get(source)
        if has is None or now is None:
            self.unknown.append(f"the format of {source}")
            return
        if moved and has.text != now.text and len(self._graph.consumers(tensor)) == 1 and not _is_free(maker):
            self.removed.append(self._costs.of(source, has.text, now.text))
        if wanted != has.text:
            self.added.append(self._costs.of(source, has.text, wanted))

    def change_output(self, tensor: str, made: str) -> None:
        """A tensor that the layer would write in the format ``made``; its readers go on wanting what they read now."""
        now = self._graph.formats.get(tensor)
        if now is None:
            self.unknown.append(f"the format of {tensor}")
            return
        if made == now.text:
            return
        readers = self._graph.consumers(tensor)
        wanted = [now.text] if any(not reader.is_reformat for reader in readers) or not readers else []
        for reader in readers:
            if reader.is_reformat and reader.outputs:
                after = self._graph.formats.get(reader.outputs[0].name)
                if after is None:
                    self.unknown.append(f"the format of {reader.outputs[0].name}")
                    continue
                if after.text != now.text and not _is_free(reader):
                    self.removed.append(self._costs.of(tensor, now.text, after.text))
                wanted.append(after.text)
        self.added += [self._costs.of(tensor, made, text) for text in dict.fromkeys(wanted) if text != made]

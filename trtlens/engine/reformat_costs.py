"""What reformats cost by the tuner's own measurements: of one tensor, and around a layer whose formats would change.

The tuner times a reformat for a tensor once for each pair of formats and takes equal ones from its cache; those stand
in the log under the tensor that came first. A time of another tensor with the very same strides is taken and said so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.tuning.combinations import decoded

if TYPE_CHECKING:
    import pyarrow as pa

    from trtlens.engine.engine_graph import EngineGraph, Node

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

    def around(self, node: Node, graph: EngineGraph, inputs: list[str], outputs: list[str]) -> Around:
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


def _is_free(reformat: Node | None) -> bool:
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

    def change_input(self, tensor: str, wanted: str, node: Node) -> None:
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

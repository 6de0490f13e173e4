"""What the log shows around one reformat, asked for one cause after the other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.engine.engine_graph import CONSTANT, EngineGraph, GraphLayer
from trtlens.quantities import durations
from trtlens.runs.run import build_rows
from trtlens.tables.arrays import of_build
from trtlens.tuning.combination_matcher import boundary_of
from trtlens.tuning.combinations import NOT_SHOWN
from trtlens.tuning.kept_strategy import kept_rows
from trtlens.tuning.queries import Tuner
from trtlens.tuning.wording import counted, formats_text
from trtlens_parsers.strides import read_strides_list

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trtlens.runs.run import Run
    from trtlens.tables.engine_layers import Tensor

_PLUGINS = ("PluginV2", "PluginV3", "Plugin")
_MOST_READERS = 8
_OWN_LAYER = re.compile(r"\(Unnamed Layer\* \d{1,9}\) \[(?P<type>[^\]]{1,80})\]")
_VIEWS = frozenset({"NoOp", "Shuffle", "Slice", "Shape"})
_MODEL_CASTS = {"Cast": "cast", "QuantizeLinear": "qdq", "DequantizeLinear": "qdq"}
_ORIGINS = {"QDQ": "qdq", "CONCAT": "concat", "CAST": "cast"}

Found = tuple[str, str, list[int]]
"""A cause, the sentence on what shows it, and its lines."""


class Lookups:
    """What the causes of one build ask for: the model's nodes, the builder's copies, the tuner's combinations."""

    def __init__(self, run: Run, graph: EngineGraph) -> None:
        self.graph = graph
        self._tuner = Tuner(run, graph.build)
        bindings, fusions = of_build(run["bindings"], graph.build), of_build(kept_rows(run, "fusions"), graph.build)
        nodes = build_rows(run, "nodes", graph.build)
        self._ops = {row["name"]: row for row in nodes.select(["name", "op", "line"]).to_pylist()}
        self._bindings = set(bindings["name"].to_pylist())
        self._copies = {
            row["result"]: row["line"]
            for row in fusions.to_pylist()
            if row["kind"] == "copied" and row["result"] is not None
        }

    def op_of(self, name: str) -> tuple[str, int] | None:
        """Operator and line of the ONNX node of that name."""
        row = self._ops.get(name)
        return None if row is None else (row["op"], row["line"])

    def is_of_model(self, name: str) -> bool | None:
        """Whether the model has a node of that name; None where its nodes are not known."""
        return name in self._ops if self._ops else None

    def copied_at(self, tensor: str) -> int | None:
        """Line on which the builder said that it makes the tensor by a copy."""
        return self._copies.get(tensor)

    def is_network_output(self, tensor: Tensor) -> bool:
        """Whether nothing in the engine reads the tensor, or it is one of the engine's bindings."""
        return tensor.name in self._bindings or not self.graph.readers.get(tensor.name)

    def combinations_of(self, node: GraphLayer) -> Sequence[dict[str, Any]]:
        """Format combinations that the tuner considered for a layer, or for the one that is like it."""
        twin = self.graph.nodes.get(node.tuned.get("twin_index", -1))
        layer = (node if twin is None else twin).tuned.get("layer")
        return self._tuner.combinations(layer) if layer is not None else []


@dataclass(frozen=True, slots=True)
class Situation:
    """A reformat with its neighbours; each method looks for one cause."""

    lookups: Lookups
    node: GraphLayer
    source: Tensor | None
    target: Tensor | None
    producer: GraphLayer | None
    consumers: tuple[GraphLayer, ...]

    def cause(self) -> Found:
        """The first cause that the log shows."""
        checks: tuple[Callable[[], Found | None], ...] = (
            self._constant, self._origin, self._model_node, self._concat, self._plugin, self._inside_myelin, self._input,
            self._output, self._view, self._myelin, self._record, self._fork,
        )  # fmt: skip
        for check in checks:
            found = check()
            if found is not None:
                return found
        return "not shown", "the log does not show why this format was wanted", self._own_lines()

    def _own_lines(self) -> list[int]:
        return [line for line in (self.node.row["line"],) if line is not None]

    def _constant(self) -> Found | None:
        maker, steps = self.producer, 0
        while maker is not None and maker.is_reformat and len(maker.inputs) == 1 and steps < 16:
            maker, steps = self.lookups.graph.maker(maker.inputs[0].name, before=maker.index), steps + 1
        if maker is None or maker.type != CONSTANT:
            return None
        op = self.lookups.op_of(self.node.name)
        through = f" through the model's {op[0]} node" if op is not None else ""
        detail = f"the constant {maker.name} is copied at every inference{through}"
        lines = [line for line in (maker.row["line"], op[1] if op else None) if line is not None]
        return "constant", detail, [*lines, *self._own_lines()]

    def _origin(self) -> Found | None:
        origin = self.node.row["origin"]
        cause = _ORIGINS.get(origin or "")
        return None if cause is None else (cause, f"the inspector gives its origin as {origin}", self._own_lines())

    def _model_node(self) -> Found | None:
        op = self.lookups.op_of(self.node.name)
        unnamed = _OWN_LAYER.fullmatch(self.node.name)
        if op is None and unnamed is not None:  # TensorRT names so what the network's author left without a name
            return "model node", f"it is the network's own {unnamed['type']} layer", self._own_lines()
        if op is None:
            return None
        return _MODEL_CASTS.get(op[0], "model node"), f"it is the model's own {op[0]} node", [op[1], *self._own_lines()]

    def _concat(self) -> Found | None:
        line = self.lookups.copied_at(self.target.name) if self.target is not None else None
        writers = self.lookups.graph.makers.get(self.target.name, []) if self.target is not None else []
        if self.node.name.endswith(" copy") or line is not None or len(writers) > 1:
            detail = f"it copies a part into {self.target.name if self.target else 'a larger tensor'}"
            return "concat", detail, [*([line] if line is not None else []), *self._own_lines()]
        return None

    def _plugin(self) -> Found | None:
        for neighbour in (self.producer, *self.consumers):
            if neighbour is not None and neighbour.type.startswith(_PLUGINS):
                return "plugin", f"{neighbour.name} is a plugin ({neighbour.type})", self._lines(neighbour)
        return None

    def _inside_myelin(self) -> Found | None:
        if self.node.type != "kgen":
            return None
        return "myelin", "Myelin made it inside a region that it compiles as a whole", self._own_lines()

    def _input(self) -> Found | None:
        if self.source is None or self.producer is not None:
            return None
        others = [n.name for n in self.lookups.graph.consumers(self.source.name) if n is not self.node]
        also = f"; {counted(len(others), 'other layer reads', 'other layers read')} it too" if others else ""
        return "network input", f"{self.source.name} is an input of the network{also}", self._lines(*self.consumers[:1])

    def _output(self) -> Found | None:
        if self.target is None or not self.lookups.is_network_output(self.target):
            return None
        return "network output", f"{self.target.name} is an output of the network", self._own_lines()

    def _view(self) -> Found | None:
        views = [n for n in self.consumers if n.type in _VIEWS and not n.is_reformat]
        if not views or len(views) != len(self.consumers):
            return None
        return "reshape", f"{views[0].name} ({views[0].type}) reads it and moves no data", self._lines(views[0])

    def _myelin(self) -> Found | None:
        for neighbour in (self.producer, *self.consumers):
            if neighbour is not None and (neighbour.type == "Myelin" or neighbour.tuned.get("matched_by") == "region"):
                return "myelin", f"{neighbour.name} belongs to a Myelin region", self._lines(neighbour)
        return None

    def _record(self) -> Found | None:
        """What the tuner's record says of doing without: of the producer's kernels, else of each reader's."""
        graph = self.lookups.graph
        before = graph.formats.get(self.source.name) if self.source is not None else None
        after = graph.formats.get(self.target.name) if self.target is not None else None
        if self.source is None or self.target is None or before is None or after is None:
            return None
        if boundary_of(self.source.name) is not None and self.producer is not None:
            found = [self._without(self.producer, "outputs", self.source.name, after.text)]
        else:
            found = [
                self._without(reader, "inputs", self.target.name, before.text)
                for reader in self.consumers[:_MOST_READERS]
            ]
        known = [one for one in found if one is not None]
        if not known or len(known) < len(found) or len(self.consumers) > _MOST_READERS:
            return None
        cause = "no kernel" if any(one[0] == "no kernel" for one in known) else "slower kernel"
        return cause, "; ".join(one[1] for one in known), [line for one in known for line in one[2]]

    def _without(self, neighbour: GraphLayer, side: str, tensor: str, form: str) -> Found | None:
        """Whether a neighbour has kernels for the format that would make the reformat needless, and what they took."""
        tensors = neighbour.inputs if side == "inputs" else neighbour.outputs
        position = next((i for i, own in enumerate(tensors) if own.name == tensor), None)
        known = self.lookups.combinations_of(neighbour)
        if not known or position is None:
            return None
        column = "input_formats" if side == "inputs" else "output_formats"
        rows = [row for row in known if _operand(row[column], position) == form]
        timed = [row for row in rows if row["time_ms"] is not None]
        verb, short = "reads" if side == "inputs" else "writes", formats_text(form)
        if timed:
            fastest = min(timed, key=lambda row: row["time_ms"])
            chosen = next((row for row in known if row["chosen"]), None)
            times = [fastest["time_ms"], *([chosen["time_ms"]] if chosen and chosen["time_ms"] else [])]
            told = " against ".join(durations(*times)) + (" in the formats it has" if len(times) > 1 else "")
            detail = f"the fastest kernel of {neighbour.name} that {verb} {short} took {told}"
            return "slower kernel", detail, [fastest["candidate_line"], *([chosen["line"]] if chosen else [])]
        if any(row["outcome"] == NOT_SHOWN for row in rows):
            return None
        what = f"{neighbour.name} in a combination that {verb} {short}"
        detail = (
            f"no runner had a valid tactic for {what}"
            if rows
            else f"the tuner considered no combination of {neighbour.name} that {verb} {short} ({len(known)} were considered)"
        )
        return "no kernel", detail, [row["line"] for row in rows or known]

    def _fork(self) -> Found | None:
        if self.source is None:
            return None
        others = [n for n in self.lookups.graph.consumers(self.source.name) if n is not self.node]
        if not others:
            return None
        names = ", ".join(n.name for n in others[:2])
        return (
            "fork",
            f"{self.source.name} is read by {len(others) + 1} layers in different formats, also by {names}",
            self._lines(*others),
        )

    def _lines(self, *neighbours: GraphLayer) -> list[int]:
        return [*self._own_lines(), *(n.row["line"] for n in neighbours if n.row["line"] is not None)]


def _operand(formats: str | None, position: int | None) -> str | None:
    """One operand of a side of a combination."""
    combination = read_strides_list(f"{formats} -> Float(1)") if formats is not None and position is not None else None
    if combination is None or position is None or position >= len(combination.inputs):
        return None
    return combination.inputs[position].format.text

"""One ONNX model that computes every choice of types: a switch a unit, and one a unit that reads a tensor of another.

What a unit that is down puts out passes `Where(gate, rounded, value)`, so do the tensors that it reads from others; its
weights are inputs, fed rounded or as they are. Sums inside of an operator stay in FP32, as tensor cores mostly keep them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.accuracy.encodings import encode
from trtlens.capture.dumping.reference import hold
from trtlens.capture.models.model import require_onnx
from trtlens.capture.models.onnx_graphs import HALF_NUMBERS, read_names, weight_values
from trtlens.capture.models.onnx_rewriting import FLOAT, copy
from trtlens.capture.planning.typed_nodes import passes_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from trtlens.capture.planning.typed_reading import TypedModel
    from trtlens.plan.network import Network

    Flags = NDArray[np.bool_]

_GATES = "trtlens_gates"


@dataclass(frozen=True, slots=True)
class GatedModel:
    """The rewritten model.

    Attributes:
        proto: its weights of units are inputs.
        pairs: boundary and unit of each gate behind those of the units.
        weights: name of the input, the unit, the values in FP32 and rounded, as ONNX Runtime holds them.
    """

    proto: Any
    units: int
    pairs: tuple[tuple[int, int], ...]
    producers: tuple[int | None, ...]
    weights: tuple[tuple[str, int, Any, Any], ...]

    def feeds(self, low: Flags, *, casts: bool = True, rounded: int | None = None) -> dict[str, Any]:
        """Gates and weights of a choice; without `casts` what is read stays as it is, `rounded` is a boundary to round alone."""
        gates = np.zeros(self.units + len(self.pairs), bool)
        gates[: self.units] = low
        for place, (boundary, reader) in enumerate(self.pairs, self.units):
            producer = self.producers[boundary]
            made_low = producer is not None and low[producer]
            gates[place] = made_low or (casts and low[reader]) or boundary == rounded
        return {_GATES: hold(gates), **{name: half if low[unit] else full for name, unit, full, half in self.weights}}


def gate_model(model: TypedModel, groups: Sequence[Sequence[Any]], network: Network, low_type: str) -> GatedModel:
    """Rewrite a model for a reduced type."""
    return _Rewriting(model, groups, network, low_type).run()


@dataclass
class _Rewriting:
    model: TypedModel
    groups: Sequence[Sequence[Any]]
    network: Network
    low_type: str
    _nodes: list[Any] = field(default_factory=list)
    _pairs: list[tuple[int, int]] = field(default_factory=list)
    _weights: dict[str, tuple[str, int, Any, Any]] = field(default_factory=dict)
    _gates: dict[int, str] = field(default_factory=dict)

    def run(self) -> GatedModel:
        self.onnx = require_onnx("emulating types")
        self.place = {node.name: unit for unit, nodes in enumerate(self.groups) for node in nodes}
        self.boundaries = {one.tensor: number for number, one in enumerate(self.network.boundaries)}
        proto = copy(self.model.proto)
        for name in [info.name for info in proto.graph.input if info.name in self.boundaries]:
            self._branch(name, name, None)
        for node in list(proto.graph.node):
            self._rewrite(node)
        gates = [self._gather(number) for number in range(len(self.groups) + len(self._pairs))]
        del proto.graph.node[:], proto.graph.value_info[:]
        proto.graph.node.extend([*gates, *self._nodes])
        proto.graph.initializer.extend(self._index(number) for number in range(len(gates)))
        self._feed_weights(proto)
        producers = tuple(one.producer for one in self.network.boundaries)
        return GatedModel(proto, len(self.groups), tuple(self._pairs), producers, tuple(self._weights.values()))

    # -- nodes ---------------------------------------------------------------------------------------------------------

    def _rewrite(self, node: Any) -> None:
        unit = self.place.get(node.name)
        if unit is not None and self.network.units[unit].keeps is None:
            for index in self.model.lowered[node.name]:
                node.input[index] = self._read(node.input[index], unit)
        self._nodes.append(node)
        for index, name in enumerate(node.output):
            if not name or not self.model.is_float(name):
                continue
            own = unit is not None and self.network.units[unit].keeps is None and not passes_values(node)
            if own:
                node.output[index] = f"{name}__raw"
            if own or name in self.boundaries:
                self._branch(name, node.output[index], unit if own else None)

    def _read(self, name: str, unit: int) -> str:
        """The name under which a unit reads a tensor or a weight."""
        if name in self.model.weights:
            fed = f"{name}__{unit}"
            if fed not in self._weights:
                full = np.ascontiguousarray(weight_values(self.model.weights[name]), np.float32)
                self._weights[fed] = (fed, unit, hold(full), hold(encode(self.low_type, full).astype(np.float32)))
            return fed
        number = self.boundaries.get(name)
        return f"{name}__to_{unit}" if number is not None and unit in self.network.boundaries[number].readers else name

    def _branch(self, name: str, source: str, unit: int | None) -> None:
        """The rounded tensor, and a choice between both for the unit itself and each reader."""
        rounded = f"{name}__rounded"
        number = self.boundaries.get(name)
        readers = () if number is None else self.network.boundaries[number].readers
        half = HALF_NUMBERS[self.low_type]
        self._add("Cast", [source], f"{name}__half", to=half)
        self._add("Cast", [f"{name}__half"], rounded, to=FLOAT)
        if unit is not None:
            self._add("Where", [_gate(unit), rounded, source], name)
        for reader in readers:
            gate = len(self.groups) + len(self._pairs)
            self._pairs.append((number or 0, reader))
            self._add("Where", [_gate(gate), rounded, source], f"{name}__to_{reader}")

    def _add(self, op: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self._nodes.append(
            self.onnx.helper.make_node(op, inputs, [output], name=f"trtlens_{op}_{output}", **attributes)
        )

    # -- gates and weights ---------------------------------------------------------------------------------------------

    def _gather(self, number: int) -> Any:
        return self.onnx.helper.make_node(
            "Gather", [_GATES, f"{_gate(number)}_index"], [_gate(number)], name=_gate(number)
        )

    def _index(self, number: int) -> Any:
        return self.onnx.numpy_helper.from_array(np.array(number, np.int64), f"{_gate(number)}_index")

    def _feed_weights(self, proto: Any) -> None:
        """Inputs in place of the weights of units; what nothing reads any more goes."""
        helper, graph = self.onnx.helper, proto.graph
        graph.input.append(helper.make_tensor_value_info(_GATES, self.onnx.TensorProto.BOOL, [None]))
        for name, _, full, _ in self._weights.values():
            graph.input.append(helper.make_tensor_value_info(name, FLOAT, full.shape()))
        read = {name for node in graph.node for name in read_names(node)} | {info.name for info in graph.output}
        kept = [tensor for tensor in graph.initializer if tensor.name in read]
        del graph.initializer[:]
        graph.initializer.extend(kept)
        inputs = [info for info in graph.input if info.name in read or info.name not in self.model.weights]
        del graph.input[:]
        graph.input.extend(inputs)


def _gate(number: int) -> str:
    return f"trtlens_gate_{number}"

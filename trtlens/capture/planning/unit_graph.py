"""From an ONNX model to units: nodes that TensorRT would compute in one type anyway are one unit.

A node that only hands values on goes with the node that makes them. A bias, a scale or an activation goes with the
convolution or product before it, which TensorRT fuses. With a log, the nodes of each engine layer are one unit.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from trtlens.capture.models.onnx_graphs import read_names
from trtlens.capture.planning.typed_nodes import passes_values
from trtlens.capture.planning.typed_reading import SHAPE_READERS, keeps_fp32
from trtlens.limits.model_shapes import Node
from trtlens.limits.operations import count_operations
from trtlens.plan.network import Boundary, Network, Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from trtlens.capture.planning.typed_reading import TypedModel

_HEADS = frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm"})
_FOLLOW = frozenset({
    "Add", "Sub", "Mul", "Div", "BatchNormalization", "Sigmoid", "HardSigmoid", "HardSwish", "LeakyRelu", "PRelu", "Clip", "Tanh",
    "Elu", "Selu", "Gelu", "Softplus", "Mish", "Erf",
})  # fmt: skip
"""What goes with a convolution or product where all that it reads is made there: biases, scales, SiLU and GELU spelled out."""
_NORM = frozenset({"Sub", "Pow", "ReduceMean", "Sqrt", "Reciprocal", "Add", "Mul", "Div"})
"""What a normalisation is spelled out in, from its first mean or square to its scale and shift."""

# -- groups ------------------------------------------------------------------------------------------------------------


class _Groups:
    """Disjoint sets of node names."""

    def __init__(self, names: Iterable[str]) -> None:
        self._parent = {name: name for name in names}

    def find(self, name: str) -> str:
        parent = self._parent
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    def join(self, one: str, other: str) -> None:
        self._parent[self.find(other)] = self.find(one)


def group_nodes(model: TypedModel, layers: Sequence[Sequence[str]] = ()) -> list[list[Any]]:
    """The nodes of each unit, in the order of the model; `layers` are nodes that an engine computes in one layer."""
    nodes = {node.name: node for node in model.float_nodes}
    may = {name for name, node in nodes.items() if keeps_fp32(model, node) is None}
    groups = _Groups(nodes)
    heads: dict[str, str | None] = {}
    for node in nodes.values():
        if node.name in may:
            _join_before(model, node, groups, may, heads)
    for layer in layers:
        known = [name for name in layer if name in may]
        for name in known[1:]:
            groups.join(known[0], name)
    found: dict[str, list[Any]] = defaultdict(list)
    for name, node in nodes.items():
        found[groups.find(name)].append(node)
    return list(found.values())


def _join_before(
    model: TypedModel, node: Any, groups: _Groups, may: AbstractSet[str], heads: dict[str, str | None]
) -> None:
    """Put a node to the unit that makes what it reads; `heads` holds what else each unit's followers may read."""
    computed = {name for name in node.input if name and model.is_float(name) and name not in model.weights}
    made = {name: groups.find(model.makers[name].name) for name in computed if _is_made(model, name, may)}
    units = set(made.values())
    if passes_values(node):
        if len(computed) == 1 and units:
            groups.join(units.pop(), node.name)
        return
    if node.op_type in _HEADS:
        heads[node.name] = None
        return
    source = _norm_source(model, node, computed)
    for unit in sorted(units):
        head = groups.find(unit)
        outside = {name for name in computed if made.get(name) != unit}
        if head in heads and node.op_type in (_FOLLOW if heads[head] is None else _NORM) and outside <= {heads[head]}:
            groups.join(head, node.name)
            return
    if source is not None:
        heads[node.name] = source


def _is_made(model: TypedModel, name: str, may: AbstractSet[str]) -> bool:
    return name in model.makers and model.makers[name].name in may


def _norm_source(model: TypedModel, node: Any, computed: AbstractSet[str]) -> str | None:
    """What a normalisation normalises, of the node that it may begin with: a mean, or a square whose mean is taken."""
    if len(computed) != 1:
        return None
    source = next(iter(computed))
    if node.op_type == "ReduceMean":
        return source
    squares = node.op_type == "Pow" or (node.op_type == "Mul" and list(node.input) == [source, source])
    read = [other.op_type for other in model.readers.get(node.output[0], ())]
    return source if squares and read == ["ReduceMean"] else None


# -- units and boundaries ----------------------------------------------------------------------------------------------


def make_network(
    model: TypedModel,
    groups: Sequence[Sequence[Any]],
    shapes: Mapping[str, tuple[int, ...]],
    forbidden: Mapping[str, tuple[str, str | None]],
) -> Network:
    """Units and boundaries; `forbidden` names nodes that must stay in FP32, with the reason and a remedy."""
    place = {node.name: index for index, nodes in enumerate(groups) for node in nodes}
    read: dict[str, set[int | None]] = defaultdict(set)
    for node in model.proto.graph.node:
        if node.op_type in SHAPE_READERS:
            continue  # a shape is the same in any type
        unit = place.get(node.name)
        low = {node.input[index] for index in model.lowered[node.name]} if unit is not None else set()
        for name in read_names(node):
            if model.is_float(name) and name not in model.weights:
                read[name].add(unit if name in low else None)
    for info in model.proto.graph.output:
        read[info.name].add(None)
    boundaries = []
    for name, read_by in read.items():
        maker = model.makers.get(name)
        producer = None if maker is None else place.get(maker.name)
        others = tuple(sorted(unit for unit in read_by if unit is not None and unit != producer))
        if model.is_float(name) and (others or (None in read_by and producer is not None)):
            boundaries.append(Boundary(name, producer, others, None in read_by, _count(shapes.get(name))))
    outside = {one.tensor for one in boundaries}
    units = [_unit(model, nodes, shapes, forbidden, outside) for nodes in groups]
    return Network(tuple(units), tuple(boundaries), model.outputs)


def _unit(
    model: TypedModel,
    nodes: Sequence[Any],
    shapes: Mapping[str, tuple[int, ...]],
    forbidden: Mapping[str, tuple[str, str | None]],
    outside: AbstractSet[str],
) -> Unit:
    operations = [count_operations(_described(model, node, shapes)) for node in nodes]
    inside = {name for node in nodes for name in node.output}
    reads = {name for node in nodes for name in node.input if model.is_float(name)} - inside
    keeps = next((reason for node in nodes if (reason := keeps_fp32(model, node)) is not None), None)
    held = next((forbidden[node.name] for node in nodes if node.name in forbidden), None)
    return Unit(
        tuple(node.name for node in nodes),
        tuple(node.op_type for node in nodes),
        products=sum(one.products or 0.0 for one in operations),
        elements=sum(one.elements for one in operations),
        moved=sum(_count(_dims(model, name, shapes)) for name in (*reads, *(inside & outside))),
        keeps=keeps if keeps is not None else None if held is None else held[0],
        remedy=None if held is None else held[1],
        passes_values=all(passes_values(node) for node in nodes),
    )


def _described(model: TypedModel, node: Any, shapes: Mapping[str, tuple[int, ...]]) -> Node:
    inputs, outputs = (tuple(_dims(model, name, shapes) for name in names) for names in (node.input, node.output))
    return Node(node.name, node.op_type, tuple(node.input), tuple(node.output), inputs, outputs)


def _dims(model: TypedModel, name: str, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...] | None:
    weight = model.weights.get(name)
    return shapes.get(name) if weight is None else tuple(weight.dims)


def _count(dims: tuple[int, ...] | None) -> float:
    count = 1.0
    for extent in dims or (0,):
        count *= extent
    return count

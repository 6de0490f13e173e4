"""Operations and least bytes of each engine layer: those of the ONNX nodes that it holds, else of the parameters that the inspector gives.

Bytes are a layer's inputs, outputs and weights, each moved once: the least that is possible. What lies between the nodes of one
layer is not moved. A type that the engine does not state is taken for the narrowest that it can be, so that bytes stay the least.
Operations by the inspector check those of the nodes, where it states a convolution or a matrix product.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from trtlens.engine.built_engine import BuiltEngine, read_engine
from trtlens.engine.layer_nodes import read_layer_nodes
from trtlens.engine.onnx_nodes import Graph, Identities
from trtlens.errors import TrtlensError
from trtlens.limits.model_shapes import Model, read_model
from trtlens.limits.operations import Operations, count_operations, total
from trtlens.limits.stated_parameters import Stated, read_stated
from trtlens.runs.run import Run, once
from trtlens.tables.engine_layers import NO_WORK
from trtlens_parsers.data_types import CHOSEN_TYPES, DTYPE_BITS
from trtlens_parsers.kernels import read_kernel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trtlens.engine.built_engine import PlacedLayer
    from trtlens.limits.model_shapes import Dims
    from trtlens.tables.engine_layers import Tensor

ONNX, PARAMETERS, NOTHING = "ONNX nodes", "inspector", "nothing to compute"
_BITS = 8
_GENERATED = "kgen"
"""Type of kernels that Myelin generates: elementwise operations and reductions, never a matrix product."""
_SAME = 0.01
"""Operations of the nodes and of the inspector that lie no further apart are the same."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one layer has to do; None where that is not known, ``reason`` says why.

    Attributes:
        products: operations of matrix products and convolutions; ``elements`` those of all else.
        bytes: inputs, outputs and weights, each moved once.
        source: where the operations come from.
        nodes: ONNX nodes behind them.
        note: what was assumed, and where the inspector differs.
        narrowest: narrowest type that the build was allowed, for what states none.
    """

    index: int
    products: float | None
    elements: float
    bytes: float | None
    source: str | None
    nodes: tuple[str, ...] = ()
    reason: str | None = None
    note: str | None = None
    narrowest: str | None = None

    @property
    def operations(self) -> float | None:
        """All operations."""
        return None if self.products is None else self.products + self.elements


@once
def read_work(run: Run, build: int) -> Mapping[int, Work]:
    """The work of each layer of a build by its index; nothing where no layers are listed."""
    try:
        engine = read_engine(run.name, run, build)
    except TrtlensError:
        return {}
    return _Reader(engine).read()


class _Reader:
    def __init__(self, engine: BuiltEngine) -> None:
        self._engine = engine
        self._model = read_model(engine.run, engine.build)
        identities = Identities([engine])
        self._graph: Graph | None = identities.graphs[0]
        held = read_layer_nodes([engine], 0, identities, trust_unnamed=False)
        self._nodes = {layer.index: one.nodes for layer, one in zip(engine.layers, held, strict=True)}
        self._holders = _holders(engine, self._nodes)
        self._dims = _layer_dims(engine, self._model)
        self._narrowest = _narrowest(engine)

    def read(self) -> dict[int, Work]:
        return {layer.index: self._work(layer) for layer in self._engine.layers}

    def _work(self, layer: PlacedLayer) -> Work:
        if layer.type in NO_WORK:
            return Work(layer.index, 0.0, 0.0, 0.0, NOTHING)
        stated = read_stated(layer)
        counted, source, doubt = self._operations(layer, stated)
        moved, assumed = self._bytes(layer, stated)
        reason = counted.reason or (assumed if moved is None else None)
        notes = [text for text in (doubt, assumed if moved is not None else None) if text]
        return Work(
            layer.index, counted.products, counted.elements, moved, source, self._nodes[layer.index], reason,
            "; ".join(notes) or None, self._narrowest[1],
        )  # fmt: skip

    # -- operations ----------------------------------------------------------------------------------------------------

    def _operations(self, layer: PlacedLayer, stated: Stated) -> tuple[Operations, str | None, str | None]:
        """Operations, where they come from, and where the other source differs."""
        if not layer.works:
            return Operations(0.0, 0.0), NOTHING, None
        by_nodes = self._of_nodes(layer)
        told = stated.operations(self._shape(layer, "input"), self._shape(layer, "output"))
        if told is None:
            return by_nodes, None if by_nodes.products is None else ONNX, None
        if by_nodes.products is None:
            return Operations(told, 0.0), PARAMETERS, None
        if abs(by_nodes.products - told) <= _SAME * told:
            return by_nodes, ONNX, None
        doubt = f"its ONNX nodes have {by_nodes.products:.4g} operations, the inspector's parameters {told:.4g}, which are taken"
        return Operations(told, by_nodes.elements), PARAMETERS, doubt

    def _of_nodes(self, layer: PlacedLayer) -> Operations:
        names = [name for name in self._nodes[layer.index] if name in self._model.nodes]
        if not names:
            listed = "the log lists no ONNX nodes with their shapes" if not self._model.nodes else None
            return Operations(None, 0.0, listed or "which ONNX nodes it holds is not known")
        counted = {name: count_operations(self._model.nodes[name]) for name in names}
        for name in names:
            sharing = self._holders[name] - {layer.index}
            if counted[name].products == 0 or not sharing:
                continue
            if layer.type != _GENERATED:
                return Operations(
                    None, 0.0, f"{name} is held by layer {min(sharing)} as well, and how they divide it is not known"
                )
            counted[name] = Operations(0.0, 0.0)
        return total(list(counted.values()))

    def _shape(self, layer: PlacedLayer, side: str) -> Dims | None:
        tensors = layer.inputs if side == "input" else layer.outputs
        return self._dims.get(tensors[0].name) if tensors else None

    # -- bytes ---------------------------------------------------------------------------------------------------------

    def _bytes(self, layer: PlacedLayer, stated: Stated) -> tuple[float | None, str | None]:
        """The least that is moved, and what was assumed; None and why where a size is not known."""
        if not layer.inputs and not layer.outputs:
            return None, "the log does not show its inputs and outputs"
        tensors = {
            tensor.name: (tensor, source)
            for source, side in ((True, layer.inputs), (False, layer.outputs))
            for tensor in side
        }
        sizes = {name: self._size(layer, tensor, is_input=source) for name, (tensor, source) in tensors.items()}
        unknown = next((name for name, size in sizes.items() if size is None), None)
        if unknown is not None:
            return None, f"the size of {unknown} is not known"
        weights = stated.weight_bytes
        if weights is None:
            weights = self._weight_bytes(layer)
        if weights is None:
            return None, "the size of its weights is not known"
        untyped = any(tensor.dtype is None for tensor, _ in tensors.values())
        note = (
            f"types that the engine does not state are counted at {self._narrowest[0]} bits or as its kernel reads them"
            if untyped
            else None
        )
        return sum(size for size in sizes.values() if size is not None) + weights, note

    def _size(self, layer: PlacedLayer, tensor: Tensor, *, is_input: bool) -> float | None:
        if tensor.bytes is not None:
            return float(tensor.bytes)
        dims = self._dims.get(tensor.name)
        if dims is None or None in dims:
            return None
        return (
            prod(size for size in dims if size is not None) * self._bits(layer, tensor.dtype, is_input=is_input) / _BITS
        )

    def _bits(self, layer: PlacedLayer, dtype: str | None, *, is_input: bool) -> int:
        """Width of an element: stated, else by the kernel's name, else of the layer's precision, else the narrowest."""
        kernel = read_kernel(layer.tactic_name) if layer.tactic_name else None
        named = None if kernel is None else kernel.input_type if is_input else kernel.output_type
        known = next((one for one in (dtype, named, layer.precision) if one in DTYPE_BITS), None)
        return self._narrowest[0] if known is None else DTYPE_BITS[known]

    def _weight_bytes(self, layer: PlacedLayer) -> float | None:
        """Constants that its nodes read and no tensor of the engine brings, in the layer's precision."""
        if not layer.works or self._graph is None:
            return 0.0
        names = {
            name
            for node in self._nodes[layer.index]
            if node in self._model.nodes
            for name in self._model.nodes[node].inputs
        }
        own = [name for name in sorted(names - set(layer.input_names)) if name and self._is_weight(name)]
        shapes = [self._model.dims.get(name) for name in own]
        if any(dims is None or None in dims for dims in shapes):
            return None
        count = sum(prod(size for size in dims if size is not None) for dims in shapes if dims is not None)
        bits = DTYPE_BITS[layer.precision] if layer.precision in CHOSEN_TYPES else self._narrowest[0]
        return count * bits / _BITS

    def _is_weight(self, name: str) -> bool:
        assert self._graph is not None  # noqa: S101  the caller has asked
        place = self._graph.maker.get(name)
        constant = self._graph.is_initializer(name) if place is None else place in self._graph.constants
        return constant and self._model.dtypes.get(name) in CHOSEN_TYPES


def _holders(engine: BuiltEngine, nodes: Mapping[int, Sequence[str]]) -> dict[str, set[int]]:
    """Layers that hold each node; generated kernels hold no matrix product, if another layer holds it too."""
    found: dict[str, set[int]] = defaultdict(set)
    for generated in (False, True):
        for layer in engine.layers:
            if layer.works and (layer.type == _GENERATED) == generated:
                for name in nodes[layer.index]:
                    if not generated or not found[name]:
                        found[name].add(layer.index)
    return found


def _narrowest(engine: BuiltEngine) -> tuple[int, str]:
    """Bits of the narrowest type that the build was allowed or that some layer computes in, and its name."""
    flags = next(
        (row["precision_flags"] for row in engine.run["builds"].to_pylist() if row["build"] == engine.build), None
    )
    names = {*(flags or "").lower().split("+"), *(layer.precision for layer in engine.layers)} & CHOSEN_TYPES or {
        "fp32"
    }
    name = min(sorted(str(one) for one in names), key=lambda one: DTYPE_BITS[one])
    return DTYPE_BITS[name], name


# -- dynamic shapes ---------------------------------------------------------------------------------------------------


def _layer_dims(engine: BuiltEngine, model: Model) -> dict[str, Dims]:
    """Shapes of the engine's tensors: their own, else those of the model's tensor of that name, else through reformats."""
    tensors = [tensor for layer in engine.layers for tensor in (*layer.inputs, *layer.outputs)]
    found = {
        tensor.name: _run_dims(tensor, model.dims.get(tensor.name)) for tensor in tensors if tensor.dims is not None
    }
    chain = [layer for layer in engine.layers if layer.is_reformat and len(layer.inputs) == len(layer.outputs) == 1]
    for one in (*chain, *reversed(chain)):  # a copy has the shape of what it copies, whichever of both is known
        source, target = one.input_names[0], one.output_names[0]
        for name, other in ((target, source), (source, target)):
            if (
                None in found.get(name, ())
                and None not in found.get(other, (None,))
                and len(found[name]) == len(found[other])
            ):
                found[name] = found[other]
    return found


def _run_dims(tensor: Tensor, known: Dims | None) -> Dims:
    """The engine's extents, dynamic ones from the model's tensor where the others agree."""
    own = tensor.dims or ()
    if None not in own or known is None or len(known) != len(own):
        return own
    agree = all(size in {None, other} for size, other in zip(own, known, strict=True))
    return known if agree else own

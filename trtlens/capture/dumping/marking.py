"""Which tensors of a network are handed out, and how TensorRT is told to: as outputs, or as debug tensors.

An output between two layers forbids their fusion, so by default only tensors that stand between the layers of the
undisturbed engine are marked (https://github.com/NVIDIA/TensorRT/issues/2232). `mark_debug` (10.0 on) may forbid fusion,
too; `mark_unfused_tensors_as_debug_tensors` (10.12 on) does not, takes no choice, and names tensors as the inspector does.

Whether marking changed the engine is told by its layers' names and tactics against those of the undisturbed one.
Reformats that were added where a tensor goes out change no other layer's numbers.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

from trtlens.capture.building.network import data_type, is_strongly_typed, network_layers, network_outputs
from trtlens.errors import CaptureError, TrtlensError
from trtlens.layer_patterns import listed
from trtlens_parsers.data_types import DATA_TYPES, DTYPE_BITS, api_dtype
from trtlens_parsers.inspector import read_inspector

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trtlens.capture.backends.backend import Backend
    from trtlens.layer_patterns import LayerPattern
    from trtlens_parsers.layers import LayerRecord

METHODS = ("unfused", "debug", "outputs")
BOUNDARIES, ALL = "boundaries", "all"

_ONNX_NODE = re.compile(r"\[ONNX Layer: ([^\]\x1e]{1,4000})\]")
_REFUSED = re.compile(r"failed\. ((?:(?!failed\. )[^\n]){1,4000}?) requires output to be in floating point precision")
_KEPT_TYPES = frozenset({"fp16", "bf16"})
_BYTE_BITS = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tensors are wanted: those of the names, those that fit the patterns, or all of them (both None).

    `dtypes` are the types that the undisturbed engine gives them, where it is known.
    """

    names: frozenset[str] | None = None
    patterns: tuple[LayerPattern, ...] | None = None
    dtypes: Mapping[str, str] = field(default_factory=dict)

    def wants(self, name: str) -> bool:
        """Whether the tensor was asked for."""
        if self.names is not None:
            return name in self.names
        return self.patterns is None or any(pattern.fits(name) for pattern in self.patterns)


@dataclass(frozen=True, slots=True)
class InnerTensor:
    """A tensor between the layers of a network, with the ONNX node or layer that makes it; `skipped` says why not."""

    tensor: Any
    name: str
    producer: str
    size_bytes: int
    skipped: str | None


def choose_method(backend: Backend, wanted: str | None) -> str:
    """The first method that this release has, or the wanted one; raises TrtlensError where it has that one not."""
    has = {
        "unfused": backend.has("INetworkDefinition.mark_unfused_tensors_as_debug_tensors"),
        "debug": backend.has("INetworkDefinition.mark_debug") and backend.has("IDebugListener"),
        "outputs": True,
    }
    if wanted is None:
        return next(method for method in METHODS if has[method])
    if wanted not in METHODS:
        raise TrtlensError(f"--method {wanted} is not known: choose one of {', '.join(METHODS)}")
    if not has[wanted]:
        raise TrtlensError(
            f"{backend.name} {backend.version_text} has no debug tensors of that kind (--method {wanted}): "
            "leave --method out, or use --method outputs"
        )
    return wanted


def inner_tensors(network: Any, choice: Choice) -> list[InnerTensor]:
    """The wanted tensors in network order, without what is an output already; each with the reason if it cannot be had."""
    outputs = {tensor.name for tensor in network_outputs(network)}
    found: dict[str, InnerTensor] = {}
    for layer in network_layers(network):
        # a constant is what it is in every run
        for index in range(layer.num_outputs if layer.type.name != "CONSTANT" else 0):
            tensor = layer.get_output(index)
            if tensor is not None and tensor.name not in outputs and choice.wants(tensor.name):
                found.setdefault(tensor.name, _described(tensor, layer))
    return list(found.values())


def _described(tensor: Any, layer: Any) -> InnerTensor:
    bits = DTYPE_BITS.get(api_dtype(tensor.dtype.name) or "")
    skipped = None
    if tensor.is_shape_tensor:
        skipped = "it is a shape tensor, which TensorRT computes on the host"
    elif bits is None:
        skipped = f"its type {tensor.dtype.name} cannot be read"
    size = prod(max(extent, 1) for extent in tuple(tensor.shape)) * (bits or _BYTE_BITS) // _BYTE_BITS
    return InnerTensor(tensor, tensor.name, producer_of(layer), size, skipped)


def producer_of(layer: Any) -> str:
    """The last ONNX node of a network layer, from its metadata (8.6 on), else the layer's own name."""
    nodes = _ONNX_NODE.findall(getattr(layer, "metadata", "") or "")
    return str(nodes[-1] if nodes else layer.name)


def mark_outputs(backend: Backend, network: Any, names: set[str], choice: Choice) -> None:
    """Mark tensors as outputs; on a weakly typed network each keeps the 16-bit type that the engine gave it."""
    typed = is_strongly_typed(backend, network)
    for inner in inner_tensors(network, Choice(frozenset(names))):
        network.mark_output(inner.tensor)
        kept = choice.dtypes.get(inner.name, "")
        if kept in _KEPT_TYPES and not typed and backend.has(f"DataType.{DATA_TYPES[kept].api}"):
            inner.tensor.dtype = data_type(backend, kept)


def refused_outputs(message: str, tensors: Iterable[InnerTensor]) -> set[str]:
    """Names of the tensors that a build failed over, as its error says: made by a layer that has INT8 outputs alone.

    An output of a calibrated network is FP32, which a layer that computes in INT8 may have no kernel for.
    """
    found = _REFUSED.search(message)
    nodes = set(found[1].split(" + ")) if found else set()
    return {inner.name for inner in tensors if inner.producer in nodes}


def mark_debug(network: Any, names: set[str], method: str) -> None:
    """Mark tensors as debug tensors; raises CaptureError where TensorRT refuses one."""
    if method == "unfused":
        if not network.mark_unfused_tensors_as_debug_tensors():
            raise CaptureError("TensorRT does not mark unfused tensors: use --method debug or --method outputs")
        return
    for inner in inner_tensors(network, Choice(frozenset(names))):
        if not network.mark_debug(inner.tensor):
            raise CaptureError(f"TensorRT does not mark {inner.name!r} for debugging: use --method outputs")


# -- changes of the plan -----------------------------------------------------------------------------------------------


_MOVES = frozenset({"Reformat", "NoOp"})
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class PlanDifference:
    """Names of layers that only the undisturbed engine has, that only the marked one has, and with another tactic."""

    gone: tuple[str, ...]
    new: tuple[str, ...]
    reformats: tuple[str, ...]
    retuned: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether any layer that computes is another one."""
        return bool(self.gone or self.new or self.retuned)

    def sentence(self) -> str:
        """The note that everyone who reads the dump sees."""
        added = f"; {len(self.reformats)} reformats were added where tensors go out" if self.reformats else ""
        if not self.changed:
            return f"handing tensors out left every layer of the engine as it was{added}"
        parts = []
        if self.gone:
            parts.append(f"{len(self.gone)} layers are gone ({listed(self.gone, _SHOWN)})")
        if self.new:
            parts.append(f"{len(self.new)} are new ({listed(self.new, _SHOWN)})")
        if self.retuned:
            parts.append(f"{len(self.retuned)} run another tactic ({listed(self.retuned, _SHOWN)})")
        return f"handing tensors out changed the engine, whose numbers may differ there: {', '.join(parts)}{added}"


def compare_plans(undisturbed: str, marked: str) -> PlanDifference:
    """Compare two engines by their inspector's JSON; raises FormatError where one is not that."""
    before, after = (read_inspector(text).layers for text in (undisturbed, marked))
    gone = _names(before) - _names(after)
    new = _names(after) - _names(before)
    moves = {layer.name for layer in (*before, *after) if layer.type in _MOVES}
    tactics = {layer.name: layer.tactic_id for layer in before}
    retuned = (
        layer.name
        for layer in after
        if layer.name not in moves and tactics.get(layer.name, layer.tactic_id) != layer.tactic_id
    )
    return PlanDifference(
        gone=tuple(name for name in gone if name not in moves),
        new=tuple(name for name in new if name not in moves),
        reformats=tuple(name for name in new if name in moves),
        retuned=tuple(dict.fromkeys(retuned)),
    )


def _names(layers: Iterable[LayerRecord]) -> Counter[str]:
    return Counter(layer.name for layer in layers)

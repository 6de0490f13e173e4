"""Whether a tensor of the engine can be the operand of a format combination: types, vectors, layouts, strides.

The tuner prints strides, the engine's rows print dimensions (to 8.4 without the vector's width), the inspector prints
sentences or the type alone. What one side does not show excludes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens_parsers.strides import StridedTensor, read_strides, read_strides_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from trtlens_parsers.strides import FormatCombination

Dims = tuple[int | None, ...]
_BOUNDARY = re.compile(r"Reformatted (?P<side>Input|Output) Tensor (?P<position>\d{1,4}) to (?P<layer>.+)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Operand:
    """One input or output of an engine layer, as far as the log shows it; None for what it does not."""

    name: str
    dtype: str | None
    dims: Dims | None
    strides: Dims | None
    vector_width: int | None
    layout: str | None


@dataclass(frozen=True, slots=True)
class Operands:
    """Inputs and outputs of one engine layer, in printed order."""

    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]


NO_OPERANDS = Operands((), ())


def operands_of_layers(tensors: pa.Table) -> dict[tuple[int, int], Operands]:
    """The operands of every engine layer, by build and index."""
    sides: dict[tuple[int, int], tuple[list[Operand], list[Operand]]] = {}
    for row in tensors.to_pylist():
        operand = Operand(
            row["name"], row["dtype"], None if row["dims"] is None else tuple(row["dims"]),
            None if row["strides"] is None else tuple(row["strides"]), row["vector_width"], row["format"],
        )  # fmt: skip
        inputs, outputs = sides.setdefault((row["build"], row["layer_index"]), ([], []))
        (inputs if row["direction"] == "input" else outputs).append(operand)
    return {layer: Operands(tuple(inputs), tuple(outputs)) for layer, (inputs, outputs) in sides.items()}


def read_combination(inputs: str | None, outputs: str | None, *, innermost_first: bool) -> FormatCombination | None:
    """The operands of a combination's two texts; None where they cannot be read."""
    if inputs is None or outputs is None:
        return None
    return read_strides_list(f"{inputs} -> {outputs}", innermost_first=innermost_first)


def boundary_of(tensor: str) -> tuple[str, str, int] | None:
    """Layer, ``input`` or ``output``, and position of a tensor that the builder put before or behind a layer."""
    match = _BOUNDARY.match(tensor)
    return None if match is None else (match["layer"], match["side"].lower(), int(match["position"]))


def stated_formats(
    added: Sequence[Mapping[str, Any]], *, innermost_first: Mapping[int, bool]
) -> dict[tuple[int, str], StridedTensor]:
    """Formats of tensors that ``Adding reformat layer`` states, by build and name: both ends of each reformat."""
    found: dict[tuple[int, str], StridedTensor] = {}
    for row in added:
        before, after = (
            read_strides(row[column], innermost_first=innermost_first.get(row["build"], False))
            for column in ("input_format", "output_format")
        )
        boundary = boundary_of(row["tensor"])
        behind = boundary is not None and boundary[1] == "output"
        ends = (before, after) if behind else (after, before)
        for name, form in zip((row["tensor"], row["source"]), ends, strict=True):
            if form is not None:
                found[row["build"], name] = form
    return found


def fits(operand: Operand, strided: StridedTensor, known: StridedTensor | None = None) -> bool:
    """Whether nothing that is shown contradicts that the tensor has this format.

    ``known`` is the tensor's format where another line or another layer has settled it.
    """
    if known is not None and not _same_format(known, strided, operand.dims):
        return False
    form = strided.format
    if operand.dtype is not None and form.dtype is not None and operand.dtype != form.dtype:
        return False
    if operand.vector_width is not None and form.vector_width is not None and operand.vector_width != form.vector_width:
        return False
    if _whole(operand.strides) and _whole(strided.strides) and operand.strides != strided.strides:
        return False
    return _layouts_agree(operand.layout, form.layout, operand.dims)


def shown_of(operands: Operands, known: Mapping[str, StridedTensor]) -> tuple[Any, ...]:
    """What `combination_fits` looks at: layers for which this is equal fit the same combinations."""
    return tuple(
        tuple((o.dtype, o.dims, o.strides, o.vector_width, o.layout, known.get(o.name)) for o in side)
        for side in (operands.inputs, operands.outputs)
    )


def _same_format(one: StridedTensor, other: StridedTensor, dims: Dims | None) -> bool:
    if (one.format.dtype, one.format.vector_width) != (other.format.dtype, other.format.vector_width):
        return False
    if _whole(one.strides) and _whole(other.strides) and len(one.strides) == len(other.strides):
        return one.strides == other.strides
    return _layouts_agree(one.format.layout, other.format.layout, dims)


def _layouts_agree(one: str | None, other: str | None, dims: Dims | None) -> bool:
    """Layouts of a tensor whose planes hold one element lie alike, whatever they are called."""
    return one is None or other is None or one == other or _is_flat(dims)


def _is_flat(dims: Dims | None) -> bool:
    return dims is not None and (len(dims) < 3 or all(size == 1 for size in dims[2:]))


def _whole(strides: Sequence[int | None] | None) -> bool:
    return bool(strides) and None not in strides  # type: ignore[operator]


def combination_fits(operands: Operands, combination: FormatCombination, known: Mapping[str, StridedTensor]) -> bool:
    """Whether a layer's tensors can have a combination's formats; a side with another count is not compared."""
    for own, tried in ((operands.inputs, combination.inputs), (operands.outputs, combination.outputs)):
        if len(own) != len(tried):
            continue
        for operand, strided in zip(own, tried, strict=True):
            if not fits(operand, strided, known.get(operand.name)):
                return False
    return True

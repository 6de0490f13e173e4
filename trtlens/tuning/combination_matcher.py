"""Which of a layer's combinations the engine's tensors can have, and what that says of its neighbours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from trtlens_parsers.strides import StridedTensor, read_strides, read_strides_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trtlens.tables.engine_layers import Dims, EngineLayer, Tensor
    from trtlens.tables.schema import Tables
    from trtlens.tuning.matching import Match
    from trtlens_parsers.strides import FormatCombination, StridedTensor

Known = dict[str, "StridedTensor"]
"""Formats of tensors of one build that a line, or a layer that is settled, has fixed."""


class CombinationMatcher:
    """Compares combinations with tensors; ``innermost_first`` says for which builds strides are printed so (7.x)."""

    def __init__(self, rows: Mapping[str, Sequence[Any]], innermost_first: Mapping[int, bool]) -> None:
        self._rows = rows
        self._innermost_first = innermost_first
        self._formats: dict[int, FormatCombination | None] = {}
        self._found: dict[tuple[Any, ...], list[int]] = {}  # many layers of one name can show the same of their tensors

    def compatible(
        self, groups: tuple[int, ...], match: Match, layer: EngineLayer, known: Mapping[str, StridedTensor]
    ) -> list[int]:
        """Those combinations of one build that nothing contradicts.

        A tensor's name can be used again for a copy of it: where what is known of names leaves no combination, only the
        layer's own row counts. Of one build, ``known`` only ever grows.
        """
        for facts in (known, {}):
            if match.by == "name":
                shown: Any = shown_of(layer, facts)
            else:
                shown = match.layer, len(facts)
            key = groups, match.by, shown
            if key not in self._found:
                self._found[key] = self._compare(groups, match, layer, facts)
            if self._found[key]:
                return self._found[key]
        return []

    def _compare(
        self, groups: tuple[int, ...], match: Match, layer: EngineLayer, facts: Mapping[str, StridedTensor]
    ) -> list[int]:
        if match.by == "name":
            return [group for group in groups if self._fits(group, layer, facts)]
        return [group for group in groups if self._region_fits(group, match.layer or "", facts)]

    def learn(self, group: int, layer: EngineLayer, known: Known) -> None:
        """Keep the formats of a settled layer's tensors."""
        combination = self._combination(group)
        if combination is None:
            return
        for own, tried in ((layer.inputs, combination.inputs), (layer.outputs, combination.outputs)):
            if len(own) == len(tried):
                for tensor, strided in zip(own, tried, strict=True):
                    known.setdefault(tensor.name, strided)

    def _fits(self, group: int, layer: EngineLayer, known: Mapping[str, StridedTensor]) -> bool:
        combination = self._combination(group)
        return combination is None or combination_fits(layer, combination, known)

    def _region_fits(self, group: int, region: str, known: Mapping[str, StridedTensor]) -> bool:
        """Whether the tensors that were reformatted for the region have the combination's formats."""
        combination = self._combination(group)
        if combination is None:
            return True
        for side, tried in (("Input", combination.inputs), ("Output", combination.outputs)):
            for position, strided in enumerate(tried):
                stated = known.get(f"Reformatted {side} Tensor {position} to {region}")
                if stated is not None and stated.format.text != strided.format.text:
                    return False
        return True

    def _combination(self, group: int) -> FormatCombination | None:
        if group not in self._formats:
            inputs, outputs = self._rows["input_formats"][group], self._rows["output_formats"][group]
            innermost_first = self._innermost_first.get(self._rows["build"][group], False)
            self._formats[group] = read_combination(inputs, outputs, innermost_first=innermost_first)
        return self._formats[group]


# -- tensors and formats ----------------------------------------------------------------------------------------------
# Whether a tensor of the engine can be the operand of a format combination: types, vectors, layouts, strides.
#
# The tuner prints strides, the engine's rows print dimensions (to 8.4 without the vector's width), the inspector prints
# sentences or the type alone. What one side does not show excludes nothing.


_BOUNDARY = re.compile(r"Reformatted (?P<side>Input|Output) Tensor (?P<position>\d{1,4}) to (?P<layer>.+)$", re.DOTALL)


def innermost_first_of(tables: Tables) -> dict[int, bool]:
    """Whether a build's strides are printed with the innermost first, as 7.x does, by the build's number."""
    builds = tables["builds"].select(["build", "tensorrt_version"]).to_pylist()
    return {row["build"]: (row["tensorrt_version"] or "").startswith("7.") for row in builds}


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


def fits(tensor: Tensor, strided: StridedTensor, known: StridedTensor | None = None) -> bool:
    """Whether nothing that is shown contradicts that the tensor has this format.

    ``known`` is the tensor's format where another line or another layer has settled it.
    """
    if known is not None and not _same_format(known, strided, tensor.dims):
        return False
    form = strided.format
    if tensor.dtype is not None and form.dtype is not None and tensor.dtype != form.dtype:
        return False
    if tensor.vector_width is not None and form.vector_width is not None and tensor.vector_width != form.vector_width:
        return False
    if _whole(tensor.strides) and _whole(strided.strides) and tensor.strides != strided.strides:
        return False
    return _layouts_agree(tensor.layout, form.layout, tensor.dims)


def shown_of(layer: EngineLayer, known: Mapping[str, StridedTensor]) -> tuple[Any, ...]:
    """What `combination_fits` looks at: layers for which this is equal fit the same combinations."""
    return tuple(
        tuple((o.dtype, o.dims, o.strides, o.vector_width, o.layout, known.get(o.name)) for o in side)
        for side in (layer.inputs, layer.outputs)
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


def combination_fits(layer: EngineLayer, combination: FormatCombination, known: Mapping[str, StridedTensor]) -> bool:
    """Whether a layer's tensors can have a combination's formats; a side with another count is not compared."""
    for own, tried in ((layer.inputs, combination.inputs), (layer.outputs, combination.outputs)):
        if len(own) != len(tried):
            continue
        for tensor, strided in zip(own, tried, strict=True):
            if not fits(tensor, strided, known.get(tensor.name)):
                return False
    return True

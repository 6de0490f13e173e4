"""Engine layers and their tensors as tables: one set of layers for a build, whatever forms the log holds of it."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from trtlens.runs.totals import of_engine
from trtlens.tables.declarations import TABLES
from trtlens.tables.engine_layers import is_reformat, reformat_kind
from trtlens_parsers.formats import tensor_bytes
from trtlens_parsers.messages.graph import AddedReformat
from trtlens_parsers.messages.strategies import Region
from trtlens_parsers.messages.tuning import ChosenKernel
from trtlens_parsers.strides import read_strides

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from trtlens_parsers.layers import LayerRecord, TensorRecord
    from trtlens_parsers.messages.tactic_lines import TacticKernel
    from trtlens_parsers.messages.tuning_blocks import TuningBlock
    from trtlens_parsers.records import Build, EngineLayer

_LARGEST_COUNTED_ID = 2**32
"""Tactic ids up to here are counters of a runner, not hashes: the same id names another kernel for another layer."""


@dataclass(frozen=True, slots=True)
class Row:
    """One engine layer of one build, with its place and the line that printed it (null outside a log)."""

    build: int
    index: int
    layer: LayerRecord
    tactic_name: str | None
    line: int | None


def layer_tables(builds: Sequence[Build]) -> dict[str, pa.Table]:
    """``layers``, ``layer_tensors`` and ``layer_constants`` of all builds of a log."""
    named = _codes_of_id(builds[0].tactics.kernels) if builds else {}  # the builds of a log share one list of kernels
    return tables_of_rows([row for build in builds for row in _rows(build, named)])


def tables_of_rows(rows: Sequence[Row]) -> dict[str, pa.Table]:
    """``layers`` with their tensors and constants; precision and unit are still null, the kernel reader fills them."""
    nothing = [None] * len(rows)
    layers = [row.layer for row in rows]
    return {
        "layers": TABLES["layers"].table({
            "build": [r.build for r in rows], "index": [r.index for r in rows], "name": [x.name for x in layers],
            "type": [x.type for x in layers], "tactic_id": [x.tactic_id for x in layers],
            "tactic_name": [r.tactic_name for r in rows], "precision": nothing, "precision_from": nothing,
            "unit": nothing, "unit_evidence": nothing, "unit_reason": nothing,
            "is_reformat": [is_reformat(x) for x in layers], "reformat_kind": [reformat_kind(x) for x in layers],
            "origin": [x.origin for x in layers], "onnx_nodes": [list(x.metadata) or None for x in layers],
            "stream": [x.stream for x in layers], "parameters": [_parameters(x) for x in layers],
            "line": [r.line for r in rows],
        }),
        "layer_tensors": _tensors(rows),
        "layer_constants": _constants(rows),
    }  # fmt: skip


def _parameters(layer: LayerRecord) -> str | None:
    return json.dumps(dict(layer.parameters), ensure_ascii=False) if layer.parameters else None


def _tensors(rows: Iterable[Row]) -> pa.Table:
    values = [
        (
            row.build, row.index, direction, position, tensor.name, tensor.format.dtype, tensor.dims, tensor.strides,
            tensor.format.vector_width, tensor.format.layout, _bytes(tensor), tensor.location, row.line,
        )
        for row in rows
        for direction, tensors in (("input", row.layer.inputs), ("output", row.layer.outputs))
        for position, tensor in enumerate(tensors)
    ]  # fmt: skip
    names = [column.name for column in TABLES["layer_tensors"].columns]
    columns = zip(*values, strict=True) if values else [()] * len(names)
    return TABLES["layer_tensors"].table(dict(zip(names, columns, strict=True)))


def _constants(rows: Iterable[Row]) -> pa.Table:
    values = [
        (
            row.build, row.index, position, tensor.name, tensor.format.dtype, tensor.dims, tensor.format.layout,
            _bytes(tensor), row.line,
        )
        for row in rows
        for position, tensor in enumerate(row.layer.constants)
    ]  # fmt: skip
    names = [column.name for column in TABLES["layer_constants"].columns]
    columns = zip(*values, strict=True) if values else [()] * len(names)
    return TABLES["layer_constants"].table(dict(zip(names, columns, strict=True)))


def _bytes(tensor: TensorRecord) -> int | None:
    form = tensor.format
    return None if tensor.dims is None else tensor_bytes(form.dtype, tensor.dims, form.vector_width, form.vector_axis)


# -- one set of layers for a build -----------------------------------------------------------------------------------


def _rows(build: Build, named: Mapping[int, set[int]]) -> list[Row]:
    kernels = _Kernels(build, named)
    added_reformats = of_engine(build, build.records(AddedReformat))
    strides = {added.tensor: (added.input_format, added.output_format) for added in added_reformats}
    unread_rows = [
        [lost.line for lost in build.unread_rows if lost.is_layer and lost.detailed == form and lost.line is not None]
        for form in (False, True)
    ]
    regions = {region.layer: region.onnx_nodes for region in of_engine(build, build.records(Region))}
    rows = []
    for position, engine_layer in enumerate(_merged(build)):
        lost = unread_rows[engine_layer.layer.detailed]  # a layer that was not understood has its place, too
        index = position + (0 if engine_layer.line is None else bisect_left(lost, engine_layer.line))
        layer = _with_strides(engine_layer.layer, strides, innermost_first=(build.run.version or "8").startswith("7"))
        if not layer.metadata:
            layer = layer._replace(metadata=regions.get(layer.name, ()))
        rows.append(Row(build.number, index, layer, kernels.name_of(layer), engine_layer.line))
    return rows


def _merged(build: Build) -> list[EngineLayer]:
    """The longer of both lists, each row completed by the other form's row of the same name."""
    short, long = sorted((build.layers, build.detailed_layers), key=len)
    partners: dict[str, list[EngineLayer]] = defaultdict(list)
    for row in reversed(short):
        partners[row.layer.name].append(row)
    merged = []
    for row in long:
        twins = partners[row.layer.name]
        merged.append(_both(row, twins.pop()) if twins else row)
    return merged


def _both(one: EngineLayer, other: EngineLayer) -> EngineLayer:
    detail, plain = (one.layer, other.layer) if one.layer.detailed else (other.layer, one.layer)
    layer = detail._replace(
        tactic_id=detail.tactic_id if detail.tactic_id is not None else plain.tactic_id,
        inputs=_both_tensors(detail.inputs, plain.inputs),
        outputs=_both_tensors(detail.outputs, plain.outputs),
    )
    return one._replace(layer=layer, line=one.line if one.line is not None else other.line)


def _both_tensors(detail: tuple[TensorRecord, ...], plain: tuple[TensorRecord, ...]) -> tuple[TensorRecord, ...]:
    if [t.name for t in detail] != [t.name for t in plain]:
        return detail
    return tuple(_both_formats(d, p) for d, p in zip(detail, plain, strict=True))


def _both_formats(detail: TensorRecord, plain: TensorRecord) -> TensorRecord:
    """The detailed tensor with the vector width that only the plain form of 8.5 and later shows."""
    known, shown = detail.format, plain.format
    if known.vector_width is not None and known.layout is not None:
        return detail
    form = known._replace(
        vector_width=known.vector_width if known.vector_width is not None else shown.vector_width,
        vector_axis=known.vector_axis if known.vector_axis is not None else shown.vector_axis,
        layout=known.layout or shown.layout,
    )
    return detail._replace(format=form)


def _with_strides(layer: LayerRecord, strides: dict[str, tuple[str, str]], *, innermost_first: bool) -> LayerRecord:
    """A reformat that the builder added, with the strides on both sides that it printed when adding it."""
    if len(layer.inputs) != 1 or len(layer.outputs) != 1:
        return layer
    found = strides.get(layer.outputs[0].name) or strides.get(layer.inputs[0].name)
    if found is None or not is_reformat(layer):
        return layer
    before, after = (read_strides(text, innermost_first=innermost_first) for text in found)
    if before is None or after is None:
        return layer
    source, target = layer.inputs[0], layer.outputs[0]
    if (before.format.dtype, after.format.dtype) != (source.format.dtype, target.format.dtype):
        return layer
    return layer._replace(
        inputs=(source._replace(format=before.format, strides=before.strides),),
        outputs=(target._replace(format=after.format, strides=after.strides),),
    )


def _codes_of_id(kernels: Sequence[TacticKernel]) -> dict[int, set[int]]:
    """Positions of the kernels with a name, by tactic id."""
    codes: dict[int, set[int]] = defaultdict(set)
    for code, kernel in enumerate(kernels):
        if kernel.name and kernel.tactic_id is not None:
            codes[kernel.tactic_id].add(code)
    return codes


class _Kernels:
    """Finds a layer's kernel: by what engine creation printed for it, by its tactic id, by its name."""

    def __init__(self, build: Build, named: Mapping[int, set[int]]) -> None:
        self._build = build
        self._named = named
        self._chosen = {(layer, kernel.tactic_id): kernel.name for layer, kernel, _ in build.records(ChosenKernel)}
        self._blocks: dict[str | None, list[TuningBlock]] = defaultdict(list)
        for block in of_engine(build, build.blocks):
            self._blocks[block.layer].append(block)

    def name_of(self, layer: LayerRecord) -> str | None:
        if layer.tactic_name:
            return layer.tactic_name
        if layer.tactic_id is not None:
            tried = self._tried(layer.name, layer.tactic_id) or self._chosen.get((layer.name, layer.tactic_id))
            if tried is not None:
                return tried
            names = self._names_of_id(layer.tactic_id) if layer.tactic_id > _LARGEST_COUNTED_ID else set()
            if len(names) == 1:
                return next(iter(names))
        return self._chosen.get((layer.name, None))

    def _tried(self, layer: str, tactic_id: int) -> str | None:
        kernels, codes = self._build.tactics.kernels, self._build.tactics.codes
        wanted = self._named.get(tactic_id, set())
        for block in self._blocks.get(layer, ()) if wanted else ():
            found = wanted.intersection(codes[block.start : block.stop])
            if found:
                return kernels[min(found)].name
        return None

    def _names_of_id(self, tactic_id: int) -> set[str]:
        """All names that the build gives an id, for layers that the tuner knew by another name."""
        kernels = self._build.tactics.kernels
        tried = (kernels[code] for code in self._named.get(tactic_id, ()) if code in self._own_codes)
        chosen = (kernel for _, kernel, _ in self._build.records(ChosenKernel) if kernel.tactic_id == tactic_id)
        return {kernel.name for kernel in (*tried, *chosen) if kernel.name}

    @cached_property
    def _own_codes(self) -> frozenset[int]:
        return frozenset(self._build.tactics.codes)

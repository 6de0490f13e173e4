"""What each layer and candidate computes in, and on which unit: from the kernel's name, else from the tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from trtlens.tables.arrays import array, filled, of_numpy, to_numpy
from trtlens_parsers.data_types import CHOSEN_TYPES
from trtlens_parsers.kernels import read_kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from trtlens_parsers.kernels import Kernel

NO_KERNEL = "no kernel name in the log"


def with_layer_precision(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """The tables with the columns ``precision`` and ``unit`` of layers filled."""
    return {**tables, "layers": _layers(tables["layers"], _tensor_precision(tables["layer_tensors"]))}


def with_candidate_kernels(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """The tables with the columns ``precision`` and ``unit`` of candidates filled."""
    return {**tables, "candidates": _candidates(tables["candidates"])}


def _tensor_precision(tensors: pa.Table) -> dict[tuple[int, int], str | None]:
    """The one type that a layer's floating inputs and outputs share, by build and index; None where they differ."""
    types: dict[tuple[int, int], set[str]] = {}
    columns = (tensors.column(name).to_pylist() for name in ("build", "layer_index", "dtype"))
    for build, index, dtype in zip(*columns, strict=True):
        if dtype in CHOSEN_TYPES:
            types.setdefault((build, index), set()).add(dtype)
    return {layer: next(iter(found)) if len(found) == 1 else None for layer, found in types.items()}


def _layers(layers: pa.Table, by_tensors: dict[tuple[int, int], str | None]) -> pa.Table:
    rows = [
        _layer_facts(name, moves, by_tensors.get((build, index)))
        for build, index, name, moves in zip(
            *(layers.column(c).to_pylist() for c in ("build", "index", "tactic_name", "is_reformat")), strict=True
        )
    ]
    for position, column in enumerate(("precision", "precision_from", "unit", "unit_evidence", "unit_reason")):
        layers = _replaced(layers, column, array([row[position] for row in rows], pa.string()))
    return layers


def _layer_facts(kernel_name: str | None, moves: bool, by_tensors: str | None) -> tuple[str | None, ...]:
    kernel = read_kernel(kernel_name) if kernel_name else None
    computed = kernel.precision if kernel is not None and not moves else None
    precision = computed or by_tensors
    source = "kernel" if computed else "tensors" if by_tensors else None
    if kernel is None:
        return precision, source, None, None, NO_KERNEL
    return precision, source, kernel.unit, kernel.evidence, kernel.unit_reason


def _candidates(candidates: pa.Table) -> pa.Table:
    names = candidates.column("tactic_name").combine_chunks()
    if not isinstance(names, pa.DictionaryArray):  # an empty table has no chunk to combine
        return candidates
    kernels = [read_kernel(name) for name in names.dictionary.to_pylist()]
    for column in ("precision", "unit"):
        values = _decoded(names, kernels, lambda kernel, c=column: getattr(kernel, c))  # type: ignore[misc]
        candidates = _replaced(candidates, column, values)
    return candidates


def _decoded(names: pa.DictionaryArray, kernels: list[Kernel], fact: Callable[[Kernel], str | None]) -> pa.Array:
    """A fact of each row's kernel, decoded once for each distinct name."""
    facts = [fact(kernel) for kernel in kernels]
    distinct: dict[str, int] = {}
    codes = np.array([-1 if f is None else distinct.setdefault(f, len(distinct)) for f in facts] + [-1], np.int32)
    positions = to_numpy(filled(names.indices, len(facts)))
    rows = codes[positions]
    return pa.DictionaryArray.from_arrays(of_numpy(rows, missing=rows < 0), array(list(distinct), pa.string()))


def _replaced(table: pa.Table, column: str, values: Any) -> pa.Table:
    position = table.schema.get_field_index(column)
    return table.set_column(position, table.schema.field(position), values)

"""What each layer and candidate computes in, and on which unit: from the kernel's name, else from the tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from trtlens.runs.totals import key_columns
from trtlens.tables.arrays import array, filled, of_numpy, to_numpy
from trtlens.tables.declarations import TABLES
from trtlens_parsers.data_types import CHOSEN_TYPES
from trtlens_parsers.kernels import read_kernel
from trtlens_parsers.messages.strategies import Strategy, Stretch
from trtlens_parsers.messages.tuning_blocks import Combination

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trtlens_parsers.kernels import Kernel
    from trtlens_parsers.records import Build

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


# -- rows of the tuner ------------------------------------------------------------------------------------------------
# Tables of the tuner's record beside its tactics: format combinations, strategies, seconds by the time stamps.


def combinations_table(builds: Sequence[Build]) -> pa.Table:
    """Format headers as the log prints them; `trtlens.tuning.choices` fills in what was tried below each of them."""
    rows = [row for build in builds for row in build.records(Combination)]
    fields = zip(*rows, strict=True) if rows else [()] * len(Combination._fields)
    lines = [np.array([row.line for row in build.records(Combination)], np.int64) for build in builds]
    return TABLES["combinations"].table({
        **{column.name: pa.nulls(len(rows), column.arrow) for column in TABLES["combinations"].columns},
        **dict(zip(Combination._fields, fields, strict=True)),
        "build": [build.number for build in builds for _ in build.records(Combination)],
        **key_columns(builds, lines),
    })  # fmt: skip


def strategies_table(builds: Sequence[Build]) -> pa.Table:
    """Backend strategies in the order of the log, each with the last line that is about it."""
    rows = [(build.number, tried, _last_line(build, tried)) for build in builds for tried in build.records(Strategy)]
    return TABLES["strategies"].table({
        "build": [number for number, _, _ in rows], "strategy": [tried.number for _, tried, _ in rows],
        "estimate": [tried.estimate for _, tried, _ in rows], "kept": [tried.kept for _, tried, _ in rows],
        "last_line": [last for _, _, last in rows], "line": [tried.line for _, tried, _ in rows],
    })  # fmt: skip


def _last_line(build: Build, tried: Strategy) -> int:
    """The line before the first stretch below its beginning that is another strategy's, or none's."""
    ends = (
        part.line - 1 for part in build.records(Stretch) if part.line > tried.line and part.strategy != tried.number
    )
    return next(ends, build.last_line)


def stamped_seconds(build: Build) -> list[float | None]:
    """Seconds from each tuning block's first line to the next one's, by the log's time stamps.

    Stamps are whole seconds, so one block alone says little; sums over a layer or a runner do. None without stamps.
    """
    starts = [block.line for block in build.blocks]
    if len(build.moments) < 2 or not starts:
        return [None] * len(starts)
    moment_lines = [moment.line for moment in build.moments]
    stamps = np.array([moment.stamp_s for moment in build.moments])
    last = build.blocks[-1]
    own_end = build.tactics.lines[last.stop - 1] if last.stop > last.start else last.line
    ends = [*starts[1:], max(own_end, last.line)]  # what comes behind the last tactic is no longer its runner's time
    places = np.searchsorted(moment_lines, [starts, ends], side="right") - 1
    spent = stamps[np.maximum(places[1], 0)] - stamps[np.maximum(places[0], 0)]
    return [max(float(seconds), 0.0) for seconds in spent]

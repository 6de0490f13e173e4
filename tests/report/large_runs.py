"""Large runs made of a captured one: its engine several times over, or its candidates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from trtlens.runs import Run, open_run

if TYPE_CHECKING:
    from collections.abc import Callable

FIXTURES = Path(__file__).parents[2] / "fixtures"
H200 = FIXTURES / "h200"
_NAMES = {
    "layers": ("name",), "layer_tensors": ("name",), "tuned_layers": ("layer",), "layer_times": ("layer",), "memory": ("layer",),
    "candidates": ("layer",), "combinations": ("layer",), "runners": ("layer",), "nodes": ("name",),
}  # fmt: skip
_LISTS = {"layers": ("onnx_nodes",), "nodes": ("inputs", "outputs")}
_INDICES = {
    "layers": "index", "layer_tensors": "layer_index", "tuned_layers": "layer_index", "layer_times": "index", "combinations": "layer_index",
    "nodes": "index",
}  # fmt: skip


def captured(name: str = "resnet50-fp16") -> Run:
    """One of the captured runs."""
    return open_run(H200 / name)


def with_engine_times(run: Run, copies: int, iterations: int = 5) -> Run:
    """The run with its engine ``copies`` times over, one behind the other, each layer timed a few times."""
    count = run["layers"].num_rows
    tables = dict(run.tables)
    tables["layer_times"] = run["layer_times"].filter(pc.less(run["layer_times"]["iteration"], iterations))
    for table in _NAMES:
        parts = [_copy(tables[table], table, number, count) for number in range(copies)]
        tables[table] = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
    return Run(f"{run.name} x{copies}", tables, None, run.info)


def _copy(rows: pa.Table, table: str, number: int, count: int) -> pa.Table:
    if not number:
        return rows
    for column in _NAMES[table]:
        rows = _with(
            rows, column, lambda values: pc.binary_join_element_wise(values.cast(pa.string()), f"block{number}", "/")
        )
    for column in _LISTS.get(table, ()):
        rows = _with(rows, column, lambda values: pa.array(
            [None if one is None else [f"{name}/block{number}" for name in one] for one in values.to_pylist()], values.type
        ))  # fmt: skip
    if table in _INDICES:
        rows = _with(rows, _INDICES[table], lambda values: pc.add(values, number * count))
    return rows


def with_candidates(run: Run, copies: int) -> Run:
    """The run with its candidates ``copies`` times over, on lines of their own."""
    rows = run["candidates"]
    last = pc.max(rows["line"]).as_py()
    parts = [_with(rows, "line", lambda lines, n=n: pc.add(lines, n * last)) for n in range(copies)]  # type: ignore[misc]
    return Run(run.name, {**run.tables, "candidates": pa.concat_tables(parts)}, None, run.info)


def _with(rows: pa.Table, column: str, change: Callable[[Any], Any]) -> pa.Table:
    place = rows.schema.get_field_index(column)
    field = rows.schema.field(place)
    changed = change(rows[column])
    changed = changed if pa.types.is_dictionary(field.type) is False else changed.dictionary_encode()
    return rows.set_column(place, field, changed.cast(field.type))

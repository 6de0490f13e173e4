"""Dumps and comparisons as tables: `dumps` and `nodes` from the index of a dump, `tensor_errors` from a comparison."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from trtlens.errors import TrtlensError
from trtlens.runs.run_info import CAPTURES
from trtlens.tables.arrays import array
from trtlens.tables.declarations import TABLES
from trtlens.tables.schema import LazyTables
from trtlens_parsers.dump_index import DumpedNode, DumpedTensor, DumpIndex, TensorRanges

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trtlens.runs.run_info import RunInfo
    from trtlens_parsers.dump_index import SavedComparison

# column of `dumps` -> attribute of the ranges
_RANGE_COLUMNS = {
    "minimum": "minimum", "maximum": "maximum", "largest": "largest", "smallest": "smallest", "mean": "mean", "rms": "rms",
    "zeros": "zeros", "nan_count": "nan", "inf_count": "inf", "beyond_fp16": "beyond", "subnormal_fp16": "subnormal",
    "flushed_fp16": "flushed",
}  # fmt: skip


def dump_tables(index: DumpIndex, build: int) -> dict[str, pa.Table]:
    """``dumps`` and ``nodes`` of one dump."""
    tensors, nodes = index.tensors, index.nodes
    return {
        "dumps": TABLES["dumps"].table({
            "build": [build] * len(tensors), "index": list(range(len(tensors))), "tensor": [t.name for t in tensors],
            "role": [t.role for t in tensors], "producer": [t.producer for t in tensors], "op": [t.op for t in tensors],
            "dtype": [t.dtype for t in tensors], "dims": [t.shape for t in tensors],
            "elements": [t.elements for t in tensors], "file": [t.file for t in tensors],
            "skipped": [t.skipped for t in tensors], "source": [index.source] * len(tensors),
            **{column: [_range(t, name) for t in tensors] for column, name in _RANGE_COLUMNS.items()},
        }),
        "nodes": TABLES["nodes"].table({
            "build": [build] * len(nodes), "index": list(range(len(nodes))), "name": [n.name for n in nodes],
            "op": [n.op for n in nodes], "inputs": [n.inputs for n in nodes], "outputs": [n.outputs for n in nodes],
            **dict.fromkeys(("input_shapes", "output_shapes", "line"), [None] * len(nodes)),
        }),
    }  # fmt: skip


def _range(tensor: DumpedTensor, name: str) -> float | int | None:
    return None if tensor.ranges is None else getattr(tensor.ranges, name)


def dumped_tensors(dumps: pa.Table) -> list[DumpedTensor]:
    """The rows of ``dumps`` as the records that they were made of."""
    return [
        DumpedTensor(
            name=row["tensor"], role=row["role"], dtype=row["dtype"],
            shape=None if row["dims"] is None else tuple(row["dims"]), file=row["file"], skipped=row["skipped"],
            producer=row["producer"], op=row["op"],
            ranges=None if row["zeros"] is None else TensorRanges(*(row[column] for column in _RANGE_COLUMNS)),
        )
        for row in dumps.to_pylist()
    ]  # fmt: skip


def onnx_nodes(nodes: pa.Table) -> list[DumpedNode]:
    """The rows of ``nodes`` as records, in their order."""
    return [
        DumpedNode(row["name"], row["op"], tuple(row["inputs"] or ()), tuple(row["outputs"] or ()))
        for row in nodes.to_pylist()
    ]


def errors_table(rows: Sequence[Mapping[str, Any]], build: int) -> pa.Table:
    """``tensor_errors`` from rows by its columns; what a row does not have is null.

    Raises:
        TrtlensError: a value is not of its column's type.

    """
    names = [column.name for column in TABLES["tensor_errors"].columns if column.name != "build"]
    columns: dict[str, Any] = {name: [row.get(name) for row in rows] for name in names}
    try:
        return TABLES["tensor_errors"].table({"build": [build] * len(rows), **columns})
    except (TypeError, ValueError, OverflowError) as error:
        raise TrtlensError(f"a row of the comparison does not fit the table ({error}): compare again") from error


def comparison_table(kept: SavedComparison, build: int) -> pa.Table:
    """``tensor_errors`` of a comparison that was kept; raises TrtlensError where a value is not of its column's type."""
    return errors_table(kept.rows, build)


# -- facts of a capture -----------------------------------------------------------------------------------------------
# What the ``run.json`` of a captured run knows of its build that the log does not state: version, GPU, allowed precisions.


_PRECISIONS = ("fp16", "bf16", "int8", "fp8", "best", "strongly_typed")
_WEAKLY_TYPED = re.compile(r"(?:[5-9]|10)\.")
"""Releases whose builder is told by flags what it may use; from 11 on, and in TensorRT-RTX, the model's own types count."""


def with_captured_facts(tables: Mapping[str, pa.Table], info: RunInfo) -> Mapping[str, pa.Table]:
    """The tables, their builds completed by what the capture knows; as they are where the run was kept from a log."""
    if info.kind not in CAPTURES:
        return tables
    library = "RTX " if info.library == "tensorrt_rtx" else ""
    known = {
        "tensorrt_version": info.tensorrt_version and f"{library}{info.tensorrt_version}",
        "gpu": info.gpu.name,
        "precision_flags": _allowed(info),
    }
    builds = tables["builds"]
    for name, value in known.items():
        if value is not None:
            column = pc.coalesce(builds[name], array([value], pa.string())[0])
            if name == "precision_flags":  # a loaded engine was built elsewhere, with flags that nobody knows
                column = pc.if_else(builds["is_build"], column, builds[name])
            builds = builds.set_column(builds.schema.get_field_index(name), builds.schema.field(name), column)
    field = builds.schema.field("wrapper")  # the log's prefix is trtexec's, so that other readers know it
    ours = array(["trtlens"] * builds.num_rows, field.type)
    builds = builds.set_column(builds.schema.get_field_index("wrapper"), field, ours)
    return LazyTables(tables, lambda name: builds if name == "builds" else tables[name])


def captured_flags(info: RunInfo) -> Mapping[str, Any] | None:
    """The build flags that differ from TensorRT's defaults, by the capture's names; None for what was not captured."""
    return info.flags if info.kind == "profile" else None


def _allowed(info: RunInfo) -> str | None:
    """The precisions as trtexec prints them, FP32 and those of the builder's flags; None where the model's own types count."""
    if info.precision_flags:
        return "+".join(("FP32", *info.precision_flags)).upper()
    weakly_typed = info.library == "tensorrt" and _WEAKLY_TYPED.match(info.tensorrt_version or "")
    nothing_asked = info.flags is not None and not any(info.flags.get(name) for name in _PRECISIONS)
    return "FP32" if weakly_typed and nothing_asked else None

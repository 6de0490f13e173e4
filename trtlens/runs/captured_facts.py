"""What the ``run.json`` of a captured run knows of its build that the log does not state: version, GPU, allowed precisions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from trtlens.runs.run_files import CAPTURES
from trtlens.tables.arrays import array
from trtlens.tables.lazy_tables import LazyTables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trtlens.runs.run_info import RunInfo

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

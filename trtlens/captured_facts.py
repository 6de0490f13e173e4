"""What the ``run.json`` of a captured run knows of its build that the log does not state: version, GPU, allowed precisions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from trtlens.arrays import array
from trtlens.lazy_tables import LazyTables

if TYPE_CHECKING:
    from collections.abc import Mapping

_PRECISIONS = ("fp16", "bf16", "int8", "fp8", "best", "strongly_typed")
_WEAKLY_TYPED = re.compile(r"(?:[5-9]|10)\.")
"""Releases whose builder is told by flags what it may use; from 11 on, and in TensorRT-RTX, the model's own types count."""


def with_captured_facts(tables: Mapping[str, pa.Table], info: Mapping[str, Any]) -> Mapping[str, pa.Table]:
    """The tables, their builds completed by what the capture knows."""
    gpu = info.get("gpu")
    library = "RTX " if info.get("library") == "tensorrt_rtx" else ""
    known = {
        "tensorrt_version": info.get("tensorrt_version") and f"{library}{info['tensorrt_version']}",
        "gpu": gpu.get("name") if isinstance(gpu, dict) else None,
        "precision_flags": _allowed(info),
    }
    builds = tables["builds"]
    for name, value in known.items():
        if isinstance(value, str):
            column = pc.coalesce(builds[name], array([value], pa.string())[0])
            if name == "precision_flags":  # a loaded engine was built elsewhere, with flags that nobody knows
                column = pc.if_else(builds["is_build"], column, builds[name])
            builds = builds.set_column(builds.schema.get_field_index(name), builds.schema.field(name), column)
    field = builds.schema.field("wrapper")  # the log's prefix is trtexec's, so that other readers know it
    ours = array(["trtlens"] * builds.num_rows, field.type)
    builds = builds.set_column(builds.schema.get_field_index("wrapper"), field, ours)
    return LazyTables(tables, lambda name: builds if name == "builds" else tables[name])


def _allowed(info: Mapping[str, Any]) -> str | None:
    """The precisions as trtexec prints them, FP32 and those of the builder's flags; None where the model's own types count."""
    flags, asked = info.get("precision_flags"), info.get("flags")
    if flags:
        return "+".join(("FP32", *map(str, flags))).upper()
    weakly_typed = info.get("library") == "tensorrt" and _WEAKLY_TYPED.match(str(info.get("tensorrt_version")))
    nothing_asked = isinstance(asked, dict) and not any(asked.get(name) for name in _PRECISIONS)
    return "FP32" if weakly_typed and nothing_asked else None

"""`kernel_counters`: what Nsight Compute counted, if it is of the kernels of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.errors import TrtlensError
from trtlens.runs.kernel_tables import LEAST_AGREEMENT
from trtlens.runs.stated_kernels import key_of, stated_key
from trtlens.tables.arrays import of_build
from trtlens.tables.declarations import TABLES
from trtlens_parsers.kernels import read_kernel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from trtlens_parsers.ncu_csv import KernelCounters


_FAMILY = "xmma"
"""Kernels that belong to layers, whose names an engine states."""


def counter_table(given: Sequence[KernelCounters], layers: pa.Table, launches: pa.Table | None, build: int) -> pa.Table:
    """The table of one build.

    Raises:
        TrtlensError: two files were given, or the kernels are of another engine.

    """
    if len(given) > 1:
        raise TrtlensError("two files of Nsight Compute were given: give the one that profiled most launches")
    rows = given[0].rows
    traced = [] if launches is None else of_build(launches, build)["kernel"].to_pylist()
    _check_engine(
        {row.kernel for row in rows}, of_build(layers, build).select(["type", "tactic_name"]).to_pylist(), traced
    )
    named = ("launch", "kernel", "metric", "value", "metric_unit", "stream", "grid", "block")
    return TABLES["kernel_counters"].table({
        "build": [build] * len(rows), **{name: [getattr(row, name) for row in rows] for name in named},
    })  # fmt: skip


def _check_engine(profiled: Iterable[str], layers: Sequence[Mapping[str, Any]], traced: Sequence[str]) -> None:
    """Refuse kernels of which the engine states hardly any, or, where a Myelin region may run kernels that it does not state, none.

    Kernels that no engine states, such as Myelin's own and reformats, count for nothing.
    """
    keys = {key_of(row["tactic_name"]) for row in layers if row["tactic_name"]}
    if not keys and not traced:
        return
    found = {name: stated_key(name, keys) is not None or name in traced for name in profiled}
    compared = [own for name, own in found.items() if own or read_kernel(name).family == _FAMILY]
    has_regions = not traced and any((row["type"] or "").startswith("Myelin") for row in layers)
    if compared and sum(compared) < (1 if has_regions else LEAST_AGREEMENT * len(compared)):
        raise TrtlensError(
            f"the counters of Nsight Compute are of another engine: {sum(compared)} of {len(compared)} matrix kernels are stated "
            "or traced of this one; give the file of the engine that the log or the layers describe"
        )

"""Rows of one build, whether a table is keyed by the build or by the program's run that built it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from trtlens.tables.arrays import array, of_build

if TYPE_CHECKING:
    from trtlens.tables.lazy_tables import Tables


def build_rows(tables: Tables, name: str, number: int) -> pa.Table:
    """The rows of a table that hold for one build: its own, else those of its run; all of a table without either key."""
    table = tables[name]
    if "build" in table.column_names:
        return of_build(table, number)
    if "run" not in table.column_names:
        return table
    runs = of_build(tables["builds"].select(["build", "run"]), number)["run"].drop_null().to_pylist()
    return table.filter(pc.is_in(table["run"], value_set=array(runs, pa.int64())))

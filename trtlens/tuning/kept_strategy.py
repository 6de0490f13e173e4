"""Rows of the strategy whose engine was kept: what the builder said of the others is no fact about the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trtlens.tables.arrays import filled, of_numpy, to_numpy

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from trtlens.tables.schema import Tables

_NONE = -1


def kept_rows(tables: Tables, name: str) -> pa.Table:
    """The rows of a table without those of backend strategies whose engine was not kept.

    Rows of no strategy stay, and so do rows of strategies that no line of the log judges.
    """
    table = tables[name]
    rejected = is_rejected(tables, table)
    return table.filter(of_numpy(~rejected)) if rejected.any() else table


def is_rejected(tables: Tables, table: pa.Table) -> npt.NDArray[np.bool_]:
    """Whether each row is of a strategy whose engine was not kept."""
    found = np.zeros(table.num_rows, bool)
    pairs = [(row["build"], row["strategy"]) for row in tables["strategies"].to_pylist() if row["kept"] is False]
    if pairs and len(found):
        builds, strategies = to_numpy(table["build"]), to_numpy(filled(table["strategy"], _NONE))
        for build, strategy in pairs:
            found |= (builds == build) & (strategies == strategy)
    return found

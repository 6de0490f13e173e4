"""What changed between the runs, and what did each change cost or save?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.comparison.changes import list_changes
from trtlens.tables.schema import declare

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.comparison.changes import ChangeRow
    from trtlens.comparison.comparison import Comparison

COLUMNS = declare(
    "view changes", "one change from the baseline to another run", "run kind region label",
    """
    run | text | | run that differs from the baseline
    kind | text | | inference, all layers (whole runs, which come first), precision, unit, fusion, tactic, same kernel, time, reformats, constants, added layer, lost layer, setting
    region | int | | region, as the view compare numbers them; null for whole runs, layers in none and settings
    label | text | | the region's nodes, the layer, or the setting
    before | text | | in the baseline
    after | text | | in the run
    diff_ms | float | ms | what the change explains of the layers' difference; null where unknown
    adds_up | bool | | whether all layers together differ by as much as an inference: if not, diff_ms is no part of an inference; null for unknown
    region_diff_ms | float | ms | difference of the whole region
    verdict | text | | of the whole region or run: faster, slower, no difference seen
    words | text | | the change in words
    """,
)  # fmt: skip


def table(comparison: Comparison) -> pa.Table:
    """Changes of all runs: whole runs first, then those that cost or save the most time; settings last."""
    return COLUMNS.table(columns(comparison, list_changes(comparison)))


def columns(comparison: Comparison, rows: Sequence[ChangeRow]) -> dict[str, list[Any]]:
    """The columns of any changes, in the order given."""
    names = [column.name for column in COLUMNS.columns if column.name not in {"run", "adds_up"}]
    values = {name: [getattr(row, name) for row in rows] for name in names}
    adds_up = [comparison.adds_up[row.run] for row in rows]
    return {"run": [comparison.names[row.run] for row in rows], "adds_up": adds_up, **values}

"""What a person is shown of a comparison: runs side by side in columns, the changes that matter first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from trtlens.comparison.changes import SETTING, WHOLE_RUN, list_changes
from trtlens.comparison.settings import differing_settings

if TYPE_CHECKING:
    from trtlens.comparison.changes import ChangeRow
    from trtlens.comparison.comparison import Comparison


def changes_shown(comparison: Comparison, top: int) -> tuple[list[ChangeRow], int]:
    """The first changes (all for 0) without settings and whole runs, and how many are left out."""
    rows = [row for row in list_changes(comparison) if row.kind not in {SETTING, *WHOLE_RUN}]
    shown = rows[:top] if top else rows
    return shown, len(rows) - len(shown)


def settings_table(comparison: Comparison) -> pa.Table:
    """Settings that differ, a column for each run."""
    settings = differing_settings(comparison)
    columns: dict[str, list[str | None]] = {"setting": [setting.name for setting in settings]}
    for number, name in enumerate(comparison.names):
        columns[name] = [setting.values[number] for setting in settings]
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def region_table(comparison: Comparison) -> pa.Table:
    """Regions in topological order with the time, precision, difference and verdict of each run; then the unaligned."""
    columns: dict[str, list[Any]] = {
        "region": [row.number for row in comparison.rows],
        "nodes": [row.label for row in comparison.rows],
    }
    for number, name in enumerate(comparison.names):
        cells = [row.cells[number] for row in comparison.rows]
        columns[f"{name} [ms]"] = [cell.figures.time_ms for cell in cells]
        columns[f"{name} precision"] = [cell.figures.precision for cell in cells]
        columns[f"{name} reformats"] = [cell.figures.conversions for cell in cells]
        if number != comparison.baseline:
            differences = [cell.difference for cell in cells]
            columns[f"{name} diff [ms]"] = [None if one is None else one.diff_ms for one in differences]
            columns[f"{name} verdict"] = [None if one is None else one.verdict for one in differences]
    for left in comparison.left:
        for column, values in columns.items():
            values.append(left.figures.time_ms if column == f"{comparison.names[left.entry.side]} [ms]" else None)
        columns["nodes"][-1] = f"not aligned: {left.name}"
    return pa.table({name: _array(name, values) for name, values in columns.items()})


def _array(name: str, values: list[Any]) -> pa.Array:
    if name.endswith("[ms]"):
        return pa.array(values, pa.float64())
    return pa.array(values, pa.int64() if name == "region" or name.endswith(" reformats") else pa.string())

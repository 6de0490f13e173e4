"""What does each part of the model take in each run, and is the difference more than noise?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from trtlens.comparison.changes import SETTING, WHOLE_RUN, list_changes, main_cause
from trtlens.comparison.settings import differing_settings
from trtlens.output import Layout, layout
from trtlens.tables.schema import declare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.comparison.changes import ChangeRow
    from trtlens.comparison.comparison import Comparison, Left, Row
    from trtlens.comparison.figures import Figures
    from trtlens.comparison.times import Difference


REGION_COLUMNS = declare(
    "view compare", "one region (or one layer that could not be aligned) in one run", "region run layers",
    """
    region | int | | place of the region in topological order, from 0; null for a layer that could not be aligned
    run | text | | run
    is_baseline | bool | | whether the other runs are held against this one
    label | text | | the region's nodes as one text; the layer's name where it could not be aligned
    nodes | texts | | ONNX nodes that the region holds, by the baseline's names
    layers | texts | | engine layers of this run in the region, reformats and constants that serve it included
    time_ms | float | ms | sum of the layers' median times; null where unknown
    time_source | text | | kernels, samples, export, profile table or tuner
    diff_ms | float | ms | how much more than in the baseline
    adds_up | bool | | whether all layers together differ by as much as an inference: if not, diff_ms is no part of an inference; null for unknown
    low_ms | float | ms | lower end of the interval that holds the difference with 99 % confidence; null without samples
    high_ms | float | ms | upper end of that interval
    speedup | float | | the baseline's time over this one
    verdict | text | | faster, slower, no difference seen; null for the baseline and without times
    judged_on | text | | samples, summary (averages only), tuner
    why | text | | changes that explain the difference
    precision | text | | what its layers compute in, the most time first
    unit | text | | tensor core, cuda core, or both; null for unknown
    kernels | texts | | kernels of the layers that compute
    compute_ms | float | ms | part of the time in layers that compute
    reformats | int | | reformats, casts and Q/DQ layers that launch a kernel
    reformat_ms | float | ms | part of the time in these
    constant_ms | float | ms | part of the time in copies of weights and biases
    scratch_bytes | int | bytes | largest scratch memory of a layer; null where no memory line names one
    persistent_bytes | int | bytes | device memory that its layers keep; null where no memory line names one
    error | float | | largest error (noise over signal) of a tensor that it makes; null without a comparison of tensors
    error_added | float | | the most error that one of its tensors has beyond that of what it is made of
    reason | text | | why the layer could not be aligned
    """,
)  # fmt: skip


def region_table(comparison: Comparison) -> pa.Table:
    """Regions in topological order, each with all runs in the order given; then what could not be aligned."""
    records = [_region(comparison, row, number) for row in comparison.rows for number in range(len(comparison.engines))]
    records += [_left(comparison, left) for left in comparison.left]
    return REGION_COLUMNS.table(
        {column.name: [record[column.name] for record in records] for column in REGION_COLUMNS.columns}
    )


def _region(comparison: Comparison, row: Row, number: int) -> dict[str, Any]:
    cell = row.cells[number]
    base = row.cells[comparison.baseline].figures.time_ms
    time = cell.figures.time_ms
    return {
        **_facts(comparison, number, cell.figures), **_verdict(comparison, cell.difference),
        "region": row.number, "label": row.label, "nodes": list(row.region.nodes),
        "speedup": base / time if base is not None and time else None,
        "why": main_cause(comparison, row, number) if number != comparison.baseline else None, "reason": None,
    }  # fmt: skip


def _left(comparison: Comparison, left: Left) -> dict[str, Any]:
    return {
        **_facts(comparison, left.entry.engine, left.figures), **_verdict(comparison, None),
        "region": None, "label": left.name, "nodes": None, "speedup": None, "why": None, "reason": left.entry.reason,
    }  # fmt: skip


def _verdict(comparison: Comparison, difference: Difference | None) -> dict[str, Any]:
    if difference is None:
        return {"diff_ms": None, "low_ms": None, "high_ms": None, "verdict": None, "judged_on": None}
    return {
        "diff_ms": difference.diff_ms, "low_ms": difference.low_ms, "high_ms": difference.high_ms,
        "verdict": difference.verdict, "judged_on": comparison.judged_on,
    }  # fmt: skip


def _facts(comparison: Comparison, number: int, figures: Figures) -> dict[str, Any]:
    return {
        "run": comparison.names[number], "adds_up": comparison.adds_up[number], "is_baseline": number == comparison.baseline, "layers": list(figures.layers),
        "time_ms": figures.time_ms, "time_source": comparison.times[number].source, "precision": figures.precision,
        "unit": figures.unit, "kernels": [kernel for kernel in figures.kernels if kernel is not None] or None,
        "compute_ms": figures.compute_ms, "reformats": figures.conversions, "reformat_ms": figures.conversion_ms,
        "constant_ms": figures.constant_ms, "scratch_bytes": figures.scratch_bytes,
        "persistent_bytes": figures.persistent_bytes, "error": figures.error, "error_added": figures.error_added,
    }  # fmt: skip


# -- on a terminal ----------------------------------------------------------------------------------------------------
# What a person is shown of a comparison: runs side by side in columns, the changes that matter first.


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


def side_by_side(comparison: Comparison) -> pa.Table:
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
            values.append(left.figures.time_ms if column == f"{comparison.names[left.entry.engine]} [ms]" else None)
        columns["nodes"][-1] = f"not aligned: {left.name}"
    return pa.table(list(columns.values()), pa.schema([_field(name) for name in columns]))


def _field(name: str) -> pa.Field:
    if name.endswith("[ms]"):
        return pa.field(name, pa.float64(), metadata={"unit": "ms"})
    return pa.field(name, pa.int64() if name == "region" or name.endswith(" reformats") else pa.string())


def side_by_side_layout(comparison: Comparison) -> Layout:
    """The layout of `side_by_side`: nodes, then times, differences and verdicts of the runs, then what they compute in."""
    others = [comparison.names[number] for number in comparison.others]
    times = [f"{name} [ms]" for name in comparison.names]
    judged = [f"{name} {what}" for name in others for what in ("diff [ms]", "verdict")]
    rest = [f"{name} {what}" for what in ("precision", "reformats") for name in comparison.names]
    return Layout(("nodes", *times, *judged, *rest, "region"), stretches="nodes")


# -- changes ----------------------------------------------------------------------------------------------------------
# What changed between the runs, and what did each change cost or save?


CHANGE_LAYOUT = layout("label diff_ms words run region_diff_ms verdict", stretches="label", prose="words")
CHANGE_COLUMNS = declare(
    "view changes", "one change from the baseline to another run", "run kind region label",
    """
    run | text | | run that differs from the baseline
    kind | text | | inference, all layers (whole runs, which come first), precision, unit, fusion, tactic, same kernel, time, bias padding, reformats, constants, added layer, lost layer, setting
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


def change_table(comparison: Comparison) -> pa.Table:
    """Changes of all runs: whole runs first, then those that cost or save the most time; settings last."""
    return CHANGE_COLUMNS.table(change_columns(comparison, list_changes(comparison)))


def change_columns(comparison: Comparison, rows: Sequence[ChangeRow]) -> dict[str, list[Any]]:
    """The columns of any changes, in the order given."""
    names = [column.name for column in CHANGE_COLUMNS.columns if column.name not in {"run", "adds_up"}]
    values = {name: [getattr(row, name) for row in rows] for name in names}
    adds_up = [comparison.adds_up[row.run] for row in rows]
    return {"run": [comparison.names[row.run] for row in rows], "adds_up": adds_up, **values}

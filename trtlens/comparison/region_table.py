"""What does each part of the model take in each run, and is the difference more than noise?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.comparison.changes import main_cause
from trtlens.tables.schema import declare

if TYPE_CHECKING:
    import pyarrow as pa

    from trtlens.comparison.comparison import Comparison, Left, Row
    from trtlens.comparison.figures import Figures
    from trtlens.comparison.noise import Difference

COLUMNS = declare(
    "view compare", "one region (or one layer that could not be aligned) in one run", "region run layers",
    """
    region | int | | place of the region in topological order, from 0; null for a layer that could not be aligned
    run | text | | run
    is_baseline | bool | | whether the other runs are held against this one
    label | text | | the region's nodes as one text; the layer's name where it could not be aligned
    nodes | texts | | ONNX nodes that the region holds, by the baseline's names
    layers | texts | | engine layers of this run in the region, reformats and constants that serve it included
    time_ms | float | ms | sum of the layers' median times; null where unknown
    time_source | text | | samples, export, profile table or tuner
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


def table(comparison: Comparison) -> pa.Table:
    """Regions in topological order, each with all runs in the order given; then what could not be aligned."""
    records = [_region(comparison, row, number) for row in comparison.rows for number in range(len(comparison.sides))]
    records += [_left(comparison, left) for left in comparison.left]
    return COLUMNS.table({column.name: [record[column.name] for record in records] for column in COLUMNS.columns})


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
        **_facts(comparison, left.entry.side, left.figures), **_verdict(comparison, None),
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

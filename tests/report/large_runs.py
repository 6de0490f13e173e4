"""Captured runs, and large ones made of them: their candidates several times over."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tests.golden.inputs import opened
from trtlens.runs.run import Run

FIXTURES = Path(__file__).parents[2] / "fixtures"
H200 = FIXTURES / "h200"


def captured(name: str = "resnet50-fp16") -> Run:
    """One of the captured runs."""
    return opened(f"h200/{name}")


def with_candidates(run: Run, copies: int) -> Run:
    """The run with its candidates ``copies`` times over, on lines of their own."""
    rows = run["candidates"]
    place, last = rows.schema.get_field_index("line"), pc.max(rows["line"]).as_py()
    moved = [pc.add(rows["line"], number * last) for number in range(copies)]
    parts = [rows.set_column(place, rows.schema.field(place), lines) for lines in moved]
    return Run(run.name, {**run.tables, "candidates": pa.concat_tables(parts)}, None, run.info)

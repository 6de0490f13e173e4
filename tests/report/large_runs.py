"""Captured runs, and large ones made of them: their candidates several times over."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tests.golden.inputs import opened
from tests.report.hostile_run import hostile_run
from trtlens.report import read_subject, render
from trtlens.runs.run import Run

FIXTURES = Path(__file__).parents[2] / "fixtures"
H200 = FIXTURES / "h200"


def captured(name: str = "resnet50-fp16") -> Run:
    """One of the captured runs."""
    return opened(f"h200/{name}")


@cache
def page_of_two() -> str:
    """The report of two captured runs."""
    return render([read_subject(captured("resnet50-fp16")), read_subject(captured("resnet50-int8"))])


@cache
def hostile_page() -> str:
    """The report of the run whose names are hostile."""
    return render([read_subject(hostile_run())])


def with_candidates(run: Run, copies: int) -> Run:
    """The run with its candidates ``copies`` times over, on lines of their own."""
    rows = run["candidates"]
    place, last = rows.schema.get_field_index("line"), pc.max(rows["line"]).as_py()
    moved = [pc.add(rows["line"], number * last) for number in range(copies)]
    parts = [rows.set_column(place, rows.schema.field(place), lines) for lines in moved]
    return Run(run.name, {**run.tables, "candidates": pa.concat_tables(parts)}, None, run.info)

"""Layers as charts need them: those that run, with their work, precision, weight (time, else one each) and hover text."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from trtlens.charts.drawing.chart import MissingData
from trtlens.charts.drawing.style import UNKNOWN, plain
from trtlens.engine.clocks import clock_name
from trtlens.engine.times import frame, kind_of_work
from trtlens.quantities import duration
from trtlens.tables.arrays import array
from trtlens.views import VIEWS

NO_TIMES = "no timings in this run: add the file of trtexec --exportProfile, or profile with trtlens profile"

_USED = ["is_reformat", "time_source", "name", "type", "precision", "unit", "time_ms", "inputs", "outputs", "kernel"]


def running_layers(table: pa.Table) -> pd.DataFrame:
    """Rows of the view ``layers`` that launch something (or have a time), in execution order, with what charts draw.

    Raises:
        MissingData: the table has no rows.

    """
    if not table.num_rows:
        raise MissingData(VIEWS["layers"].empty)
    every = [row | {"work": kind_of_work(row["type"], row["is_reformat"])} for row in table.select(_USED).to_pylist()]
    running = [row["work"] != "none" or (row["time_ms"] or 0) > 0 for row in every]
    rows = [row for row, runs in zip(every, running, strict=True) if runs]
    layers = frame(table.filter(array(running, pa.bool_())))
    layers["work"] = pd.array([row["work"] for row in rows], "string")
    layers["shown"] = pd.array([row["precision"] or UNKNOWN for row in rows], "string")
    timed = any(row["time_ms"] is not None for row in rows)
    layers["weight"] = [row["time_ms"] or 0.0 for row in rows] if timed else 1.0
    layers.attrs["timed"] = timed
    sources = [row["time_source"] for row in rows if row["time_source"] is not None]
    layers.attrs["clock"] = clock_name(sources[0]) if timed and sources else None
    layers.attrs["by"] = f", {layers.attrs['clock']}" if layers.attrs["clock"] else ""
    layers["hover"] = [_hover(row, layers.attrs["clock"]) for row in rows]
    return layers


def _hover(row: dict[str, Any], clock: str | None) -> str:
    time = "no time" if row["time_ms"] is None else duration(row["time_ms"])
    parts = [
        f"<b>{plain(row['name'])}</b>",
        f"{plain(row['type'])}, {row['precision'] or UNKNOWN}, {row['unit'] or 'core type unknown'}",
        f"{time} ({clock})" if clock and row["time_ms"] is not None else time,
    ]
    parts += [f"in: {plain(row['inputs'])}"] if row["inputs"] is not None else []
    parts += [f"out: {plain(row['outputs'])}"] if row["outputs"] is not None else []
    parts += [plain(row["kernel"])] if row["kernel"] is not None else []
    return "<br>".join(parts)

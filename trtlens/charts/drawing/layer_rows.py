"""Layers as charts need them: those that run, with their work, precision, weight (time, else one each) and hover text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.charts.drawing.chart import MissingData
from trtlens.charts.drawing.style import UNKNOWN, plain
from trtlens.engine.clocks import clock_name
from trtlens.engine.times import frame, work_of
from trtlens.quantities import duration
from trtlens.views import VIEWS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

NO_TIMES = "no timings in this run: add the file of trtexec --exportProfile, or profile with trtlens profile"

_IN_HOVER = ["name", "type", "precision", "unit", "time_ms", "inputs", "outputs", "kernel"]


def running_layers(table: pa.Table) -> pd.DataFrame:
    """Rows of the view ``layers`` that launch something (or have a time), in execution order, with what charts draw.

    Raises:
        MissingData: the table has no rows.

    """
    if not table.num_rows:
        raise MissingData(VIEWS["layers"].empty)
    layers = frame(table)
    layers["work"] = work_of(layers)
    layers["shown"] = layers["precision"].fillna(UNKNOWN)
    running = (layers["work"] != "none") | (layers["time_ms"].fillna(0) > 0)
    layers = layers[running].reset_index(drop=True)
    timed = layers["time_ms"].notna().any()
    layers["weight"] = layers["time_ms"].fillna(0.0).astype(float) if timed else 1.0
    layers.attrs["timed"] = bool(timed)
    sources = layers["time_source"].dropna().unique().tolist()
    layers.attrs["clock"] = clock_name(sources[0]) if timed and sources else None
    layers.attrs["by"] = f", {layers.attrs['clock']}" if layers.attrs["clock"] else ""
    rows = zip(table.select(_IN_HOVER).to_pylist(), running, strict=True)
    layers["hover"] = [_hover(row, layers.attrs["clock"]) for row, runs in rows if runs]
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

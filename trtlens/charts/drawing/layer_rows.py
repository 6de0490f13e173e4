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
    layers = layers[(layers["work"] != "none") | (layers["time_ms"].fillna(0) > 0)].reset_index(drop=True)
    timed = layers["time_ms"].notna().any()
    layers["weight"] = layers["time_ms"].fillna(0.0).astype(float) if timed else 1.0
    layers.attrs["timed"] = bool(timed)
    sources = layers["time_source"].dropna().unique().tolist()
    layers.attrs["clock"] = clock_name(sources[0]) if timed and sources else None
    layers.attrs["by"] = f", {layers.attrs['clock']}" if layers.attrs["clock"] else ""
    layers["hover"] = [_hover(row, layers.attrs["clock"]) for row in layers.to_dict("records")]
    return layers


def _hover(row: dict[str, Any], clock: str | None) -> str:
    unknown = row["time_ms"] != row["time_ms"] or _absent(row["time_ms"])
    time = "no time" if unknown else f"{duration(row['time_ms'])} ({clock})" if clock else duration(row["time_ms"])
    parts = [
        f"<b>{plain(row['name'])}</b>",
        f"{plain(row['type'])}, {row['shown']}, {_text(row['unit'], 'core type unknown')}",
        time,
    ]
    parts += [f"in: {plain(row['inputs'])}"] if not _absent(row["inputs"]) else []
    parts += [f"out: {plain(row['outputs'])}"] if not _absent(row["outputs"]) else []
    parts += [plain(row["kernel"])] if not _absent(row["kernel"]) else []
    return "<br>".join(parts)


def _text(value: Any, absent: str) -> str:
    return absent if _absent(value) else str(value)


def _absent(value: Any) -> bool:
    import pandas as pd  # noqa: PLC0415

    return value is None or value is pd.NA

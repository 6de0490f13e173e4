"""Layers in groups as plain bars: the time of each group, its share, and Σ, the share of it with all above."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from trtlens.charts.drawing.layer_rows import running_layers
from trtlens.charts.drawing.style import by_precision, figure, fill, plain
from trtlens.output import visible
from trtlens.quantities import duration, percent
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    import pyarrow as pa

DATA = {
    "x": "time in µs, or the number of layers where the run has no times",
    "y": "place of the group, from the top",
    "customdata": "name of the group, in whole",
}
_MOST = 20
_ROW_HEIGHT, _AROUND = 27, 100
_ROOM = 1.7
"""Width of the axis over the longest bar, so that its text fits."""


def share_bars(table: pa.Table, column: str, label: Callable[[str], str], unknown: str) -> go.Figure:
    """Bars of the groups of a column of the view ``layers``, the largest first, stacked by precision.

    Raises:
        MissingData: no layers are known.

    """
    layers = running_layers(table)
    timed = layers.attrs["timed"]
    layers["group"] = layers[column].fillna(unknown)
    layers["amount"] = layers["weight"] * 1000 if timed else 1.0
    sums = layers.groupby("group")["amount"].agg(["sum", "size"]).sort_values("sum", ascending=False, kind="stable")
    shown = sums[sums["sum"] > 0].head(_MOST)
    places = {name: place for place, name in enumerate(shown.index)}
    traces = [_bars(layers[layers["shown"] == one], one, places) for one in by_precision(layers["shown"])]
    left = int((sums["sum"] > 0).sum()) - len(shown)
    more = f"; {counted(left, 'more group is', 'more groups are')} shorter" if left else ""
    untimed = int(layers["time_ms"].isna().sum()) if timed else 0
    more += f"; {counted(untimed, 'layer has', 'layers have')} no time" if untimed else ""
    title = f"time [µs]{layers.attrs['by']}" if timed else "layers (this run has no layer times)"
    return figure(
        [*(trace for trace in traces if trace.x), _texts(shown, sums["sum"].sum(), timed=timed)],
        height=_AROUND + _ROW_HEIGHT * len(shown), barmode="stack", bargap=0.3,
        xaxis={"title": {"text": title + more}, "range": [0, _ROOM * shown["sum"].max()]},
        yaxis={"tickvals": list(places.values()), "ticktext": [f"{one} ({count})" for one, count in zip(_labels([plain(label(name), 40) for name in places]), shown["size"], strict=True)],
               "range": [len(places) - 0.4, -0.6], "showgrid": False},
    )  # fmt: skip


def _labels(texts: Sequence[str]) -> list[str]:
    """The texts, those that repeat numbered: one label for two bars would tell nothing."""
    counts, seen = Counter(texts), Counter[str]()
    found = []
    for one in texts:
        seen[one] += 1
        found.append(one if counts[one] == 1 else f"{one} #{seen[one]}")
    return found


def _bars(layers: pd.DataFrame, precision: str, places: dict[str, int]) -> go.Bar:
    own = layers.groupby("group", sort=False)["amount"].agg(["sum", "size"])
    here = [(name, places[name], row) for name, row in own.iterrows() if name in places]
    here.sort(key=lambda one: one[1])
    return go.Bar(
        x=[round(float(row["sum"]), 4) for _, _, row in here], y=[place for _, place, _ in here], orientation="h", name=precision,
        marker=fill(precision), customdata=[visible(name) for name, _, _ in here],
        hovertext=[f"<b>{plain(name, 120)}</b><br>{precision}, {counted(int(row['size']), 'layer', 'layers')}" for name, _, row in here],
        hovertemplate="%{hovertext}<br>%{x:.4g}<extra></extra>",
    )  # fmt: skip


def _texts(shown: pd.DataFrame, total: float, *, timed: bool) -> go.Scatter:
    """Behind each bar its amount, its share, and the share with all above."""
    told, so_far = [], 0.0
    for row in shown.to_dict("records"):
        so_far += row["sum"]
        shares = (percent(100 * row["sum"] / total), percent(100 * so_far / total))
        told.append(f"  {duration(row['sum'] / 1000) + ', ' if timed else ''}{shares[0]}, Σ {shares[1]}")
    return go.Scatter(
        x=[round(float(one), 4) for one in shown["sum"]], y=list(range(len(shown))), mode="text", text=told,
        textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False,
    )  # fmt: skip

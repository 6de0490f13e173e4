"""Layers in groups as plain bars: the time of each group, its share, and Σ, the share of it with all above."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import fsum
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import MissingData
from trtlens.charts.drawing.layer_rows import running_layers
from trtlens.charts.drawing.style import figure, fill, of_precisions, plain
from trtlens.output import visible
from trtlens.quantities import duration, percent
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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
    rows = _rows(layers, column, unknown)
    sums = _sums(rows)
    ranked = sorted(
        ((name, one) for name, one in sums.items() if one.amount > 0), key=lambda item: (-item[1].amount, item[0])
    )
    if not ranked:
        raise MissingData("no layer takes any time")
    shown = dict(ranked[:_MOST])
    places = {name: place for place, name in enumerate(shown)}
    by = of_precisions(rows, lambda row: row.precision)
    traces = [_bars(own, precision, places, timed=timed) for precision, own in by.items()]
    left = len(ranked) - len(shown)
    more = f"; {counted(left, 'more group is', 'more groups are')} shorter" if left else ""
    untimed = int(layers["time_ms"].isna().sum()) if timed else 0
    more += f"; {counted(untimed, 'layer has', 'layers have')} no time" if untimed else ""
    title = f"time [µs]{layers.attrs['by']}" if timed else "layers (this run has no layer times)"
    return figure(
        [*(trace for trace in traces if trace.x), _texts([one.amount for one in shown.values()], sum(one.amount for one in sums.values()), timed=timed)],
        height=_AROUND + _ROW_HEIGHT * len(shown), barmode="stack", bargap=0.3,
        xaxis={"title": {"text": title + more}, "range": [0, _ROOM * max(one.amount for one in shown.values())]},
        yaxis={"tickvals": list(places.values()), "ticktext": [f"{one} ({count})" for one, count in zip(_labels([plain(label(name), 40) for name in places]), (one.layers for one in shown.values()), strict=True)],
               "range": [len(places) - 0.4, -0.6], "showgrid": False},
    )  # fmt: skip


class _Row(NamedTuple):
    """A layer: its group, its precision, and its time in µs or one."""

    group: str
    precision: str
    amount: float


class _Sum(NamedTuple):
    """What the layers of a group add up to, and how many they are."""

    amount: float
    layers: int


def _rows(layers: pd.DataFrame, column: str, unknown: str) -> list[_Row]:
    amounts = (layers["weight"] * 1000).tolist() if layers.attrs["timed"] else [1.0] * len(layers)
    groups, precisions = layers[column].fillna(unknown).tolist(), layers["shown"].tolist()
    return [_Row(*row) for row in zip(groups, precisions, amounts, strict=True)]


def _sums(rows: Iterable[_Row]) -> dict[str, _Sum]:
    """By group, in the order of its first layer."""
    members: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        members[row.group].append(row.amount)
    return {group: _Sum(fsum(amounts), len(amounts)) for group, amounts in members.items()}


def _labels(texts: Sequence[str]) -> list[str]:
    """The texts, those that repeat numbered: one label for two bars would tell nothing."""
    counts, seen = Counter(texts), Counter[str]()
    found = []
    for one in texts:
        seen[one] += 1
        found.append(one if counts[one] == 1 else f"{one} #{seen[one]}")
    return found


def _bars(rows: Sequence[_Row], precision: str, places: dict[str, int], *, timed: bool) -> go.Bar:
    own = sorted(((places[name], name, one) for name, one in _sums(rows).items() if name in places), key=itemgetter(0))
    return go.Bar(
        x=[round(one.amount, 4) for _, _, one in own], y=[place for place, _, _ in own], orientation="h", name=precision,
        marker=fill(precision), customdata=[visible(name) for _, name, _ in own],
        hovertext=[f"<b>{plain(name, 120)}</b><br>{precision}, {counted(one.layers, 'layer', 'layers')}" for _, name, one in own],
        hovertemplate=f"%{{hovertext}}{'<br>%{x:.4g} µs' if timed else ''}<extra></extra>",
    )  # fmt: skip


def _texts(amounts: Sequence[float], total: float, *, timed: bool) -> go.Scatter:
    """Behind each bar its amount, its share, and the share with all above."""
    told, so_far = [], 0.0
    for amount in amounts:
        so_far += amount
        shares = (percent(100 * amount / total), percent(100 * so_far / total))
        told.append(f"  {duration(amount / 1000) + ', ' if timed else ''}{shares[0]}, Σ {shares[1]}")
    return go.Scatter(
        x=[round(one, 4) for one in amounts], y=list(range(len(amounts))), mode="text", text=told,
        textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False,
    )  # fmt: skip

"""The tactics that the tuner timed for one layer: a strip for each precision, the one that runs marked."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc

from trtlens.charts.drawing.chart import SUMS, Chart, MissingData
from trtlens.charts.drawing.style import SYMBOLS, UNKNOWN, colour, figure, log_axis, of_precisions, plain
from trtlens.quantities import duration
from trtlens.tables.arrays import known_true

if TYPE_CHECKING:
    from trtlens.runs.run import Run

NO_TUNING = (
    "no tactics: the tuner's times are in a verbose log, and only where tactics were timed (a build from a timing cache and a loaded "
    "engine have none); keep the whole log of trtexec --verbose, or of trtlens profile"
)
_SPREAD = 0.28


def chart(run: Run, layer: str | None = None) -> go.Figure:
    """Times of one layer's candidates; ``layer`` is the tuner's name, by default the layer with the largest chosen time.

    Raises:
        MissingData: the run has no timed candidates, or none for that layer.

    """
    candidates = run["candidates"]
    timed = candidates.select(["layer", "time_ms", "chosen"]).filter(pc.is_valid(candidates["time_ms"]))
    if not timed.num_rows:
        raise MissingData(NO_TUNING)
    name = layer if layer is not None else _largest(timed)
    of_layer = pc.equal(candidates["layer"].cast(pa.string()), name)
    rows = candidates.filter(pc.and_(of_layer, pc.is_valid(candidates["time_ms"]))).to_pylist()
    if not rows:
        raise MissingData(
            f"the tuner timed no tactic of {name!r}: it may have reused the times of an identical layer or of a timing cache"
        )
    groups = of_precisions(rows, itemgetter("precision"))
    traces = [_strip(place, *group) for place, group in enumerate(groups.items())]
    strips = list(groups)
    chosen = [(strips.index(row["precision"] or UNKNOWN), row) for row in rows if row["chosen"]]
    if chosen:
        traces.append(go.Scatter(
            x=[row["time_ms"] * 1000 for _, row in chosen], y=[place for place, _ in chosen], mode="markers", name="runs in the engine",
            marker={"symbol": "circle-open", "size": 18, "color": "#2563eb", "line": {"width": 3}},
            hovertext=[_hover(row) for _, row in chosen], hovertemplate="%{hovertext}<extra>runs</extra>",
        ))  # fmt: skip
    return figure(
        traces, height=120 + 64 * max(2, len(strips)), showlegend=bool(chosen),
        title={"text": plain(name, 100), "font": {"size": 13}, "x": 0, "xref": "paper"}, margin={"t": 64},
        xaxis=log_axis("the tuner's time [µs]"),
        yaxis={"tickvals": list(range(len(strips))), "ticktext": strips, "range": [-0.6, len(strips) - 0.4], "showgrid": False},
    )  # fmt: skip


def _largest(timed: pa.Table) -> str:
    chosen = timed.filter(known_true(timed["chosen"]))
    rows = chosen if chosen.num_rows else timed
    place = pc.index(rows["time_ms"], pc.max(rows["time_ms"])).as_py()
    return str(rows["layer"][place].as_py())


def _strip(place: int, precision: str, rows: list[dict[str, Any]]) -> go.Scatter:
    # A fixed sequence spreads neighbouring points, the same in every drawing.
    offsets = [((number * 0.618) % 1 - 0.5) * 2 * _SPREAD for number in range(len(rows))]
    return go.Scatter(
        x=[row["time_ms"] * 1000 for row in rows], y=[round(place + offset, 3) for offset in offsets], mode="markers",
        name=precision, showlegend=False,
        marker={"color": colour(precision), "symbol": SYMBOLS.get(precision, "circle"), "size": 8, "opacity": 0.75,
                "line": {"width": 0.8 if precision != UNKNOWN else 1.6, "color": "rgba(90,100,110,0.8)"}},
        hovertext=[_hover(row) for row in rows], hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _hover(row: dict[str, Any]) -> str:
    formats = f"{plain(row['input_formats'] or '?')} → {plain(row['output_formats'] or '?')}"
    return f"<b>{duration(row['time_ms'])}</b><br>{plain(row['tactic_name'] or 'kernel unknown')}<br>{formats}<br>line {row['line']}"


CHART = Chart(
    chart,
    title="What the tuner tried for one layer",
    question="Which tactics could the layer have run, and how fast are they?",
    section="tuning",
    place=1,
    follows=SUMS,
    reads="run",
    views=("tactics", "why", "candidates"),
    reading="Each point is a tactic that the tuner timed; further left is faster, and the blue ring marks the tactic that the engine runs. A faster tactic that was not chosen needs another format, and so reformats around it.",
    data={
        "x": "the tuner's time in µs",
        "y": "place of the precision, spread by a constant pattern",
    },
    needs="The tuner's candidates, from a verbose log of a build that timed tactics. A layer that the tuner did not time itself shows the times of the identical layer that it did.",
)

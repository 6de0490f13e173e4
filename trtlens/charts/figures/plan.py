"""Error against time of the choices that the search of a plan knows: what was predicted, what was measured, and the bound."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import WHOLE, Chart, MissingData
from trtlens.charts.drawing.style import BLUE, GREY, ORANGE, figure, log_axis, plain
from trtlens.quantities import duration, number
from trtlens.runs.plan_rows import BUILD, CHECK, FRONT, RUN
from trtlens.views import VIEWS
from trtlens_parsers.saved_plan import ALL_FULL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

_Row = dict[str, Any]
_NO_ERRORS = (
    "no error of the plan's choices is known: a command judged them, and no unit was measured alone; plan with --bound"
)
_LEGEND_ROWS = 76
"""Room above the figure for three rows of the legend, in pixels."""
_ROOM = 0.3
"""Share of the axis up to which a name has no room on the left of its point."""


def chart(table: pa.Table) -> go.Figure:
    """A point for each choice of the view ``plan_choices`` with a time and an error; customdata is the number of units that are down.

    Raises:
        MissingData: the run was built without a plan, or no error of its choices is known.

    """
    rows = table.to_pylist()
    if not rows:
        raise MissingData(VIEWS["plan_choices"].empty)
    timed = all(row["predicted_ms"] is not None for row in rows)
    points = [row for row in rows if _error(row) and _time(row, timed=timed) is not None]
    if not points:
        raise MissingData(_NO_ERRORS)
    errors = [error for row in points if (error := _error(row)) is not None]
    ends = (min(errors), max(errors))
    groups = [
        *_bound(points, timed=timed), *_full(rows, ends, timed=timed), *_least(points, timed=timed), *_choices(points, timed=timed),
        *_intervals(points, timed=timed),
    ]  # fmt: skip
    what = "error" if points[0]["quantity"] == "error" else "1 - cosine"
    time = "time of one inference [µs]" if timed else "time by operations and bytes, as a share of FP32's [%]"
    return figure(
        groups, annotations=_named(points, timed=timed), height=450, showlegend=True,
        margin={"t": _LEGEND_ROWS},
        xaxis={"title": {"text": time}}, yaxis=log_axis(f"{what} of the worst output", nticks=6),
    )  # fmt: skip


def _error(row: _Row) -> float | None:
    """The measured error, else the predicted one."""
    error: float | None = row["measured_error"] if row["measured_error"] is not None else row["predicted_error"]
    return error


def _time(row: _Row, *, timed: bool) -> float | None:
    """The measured time, else the predicted one, in µs; a share where times are weights."""
    if not timed:
        return None if row["predicted_percent"] is None else float(row["predicted_percent"])
    time_ms = row["time_ms"] if row["time_ms"] is not None else row["predicted_ms"]
    return None if time_ms is None else 1000 * float(time_ms)


# -- points ------------------------------------------------------------------------------------------------------------


def _choices(points: Sequence[_Row], *, timed: bool) -> list[go.Scatter]:
    """One trace a kind of choice; what was measured is filled."""
    kinds: list[tuple[str, str, str, Callable[[_Row], bool]]] = [
        ("predicted: the fastest within an error", "circle-open", GREY, lambda row: row["kind"] == FRONT),
        ("judged by the command, error predicted", "square-open", BLUE, lambda row: row["kind"] == CHECK and row["measured_error"] is None),
        ("checked, holds", "circle", BLUE, lambda row: _is_measured(row, CHECK) and row["holds"]),
        ("checked, does not hold", "x", ORANGE, lambda row: _is_measured(row, CHECK) and not row["holds"]),
        ("built, holds", "diamond", BLUE, lambda row: row["kind"] == BUILD and row["holds"]),
        ("built, does not hold", "diamond", ORANGE, lambda row: row["kind"] == BUILD and not row["holds"]),
        ("this run", "star", BLUE, lambda row: _is_measured(row, RUN) and row["time_ms"] is not None),
        ("this run, not measured in full", "star-open", BLUE, lambda row: row["kind"] == RUN and (row["measured_error"] is None or row["time_ms"] is None)),
    ]  # fmt: skip
    return [
        _points(name, symbol, colour, rows, timed=timed)
        for name, symbol, colour, fits in kinds
        if (rows := [row for row in points if fits(row)])
    ]


def _is_measured(row: _Row, kind: str) -> bool:
    return row["kind"] == kind and row["measured_error"] is not None


def _points(name: str, symbol: str, colour: str, rows: Sequence[_Row], *, timed: bool) -> go.Scatter:
    return go.Scatter(
        x=[_time(row, timed=timed) for row in rows], y=[_error(row) for row in rows], mode="markers", name=name,
        marker={"symbol": symbol, "color": colour, "size": 13 if symbol.startswith("star") else 10, "line": {"width": 1.5, "color": colour}},
        customdata=[row["low_units"] for row in rows], hovertext=[_told(row) for row in rows],
        hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _told(row: _Row) -> str:
    """A choice in words: units, predicted and measured figures."""
    low = (
        ""
        if row["low_units"] is None
        else f"<b>{row['low_units']} of {row['units']} units in {row['low_type'].upper()}</b><br>"
    )
    times = [(row["predicted_ms"], "predicted"), (row["time_ms"], "measured")]
    errors = [(row["predicted_error"], "predicted"), (row["measured_error"], "measured")]
    told = [f"{duration(value)} {word}" for value, word in times if value is not None]
    told += [f"error {number(value)} {word}" for value, word in errors if value is not None]
    return low + "<br>".join(told)


# -- lines -------------------------------------------------------------------------------------------------------------


def _bound(points: Sequence[_Row], *, timed: bool) -> list[go.Scatter]:
    """The bound, across all points."""
    limit = points[0]["bound_error"]
    if not limit:
        return []
    times = [_time(row, timed=timed) for row in points]
    return [_line(f"the bound, {plain(points[0]['bound'])}", [min(times), max(times)], [limit, limit], ORANGE, "dash")]  # type: ignore[type-var]


def _full(rows: Sequence[_Row], ends: tuple[float, float], *, timed: bool) -> list[go.Scatter]:
    """All FP32, which has no error and so no place on a logarithmic axis: its time from the least to the largest error."""
    time = next((_time(row, timed=timed) for row in rows if row["kind"] == ALL_FULL), None)
    return [] if time is None else [_line("all in FP32: no error", [time, time], ends, GREY, "dot")]


def _least(points: Sequence[_Row], *, timed: bool) -> list[go.Scatter]:
    """What no choice undercuts, where the front is known."""
    front = [row for row in points if row["kind"] == FRONT and row["within_error"] and row["least_percent"] is not None]
    if len(front) < 2:
        return []
    times = [_scaled(row, row["least_percent"], timed=timed) for row in front]
    line = _line("no choice is faster by the model", times, [row["within_error"] for row in front], GREY, "solid")
    return [line.update(line={"shape": "hv"})]  # what holds for an error holds below it


def _scaled(row: _Row, share: float, *, timed: bool) -> float:
    """A share of the time in FP32 as what the axis shows."""
    return share if not timed else 1000 * row["predicted_ms"] * share / row["predicted_percent"]


def _intervals(points: Sequence[_Row], *, timed: bool) -> list[go.Scatter]:
    """The interval of each engine that was timed, as a line through its point."""
    known = [row for row in points if timed and row["time_low_ms"] is not None and row["time_high_ms"] is not None]
    return [
        go.Scatter(
            x=[1000 * row["time_low_ms"], 1000 * row["time_high_ms"]], y=[_error(row)] * 2, mode="lines", line={"color": BLUE, "width": 2},
            hoverinfo="skip", showlegend=False,
        )
        for row in known
    ]  # fmt: skip


def _line(name: str, x: Sequence[Any], y: Sequence[Any], colour: str, dash: str) -> go.Scatter:
    return go.Scatter(
        x=list(x), y=list(y), mode="lines", name=name, line={"color": colour, "dash": dash, "width": 1.5}, hoverinfo="name"
    )  # fmt: skip


def _named(points: Sequence[_Row], *, timed: bool) -> list[dict[str, Any]]:
    """The name of the chosen plan, on the side of its point with room."""
    chosen = next((row for row in points if row["chosen"] and row["kind"] == CHECK), None)
    if chosen is None:
        return []
    times = [_time(row, timed=timed) or 0.0 for row in points]
    x, y = _time(chosen, timed=timed) or 0.0, _error(chosen) or 1.0
    is_left = x <= min(times) + _ROOM * (max(times) - min(times))  # below and left of a plan there is mostly nothing
    return [{
        "x": x, "y": log10(y), "text": f"the plan: {chosen['low_units']} of {chosen['units']} units in {chosen['low_type'].upper()}",
        "xanchor": "left" if is_left else "right", "showarrow": True, "arrowhead": 0, "arrowwidth": 1, "arrowcolor": GREY, "standoff": 6,
        "ax": 26 if is_left else -26, "ay": 34, "font": {"size": 11},
    }]  # fmt: skip


CHART = Chart(
    chart,
    title="Error against time of the plan's choices",
    question="What does each choice of types take, what error has it, and where does the plan stand?",
    section="plan",
    place=1,
    follows=WHOLE,
    reads="plan_choices",
    views=("plan_choices", "plan_units"),
    reading="Further left is faster, further down more accurate; below the bound a choice holds. Filled points were measured, open ones are predicted. "
    "The grey line is what no choice undercuts by the model as the last check corrects it: the nearer the plan stands to where it meets the bound, the less is left to gain.",
    data={
        "x": "time of one inference in µs, measured where the engine was timed; where the plan knows no times, operations and bytes as a share [%] of FP32's",
        "y": "error of the worst output, or what its cosine lacks of 1; measured where it was",
        "customdata": "number of units in the reduced type; null for builds of a proof",
    },
    needs="A plan of [trtlens plan](../plan.md): a `plan.json`, or a run that was built with `--plan`, which keeps a copy of it.",
)

"""A fleet on one HTML page: the latencies of its series with their steps, and tables of steps, series and what is left out."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from trtlens.charts.drawing.style import BLUE, GREY, ORANGE, figure, log_axis, plain, with_title
from trtlens.errors import TrtlensError
from trtlens.fleet.questions import MACROS, QUESTIONS
from trtlens.output import shorten, shown_column, visible, worth_showing
from trtlens.report.chart_page import chart_page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa
    from plotly.graph_objects import Figure

    from trtlens.fleet.fleet import Fleet
    from trtlens.fleet.questions import Question

_MOST_SERIES = 24
_MOST_ROWS = 200
_MOST_BARS = 400
_SHOWN = ("regressions", "series", "region_steps", "left_out", "broken")
_POINTS = (
    "SELECT series, model, gpu, settings, tensorrt_version, run_id, when_s, latency_ms FROM timed_engines() "
    "WHERE left_out IS NULL ORDER BY series, when_s, run_id"
)
_STYLE = (
    "<style>body{font:14px system-ui,sans-serif;margin:24px;color-scheme:light dark}table{border-collapse:collapse;font-size:12px}"
    "td,th{text-align:left;padding:2px 10px;white-space:nowrap}div.rows{overflow-x:auto}tr:nth-child(even){background:#80808818}</style>"
)


def chart(question: str, rows: pa.Table) -> Figure:
    """The chart of a question's rows.

    Raises:
        TrtlensError: the question has none.

    """
    asked = QUESTIONS[question]
    if asked.chart is None:
        drawn = ", ".join(name for name, one in QUESTIONS.items() if one.chart)
        raise TrtlensError(f"there is no chart of {question}: choose one of {drawn}")
    _, across, up, colour = asked.chart
    shown = rows.slice(0, _MOST_BARS).to_pylist()
    bars = [
        _bars(group, [row for row in shown if colour is None or row[colour] == group], across, up)
        for group in dict.fromkeys(row[colour] if colour else None for row in shown)
    ]
    titles: dict[str, Any] = {
        f"{axis}axis": {"title": {"text": _axis(asked, column)}} for axis, column in (("x", across), ("y", up))
    }
    return with_title(figure(bars, barmode="group", showlegend=colour is not None, **titles), asked.text)


def _axis(asked: Question, column: str) -> str:
    unit = next(one.unit for one in asked.rows.columns if one.name == column)
    stem = column.removesuffix(f"_{unit}").removesuffix("_percent").replace("_", " ")
    return f"{stem} [{unit}]" if unit else stem


def _bars(group: Any, rows: Sequence[Mapping[str, Any]], across: str, up: str) -> go.Bar:
    known = ["<br>".join(plain(f"{name}: {value}") for name, value in row.items() if value is not None) for row in rows]
    labels = [_label(row[across]) for row in rows]
    return go.Bar(x=labels, y=[row[up] for row in rows], name=_label(group), hovertext=known, hoverinfo="text")


def _label(value: Any) -> str:
    return plain("unknown" if value is None else value)


def fleet_page(fleet: Fleet) -> str:
    """The page as HTML; needs no network.

    Raises:
        TrtlensError: DuckDB is not installed.

    """
    answers = {name: fleet.ask(name) for name in _SHOWN}
    page = chart_page(_series_chart(fleet, answers["regressions"].to_pylist()))
    counts = fleet.sql("SELECT count(*) AS runs, count(*) FILTER (status = 'broken') AS broken FROM runs").to_pylist()[
        0
    ]
    head = (
        f"{_STYLE}<h1>Fleet {html.escape(visible(fleet.place.root))}</h1><p>{counts['runs']:,} runs, {counts['broken']:,} of them broken; "
        f"{answers['series'].num_rows:,} series, {answers['regressions'].num_rows:,} steps</p>"
    )
    tables = "".join(_section(name, rows) for name, rows in answers.items())
    page = re.sub(r"<body>", lambda found: found[0] + head, page, count=1)
    return page.replace("</body>", f"{tables}</body>")


def _series_chart(fleet: Fleet, steps: Sequence[Mapping[str, Any]]) -> Figure:
    """The series with the largest steps, then the longest ones; the first run behind each step is marked."""
    points: dict[int, list[dict[str, Any]]] = {}
    for row in fleet.sql(MACROS + _POINTS).to_pylist():
        points.setdefault(row["series"], []).append(row)
    firsts = {row["first_run"]: row for row in steps}
    ranked = sorted(points.values(), key=lambda runs: (-max(map(_step_size(firsts), runs)), -len(runs)))
    lines = [_line(runs, firsts) for runs in ranked[:_MOST_SERIES]]
    drawn = figure(
        lines, height=560, xaxis={"title": {"text": "run, by its time stamps"}}, yaxis=log_axis("latency [ms]")
    )
    more = f" ({_MOST_SERIES} of {len(ranked):,} series)" if len(ranked) > _MOST_SERIES else ""
    return with_title(drawn, f"Latencies and their steps{more}")


def _line(runs: Sequence[Mapping[str, Any]], firsts: Mapping[str, Mapping[str, Any]]) -> go.Scatter:
    marks = [firsts.get(row["run_id"]) for row in runs]
    colours = [GREY if mark is None else ORANGE if mark["step_percent"] > 0 else BLUE for mark in marks]
    return go.Scatter(
        x=list(range(1, len(runs) + 1)), y=[row["latency_ms"] for row in runs], mode="lines+markers", line={"width": 1},
        name=plain(f"{runs[0]['model']}, {runs[0]['gpu']}"),
        marker={"size": [10 if mark else 4 for mark in marks], "color": colours},
        hovertext=[plain(f"{row['run_id']}, TensorRT {row['tensorrt_version']}") for row in runs],
    )  # fmt: skip


def _step_size(firsts: Mapping[str, Mapping[str, Any]]) -> Callable[[Mapping[str, Any]], float]:
    return lambda row: abs(firsts[row["run_id"]]["step_percent"]) if row["run_id"] in firsts else 0.0


def _section(name: str, rows: pa.Table) -> str:
    shown = rows.slice(0, _MOST_ROWS)
    places = range(shown.num_rows)
    columns = [shown_column(shown, column, places) for column in rows.column_names if worth_showing(column, shown)]
    heads = "".join(f"<th>{html.escape(column.heading)}</th>" for column in columns)
    cells = "".join(
        "<tr>" + "".join(f"<td>{html.escape(shorten(column.texts[place], 90))}</td>" for column in columns) + "</tr>"
        for place in places
    )
    more = f"<p>{rows.num_rows - _MOST_ROWS:,} more: trtlens fleet ask {name}</p>" if rows.num_rows > _MOST_ROWS else ""
    body = f'<div class="rows"><table><tr>{heads}</tr>{cells}</table></div>{more}' if rows.num_rows else "<p>none</p>"
    return f"<h2>{html.escape(QUESTIONS[name].text)}</h2>{body}"

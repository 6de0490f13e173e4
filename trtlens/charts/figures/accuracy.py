"""The error of each tensor along the network, with the precision of the layer that makes it below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import POINTS, Chart, MissingData
from trtlens.charts.drawing.style import (
    GREY,
    ORANGE,
    SYMBOLS,
    UNKNOWN,
    by_precision,
    colour,
    figure,
    fill,
    log_axis,
    plain,
)
from trtlens.views import VIEWS

if TYPE_CHECKING:
    import pyarrow as pa

_FLOOR = 1e-9
"""An error of 0 cannot be drawn on a logarithmic axis: it is drawn here, and the hover text gives the value."""


def chart(table: pa.Table) -> go.Figure:
    """Points of the view ``accuracy`` in execution order, the first bad tensor marked; customdata is the layer's index.

    Tensors without any error (copied constants, say) are left out, unless there are no others.

    Raises:
        MissingData: the table holds no compared tensor.

    """
    compared = [row for row in table.to_pylist() if row["error"] is not None]
    if not compared:
        raise MissingData(VIEWS["accuracy"].empty)
    rows = [row for row in compared if row["error"] > 0] or compared
    exact = f"; {len(compared) - len(rows)} without any error are left out" if len(rows) < len(compared) else ""
    x = list(range(len(rows)))
    values = [max(row["error"], _FLOOR) for row in rows]
    traces: list[Any] = [
        go.Scatter(
            x=x, y=values, mode="lines", line={"color": GREY, "width": 1}, showlegend=False, hoverinfo="skip",
            customdata=[row["layer_index"] for row in rows],
        )
    ]  # fmt: skip
    for precision in by_precision(row["precision"] or UNKNOWN for row in rows):
        here = [place for place, row in enumerate(rows) if (row["precision"] or UNKNOWN) == precision]
        texts = [_hover(rows[place]) for place in here]
        layers = [rows[place]["layer_index"] for place in here]
        traces.append(go.Scatter(
            x=here, y=[values[place] for place in here], mode="markers", name=precision, legendgroup=precision,
            marker={"color": colour(precision), "symbol": SYMBOLS.get(precision, "circle"), "size": 8,
                    "line": {"width": [_outline(rows[place])[0] for place in here], "color": [_outline(rows[place])[1] for place in here]}},
            customdata=layers, hovertext=texts, hovertemplate="%{hovertext}<extra></extra>",
        ))  # fmt: skip
        traces.append(go.Bar(
            x=here, y=[1] * len(here), yaxis="y2", width=1, marker=fill(precision), showlegend=False, legendgroup=precision,
            customdata=layers, hovertext=texts, hovertemplate="%{hovertext}<extra></extra>",
        ))  # fmt: skip
    first = next((place for place, row in enumerate(rows) if row["first_wrong"]), None)
    notes = [] if first is None else [_mark(first, rows[first])]
    return figure(
        traces, height=400, barmode="overlay", annotations=notes,
        xaxis={"title": {"text": f"compared tensors in execution order{exact}"}, "showgrid": False, "anchor": "y2",
               "range": [-0.5, len(rows) - 0.5]},
        yaxis=log_axis("error (noise over signal)", nticks=4, domain=[0.16, 1]),
        yaxis2={"domain": [0, 0.08], "showticklabels": False, "showgrid": False, "fixedrange": True},
        shapes=[] if first is None else [{"type": "line", "x0": first, "x1": first, "y0": 0, "y1": 1, "yref": "paper",
                                          "line": {"color": ORANGE, "width": 1.5, "dash": "dash"}}],
    )  # fmt: skip


def _outline(row: dict[str, Any]) -> tuple[float, str]:
    """Width and colour of a point's outline, which marks wrong and suspect tensors."""
    return (0.8, "rgba(90,100,110,0.8)") if row["verdict"] in (None, "ok") else (2.5, ORANGE)


def _mark(place: int, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "x": place, "y": 1, "yref": "paper", "yanchor": "top",
        "xshift": 6, "xanchor": "left", "showarrow": False,
        "text": f"first bad tensor: {plain(row['tensor'], 40)}", "font": {"color": ORANGE, "size": 12},
    }  # fmt: skip


def _hover(row: dict[str, Any]) -> str:
    parts = [f"<b>{plain(row['tensor'])}</b>", f"error {row['error']:.3g}, {row['verdict'] or 'no verdict'}"]
    parts += [f"from layer {plain(row['layer'])}, {row['precision'] or 'precision unknown'}"] if row["layer"] else []
    parts += [plain(row["cause"], 100)] if row["cause"] else []
    return "<br>".join(parts)


CHART = Chart(
    chart,
    title="Error along the network",
    question="Where does the result go wrong first?",
    section="accuracy",
    place=1,
    follows=POINTS,
    reads="accuracy",
    views=("accuracy",),
    reading="Each point is a compared tensor: higher is worse, and an orange outline means wrong or suspect. The strip below shows the precision of the layer that produces it.",
    data={
        "x": "place among the compared tensors that are drawn, in execution order",
        "y": "error, noise over signal, at least 1e-9; 1 in the strip of precisions",
        "customdata": "index of the layer that makes the tensor",
    },
    needs="Compared tensors: `trtlens dump`, then `trtlens accuracy REFERENCE DUMP --profile RUN --keep` ([the commands](../accuracy.md#who-is-blamed)). Tensors without any error, such as copied constants, are left out and counted under the axis.",
)

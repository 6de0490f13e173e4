"""Reformats as a flow from the format before them to the format after them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from trtlens.charts.drawing.chart import SUMS, Chart, MissingData
from trtlens.charts.drawing.style import colour, figure, plain
from trtlens.quantities import duration
from trtlens.views import VIEWS

if TYPE_CHECKING:
    import pyarrow as pa


def chart(table: pa.Table) -> go.Figure:
    """Flows of the view ``reformats``, as wide as their cost where all costs are known, else as their number.

    Raises:
        MissingData: the table has no rows.

    """
    rows = table.to_pylist()
    if not rows:
        raise MissingData(VIEWS["reformats"].empty)
    timed = all(row["cost_ms"] is not None for row in rows) and sum(row["cost_ms"] for row in rows) > 0
    flows: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        flows[_format(row["before"]), _format(row["after"]), row["cause"] or "cause unknown"].append(row)
    left = list(dict.fromkeys(key[0] for key in flows))
    right = list(dict.fromkeys(key[1] for key in flows))
    costs = {key: sum(row["cost_ms"] or 0.0 for row in members) for key, members in flows.items()}
    # A flow that costs nothing is still drawn, as a thin line: the engine has it.
    least = 0.002 * sum(costs.values())
    names = [*left, *right]
    counts = [sum(len(m) for k, m in flows.items() if k[0] == name) for name in left]
    counts += [sum(len(m) for k, m in flows.items() if k[1] == name) for name in right]
    trace = go.Sankey(
        arrangement="snap", valueformat=".4g", valuesuffix=" ms" if timed else "",
        node={
            "label": [f"{plain(name)} ({count})" for name, count in zip(names, counts, strict=True)],
            "color": [colour(name.split(" ", 1)[0]) for name in names], "pad": 18, "thickness": 14, "line": {"width": 0},
            "hovertemplate": "%{label}<extra></extra>",
        },
        link={
            "source": [left.index(key[0]) for key in flows], "target": [len(left) + right.index(key[1]) for key in flows],
            "value": [max(costs[key], least) if timed else len(members) for key, members in flows.items()],
            "label": [plain(f"{key[2]}: {len(m)}" + (f", {duration(costs[key])}" if timed else "")) for key, m in flows.items()],
            "color": "rgba(120,132,148,0.35)", "hovertemplate": "%{label}<extra></extra>",
        },
    )  # fmt: skip
    return figure(
        [trace], height=min(620, 180 + 34 * max(len(left), len(right))), margin={"l": 12, "r": 12, "t": 12, "b": 20}
    )


def _format(text: str | None) -> str:
    """Type and layout without dimensions."""
    return text.split("[", 1)[0].strip() if text else "unknown format"


CHART = Chart(
    chart,
    title="Reformats: from which format to which",
    question="Between which formats is data converted?",
    section="reformats",
    place=1,
    follows=SUMS,
    reads="reformats",
    views=("reformats",),
    reading="From the format before, on the left, to the format after, on the right; the width is the cost.",
    data={
        "link.source": "place of the format before among the node labels",
        "link.target": "place of the format after",
        "link.value": "cost in ms, or the number of reformats",
        "link.label": "cause with number and cost",
        "node.label": "format with the number of reformats",
    },
    needs="The engine's layers with the formats of their tensors. Widths are costs (measured, else the tuner's) where all are known, else numbers of reformats; a flow that costs nothing is drawn as a thin line.",
    narrow=True,
)

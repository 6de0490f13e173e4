"""One chart as a page of its own, which needs no network and sends nothing anywhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trtlens.report.policy import content_policy
from trtlens.runs.folders import GENERATOR

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
"""Plotly's own script and the figure's; in the figure's texts every < is an escape."""


def chart_page(figure: Figure) -> str:
    """The page as HTML, with Plotly in it and without the button that uploads a chart."""
    page = figure.to_html(
        include_plotlyjs=True, full_html=True, div_id="chart", config={"displaylogo": False, "showSendToCloud": False}
    )
    policy = content_policy(match[1] for match in _SCRIPT.finditer(page))
    head = (
        f'<head><meta name="generator" content="{GENERATOR}">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    )
    return page.replace("<head>", head, 1)

"""One chart as a page of its own, and the Content Security Policy of all our pages: the browser runs our scripts only."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

from trtlens.runs.folders import GENERATOR

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def content_policy(scripts: Iterable[str]) -> str:
    """A policy that names these scripts by their hashes and forbids every connection."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in scripts)
    return f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"

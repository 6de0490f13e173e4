"""A run as a notebook shows it: the report's first screen, without a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.report.overview import card, precision_styles
from trtlens.report.subject import read_subject

if TYPE_CHECKING:
    from trtlens.runs import Run

_STYLE = """
.trtlens .card{border:1px solid rgba(128,136,150,.4);border-radius:10px;padding:12px 16px;max-width:640px;font-size:13px}
.trtlens h3{margin:0}.trtlens h4{margin:10px 0 4px;font-size:12px;opacity:.75}
.trtlens .big{font-size:26px;font-weight:600;margin:4px 0 0}.trtlens .big small{font-size:14px;opacity:.7}
.trtlens .how{margin:0 0 6px;opacity:.75}.trtlens dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;margin:8px 0}
.trtlens dt{opacity:.75}.trtlens dd{margin:0;overflow-wrap:anywhere}.trtlens .bar{display:flex;height:20px;gap:1px;border-radius:5px;overflow:hidden}
.trtlens .bar span{flex:1 1 0;min-width:2px}.trtlens .keys{list-style:none;display:flex;flex-wrap:wrap;gap:2px 14px;padding:0;margin:4px 0}
.trtlens .keys i{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:5px}
.trtlens .unit-tensor{background:#2c7fb8}.trtlens .unit-cuda{background:#8a6fb0}
"""


def fragment(run: Run) -> str:
    """HTML of one run for a notebook's output: what it is, its latency, its time by precision and unit."""
    styles = "\n".join(f".trtlens {rule}" for rule in precision_styles().splitlines())
    return f'<div class="trtlens"><style>{_STYLE}{styles}</style>{card(read_subject(run), 0, None)}</div>'

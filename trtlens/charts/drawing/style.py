"""How charts look: colours and patterns of precisions, both themes, and names as text without markup."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import plotly.graph_objects as go

from trtlens.output import PRECISION_COLOURS, shorten, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_Item = TypeVar("_Item")
UNKNOWN = "unknown"
PRECISION_ORDER = ("fp32", "tf32", "fp16", "bf16", "fp8", "fp4", "int8", "int4", "int32", "int64", "bool", UNKNOWN)
PATTERNS = {
    "fp32": "/", "tf32": "\\", "fp16": "", "bf16": ".", "fp8": "-", "fp4": "+", "int8": "x", "int4": "|",
    "int32": ".", "int64": ".", "bool": ".", UNKNOWN: "",
}  # fmt: skip
"""A pattern for each precision, because some people cannot distinguish red, orange and green."""
SYMBOLS = {
    "fp32": "square", "tf32": "square-open", "fp16": "circle", "bf16": "circle-open", "fp8": "triangle-up",
    "fp4": "triangle-down", "int8": "diamond", "int4": "diamond-open", UNKNOWN: "x-thin-open",
}  # fmt: skip
INK_IN_BARS = "#000000"
"""Text on the colour of a precision: nothing else is read on all of them."""
GREY = "#8b95a3"
BLUE, ORANGE = "#3987d6", "#d97706"
"""Faster and slower, less and more: a pair of colours that everyone can distinguish."""

_LONGEST = 70
_FEW_INDICES = 12
_MARGIN_TOP, _TITLE_HEIGHT = 32, 32
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_NEUTRAL = (0x80, 0x80, 0x88)
_MUTED = 0.14


def colour(precision: str | None) -> str:
    """Engine explorer's colour of a precision, muted for large areas."""
    base = PRECISION_COLOURS.get(precision or "")
    if base is None:
        return GREY
    return _mixed(base, _NEUTRAL, _MUTED)


def _mixed(base: str, other: tuple[int, int, int], share: float) -> str:
    parts = (int(base[place : place + 2], 16) for place in (1, 3, 5))
    mixed = (round(part * (1 - share) + toward * share) for part, toward in zip(parts, other, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def fill(precision: str | None) -> dict[str, Any]:
    """The marker of a bar of a precision."""
    return {"color": colour(precision), "pattern": pattern(precision), "line": {"width": 0}}


def pattern(precision: str | None) -> dict[str, Any]:
    """The pattern of a precision, white lines over its colour."""
    return stripes(PATTERNS.get(precision or UNKNOWN, ""))


def stripes(shape: str | list[str]) -> dict[str, Any]:
    """White lines over a colour."""
    return {"shape": shape, "fgcolor": "rgba(255,255,255,0.6)", "size": 6, "solidity": 0.22, "fillmode": "overlay"}


def fills(precisions: Iterable[str], depths: Iterable[int]) -> dict[str, Any]:
    """Markers of nested areas in one trace: the deeper, the lighter; only the outermost carry their pattern."""
    listed = list(zip(precisions, depths, strict=True))
    shapes = [PATTERNS.get(one, "") if not depth else "" for one, depth in listed]
    return {
        "colors": [_mixed(colour(one), (255, 255, 255), 0.24 * depth) for one, depth in listed],
        "pattern": {**stripes(shapes), "size": 7, "solidity": 0.14}, "line": {"color": "rgba(255,255,255,0.85)", "width": 1},
    }  # fmt: skip


def by_precision(precisions: Iterable[str]) -> list[str]:
    """Distinct precisions in the order of legends."""
    known = dict.fromkeys(precisions)
    return sorted(known, key=lambda one: (PRECISION_ORDER.index(one) if one in PRECISION_ORDER else 99, one))


def of_precisions(items: Iterable[_Item], precision_of: Callable[[_Item], str | None]) -> dict[str, list[_Item]]:
    """Items by precision, in the order of legends."""
    groups: dict[str, list[_Item]] = defaultdict(list)
    for item in items:
        groups[precision_of(item) or UNKNOWN].append(item)
    return {precision: groups[precision] for precision in by_precision(groups)}


def plain(text: object, width: int = _LONGEST) -> str:
    """A name as Plotly shows it letter by letter: it reads tags and entities in any text that it draws."""
    shown = shorten(visible(str(text)), width)
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def log_axis(title: str, **more: Any) -> dict[str, Any]:
    """A logarithmic axis with few ticks, each written out: Plotly leaves all but one digit off between the powers of ten."""
    return {"title": {"text": title}, "type": "log", "tickformat": "~g", "nticks": 5, **more}


def index_axis(title: str, indices: Sequence[int], **more: Any) -> dict[str, Any]:
    """An axis of layers by their index: whole numbers alone, from the first to the last."""
    low, high = min(indices), max(indices)
    few = {"dtick": 1} if high - low < _FEW_INDICES else {}
    return {"title": {"text": title}, "showgrid": False, "range": [low - 1, high + 1], **few, **more}


def figure(traces: Iterable[Any], *, height: int = 380, **layout: Any) -> go.Figure:
    """A figure without a theme: the report gives it the reader's, and `themed` the light one."""
    return go.Figure(list(traces), {"template": "none", "height": height, **layout})


def themed(drawn: go.Figure) -> go.Figure:
    """The figure in the light theme, for where no page gives it the reader's."""
    return drawn.update_layout(template=_light())


@cache
def _light() -> go.layout.Template:
    return go.layout.Template(THEMES["light"])


def with_title(drawn: go.Figure, title: str) -> go.Figure:
    """The figure in the light theme with a title above it, for where no page gives it either; a title that it has already follows."""
    layout = drawn.layout
    own = layout.title.text
    above = _MARGIN_TOP if layout.margin.t is None else layout.margin.t
    return themed(drawn).update_layout(
        title={"text": plain(title, 120) + (f": {own}" if own else ""), "font": {"size": 15}, "x": 0, "xref": "container",
               "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 10, "l": 12}},
        margin={"t": above + _TITLE_HEIGHT}, height=layout.height + _TITLE_HEIGHT,
    )  # fmt: skip


def _theme(ink: str, faint: str, line: str, paper: str) -> dict[str, Any]:
    axis = {
        "gridcolor": line, "zerolinecolor": line, "linecolor": faint, "tickcolor": "rgba(0,0,0,0)", "automargin": True, "ticks": "outside",
        "ticklen": 5,
        "title": {"font": {"size": 12, "color": faint}, "standoff": 8}, "tickfont": {"size": 11, "color": faint},
    }  # fmt: skip
    layout = {
        "font": {"family": _FONT, "size": 12, "color": ink}, "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)", "margin": {"l": 56, "r": 16, "t": _MARGIN_TOP, "b": 44}, "xaxis": axis, "yaxis": axis,
        "hoverlabel": {"font": {"family": _FONT, "size": 12, "color": ink}, "bgcolor": paper, "bordercolor": faint, "align": "left"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": line, "activecolor": faint},
        "legend": {"traceorder": "normal", "orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "xanchor": "left", "font": {"size": 12}},
        "colorway": [BLUE, ORANGE, "#7c5cad", "#2a9d8f", "#b5523b", "#5c7a8a"], "hovermode": "closest", "bargap": 0.12,
        "annotationdefaults": {"font": {"size": 11, "color": ink}, "arrowcolor": faint},
    }  # fmt: skip
    return {"layout": layout}


THEMES = {
    "light": _theme("#1c2430", "#5b6675", "#e3e7ed", "#ffffff"),
    "dark": _theme("#e6eaf0", "#9aa6b5", "#2b3441", "#171d26"),
}
"""Plotly templates by theme, not checked yet: that takes Plotly longer than drawing most figures."""

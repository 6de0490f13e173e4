"""The engine's graph as an SVG that needs nothing else, in the page's layout; hovering over a node tells the whole name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.charts.drawing.style import UNKNOWN, by_precision, colour
from trtlens.engine.flow import IDLE, LAYER, REFORMAT
from trtlens.output import shorten
from trtlens.report.engine_picture import engine_picture, form_text
from trtlens.report.markup import text
from trtlens.runs.folders import GENERATOR

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trtlens.report.engine_picture import EnginePicture
    from trtlens.report.layered_layout import Point
    from trtlens.runs.run import Run

_MARGIN, _LEGEND = 24.0, 30.0
_CHARACTER = 7.0
_RADIUS = 7.0
_STYLE = (
    "text{font:600 12px system-ui,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;fill:#1c2430}"
    ".d{font-weight:400;font-size:10.5px}.e{fill:none;stroke:#8793a3;stroke-width:1.3}"
    ".reformat rect{fill:#1c2430}.reformat text{fill:#fff}.idle rect,.input rect,.output rect{fill:#fff;stroke:#5b6675}"
    ".idle rect{stroke-dasharray:3 2}"
)


def graph_svg(run: Run, build: int | None) -> str:
    """The picture of one build's engine, in the light theme.

    Raises:
        TrtlensError: the run lists no engine layers, or these without tensors.

    """
    picture = engine_picture(run, build)
    top = min((y for route in picture.layout.routes for _, y in route), default=0.0)
    width = max(picture.layout.width, 400.0) + 2 * _MARGIN
    height = picture.layout.height - min(top, 0.0) + 2 * _MARGIN + _LEGEND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" data-generator="{GENERATOR}" viewBox="{-_MARGIN:g} {min(top, 0) - _MARGIN - _LEGEND:g} {width:g} {height:g}">',
        f"<style>{_STYLE}</style>",
        f'<rect x="{-_MARGIN:g}" y="{min(top, 0) - _MARGIN - _LEGEND:g}" width="{width:g}" height="{height:g}" fill="#fff"/>',
        *_legend(picture, min(top, 0.0) - _LEGEND),
        *_edges(picture), *_nodes(picture), "</svg>\n",
    ]  # fmt: skip
    return "\n".join(parts)


def _legend(picture: EnginePicture, y: float) -> Iterator[str]:
    x = 0.0
    used = by_precision(
        one.precision for one, node in zip(picture.shown, picture.flow.nodes, strict=True) if node.kind == LAYER
    )
    for name in (*used, "reformat"):
        ink = "#1c2430" if name == REFORMAT else colour(None if name == UNKNOWN else name)
        yield f'<rect x="{x:g}" y="{y:g}" width="12" height="12" rx="3" fill="{ink}"/><text x="{x + 18:g}" y="{y + 10:g}">{text(name)}</text>'
        x += 44 + _CHARACTER * len(name)


def _edges(picture: EnginePicture) -> Iterator[str]:
    for edge, route in zip(picture.flow.edges, picture.layout.routes, strict=True):
        yield f'<path class="e" d="{route_path(route)}"><title>{text(edge.tensor.name)}: {text(form_text(edge))}</title></path>'


def route_path(route: Sequence[Point]) -> str:
    """A curve through the corners: level and plumb stretches with round corners, slanted ones as an S."""
    (x, y), parts = route[0], []
    parts.append(f"M{x:.0f} {y:.0f}")
    for number, (to_x, to_y) in enumerate(route[1:], 1):
        after = route[number + 1] if number + 1 < len(route) else None
        if x != to_x and y != to_y:
            middle = (y + to_y) / 2
            parts.append(f"C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y:.0f}")
        elif after is not None and (after[0] == to_x) != (x == to_x) and (after[1] == to_y) != (y == to_y):
            parts.append(_corner((x, y), (to_x, to_y), after))
        else:
            parts.append(f"L{to_x:.0f} {to_y:.0f}")
        x, y = to_x, to_y
    return "".join(parts)


def _corner(before: Point, corner: Point, after: Point) -> str:
    """To shortly before the corner, and round it."""
    (x, y), enter, leave = corner, _toward(corner, before), _toward(corner, after)
    return f"L{enter[0]:.0f} {enter[1]:.0f}Q{x:.0f} {y:.0f} {leave[0]:.0f} {leave[1]:.0f}"


def _toward(corner: Point, other: Point) -> Point:
    length = abs(corner[0] - other[0]) + abs(corner[1] - other[1])
    share = min(_RADIUS, length / 2) / length if length else 0.0
    return corner[0] + share * (other[0] - corner[0]), corner[1] + share * (other[1] - corner[1])


def _nodes(picture: EnginePicture) -> Iterator[str]:
    for node, shown, (x, y) in zip(picture.flow.nodes, picture.shown, picture.layout.centres, strict=True):
        wide, high = shown.box.width, shown.box.height
        ink = colour(None if shown.precision == UNKNOWN else shown.precision)
        left, top = x - wide / 2, y - high / 2
        fit = int((wide - 22) / _CHARACTER)
        body = f'<rect x="{left:.1f}" y="{top:.1f}" width="{wide:g}" height="{high:g}" rx="{4 if node.kind == LAYER else 9}"'
        if node.kind == LAYER:
            body += f' fill="{ink}" fill-opacity=".18" stroke="{ink}"/><rect x="{left:.1f}" y="{top:.1f}" width="6" height="{high:g}" fill="{ink}"/>'
            body += f'<text x="{left + 14:.1f}" y="{top + 16:.1f}">{text(shorten(shown.label, fit))}</text>'
            body += (
                f'<text class="d" x="{left + 14:.1f}" y="{top + 31:.1f}">{text(shorten(shown.detail, fit + 5))}</text>'
            )
        else:
            said = f"{shown.label} · {shown.detail}" if node.kind == REFORMAT and shown.detail else shown.label
            body += (
                f'/><text class="d" text-anchor="middle" x="{x:.1f}" y="{y + 4:.1f}">{text(shorten(said, fit))}</text>'
            )
        yield f'<g class="{node.kind if node.kind != IDLE else "idle"}"><title>{text(node.name)}\n{text(shown.detail)}</title>{body}</g>'

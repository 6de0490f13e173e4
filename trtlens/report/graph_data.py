"""The engine's graph and the paths of its layers' names as the page's script reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.charts.drawing.style import UNKNOWN
from trtlens.engine.clocks import clock_name
from trtlens.engine.name_paths import layer_paths
from trtlens.errors import TrtlensError
from trtlens.output import visible
from trtlens.report.engine_picture import engine_picture, form_text, kernel_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trtlens.engine.flow import FlowNode
    from trtlens.report.layered_layout import Layout
    from trtlens.report.subject import Subject

_MOST_KERNELS = 200
"""Kernels of one layer on the page."""


def graph_data(subject: Subject) -> dict[str, Any]:
    """Nodes by column of what is known of them, edges with their corners, and the kernels of the layers that launch several."""
    try:
        picture = engine_picture(subject.run, subject.build)
    except TrtlensError as missing:
        return {"missing": visible(str(missing))}
    flow, shown = picture.flow, picture.shown
    layers = [node.layer for node in flow.nodes]
    return {
        "kinds": _coded(node.kind for node in flow.nodes), "indices": [-1 if one is None else one.index for one in layers],
        "labels": _coded(one.label for one in shown), "details": _coded(one.detail for one in shown),
        "precisions": _coded(one.precision for one in shown), "names": _coded(visible(node.name) for node in flow.nodes),
        "paths": _coded(path_text(one.path) for one in shown), "times": [_seven(node.time_ms) for node in flow.nodes],
        "w": [one.box.width for one in shown], "h": [one.box.height for one in shown],
        "edges": [[edge.source, edge.target] for edge in flow.edges], "forms": _coded(map(form_text, flow.edges)),
        "layouts": {"wide": _layout(picture.layout), "tall": _layout(picture.tall)},
        "kernels": {str(place): _kernels(node) for place, node in enumerate(flow.nodes) if len(node.kernels) > 1},
        "folded": flow.folded, "apart": flow.apart, "clock": clock_name(flow.time_source) if flow.time_source else None,
    }  # fmt: skip


def _layout(layout: Layout) -> dict[str, Any]:
    return {
        "x": [round(x) for x, _ in layout.centres], "y": [round(y, 1) for _, y in layout.centres], "columns": layout.columns,
        "lefts": [round(one) for one in layout.lefts], "size": [round(layout.width), round(layout.height)],
        "routes": [[round(part) for point in route for part in point] for route in layout.routes],
    }  # fmt: skip


def path_text(path: Iterable[str]) -> str:
    """A path as the page's address says it."""
    return "/".join(map(visible, path))


def paths_data(subject: Subject) -> dict[str, str]:
    """The path of each layer by its index; empty for a run without engine layers."""
    paths = {} if subject.build is None else layer_paths(subject.run, subject.build)
    return {str(index): path_text(one.path) for index, one in paths.items()}


def _kernels(node: FlowNode) -> list[list[Any]]:
    return [
        [kernel_text(one), _seven(one.median_ms), one.decoded.precision if one.decoded and one.decoded.precision else UNKNOWN]
        for one in node.kernels[:_MOST_KERNELS]
    ]  # fmt: skip


def _coded(texts: Iterable[str]) -> dict[str, list[Any]]:
    """Texts once each, and for each place its text's number."""
    numbers: dict[str, int] = {}
    places = [numbers.setdefault(one, len(numbers)) for one in texts]
    return {"texts": list(numbers), "places": places}


def _seven(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.7g}")

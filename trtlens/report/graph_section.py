"""The part of the page that holds the engine's graph: its canvas, what can be asked of it, and where its answers stand."""

from __future__ import annotations

_HOW = (
    "Engine graph. Arrow keys go along the tensors, Enter opens the layer, plus and minus zoom, 0 shows all, n shows neighbours, "
    "p a path to another layer, the space bar the kernels of a region"
)
_BUTTONS = (
    ("near", "Neighbours", "Show only the selected layer, what feeds it and what reads it (key n)"),
    ("path", "Path to …", "Show what lies between the selected layer and the next one that you choose (key p)"),
    (
        "kernels",
        "Kernels",
        "Open the selected region into its traced kernels, or close it (space bar, or a double click)",
    ),
)
_ZOOM = (
    ("out", "\N{MINUS SIGN}", "Zoom out (key -)"),
    ("in", "+", "Zoom in (key +)"),
    ("fit", "Fit", "Show the whole engine (key 0)"),
)


def graph_section() -> str:
    """The skeleton; the page's script fills it."""
    asked = "".join(_button(*one, pressed=one[0] != "kernels") for one in _BUTTONS)
    zoom = "".join(_button(*one) for one in _ZOOM)
    return (
        '<section id="graph"><h2><a href="#graph">Engine graph</a><span class="which"></span></h2>'
        '<div class="block" id="engine-graph"><p class="missing" data-part="missing"></p><div data-part="told"></div><div class="tools">'
        '<input type="search" data-part="search" placeholder="Search layers" aria-label="Search the graph: Enter goes to the next">'
        '<span class="count" data-part="count" aria-live="polite"></span>'
        '<label>only from <input type="number" data-part="least" min="0" max="100" step="0.5" value="0"> % of the time</label>'
        f'{asked}<span class="fill"></span>{zoom}</div>'
        f'<div class="canvas"><canvas data-part="canvas" tabindex="0" role="application" aria-label="{_HOW}"></canvas>'
        '<div class="hover" data-part="hover" hidden></div></div>'
        '<p class="how" data-part="say" aria-live="polite">Drag to move; Ctrl and the wheel zoom (the wheel alone after a click); a click opens a layer.</p>'
        '<ul class="keys" data-part="keys"></ul></div></section>'
    )


def _button(name: str, label: str, title: str, *, pressed: bool = False) -> str:
    state = ' aria-pressed="false"' if pressed else ""
    return f'<button type="button" class="quiet" data-part="{name}" title="{title}"{state}>{label}</button>'

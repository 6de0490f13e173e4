"""The part of the page that shows where in the model time, memory and error lie, and narrows the page to a part."""

from __future__ import annotations


def parts_section() -> str:
    """The skeleton; the page's script fills it."""
    return (
        '<section id="model"><h2><a href="#model">Parts of the model</a><span class="which"></span></h2>'
        '<div class="block" id="model-parts"><p class="question">Which parts of the model cost what, by the names of its ONNX nodes? '
        "A click on a part narrows all tables, charts and the graph to it; on a layer it opens its panel.</p>"
        '<div class="tools"><span data-part="measures" class="picks" role="group" aria-label="Measure"></span><span class="fill"></span>'
        '<span data-part="crumbs" class="picks" role="group" aria-label="Part that is shown"></span></div>'
        '<div data-part="icicle" class="icicle" role="group" aria-label="Parts of the model: arrow keys move, Enter opens"></div>'
        '<p class="how" data-part="say" aria-live="polite"></p></div></section>'
    )

"""What charts look like in a browser: something is drawn, no two texts overlap, none is cut, all can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.report.test_public_figures import drawn
from trtlens.charts import CHARTS
from trtlens.charts.drawing.style import INK_IN_BARS, PRECISION_ORDER, THEMES, colour

if TYPE_CHECKING:
    from pathlib import Path

_MARKS = ".points path, .point path, path.point, .js-line, .sankey-link, text.textpoint"
_LOOK = f"""
const texts = (plot) => [...plot.querySelectorAll('svg text')].filter((one) => one.textContent.trim() && !one.closest('.modebar')
  && one.checkVisibility({{checkOpacity: true, checkVisibilityCSS: true}})).map((one) => [one.textContent, one.getBoundingClientRect()]).filter(([, box]) => box.width);
const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
return Object.fromEntries([...document.querySelectorAll('.js-plotly-plot')].map((plot) => {{
  const all = texts(plot), frame = plot.getBoundingClientRect();
  const overlaps = all.flatMap(([a, p], n) => all.slice(n + 1).filter(([, q]) => meet(p, q)).map(([b]) => `${{a}} | ${{b}}`));
  const cut = all.filter(([, box]) => box.right > frame.right + 1 || box.left < frame.left - 1 || box.bottom > frame.bottom + 1).map(([text]) => text);
  return [plot.id, {{ marks: plot.querySelectorAll({_MARKS!r}).length, texts: all.length, overlaps, cut }}];
}}));
"""
_LEAST_CONTRAST = 4.5
_PAPERS = {"light": ("#ffffff",), "dark": ("#171d26",)}


def test_no_picture_is_blank_and_no_texts_overlap(browser: Any, tmp_path: Path) -> None:
    """All charts in one page, each 1,000 pixels wide, as the report draws them at a desk."""
    figures = {name: drawn(name) for name in CHARTS}
    parts = [
        figure.to_html(full_html=False, include_plotlyjs=place == 0, div_id=name, default_width="1000px")
        for place, (name, figure) in enumerate(figures.items())
    ]
    (tmp_path / "charts.html").write_text(f"<!DOCTYPE html><meta charset=utf-8>{''.join(parts)}", "utf-8")
    browser.get((tmp_path / "charts.html").as_uri())
    found = browser.execute_script(_LOOK)
    assert set(found) == set(CHARTS)
    for name, look in found.items():
        assert look["marks"] > 0, name
        assert look["texts"] > 3, name
        assert (look["overlaps"], look["cut"]) == ([], []), name


def _luminance(ink: str) -> float:
    parts = [int(ink[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast of two colours by WCAG 2: from 1 to 21."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_texts_of_charts_have_enough_contrast(theme: str) -> None:
    """Names, numbers at the axes and legends against the page, in both themes: 4.5 to 1 as WCAG's level AA asks."""
    layout = THEMES[theme]["layout"]
    axis = layout["xaxis"]
    for ink in (layout["font"]["color"], axis["tickfont"]["color"], axis["title"]["font"]["color"]):
        assert min(contrast(ink, paper) for paper in _PAPERS[theme]) >= _LEAST_CONTRAST, ink


def test_texts_in_bars_have_enough_contrast() -> None:
    """They stand on the colour of a precision, which is the same in both themes."""
    shares = {name: contrast(INK_IN_BARS, colour(None if name == "unknown" else name)) for name in PRECISION_ORDER}
    assert {name for name, found in shares.items() if found < _LEAST_CONTRAST} == set()

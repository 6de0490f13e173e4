"""Charts on their own: what they draw of a captured run, and that names in them stay text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import docs_program
from tests.doubles.made_runs import MadeRun
from tests.golden.inputs import opened
from tests.report.hostile_run import hostile_run
from tests.report.large_runs import captured
from trtlens import charts
from trtlens.charts import CHARTS, MissingData, chart_of_view, charts_of_run
from trtlens.charts.drawing.style import PATTERNS, SYMBOLS, THEMES, colour, plain, with_title
from trtlens.charts.figures import regions, waterfall
from trtlens.comparison import compare_runs
from trtlens.engine.times import layers_with_times
from trtlens.output import PRECISION_COLOURS
from trtlens.views import VIEWS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", sorted(chart.name for chart in charts_of_run()))
def test_a_chart_of_nothing_says_what_is_missing(name: str) -> None:
    """No chart draws an empty figure."""
    with pytest.raises(MissingData, match=r"log|profile|trtlens"):
        CHARTS[name].draw(MadeRun([]).run())


@pytest.mark.parametrize("name", sorted(CHARTS))
def test_every_chart_has_its_picture(name: str) -> None:
    """The page of a chart shows a picture that is there."""
    assert (DOCS / "images" / f"{name}.webp").is_file(), "run python docs/make_pictures.py"


def test_pages_of_charts_follow_their_declarations() -> None:
    """docs/charts is up to date: no page is missing, stale, or of a chart that is gone."""
    module = docs_program("make_charts")
    written = {path.name: path.read_text("utf-8") for path in (DOCS / "charts").glob("*.md")}
    assert module.pages() == written, "run python docs/make_charts.py"


def test_charts_of_a_section_stand_in_an_order_of_their_own() -> None:
    """No two charts of a section claim the same place, so their order is no accident."""
    places = [(chart.section, chart.place) for chart in CHARTS.values()]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("name", sorted(chart.name for chart in charts_of_run()))
def test_names_in_charts_are_text(name: str) -> None:
    """Plotly reads tags in texts: none that stands in a name reaches it, nor does a control character."""
    try:
        figure = CHARTS[name].draw(hostile_run())
    except MissingData:
        assert name in {"roofline", "bound", "reformat_flow", "reformat_costs", "kernel_timeline", "memory", "plan"}
        return
    figure.for_each_trace(lambda trace: trace.update(customdata=None))  # no text: what a pick is about
    text = json.dumps(figure.to_plotly_json(), ensure_ascii=False, default=str)
    for tag in ("<script", "<img", "<a ", "<b>bold", "\u202e", "\\u001e", "\\u0000"):
        assert tag not in text


def test_the_bars_of_the_timeline_add_up_to_the_layers() -> None:
    """Heights are the layers' times, each once, in the order of execution, with the layer's index behind each."""
    run = captured()
    bars = [trace for trace in CHARTS["timeline"].draw(run).data if trace.type == "bar"]
    layers = layers_with_times(run)
    assert sum(sum(bar.y) for bar in bars) == pytest.approx(1000 * layers["time_ms"].sum(), rel=1e-4)
    points = sorted((x, index) for bar in bars for x, index in zip(bar.x, bar.customdata, strict=True))
    assert [index for _, index in points] == sorted(index for _, index in points)


@pytest.mark.parametrize("name", ["layer_types", "kernels"])
def test_bars_of_groups_add_up(name: str) -> None:
    """They hold the time of all layers, the largest first, and the last one's cumulative share is all of it."""
    *bars, texts = CHARTS[name].draw(captured()).data
    total = 1000 * layers_with_times(captured())["time_ms"].sum()
    assert sum(sum(bar.x) for bar in bars) == pytest.approx(total, rel=1e-5)
    assert list(texts.x) == sorted(texts.x, reverse=True)
    assert sum(texts.x) == pytest.approx(total, rel=1e-5)
    assert texts.text[-1].endswith("Σ 100 %")


def test_the_waterfall_ends_at_the_other_run() -> None:
    """Start and steps add up to the last bar, within what is told as not aligned."""
    comparison = compare_runs([captured("resnet50-fp16"), captured("resnet50-int8")])
    (trace,) = waterfall.chart(comparison, 1).data
    assert sum(trace.y[:-1]) == pytest.approx(trace.y[-1], rel=0.003)
    bars = regions.chart(comparison, 1).data
    assert sum(len(bar.x) for bar in bars) == len(comparison.rows)


def test_precisions_are_told_apart_without_colour() -> None:
    """Each floating precision has its own pattern in bars and its own symbol in points."""
    floating = ("fp32", "tf32", "fp16", "bf16", "fp8", "fp4", "int8", "int4")
    assert len({PATTERNS[name] for name in floating}) == len(floating)
    assert len({SYMBOLS[name] for name in floating}) == len(floating)
    assert set(PRECISION_COLOURS) <= set(PATTERNS)
    assert colour("fp9000") == colour(None)


def test_a_figure_that_leaves_has_the_light_theme() -> None:
    """A chart as a function, or with a title, has the theme; the page's figures have none: it gives them the reader's."""
    theme = THEMES["light"]["layout"]
    run = opened("small-build")
    assert theme["colorway"]
    drawn = CHARTS["memory"].draw_from(run)
    assert drawn.layout.template.layout.to_plotly_json() == {}
    for figure in (with_title(drawn, "Memory"), charts.memory(run)):
        assert figure.layout.template.layout.to_plotly_json() == theme


def test_plain_text_is_short_and_harmless() -> None:
    """Tags and entities are escaped after cutting, so that no escape is cut in two."""
    assert plain("<b>&amp;</b>") == "&lt;b&gt;&amp;amp;&lt;/b&gt;"
    assert len(plain("<" * 5000)) <= 70 * 4 + 1


def test_views_name_charts_that_exist() -> None:
    """Each view that a chart names exists, the table of candidates aside, and has one chart."""
    for chart in CHARTS.values():
        for view in chart.views:
            assert view in VIEWS or view == "candidates"
            assert chart_of_view(view) is chart
    assert chart_of_view("fusions") is None

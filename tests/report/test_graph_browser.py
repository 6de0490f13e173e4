"""The engine's graph in a real browser: it is drawn, a click and keys reach each layer, and its questions are answered."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING

import pytest

from tests.report.hostile_run import hostile_run
from tests.report.large_runs import captured
from trtlens.charts import CHARTS
from trtlens.charts.drawing.chart import COMPARISON, WHOLE
from trtlens.engine.flow import LAYER, REFORMAT
from trtlens.engine.name_paths import layer_paths
from trtlens.engine.times import layer_times
from trtlens.quantities import byte_size, duration, percent
from trtlens.report import read_subject
from trtlens.report.encoding import encode_figure
from trtlens.report.engine_picture import engine_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.report.pages import Page, Pages
    from trtlens.report.engine_picture import EnginePicture

_GRAPH = "document.getElementById('engine-graph')"
_CANVAS = f"{_GRAPH}.querySelector('canvas')"
_HOME, _DOWN, _RIGHT, _ENTER = "\ue011", "\ue015", "\ue014", "\ue007"
_COLOURS = (
    """
(() => { const c = CANVAS, p = c.getContext("2d").getImageData(0, 0, c.width, c.height).data, seen = new Map();
for (let n = 0; n < p.length; n += 4) { const k = p[n] << 16 | p[n + 1] << 8 | p[n + 2]; seen.set(k, (seen.get(k) || 0) + 1); }
return Math.max(...seen.values()) / (c.width * c.height); })()
""".replace("CANVAS", _CANVAS)
    .replace("\n", " ")
    .strip()
)
_FOLLOWING = """
(() => { const all = [...document.querySelectorAll("[data-chart]:not([hidden])")];
const of = (give) => Object.fromEntries(all.map((one) => [one.dataset.chart, give(one)]));
const values = (one) => one.x || one.y || one.link ? [one.x ?? null, one.y ?? null, one.link ? one.link.value : null] : null;
return [of((one) => one.querySelector(".question").dataset.whole || ""), of((one) => (one.querySelector(".plot").data || []).map(values))]; })()
""".replace("\n", " ").strip()
"""What each chart says of the whole engine, and the values that it shows."""


@pytest.fixture
def shown(pages: Pages) -> Callable[[str], Page]:
    """Gives a page at its graph, drawn."""

    def give(name: str) -> Page:
        page = pages(name)
        page.run(f"{_GRAPH}.scrollIntoView()")
        page.until(f"{_GRAPH}.dataset.state === 'drawn' && Number({_CANVAS}.dataset.shown) > 0")
        return page

    return give


@pytest.fixture(scope="module")
def picture() -> EnginePicture:
    """The graph of the first of the two captured runs."""
    return engine_picture(captured(), 1)


def _said(page: Page) -> str:
    return str(page.run(f"{_GRAPH}.querySelector('[data-part=say]').textContent"))


def _at(page: Page) -> tuple[int, int, int]:
    """The node under the cursor and its place on the canvas, as the frame shows that the last key asked for."""
    page.browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    node, x, y = map(int, page.run(f"{_CANVAS}.dataset.at").split())
    return node, x, y


def _press(page: Page, keys: str) -> None:
    page.browser.find_element("css selector", "#engine-graph canvas").send_keys(keys)


def _ask(page: Page, part: str) -> None:
    page.run(f"{_GRAPH}.querySelector('[data-part={part}]').click()")


def test_the_graph_is_drawn_and_a_click_opens_the_layer(shown: Callable[[str], Page], picture: EnginePicture) -> None:
    """The canvas shows more than its ground, every node of the engine, and a click on one opens the panel of its layer."""
    from selenium.webdriver import ActionChains

    page = shown("two")
    assert page.run(f"{_CANVAS}.dataset.shown") == str(len(picture.flow.nodes))
    assert 0.2 < page.run(_COLOURS) < 0.95
    layers, reformats = (sum(node.kind == kind for node in picture.flow.nodes) for kind in (LAYER, REFORMAT))
    told = page.run(f"{_GRAPH}.querySelector('[data-part=told]').textContent")
    assert told.startswith(f"{layers} layers, {reformats} reformats (")
    _press(page, _HOME + 3 * _DOWN)
    place, x, y = _at(page)
    node = picture.flow.nodes[place]
    canvas = page.browser.find_element("css selector", "#engine-graph canvas")
    middle = page.run(f"[{_CANVAS}.clientWidth / 2, {_CANVAS}.clientHeight / 2]")
    offset = (x - int(middle[0]), y - int(middle[1]))
    ActionChains(page.browser, duration=0).move_to_element_with_offset(canvas, *offset).click().perform()
    page.until("!document.getElementById('panel').hidden")
    assert page.run("document.querySelector('#panel h2').textContent") == node.name
    assert node.layer is not None
    assert page.run("location.hash").startswith(f"#layer-0-{node.layer.index}")
    assert page.errors() == []


def test_keys_go_along_the_tensors(shown: Callable[[str], Page], picture: EnginePicture) -> None:
    """Down goes to a reader, Enter opens the layer, and each step is said."""
    page = shown("two")
    _press(page, _HOME)
    assert _said(page).startswith("data: input, input, 0 inputs, 1 reader")
    _press(page, _DOWN + _DOWN)
    place = _at(page)[0]
    assert _said(page).startswith(f"{picture.flow.nodes[place].name}: layer, {picture.shown[place].detail}, ")
    assert "/conv1/Conv" in picture.flow.nodes[place].name
    _press(page, _ENTER)
    page.until("!document.getElementById('panel').hidden")
    assert page.run("document.querySelector('#panel h2').textContent") == picture.flow.nodes[place].name


def test_what_lies_between_two_layers_and_what_is_near(shown: Callable[[str], Page], picture: EnginePicture) -> None:
    """A path holds every node on a way between both ends, with their time; neighbours and what is found are counted."""
    page = shown("two")
    _press(page, _HOME + 2 * _DOWN)
    start = _at(page)[0]
    edges = [(edge.source, edge.target) for edge in picture.flow.edges]
    _ask(page, "near")
    near = {one for edge in edges for one in edge if start in edge} - {start}
    assert _said(page) == f"{len(near)} neighbours of {picture.flow.nodes[start].name}."
    _ask(page, "near")
    _ask(page, "path")
    assert "choose the other end" in _said(page)
    search = page.browser.find_element("css selector", "#engine-graph input[type=search]")
    search.send_keys("layer1.0/conv2/conv +" + _ENTER)
    end = _at(page)[0]
    _press(page, _ENTER)
    between = _reached(start, edges) & _reached(end, [(target, source) for source, target in edges])
    time_ms = fsum(picture.flow.nodes[place].time_ms or 0.0 for place in between)
    assert len(between) > 3
    assert _said(page).startswith(f"Between both: {len(between)} nodes, {duration(time_ms)}, ")
    assert page.run(f"{_GRAPH}.querySelector('[data-part=count]').textContent") == "1 of 1"
    _ask(page, "path")
    emptied = "(e => { e.value = ''; e.dispatchEvent(new Event('input')); })"
    page.run(f"{emptied}({_GRAPH}.querySelector('[data-part=search]'))")
    assert page.errors() == []


def _reached(start: int, edges: list[tuple[int, int]]) -> set[int]:
    found, before = {start}, set[int]()
    while found != before:
        before = set(found)
        found |= {target for source, target in edges if source in found}
    return found


def test_a_part_of_the_model_narrows_the_page(shown: Callable[[str], Page]) -> None:
    """A part's cell tells its layers' time; a click shows them alone in tables, charts and the graph, in the address, until it is taken back."""
    run = captured()
    source = read_subject(run)
    page = shown("two")
    times = layer_times(run, 1)
    inside = [index for index, one in layer_paths(run, 1).items() if one.path[:1] == ("layer3",)]
    part = fsum(times.get(index, 0.0) for index in inside)
    cell = "document.querySelector('#model-parts [data-path=\"layer3\"]')"
    told = f"layer3: {duration(part)}, {percent(100 * part / fsum(times.values()))}"
    assert page.run(f"{cell}.title") == told
    page.show("#table-layers")
    page.run(f"{cell}.click()")
    assert page.run("location.hash").endswith("&in=layer3")
    page.until("!document.getElementById('scope').hidden")
    assert page.run("document.getElementById('scope').textContent").startswith(f"Only layer3 ({len(inside)} layers)")
    page.until(f"document.querySelector('#table-layers .count').textContent === '{len(inside)} of 155 rows'")
    page.show("#chart-timeline")
    points = "document.querySelectorAll('#chart-timeline .barlayer .point').length"
    page.until(f"0 < {points} && {points} <= {len(inside)}")
    page.draw_all()
    told, values = page.run(_FOLLOWING)
    drawn = {name: chart for name, chart in CHARTS.items() if name in values}
    assert {name for name, words in told.items() if "The whole engine" in words} == {
        name for name, chart in drawn.items() if chart.follows == WHOLE
    }
    for name, chart in drawn.items():
        if chart.reads != COMPARISON:
            whole = encode_figure(chart.draw_from(source.source(chart.reads)))["data"]
            is_whole = values[name] == [
                [trace.get("x"), trace.get("y"), trace.get("link", {}).get("value")] for trace in whole
            ]
            assert is_whole == (chart.follows == WHOLE), name
    assert page.run("document.querySelector('#table-latency h3').dataset.whole") == " (the whole engine)"
    assert page.run("document.querySelector('#table-layers .said').dataset.whole") == " (the whole engine)"
    page.run(f"{cell}.focus()")
    page.browser.switch_to.active_element.send_keys(_DOWN)
    assert page.run("document.activeElement.dataset.path") == "layer3/layer3.0"
    page.run("document.getElementById('scope').click()")
    page.until("document.querySelector('#table-layers .count').textContent === '155 rows'")
    page.run("location.hash = '#layers&in=layer1/layer1.0'")
    page.until("document.getElementById('scope').textContent.startsWith('Only layer1.0')")
    page.run("document.getElementById('scope').click()")
    page.until("document.getElementById('scope').hidden")
    assert page.errors() == []


def test_a_region_opens_a_run_without_layers_says_why_and_themes_change(shown: Callable[[str], Page]) -> None:
    """The traced region shows its kernels; the failed build has no graph but the reason; the other theme has another ground."""
    page = shown("region")
    picture = f"{_CANVAS}.toDataURL()"
    page.run("location.hash = '#layer-0-1'")
    page.until("!document.getElementById('panel').hidden")
    before = page.run(picture)
    _ask(page, "kernels")
    page.until(f"{picture} !== {before!r}")
    page.browser.find_element("css selector", ".switch button[data-run='1']").click()
    page.until(f"{_GRAPH}.dataset.state === 'missing'")
    assert page.run(f"{_GRAPH}.querySelector('.missing').textContent").startswith("No engine layers")
    assert page.run(f"{_CANVAS}.checkVisibility()") is False
    page.browser.find_element("css selector", ".switch button[data-run='0']").click()
    page.until(f"{_GRAPH}.dataset.state === 'drawn'")
    before = page.run(picture)
    page.browser.find_element("id", "theme").click()
    page.until(f"{picture} !== {before!r}")
    page.browser.find_element("id", "theme").click()
    assert page.fits(400)
    assert page.errors() == []


def test_hostile_names_in_the_graph_do_nothing(shown: Callable[[str], Page]) -> None:
    """Going over every node by keys, with the pointer on it and by search runs nothing, and a name reads as it is."""
    page = shown("hostile")
    for _ in range(10):
        _press(page, _RIGHT + _DOWN + " ")
    page.run(f"{_CANVAS}.dispatchEvent(new PointerEvent('pointermove', {{clientX: 500, clientY: 300, bubbles: true}}))")
    page.browser.find_element("css selector", "#engine-graph input[type=search]").send_keys("<script>" + _ENTER)
    assert _said(page).startswith("</script><script>window.canary=1</script>")
    assert page.run("window.canary") is None
    assert page.run(f"{_GRAPH}.querySelectorAll('img, b b, a, script').length") == 0
    assert page.errors() == []


def test_parts_by_memory_and_error(shown: Callable[[str], Page]) -> None:
    """Memory is that of the tensors that layers write; error is there where tensors were compared, and for other runs not."""
    measure = (
        "[...document.querySelectorAll('#model-parts [data-part=measures] button')].find(e => e.textContent === '{}')"
    )
    said = "document.querySelector('#model-parts [data-part=say]').textContent"
    page = shown("hostile")
    page.run(measure.format("Error") + ".click()")
    added = fsum(
        row["error_added"] for row in hostile_run().view("accuracy").to_pylist() if row["layer_index"] is not None
    )
    assert added > 0
    assert float(page.run(said).split()[1].rstrip(";")) == pytest.approx(added, rel=1e-3)
    page = shown("two")
    assert page.run(measure.format("Error") + ".disabled") is True
    page.run(measure.format("Memory") + ".click()")
    written = sum(row["bytes"] or 0 for row in captured()["layer_tensors"].to_pylist() if row["direction"] == "output")
    assert page.run(said).startswith(f"Memory: {byte_size(written)};")
    page.run(measure.format("Time") + ".click()")

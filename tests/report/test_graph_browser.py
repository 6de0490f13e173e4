"""The engine's graph in a real browser: it is drawn, a click and keys reach each layer, and its questions are answered."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, Any

import pytest

from tests.golden.inputs import subject
from tests.report.large_runs import hostile_page
from tests.report.test_report_browser import Page
from trtlens.engine.name_paths import layer_paths
from trtlens.engine.times import layer_times
from trtlens.report import render
from trtlens.report.engine_picture import engine_picture

if TYPE_CHECKING:
    from collections.abc import Callable

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


@pytest.fixture(scope="module")
def shown(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Page]:
    """Gives a page at its graph, drawn: a traced run, one that failed to build and one with compared tensors; or hostile names."""
    folder = tmp_path_factory.mktemp("graphs")
    pages: dict[str, Page] = {}

    def give(name: str = "traced") -> Page:
        path = folder / f"{name}.html"
        if name not in pages:
            made = (
                hostile_page()
                if name == "hostile"
                else render(
                    [subject(f"h200/{one}") for one in ("resnet50-fp16-traced", "refused", "resnet50-int8-compared")]
                )
            )
            path.write_text(made, "utf-8")
            pages[name] = Page(browser, path.as_uri())
        page = pages[name]
        if not page.run("location.href").startswith(path.as_uri()):
            pages[name] = page = Page(browser, path.as_uri())
        page.settle()
        page.run(f"{_GRAPH}.scrollIntoView()")
        page.until(f"{_GRAPH}.dataset.state === 'drawn' && Number({_CANVAS}.dataset.shown) > 0")
        return page

    return give


def _said(page: Page) -> str:
    return str(page.run(f"{_GRAPH}.querySelector('[data-part=say]').textContent"))


def _press(page: Page, keys: str) -> None:
    page.browser.find_element("css selector", "#engine-graph canvas").send_keys(keys)


def _ask(page: Page, part: str) -> None:
    page.run(f"{_GRAPH}.querySelector('[data-part={part}]').click()")


def test_the_graph_is_drawn_and_a_click_opens_the_layer(shown: Callable[[str], Page]) -> None:
    """The canvas shows more than its ground, every node of the engine, and a click on one opens the panel of its layer."""
    from selenium.webdriver import ActionChains

    page = shown("traced")
    picture = engine_picture(subject("h200/resnet50-fp16-traced").run, 1)
    assert page.run(f"{_CANVAS}.dataset.shown") == str(len(picture.flow.nodes))
    assert 0.2 < page.run(_COLOURS) < 0.95
    assert "56 layers, 49 reformats (45." in page.run(f"{_GRAPH}.querySelector('[data-part=told]').textContent")
    _press(page, _HOME + 3 * _DOWN)
    page.until(f"{_CANVAS}.dataset.at")
    node, x, y = map(int, page.run(f"{_CANVAS}.dataset.at").split())
    canvas = page.browser.find_element("css selector", "#engine-graph canvas")
    middle = page.run(f"[{_CANVAS}.clientWidth / 2, {_CANVAS}.clientHeight / 2]")
    ActionChains(page.browser).move_to_element_with_offset(
        canvas, x - int(middle[0]), y - int(middle[1])
    ).click().perform()
    page.until("!document.getElementById('panel').hidden")
    assert page.run("document.querySelector('#panel h2').textContent") == picture.flow.nodes[node].name
    assert page.run("location.hash").startswith(f"#layer-0-{picture.flow.nodes[node].layer.index}")  # type: ignore[union-attr]
    assert page.errors() == []


def test_keys_go_along_the_tensors(shown: Callable[[str], Page]) -> None:
    """Down goes to a reader, right within the rank, Enter opens the layer, and each step is said."""
    page = shown("traced")
    _press(page, _HOME)
    assert _said(page).startswith("data: input, input, 0 inputs, 1 reader")
    _press(page, _DOWN + _DOWN)
    assert _said(page).startswith("/conv1/Conv + /relu/Relu: layer, 21.6 µs · 4.3 %")
    _press(page, _ENTER)
    page.until("!document.getElementById('panel').hidden")
    assert page.run("document.querySelector('#panel h2').textContent") == "/conv1/Conv + /relu/Relu"


def test_what_lies_between_two_layers_and_what_is_near(shown: Callable[[str], Page]) -> None:
    """A path holds every node on a way between both ends, with its time; neighbours and searches are counted."""
    page = shown("traced")
    _press(page, _HOME + 2 * _DOWN)
    _ask(page, "near")
    assert _said(page) == "2 neighbours of /conv1/Conv + /relu/Relu."
    _ask(page, "near")
    _ask(page, "path")
    assert "choose the other end" in _said(page)
    search = page.browser.find_element("css selector", "#engine-graph input[type=search]")
    search.send_keys("layer1.0/conv1" + _ENTER)
    _press(page, _ENTER)
    told = _said(page)
    assert told.startswith("Between both: 4 nodes, ")  # convolution, its output's reformat, pooling, convolution
    assert page.run(f"{_GRAPH}.querySelector('[data-part=count]').textContent") == "1 of 1"
    _ask(page, "path")
    assert page.run(f"{_GRAPH}.querySelector('[data-part=path]').ariaPressed") == "false"
    assert page.errors() == []


def test_a_run_without_layers_says_why_and_themes_change(shown: Callable[[str], Page]) -> None:
    """The failed build has no graph but the reason; the other run's comes back, in the other theme with another ground."""
    page = shown("traced")
    before = page.run(f"{_CANVAS}.toDataURL()")
    page.browser.find_element("css selector", ".switch button[data-run='1']").click()
    page.until(f"{_GRAPH}.dataset.state === 'missing'")
    assert page.run(f"{_GRAPH}.querySelector('.missing').textContent").startswith("No engine layers")
    assert page.run(f"{_CANVAS}.checkVisibility()") is False
    page.browser.find_element("css selector", ".switch button[data-run='0']").click()
    page.until(f"{_GRAPH}.dataset.state === 'drawn'")
    page.browser.find_element("id", "theme").click()
    page.until(f"{_CANVAS}.toDataURL() !== {before!r}")
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


def test_a_part_of_the_model_narrows_the_page(shown: Callable[[str], Page]) -> None:
    """A part's cell tells its layers' time; a click shows them alone in tables, charts and the graph, in the address, until it is taken back."""
    run = subject("h200/resnet50-fp16-traced").run
    page = shown("traced")
    times = layer_times(run, 1)
    inside = [index for index, one in layer_paths(run, 1).items() if one.path[:1] == ("layer3",)]
    part = fsum(times.get(index, 0.0) for index in inside)
    cell = "document.querySelector('#model-parts [data-path=\"layer3\"]')"
    told = f"layer3: {part:.3f} ms, {100 * part / fsum(times.values()):.1f} %"
    assert page.run(f"{cell}.title") == told
    page.show("#table-layers")
    page.run(f"{cell}.click()")
    assert page.run("location.hash").endswith("&in=layer3")
    page.until("!document.getElementById('scope').hidden")
    assert page.run("document.getElementById('scope').textContent").startswith(f"Only layer3 ({len(inside)} layers)")
    assert page.run("document.querySelector('#table-layers .count').textContent") == f"{len(inside)} of 155 rows"
    page.show("#chart-timeline")
    points = "document.querySelectorAll('#chart-timeline .barlayer .point').length"
    page.until(f"0 < {points} && {points} <= {len(inside)}")
    page.run(f"{cell}.focus()")
    page.browser.switch_to.active_element.send_keys(_DOWN)
    assert page.run("document.activeElement.dataset.path") == "layer3/layer3.0"
    page.run("document.getElementById('scope').click()")
    page.until("document.querySelector('#table-layers .count').textContent === '155 rows'")
    page.run("location.hash = '#layers&in=layer1/layer1.0'")
    page.until("document.getElementById('scope').textContent.startsWith('Only layer1.0')")
    page.run("document.getElementById('scope').click()")
    assert page.errors() == []


def test_parts_by_error_and_memory(shown: Callable[[str], Page]) -> None:
    """A run of compared tensors has the measure error, one without has not; memory is that of the tensors that layers write."""
    page = shown("traced")
    measure = (
        "[...document.querySelectorAll('#model-parts [data-part=measures] button')].find(e => e.textContent === '{}')"
    )
    assert page.run(measure.format("Error") + ".disabled") is True
    page.run("document.querySelector('.switch button[data-run=\"2\"]').click()")
    page.until("!(" + measure.format("Error") + ").disabled")
    page.run(measure.format("Error") + ".click()")
    run = subject("h200/resnet50-int8-compared").run
    added = fsum(
        max(0.0, row["error_added"] or 0.0)
        for row in run.view("accuracy").to_pylist()
        if row["layer_index"] is not None
    )
    said = "document.querySelector('#model-parts [data-part=say]').textContent"
    assert float(page.run(said).split()[1].rstrip(";")) == pytest.approx(added, rel=1e-3)
    page.run(measure.format("Memory") + ".click()")
    written = sum(row["bytes"] or 0 for row in run["layer_tensors"].to_pylist() if row["direction"] == "output")
    assert page.run(said).startswith(f"Memory: {written / 2**20:.1f} MiB;")
    page.run(measure.format("Time") + ".click()")

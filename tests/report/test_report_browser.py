"""The page in a real browser: it draws, picks, filters and sorts, and no name in it does anything."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import FIXTURES
from tests.report.hostile_run import NAMES, hostile_run
from tests.report.pages import MANY
from trtlens import open_run
from trtlens.charts import CHARTS
from trtlens.report import overview, read_subject
from trtlens.report.chart_page import chart_page

if TYPE_CHECKING:
    from tests.report.pages import Pages

ABSENT = {"accuracy", "accuracy_time", "kernel_timeline", "run_times", "batch_scaling", "plan"}
"""Charts that the two runs have no data for."""
_PAPER = 718
"""Pixels of a sheet of A4 between its margins."""
_LOOKED_AT = "{exclude: [['.plot .svg-container'], ['#graph']]}"
"""What axe looks at: all but pictures."""
_PREPARE = """
const known = new Set(), parts = (cell) => [cell, ...cell.querySelectorAll('*')].map((one) => one.tagName + one.className);
for (const row of document.querySelectorAll('tbody tr')) {
  const form = [row.closest('[id]').id, row.className, ...[...row.cells].flatMap((cell) => [...parts(cell), !cell.textContent])].join();
  if (known.has(form)) row.remove(); else known.add(form);
}
for (const one of window.plain ?? []) one.style.backgroundColor = '';
const grounds = [...document.querySelectorAll('body *')].map((one) => [one, getComputedStyle(one).backgroundColor.match(/^color\\(srgb (.*)\\)$/)]).filter(([, mixed]) => mixed);
for (const [one, [, mixed]] of grounds) {
  const [channels, alpha] = mixed.split(' / ');
  one.style.backgroundColor = `rgba(${channels.split(' ').map((share) => 255 * share).join()},${alpha ?? 1})`;
}
window.plain = grounds.map(([one]) => one);
"""
"""Of rows that differ in nothing but their texts the first stays; mixed colours stand in the form that axe reads, else its rule of contrasts ends with an error."""
_WRONG = """[
  ...found.violations.map((one) => [one.impact, one.id, one.nodes[0].html]),
  ...found.incomplete.filter((one) => one.error).map((one) => ['error', one.id, one.error.message]),
]""".replace("\n", " ")
_ESCAPE, _ENTER, _DOWN, _RIGHT, _TAB = "\ue00c", "\ue007", "\ue015", "\ue014", "\ue004"


def test_the_slowest_layer_stands_first(pages: Pages) -> None:
    """The table of layers opens with the largest time on top, and goes back to the engine's order by its index."""
    page = pages()  # no test above sorts a table
    page.show("#table-layers")
    heading = "document.querySelector('#table-layers th[aria-sort=descending] button').textContent"
    assert page.run(heading).startswith("time")
    column = (
        "[...document.querySelectorAll('#table-layers tbody tr[data-row]')].map(r => Number(r.cells[{}].textContent))"
    )
    place = page.run("[...document.querySelectorAll('#table-layers th')].findIndex(e => e.ariaSort === 'descending')")
    times = page.run(column.format(place))
    assert times[0] > 0
    assert times == sorted(times, reverse=True)
    page.browser.find_element("xpath", "//div[@id='table-layers']//th/button[starts-with(., 'index')]").click()
    indices = page.run(column.format(0))
    assert indices == sorted(indices)


def test_findings_and_tables_become_markdown(pages: Pages) -> None:
    """The buttons put a table of what is shown, and a finding with its evidence, into the clipboard."""
    page = pages()
    page.browser.execute_script(
        "window.copied = []; navigator.clipboard.writeText = async (text) => { window.copied.push(text); };"
    )
    page.show("#table-layers")
    page.browser.find_element("css selector", "#table-layers input[aria-label='Filter name']").send_keys(
        "layer3.2/conv2"
    )
    page.browser.find_element("css selector", "#table-layers .copy").click()
    page.browser.find_element("xpath", "//div[@id='table-layers']//button[text()='Clear filters']").click()
    page.run("document.querySelectorAll('details.finding').forEach(one => { one.open = true; })")
    page.run("document.querySelector('#finding-int8-slower-than-fp16 .copy').click()")
    page.until("window.copied.length === 2")
    table, finding = page.run("window.copied")
    head, rule, row = table.split("\n")
    assert head.startswith("| index | name | type |")
    assert "| share [%] | cumulative [%] |" in head
    assert rule.count("|") == head.count("|") == row.count("|")
    assert "/layer3/layer3.2/conv2/Conv" in row
    assert finding.startswith("### INT8 takes 1.19 times as long as resnet50-fp16")
    assert "**Evidence**\n\n- " in finding
    assert "**Next**\n\nbuild INT8 with FP16 also enabled" in finding


def test_what_is_absent_is_said_once(pages: Pages) -> None:
    """The places without data are hidden, and one sentence names them all with the way to the data."""
    page = pages()
    together, overflow = page.absent("accuracy")
    assert together.startswith(
        "Error along the network, Error against time, Compared tensors, Layers to keep in FP32: No tensors"
    )
    assert "trtlens accuracy REFERENCE DUMP --profile RUN --keep" in together
    assert overflow.startswith("Values outside the range of FP16: ")
    assert (
        page.run(
            "document.querySelectorAll('#accuracy [data-chart]:not([hidden]), #accuracy [data-table]:not([hidden])').length"
        )
        == 0
    )
    assert [told.partition(":")[0] for told in page.absent("layers")] == ["Kernels that ran"]


def test_a_picked_layer_is_shown_everywhere(pages: Pages) -> None:
    """Picking a row by keyboard opens the panel, marks the row and the bar, redraws the candidates, and makes a link."""
    page = pages()
    page.show("#chart-timeline")
    page.show("#chart-candidates")
    before = page.run("document.querySelector('#chart-candidates .gtitle').textContent")
    page.show("#table-layers")
    page.browser.find_element("css selector", "#table-layers input[aria-label='Filter name']").send_keys(
        "layer3.2/conv2"
    )
    scroller = page.browser.find_element("css selector", "#table-layers .scroll")
    scroller.send_keys("\ue015\ue007")
    page.until("!document.getElementById('panel').hidden")
    panel = page.run("document.getElementById('panel').textContent")
    assert "layer3.2/conv2" in panel
    for part in ("Tensors", "Kernel", "Fastest candidates", "ONNX nodes", "Parameters"):
        assert part in panel
    page.until("document.querySelectorAll('#table-layers tr.picked').length === 1")
    page.show("#chart-timeline")  # figures out of sight follow when they come into it
    page.until("document.querySelector('#chart-timeline .annotation') !== null")
    page.until(f"document.querySelector('#chart-candidates .gtitle').textContent !== {before!r}")
    link = page.run("location.hash")
    assert link.startswith("#layer-0-")
    page.browser.find_element("css selector", "body").send_keys(_ESCAPE)
    page.until("document.getElementById('panel').hidden")
    page.run(f"location.hash = {link!r}")
    page.until("!document.getElementById('panel').hidden")
    page.show("#chart-roofline")  # drawn after the layer was picked
    page.until("document.querySelector('#chart-roofline .annotation-text').textContent.includes('/')")
    assert page.errors() == []


def test_a_changed_region_picks_a_layer_of_its_run(pages: Pages) -> None:
    """A row of what changed shows the run that it is of, with the layer that computes the region picked, and is marked."""
    page = pages()
    page.show("#table-changes")  # its first rows are about whole runs and pick nothing
    page.run(
        "[...document.querySelectorAll('#table-changes tbody tr[data-row]')]"
        ".find(row => row.textContent.includes('computes in int8')).click()"
    )
    page.until("!document.getElementById('panel').hidden")
    assert page.run("location.hash").startswith("#layer-1-")
    page.until("document.querySelectorAll('#table-changes tr.picked').length > 0")
    assert "tensor core" in page.run("document.querySelector('#panel dl').textContent")
    assert page.run("document.querySelectorAll('#table-changes th')[2].textContent.startsWith('change')")
    assert page.errors() == []


def test_anything_is_found_by_keyboard(pages: Pages) -> None:
    """A slash opens the search; arrows and Enter pick a layer, all layers of a kernel, the maker of a tensor, a finding, a chart."""
    page = pages()
    body = page.browser.find_element("css selector", "body")

    def go(typed: str, keys: str = "") -> tuple[list[str], str]:
        body.send_keys("/")
        page.browser.execute_cdp_cmd(
            "Input.insertText", {"text": typed}
        )  # at once, as by pasting: the page searches once
        page.browser.switch_to.active_element.send_keys(keys)
        kinds = page.run("[...document.querySelectorAll('#found .kind')].map(e => e.textContent)")
        before = page.run("location.hash")
        page.browser.switch_to.active_element.send_keys(_ENTER)
        page.until(f"!document.querySelector('dialog').open && location.hash !== {before!r}")
        return list(dict.fromkeys(kinds)), page.run("location.hash")

    kinds, second = go("layer3.2 conv2", _DOWN)
    assert kinds == ["layer", "ONNX node"]
    assert re.fullmatch(r"#layer-0-\d+", second)
    picked = "document.querySelector('#panel h2').textContent"
    assert page.run(picked) == "/layer3/layer3.2/conv2/Conv + /layer3/layer3.2/relu_1/Relu"
    assert go("/layer1/layer1.0/relu/Relu_output_0")[0] == ["tensor"]
    assert page.run(picked) == "/layer1/layer1.0/conv1/Conv + /layer1/layer1.0/relu/Relu"
    kinds, kernel = go("sm80_xmma_fprop_implicit_gemm_f16f16_f16f16_f16_nhwckrsc_nhwc_tilesize128x64x64_stage3")
    assert kinds == ["kernel"]
    assert kernel.count(",") > 3
    assert "more layers" in page.run("document.querySelector('#panel .picks').textContent")
    page.show("#chart-timeline")
    page.until(f"document.querySelectorAll('#chart-timeline .annotation').length === {kernel.count(',') + 1}")
    assert go("constants are copied")[0] == ["finding"]
    assert page.run("document.getElementById('finding-constants-copied').open")
    assert go("roofline")[1] == "#chart-roofline"
    body.send_keys("/")
    page.browser.switch_to.active_element.send_keys("no such name")
    assert page.run("document.querySelector('dialog [role=status]').textContent") == "0 found"
    page.browser.switch_to.active_element.send_keys(_ESCAPE)
    page.until("!document.querySelector('dialog').open")
    assert page.errors() == []


def test_names_below_columns_stand_level_where_there_is_room(pages: Pages) -> None:
    """In a narrow window the steps of a difference have level names in lines of their own; on a phone upright ones, none over another."""
    page = pages()
    page.show("#chart-waterfall")
    angles = "[...new Set([...document.querySelectorAll('#chart-waterfall .xtick text')].map((one) => (/rotate\\((-?[0-9]+)/.exec(one.getAttribute('transform')) || [0, '0'])[1]))].join()"
    for width, angle in ((500, "0"), (400, "-90"), (1600, "0")):
        page.resize(width)
        page.show("#chart-waterfall")
        page.until(f"{angles} === '{angle}'")
    assert page.errors() == []


def test_headings_say_what_columns_hold(pages: Pages) -> None:
    """A unit of latencies is no core type, and sizes have their units in the rows."""
    page = pages()
    headings = "[...document.querySelectorAll('#table-{} th button')].map((one) => one.textContent)"
    page.show("#table-latency")
    assert "unit" in page.run(headings.format("latency"))
    assert "core type" not in page.run(headings.format("latency"))
    page.show("#table-memory")
    assert "scratch" in page.run(headings.format("memory"))


def test_points_of_charts_are_reached_by_keyboard(pages: Pages) -> None:
    """Arrows go over the points of a chart in their order, each is shown and told; Enter opens its layer; a flow is told, too."""
    page = pages()
    page.show("#chart-timeline")
    bars = page.run(
        "new Set(document.querySelector('#chart-timeline .plot').data.flatMap((one) => one.customdata)).size"
    )
    told = "document.getElementById('pointed').textContent"

    def press(chart: str, *keys: str) -> str:
        page.run(f"document.querySelector('#chart-{chart} .plot').focus()")
        for key in keys:
            before = page.run(told)
            page.browser.switch_to.active_element.send_keys(key)
            page.until(f"{told} !== {before!r}")
        return str(page.run(told))

    assert press("timeline", _DOWN).startswith(f"1 of {bars}: Reformatting CopyNode for Input Tensor 0 to /conv1/Conv")
    second = press("timeline", _RIGHT)
    assert second.startswith(f"2 of {bars}: /conv1/Conv + /relu/Relu, CaskConvolution, fp16, tensor core, ")
    shown = page.run("document.querySelector('#chart-timeline .hoverlayer').textContent")
    assert "CaskConvolution" in shown
    page.browser.switch_to.active_element.send_keys(_ENTER)
    page.until("!document.getElementById('panel').hidden")
    assert page.run("document.querySelector('#panel h2').textContent") == "/conv1/Conv + /relu/Relu"
    page.browser.find_element("css selector", "body").send_keys(_ESCAPE)
    page.show("#chart-reformat_flow")
    assert press("reformat_flow", _DOWN, _RIGHT) == "2 of 5: constant: 47, 173 µs"
    page.run("document.activeElement.blur()")
    assert page.run("document.querySelectorAll('#chart-timeline .hovertext').length") == 0
    assert page.errors() == []


def test_a_bar_picks_its_layer(pages: Pages) -> None:
    """A click on a bar of the timeline opens the panel of that bar's layer."""
    page = pages()
    page.show("#chart-timeline")
    from selenium.webdriver import ActionChains

    bar = page.browser.find_element("css selector", "#chart-timeline .plot .barlayer .point path")
    ActionChains(page.browser).move_to_element(bar).pause(0.2).click().perform()
    page.until("!document.getElementById('panel').hidden")
    assert page.run("location.hash").startswith("#layer-0-")
    assert page.errors() == []


def test_tables_filter_sort_and_stay_small(pages: Pages) -> None:
    """A comparison in a filter and a click on a heading do what they say over 11,114 rows, with few rows in the document."""
    page = pages()
    page.show("#table-candidates")
    times = "[...document.querySelectorAll('#table-candidates tbody tr[data-row]')].map(r => Number(r.cells[3].textContent))"
    page.browser.find_element("css selector", "#table-candidates input[aria-label='Filter time']").send_keys("< 0.01")
    page.until("/ of 11,114/.test(document.querySelector('#table-candidates .count').textContent)")
    page.browser.find_element("xpath", "//div[@id='table-candidates']//th/button[starts-with(., 'time')]").click()
    shown = page.run(times)
    assert shown == sorted(shown, reverse=True)
    assert 0 < max(shown) < 0.01
    assert len(shown) < 80
    assert page.run(
        "document.querySelector('#table-candidates th[aria-sort=descending] button').textContent"
    ).startswith("time")
    assert page.run("document.querySelector('#table-candidates th[aria-sort=descending]').title").startswith(
        "time that the tuner measured"
    )


def test_another_run_and_another_theme(pages: Pages) -> None:
    """The switch shows the other run's data, the theme changes page and figures, both without a complaint."""
    page = pages()
    page.show("#chart-timeline")
    before = page.run("document.querySelector('#chart-timeline .legend').textContent")
    page.browser.find_element("css selector", ".switch button[data-run='1']").click()
    page.until(f"document.querySelector('#chart-timeline .legend').textContent !== {before!r}")
    ink = "getComputedStyle(document.querySelector('#chart-timeline .legendtext')).fill"
    light = page.run(ink)
    theme = page.run("document.documentElement.dataset.theme")
    page.browser.find_element("id", "theme").click()
    page.show("#chart-timeline")
    page.until(f"{ink} !== {light!r}")
    assert page.run("document.documentElement.dataset.theme") != theme
    assert page.errors() == []


def test_another_baseline_turns_every_comparison_around(pages: Pages) -> None:
    """Cards, sentences, charts and tables are held against the run that is chosen; the address opens the page like that."""
    page = pages()
    page.show("#chart-waterfall")
    page.show("#table-changes")
    cards = "[...document.querySelectorAll('.card .against')].map(e => e.hidden ? '' : e.textContent)"
    assert page.run(cards) == ["", "1.19x slower than resnet50-fp16 (+96.2 µs)"]
    page.browser.find_element("id", "baseline").send_keys("resnet50-int8")
    page.until("location.hash.endsWith('baseline=1')")
    assert page.run(cards) == ["1.19x faster than resnet50-int8 (-96.2 µs)", ""]
    assert page.run("document.querySelector('.told h3').textContent") == "resnet50-fp16 against resnet50-int8"
    page.show("#chart-waterfall")
    names = "[...document.querySelectorAll('#chart-waterfall .xtick')].map(e => e.textContent).filter(Boolean)"
    page.until(f"{names}[0] === 'resnet50-int8'")
    assert (
        page.run("document.querySelector('#table-changes tbody tr[data-row]').cells[0].textContent") == "resnet50-fp16"
    )
    page.run("location.hash = '#memory'")
    page.until("location.hash === '#memory&baseline=1'")
    page.browser.refresh()
    page.until("document.documentElement.dataset.loaded === 'yes'")
    assert page.run("document.querySelector('.told h3').textContent") == "resnet50-fp16 against resnet50-int8"
    page.browser.find_element("id", "baseline").send_keys("resnet50-fp16")
    page.until("location.hash === '#memory'")
    assert page.errors() == []


def test_every_chart_is_drawn_without_a_complaint(pages: Pages) -> None:
    """Scrolling through draws each chart that the run has data for, none wider than the window; the console stays empty."""
    page = pages()
    drawn = page.draw_all()
    assert len(drawn) == len(CHARTS) - len(ABSENT)
    for name, state, shown in drawn:
        assert state == "drawn", name
        assert shown, name
    assert page.run("document.querySelectorAll('.modebar-btn').length") > 0
    assert (
        page.run(
            "[...document.querySelectorAll('.modebar-btn')].filter(e => /share|cloud/i.test(e.dataset.title)).length"
        )
        == 0
    )
    assert all(page.fits(width) for width in (2560, 1180, 760, 400))
    assert page.errors() == []


def test_many_runs_are_a_table(pages: Pages) -> None:
    """Of seven runs one card and the sentences about one are shown; a row shows its run; the search knows all of them."""
    page = pages("many")
    cards = "[...document.querySelectorAll('.card')].filter(e => e.checkVisibility()).map(e => e.dataset.run)"
    told = "[...document.querySelectorAll('#told .told')].filter(e => !e.hidden).map(e => e.querySelector('h3').textContent)"
    assert page.run("document.querySelectorAll('.runs tbody tr').length") == len(MANY)
    assert page.run(cards) == ["0"]
    assert page.run(told) == ["8.6 against 8.0", "How far to trust this"]
    page.browser.find_element("css selector", "[data-show='2']").click()
    page.until("document.getElementById('run').value === '2'")
    assert page.run(cards) == ["2"]
    assert page.run(told) == ["10.16 against 8.0", "How far to trust this"]
    page.show("#table-layers")
    page.browser.find_element("css selector", "body").send_keys("/")
    page.until("document.querySelector('dialog').open")
    page.browser.switch_to.active_element.send_keys("conv1")
    assert len(page.run("[...document.querySelectorAll('#found .muted')].flatMap(e => e.textContent.split(', '))")) > 5
    page.browser.switch_to.active_element.send_keys(_ESCAPE)
    assert all(page.fits(width) for width in (1440, 400))
    assert page.errors() == []


def test_everything_is_reached_by_keyboard(pages: Pages) -> None:
    """Whatever acts on a click has a place in the order of the tab key or is reached by arrows; what has the focus shows it."""
    page = pages("traced")
    reached = "e.tabIndex >= 0 || e.closest('[role=radiogroup],.icicle,dialog,.modebar,.plot,tbody') !== null"
    assert (
        page.run(
            f"[...document.querySelectorAll('button,a[href],summary,input,select,.scroll')].filter(e => !({reached})).map(e => e.outerHTML)"
        )
        == []
    )
    page.browser.find_element("css selector", "body").send_keys(_TAB)
    assert page.run("document.activeElement.className") == "skip"
    page.browser.switch_to.active_element.send_keys(_TAB)
    assert page.run("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_axe_finds_nothing_serious(pages: Pages) -> None:
    """With findings open and a layer picked: names, roles, order; contrast in both themes; then the search (axe-core)."""
    page = pages("traced")
    page.run("document.querySelectorAll('details.finding').forEach(one => { one.open = true; })")
    page.run("location.hash = '#layer-0-40'")
    page.until("!document.getElementById('panel').hidden")
    page.browser.execute_script((files("axe_core_python") / "axe.min.js").read_text("utf-8"))

    def found(place: str, options: str = "{resultTypes: ['violations']}") -> list[tuple[str, str, str]]:
        check = f"const done = arguments[0]; {_PREPARE} axe.run({place}, {options}).then((found) => done({_WRONG}))"
        return list(map(tuple, page.browser.execute_async_script(check)))

    told = found(_LOOKED_AT)
    page.browser.find_element("id", "theme").click()
    told += found(_LOOKED_AT, "{runOnly: ['color-contrast']}")
    page.browser.find_element("id", "theme").click()
    page.browser.find_element("css selector", "body").send_keys("/")
    told += found("'#search-dialog'")
    page.browser.switch_to.active_element.send_keys(_ESCAPE)
    assert told == []


def test_paper_clips_nothing(pages: Pages) -> None:
    """On a sheet of A4 no part of the page is wider than the sheet: charts, tables, findings."""
    page = pages("traced")
    for name in ("timeline", "kernels", "kernel_timeline", "latency_distribution"):
        page.show(f"#chart-{name}")
    page.show("#table-layers")
    page.run("window.dispatchEvent(new Event('beforeprint'))")
    page.run("document.querySelector('#table-layers .scroll').dispatchEvent(new Event('scroll'))")
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        page.resize(_PAPER)
        wide = "[...document.querySelectorAll('main *')].filter(e => e.checkVisibility() && !e.closest('.icicle') && e.getBoundingClientRect().right > innerWidth + 1)"
        page.until(f"document.documentElement.scrollWidth <= {_PAPER} && {wide}.length === 0")
        assert page.run("document.querySelectorAll('#table-layers tbody tr[data-row]').length") == 58
    finally:
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        page.resize(1600)
        page.run("window.dispatchEvent(new Event('afterprint'))")
    page.show("#chart-timeline")
    page.until("document.querySelector('#chart-timeline .main-svg').clientWidth > 1000")


def test_hostile_names_show_as_text_and_run_nothing(pages: Pages) -> None:
    """With every chart drawn, every table filled and every layer picked the canary is silent and names read as they are."""
    page = pages("hostile")
    page.draw_all()
    for table in page.run("[...document.querySelectorAll('[data-table]:not([hidden])')].map(e => e.id)"):
        page.show(f"#{table}")
    assert page.fits(400)
    assert page.fits(1600)
    for index in range(len(NAMES)):
        page.run(f"location.hash = '#layer-0-{index}'")
        page.until(f"!document.getElementById('panel').hidden && location.hash === '#layer-0-{index}'")
    page.run("location.hash = '#layer-0-0'")
    page.until(f"document.querySelector('#panel h2').textContent === {NAMES[0]!r}")
    assert page.run("window.canary") is None
    assert (
        page.run("document.querySelectorAll('img, a[href^=\"javascript\"], .plot b, .plot a:not(.modebar-btn)').length")
        == 0
    )
    assert page.run("document.body.textContent.includes('\\u202e')") is False
    assert page.run("document.querySelector('.card h3').textContent") == NAMES[0]
    assert page.errors() == []


def test_a_run_without_times_is_read_by_its_layers(pages: Pages) -> None:
    """The bars of types count layers, and what needs times is named as absent."""
    page = pages("untimed")
    page.show("#chart-layer_types")
    assert (
        page.run("document.querySelector('#chart-layer_types .xtitle').textContent")
        == "layers (this run has no layer times)"
    )
    assert page.absent("layers")[0].startswith("Roofline: No timings in this run")
    assert page.errors() == []


def test_a_chart_page_draws_under_its_policy(browser: Any, tmp_path: Path) -> None:
    """A chart that stands alone is drawn by the scripts that its policy names, and by no other."""
    figure = CHARTS["candidates"].draw(hostile_run())
    page = chart_page(figure)
    injected = page.replace("<body>", "<body><script>window.injected = 1</script>", 1)
    (tmp_path / "chart.html").write_text(injected, "utf-8")
    browser.get_log("browser")
    browser.get((tmp_path / "chart.html").as_uri())
    assert browser.execute_script("return document.querySelectorAll('#chart svg.main-svg').length") > 0
    assert browser.execute_script("return window.injected") is None
    told = [entry["message"] for entry in browser.get_log("browser") if entry["level"] in {"SEVERE", "WARNING"}]
    assert len(told) == 1
    assert "Content Security Policy" in told[0]


def test_a_region_is_a_bar_that_opens_into_its_kernels(browser: Any, tmp_path: Path) -> None:
    """Closed it shows its own bar alone; a click shows those of its kernels, and no script is needed for it."""
    subject = read_subject(open_run(FIXTURES / "traces" / "myelin-region"))
    style = (Path(overview.__file__).parent / "assets" / "page.css").read_text("utf-8")
    path = tmp_path / "card.html"
    path.write_text(
        f"<!DOCTYPE html><meta charset=utf-8><style>{style}{overview.precision_styles()}</style>{overview.card(subject, 0, None)}",
        "utf-8",
    )
    browser.get(path.as_uri())
    shown = "return [...document.querySelectorAll('.region')[0].querySelectorAll('.bar span')].filter((one) => one.checkVisibility()).length"
    assert browser.execute_script(shown) == 1
    browser.find_element("css selector", ".region summary").click()
    assert browser.execute_script(shown) == 7
    widths = "return [...document.querySelectorAll('.region')[0].querySelectorAll('li .bar span')].map((one) => one.offsetWidth / one.parentNode.offsetWidth)"
    assert browser.execute_script(widths)[0] == pytest.approx(0.61, abs=0.01)

"""The page as text: what it holds, what it never holds, and what it says where a run holds little."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import lzma
import re
from collections import Counter
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

from tests.doubles.made_runs import MadeRun
from tests.golden.inputs import opened
from tests.report.hostile_run import NAMES
from tests.report.large_runs import FIXTURES, captured, hostile_page, page_of_two, with_candidates
from trtlens.charts import CHARTS, charts_of_run
from trtlens.report import read_subject, render
from trtlens.report.baseline import MOST_CHOICES, baseline_choice, comparisons
from trtlens.report.encoding import encode_table, pack, to_json
from trtlens.report.payload import thin_candidates
from trtlens.report.region_bars import region_bars
from trtlens.report.sections import CHANGED, RUNS, SECTIONS
from trtlens.runs.run import Run, open_run
from trtlens.runs.run_info import info_of
from trtlens.tables.declarations import TABLES

if TYPE_CHECKING:
    from pathlib import Path

_MIB = 2**20


class _Outline(HTMLParser):
    """Tags, attributes and script bodies of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and self.scripts[-1] == "":
            self.scripts[-1] = data


def outline(page: str) -> _Outline:
    parser = _Outline()
    parser.feed(page)
    return parser


def block(page: str, name: str) -> Any:
    """The unpacked data of a block."""
    match = re.search(rf'<script type="application/x-trtlens" id="{name}">([^<]*)</script>', page)
    assert match is not None
    return json.loads(gzip.decompress(base64.b64decode(match[1])))


@pytest.fixture(scope="module")
def two() -> str:
    """The report of two captured runs."""
    return page_of_two()


def test_the_page_loads_nothing_and_fits_into_a_mail(two: str) -> None:
    """No tag names anything outside the file, every address is a place in the page, and it is under 4 MB."""
    for tag, attributes in outline(two).tags:
        assert "src" not in attributes, tag
        assert tag != "link"
        assert (attributes.get("href") or "#").startswith("#")
    assert len(two.encode()) < 4 * _MIB


def test_every_link_of_the_page_has_its_place(two: str) -> None:
    """Each address within the page names an element of it, and no name is given twice."""
    parsed = outline(two)
    assert len(set(parsed.ids)) == len(parsed.ids)
    for _, attributes in parsed.tags:
        href = attributes.get("href")
        assert href is None or href[1:] in parsed.ids


def test_the_policy_names_the_two_scripts_and_forbids_the_rest(two: str) -> None:
    """The hashes of the policy are those of the page's script and of Plotly's; connections are not allowed."""
    parsed = outline(two)
    policy = next(str(a["content"]) for tag, a in parsed.tags if tag == "meta" and a.get("http-equiv"))
    packed = re.search(r'id="plotly">([^<]*)<', two)
    assert packed is not None
    for script in (parsed.scripts[-1], gzip.decompress(base64.b64decode(packed[1])).decode()):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe-eval" not in policy
    assert "connect-src" not in policy


def test_the_same_runs_give_the_same_bytes() -> None:
    """Opening and rendering again gives an identical page."""
    logs = [FIXTURES / "alignment" / "releases" / f"{release}.log" for release in ("8.0", "8.6")]
    pages = [render([read_subject(open_run(log)) for log in logs]) for _ in range(2)]
    assert pages[0] == pages[1]


def test_the_first_screen_tells_latency_with_its_interval_and_the_difference(two: str) -> None:
    """Each run's card holds its median and interval, and the second one how it compares."""
    assert "with 99 % confidence" in two
    assert "slower than resnet50-fp16" in two
    assert two.count('<article class="card"') == 2


@pytest.mark.parametrize("name", ["resnet50-fp16", "resnet50-int8"])
def test_a_captured_run_has_every_chart_but_accuracy(two: str, name: str) -> None:
    """Charts without data say so; all others hold traces."""
    place = ["resnet50-fp16", "resnet50-int8"].index(name)
    figures = block(two, f"run-{place}")["figures"]
    assert set(figures) == {chart.name for chart in charts_of_run()}
    missing = {chart for chart, figure in figures.items() if "missing" in figure}
    assert missing == {"accuracy", "accuracy_time", "kernel_timeline", "plan"}
    assert all(figure["data"] for chart, figure in figures.items() if chart not in missing)


def test_hostile_names_are_never_markup() -> None:
    """No tag of the page comes from a name, and the data gives the names back with controls as escapes."""
    page = hostile_page()
    parsed = outline(page)
    assert [a for tag, a in parsed.tags if tag in {"img", "b", "iframe"} and tag == "img"] == []
    assert not any("onerror" in attributes for _, attributes in parsed.tags)
    assert sum(tag == "script" for tag, _ in parsed.tags) == 5
    names = next(c for c in block(page, "run-0")["tables"]["layers"]["columns"] if c["name"] == "name")["texts"]
    assert names[0] == NAMES[0]
    assert names[3] == r"one\x1etwo\x1f\x00three"
    assert "\u202e" not in page


@pytest.mark.parametrize("name", ["empty", "killed", "refused", "encoder-fp16"])
def test_what_is_missing_is_said_with_the_way_to_get_it(name: str) -> None:
    """A chart without data holds a sentence that names a command or a file, in place of an empty figure."""
    run = Run("nothing", MadeRun([]).run().tables) if name == "empty" else captured(name)
    page = render([read_subject(run)])
    figures = block(page, "run-0")["figures"]
    missing = {name: figure["missing"] for name, figure in figures.items() if "missing" in figure}
    assert missing
    assert all(len(sentence) > 40 for sentence in missing.values())
    assert all(figure["data"] for name, figure in figures.items() if name not in missing)
    assert "None" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_runs_that_cannot_be_compared_say_nothing_of_changes() -> None:
    """Runs without layers are no runs without a difference: the reason stands once, no table claims that nothing changed."""
    page = render([read_subject(captured("killed")), read_subject(captured("refused"))])
    assert "The runs could not be compared: killed lists no engine layers" in page
    told = block(page, "comparison-1")
    assert (told["refused"], told["figures"], told["tables"]) == (True, [{}, {}], {})
    assert told["told"][0]["sentences"][0].startswith("The runs could not be compared: killed lists no engine layers")
    assert "no engine: the build was killed, or is still running" in page
    assert "not comparable with" not in page


def test_a_whole_inference_is_held_against_the_baselines() -> None:
    """The card and the sentences tell one ratio of inferences; the sum of the layers is told apart from it."""
    page = unescape(render([read_subject(captured(name)) for name in ("resnet50-fp32", "resnet50-fp16")]))
    assert "5.20x faster than resnet50-fp32" in page
    assert "One inference takes resnet50-fp16 508 µs on the GPU, resnet50-fp32 2.64 ms: 5.20x faster" in page
    assert "resnet50-fp16's layers, each timed on its own, take 819 µs" in page
    changed = page.split('id="changed"')[1]
    assert 0 < changed.index("The layers do not account for this") < changed.index("each timed on its own")


def test_each_of_a_few_runs_can_be_the_baseline() -> None:
    """Every comparison of three small runs is on the page, each against another one; of more than six only the first is."""
    logs = [FIXTURES / "alignment" / "releases" / f"{release}.log" for release in ("8.0", "8.6", "10.16")]
    runs = [read_subject(open_run(log)) for log in logs]
    page = render(runs)
    headings = [block(page, f"comparison-{place}")["told"][0]["title"] for place in range(3)]
    assert headings == ["8.6.log against 8.0.log", "8.0.log against 8.6.log", "8.0.log against 10.16.log"]
    assert page.count("<option") == 3
    many = [replace(runs[0], name=str(place)) for place in range(MOST_CHOICES + 1)]
    assert baseline_choice(many) == ""
    assert len(comparisons(many)) == 1


def test_a_builder_without_a_choice_runs_the_models_types() -> None:
    """TensorRT-RTX and strongly typed builds take no precision flags: the card says what counts in their place."""
    run = captured("resnet50-fp16")
    for facts in ({"library": "tensorrt_rtx"}, {"flags": {"strongly_typed": True}}):
        typed = Run(run.name, MadeRun([]).run().tables, None, info_of(facts))
        assert "the model's own types" in unescape(render([read_subject(typed)]))


def test_layer_times_without_an_inference_are_called_a_sum() -> None:
    """Where layers alone were timed the first screen gives their sum and says what is missing."""
    page = unescape(render([read_subject(opened("resnet50-h200/fp16"))]))
    assert "sum of layer times" in page
    assert "no inference was timed" in page
    assert "no timings in this run" not in page


def test_a_log_cut_in_the_middle_makes_a_page_that_says_so(tmp_path: Path) -> None:
    """Half a log, cut within a line, gives its candidates and says what is missing."""
    log = lzma.decompress((FIXTURES / "resnet50-h200" / "fp16" / "verbose.log.xz").read_bytes())
    path = tmp_path / "cut.log"
    path.write_bytes(log[: len(log) // 2])
    page = render([read_subject(open_run(path))])
    assert "no timings in this run" in page
    assert "the log breaks off before the build&#x27;s end: it ends at line" in page
    data = block(page, "run-0")
    assert data["tables"]["candidates"]["rows"] > 0
    assert data["tables"]["layers"]["rows"] == 0
    assert "verbose" in data["figures"]["timeline"]["missing"]


def test_thinning_keeps_what_runs_and_the_fastest_and_tells() -> None:
    """Beyond the limit each layer keeps its chosen and its fastest candidates, and a sentence gives the counts."""
    candidates = with_candidates(captured(), 2)["candidates"]
    kept, note = thin_candidates(candidates, most=5000)
    assert kept.num_rows <= 5000
    assert note is not None
    assert f"{kept.num_rows:,} of {candidates.num_rows:,}" in note
    assert kept["chosen"].to_pylist().count(True) == candidates["chosen"].to_pylist().count(True)
    fastest = min(t for t in candidates["time_ms"].to_pylist() if t is not None)
    assert min(t for t in kept["time_ms"].to_pylist() if t is not None) == fastest
    assert thin_candidates(candidates, most=candidates.num_rows) == (candidates, None)


def test_packed_tables_hold_every_value() -> None:
    """Texts, numbers, ids beyond 2**53, lists and nulls come back from the page's form."""
    table = captured()["candidates"].slice(0, 500)
    packed = json.loads(gzip.decompress(base64.b64decode(pack(to_json(encode_table(table))))))
    columns = {column["name"]: column for column in packed["columns"]}
    names = [
        None if place < 0 else columns["tactic_name"]["texts"][place] for place in columns["tactic_name"]["values"]
    ]
    assert names == table["tactic_name"].to_pylist()
    ids = [
        None if place < 0 else int(columns["tactic_id"]["texts"][place], 16) for place in columns["tactic_id"]["values"]
    ]
    assert ids == table["tactic_id"].to_pylist()
    times = table["time_ms"].to_pylist()
    assert [one is None for one in columns["time_ms"]["values"]] == [one is None for one in times]
    assert [one for one in columns["time_ms"]["values"] if one is not None] == pytest.approx(
        [one for one in times if one is not None], rel=1e-6
    )


@pytest.mark.parametrize(("most", "kept_ms"), [(1, [0.1, 0.4]), (2, [0.1, 0.4]), (4, [0.1, 0.2, 0.5, 0.4])])
def test_the_fastest_of_each_layer_are_kept(most: int, kept_ms: list[float]) -> None:
    """As many of each layer as fit, one at least; a candidate without a time gives way to those that have one."""
    times: list[float | None] = [None, 0.3, 0.1, 0.2, 0.5, 0.4]
    columns = {"layer": [*"aaaabb"], "time_ms": times, "chosen": [False] * len(times)}
    spec = TABLES["candidates"]
    table = spec.table({one.name: columns.get(one.name, [None] * len(times)) for one in spec.columns})
    assert thin_candidates(table, most)[0]["time_ms"].to_pylist() == kept_ms


def test_each_chart_has_one_section() -> None:
    """Sections show their own charts alone, and together all of a run's and of a comparison's."""
    shown = [chart.name for section in (*SECTIONS, CHANGED, RUNS) for chart in section.charts]
    assert sorted(shown) == sorted(CHARTS)


def test_bars_of_layers_hold_their_kernels_by_time() -> None:
    """Of a layer of twenty kernels sixteen have bars, the rest one; of layers of one kernel there is no bar; names are text."""
    rows = [
        {"layer_index": 1, "launch": n, "layer": "<b>region", "kernel": f"<i>k{n}", "time_ms": 0.001 * (n + 1), "gap_ms": None, "precision": None,
         "family": None, "operation": None, "operations": None, "unit": None, "sm": None}
        for n in range(20)
    ]  # fmt: skip
    single = {**rows[0], "layer_index": 2, "layer": "single", "time_ms": 0.09}
    html = region_bars([*rows, single, {**single, "layer_index": None}])
    assert html.count("<details") == 1
    assert html.count("<li>") == 17
    assert "&lt;b&gt;region" in html
    assert "<i>" not in html
    assert "single" not in html
    assert "210 µs, 54 %" in html
    assert re.findall(r"k\d+", unescape(re.sub(r"<[^>]+>", " ", html)))[0] == "k19"
    assert "4 more kernels" in html
    assert region_bars([single]) == ""


def test_parts_of_the_script_share_no_name() -> None:
    """What the parts declare at the top is declared once: they stand in one function, where a second one would replace the first."""
    names = [
        match[1]
        for script in sorted((files("trtlens.report") / "assets").iterdir(), key=lambda one: one.name)
        if script.name.endswith(".js")
        for match in re.finditer(
            r"^(?:async )?(?:function|class|const|let) (\w+)", script.read_text("utf-8"), re.MULTILINE
        )
    ]
    assert len(names) > 100
    assert [name for name, count in Counter(names).items() if count > 1] == []

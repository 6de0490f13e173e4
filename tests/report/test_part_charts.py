"""Charts of a chosen part of the model: the page's own sums against the charts drawn of the part's rows alone."""

from __future__ import annotations

import json
from copy import copy
from dataclasses import replace
from functools import partial
from importlib.resources import files
from math import floor, fsum
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pyarrow as pa
import pytest

from tests.golden.inputs import subject
from trtlens import quantities
from trtlens.charts import CHARTS
from trtlens.charts.drawing.chart import COMPARISON, RUN, SUMS, WHOLE
from trtlens.charts.figures.regions import main_layer
from trtlens.engine.name_paths import layer_paths
from trtlens.engine.reformat_causes import read_reformats
from trtlens.limits.split import last_split
from trtlens.report.baseline import comparison_data
from trtlens.report.encoding import to_json
from trtlens.report.payload import compare, drawn, page_data, run_data
from trtlens.runs.run import Run
from trtlens.tuning.wording import counted
from trtlens.views import reformat_causes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from trtlens.charts import Chart
    from trtlens.comparison.comparison import Comparison
    from trtlens.report.payload import Compared
    from trtlens.report.subject import Subject

_ASSETS = ("quantities", "data", "figures", "part_charts")
_DRAW = """
const [packed, comparison, styles, inside, names, charts] = arguments;
const run = new RunData(JSON.parse(packed)), compared = comparison && new RunData(JSON.parse(comparison));
const own = { run, within: new Set(inside), styles: JSON.parse(styles), comparison: compared, name: names.at(-1), baseline: names[0] };
return JSON.stringify(Object.fromEntries(charts.map((name) => {
  const base = compared ? compared.figures[1][name] : run.figures[name];
  return [name, base.missing ? base : name in OF_PART ? OF_PART[name](own, base) : pointsOfPart(own, base, name)];
})));
"""
_PARTS = (
    ("h200/resnet50-fp16-compared", "layer2"),
    ("h200/resnet50-fp16-traced", "layer4"),
    ("resnet50-h200/int8", "layer1"),
)
"""Runs with a part of their model: by the profiler and by a trace, with and without tactics, compared tensors, reformats and roofs."""
_LISTS = ("x", "y", "base", "text", "hovertext", "customdata", "measure", "textposition")
_NAMES = ("type", "name", "valuesuffix")
_DIGITS = 1e-6
"""The page holds seven digits of each number."""


def _script(body: str) -> str:
    return "\n".join((files("trtlens.report") / "assets" / f"{name}.js").read_text("utf-8") for name in _ASSETS) + body


def _inside(one: Subject, part: str) -> list[int]:
    path = tuple(part.split("/"))
    assert one.build is not None
    return [index for index, found in layer_paths(one.run, one.build).items() if found.path[: len(path)] == path]


def _rows(table: pa.Table, column: str, wanted: Collection[object]) -> pa.Table:
    return table.filter(pa.array([one in wanted for one in table[column].to_pylist()], pa.bool_()))


def _drawn_of_part(one: Subject, chart: Chart, inside: Sequence[int]) -> dict[str, Any]:
    """The chart as Python draws it where there are no rows but the part's."""
    run, split = one.run, last_split(one.run)
    part = None if split is None else replace(split, parts=tuple(own for own in split.parts if own.index in inside))
    reformats = [own for own in read_reformats(run, one.build or 1) if own.node.index in inside]
    tuned = {row["layer"] for row in run["tuned_layers"].to_pylist() if row["layer_index"] in inside}
    few = Run(run.name, {**run.tables, "candidates": _rows(run["candidates"], "layer", tuned)}, None, run.info)
    with (
        patch("trtlens.charts.figures.bound.last_split", lambda _: part),
        patch("trtlens.charts.figures.roofline.last_split", lambda _: part),
        patch("trtlens.views.reformat_causes.read_reformats", lambda *_: reformats),
    ):
        if chart.reads == RUN:
            return drawn(lambda: chart.draw_from(few if chart.name == "candidates" else run))
        if chart.reads == "reformat_causes":
            return drawn(lambda: chart.draw_from(reformat_causes.table(run)))
        key = "layer_index" if chart.reads == "accuracy" else "index"
        return drawn(lambda: chart.draw_from(_rows(one.view(chart.reads), key, inside)))


def _waterfall_of_part(comparison: Comparison, inside: Collection[int]) -> dict[str, Any]:
    """The steps between two runs that have no regions but those whose main layer in the second is of the part."""
    rows = [row for row in comparison.rows if main_layer(row, comparison, 1) in inside]
    part = copy(comparison)
    totals = [fsum(row.cells[place].figures.time_ms or 0.0 for row in rows) for place in (0, 1)]
    cells = [
        replace(cell, figures=replace(cell.figures, time_ms=time))
        for cell, time in zip(comparison.totals, totals, strict=True)
    ]
    vars(part).update(rows=tuple(rows), totals=tuple(cells))
    return drawn(lambda: CHARTS["waterfall"].draw_from(part, 1))


def _is_alike(found: Any, expected: Any) -> bool:
    """Whether values are the same, numbers in the digits that the page holds."""
    if isinstance(expected, dict):
        return all(_is_alike(found.get(name), inner) for name, inner in expected.items())
    if isinstance(expected, list) and isinstance(found, list):
        return len(found) == len(expected) and all(map(_is_alike, found, expected))
    if isinstance(expected, float) and isinstance(found, (int, float)):
        return found == pytest.approx(expected, rel=_DIGITS, abs=2e-4)
    return bool(found == expected)


def _assert_alike(found: dict[str, Any], expected: dict[str, Any], where: str) -> None:
    """The same bars, points, flows and axes, or nothing to draw in both."""
    assert ("missing" in found) == ("missing" in expected), (where, found, expected)
    if "missing" in expected:
        return
    assert len(found["data"]) == len(expected["data"]), where
    for own, other in zip(found["data"], expected["data"], strict=True):
        for name in (*_LISTS, *_NAMES, "node", "link", "marker"):
            assert _is_alike(own.get(name), other.get(name)), (
                where,
                other.get("name"),
                name,
                own.get(name),
                other.get(name),
            )
    for axis in ("xaxis", "yaxis", "title"):
        assert _is_alike(found["layout"].get(axis), expected["layout"].get(axis)), (where, axis)
    assert found["layout"]["height"] == expected["layout"]["height"], where


def _points(figure: dict[str, Any], inside: Collection[int]) -> list[tuple[Any, ...]]:
    """Layer, height and hover text of each point of these layers, in their order."""
    return [
        (trace.get("name"), index, y, text)
        for trace in figure["data"] if "customdata" in trace
        for index, y, text in zip(trace["customdata"], trace["y"], trace.get("hovertext") or trace["y"], strict=True)
        if index in inside
    ]  # fmt: skip


@pytest.fixture
def draw(browser: Any) -> Callable[..., dict[str, Any]]:
    """Charts of a part as the page draws them of its data, without the page."""
    browser.get("data:,")

    def give(
        one: Subject, inside: Sequence[int], charts: Sequence[str], comparison: Compared | None = None, *others: Subject
    ) -> dict[str, Any]:
        compared = None if comparison is None else to_json(comparison_data(comparison, [*others, one]))
        names = [subject.name for subject in (*others, one)]
        given = (to_json(run_data(one)), compared, to_json(page_data([one], {})), list(inside), names, list(charts))
        return dict(json.loads(browser.execute_script(_script(_DRAW), *given)))

    return give


def test_a_part_is_drawn_of_its_rows_alone(draw: Callable[..., dict[str, Any]]) -> None:
    """Sums (bars, shares, flows, candidates) are those of a run that has the part's rows alone; points are its layers' and no others'."""
    charts = [chart for chart in CHARTS.values() if chart.follows != WHOLE and chart.reads != COMPARISON]
    seen = set()
    for name, part in _PARTS:
        one = subject(name)
        inside = _inside(one, part)
        assert 3 < len(inside) < one.view("layers").num_rows / 2
        found = draw(one, inside, [chart.name for chart in charts])
        for chart in charts:
            own, where = found[chart.name], f"{name} {chart.name}"
            expected = _drawn_of_part(one, chart, inside)
            seen |= {chart.name} if "data" in expected else set()
            if chart.follows == SUMS:
                _assert_alike(own, expected, where)
                continue
            whole = drawn(partial(chart.draw_from, one.source(chart.reads)))
            points = [] if "missing" in whole else _points(whole, inside)
            assert _is_alike([] if "missing" in own else _points(own, range(10**6)), points), where
            if chart.name == "accuracy_time" and points:
                assert _is_alike(own["layout"]["annotations"], expected["layout"]["annotations"])
    assert seen == {chart.name for chart in charts}


def test_steps_between_two_runs_in_a_part(draw: Callable[..., dict[str, Any]]) -> None:
    """The difference in a part consists of what its regions' layers take in both runs, by kind of change."""
    base, one = subject("h200/resnet50-fp16"), subject("h200/resnet50-int8")
    compared = compare([base, one])
    assert compared.comparison is not None
    inside = _inside(one, "layer3")
    found = draw(one, inside, ["waterfall", "regions"], compared, base)
    expected = _waterfall_of_part(compared.comparison, inside)
    assert len(expected["data"][0]["y"]) > 3
    _assert_alike(found["waterfall"], expected, "waterfall")
    whole = drawn(lambda: CHARTS["regions"].draw_from(compared.comparison, 1))
    assert _is_alike(_points(found["regions"], range(10**6)), _points(whole, inside))


def test_the_page_spells_quantities_as_everything_does(browser: Any) -> None:
    """Times, sizes, shares and counts over all magnitudes read the same in the page's script and in Python."""
    values = [0.0, *(digit * 10.0**power for power in range(-9, 8) for digit in (1, 1.2346, 4.996, 9.9949, 9.996))]
    calls = "return arguments[0].map((v) => [timeText(v), signedTimeText(-v), sizeText(Math.round(v)), percentText(v), countText(Math.round(v), 'layer')])"
    found = browser.execute_script(_script(calls), values)
    for value, told in zip(values, found, strict=True):
        whole = floor(value + 0.5)
        expected = [
            quantities.duration(value), quantities.signed_duration(-value), quantities.byte_size(whole), quantities.percent(value),
            counted(whole, "layer", "layers"),
        ]  # fmt: skip
        assert told == expected, value

"""Charts as functions for notebooks: each gives a figure with its title, and says what the arrays of its traces hold."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

import trtlens.charts
from tests.golden.inputs import opened
from trtlens.charts import CHARTS, MissingData
from trtlens.charts.drawing.public import signature
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_LOOKS = re.compile(r"marker\.|hovertext|text(position)?$|node\.color")
_RUNS = {
    "(run, ...)": ("h200/mobilenet-batch-1", "h200/mobilenet-batch-8"),
    "(baseline, run)": ("h200/encoder-fp32", "h200/encoder-fp16"),
}
_OF_ONE = {
    "accuracy": "h200/resnet50-int8-compared",
    "accuracy_time": "h200/resnet50-int8-compared",
    "plan": "plans/tiny_encoder-rtx",
}
_USUAL = "h200/quantized-int8-traced"


@cache
def drawn(name: str) -> Figure:
    """The figure that the public function gives for runs of the fixtures."""
    runs = _RUNS.get(signature(CHARTS[name]), (_OF_ONE.get(name, _USUAL),))
    return getattr(trtlens.charts, name)(*(opened(run) for run in runs))


def arrays(content: dict[str, Any], above: str = "") -> set[str]:
    """Names of the arrays of a trace, dotted."""
    found: set[str] = set()
    for key, value in content.items():
        if isinstance(value, dict) and "bdata" not in value:
            found |= arrays(value, f"{above}{key}.")
        elif isinstance(value, (list, tuple, dict)) or hasattr(value, "tolist"):
            found.add(f"{above}{key}")
    return {one for one in found if not _LOOKS.search(one)}


@pytest.mark.parametrize("name", sorted(CHARTS))
def test_the_data_of_a_figure_is_documented(name: str) -> None:
    """Every array of its traces, looks and texts aside, has its meaning in the declaration, and nothing else has one."""
    found = {one for trace in drawn(name).data for one in arrays(trace.to_plotly_json())}
    assert found == set(CHARTS[name].data)
    assert all(drawn(name).data)
    assert CHARTS[name].title in drawn(name).layout.title.text


def test_the_functions_are_the_public_names() -> None:
    """Each chart is a function of the package with its question as documentation; other names are refused."""
    assert set(CHARTS) <= set(dir(trtlens.charts))
    assert (trtlens.charts.roofline.__doc__ or "").startswith(CHARTS["roofline"].question)
    with pytest.raises(AttributeError, match="there is no chart 'pie'"):
        _ = trtlens.charts.pie


def test_a_wrong_number_of_runs_is_refused() -> None:
    """A chart of one run takes one, a chart of a difference two."""
    run = opened("h200/encoder-fp16")
    with pytest.raises(TrtlensError, match=r"waterfall\(baseline, run\): 1 run was given"):
        trtlens.charts.waterfall(run)
    with pytest.raises(TrtlensError, match=r"memory\(run\): 2 runs were given"):
        trtlens.charts.memory(run, run)


def test_runs_of_one_name_are_told_apart() -> None:
    """Two runs of the same name are two points."""
    run = opened("h200/encoder-fp16")
    assert len(trtlens.charts.run_times(run, run).data[0].x) == 2


def test_many_runs_without_data_say_what_is_missing() -> None:
    """No figure of nothing."""
    killed, encoder = opened("h200/killed"), opened("h200/encoder-fp16")
    with pytest.raises(MissingData, match="trtlens profile"):
        trtlens.charts.run_times(killed)
    with pytest.raises(MissingData, match="no two runs differ in their batch alone"):
        trtlens.charts.batch_scaling(encoder, opened("h200/encoder-fp32"))

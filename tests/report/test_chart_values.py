"""What charts draw, value by value, where captured runs do not tell one way of drawing from another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.doubles.made_runs import MadeLayer, MadeRun, chain
from trtlens.charts import CHARTS
from trtlens.charts.figures import accuracy_time, timeline, units, waterfall
from trtlens.comparison import compare_runs
from trtlens.report.overview import card
from trtlens.report.subject import read_subject
from trtlens.views import accuracy, layers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.tables.schema import TableSpec


def rows_of(spec: TableSpec, *rows: dict[str, Any]) -> pa.Table:
    """A view's rows; what a row does not give is null."""
    return spec.table({column.name: [row.get(column.name) for row in rows] for column in spec.columns})


def layer_rows(units_and_times: Sequence[tuple[str | None, float]]) -> pa.Table:
    """Layers of these units and times, in FP16."""
    return rows_of(layers.COLUMNS, *(
        {"build": 1, "index": index, "name": f"layer {index}", "type": "CaskConvolution", "is_reformat": False, "precision": "fp16",
         "unit": unit, "time_ms": time_ms}
        for index, (unit, time_ms) in enumerate(units_and_times)
    ))  # fmt: skip


def test_error_against_time_draws_each_layer_once_among_its_precision() -> None:
    """Of two precisions each has the points of its own layers alone."""
    table = rows_of(accuracy.COLUMNS, *(
        {"build": 1, "index": index, "tensor": f"t{index}", "layer": f"layer {index}", "precision": precision, "error": 0.5,
         "error_added": added, "time_ms": time_ms, "layer_index": index}
        for index, (precision, added, time_ms) in enumerate([("fp16", 0.5, 0.002), ("int8", 0.25, 0.004), (None, 0.125, 0.008)])
    ))  # fmt: skip
    figure = accuracy_time.chart(table)
    drawn = {trace.name: (list(trace.x), list(trace.y), list(trace.customdata)) for trace in figure.data}
    assert drawn == {"fp16": ([2.0], [0.5], [0]), "int8": ([4.0], [0.25], [1]), "unknown": ([8.0], [0.125], [2])}


def test_the_latency_of_every_pass_is_drawn_in_a_colour_of_its_own() -> None:
    """Passes follow one another, one whose name is not known included, and no two look the same."""
    passes = ["timing", "timing", "latency", None]
    run = MadeRun(
        [], tables={"run_times": {"pass": passes, "iteration": [0, 1, 0, 0], "gpu_ms": [0.5, 0.625, 0.75, 0.875]}}
    )
    traces = CHARTS["latency"].draw(run.run()).data
    assert [(list(trace.x), list(trace.y)) for trace in traces] == [([0, 1], [500, 625]), ([2], [750]), ([3], [875])]
    assert [trace.name for trace in traces[:2]] == ["queued back to back", "one at a time"]
    assert len({trace.line.color for trace in traces}) == len(traces)


def test_a_share_is_written_into_its_bar_from_six_percent_on() -> None:
    """Below it the text would not fit."""
    figure = units.chart(layer_rows([("tensor core", 0.89), ("cuda core", 0.06), ("sparse core", 0.0), (None, 0.05)]))
    (trace,) = figure.data
    assert dict(zip(trace.y, trace.text, strict=True)) == {
        "tensor core": "fp16 89 %",
        "cuda core": "fp16 6 %",
        "core type unknown": "",
    }


@pytest.mark.parametrize(("extra", "step"), [(0.25, -250.0), (-0.25, 250.0)])
def test_what_is_not_aligned_is_a_step_of_its_own(extra: float, step: float) -> None:
    """A layer that one run alone holds is no part of any region, whichever run it is."""
    base, run = chain("a", "b"), chain("a", "b")
    (base if extra > 0 else run).append(chain("lone")[0])
    times = [np.full((len(side), 40), 0.5) for side in (base, run)]
    for side, values in zip((base, run), times, strict=True):
        if len(side) > 2:
            values[2] = abs(extra)
    comparison = compare_runs([MadeRun(base, times[0]).run("base"), MadeRun(run, times[1]).run("run")])
    figure = waterfall.chart(comparison, 1)
    (trace,) = figure.data
    named = dict(zip(figure.layout.xaxis.ticktext, trace.y, strict=True))
    assert named.get("not aligned", 0.0) + sum(value for name, value in named.items() if "as before" in name) == step


@pytest.mark.parametrize(("count", "width"), [(399, 0.88), (400, 1.0)])
def test_bars_of_the_timeline_touch_from_400_layers_on(count: int, width: float) -> None:
    """A gap between so many would be wider than a bar."""
    (trace,) = timeline.chart(layer_rows([("tensor core", 0.5)] * count)).data
    assert (len(trace.x), trace.width) == (count, width)


def test_shares_are_those_of_the_time_where_any_layer_has_one() -> None:
    """A layer without a time has no share of it; shares of the number of layers stand where no time is known at all."""
    layers = [MadeLayer("a"), MadeLayer("b", precision="int8", unit="cuda core")]
    texts = [card(read_subject(MadeRun(layers, profile=profile).run()), 0, None) for profile in ({"a": 0.5}, None)]
    assert [text.count("share of the time of the layers") for text in texts] == [2, 0]


def test_charts_of_differences_name_their_clock() -> None:
    """By samples of the layer profiler: at the axis of the whole and at that of the regions."""
    times = np.full((2, 20), 0.05)
    comparison = compare_runs(
        [MadeRun(chain("a", "b"), by * times).run(name) for name, by in (("one", 1.0), ("two", 1.5))]
    )
    assert (
        CHARTS["waterfall"]
        .draw_from(comparison, 1)
        .layout.yaxis.title.text.startswith("sum of the layers [µs], layer profiler")
    )
    assert CHARTS["regions"].draw_from(comparison, 1).layout.yaxis.title.text.endswith("<br>by the layer profiler")
    drawn = accuracy_time.chart(rows_of(accuracy.COLUMNS, {
        "build": 1, "index": 0, "tensor": "t", "layer": "a", "precision": "fp16", "error": 0.5, "error_added": 0.5, "time_ms": 0.002, "layer_index": 0,
        "time_source": "kernels",
    }))  # fmt: skip
    assert drawn.layout.xaxis.title.text == "time of the layer [µs], kernel trace"

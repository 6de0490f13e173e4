"""Layers explain a difference of inferences only where theirs is the same: said first, in every form, where it is not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.conftest import FIXTURES
from tests.doubles.made_runs import MadeRun, chain
from tests.golden.commands import say
from tests.golden.inputs import opened
from trtlens.charts import charts_of_comparison
from trtlens.comparison import Comparison, compare_runs
from trtlens.comparison.headlines import tell
from trtlens.comparison.inference_latency import Latencies, adds_up
from trtlens.comparison.result_tables import change_table, region_table
from trtlens.comparison.times import judge, judge_summary

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.usefixtures("fixtures_read_once")

H200 = FIXTURES / "h200"
FIRST = "The layers do not account for this"
CAPTURES = (("resnet50-fp16", "resnet50-int8"), ("resnet50-fp16-compared", "resnet50-int8-compared"))
"""Two captures of one question: the inferences differ by 96 and 93 µs, the layers by 305 and 120 µs."""


def made(layers_ms: Sequence[float], inference_ms: float | None) -> MadeRun:
    """Two layers without noise, and inferences of one time."""
    times = np.repeat(np.array(layers_ms)[:, None], 40, axis=1)
    return MadeRun(chain("a", "b"), times, inference_ms=[] if inference_ms is None else [inference_ms] * 40)


def compared(base: MadeRun, run: MadeRun) -> Comparison:
    return compare_runs([base.run("base"), run.run("run")])


def captured(names: Sequence[str]) -> Comparison:
    return compare_runs([opened(f"h200/{name}") for name in names], names=list(names))


def y_titles(comparison: Comparison) -> list[str]:
    return [chart.draw_from(comparison, number=1).layout.yaxis.title.text for chart in charts_of_comparison()]


def test_layers_that_add_up_explain_an_inference() -> None:
    """Layers that take 100 µs more of an inference that takes 100 µs more are its parts, and may be gained."""
    comparison = compared(made([0.3, 0.2], 0.5), made([0.45, 0.15], 0.6))
    told = tell(comparison)[0].sentences

    assert comparison.adds_up == (None, True)
    assert not any(FIRST in sentence for sentence in told)
    assert any(sentence.startswith("The layers' difference of +100 µs is made up of") for sentence in told)
    assert any(sentence.startswith("On the table") for sentence in told)
    assert not any("not" in title for title in y_titles(comparison))


def test_layers_that_do_not_add_up_explain_nothing() -> None:
    """Layers that take 300 µs more are not the 100 µs of an inference: said before any layer, and nothing is to gain."""
    comparison = compared(made([0.5, 0.3], 0.5), made([0.85, 0.25], 0.6))
    told = tell(comparison)[0].sentences

    assert comparison.adds_up == (None, False)
    assert told[0].startswith("One inference takes run 600 µs")
    assert told[1].startswith(f"{FIRST}: by the layer profiler they differ by +300 µs, the inferences by +100 µs")
    assert "its sums are 1.83 and 1.60 times an inference" in told[1]
    assert any(sentence.startswith("The layer profiler's difference of +300 µs is made up of") for sentence in told)
    assert any(sentence.startswith("By the layer profiler, of 2 regions: 1 faster, 1 slower") for sentence in told)
    assert not any(sentence.startswith("On the table") for sentence in told)
    assert all("not" in title for title in y_titles(comparison))


def test_an_inference_that_waits_for_the_host_is_no_sum_of_layers() -> None:
    """Differences of one size by accident: the GPU's time holds waits that no layer has."""
    waits: dict[str, list[Any]] = {
        "pass": ["timing"] * 40,
        "iteration": list(range(40)),
        "gpu_ms": [0.6] * 40,
        "enqueue_ms": [0.59] * 40,
    }
    comparison = compared(made([0.3, 0.2], 0.5), replace(made([0.45, 0.15], None), tables={"run_times": waits}))
    told = tell(comparison)[0].sentences

    assert comparison.adds_up == (None, False)
    assert told[1].startswith(f"{FIRST}: the GPU waited for the host in run (enqueueing takes 590 µs of 600 µs)")
    assert not any(sentence.startswith("On the table") for sentence in told)


def test_without_an_inference_it_is_not_known() -> None:
    """Where one run was not timed as a whole, how far its layers are stretched is unknown, and said."""
    comparison = compared(made([0.5, 0.3], 0.5), made([0.8, 0.3], None))

    assert comparison.adds_up == (None, None)
    assert any("No whole inference was timed in every run" in sentence for sentence in tell(comparison)[-1].sentences)


@pytest.mark.parametrize(
    ("inference_us", "layers_us", "expected"),
    [(100, 100, True), (100, 103, True), (100, 110, False), (100, -100, False), (-100, -104, True), (0, 3, True), (0, 9, False)],
)  # fmt: skip
def test_the_intervals_of_both_decide(inference_us: float, layers_us: float, *, expected: bool) -> None:
    """With an uncertainty of 3 and of 4 µs, differences that are 5 µs apart or less are one."""
    inference = judge(inference_us / 1000, 0.003 / 2.5758)
    layers = judge(layers_us / 1000, 0.004 / 2.5758)

    assert adds_up(Latencies(1.0 + inference_us / 1000, 1.0, inference), layers, 1.0) is expected


def test_summaries_count_within_five_percent() -> None:
    """Without samples 5 % of each baseline stand for its interval."""
    for layers_ms, expected in ((0.16, True), (0.18, False)):
        found = adds_up(Latencies(1.1, 1.0, None), judge_summary(layers_ms, 1.0, 1), 1.0)
        assert found is expected
    assert adds_up(None, judge_summary(0.1, 1.0, 1), 1.0) is None
    assert adds_up(Latencies(1.1, 1.0, None), None, 1.0) is None


@pytest.mark.parametrize("names", CAPTURES, ids=lambda names: names[0])
def test_two_captures_of_one_question_do_not_contradict(names: tuple[str, str]) -> None:
    """Both say that INT8 takes 1.18 to 1.19 times as long, and that the layers do not tell where."""
    comparison = captured(names)
    told = tell(comparison)[0].sentences

    assert ": 1.1" in told[0]
    assert "x slower" in told[0]
    assert told[1].startswith(FIRST)
    assert not any(sentence.startswith("On the table") for sentence in told)


def test_differences_between_processes_are_said_to_be_small() -> None:
    """What samples of 500 µs without noise tell apart beyond the timer, but two processes with one engine do too."""
    small, large = (
        tell(compared(made([0.25, 0.25], 0.5), made([0.25, 0.25], ms)))[0].sentences[0] for ms in (0.503, 0.52)
    )

    assert "0.6 % slower" in small
    assert "Two processes that time one engine can be 0.7 % apart" in small
    assert "4 % slower" in large
    assert "Two processes" not in large


def test_every_form_says_it_first() -> None:
    """Terminal, Markdown and JSON: before any layer or region."""
    names = CAPTURES[0]
    paths = [H200 / name for name in names]
    for form in ("table", "markdown"):
        text = " ".join(say("compare", *paths, "--format", form).out.split())
        assert text.index(FIRST) < text.index("/layer1/layer1.0")
    rows = json.loads(say("compare", *paths, "--format", "json").out)
    assert [row["kind"] for row in rows[:3]] == ["inference", "all layers", "precision"]
    assert rows[1]["words"].startswith("the layers do not account for the difference of an inference")
    assert {row["adds_up"] for row in rows} == {False}


def test_rows_say_whether_they_are_parts_of_an_inference() -> None:
    """Both tables carry the answer in each row of a run; the baseline has none."""
    comparison = compared(made([0.5, 0.3], 0.5), made([0.85, 0.25], 0.6))

    assert set(change_table(comparison)["adds_up"].to_pylist()) == {False}
    assert region_table(comparison)["adds_up"].to_pylist() == [None, False] * 2


@pytest.mark.parametrize(("run_ms", "small"), [(1007.0, True), (993.0, True), (1008.0, False), (992.0, False)])
def test_a_difference_within_that_of_two_processes_is_said_to_be_no_more(run_ms: float, *, small: bool) -> None:
    """0.7 % of an inference of a second, faster or slower; what is more stands without the remark."""
    comparison = compared(made([0.5, 0.5], 1000.0), made([0.5, 0.5], run_ms))
    told = " ".join(sentence for one in tell(comparison) for sentence in one.sentences)
    assert ("Two processes that time one engine can be 0.7 % apart" in told) is small

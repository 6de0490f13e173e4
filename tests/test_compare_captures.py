"""Three captures of one network: every microsecond is in a region, and the answers are those of the raw data."""

from __future__ import annotations

import json
import lzma
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pyarrow.compute as pc
import pytest

from tests.conftest import CAPTURES, captured, captured_log
from trtlens import Run, open_run
from trtlens.comparison import Comparison, compare_runs
from trtlens.comparison.figures import split_difference
from trtlens.comparison.headlines import tell
from trtlens.comparison.result_tables import CHANGE_COLUMNS, REGION_COLUMNS, change_table, region_table
from trtlens.comparison.times import NO_DIFFERENCE

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("fp32", "fp16", "int8")
MICROSECOND = 0.001


@cache
def compared(*names: str) -> Comparison:
    return compare_runs([captured(name) for name in names], names=names)


def raw_medians(name: str) -> dict[str, float]:
    """Median of each layer, straight from the captured file."""
    text = lzma.decompress((CAPTURES / name / "layer-times.json.xz").read_bytes()).decode("utf-8")
    return {layer: median(times) for layer, times in json.loads(text, strict=False).items()}


def test_all_profiled_time_is_in_regions() -> None:
    """The region table adds up to each run's profiled total, to the microsecond, and nothing is left over."""
    comparison = compared(*NAMES)
    rows = region_table(comparison).to_pylist()
    assert comparison.left == ()
    for name in NAMES:
        total = sum(row["time_ms"] for row in rows if row["run"] == name)
        assert abs(total - sum(raw_medians(name).values())) < MICROSECOND


def test_no_layer_is_in_two_regions_or_in_none() -> None:
    """Each engine layer of each run stands in exactly one region."""
    comparison = compared(*NAMES)
    for place, engine in enumerate(comparison.engines):
        found = sorted(position for row in comparison.rows for position in row.region.layers[place])
        assert found == list(range(len(engine.layers)))


def test_regions_are_no_larger_than_what_one_engine_fuses() -> None:
    """Each region is one engine layer's nodes in some run: nothing was joined that no engine has in one layer."""
    comparison = compared(*NAMES)
    for row in comparison.rows:
        held = [
            {node for node in engine.layers[position].onnx_nodes if node in row.region.nodes}
            for engine, positions in zip(comparison.engines, row.region.layers, strict=True)
            for position in positions
        ]
        assert set(row.region.nodes) in held
    assert comparison.alignment.largest == 3


def test_copies_of_biases_are_in_the_region_that_reads_them() -> None:
    """`Identity_43` copies the bias of one convolution: it is in that convolution's region, and so is its constant."""
    comparison = compared(*NAMES)
    for place, engine in enumerate(comparison.engines):
        reader = {name: layer for layer in engine.layers for name in layer.input_names}
        region = {position: row.number for row in comparison.rows for position in row.region.layers[place]}
        copies = [layer for layer in engine.layers if re.fullmatch(r"Identity_\d+", layer.name)]
        assert len(copies) == 47
        for copy in copies:
            constant = next(layer for layer in engine.layers if copy.input_names[0] in layer.output_names)
            assert region[copy.position] == region[reader[copy.output_names[0]].position] == region[constant.position]


def test_what_fp16_bought_over_fp32() -> None:
    """The difference and its parts are those of the raw medians: 2.76 to 0.86 ms, nearly all by computing in FP16."""
    comparison = compared("fp32", "fp16")
    before, after = raw_medians("fp32"), raw_medians("fp16")
    total = comparison.totals[1].difference
    assert total is not None
    assert total.diff_ms == pytest.approx(sum(after.values()) - sum(before.values()), abs=1e-9)
    assert total.verdict == "faster"
    largest = split_difference(comparison, 1)[0]
    assert (largest.kind, largest.before, largest.after, largest.regions) == ("compute", "fp32", "fp16", 55)
    # The average pooling alone computes in FP32 in both; copies and reformats are told apart from computing.
    kept = {layer for layer in before if not re.match(r"Identity_|Reformatting |onnx::|/avgpool", layer)}
    assert largest.base_ms == pytest.approx(sum(before[layer] for layer in kept), abs=1e-9)


def test_why_int8_is_slower_than_fp16() -> None:
    """Computing takes 47 us more in INT8; the copies' +98 us are a drift of the INT8 run, and blur the sum of all layers."""
    comparison = compared("fp16", "int8")
    before, after = raw_medians("fp16"), raw_medians("int8")
    parts = {part.kind: part for part in split_difference(comparison, 1) if part.before in {"fp16", None}}
    copies = sum(after[layer] - before[layer] for layer in before if re.fullmatch(r"Identity_\d+", layer))
    assert parts["constant"].difference.diff_ms == pytest.approx(copies, abs=1e-9)
    assert copies == pytest.approx(0.098, abs=MICROSECOND)
    assert parts["constant"].difference.verdict == NO_DIFFERENCE
    assert parts["compute"].difference.diff_ms == pytest.approx(0.0466, abs=MICROSECOND)
    assert parts["compute"].difference.verdict == "slower"
    told = "\n".join(sentence for section in tell(comparison) for sentence in section.sentences)
    assert "no difference seen (+142 µs" in told
    assert "slower kernel in int8 than in fp16" in told
    assert re.search(r"times of int8 drift: .* in copies of constants", told)


def test_parts_add_up_to_the_difference() -> None:
    """Computing, reformats and copies of constants make up the whole difference of aligned runs."""
    for other in ("fp16", "int8"):
        comparison = compared("fp32", other)
        total = comparison.totals[1].difference
        assert total is not None
        parts = sum(part.difference.diff_ms for part in split_difference(comparison, 1))
        assert parts == pytest.approx(total.diff_ms, abs=1e-9)


def test_changes_explain_every_difference_that_is_more_than_noise() -> None:
    """For each region that is slower or faster, its changes add up to its difference, the largest change first."""
    comparison = compared(*NAMES)
    rows = change_table(comparison).to_pylist()
    times = [abs(row["diff_ms"]) for row in rows if row["diff_ms"] is not None]
    assert times == sorted(times, reverse=True)
    for row in comparison.rows:
        for place in comparison.others:
            difference = row.cells[place].difference
            assert difference is not None
            if difference.verdict != NO_DIFFERENCE:
                of_region = [one for one in rows if one["region"] == row.number and one["run"] == NAMES[place]]
                assert sum(one["diff_ms"] or 0.0 for one in of_region) == pytest.approx(difference.diff_ms, abs=1e-9)


def test_every_view_has_its_declared_columns_and_key() -> None:
    """Columns never come and go, and the declared key identifies a row of the regions."""
    comparison = compared(*NAMES)
    assert region_table(comparison).schema == REGION_COLUMNS.schema
    assert change_table(comparison).schema == CHANGE_COLUMNS.schema
    keys = [(row["region"], row["run"]) for row in region_table(comparison).to_pylist()]
    assert len(keys) == len(set(keys)) == 55 * 3


def halves(run: Run, first: Callable[[int], bool]) -> tuple[Run, Run]:
    """Two runs of one engine, from the executions of one."""
    times = run["layer_times"]
    mask = pc.is_in(times["iteration"], value_set=pc.unique(times["iteration"]).filter(
        [first(number) for number in pc.unique(times["iteration"]).to_pylist()]
    ))  # fmt: skip
    one, other = (
        replace(run, tables={**run.tables, "layer_times": times.filter(keep)}) for keep in (mask, pc.invert(mask))
    )
    return one, other


@pytest.mark.parametrize("name", NAMES)
def test_two_runs_of_one_engine_show_no_difference(name: str) -> None:
    """Odd and even executions of one engine differ in at most one region of twenty, and not in all."""
    comparison = compare_runs(halves(captured(name), lambda number: number % 2 == 0), names=["even", "odd"])
    verdicts = [row.cells[1].difference.verdict for row in comparison.rows if row.cells[1].difference]
    assert len(verdicts) == len(comparison.rows)
    assert verdicts.count(NO_DIFFERENCE) >= 0.95 * len(verdicts)
    assert comparison.totals[1].difference is not None
    assert comparison.totals[1].difference.verdict == NO_DIFFERENCE


def test_logs_alone_stand_on_the_tuner_and_say_so() -> None:
    """Without profiles, times are those of the tactics that the tuner chose; they carry no interval and are called so."""
    runs = [captured_log(name) for name in ("fp32", "fp16")]
    comparison = compare_runs(runs, names=("fp32", "fp16"))
    rows = region_table(comparison).to_pylist()
    assert {row["time_source"] for row in rows} == {"tuner"}
    assert {row["low_ms"] for row in rows} == {None}
    assert {row["judged_on"] for row in rows if row["run"] == "fp16"} == {"tuner"}
    assert any(
        "times are the tuner's" in sentence.lower() for section in tell(comparison) for sentence in section.sentences
    )


def test_runs_without_common_times_are_not_compared_by_time() -> None:
    """A profiled run beside one whose log has no tuner times: alignment yes, differences none, and that is said."""
    bare = open_run(Path(__file__).parents[1] / "fixtures" / "alignment" / "releases" / "8.6.log")
    other = open_run(Path(__file__).parents[1] / "fixtures" / "alignment" / "releases" / "8.0.log")
    comparison = compare_runs([bare, other])
    assert all(row.cells[1].difference is None for row in comparison.rows)
    assert any("no times in common" in sentence for sentence in tell(comparison)[-1].sentences)

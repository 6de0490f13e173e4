"""Kernels that pad biases at every inference: told apart from those that compute, in regions and in whole comparisons."""

from __future__ import annotations

import json
import lzma
from dataclasses import replace
from functools import cache
from statistics import median
from typing import TYPE_CHECKING

import pyarrow.compute as pc
import pytest

from tests.conftest import FIXTURES
from tests.golden.inputs import opened
from trtlens.comparison import compare_runs
from trtlens.comparison.changes import list_changes
from trtlens.comparison.headlines import tell

if TYPE_CHECKING:
    from trtlens.comparison import Comparison
    from trtlens.runs.run import Run

NAME = "h200/quantized-int8-traced"


def padded_ms() -> float:
    """What the captured file says of them, counted by hand: the sum of each launch's median."""
    text = lzma.decompress((FIXTURES / NAME / "kernels-graph.jsonl.xz").read_bytes()).decode()
    rows = [json.loads(line) for line in text.splitlines()]
    launches = [row["kernel"] for row in rows if "kernel" in row]
    times = [row["duration_ns"] for row in rows if "duration_ns" in row]
    padding = [place for place, kernel in enumerate(launches) if "padBiasWeights" in kernel]
    assert len(padding) == 13
    return sum(median(row[place] for row in times) for place in padding) / 1e6


def without_padding(run: Run) -> Run:
    """The run as if its biases were constants of the engine."""
    launches, samples = run["kernel_launches"], run["kernel_samples"]
    kept = pc.invert(pc.match_substring(launches["kernel"].cast("string"), "padBiasWeights"))
    launches = launches.filter(kept)
    left = {(row["source"], row["launch"]) for row in launches.select(["source", "launch"]).to_pylist()}
    keys = samples.select(["source", "launch"]).to_pylist()
    samples = samples.filter([(row["source"], row["launch"]) in left for row in keys])
    return replace(run, tables={**run.tables, "kernel_launches": launches, "kernel_samples": samples})


@cache
def compared(*, gained: bool) -> Comparison:
    runs = [without_padding(opened(NAME)), opened(NAME)]
    names = ("constant", "padded")
    return compare_runs(runs if gained else runs[::-1], names=names if gained else names[::-1])


@pytest.mark.parametrize("gained", [True, False])
def test_all_that_changed_is_padding(*, gained: bool) -> None:
    """The sentence, the regions' changes and the total say what the file holds, and no kernel is called slower."""
    comparison, sign = compared(gained=gained), 1 if gained else -1
    changes = [row for row in list_changes(comparison) if row.kind == "bias padding"]
    assert len(changes) == 13
    assert sum(row.diff_ms or 0.0 for row in changes) == pytest.approx(sign * padded_ms())
    words = {row.words for row in changes}
    assert words == {"pads a bias at every inference" if gained else "pads no bias at every inference any more"}
    others = [row.diff_ms for row in list_changes(comparison) if row.region is not None and row.kind != "bias padding"]
    assert max((abs(diff or 0.0) for diff in others), default=0.0) < 1e-4  # medians of sums against sums of medians
    told = " ".join(tell(comparison)[0].sentences)
    assert "of computing is kernels that pad biases" in told
    assert "slower kernel" not in told


def test_a_run_beside_itself_has_no_padding_to_tell() -> None:
    """What did not change is not told."""
    comparison = compare_runs([opened(NAME), opened(NAME)], names=("a", "b"))
    assert comparison.totals[1].figures.padding_ms == pytest.approx(padded_ms())
    assert "pad biases" not in " ".join(tell(comparison)[0].sentences)

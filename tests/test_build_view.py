"""Where a build's time went: each part once, one total, one base for every share."""

from __future__ import annotations

import lzma
import re
from datetime import datetime
from typing import Any

import pytest

from tests.conftest import FIXTURES
from tests.doubles.made_logs import GENERATED, header, log, run_of, runner, tactic
from tests.golden.inputs import opened
from trtlens.runs.run import Run, open_run

LOGS = (
    "h200/resnet50-fp16",
    "releases/8.5-int8.log",
    "releases/5.1.log",
    "releases/10.16-strategies.log",
    "small-build/verbose.log",
)


def rows(run: Run, build: int = 1) -> list[dict[str, Any]]:
    """Rows of the view for one build."""
    return [row for row in run.view("build").to_pylist() if row["build"] == build]


@pytest.mark.parametrize("name", LOGS)
def test_parts_stand_once_and_add_up_to_the_total(name: str) -> None:
    """No part holds another, so that their shares are those of one whole; what came after the build has none."""
    found = rows(open_run(FIXTURES / name))
    parts = [row for row in found if row["kind"] == "part"]
    (total,) = (row for row in found if row["kind"] == "total")
    assert len({row["name"] for row in parts}) == len(parts)
    assert sum(row["seconds"] for row in parts) == pytest.approx(total["seconds"])
    assert sum(row["percent"] for row in parts) == pytest.approx(100)
    for row in found:
        share = None if row["kind"] == "after the build" else pytest.approx(100 * row["seconds"] / total["seconds"])
        assert row["percent"] == share, row["name"]


def test_the_parts_are_those_of_the_raw_log() -> None:
    """Counted from the raw lines: 60.3187 s of tactics and 0.0333 s of graph work in 70.0983 s of generation, 9 s before it."""
    raw = lzma.decompress((FIXTURES / "h200" / "resnet50-fp16" / "verbose.log.xz").read_bytes()).decode()
    stated = {
        name: float(seconds)
        for name, seconds in re.findall(
            r"(Graph construction|Graph optimization|selection|Engine generation)\D{1,20}([\d.]+) sec", raw
        )
    }
    stamps = [
        datetime.strptime(f"{text} +0000", "%m/%d/%Y-%H:%M:%S %z")
        for text in re.findall(r"^\[([\d/:-]{19})\]", raw, re.MULTILINE)
    ]
    found = {
        row["name"]: row["seconds"] for row in rows(opened("h200/resnet50-fp16")) if row["kind"] in {"total", "part"}
    }
    inner = stated["Graph construction"] + stated["Graph optimization"] + stated["selection"]
    assert found["tactic selection"] == stated["selection"] == 60.3187
    assert found["rest of engine generation"] == pytest.approx(stated["Engine generation"] - inner)
    whole = (stamps[-1] - stamps[0]).total_seconds()
    assert found["all parts of the build"] == pytest.approx(found["start"] + stated["Engine generation"])
    assert abs(found["all parts of the build"] - whole) <= 1.0


def test_generation_that_does_not_hold_the_tuning_is_a_part_of_its_own() -> None:
    """5.1 states 0.0312 s of engine generation behind 3.25 s of tactic selection."""
    parts = {row["name"]: row["seconds"] for row in rows(opened("releases/5.1")) if row["kind"] == "part"}
    assert parts == {"graph optimization": 0.00213, "tactic selection": 3.25, "engine generation": 0.0312}


def test_without_stamps_the_rest_of_the_build_is_a_part() -> None:
    """Python's logger has no stamps: trtexec's seconds for the whole hold those of the generation."""
    text = log(
        header("Float(784,784,28,1) -> Float(784,784,28,1)"), runner("conv"), tactic("kernel", 0x55, 0.01),
        "Formats and tactics selection completed in 1.5 seconds.", *GENERATED, "Engine built in 2.75 sec.",
    ).replace("[11/20/2026-22:01:26] [V] [TRT] ", "[TRT] [V] ")  # fmt: skip
    parts = {row["name"]: row["seconds"] for row in rows(run_of(text)) if row["kind"] == "part"}
    assert parts == {"tactic selection": 1.5, "rest of engine generation": 0.5, "rest of the build": 0.75}


@pytest.mark.parametrize("name", ["h200/resnet50-int8-compared", "h200/resnet50-best"])
def test_a_calibration_counts_once(name: str) -> None:
    """It is stated twice more: with the engine that it is made with in it, and within the graph construction of the engine's build."""
    run = opened(name)
    totals = {row["build"]: row["seconds"] for row in run.view("build").to_pylist() if row["kind"] == "total"}
    stamps = {row["build"]: row["finished_s"] - row["started_s"] for row in run["builds"].to_pylist()}
    assert totals == pytest.approx(stamps, abs=1.5)
    assert len(totals) == 2

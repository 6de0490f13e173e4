"""What the views say of captured runs is what the raw JSON files say, added up by other code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import FIXTURES
from tests.golden.inputs import FILES, opened
from tests.independent import profiles

if TYPE_CHECKING:
    from pathlib import Path

    from trtlens.runs.run import Run

PROFILED = [
    name
    for name, files in FILES.items()
    if any((folder / "layer-times.json.xz").exists() for folder in (files[0], files[0].parent))
]
TIMED = [name for name, files in FILES.items() if (files[0] / "times.json.xz").exists()]
STATIC = [name for name in PROFILED if name != "h200/mobilenet-fp16"]
"""Runs whose inspector states formats: under dynamic shapes 8.6 states none."""


def folder_of(name: str) -> Path:
    return FIXTURES / name


def last_build(run: Run, view: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run.view(view).to_pylist()
    return [row for row in rows if row["build"] == rows[-1]["build"]]


@pytest.mark.parametrize("name", STATIC)
def test_time_by_precision(name: str) -> None:
    """The layers that compute take as long in each precision as their kernels' names and raw times say."""
    counted = profiles.compute_time_by(profiles.layers(folder_of(name)), "precision")
    told = {
        row["precision"]: row["time_ms"] for row in last_build(opened(name), "precision") if row["work"] == "compute"
    }
    assert told == pytest.approx(counted)


@pytest.mark.parametrize("name", PROFILED)
def test_time_by_unit(name: str) -> None:
    """Likewise on tensor cores and on CUDA cores; what no name tells is unknown."""
    counted = profiles.compute_time_by(profiles.layers(folder_of(name)), "unit")
    told: dict[str | None, float] = {}
    for row in last_build(opened(name), "tensorcores"):
        if row["name"] is None:
            told[row["unit"]] = told.get(row["unit"], 0.0) + row["time_ms"]
    assert told == pytest.approx(counted)


@pytest.mark.parametrize("name", STATIC)
def test_reformats_by_class(name: str) -> None:
    """Reformats are of the class that the formats of their two tensors show, and take what the raw times say."""
    rows = profiles.layers(folder_of(name))
    if not any(row["LayerType"] == "Reformat" for row in rows):
        pytest.skip("an engine without reformats")
    layers = [row for row in opened(name)["layers"].to_pylist() if row["is_reformat"]]
    kinds = [row["reformat_kind"] for row in layers if row["build"] == layers[-1]["build"]]
    assert {kind: kinds.count(kind) for kind in kinds} == dict(profiles.reformats_by_class(rows))
    precisions = last_build(opened(name), "precision")
    moving = sum(row["time_ms"] for row in precisions if row["work"] == "reformat")
    assert moving == pytest.approx(profiles.reformat_ms(rows))


@pytest.mark.parametrize("name", PROFILED)
def test_slowest_layers(name: str) -> None:
    """The slowest layers are those with the largest medians, the slowest first."""
    told = [row["time_ms"] for row in last_build(opened(name), "slowest")]
    assert told == pytest.approx(profiles.slowest(profiles.layers(folder_of(name)), len(told)))


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize(
    ("file", "metric", "key"),
    [
        ("times", "gpu_compute_time", "gpu_ms"),
        ("times", "enqueue_time", "enqueue_ms"),
        ("latency-times", "latency", "host_ms"),
    ],
)
def test_percentiles(name: str, file: str, metric: str, key: str) -> None:
    """Mean, median, extremes and percentiles of each inference's times are those of the sorted raw samples."""
    samples = profiles.read(folder_of(name) / f"{file}.json.xz")["samples"]
    counted = profiles.sample_figures(samples, key)
    (told,) = [row for row in opened(name).view("latency").to_pylist() if row["metric"] == metric]
    assert {figure: told[figure] for figure in counted} == pytest.approx(counted)

"""The runs captured on an H200: the log and the inspector agree on every layer, and each run says what it is."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from tests.golden.inputs import opened
from trtlens.report.overview import card
from trtlens.report.subject import read_subject
from trtlens.runs.captured_tables import with_captured_facts
from trtlens.runs.run_info import info_of
from trtlens.summary import summarise
from trtlens.tables.declarations import TABLES
from trtlens_parsers.inspector import read_inspector
from trtlens_parsers.log import read_log

H200 = Path(__file__).parents[1] / "fixtures" / "h200"
BUILT = sorted(
    path.parent.name
    for path in H200.glob("*/layers.json.xz")
    if json.loads((path.parent / "run.json").read_text())["model"]["path"].endswith(".onnx")
)
"""Runs that built their engine; the log of one that loads an engine lists no layers."""


@pytest.mark.parametrize("name", BUILT)
def test_log_and_inspector_agree_on_every_layer(name: str) -> None:
    """Name, type, tactic, and the name and type of every tensor of every layer, in order."""
    log = read_log(lzma.decompress((H200 / name / "verbose.log.xz").read_bytes()))
    inspector = read_inspector(lzma.decompress((H200 / name / "layers.json.xz").read_bytes()).decode())
    printed = [row.layer for row in log.builds[-1].layers]
    assert [(x.name, x.type, x.tactic_id) for x in printed] == [(x.name, x.type, x.tactic_id) for x in inspector.layers]
    for ours, theirs in zip(printed, inspector.layers, strict=True):
        for side in ("inputs", "outputs"):
            tensors = [(t.name, t.format.dtype) for t in getattr(ours, side)]
            # under dynamic shapes the inspector of 8.6 states no type ("N/A due to dynamic shapes")
            known = [
                (t.name, t.format.dtype or mine) for t, (_, mine) in zip(getattr(theirs, side), tensors, strict=True)
            ]
            assert tensors == known, ours.name


@pytest.mark.parametrize("name", BUILT)
def test_every_layer_has_its_times(name: str) -> None:
    """Each layer that ran has a median of all its executions; their sum is within reach of the end-to-end time."""
    run = opened(f"h200/{name}")
    build = run["builds"]["build"].to_pylist()[-1]
    layers = [row for row in run.view("layers").to_pylist() if row["build"] == build]
    copies = (
        15 if name == "resnet50-fp16-traced" else 0
    )  # its trace of kernels has none of what copies without a kernel
    assert sum(row["time_ms"] is None for row in layers) == copies
    whole = next(row for row in run.view("latency").to_pylist() if row["metric"] == "gpu_compute_time")
    assert whole["samples"] >= 10
    assert 0.9 < sum(row["time_ms"] or 0.0 for row in layers) / whole["median"] < 2  # events between layers cost time


def test_calibration_is_told_from_the_engine() -> None:
    """An INT8 build logs two networks: the one that calibrates and the one that is kept."""
    builds = opened("h200/resnet50-int8")["builds"].to_pylist()
    assert [row["is_calibration"] for row in builds] == [True, False]
    assert all(row["gpu"] == "NVIDIA H200" for row in builds)


def test_pinned_layers_run_in_fp32() -> None:
    """Layers that were pinned to FP32 compute in FP32 or TF32, the others in FP16."""
    layers = opened("h200/resnet50-fp16-pinned")["layers"].to_pylist()
    convolutions = [row for row in layers if row["type"].endswith("Convolution") and "/Conv" in row["name"]]
    precisions: dict[bool, set[str | None]] = {True: set(), False: set()}
    for row in convolutions:
        precisions[row["name"].startswith("/layer4")].add(row["precision"])
    assert precisions[True] <= {"fp32", "tf32"}
    assert precisions[False] == {"fp16"}


def test_a_refused_model_is_explained() -> None:
    """A build that the parser refuses leaves a run whose errors have codes."""
    run = opened("h200/refused")
    assert run.info.status == "failed"
    codes = {row["code"] for row in run["messages"].to_pylist() if row["severity"] == "error"}
    assert {"plugin-not-found", "parse-failed"} <= codes


def test_a_killed_build_leaves_a_run_that_opens() -> None:
    """A build that was killed in the middle of its tuning has its candidates, and no engine is claimed."""
    run = opened("h200/killed")
    (build,) = run["builds"].to_pylist()
    assert not build["complete"]
    assert run["candidates"].num_rows > 3000
    assert run["layers"].num_rows == 0


def test_a_dry_queue_is_told() -> None:
    """Where launching takes longer than computing, the samples and the notes say that the GPU waited."""
    slow, quick = opened("h200/resnet50-int8-launch-bound"), opened("h200/resnet50-int8")
    assert any("ran dry" in note for note in slow.info.notes)
    dry = [row["queue_dry"] for row in slow["run_times"].to_pylist() if row["pass"] == "timing"]
    assert sum(dry) > 100
    medians = [
        next(row["median"] for row in run.view("latency").to_pylist() if row["metric"] == "gpu_compute_time")
        for run in (quick, slow)
    ]
    assert medians[0] < medians[1]


def test_calibration_leaves_a_scale_for_every_tensor() -> None:
    """The scales that calibration found, by tensor; constants, for which 0 is printed, have none; no line is left unread."""
    run = opened("h200/resnet50-int8")
    rows = [row for row in run["dynamic_ranges"].to_pylist() if row["origin"] == "calibration"]
    assert len(rows) == 180
    scales = {row["tensor"]: row["scale"] for row in rows}
    assert scales["data"] == 0.00787594
    assert scales["(Unnamed Layer* 0) [Constant]_output"] is None
    (unread,) = [row["lines"] for row in run["reading"].to_pylist() if row["kind"] == "unread"]
    assert unread == 0


def test_a_captured_run_says_who_built_it() -> None:
    """The log has trtexec's prefix; the run's own record tells that trtlens was the host."""
    assert set(opened("h200/resnet50-fp16")["builds"]["wrapper"].to_pylist()) == {"trtlens"}


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("resnet50-fp32", "FP32"), ("resnet50-fp16", "FP32+FP16"), ("resnet50-best", "FP32+FP16+INT8")],
)
def test_allowed_precisions_read_as_trtexec_prints_them(name: str, allowed: str) -> None:
    """FP32 is always allowed, and is all that is where no flag was given."""
    assert opened(f"h200/{name}")["builds"]["precision_flags"].to_pylist()[-1] == allowed


@pytest.mark.parametrize(
    ("changed", "is_build"),
    [
        ({"flags": {"strongly_typed": True}}, True),
        ({"flags": {"fp16": True}}, True),  # asked for, but the build ended before the builder was told
        ({"library": "tensorrt_rtx"}, True),
        ({"tensorrt_version": "11.0.0.1"}, True),
        ({}, False),
    ],
)
def test_precisions_that_no_flag_tells_stay_unknown(changed: dict[str, Any], is_build: bool) -> None:
    """Where the model's own types count, where nothing was said to the builder, and where the engine was loaded."""
    info = {
        "kind": "profile",
        "library": "tensorrt",
        "tensorrt_version": "8.6.0",
        "flags": {},
        "precision_flags": [],
    } | changed
    builds = TABLES["builds"].table({"build": [1], "is_build": [is_build]} | {
        column.name: [None] for column in TABLES["builds"].columns if column.name not in {"build", "is_build"}
    })  # fmt: skip
    assert with_captured_facts({"builds": builds}, info_of(info))["builds"]["precision_flags"].to_pylist() == [None]


@pytest.mark.parametrize(("name", "precision", "most"), [("fp16", "fp16", 0.01), ("int8", "int8", 0.2)])
def test_errors_find_their_layers_and_times(name: str, precision: str, most: float) -> None:
    """In a run that was compared and profiled every tensor that a convolution makes has error, precision and time."""
    run = opened(f"h200/resnet50-{name}-compared")
    rows = [row for row in run.view("accuracy").to_pylist() if row["verdict"] and "/layer" in row["tensor"]]
    assert len(rows) == 52
    assert {row["precision"] for row in rows} == {precision}
    assert all(row["time_ms"] > 0 and 0 < row["error"] < most for row in rows)
    pins = run.view("pins").to_pylist()
    assert len(pins) > 30
    assert all(pin["cost_ms"] is not None and pin["fp32_from"] == "tuner" for pin in pins)


def test_every_interval_of_a_run_of_several_processes_holds_their_spread() -> None:
    """The summary, the report's card and the chart say the same interval, of three processes, as run.json does."""
    run = opened("h200/transformer-fp16-traced")
    summary = next(fact.value for fact in summarise(run)[0].facts if fact.label == "GPU time")
    card_text = card(read_subject(run), 0, None)

    for text in (summary, card_text):
        assert "in a further process, with 99 % confidence" in text
        assert "this process alone" not in text

"""What charts of memory, of one traced inference and of many runs draw, held against the tables that they are made from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import trtlens.charts
from tests.golden.inputs import opened
from trtlens.engine.kernel_times import read_kernel_times
from trtlens.limits.memory_course import memory_course, weights_of_layers
from trtlens.runs.run import Run
from trtlens.tables.declarations import TABLES

_MIB = 2**20


def made(*layers: tuple[str, list[str], list[str]], size: int = 100) -> Run:
    """Layers of a type that read and write tensors, each tensor of so many bytes."""
    count = len(layers)
    tensors = [
        (place, direction, name)
        for place, (_, *sides) in enumerate(layers)
        for direction, names in zip(("input", "output"), sides, strict=True)
        for name in names
    ]
    columns: dict[str, dict[str, Any]] = {
        "builds": {"build": [1], "is_build": [True]},
        "layers": {"build": [1] * count, "index": list(range(count)), "name": [f"l{n}" for n in range(count)], "type": [one for one, _, _ in layers]},
        "layer_tensors": {
            "build": [1] * len(tensors), "layer_index": [one[0] for one in tensors], "direction": [one[1] for one in tensors],
            "position": [0] * len(tensors), "name": [one[2] for one in tensors], "bytes": [size] * len(tensors),
        },
    }  # fmt: skip
    tables = {name: spec.empty() for name, spec in TABLES.items()}
    for name, known in columns.items():
        rows = len(next(iter(known.values())))
        tables[name] = TABLES[name].table(
            {one.name: known.get(one.name, [None] * rows) for one in TABLES[name].columns}
        )
    return Run("made", tables)


def test_a_tensor_is_alive_from_its_maker_to_its_last_reader() -> None:
    """A skip connection is alive over the layers between; inputs, outputs and constants are not counted; a constant is its reader's weight."""
    run = made(
        ("Constant", [], ["bias"]),
        ("conv", ["x"], ["a"]),
        ("conv", ["a", "bias"], ["b"]),
        ("conv", ["b"], ["c"]),
        ("add", ["a", "c"], ["y"]),
    )
    assert [(one.index, one.alive_bytes, one.unknown) for one in memory_course(run, 1)] == [
        (1, 100, 0),
        (2, 200, 0),
        (3, 300, 0),
        (4, 200, 0),
    ]
    assert weights_of_layers(run, 1) == {2: 100}


def test_a_peak_of_activations_fits_what_tensorrt_states() -> None:
    """The peak is no more than the engine's activation memory, and most of it."""
    run = opened("h200/resnet50-fp16")
    (build,) = run["builds"].to_pylist()
    line = trtlens.charts.memory_course(run).data[-1]
    assert 0.85 < max(line.y) * _MIB / build["activation_bytes"] <= 1
    assert sum(weights_of_layers(run, 1).values()) == pytest.approx(2 * 25.5e6, rel=0.01)  # ResNet-50 has 25.5 million


def test_the_traced_inference_is_drawn_whole() -> None:
    """Kernels of all streams add up to the launches of one inference, gaps to what lies between, layers cover their kernels."""
    run = opened("h200/quantized-int8-traced")
    traced = read_kernel_times(run, run["builds"]["build"].to_pylist()[-1])
    assert traced is not None
    assert traced.gap_ms is not None
    layers, *kernels, gaps = trtlens.charts.kernel_timeline(run).data
    sums = traced.duration_ms.sum(axis=0)
    typical = int(np.argmin(np.abs(sums - np.median(sums))))
    assert sum(sum(bar.x) for bar in kernels) == pytest.approx(1000 * sums[typical], rel=1e-4)
    known = traced.gap_ms[:, typical]
    assert sum(gaps.x) == pytest.approx(1000 * known[known > 0].sum(), rel=1e-3)
    ends = [base + x for bar in kernels for base, x in zip(bar.base, bar.x, strict=True)]
    assert max(base + x for base, x in zip(layers.base, layers.x, strict=True)) <= max(ends) + 1e-6


def test_throughput_is_batch_over_median() -> None:
    """Three batch sizes on one line, and the dotted one grows with the batch from the smallest."""
    runs = [opened(f"h200/mobilenet-batch-{batch}") for batch in (1, 8, 32)]
    line, linear = trtlens.charts.batch_scaling(*runs).data
    medians = [
        np.median([row["gpu_ms"] for row in run["run_times"].to_pylist() if row["pass"] == "timing"]) for run in runs
    ]
    assert list(line.x) == [1, 8, 32]
    assert list(line.y) == pytest.approx(
        [1000 * batch / time for batch, time in zip((1, 8, 32), medians, strict=True)], rel=1e-4
    )
    assert linear.y[1] == pytest.approx(32 * line.y[0], rel=1e-4)
    points = trtlens.charts.run_times(*runs).data[0]
    assert list(points.x) == pytest.approx([1000 * time for time in medians], rel=1e-4)

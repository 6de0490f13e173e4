"""The view of memory in use: levels and changes of each step, the allocators' own apart."""

from __future__ import annotations

from tests.conftest import FIXTURES
from tests.doubles.made_logs import GENERATED, SELECTED, log, run_of
from trtlens.runs.run import open_run
from trtlens.views import VIEWS

MIB = 1 << 20
STEPS = (
    "[MemUsageChange] Init CUDA: CPU +20, GPU +6, now: CPU 35, GPU 526 (MiB)",
    "[MemUsageSnapshot] Builder begin: CPU 391 MiB, GPU 1196 MiB",
    "[MemUsageChange] Init builder kernel library: CPU -1, GPU +0, now: CPU 390, GPU 1196 (MiB)",
    "[MemUsageStats] Peak memory usage of TRT CPU/GPU memory allocators: CPU 52 MiB, GPU 2000 MiB",
    "[MemUsageStats] Peak memory usage during Engine building and serialization: CPU: 4096 MiB",
)


def test_each_step_has_its_level_and_change() -> None:
    """MiB as bytes; a level alone has no change, and the host's alone no GPU memory."""
    rows = run_of(log(*STEPS, "Original: 1 layers", *SELECTED, *GENERATED)).view("memory_use").to_pylist()
    known = [
        (row["counts"], row["cpu_change_bytes"], row["gpu_change_bytes"], row["cpu_bytes"], row["gpu_bytes"])
        for row in rows
    ]
    assert known == [
        ("in use", 20 * MIB, 6 * MIB, 35 * MIB, 526 * MIB),
        ("in use", None, None, 391 * MIB, 1196 * MIB),
        ("in use", -MIB, 0, 390 * MIB, 1196 * MIB),
        ("allocators", None, None, 52 * MIB, 2000 * MIB),
        ("allocators", None, None, 4096 * MIB, None),
    ]
    answer = VIEWS["memory_use"].answer
    assert answer is not None
    assert answer(rows) == (
        "At most 1.17 GiB of GPU memory were in use (Builder begin), 520 MiB at first; TensorRT's own allocators held 1.95 GiB at most"
    )


def test_lines_of_memory_alone_are_no_build() -> None:
    """A line behind trtexec's last one opens none; two builds of one log keep their own lines."""
    banner = "TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=m.onnx"
    built = log(f"&&&& RUNNING {banner}", "Original: 1 layers", *SELECTED, *GENERATED, f"&&&& PASSED {banner}")
    assert run_of(built + log(STEPS[0]))["builds"].num_rows == 1
    builds = open_run(FIXTURES / "releases" / "8.2-two-builds.log")
    assert builds.view("memory_use")["build"].to_pylist() == [1, 2]

"""Measures reading a trace of kernels: from the files to both tables, and to a view of it, in one process.

The trace is made: 1,000 launches of 500 layers, two each, with start and duration in 100 inferences, beside the engine's layers as the
inspector lists them. Run: ``python benchmarks/traces.py [LAUNCHES] [INFERENCES]``.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtlens import open_run

if TYPE_CHECKING:
    from collections.abc import Callable

_KERNEL = "sm80_xmma_fprop_implicit_gemm_f16f16_f16f16_f16_nhwckrsc_nhwc_tilesize128x64x64_stage3_warpsize2x2x1_g1_tensor16x8x16_t1r1s1"
_TIMES = 5


def make_engine(path: Path, layers: int) -> None:
    """Write the inspector's file of so many convolutions."""
    named = (
        {"Name": f"/layer{n}/conv", "LayerType": "CaskConvolution", "Inputs": [], "Outputs": [], "TacticName": _KERNEL}
        for n in range(layers)
    )
    path.write_text(json.dumps({"Layers": list(named)}))


def make_trace(path: Path, launches: int, inferences: int) -> int:
    """Write a trace in the form that trtlens writes; its bytes."""
    draw = random.Random(0)  # noqa: S311  numbers to measure with
    rows: list[dict[str, Any]] = [
        {"format": 1, "kernel_trace": "stream", "collector": "made", "kinds": ["kernel", "copy"]}
    ]
    shape = {"stream": 7, "grid": [16, 8, 1], "block": [128, 1, 1], "registers": 168, "shared_bytes": 81920}
    for launch in range(launches):
        kernel = f"{_KERNEL}_kernel_trt" if launch % 2 else "_ZN15genericReformat20copyVectorizedKernelEv"
        rows.append({"kernel": kernel, "range": f"/layer{launch // 2}/conv", **shape})
    start = 0
    for _ in range(inferences):
        durations = [draw.randrange(800, 20_000) for _ in range(launches)]
        starts = []
        for duration in durations:
            starts.append(start)
            start += duration + draw.randrange(200, 2_000)
        rows.append({"start_ns": starts, "duration_ns": durations})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path.stat().st_size


def timed(label: str, call: Callable[[], object]) -> None:
    """Print the fastest and the median seconds of a few calls."""
    taken = []
    for _ in range(_TIMES):
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    print(f"{label:<28} {min(taken):6.3f} s, median {statistics.median(taken):6.3f} s")


def measure(launches: int, inferences: int) -> None:
    """Measure one size."""
    with tempfile.TemporaryDirectory() as folder:
        engine, trace = Path(folder) / "layers.json", Path(folder) / "kernels-stream.jsonl"
        make_engine(engine, launches // 2)
        size = make_trace(trace, launches, inferences)
        print(f"{launches:,} launches x {inferences:,} inferences, {size / 1e6:.1f} MB")
        files = [str(engine), str(trace)]
        for table in ("kernel_launches", "kernel_samples"):
            timed(f"to {table}", lambda table=table: open_run(files)[table])
        for view in ("kernels_run", "inference", "layers"):
            timed(f"to the view {view}", lambda view=view: open_run(files).view(view))


if __name__ == "__main__":
    measure(*(map(int, sys.argv[1:3]) if len(sys.argv) > 2 else (1000, 100)))

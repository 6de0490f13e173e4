"""Timing and tracing in processes of their own on a real GPU: what they find agrees with each other and with the layers."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest

from benchmarks.timing_reference import build_convolutions
from trtlens.capture.backends.backend import Backend, find_backend, gpu_present
from trtlens.capture.building.logger import process_logger
from trtlens.capture.progress import silent
from trtlens.capture.recorder import create_recorder
from trtlens.capture.timing.engine_session import TimingOptions
from trtlens.capture.timing.processes import TimedEngine, time_in_processes
from trtlens.capture.tracing.traced_run import add_traces
from trtlens.errors import TrtlensError
from trtlens.runs.run import open_run

if TYPE_CHECKING:
    from trtlens.capture.timing.timing_result import TimingResult
    from trtlens.runs.run import Run

pytestmark = pytest.mark.gpu

LAYERS = 12


@pytest.fixture(scope="module")
def backend() -> Backend:
    if not gpu_present():
        pytest.skip("no GPU is visible to the CUDA driver")
    try:
        return find_backend()
    except TrtlensError as error:
        pytest.skip(error.message)


@pytest.fixture(scope="module")
def engine(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> TimedEngine:
    """Twelve convolutions, to be timed from a CUDA graph."""
    path = tmp_path_factory.mktemp("engine") / "convolutions.engine"
    path.write_bytes(build_convolutions(backend.trt, process_logger(backend.trt), layers=LAYERS))
    return TimedEngine(
        path, backend.name, TimingOptions(duration_ms=300, cuda_graph=True, latency_iterations=20, layer_iterations=20)
    )


@pytest.fixture(scope="module")
def timed(engine: TimedEngine, tmp_path_factory: pytest.TempPathFactory) -> TimingResult:
    return time_in_processes(engine, tmp_path_factory.mktemp("timed"), processes=3, progress=silent)


@pytest.fixture(scope="module")
def traced(engine: TimedEngine, tmp_path_factory: pytest.TempPathFactory) -> Run:
    if importlib.util.find_spec("cupti") is None:
        pytest.skip("cupti-python is not installed")
    recorder = create_recorder(tmp_path_factory.mktemp("trace") / "run", {"library": engine.library})
    add_traces(engine, recorder)
    recorder.finish("done")
    return open_run(recorder.folder)


def test_processes_agree(timed: TimingResult) -> None:
    """Medians of processes are within 5 %, each process was kept, and nothing is said of strangers on the GPU."""
    assert timed.gpu.processes == 3
    assert timed.gpu.median_low_ms is not None
    assert timed.gpu.median_high_ms is not None
    assert timed.gpu.median_low_ms < timed.gpu.median_ms < timed.gpu.median_high_ms
    assert timed.layers is not None
    assert not [
        note for note in timed.notes if "used this GPU" in note or "processes that load this engine differ" in note
    ]


def test_every_kernel_of_a_stream_stands_within_a_range(traced: Run) -> None:
    """A range for each launch, in order; the graph launches the same kernels."""
    rows = traced["kernel_launches"].to_pylist()
    stream = [row for row in rows if row["source"] == "stream"]
    graph = [row for row in rows if row["source"] == "graph"]

    assert len(stream) >= LAYERS / 2
    assert all(row["range"] for row in stream)
    assert [row["kernel"] for row in graph] == [row["kernel"] for row in stream]
    assert [row["layer"] for row in graph] == [row["layer"] for row in stream]
    assert all(row["graph_node"] for row in graph)
    assert {row["left_out"] for row in rows} == {0}


def test_kernels_and_gaps_are_the_inference(traced: Run, timed: TimingResult) -> None:
    """What the trace of the graph spans is the untraced inference within 10 %: tracing lengthens short kernels a little."""
    rows = [row for row in traced["kernel_samples"].to_pylist() if row["source"] == "graph"]
    spans = []
    for inference in sorted({row["inference"] for row in rows}):
        own = [row for row in rows if row["inference"] == inference]
        end = max(row["start_ns"] + row["duration_ns"] for row in own)
        spans.append((end - min(row["start_ns"] for row in own)) / 1e6)

    assert len(spans) == 50
    assert sorted(spans)[25] == pytest.approx(timed.gpu.median_ms, rel=0.1)

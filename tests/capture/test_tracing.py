"""Tracing an engine: whose kernels were recorded, what is written, and what is said where CUPTI refuses."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.capture.test_timing import QUICK, Rig
from tests.doubles.virtual_cupti import VirtualCupti
from tests.doubles.virtual_tensorrt import virtual_backend
from trtlens.capture.recorder import create_recorder
from trtlens.capture.timing.processes import TimedEngine
from trtlens.capture.tracing import traced_run
from trtlens.capture.tracing.collector import load_cupti
from trtlens.capture.tracing.traced_run import Traced, add_traces, trace_engine
from trtlens.errors import CaptureError
from trtlens_parsers.kernel_trace import (
    GRAPH,
    STREAM,
    KernelLaunch,
    KernelTrace,
    TracedInference,
    kernel_trace_text,
    read_kernel_trace,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr("trtlens.capture.backends.backend.gpu_present", lambda: True)
    return Rig(tmp_path)


def traced(rig: Rig, cupti: VirtualCupti, **options: Any) -> Traced:
    """The rig's engine traced on its virtual GPU."""
    engine = TimedEngine(rig.path, "tensorrt", replace(QUICK, **options))
    return trace_engine(engine, virtual_backend(rig.engine), cupti, rig.tools)


def test_each_launch_has_the_range_of_its_layer_and_its_nanoseconds(rig: Rig) -> None:
    """Kernels and copies stand in launch order with their layer's range; inferences before the trace do not count."""
    (trace,) = traced(rig, VirtualCupti(rig.gpu)).traces

    assert [(one.range, one.kernel, one.kind) for one in trace.launches] == [
        ("conv1", "sm80_conv", "kernel"), ("fc", "[CUDA memcpy DtoD]", "copy"), ("fc", "gemm", "kernel"),
    ]  # fmt: skip
    first = trace.launches[0]
    assert (first.grid, first.block, first.blocks, first.registers, first.shared_bytes, first.stream) == (
        (4, 2, 1), (128, 1, 1), 8, 90, 1040, 7,
    )  # fmt: skip
    assert trace.source == STREAM
    assert [one.duration_ns for one in trace.inferences] == [(4000, 1000, 2000)] * 50
    assert trace.left_out == 0


def test_a_graph_is_traced_only_where_the_engine_is_timed_from_one(rig: Rig) -> None:
    """Launches of the graph have nodes and no ranges."""
    stream, graph = traced(rig, VirtualCupti(rig.gpu), cuda_graph=True).traces

    assert (stream.source, graph.source) == (STREAM, GRAPH)
    assert [(one.graph_node, one.range) for one in graph.launches] == [(100, None), (101, None), (102, None)]
    assert (len(stream.inferences), len(graph.inferences)) == (10, 50)


def test_an_engine_that_cannot_be_captured_keeps_the_streams_trace(rig: Rig) -> None:
    """The reason is told."""
    assert rig.engine is not None
    rig.engine.refuses_capture = True

    found = traced(rig, VirtualCupti(rig.gpu), cuda_graph=True)

    assert [one.source for one in found.traces] == [STREAM]
    assert found.note is not None
    assert found.note.startswith("kernels were traced from a stream alone: ")


def test_everything_is_given_back(rig: Rig) -> None:
    """No memory, stream or graph is left, and CUPTI records nothing any more."""
    cupti = VirtualCupti(rig.gpu)

    traced(rig, cupti, cuda_graph=True)

    assert rig.gpu.leftovers == (0, 0, 0, 0)
    assert cupti.enabled == []


def test_a_refusal_carries_cuptis_words(rig: Rig) -> None:
    """Another profiler that is attached is the usual reason."""
    with pytest.raises(CaptureError, match=r"CUPTI does not record \(MULTIPLE_SUBSCRIBERS\): another profiler"):
        traced(rig, VirtualCupti(rig.gpu, refusal="MULTIPLE_SUBSCRIBERS"))


def test_records_that_cannot_be_read_are_no_trace(rig: Rig) -> None:
    """CUPTI drops what its callback raises: it is raised where the records are wanted."""
    cupti = VirtualCupti(rig.gpu)
    cupti.lacks = "registers_per_thread"

    with pytest.raises(AttributeError, match="registers_per_thread"):
        traced(rig, cupti)


def test_an_engine_without_kernels_has_no_trace(rig: Rig) -> None:
    """Nothing is made up where nothing was recorded."""
    with pytest.raises(CaptureError, match="the trace of a stream is of no use"):
        traced(rig, VirtualCupti(rig.gpu, layers=()))


def test_a_missing_package_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """cupti-python is an extra."""
    monkeypatch.setitem(__import__("sys").modules, "cupti.cupti", None)

    with pytest.raises(CaptureError, match=r"needs cupti-python .*trtlens\[trace\]"):
        load_cupti()


def test_traces_are_put_into_the_run_compressed(rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What was traced in the other process is read back as it was."""
    found = traced(rig, VirtualCupti(rig.gpu), cuda_graph=True)
    monkeypatch.setattr(traced_run, "in_own_process", lambda *_: found)
    recorder = create_recorder(tmp_path / "traced", {})

    add_traces(TimedEngine(rig.path, "tensorrt", QUICK), recorder)

    for trace in found.traces:
        text = gzip.decompress(recorder.path(f"kernels-{trace.source}.jsonl.gz").read_bytes()).decode()
        assert read_kernel_trace(text) == trace


WHOLE = st.integers(0, 2**40)
AXES = st.tuples(*[st.integers(1, 1024)] * 3)
LAUNCHES = st.builds(
    lambda grid, blocks, **known: KernelLaunch(
        grid=grid, blocks=blocks if grid is None else grid[0] * grid[1] * grid[2], **known
    ),
    grid=st.none() | AXES,
    blocks=st.none() | WHOLE,
    kernel=st.text(max_size=20),
    kind=st.sampled_from(["kernel", "copy", "fill"]),
    range=st.none() | st.text(max_size=20),
    stream=st.none() | WHOLE,
    block=st.none() | AXES,
    registers=st.none() | WHOLE,
    shared_bytes=st.none() | WHOLE,
    graph_node=st.none() | WHOLE,
)


@given(st.lists(LAUNCHES, min_size=1, max_size=4), st.data())
def test_a_written_trace_is_read_as_it_was(launches: list[KernelLaunch], data: st.DataObject) -> None:
    """Whatever the names hold, and whatever is unknown."""
    values = st.lists(WHOLE, min_size=len(launches), max_size=len(launches)).map(tuple)
    inferences = data.draw(st.lists(st.builds(TracedInference, values, st.none() | values), min_size=1, max_size=3))
    trace = KernelTrace(STREAM, "a collector", ("kernel",), tuple(launches), tuple(inferences))

    assert read_kernel_trace(kernel_trace_text(trace)) == trace

"""Work in processes of its own: answers, errors and crashes; and an engine timed in several of them."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.capture.test_timing import QUICK, Rig
from tests.doubles.virtual_tensorrt import virtual_backend
from trtlens.capture.own_process import ProcessTraceback, in_own_process
from trtlens.capture.progress import silent
from trtlens.capture.timing import processes, timed_run
from trtlens.capture.timing.processes import TimedEngine, time_in_processes
from trtlens.errors import CaptureError, TrtlensError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trtlens.capture.timing.timing_result import TimingResult


def _act(what: str) -> int:
    """What the other process does."""
    if what == "refuse":
        raise TrtlensError("no such engine: build it first")
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "exit":
        os._exit(7)
    return os.getpid()


def test_an_answer_comes_from_another_process() -> None:
    """And nothing of that process is left."""
    other = in_own_process("answered", _act, "answer")

    assert other != os.getpid()
    with pytest.raises(ProcessLookupError):
        os.kill(other, 0)


@pytest.mark.parametrize(
    ("what", "error", "told"),
    [
        ("refuse", TrtlensError, "no such engine: build it first"),
        ("crash", CaptureError, "the process that timed the engine was ended by SIGSEGV before it was done"),
        ("exit", CaptureError, "the process that timed the engine exited with code 7 before it was done"),
    ],
)
def test_what_goes_wrong_there_is_raised_here(what: str, error: type[TrtlensError], told: str) -> None:
    """An error with its traceback; a crash by its signal, and this process lives on."""
    with pytest.raises(error) as raised:
        in_own_process("timed the engine", _act, what)

    assert type(raised.value) is error
    assert raised.value.message == told
    assert isinstance(raised.value.__cause__, ProcessTraceback) == (what == "refuse")


# -- an engine in several processes ----------------------------------------------------------------------------------


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr("trtlens.capture.backends.backend.gpu_present", lambda: True)
    return Rig(tmp_path)


@pytest.fixture
def timed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TimingResult]:
    """Times the rig's engine in as many "processes" as there are medians [ns]; None is one that crashes."""

    def time(*medians: int | None, layers: bool = True, graph: bool = True) -> TimingResult:
        waiting = [*medians, *(median for median in medians if median is not None)]

        def play(purpose: str, function: Any, engine: TimedEngine) -> Any:
            if purpose == "timed the layers":
                if not layers:
                    raise CaptureError("the process that timed the layers was ended by SIGSEGV before it was done")
                return function(engine)
            if purpose == "timed the CUDA graph" and not graph:
                raise CaptureError("the process that timed the CUDA graph was ended by SIGSEGV before it was done")
            median = waiting.pop(0)
            if median is None:
                raise CaptureError("the process that timed the engine was ended by SIGSEGV before it was done")
            assert rig.engine is not None
            rig.engine.gpu_ns = lambda number: median + 100 * (number % 7)
            return function(engine)

        monkeypatch.setattr(processes, "in_own_process", play)
        monkeypatch.setattr(processes, "find_backend", lambda _: virtual_backend(rig.engine))
        monkeypatch.setattr(timed_run, "_real_instruments", lambda _: rig.tools)
        rig.out.mkdir(exist_ok=True)
        engine = TimedEngine(rig.path, "tensorrt", replace(QUICK, iterations=70))
        return time_in_processes(engine, rig.out, processes=len(medians), progress=silent)

    return time


def test_the_median_is_that_of_the_processes_and_the_interval_holds_their_spread(
    rig: Rig, timed: Callable[..., TimingResult]
) -> None:
    """One process of five that takes 8 % longer does not move the median, and widens the interval to hold it."""
    result = timed(500_000, 501_000, 540_000, 499_000, 500_000)

    assert result.gpu.median_ms == pytest.approx(0.5003)
    assert result.gpu.processes == 5
    assert result.gpu.count == 350
    assert result.gpu.median_low_ms is not None
    assert result.gpu.median_high_ms is not None
    spread = float(np.std([0.5003, 0.5013, 0.5403, 0.4993, 0.5003], ddof=1))
    half = 4.6041 * spread * (1 + np.pi / 2 / 5) ** 0.5  # Student's 99 % for four degrees of freedom
    assert (result.gpu.median_low_ms, result.gpu.median_high_ms) == pytest.approx((0.5003 - half, 0.5003 + half))
    assert any(
        note.startswith("processes that load this engine differ: ") and "8.2 % apart" in note for note in result.notes
    )
    samples = rig.read("times.json")["samples"]
    assert [one["process"] for one in samples] == [number for number in range(1, 6) for _ in range(70)]
    assert [one["gpu_ms"] for one in samples] == pytest.approx(result.samples.gpu_ms)
    assert rig.read("times.json")["header"]["processes"] == 5
    json.dumps(result.summary())


def test_waiting_callers_are_timed_once_and_layers_in_a_process_of_their_own(
    rig: Rig, timed: Callable[..., TimingResult]
) -> None:
    """The latency of single inferences comes from the first process, the layers from the last."""
    result = timed(500_000, 500_000)

    assert result.latency_samples is not None
    assert len(result.latency_samples) == QUICK.latency_iterations
    assert result.layers is not None
    assert len(result.layers.times_ms) == QUICK.layer_iterations
    assert result.layer_sum_ratio == pytest.approx(0.7 / result.gpu.median_ms)
    assert (rig.out / "layer-times.json").exists()


def test_a_process_that_crashes_is_told_and_the_others_are_kept(timed: Callable[..., TimingResult]) -> None:
    """Its number is told; the latency comes from the first that lived."""
    result = timed(None, 500_000, 500_000)

    assert result.gpu.processes == 2
    assert result.latency is not None
    assert result.notes[0] == (
        "process 1 of 3 did not time the engine: the process that timed the engine was ended by SIGSEGV before it was done"
    )


def test_layers_that_crash_leave_the_whole(timed: Callable[..., TimingResult]) -> None:
    """The whole inference is known by then."""
    result = timed(500_000, 500_000, layers=False)

    assert result.layers is None
    assert (
        "layers were not timed: the process that timed the layers was ended by SIGSEGV before it was done"
        in result.notes
    )


def test_an_engine_that_no_process_can_time_is_an_error(timed: Callable[..., TimingResult]) -> None:
    """Nothing is written then."""
    with pytest.raises(CaptureError, match="SIGSEGV"):
        timed(None, None)


def test_an_engine_that_waits_for_the_host_is_timed_from_a_cuda_graph_as_well(
    rig: Rig, timed: Callable[..., TimingResult]
) -> None:
    """Its enqueueing takes longer than its kernels: the graph's time stands beside that which holds the waiting."""
    assert rig.engine is not None
    rig.engine.enqueue_ns = lambda _: 900_000

    result = timed(500_000, 500_000)

    assert result.gpu.median_ms > 0.8
    assert result.graph is not None
    assert result.graph.median_ms == pytest.approx(0.5003, rel=1e-3)
    assert result.graph.processes == 2
    kept = rig.read("graph-times.json")
    assert (kept["header"]["pass"], kept["header"]["cuda_graph"]) == ("graph", True)
    assert result.header["cuda_graph"] is False
    assert result.summary()["graph"]["median_ms"] == result.graph.median_ms


@pytest.mark.parametrize("reason", ["does not wait", "cannot be captured", "crashes"])
def test_without_need_or_way_there_is_no_time_of_a_graph(
    rig: Rig, timed: Callable[..., TimingResult], reason: str
) -> None:
    """An engine that keeps the GPU busy needs none; one that cannot be captured, or whose process crashes, has none."""
    assert rig.engine is not None
    rig.engine.enqueue_ns = lambda _: 40_000 if reason == "does not wait" else 900_000
    rig.engine.refuses_capture = reason == "cannot be captured"

    result = timed(500_000, 500_000, graph=reason != "crashes")

    assert result.graph is None
    assert not (rig.out / "graph-times.json").exists()
    assert any(note.startswith("not timed from a CUDA graph as well: ") for note in result.notes) == (
        reason == "crashes"
    )


def test_what_all_processes_say_is_told_once(rig: Rig, timed: Callable[..., TimingResult]) -> None:
    """And what one says, with its number."""
    assert rig.engine is not None
    rig.engine.streamable_weights_size = 100
    rig.engine.weight_streaming_budget_v2 = 40

    result = timed(500_000, 500_000)

    assert len([note for note in result.notes if note.startswith("weights are streamed")]) == 1

"""Timing on a real GPU: against a loop of its own, with graphs, batches, odd outputs and formats."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from benchmarks.timing_reference import TOLERANCE, build_convolutions, compare, leave_out_libraries
from trtlens.capture.backends.backend import Backend, find_backend, gpu_present
from trtlens.capture.backends.doctor import examine
from trtlens.capture.building.logger import process_logger
from trtlens.capture.timing.engine_session import TimingOptions
from trtlens.capture.timing.timed_run import time_engine
from trtlens.errors import CaptureError, TrtlensError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.gpu

OPTIONS = TimingOptions(duration_ms=500, layer_iterations=30, latency_iterations=50)


@pytest.fixture(scope="module")
def backend() -> Backend:
    if not gpu_present():
        pytest.skip("no GPU is visible to the CUDA driver")
    try:
        return find_backend()
    except TrtlensError as error:
        pytest.skip(error.message)


@pytest.fixture(scope="module")
def convolutions(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An engine of 20 convolutions on batch 8, around a millisecond on a large GPU."""
    path = tmp_path_factory.mktemp("engine") / "convolutions.engine"
    path.write_bytes(build_convolutions(backend.trt, process_logger(backend.trt)))
    return path


def _build(backend: Backend, path: Path, define: Callable[[Any, Any, Any, Any], None]) -> Path:
    """Build what `define(trt, builder, network, config)` puts into a network, and save the plan."""
    trt = backend.trt
    builder = trt.Builder(process_logger(trt))
    flag = getattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
    network = builder.create_network(0 if flag is None else 1 << int(flag))
    config = builder.create_builder_config()
    leave_out_libraries(trt, config)
    define(trt, builder, network, config)
    path.write_bytes(bytes(builder.build_serialized_network(network, config)))
    return path


def test_the_median_is_that_of_an_independent_loop(backend: Backend, convolutions: Path) -> None:
    """The package and a loop that shares no code with it agree within 3 % on the same engine."""
    ours, reference = compare(backend, convolutions.read_bytes(), count=1000)

    assert ours == pytest.approx(reference, rel=TOLERANCE)


def test_the_queue_stays_full(backend: Backend, convolutions: Path, tmp_path: Path) -> None:
    """For an engine that keeps the GPU busy longer than the host, next to no sample waits for the host."""
    result = time_engine(convolutions, backend, OPTIONS, tmp_path)

    assert result.samples.queue_dry.mean() < 0.01
    assert result.latency is not None
    assert result.latency.median_ms > result.gpu.median_ms


def test_layers_are_timed_by_name(backend: Backend, convolutions: Path, tmp_path: Path) -> None:
    """Every execution reports the same layers, their sum is near the whole, and the file holds them."""
    result = time_engine(convolutions, backend, OPTIONS, tmp_path)

    assert result.layers is not None
    assert result.layers.left_out == 0
    assert len(result.layers.layers) >= 1
    assert result.layer_sum_ratio == pytest.approx(1, abs=0.6)
    saved = json.loads((tmp_path / "layer-times.json").read_text())
    assert saved["layers"] == list(result.layers.layers)
    assert [len(row) for row in saved["times_ms"]] == [len(saved["layers"])] * len(saved["times_ms"])


def test_clocks_are_recorded_around_the_passes(backend: Backend, convolutions: Path, tmp_path: Path) -> None:
    """NVML names the GPU and its clocks before and after the timing."""
    result = time_engine(convolutions, backend, OPTIONS, tmp_path)

    if result.monitor_reason is not None:
        pytest.skip(result.monitor_reason)
    assert len(result.readings) == 5
    assert all(reading.sm_clock_mhz for reading in result.readings)


def test_a_cuda_graph_times_the_same_engine(backend: Backend, convolutions: Path, tmp_path: Path) -> None:
    """A captured inference is no slower than an enqueued one, and is enqueued faster."""
    plain = time_engine(convolutions, backend, OPTIONS, tmp_path / "plain")
    graph = time_engine(convolutions, backend, replace(OPTIONS, cuda_graph=True), tmp_path / "graph")

    assert graph.header["cuda_graph"] is True
    assert graph.gpu.median_ms <= plain.gpu.median_ms * 1.05
    assert graph.latency_samples is not None
    assert plain.latency_samples is not None
    assert np.median(graph.latency_samples.enqueue_ms) < np.median(plain.latency_samples.enqueue_ms)


def test_an_output_of_unknown_shape_is_timed(backend: Backend, tmp_path: Path) -> None:
    """The positions of non-zero values are as many as the data has: TensorRT asks for the memory while it runs."""

    def define(trt: Any, builder: Any, network: Any, config: Any) -> None:
        # 8.6.0 makes no context for such an engine if its input is static
        network.mark_output(network.add_non_zero(network.add_input("x", trt.float32, (-1, 64))).get_output(0))
        profile = builder.create_optimization_profile()
        profile.set_shape("x", (1, 64), (64, 64), (128, 64))
        config.add_optimization_profile(profile)

    engine = _build(backend, tmp_path / "nonzero.engine", define)
    result = time_engine(engine, backend, OPTIONS, tmp_path / "run")

    assert list(result.output_shapes.values()) == [None]
    assert result.gpu.median_ms > 0


def test_a_shape_tensor_input_is_fed_from_host_memory(backend: Backend, tmp_path: Path) -> None:
    """The size of a resize is an input of its own: its usual values, or the given ones, decide the output."""

    def define(trt: Any, builder: Any, network: Any, config: Any) -> None:
        image = network.add_input("image", trt.float32, (1, 3, 32, 32))
        size = network.add_input("size", trt.int32, (4,))
        layer = network.add_resize(image)
        layer.set_input(1, size)
        network.mark_output(layer.get_output(0))
        profile = builder.create_optimization_profile()
        profile.set_shape_input("size", (1, 3, 16, 16), (1, 3, 64, 64), (1, 3, 128, 128))
        config.add_optimization_profile(profile)

    engine = _build(backend, tmp_path / "resize.engine", define)
    wanted = time_engine(engine, backend, replace(OPTIONS, shapes={"size": (1, 3, 128, 96)}), tmp_path / "wanted")
    assert list(wanted.output_shapes.values()) == [(1, 3, 128, 96)]

    if hasattr(backend.trt.ICudaEngine, "get_profile_shape_input"):  # tells as many values as there are dimensions
        with pytest.raises(TrtlensError, match="give its values with --shapes"):
            time_engine(engine, backend, OPTIONS, tmp_path / "usual")
        return
    usual = time_engine(engine, backend, OPTIONS, tmp_path / "usual")
    assert list(usual.output_shapes.values()) == [(1, 3, 64, 64)]


def test_a_vectorized_input_is_timed(backend: Backend, tmp_path: Path) -> None:
    """An FP16 input in HWC8, whose 3 channels take the room of 8, is bound and runs."""
    if not backend.has_precision_flags:
        pytest.skip("this TensorRT has no FP16 flag to build the engine with")

    def define(trt: Any, _builder: Any, network: Any, config: Any) -> None:
        config.set_flag(trt.BuilderFlag.FP16)
        image = network.add_input("image", trt.float16, (2, 3, 64, 64))
        image.allowed_formats = 1 << int(trt.TensorFormat.HWC8)
        kernel = np.full((16, 3, 3, 3), 0.1, np.float16)
        layer = network.add_convolution_nd(image, 16, (3, 3), kernel, np.zeros(16, np.float16))
        network.mark_output(layer.get_output(0))

    engine = _build(backend, tmp_path / "hwc8.engine", define)

    assert time_engine(engine, backend, OPTIONS, tmp_path / "run").gpu.median_ms > 0


def test_a_tiny_engine_tells_that_the_queue_ran_dry(backend: Backend, tmp_path: Path) -> None:
    """An engine of a few microseconds cannot be enqueued fast enough without a graph, and the result says so."""

    def define(trt: Any, _builder: Any, network: Any, _config: Any) -> None:
        tensor = network.add_input("x", trt.float32, (1, 16))
        network.mark_output(network.add_activation(tensor, trt.ActivationType.RELU).get_output(0))

    engine = _build(backend, tmp_path / "tiny.engine", define)
    result = time_engine(engine, backend, OPTIONS, tmp_path / "run")

    assert result.samples.queue_dry.mean() > 0.5
    assert any("the queue ran dry" in note for note in result.notes)


def test_a_file_that_is_no_engine_is_told_with_tensorrts_words(backend: Backend, tmp_path: Path) -> None:
    """TensorRT's own error about the plan reaches the user, and the process lives on."""
    path = tmp_path / "odd.engine"
    path.write_bytes(b"not a plan" * 100)

    with pytest.raises(CaptureError, match=r"odd\.engine is no engine.*TensorRT says"):
        time_engine(path, backend, OPTIONS, tmp_path)


@pytest.mark.usefixtures("backend")
def test_the_doctor_sees_the_gpu() -> None:
    """On this machine there is a GPU, and engines can be built on it."""
    report = examine()

    assert next(finding for finding in report if finding.item == "GPU 0").state == "ok"
    assert next(finding for finding in report if finding.item == "driver").value

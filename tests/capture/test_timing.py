"""Timing an engine on a virtual GPU: what is queued, what counts, what is written, and what is told in doubt."""

from __future__ import annotations

import gc
import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.doubles.virtual_gpu import NvmlError, VirtualGpu, VirtualNvml, VirtualRuntime
from tests.doubles.virtual_tensorrt import Tensor, VirtualEngine, virtual_backend
from trtlens.capture.backends.cuda import Cuda, load_cuda
from trtlens.capture.backends.gpu import NoMonitor, NvmlMonitor, open_monitor
from trtlens.capture.models.inputs import InputRecipe, Range
from trtlens.capture.timing.engine_session import TimingOptions
from trtlens.capture.timing.launch_queue import Extent, LaunchQueue
from trtlens.capture.timing.passes import Instruments
from trtlens.capture.timing.timed_run import time_engine
from trtlens.errors import CaptureError, TrtlensError
from trtlens_parsers.captured import GpuReading

if TYPE_CHECKING:
    from collections.abc import Callable

    from trtlens.capture.timing.timing_result import TimingResult

SURFACES = Path(__file__).parents[2] / "fixtures" / "tensorrt-api"
RELEASES = sorted(path.stem for path in SURFACES.glob("*.json"))
STATIC = [Tensor("x", is_input=True, profiles=(((1, 4), (1, 4), (1, 4)),)), Tensor("y", is_input=False)]
DYNAMIC = [
    Tensor("x", is_input=True, shape=(-1, 4), profiles=(((1, 4), (2, 4), (4, 4)), ((8, 4), (8, 4), (32, 4)))),
    Tensor("y", is_input=False, shape=(-1, 2)),
]
QUICK = TimingOptions(
    warmup_ms=0, warmup_count=5, duration_ms=0, iterations=50, latency_iterations=20, layer_iterations=7
)


@dataclass
class Rig:
    """One virtual GPU with an engine on it, and the folder that the engine file and the results lie in."""

    folder: Path
    gpu: VirtualGpu = field(default_factory=VirtualGpu)
    tensors: list[Tensor] = field(default_factory=lambda: list(STATIC))

    def __post_init__(self) -> None:
        self.runtime = VirtualRuntime(self.gpu)
        self.nvml = VirtualNvml(self.gpu)
        self.cuda = Cuda(self.runtime)
        self.engine: VirtualEngine | None = VirtualEngine(self.gpu, self.tensors)
        self.path = self.folder / "model.engine"
        self.path.write_bytes(b"a plan")
        self.out = self.folder / "run"

    @property
    def tools(self) -> Instruments:
        """What the timing measures with."""
        return Instruments(self.cuda, NvmlMonitor(self.nvml, "handle"), self.gpu.clock)

    def time(self, options: TimingOptions = QUICK) -> TimingResult:
        """Time the engine into the folder `run`."""
        return time_engine(self.path, virtual_backend(self.engine), options, self.out, instruments=self.tools)

    def read(self, name: str) -> Any:
        """A JSON file of the results."""
        return json.loads((self.out / name).read_text())

    def queue(self, launch: Callable[[], bool], depth: int) -> LaunchQueue:
        """A queue on a new stream."""
        return LaunchQueue(self.cuda, self.cuda.create_stream(), launch, depth=depth, clock=self.gpu.clock)


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr("trtlens.capture.backends.backend.gpu_present", lambda: True)
    return Rig(tmp_path)


# -- the queue ---------------------------------------------------------------------------------------------------------


def test_back_to_back_inferences_are_timed_without_their_launch(rig: Rig) -> None:
    """With a GPU slower than the host, every GPU time is exactly the engine's: no launch, no wait is in it."""
    result = rig.time()

    assert np.allclose(result.samples.gpu_ms, 0.59)
    assert not result.samples.queue_dry.any()


def test_one_at_a_time_the_launch_is_in_the_gpu_time(rig: Rig) -> None:
    """The same engine, waited for each time, reads longer by its enqueue: the reason for the queue."""
    result = rig.time()

    assert result.latency_samples is not None
    assert np.allclose(result.latency_samples.gpu_ms, 0.63)
    assert result.latency_samples.queue_dry.all()


@pytest.mark.parametrize("depth", [1, 2, 3, 8, 64])
def test_depth_is_how_many_are_in_flight(rig: Rig, depth: int) -> None:
    """The queue holds as many inferences as it was asked for, and no more."""
    rig.time(replace(QUICK, queue_depth=depth, iterations=200, latency_iterations=0, layer_iterations=0))

    assert rig.gpu.most_in_flight == depth


def test_every_sample_is_kept_in_order(rig: Rig) -> None:
    """With another GPU time for each execution, the samples are those of the counted executions, one for one."""
    assert rig.engine is not None
    rig.engine.gpu_ns = lambda number: 500_000 + 1000 * number
    options = replace(QUICK, warmup_count=5, queue_depth=4, iterations=50, latency_iterations=0, layer_iterations=0)

    result = rig.time(options)

    first = 5 + 4
    assert np.allclose(result.samples.gpu_ms, [0.5 + 0.001 * number for number in range(first, first + 50)])
    assert rig.engine.executions == first + 50


def test_warm_up_does_not_count(rig: Rig) -> None:
    """Slow first executions are in no sample, and the header says how many there were."""
    assert rig.engine is not None
    rig.engine.gpu_ns = lambda number: 90_000_000 if number < 12 else 590_000

    result = rig.time(replace(QUICK, warmup_count=12))

    assert result.gpu.max_ms == pytest.approx(0.59)
    assert result.header["warmup_count"] == 12


def test_warm_up_lasts_for_its_time_and_its_count(rig: Rig) -> None:
    """Both have to be reached: 200 ms of 0.59 ms executions are more than 10, and 20 of 90 ms are more than 200 ms."""
    assert rig.time(replace(QUICK, warmup_ms=200, warmup_count=10)).header["warmup_count"] > 200 / 0.59
    assert rig.engine is not None
    rig.engine.gpu_ns = lambda _: 90_000_000
    assert rig.time(replace(QUICK, warmup_ms=200, warmup_count=20)).header["warmup_count"] == 20


def test_timing_lasts_for_its_time_and_its_count(rig: Rig) -> None:
    """As in trtexec, at least so long and at least so many."""
    assert len(rig.time(replace(QUICK, duration_ms=300, iterations=10)).samples) >= 300 / 0.59
    assert len(rig.time(replace(QUICK, duration_ms=1, iterations=33)).samples) == 33
    assert len(rig.time(replace(QUICK, duration_ms=300, iterations=10, max_iterations=77)).samples) == 77


def test_filling_the_queue_is_no_part_of_the_duration(rig: Rig) -> None:
    """The duration begins with the first counted inference, however long the queue took to fill."""
    assert rig.engine is not None
    rig.engine.gpu_ns = lambda _: 590_000
    rig.engine.enqueue_ns = lambda number: 100_000_000 if 5 <= number < 5 + 8 else 40_000

    assert len(rig.time(replace(QUICK, duration_ms=300, iterations=10)).samples) >= 300 / 0.59


def test_host_times_add_up_to_the_time_on_the_wall(rig: Rig) -> None:
    """The host time of an inference is what it added: the sum is the length of the pass, and gives the throughput."""
    result = rig.time()

    assert result.samples.host_ms.sum() == pytest.approx(50 * 0.59, rel=0.02)
    assert result.throughput_per_s == pytest.approx(1000 / 0.59, rel=0.02)
    assert np.allclose(result.samples.enqueue_ms, 0.04)


def test_latency_is_the_time_from_call_to_result(rig: Rig) -> None:
    """One at a time, the host time of an inference holds its enqueue, the launch and the GPU time."""
    result = rig.time()

    assert result.latency is not None
    assert 0.63 < result.latency.median_ms < 0.64
    assert result.latency.count == 20


def test_a_queue_that_runs_dry_is_told(rig: Rig) -> None:
    """When enqueueing takes longer than the GPU, every sample is marked and a note says that the host is timed."""
    assert rig.engine is not None
    rig.engine.gpu_ns = lambda _: 20_000

    result = rig.time()

    assert result.samples.queue_dry.all()
    assert any("the queue ran dry at 50 of 50 inferences" in note and "CUDA graph" in note for note in result.notes)


def test_only_the_samples_around_a_stall_are_marked(rig: Rig) -> None:
    """One long pause of the host marks the inference that it delayed, and no other."""
    assert rig.engine is not None
    stalled = 5 + 8 + 20
    rig.engine.enqueue_ns = lambda number: 30_000_000 if number == stalled else 40_000

    result = rig.time()

    assert np.flatnonzero(result.samples.queue_dry).tolist() == [20]
    assert np.flatnonzero(result.samples.gpu_ms > 0.6).tolist() == [20]


def test_garbage_collection_is_off_during_a_pass_only(rig: Rig) -> None:
    """The collector cannot pause the host while it times, and afterwards is as it was."""
    seen = []

    def launch() -> bool:
        seen.append(gc.isenabled())
        return True

    gc.enable()
    with rig.queue(launch, depth=2) as queue:
        queue.run(Extent(3, 0, 3))

    assert seen == [False] * 3
    assert gc.isenabled()


def test_the_first_sample_without_lead_in_counts_from_the_beginning(rig: Rig) -> None:
    """Without an inference ahead, the host time of the first sample begins with the pass."""
    stream_launch = rig.queue(lambda: True, depth=1)
    with stream_launch as queue:
        rig.gpu.spend(1_000_000)
        samples = queue.run(Extent(1, 0, 1))

    assert samples.host_ms[0] < 0.1


# -- the passes --------------------------------------------------------------------------------------------------------


def test_nvml_is_asked_around_the_passes_and_never_during_one(rig: Rig) -> None:
    """No reading happens while work is in flight, and none between the first and the last launch of a pass."""
    result = rig.time()

    assert rig.nvml.asked_while_busy == []
    groups = [kind for kind in _groups(rig.gpu.log) if kind in {"nvml", "launch"}]
    assert groups == ["nvml", "launch", "nvml", "launch", "nvml", "launch", "nvml", "launch", "nvml"]
    moments = [reading.moment for reading in result.readings]
    assert moments == ["before warm-up", "after warm-up", "after timing", "after latency", "after layers"]


def _groups(log: list[str]) -> list[str]:
    """The log with runs of the same kind drawn together."""
    kinds = [entry.split()[0] for entry in log]
    return [kind for position, kind in enumerate(kinds) if position == 0 or kinds[position - 1] != kind]


def test_layers_have_a_pass_of_their_own_after_all_others(rig: Rig) -> None:
    """The profiler is attached once, and only launches of the layers' pass come after it."""
    rig.time()

    attached = rig.gpu.log.index("profiler attached")
    assert rig.gpu.log.count("profiler attached") == 1
    assert rig.gpu.log[:attached].count("launch") == 5 + (8 + 50) + (1 + 20)
    assert rig.gpu.log[attached:].count("launch") == 3 + 7


def test_layer_times_are_kept_by_position(rig: Rig) -> None:
    """Names may repeat: each call keeps its place, every execution its row."""
    result = rig.time()

    assert result.layers is not None
    assert result.layers.layers == ("conv", "reformat", "conv")
    assert result.layers.times_ms == ((0.4, 0.1, 0.2),) * 7
    assert rig.engine is not None
    assert rig.engine.contexts[0].enqueue_emits_profile is False


def test_layers_against_the_whole_is_reported(rig: Rig) -> None:
    """The sum of the layers over the GPU time of an inference is a figure of the result."""
    result = rig.time()

    assert result.layer_sum is not None
    assert result.layer_sum.median_ms == pytest.approx(0.7)
    assert result.layer_sum_ratio == pytest.approx(0.7 / 0.59)


def test_a_large_sum_of_layers_is_told(rig: Rig) -> None:
    """Small layers add up to much more than the inference: a note says to read them as shares."""
    assert rig.engine is not None
    rig.engine.layers = (("a", 0.5), ("b", 0.5))

    assert any("the layers add up to 1.69 times" in note for note in rig.time().notes)


def test_executions_with_other_layers_are_left_out_and_told(rig: Rig) -> None:
    """An execution that reports other layers cannot be a row of the same table: it is counted, not bent."""
    engine = rig.engine
    assert engine is not None

    def gpu_ns(number: int) -> int:
        engine.layers = (("conv", 0.5),) if number == 5 + 58 + 21 + 3 + 4 else (("conv", 0.4), ("fc", 0.1))
        return 590_000

    engine.gpu_ns = gpu_ns
    result = rig.time()

    assert result.layers is not None
    assert (len(result.layers.times_ms), result.layers.left_out) == (6, 1)
    assert any(note.startswith("1 executions with a profiler reported other layers") for note in result.notes)


def test_passes_can_be_left_out(rig: Rig) -> None:
    """Zero iterations leave out the latency and the layers, with their files and figures."""
    result = rig.time(replace(QUICK, latency_iterations=0, layer_iterations=0))

    assert result.latency is None
    assert result.layers is None
    assert result.layer_sum_ratio is None
    assert sorted(file.name for file in rig.out.iterdir()) == ["gpu-state.json", "times.json"]


def test_a_failing_layer_pass_keeps_the_timing(rig: Rig) -> None:
    """When TensorRT refuses the profiler's executions, the timing stands and a note says what is missing."""
    assert rig.engine is not None
    rig.engine.refuses_at = 5 + 58 + 21 + 2

    result = rig.time()

    assert result.gpu.count == 50
    assert result.layers is None
    assert any(note.startswith("layers were not timed: TensorRT refused") for note in result.notes)


def test_a_profiler_without_report_to_profiler_still_works(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the enqueue itself reports the layers (before 8.5), their times come all the same."""
    monkeypatch.delattr("tests.doubles.virtual_tensorrt.VirtualContext.report_to_profiler")

    result = rig.time()

    assert result.layers is not None
    assert result.layers.times_ms == ((0.4, 0.1, 0.2),) * 7


def test_a_cuda_graph_is_launched_instead(rig: Rig) -> None:
    """With a graph, plain enqueues are for the capture and the layers; all else launches the graph."""
    assert rig.engine is not None
    rig.engine.gpu_ns = lambda _: 20_000

    result = rig.time(replace(QUICK, cuda_graph=True))

    assert result.header["cuda_graph"] is True
    assert rig.gpu.log.count("graph launch") == 5 + 58 + 21
    assert rig.gpu.log.count("launch") == 1 + 3 + 7
    assert np.allclose(result.samples.gpu_ms, 0.02)
    assert not result.samples.queue_dry.any()


@pytest.mark.parametrize("refused_by", ["tensorrt", "cuda"])
def test_an_engine_that_cannot_be_captured_is_timed_without(rig: Rig, refused_by: str) -> None:
    """A refused capture is a note and an honest header, not a failure."""
    assert rig.engine is not None
    rig.engine.refuses_capture = refused_by == "tensorrt"
    rig.runtime.capture_fails = refused_by == "cuda"

    result = rig.time(replace(QUICK, cuda_graph=True))

    assert result.header["cuda_graph"] is False
    assert any(note.startswith("timed without a CUDA graph") for note in result.notes)
    assert np.allclose(result.samples.gpu_ms, 0.59)


@pytest.mark.parametrize("cuda_graph", [False, True])
def test_everything_is_given_back(rig: Rig, cuda_graph: bool) -> None:
    """After a timing no stream, event, memory or graph is left."""
    rig.time(replace(QUICK, cuda_graph=cuda_graph))

    assert rig.gpu.leftovers == (0, 0, 0, 0)


@pytest.mark.parametrize("refused", [0, 3, 40, 70])
def test_a_refused_enqueue_is_an_error_with_tensorrts_words(rig: Rig, refused: int) -> None:
    """In whichever pass TensorRT refuses, the error quotes what it logged, and everything is given back."""
    assert rig.engine is not None
    rig.engine.refuses_at = refused

    with pytest.raises(CaptureError, match=r"refused to enqueue.*TensorRT says: .*enqueueV3.*launch failed"):
        rig.time()

    assert rig.gpu.leftovers == (0, 0, 0, 0)
    assert list(rig.out.iterdir()) == []


# -- shapes and memory -------------------------------------------------------------------------------------------------


def _timed_context(rig: Rig, tensors: list[Tensor], options: TimingOptions = QUICK, **engine: Any) -> Any:
    rig.engine = VirtualEngine(rig.gpu, tensors, **engine)
    rig.time(options)
    return rig.engine.contexts[-1]


def test_dynamic_inputs_get_the_usual_shape(rig: Rig) -> None:
    """Without a wish the profile's usual shape is set, and the outputs follow from it."""
    rig.engine = VirtualEngine(rig.gpu, DYNAMIC)

    result = rig.time()

    assert rig.engine.contexts[0].shapes == {"x": (2, 4)}
    assert result.output_shapes == {"y": (2, 2)}
    assert result.header["shapes"] == {"x": "2x4"}


def test_a_wanted_shape_selects_its_profile(rig: Rig) -> None:
    """A shape of the second profile makes that one active before the shape is set."""
    context = _timed_context(rig, DYNAMIC, replace(QUICK, shapes={"x": (16, 4)}))

    assert (context.profile, context.shapes) == (1, {"x": (16, 4)})


def test_the_shape_of_a_loaded_array_is_taken(rig: Rig) -> None:
    """An array in the file decides the dynamic shape, unless another one is given."""
    file = rig.folder / "in.npz"
    np.savez(file, x=np.ones((3, 4), np.float32))

    context = _timed_context(rig, DYNAMIC, replace(QUICK, inputs=InputRecipe(file=file)))

    assert context.shapes == {"x": (3, 4)}


@pytest.mark.parametrize("old_bindings", [False, True])
def test_shape_tensors_stay_in_host_memory(rig: Rig, old_bindings: bool) -> None:
    """A shape tensor is bound by a host address that holds its values, on old and new bindings alike."""
    tensors = [
        Tensor(
            "size",
            is_input=True,
            dtype="INT32",
            shape=(2,),
            on_host=True,
            profiles=(((2,), (2,), (2,)),),
            values=(((1, 1), (64, 32), (99, 99)),),
        ),
        Tensor("shape", is_input=False, dtype="INT32", shape=(2,), on_host=True),
    ]
    rig.engine = VirtualEngine(rig.gpu, tensors, old_bindings=old_bindings)

    result = rig.time(replace(QUICK, shapes={"size": (64, 48)}))

    assert result.header["shape_values"] == {"size": [64, 48]}
    assert rig.gpu.uploads == {}
    assert set(rig.engine.contexts[0].addresses) == {"size", "shape"}


def test_values_that_8_6_does_not_tell_are_asked_for(rig: Rig) -> None:
    """Its binding tells the first value of a vector alone: no value is made up, and a scalar is not told at all."""
    for shape, values in (((2,), (64, 32)), ((), (7,))):
        ranges = ((values,) * 3,)
        size = Tensor("size", True, "INT32", shape, profiles=((shape,) * 3,), values=ranges, on_host=True)  # noqa: FBT003
        rig.engine = VirtualEngine(rig.gpu, [size], old_bindings=True)

        with pytest.raises(TrtlensError, match="usual values of shape tensor 'size': give its values with --shapes"):
            rig.time()


def test_an_engine_that_tells_no_shape_is_refused(rig: Rig) -> None:
    """A rank of -1, as 8.6.0 answers for some engines that it cannot run, is told with what to do."""
    rig.engine = VirtualEngine(rig.gpu, [STATIC[0]], keeps_rank_of=("x",))

    with pytest.raises(CaptureError, match="tells no shape for 'x'"):
        rig.time()


@pytest.mark.parametrize("release", RELEASES)
def test_every_release_has_what_the_timing_asks_for(rig: Rig, release: str) -> None:
    """On an engine that uses everything, no name is used that the release lacks, and the timing is the same."""
    size = Tensor(
        "size",
        is_input=True,
        dtype="INT32",
        shape=(2,),
        on_host=True,
        profiles=(((2,),) * 3,) * 2,
        values=(((1, 1), (64, 32), (99, 99)),) * 2,
    )
    found = Tensor("found", is_input=False, shape=(-1, 6), data_dependent_bytes=2400)
    surface = json.loads((SURFACES / f"{release}.json").read_text())
    rig.engine = VirtualEngine(rig.gpu, [*DYNAMIC, size, found], surface=surface, old_bindings=release == "8.6.0")
    rig.engine.streamable_weights_size = 1000
    budget = 10 if "streamable_weights_size" in surface["ICudaEngine"] else None
    shapes = {"x": (16, 4), "size": (64, 32)}
    options = replace(QUICK, shapes=shapes, cuda_graph=True, weight_streaming_budget_bytes=budget)

    result = rig.time(options)

    assert np.allclose(result.samples.gpu_ms, 0.59)
    assert result.layers is not None
    assert len(result.layers.times_ms) == 7
    assert rig.engine.weight_streaming_budget + rig.engine.weight_streaming_budget_v2 == (budget or 0)


def test_outputs_of_unknown_shape_are_allocated_by_tensorrt(rig: Rig) -> None:
    """A data-dependent output gets an allocator, whose memory is asked for once and given back at the end."""
    tensors = [*STATIC[:1], Tensor("found", is_input=False, shape=(-1, 6), data_dependent_bytes=2400)]
    rig.engine = VirtualEngine(rig.gpu, tensors)

    result = rig.time()

    allocator = rig.engine.contexts[0].allocators["found"]
    assert result.output_shapes == {"found": None}
    assert allocator.shape == (2400,)
    assert allocator.size_bytes == 2400
    assert rig.gpu.leftovers == (0, 0, 0, 0)


def test_an_output_allocator_grows_and_never_moves_back(rig: Rig) -> None:
    """Smaller requests keep the memory, larger ones get new memory, and an empty output has an address as well."""
    from trtlens.capture.timing.bindings import output_allocator

    allocator = output_allocator(virtual_backend(None).trt, rig.cuda)
    sizes = [0, 100, 50, 200, 200]

    addresses = [allocator.reallocate_output_async("y", 0, size, 256, 7) for size in sizes]

    assert 0 not in addresses
    assert addresses[1] == addresses[2] != addresses[3] == addresses[4]
    assert sorted(rig.gpu.memory.values()) == [1, 100, 200]
    allocator.release()
    assert rig.gpu.memory == {}


def test_an_output_allocator_without_memory_says_so_to_tensorrt(rig: Rig) -> None:
    """No exception crosses TensorRT: the address is 0, as its interface wants it."""
    from trtlens.capture.timing.bindings import output_allocator

    rig.gpu.memory_limit = 10

    assert output_allocator(virtual_backend(None).trt, rig.cuda).reallocate_output("y", 0, 100, 256) == 0


@pytest.mark.parametrize("old_bindings", [False, True])
def test_vectorized_formats_get_whole_vectors(rig: Rig, old_bindings: bool) -> None:
    """CHW32 rounds 3 channels up to 32; the upload fills the padding too."""
    shape = (2, 3, 5, 7)
    tensors = [
        Tensor("x", is_input=True, dtype="INT8", shape=shape, profiles=((shape,) * 3,), components=32, vectorized=1),
        Tensor("y", is_input=False, dtype="HALF", shape=shape, components=2, vectorized=1),
    ]

    _timed_context(rig, tensors, replace(QUICK, layer_iterations=0), old_bindings=old_bindings)

    assert [len(data) for data in rig.gpu.uploads.values()] == [2 * 32 * 5 * 7]


def test_strides_with_gaps_get_their_memory(rig: Rig) -> None:
    """A tensor whose rows are padded needs the memory up to its last element."""
    tensors = [
        Tensor("x", is_input=True, shape=(4, 3), profiles=(((4, 3),) * 3,), strides=(8, 1)),
        Tensor("y", is_input=False),
    ]

    _timed_context(rig, tensors)

    assert [len(data) for data in rig.gpu.uploads.values()] == [(3 * 8 + 2 + 1) * 4]


@pytest.mark.parametrize(("dtype", "size"), [("INT4", 8), ("FP4", 8), ("FP8", 15), ("BF16", 30), ("INT64", 120)])
def test_every_width_gets_its_memory(rig: Rig, dtype: str, size: int) -> None:
    """15 values take so many bytes in each type, two values a byte where they are packed."""
    shape = (3, 5)

    _timed_context(rig, [Tensor("x", is_input=True, dtype=dtype, shape=shape, profiles=((shape,) * 3,)), STATIC[1]])

    assert [len(data) for data in rig.gpu.uploads.values()] == [size]


def test_empty_and_scalar_tensors_are_bound(rig: Rig) -> None:
    """A tensor of no elements and one of no dimensions have addresses of their own."""
    tensors = [
        Tensor("none", is_input=True, shape=(0, 4), profiles=(((0, 4),) * 3,)),
        Tensor("one", is_input=True, shape=(), profiles=(((),) * 3,)),
        Tensor("y", is_input=False, shape=(0,)),
    ]

    context = _timed_context(rig, tensors)

    assert len(set(context.addresses.values())) == 3


def test_an_output_written_in_place_shares_its_inputs_memory(rig: Rig) -> None:
    """A key-value cache that is updated in place is bound to one address twice."""
    tensors = [*STATIC, Tensor("cache_out", is_input=False, alias="x")]

    context = _timed_context(rig, tensors)

    assert context.addresses["cache_out"] == context.addresses["x"]


def test_too_little_memory_is_an_error_that_says_so(rig: Rig) -> None:
    """CUDA's own words and an advice reach the user."""
    rig.gpu.memory_limit = 3

    with pytest.raises(CaptureError, match=r"cudaMalloc failed: out of memory \(2\): free GPU memory"):
        rig.time()


def test_an_unknown_data_type_is_an_error(rig: Rig) -> None:
    """A type that a later TensorRT invents is refused by name."""
    rig.engine = VirtualEngine(rig.gpu, [Tensor("x", is_input=True, dtype="FP2")])

    with pytest.raises(CaptureError, match="tensor 'x' has data type FP2"):
        rig.time()


# -- what is written ---------------------------------------------------------------------------------------------------


def test_times_are_written_with_their_conditions(rig: Rig) -> None:
    """times.json holds a header and one object per sample, latency-times.json the same for the second pass."""
    result = rig.time(replace(QUICK, inputs=InputRecipe(seed=5)))

    times, latency = rig.read("times.json"), rig.read("latency-times.json")
    assert times["format"] == 1
    assert times["header"] == {
        "pass": "timing",
        "engine": "model.engine",
        "library": "tensorrt",
        "tensorrt_version": "10.3.0",
        "shapes": {"x": "1x4"},
        "shape_values": {},
        "profile": 0,
        "inputs": "random",
        "seed": 5,
        "warmup_ms": 0,
        "warmup_count": 5,
        "duration_ms": 0,
        "queue_depth": 8,
        "cuda_graph": False,
        "data_transfers": False,
    }
    assert len(times["samples"]) == 50
    assert times["samples"][0] == {
        "gpu_ms": 0.59,
        "host_ms": pytest.approx(result.samples.host_ms[0]),
        "enqueue_ms": 0.04,
        "queue_dry": False,
        "process": 1,
    }
    assert (latency["header"]["pass"], latency["header"]["queue_depth"]) == ("latency", 1)
    assert len(latency["samples"]) == 20


def test_layer_times_are_written_by_position(rig: Rig) -> None:
    """layer-times.json has the names once in call order, repeated ones included, and a row of times per execution."""
    rig.time()

    assert rig.read("layer-times.json") == {
        "format": 1,
        "layers": ["conv", "reformat", "conv"],
        "times_ms": [[0.4, 0.1, 0.2]] * 7,
    }


def test_gpu_state_is_written(rig: Rig) -> None:
    """gpu-state.json has the limits and every reading; what NVML refuses is null, never 0."""
    rig.nvml.refused = frozenset({"power", "application clock"})
    rig.nvml.reasons = 0x4 | 0x20 | 0x1

    result = rig.time()

    state = rig.read("gpu-state.json")
    assert state["limits"]["name"] == "NVIDIA Virtual"
    assert state["limits"]["application_sm_clock_mhz"] is None
    assert state["limits"]["power_limit_w"] == 700
    assert len(state["readings"]) == len(result.readings) == 5
    assert state["readings"][2] == {
        "moment": "after timing",
        "sm_clock_mhz": 1980,
        "memory_clock_mhz": 3201,
        "power_w": None,
        "temperature_c": 41,
        "clock_reasons": ["idle", "software power cap", "software thermal slowdown"],
    }
    assert state["reason"] is None


def test_nothing_but_whole_files_is_left(rig: Rig) -> None:
    """The folder holds the four files and no temporary one."""
    rig.time()

    expected = ["gpu-state.json", "latency-times.json", "layer-times.json", "times.json"]
    assert sorted(file.name for file in rig.out.iterdir()) == expected


def test_the_summary_is_json_without_the_samples(rig: Rig) -> None:
    """The record of a run takes the figures as plain JSON values."""
    result = rig.time()

    summary = json.loads(json.dumps(result.summary()))
    assert summary["gpu"]["median_ms"] == pytest.approx(0.59)
    assert summary["layer_sum_ratio"] == pytest.approx(result.layer_sum_ratio)
    assert summary["notes"] == list(result.notes)


# -- doubts ------------------------------------------------------------------------------------------------------------


def test_a_steady_timing_has_no_notes(rig: Rig) -> None:
    """Steady samples at steady clocks raise no doubt."""
    assert rig.time().notes == ()


def test_unsteady_samples_are_told(rig: Rig) -> None:
    """A coefficient of variation above trtexec's 2.5 % is a note."""
    assert rig.engine is not None
    rig.engine.gpu_ns = lambda number: 600_000 if number % 2 else 500_000

    assert any("coefficient of variation is 9.1 %" in note for note in rig.time().notes)


def test_slow_drift_is_told(rig: Rig) -> None:
    """A GPU that slows down by 4 % over the pass is within 2.5 % variation, but not steady."""
    assert rig.engine is not None
    rig.engine.gpu_ns = lambda number: 500_000 + 500 * number

    notes = rig.time().notes

    assert any("the last third is" in note and "slower" in note for note in notes)
    assert not any("coefficient" in note for note in notes)


def test_clocks_that_move_during_the_timing_are_told(rig: Rig) -> None:
    """A change from before the timing to after it is a note; one before or after it is none."""
    assert rig.engine is not None

    def gpu_ns(number: int) -> int:
        rig.nvml.sm_clock_mhz = 345 if number < 2 else 1980 if number < 5 + 8 + 10 else 1755
        return 590_000

    rig.engine.gpu_ns = gpu_ns

    notes = rig.time().notes

    assert [note for note in notes if "clock went" in note] == [
        "the SM clock went from 1980 to 1755 MHz during the timing: lock it (nvidia-smi -lgc, -lmc)"
    ]


def test_throttling_is_told_by_its_reasons(rig: Rig) -> None:
    """A power cap slows the GPU down and is a note; being idle or at application clocks is none."""
    rig.nvml.reasons = 0x4
    assert any("throttled (software power cap)" in note for note in rig.time().notes)
    rig.nvml.reasons = 0x1 | 0x2
    assert rig.time().notes == ()


def test_other_processes_are_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process on the GPU is in the times."""
    monkeypatch.setattr(rig.nvml, "nvmlDeviceGetComputeRunningProcesses", lambda _: [1, 2])

    assert any(note.startswith("1 other process used this GPU") for note in rig.time().notes)


def test_few_samples_are_told(rig: Rig) -> None:
    """A handful of inferences gives figures that do not hold."""
    assert any(note.startswith("only 4 inferences") for note in rig.time(replace(QUICK, iterations=4)).notes)


def test_an_engine_without_layer_names_is_told(rig: Rig) -> None:
    """With verbosity NONE the layers are numbers."""
    assert rig.engine is not None
    rig.engine.verbosity = "NONE"

    assert any("profiling verbosity NONE" in note for note in rig.time().notes)


def test_without_nvml_the_timing_works_and_says_what_is_unknown(rig: Rig) -> None:
    """Missing NVML is a note and null readings, not a failure."""
    tools = replace(rig.tools, monitor=NoMonitor("nvidia-ml-py is not installed"))

    result = time_engine(rig.path, virtual_backend(rig.engine), QUICK, rig.out, instruments=tools)

    assert result.notes == ("clocks and throttling are unknown: nvidia-ml-py is not installed",)
    assert rig.read("gpu-state.json") == {
        "format": 1,
        "limits": None,
        "readings": [],
        "reason": "nvidia-ml-py is not installed",
    }


def test_streamed_weights_are_told(rig: Rig) -> None:
    """An engine that streams weights is timed with its budget, and the note says that copying is in the times."""
    assert rig.engine is not None
    rig.engine.streamable_weights_size = 1000

    result = rig.time(replace(QUICK, weight_streaming_budget_bytes=250))

    assert rig.engine.weight_streaming_budget_v2 == 250
    assert any("250 of 1000 bytes stay on the GPU" in note for note in result.notes)


# -- what does not work ------------------------------------------------------------------------------------------------


def test_a_budget_for_an_engine_that_streams_nothing_is_refused(rig: Rig) -> None:
    """A budget that would be ignored is an error."""
    with pytest.raises(TrtlensError, match="streams no weights"):
        rig.time(replace(QUICK, weight_streaming_budget_bytes=1))


def test_without_a_gpu_no_runtime_is_made(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Creating a runtime without a GPU ends the process in 8.6, so it is refused before."""
    monkeypatch.setattr("trtlens.capture.backends.backend.gpu_present", lambda: False)

    with pytest.raises(CaptureError, match="no GPU is visible"):
        rig.time()
    with pytest.raises(CaptureError, match="no GPU is visible"):
        time_engine(rig.path, virtual_backend(rig.engine), QUICK, rig.out)

    assert rig.gpu.log == []


def test_a_missing_engine_file_is_wrong_usage(rig: Rig) -> None:
    """The error names the file and is the user's, exit code 2."""
    rig.path.unlink()

    with pytest.raises(TrtlensError, match=r"model\.engine cannot be read") as caught:
        rig.time()

    assert caught.value.exit_code == 2


def test_an_engine_of_another_release_is_told_with_tensorrts_words(rig: Rig) -> None:
    """A plan that does not deserialize is a capture failure, exit code 3, that quotes TensorRT."""
    rig.engine = None

    with pytest.raises(
        CaptureError, match=r"no engine for tensorrt 10\.3\.0.*TensorRT says: The engine plan"
    ) as caught:
        rig.time()

    assert caught.value.exit_code == 3
    assert rig.gpu.leftovers == (0, 0, 0, 0)


@pytest.mark.parametrize(("refittable", "advice"), [(True, "refit it with its weights"), (False, "free GPU memory")])
def test_an_engine_without_a_context_is_told(rig: Rig, refittable: bool, advice: str) -> None:
    """A stripped engine has no context before it is refitted; another one lacks memory."""
    assert rig.engine is not None
    rig.engine.has_context, rig.engine.refittable = False, refittable

    with pytest.raises(CaptureError, match=advice):
        rig.time()


def test_a_missing_plugin_library_is_wrong_usage(rig: Rig) -> None:
    """The path is checked before TensorRT sees it."""
    with pytest.raises(TrtlensError, match=r"no such plugin library: .*absent\.so"):
        rig.time(replace(QUICK, plugins=(rig.folder / "absent.so",)))


def test_plugin_libraries_are_loaded(rig: Rig) -> None:
    """Each library goes to the runtime's plugin registry before the engine is read."""
    library = rig.folder / "plugin.so"
    library.write_bytes(b"")
    backend = virtual_backend(rig.engine)

    time_engine(rig.path, backend, replace(QUICK, plugins=(library,)), rig.out, instruments=rig.tools)

    assert backend.trt.plugin_libraries == [str(library)]


def test_inputs_that_do_not_fit_are_refused_before_anything_runs(rig: Rig) -> None:
    """A range for a name that is no input stops the timing at once, exit code 2."""
    with pytest.raises(TrtlensError, match="names 'z'") as caught:
        rig.time(replace(QUICK, inputs=InputRecipe(ranges={"z": Range(0, 1)})))

    assert caught.value.exit_code == 2
    assert rig.engine is not None
    assert rig.engine.executions == 0


def test_a_folder_that_cannot_be_made_is_refused_before_anything_runs(rig: Rig) -> None:
    """No minutes of timing are lost to a bad output path."""
    rig.out.write_text("a file")

    with pytest.raises(TrtlensError, match="cannot be made"):
        rig.time()

    assert rig.engine is not None
    assert rig.engine.executions == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"queue_depth": 0},
        {"queue_depth": 65},
        {"iterations": 0},
        {"max_iterations": 0},
        {"warmup_count": 0},
        {"duration_ms": -1.0},
        {"warmup_ms": -1.0},
        {"latency_iterations": -1},
        {"layer_iterations": -1},
        {"device": -1},
    ],
)
def test_options_that_time_nothing_are_refused(wrong: dict[str, Any]) -> None:
    """Lengths below what can be timed are the user's error, told with the value."""
    with pytest.raises(TrtlensError, match=str(next(iter(wrong.values())))):
        TimingOptions(**wrong)


# -- CUDA and NVML themselves ------------------------------------------------------------------------------------------


def test_errors_of_cuda_carry_its_words(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any failing call names the function, CUDA's text and its number."""
    code = rig.runtime.cudaError_t.cudaErrorIllegalAddress
    for name in ("cudaEventRecord", "cudaEventQuery", "cudaEventSynchronize", "cudaGraphLaunch"):
        monkeypatch.setattr(VirtualRuntime, name, lambda *_, code=code: (code,))
    cuda = Cuda(VirtualRuntime(rig.gpu))

    calls: list[Callable[[], object]] = [
        lambda: cuda.record(1, 1),
        lambda: cuda.is_done(1),
        lambda: cuda.wait(1),
        lambda: cuda.launch_graph(1, 1),
    ]
    for call in calls:
        with pytest.raises(CaptureError, match=r"failed: an illegal memory access \(700\)"):
            call()


def test_missing_bindings_of_cuda_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without cuda-bindings the error says what to install."""
    monkeypatch.setitem(sys.modules, "cuda", None)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    monkeypatch.setitem(sys.modules, "cuda.cudart", None)

    with pytest.raises(CaptureError, match="pip install cuda-bindings"):
        load_cuda()


def test_older_bindings_serve_as_well(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """cuda-python before 12.8 has the same functions in `cuda.cudart`."""
    package = ModuleType("cuda")
    package.__path__ = []
    monkeypatch.setitem(sys.modules, "cuda", package)
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    monkeypatch.setitem(sys.modules, "cuda.cudart", rig.runtime)

    assert load_cuda().pci_bus_id(1) == "0000:01:00.0"


def test_the_bus_address_is_plain_text(rig: Rig) -> None:
    """CUDA fills its answer up with zero bytes, which NVML would not take."""
    assert rig.cuda.pci_bus_id(3) == "0000:03:00.0"


def test_the_monitor_is_that_of_the_same_gpu(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """NVML is asked for the GPU at CUDA's bus address; without one, for the only GPU."""
    monkeypatch.setitem(sys.modules, "pynvml", rig.nvml)

    by_address, only = open_monitor("0000:01:00.0"), open_monitor()

    assert isinstance(by_address, NvmlMonitor)
    assert by_address.read("now") == GpuReading("now", 1980, 3201, 300.0, 41, ())
    assert isinstance(only, NvmlMonitor)
    only.close()
    assert rig.gpu.log[-1] == "nvml shutdown"


@pytest.mark.parametrize(("refused", "reason"), [("init", "does not answer"), ("bus", "does not know the GPU")])
def test_a_silent_nvml_has_a_reason(rig: Rig, monkeypatch: pytest.MonkeyPatch, refused: str, reason: str) -> None:
    """Where NVML fails to start or lacks the GPU there are no readings, and it is said why."""
    rig.nvml.refused = frozenset({refused})
    monkeypatch.setitem(sys.modules, "pynvml", rig.nvml)

    monitor = open_monitor("0000:09:00.0")

    assert monitor.reason is not None
    assert reason in monitor.reason
    assert monitor.read("now") is None
    assert monitor.limits() is None


def test_without_nvml_package_the_advice_is_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason names the distribution, whose name differs from the module's."""
    monkeypatch.setitem(sys.modules, "pynvml", None)

    assert "nvidia-ml-py" in (open_monitor().reason or "")


def test_two_gpus_and_no_address_are_not_guessed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """With several GPUs and none named, no reading of the wrong one is taken."""
    monkeypatch.setattr(VirtualNvml, "nvmlDeviceGetCount", lambda _: 2)
    monkeypatch.setitem(sys.modules, "pynvml", rig.nvml)

    assert "2 GPUs" in (open_monitor().reason or "")


def test_new_and_old_names_of_the_clock_reasons_are_read(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drivers before 535 say throttle reasons, later ones event reasons."""
    rig.nvml.reasons = 0x8
    old = NvmlMonitor(rig.nvml, 0).read("now")
    monkeypatch.setattr(VirtualNvml, "nvmlDeviceGetCurrentClocksEventReasons", lambda _, __: 0x40, raising=False)
    new = NvmlMonitor(rig.nvml, 0).read("now")

    assert (old.throttling, new.throttling) == (("hardware slowdown",), ("hardware thermal slowdown",))


def test_an_unsupported_question_is_unknown(rig: Rig) -> None:
    """What the GPU does not tell is None."""
    rig.nvml.refused = frozenset({"clock", "temperature", "reasons"})

    reading = NvmlMonitor(rig.nvml, 0).read("now")

    assert reading == GpuReading("now", None, None, 300.0, None, None)
    assert reading.throttling == ()
    assert issubclass(rig.nvml.NVMLError, NvmlError)

"""INT8 ranges on weakly typed networks: Q/DQ, calibration data and caches, made-up ranges."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.capture.conftest import WEAKLY_TYPED, Double
from trtlens.capture.backends import cuda
from trtlens.capture.build_options import parse_options
from trtlens.capture.building.engine_build import build_run
from trtlens.capture.models.calibration import CalibrationCache, InputSpec, load_calibration_data
from trtlens.errors import CaptureError, TrtlensError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trtlens.capture.building.engine_build import BuiltRun

    Play = Callable[..., Double]

pytest.importorskip("onnx", reason="the double reads models with onnx")

CACHE = b"TRT-8600-EntropyCalibration2\ninput: 3c010a14\n"
INPUT = InputSpec("input", (4, 3, 32, 32), np.dtype(np.float32))


class Memory:
    """The device memory of a test: what was copied to which address, and what was given back."""

    def __init__(self) -> None:
        self.copies: list[np.ndarray] = []
        self.sizes: dict[int, int] = {}
        self.freed: list[int] = []
        self.fails = False

    def select(self, device: int) -> None:
        """Take the only device."""
        assert device == 0

    def allocate(self, size_bytes: int) -> int:
        """Give out addresses in steps of a page."""
        if self.fails:
            raise CaptureError("out of memory")
        self.sizes[4096 * (len(self.sizes) + 1)] = size_bytes
        return 4096 * len(self.sizes)

    def upload(self, address: int, values: np.ndarray) -> None:
        """Keep a copy."""
        assert self.sizes[address] == values.nbytes
        self.copies.append(values.copy())

    def free(self, address: int) -> None:
        """Remember what was given back."""
        self.freed.append(address)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    made = Memory()
    monkeypatch.setattr(cuda, "load_cuda", lambda: made)
    return made


def build(double: Double, model: Path, out: Path, **flags: Any) -> BuiltRun:
    return build_run(model, out, parse_options({"int8": True, **flags}), backend=double.backend)


def save_samples(path: Path, count: int, seed: int = 1) -> Path:
    np.savez(path, input=np.random.default_rng(seed).standard_normal((count, 3, 32, 32)).astype(np.float32))
    return path


@pytest.mark.parametrize("release", WEAKLY_TYPED)
@pytest.mark.parametrize("method", ["entropy", "minmax"])
def test_calibration_feeds_whole_batches(
    release: str, method: str, play: Play, small_cnn: Path, memory: Memory, tmp_path: Path
) -> None:
    """Samples go to the GPU batch by batch, into memory that is given back; the cache is kept with its origin."""
    data = save_samples(tmp_path / "data.npz", 10)
    double = play(release)
    run = build(
        double,
        small_cnn,
        tmp_path / "run",
        calibration_data=str(data),
        calib=str(tmp_path / "int8.cache"),
        **{"calibration-method": method},
    )
    with np.load(data) as samples:
        assert np.array_equal(np.concatenate(memory.copies), samples["input"][:8])
    assert double.script.saw("get_batch") == [[4096], [4096]]
    assert memory.freed == [4096]
    assert double.script.saw("set_flag") == ["INT8"]
    assert (tmp_path / "int8.cache").read_bytes() == (run.folder / "calibration.cache").read_bytes() == CACHE
    assert json.loads((tmp_path / "int8.cache.json").read_text())["method"] == method
    assert "2 calibration samples of input do not fill a batch" in run.notes
    assert f"INT8 ranges come from 2 calibration batches ({method})" in run.notes


def test_cache_is_read_and_stale_ones_are_told(
    play: Play, small_cnn: Path, tiny_encoder: Path, memory: Memory, tmp_path: Path
) -> None:
    """The same model and data use the cache; other data calibrate again; another model without data is told."""
    cache = str(tmp_path / "int8.cache")
    first, other = save_samples(tmp_path / "first.npz", 4), save_samples(tmp_path / "other.npz", 4, seed=2)
    build(play("8.6.0"), small_cnn, tmp_path / "1", calibration_data=str(first), calib=cache)
    memory.copies.clear()

    double = play("8.6.0")
    run = build(double, small_cnn, tmp_path / "2", calibration_data=str(first), calib=cache)
    assert double.script.saw("calibration_cache") == [CACHE]
    assert memory.copies == []
    assert (run.folder / "calibration.cache").read_bytes() == CACHE
    assert not any("stale" in note for note in run.notes)

    run = build(play("8.6.0"), small_cnn, tmp_path / "3", calibration_data=str(other), calib=cache)
    assert any("is stale (it was made with other data): calibrated again" in note for note in run.notes)
    assert len(memory.copies) == 1

    double = play("8.6.0")
    run = build(double, tiny_encoder, tmp_path / "4", calib=cache)
    assert any("was used although it was made with another model" in note for note in run.notes)
    assert double.script.saw("calibration_cache") == [CACHE]


def test_cache_of_unknown_origin(play: Play, small_cnn: Path, memory: Memory, tmp_path: Path) -> None:
    """A cache that trtexec wrote is used, and said to be of unknown origin; one that is not there is asked for."""
    cache = tmp_path / "int8.cache"
    with pytest.raises(TrtlensError, match="is not there"):
        build(play("8.6.0"), small_cnn, tmp_path / "1", calib=str(cache))
    cache.write_bytes(CACHE)
    run = build(play("8.6.0"), small_cnn, tmp_path / "2", calib=str(cache))
    assert any("nothing says which model and data it was made from" in note for note in run.notes)
    (tmp_path / "int8.cache.json").write_text("[]")
    run = build(play("8.6.0"), small_cnn, tmp_path / "3", calib=str(cache))
    assert any("nothing says which model" in note for note in run.notes)
    assert memory.copies == []


@pytest.mark.parametrize("release", WEAKLY_TYPED)
def test_made_up_ranges_are_recorded(release: str, play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """Dummy ranges are trtexec's, on every tensor once, and everyone who reads the run is told."""
    double = play(release)
    run = build(double, small_cnn, tmp_path / "run", **{"int8-ranges": "dummy"})
    ranges = double.script.saw("set_dynamic_range")
    assert len(ranges) == len({name for name, _, _ in ranges}) == 16
    assert ("input", -2.0, 2.0) in ranges
    assert ("stem/conv_output", -4.0, 4.0) in ranges
    assert ("pool_output", -2.0, 2.0) in ranges
    record = json.loads((run.folder / "run.json").read_text())
    assert record["int8_ranges"] == "dummy"
    assert any("compare no accuracy" in note for note in record["notes"])


def test_int8_needs_a_source(play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """--int8 without any range is refused with the ways to give one; --best leaves INT8 out and says so."""
    with pytest.raises(TrtlensError, match="--int8 needs ranges"):
        build(play("10.3.0"), small_cnn, tmp_path / "int8")
    double = play("10.3.0")
    run = build_run(small_cnn, tmp_path / "best", parse_options({"best": True}), backend=double.backend)
    assert double.script.saw("set_flag") == ["FP16", "BF16"]
    assert any("--best left INT8 out" in note for note in run.notes)
    double = play("8.6.0")
    build_run(small_cnn, tmp_path / "best86", parse_options({"best": True}), backend=double.backend)
    assert double.script.saw("set_flag") == ["FP16"]


@pytest.mark.parametrize("release", WEAKLY_TYPED)
def test_qdq_models_are_taken_as_they_are(release: str, play: Play, tmp_path: Path, memory: Memory) -> None:
    """A model with Q/DQ layers gets the INT8 flag and no calibrator, and unused calibration data is told."""
    model = save_qdq_model(tmp_path / "qdq.onnx")
    double = play(release)
    run = build(double, model, tmp_path / "run", calibration_data=str(save_samples(tmp_path / "data.npz", 4)))
    assert double.script.saw("set_flag") == ["INT8"]
    assert double.script.saw("calibration_cache") == []
    assert any("holds Q/DQ layers, so the calibration" in note for note in run.notes)
    assert memory.copies == []


def save_qdq_model(path: Path) -> Path:
    """One quantized ReLU."""
    import onnx
    from onnx import helper

    scale, zero = helper.make_tensor("scale", 1, [], [0.1]), helper.make_tensor("zero", 3, [], [0])
    nodes = [
        helper.make_node("QuantizeLinear", ["input", "scale", "zero"], ["q"], name="quantize"),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"], name="dequantize"),
        helper.make_node("Relu", ["d"], ["output"], name="relu"),
    ]
    ends = [helper.make_tensor_value_info(name, 1, [4, 3, 32, 32]) for name in ("input", "output")]
    graph = helper.make_graph(nodes, "qdq", ends[:1], ends[1:], initializer=[scale, zero])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


def test_dynamic_shapes_calibrate_at_the_optimum(play: Play, dynamic_cnn: Path, memory: Memory, tmp_path: Path) -> None:
    """The calibration profile allows the optimum alone, and batches have its size."""
    double = play("10.16.1.11")
    build(
        double,
        dynamic_cnn,
        tmp_path / "run",
        calibration_data=str(save_samples(tmp_path / "data.npz", 4)),
        minShapes="input:1x3x32x32",
        optShapes="input:2x3x32x32",
        maxShapes="input:8x3x32x32",
    )
    assert [copy.shape for copy in memory.copies] == [(2, 3, 32, 32)] * 2
    assert double.script.saw("set_shape")[-1] == ("input", *[(2, 3, 32, 32)] * 3)
    assert double.script.saw("set_calibration_profile") == ["IOptimizationProfile"]


def test_full_gpu_memory_is_told(play: Play, small_cnn: Path, memory: Memory, tmp_path: Path) -> None:
    """An error inside the calibrator, which TensorRT would lose, comes out of the build."""
    memory.fails = True
    with pytest.raises(CaptureError, match="out of memory"):
        build(play("8.6.0"), small_cnn, tmp_path / "run", calibration_data=str(save_samples(tmp_path / "d.npz", 4)))
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"


@pytest.mark.parametrize("origin", ["", "[" * 100_000, "[1]", '{"model": [1]}', "9" * 5000])
def test_a_damaged_origin_leaves_the_cache_in_doubt(origin: str, tmp_path: Path) -> None:
    """Whatever stands beside a cache, the cache is not taken for one of this model."""
    cache = CalibrationCache(tmp_path / "a.cache")
    cache.origin_path.write_text(origin)
    assert cache.doubt({"model": "m", "data": None, "method": "entropy"})


def test_layouts_of_calibration_data(tmp_path: Path) -> None:
    """Samples, batches and stacks of batches, as npz or npy, single or in folders by input, give the same batches."""
    samples = np.arange(8 * 3 * 32 * 32, dtype=np.float32).reshape(8, 3, 32, 32)
    np.savez(tmp_path / "samples.npz", input=samples)
    np.savez(tmp_path / "stacked.npz", input=samples.reshape(2, 4, 3, 32, 32))
    np.savez(tmp_path / "double.npz", input=samples.astype(np.float64))
    np.save(tmp_path / "one.npy", samples)
    for folder, parts in (("single", samples), ("batches", samples.reshape(2, 4, 3, 32, 32)), ("named/input", samples)):
        (tmp_path / folder).mkdir(parents=True)
        for number, part in enumerate(parts):
            np.save(tmp_path / folder / f"{number:03}.npy", part)
    for name in ("samples.npz", "stacked.npz", "double.npz", "one.npy", "single", "batches", "named"):
        batches, notes = load_calibration_data(tmp_path / name).batches([INPUT])
        assert notes == ()
        assert np.array_equal(np.stack([batch["input"] for batch in batches]), samples.reshape(2, 4, 3, 32, 32))
        assert all(batch["input"].dtype == np.float32 for batch in batches)


def test_calibration_data_that_does_not_fit(tmp_path: Path) -> None:
    """Missing files, other files, other inputs, other shapes and too few samples are told with what was found."""
    (tmp_path / "text.npz").write_text("not an archive")
    (tmp_path / "empty").mkdir()
    for name, words in (
        ("missing.npz", "cannot be read"),
        ("text.npz", "cannot be read"),
        ("empty", "holds no arrays"),
    ):
        with pytest.raises(TrtlensError, match=words):
            load_calibration_data(tmp_path / name)
    np.savez(tmp_path / "other.npz", images=np.zeros((4, 3, 32, 32)))
    np.savez(tmp_path / "shape.npz", input=np.zeros((4, 3, 64, 64)))
    np.savez(tmp_path / "few.npz", input=np.zeros((3, 3, 32, 32)))
    for name, words in (
        ("other.npz", "no data for input input: it holds images"),
        ("shape.npz", "does not fit input input"),
        ("few.npz", "less than one batch of input 4x3x32x32"),
    ):
        with pytest.raises(TrtlensError, match=words):
            load_calibration_data(tmp_path / name).batches([INPUT])


def test_objects_in_calibration_data_are_not_loaded(tmp_path: Path) -> None:
    """An archive of pickled objects could run code: it is refused."""
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(TrtlensError, match="cannot be read"):
        load_calibration_data(tmp_path / "objects.npy")


NO_CACHES: dict[str, tuple[Callable[[Path], object], str]] = {
    "another file": (lambda path: path.write_bytes(b"PK\x03\x04 images"), "is no calibration cache"),
    "a folder": (lambda path: path.mkdir(), "is a folder"),
    "a pipe": (os.mkfifo, "is a pipe"),
    "another origin": (
        lambda path: path.with_name("int8.cache.json").write_text('{"annotations": []}'),
        "holds something else",
    ),
}


@pytest.mark.parametrize("case", NO_CACHES)
def test_what_is_no_cache_is_left_alone(case: str, play: Play, small_cnn: Path, memory: Memory, tmp_path: Path) -> None:
    """A file that --calib names by mistake is neither called stale nor written, and nothing is built."""
    make, told = NO_CACHES[case]
    cache, data = tmp_path / "int8.cache", save_samples(tmp_path / "data.npz", 4)
    make(cache)
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    double = play("8.6.0")
    with pytest.raises(TrtlensError, match=told):
        build(double, small_cnn, tmp_path / "run", calibration_data=str(data), calib=str(cache))
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert not (tmp_path / "run").exists()
    assert memory.copies == []


def test_an_empty_file_becomes_a_cache(play: Play, small_cnn: Path, memory: Memory, tmp_path: Path) -> None:
    """A file that was made to be written holds nothing that could be lost."""
    cache, data = tmp_path / "int8.cache", save_samples(tmp_path / "data.npz", 4)
    cache.touch()
    build(play("8.6.0"), small_cnn, tmp_path / "run", calibration_data=str(data), calib=str(cache))
    assert cache.read_bytes() == CACHE
    assert memory.copies

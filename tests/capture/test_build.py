"""A build against the exact Python surface of each release, with a library that builds nothing."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.capture.conftest import MODELS, RELEASES, STRONGLY_TYPED, WEAKLY_TYPED, Double
from trtlens import open_run
from trtlens._version import VERSION
from trtlens.capture.build_options import parse_options
from trtlens.capture.building.engine_build import build_run, load_engine
from trtlens.capture.building.logger import LogFile
from trtlens.errors import CaptureError, TrtlensError

if TYPE_CHECKING:
    from collections.abc import Callable

    from trtlens.capture.building.engine_build import BuiltRun

    Play = Callable[..., Double]

pytest.importorskip("onnx", reason="the double reads models with onnx")

ROOT = Path(__file__).parents[2]
RECORD = re.compile(rb"\[\d\d/\d\d/\d{4}-\d\d:\d\d:\d\d\] \[[FEWIV]\] ")


def build(double: Double, model: Path, out: Path, **flags: Any) -> BuiltRun:
    return build_run(model, out, parse_options(flags), backend=double.backend, command=["trtlens", "profile"])


def document(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "run.json").read_text())
    return content


@pytest.mark.parametrize("release", RELEASES)
def test_every_release_builds(release: str, play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """A plain build uses no name that any release lacks, and leaves a run with every raw file in it."""
    double = play(release)
    run = build(double, small_cnn, tmp_path / "run")
    assert run.engine_path.read_bytes().startswith(b"ftrt")
    assert b"\x1e[ONNX Layer: stem/relu]" in (run.folder / "layers.json").read_bytes()
    record = document(run.folder)
    assert (record["format"], record["kind"], record["status"]) == (1, "profile", "built")
    assert record["tensorrt_version"] == double.backend.version_text
    assert record["command"] == ["trtlens", "profile"]
    assert record["model"]["sha256"] is not None
    assert set(record["times"]) == {"hash_s", "parse_s", "build_s", "inspect_s", "total_s"}
    assert record["timings"] == []


@pytest.mark.parametrize("release", RELEASES)
def test_every_option_meets_its_release(release: str, play: Play, dynamic_cnn: Path, tmp_path: Path) -> None:
    """Options that every release knows reach the builder with trtexec's meaning."""
    double = play(release)
    build(
        double,
        dynamic_cnn,
        tmp_path / "run",
        minShapes="input:1x3x32x32",
        optShapes="input:4x3x32x32",
        maxShapes="input:8x3x32x32",
        memPoolSize="workspace:64",
        tacticSources="EDGE_MASK_CONVOLUTIONS,JIT_CONVOLUTIONS",
        builderOptimizationLevel="1",
        timingCacheFile=str(tmp_path / "timing.cache"),
        sparsity="enable",
        versionCompatible=True,
        hardwareCompatibilityLevel="ampere+",
        maxAuxStreams="2",
        noTF32=True,
        inputIOFormats="fp32:chw+hwc",
        plugins="libmine.so",
    )
    saw = double.script.saw
    assert saw("profiling_verbosity") == ["DETAILED"]
    assert saw("set_shape") == [("input", (1, 3, 32, 32), (4, 3, 32, 32), (8, 3, 32, 32))]
    assert saw("set_memory_pool_limit") == [("WORKSPACE", 64 << 20)]
    sources = double.trt.TacticSource
    wanted = 1 << int(sources.EDGE_MASK_CONVOLUTIONS) | 1 << int(sources.JIT_CONVOLUTIONS)
    assert saw("set_tactic_sources") == [wanted]
    assert (saw("builder_optimization_level"), saw("max_aux_streams")) == ([1], [2])
    assert set(saw("set_flag")) == {"SPARSE_WEIGHTS", "VERSION_COMPATIBLE"}
    assert saw("clear_flag") == ["TF32"]
    assert saw("hardware_compatibility_level") == ["AMPERE_PLUS"]
    assert (tmp_path / "timing.cache").read_bytes() == b"+measured"
    assert "libmine.so" in saw("load_library")
    assert saw("engine_host_code_allowed") == [True]


@pytest.mark.parametrize("release", WEAKLY_TYPED)
def test_precision_flags_where_they_are(release: str, play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """Up to 10.x --fp16 is a builder flag, and the model is built as it is."""
    double = play(release)
    run = build(double, small_cnn, tmp_path / "run", fp16=True)
    assert double.script.saw("set_flag") == ["FP16"]
    assert double.script.saw("parse_from_file") == [str(small_cnn)]
    assert document(run.folder)["precision_flags"] == ["FP16"]
    assert not (run.folder / "converted.onnx").exists()


@pytest.mark.parametrize("release", [*STRONGLY_TYPED, "10.0.1", "10.16.1.11"])
@pytest.mark.parametrize("half", ["fp16", "bf16"])
def test_conversion_where_flags_are_gone(release: str, half: str, play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """In 11.x, in RTX and with --stronglyTyped the model is converted, kept in the run, and told."""
    pytest.importorskip("onnxconverter_common")
    double = play(release)
    run = build(double, small_cnn, tmp_path / "run", **{half: True, "stronglyTyped": True})
    assert double.script.saw("set_flag") == []
    assert double.script.saw("parse_from_file") == [str(run.folder / "converted.onnx")]
    assert any(f"converted to {half} by onnxconverter-common: 15 nodes" in note for note in run.notes)


@pytest.mark.parametrize("release", RELEASES)
def test_network_creation_flags(release: str, play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """EXPLICIT_BATCH is asked for where it exists; STRONGLY_TYPED where nothing else is left."""
    double = play(release)
    build(double, small_cnn, tmp_path / "run")
    flags = double.trt.NetworkDefinitionCreationFlag
    wanted = ["EXPLICIT_BATCH"] if hasattr(flags, "EXPLICIT_BATCH") else ["STRONGLY_TYPED"]
    assert double.script.saw("create_network") == [sum(1 << int(getattr(flags, name)) for name in wanted)]


def test_unknown_options_of_a_release_are_refused(play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """What a release lacks is refused by name before a folder appears: BF16 and strong typing in 8.6, cuDNN in 11."""
    for release, flags, name in (
        ("8.6.0", {"bf16": True}, "--bf16"),
        ("8.6.0", {"stronglyTyped": True}, "--stronglyTyped"),
        ("8.6.0", {"hardwareCompatibilityLevel": "sameComputeCapability"}, "--hardwareCompatibilityLevel"),
        ("11.0.0.114", {"tacticSources": "+CUDNN"}, "--tacticSources"),
        ("11.0.0.114", {"layerPrecisions": "*:fp32"}, "--layer-precision"),
        ("11.0.0.114", {"fp16": True, "bf16": True}, "choose --fp16 or --bf16"),
    ):
        with pytest.raises(TrtlensError, match=name) as caught:
            build(play(release), small_cnn, tmp_path / "run", **flags)
        assert caught.value.exit_code == 2
        assert not (tmp_path / "run").exists()


def test_log_is_in_trtexecs_dialect(play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """Each message starts with trtexec's prefix, the further lines of a message stand bare, the version is on top."""
    run = build(play("8.6.0"), small_cnn, tmp_path / "run")
    lines = (run.folder / "verbose.log").read_bytes().split(b"\n")
    assert lines[0].endswith(f"[I] Written by trtlens {VERSION}".encode())
    assert lines[1].endswith(b"[I] TensorRT version: 8.6.0")
    assert open_run(run.folder / "verbose.log")["builds"]["wrapper"].to_pylist() == ["trtlens"]
    assert RECORD.match(lines[0])
    layers = [number for number, line in enumerate(lines) if line.endswith(b"[V] [TRT] Engine Layer Information:")]
    assert len(layers) == 1
    assert lines[layers[0] + 1] == b"Layer(Cask): stem/conv"
    assert sum(RECORD.match(line) is None for line in lines if line) == 15


@pytest.mark.parametrize("release", ["8.6.0", "10.0.1", "11.4.0.106", "rtx-1.7.1.116"])
def test_failed_build_leaves_its_run(release: str, play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """A build that TensorRT refuses raises its last error, and the run keeps log and errors."""
    out = tmp_path / "run"
    with pytest.raises(CaptureError, match="Could not find any implementation for node conv") as caught:
        build(play(release, fails=True), small_cnn, out)
    assert caught.value.exit_code == 3
    record = document(out)
    assert record["status"] == "failed"
    assert "Could not find any implementation" in record["errors"][1]
    assert b"[E] [TRT] Error Code 10" in (out / "verbose.log").read_bytes()
    assert not (out / "engine.plan").exists()


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("release", ["10.0.1", "11.0.0.114", "rtx-1.7.1.116"])
def test_ctrl_c_stops_through_the_monitor(release: str, play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """Ctrl-C makes step_complete return False: the builder stops, and the run says interrupted."""
    double = play(release, on_build=interrupt, step_seconds=0.4, steps=50)
    with pytest.raises(KeyboardInterrupt):
        build(double, small_cnn, tmp_path / "run")
    assert double.script.cancelled
    assert document(tmp_path / "run")["status"] == "interrupted"
    assert b"Computing costs for layer 1" in (tmp_path / "run" / "verbose.log").read_bytes()


def test_ctrl_c_at_the_last_moment_is_heard(play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """A build that is done before it notices the interruption does not swallow it."""

    def interrupt_at_the_end(phase: str, *_advance: object) -> None:
        if phase == "Inspecting the engine":
            interrupt()

    with pytest.raises(KeyboardInterrupt):
        build_run(small_cnn, tmp_path / "run", progress=interrupt_at_the_end, backend=play("10.3.0").backend)
    assert document(tmp_path / "run")["status"] == "interrupted"


def test_ctrl_c_leaves_a_builder_without_monitor_behind(play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """8.6 cannot be stopped: the call returns soon, and what the builder still makes is thrown away."""
    double = play("8.6.0", on_build=interrupt, step_seconds=0.7)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        build(double, small_cnn, tmp_path / "run")
    assert time.monotonic() - started < 2.5
    written = (tmp_path / "run" / "verbose.log").read_bytes()
    with pytest.raises(CaptureError, match="still at work"):
        build(double, small_cnn, tmp_path / "next")
    time.sleep(2.0)
    assert document(tmp_path / "run")["status"] == "interrupted"
    assert not (tmp_path / "run" / "engine.plan").exists()
    assert (tmp_path / "run" / "verbose.log").read_bytes() == written


@pytest.mark.parametrize("release", ["8.6.0", "10.0.1"])
def test_failing_progress_is_not_lost(release: str, play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """An exception of the progress callback stops the build and comes out of the call."""

    def progress(phase: str, step: int | None, steps: int | None, detail: str) -> None:
        if step == 2:
            raise ZeroDivisionError(f"{phase} {steps} {detail}")

    double = play(release, step_seconds=0.3, steps=4)
    with pytest.raises(ZeroDivisionError):
        build_run(small_cnn, tmp_path / "run", progress=progress, backend=double.backend)
    assert document(tmp_path / "run")["status"] == "failed"


@pytest.mark.parametrize("release", ["8.6.0", "11.4.0.106"])
def test_progress_is_told(release: str, play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """Phases and steps come from the monitor where there is one, else from the log."""
    seen: list[tuple[str, int | None, int | None]] = []
    build_run(
        small_cnn,
        tmp_path / "run",
        progress=lambda phase, step, steps, _detail: seen.append((phase, step, steps)),
        backend=play(release).backend,
    )
    expected = ("Timing tactics", 3, None) if release == "8.6.0" else ("Building engine", 3, 3)
    assert expected in seen
    assert ("Inspecting the engine", None, None) in seen


@pytest.mark.parametrize("release", ["8.6.0", "11.4.0.106"])
def test_a_full_disk_ends_the_build(
    release: str, play: Play, small_cnn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that cannot be written any more stops the build and is told, instead of a run without its log."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no device here that is always full")
    monkeypatch.setattr("trtlens.capture.building.engine_build.LogFile", lambda _path: LogFile(full))
    with pytest.raises(TrtlensError, match=r"cannot be written \(No space left"):
        build(play(release, step_seconds=0.4, steps=4), small_cnn, tmp_path / "run")
    assert document(tmp_path / "run")["status"] == "failed"


def test_shapes_of_dynamic_inputs(play: Play, dynamic_cnn: Path, tmp_path: Path) -> None:
    """Without shapes a dynamic batch is 1 and told; --shapes is the whole profile; the inspector sees the shapes."""
    double = play("10.3.0")
    run = build(double, dynamic_cnn, tmp_path / "default")
    assert dict(run.shapes) == {"input": (1, 3, 32, 32)}
    assert "no shape was given for input input: its batch was set to 1, 1x3x32x32" in run.notes
    run = build(double, dynamic_cnn, tmp_path / "given", shapes="input:2x3x32x32")
    assert double.script.saw("set_shape")[-1] == ("input", *[(2, 3, 32, 32)] * 3)
    assert b'"Shapes": {"input": [2, 3, 32, 32]}' in (run.folder / "layers.json").read_bytes()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"shapes": "images:2x3x32x32"}, "no input 'images': its inputs are input"),
        ({"shapes": "input:2x3x32"}, "does not fit"),
        ({"shapes": "input:2x4x32x32"}, "does not fit"),
        ({"minShapes": "*:2x3x32x32", "optShapes": "*:1x3x32x32", "maxShapes": "*:4x3x32x32"}, "does not hold"),
        ({"shapes": "input:9x3x32x32", "optShapes": "input:1x3x32x32"}, "outside of"),
    ],
)
def test_shapes_that_do_not_fit(
    flags: dict[str, str], words: str, play: Play, dynamic_cnn: Path, tmp_path: Path
) -> None:
    """A shape that cannot be is told with the value, as wrong usage."""
    with pytest.raises(TrtlensError, match=re.escape(words)):
        build(play("10.3.0"), dynamic_cnn, tmp_path / "run", **flags)
    assert not list(tmp_path.iterdir())


def test_static_input_takes_no_other_shape(play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """A static input accepts its own shape and refuses another one."""
    build(play("10.3.0"), small_cnn, tmp_path / "same", shapes="input:4x3x32x32")
    with pytest.raises(TrtlensError, match="static shape 4x3x32x32"):
        build(play("10.3.0"), small_cnn, tmp_path / "other", shapes="input:8x3x32x32")


@pytest.mark.parametrize("release", WEAKLY_TYPED)
def test_layers_are_held_by_name_and_type(release: str, play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """--layer-precision holds what a layer computes in and puts out, chosen by node name or ONNX operator type."""
    double = play(release)
    run = build(double, small_cnn, tmp_path / "run", fp16=True, layer_precision="Gemm=fp32,block/*=fp32")
    names = [name for name, kind in double.script.saw("precision") if kind == "FLOAT"]
    assert names == ["classifier", "block/conv1", "block/relu1", "block/conv2", "block/add", "block/relu2"]
    assert [name for name, _, _ in double.script.saw("set_output_type")] == names
    assert double.script.saw("set_flag") == ["OBEY_PRECISION_CONSTRAINTS", "FP16"]
    assert "--layer-precision Gemm=fp32 holds 1 layers: classifier" in run.notes


def test_trtexec_constraints(play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """--layerPrecisions and --layerOutputTypes act under --precisionConstraints alone, as in trtexec."""
    double = play("10.3.0")
    flags = {"layerPrecisions": "stem/*:fp16,classifier:fp32", "layerOutputTypes": "pool:fp16"}
    run = build(double, small_cnn, tmp_path / "none", **flags)
    assert double.script.saw("precision") == []
    assert any("do nothing without --precisionConstraints" in note for note in run.notes)
    build(double, small_cnn, tmp_path / "prefer", precisionConstraints="prefer", **flags)
    assert ("stem/conv", "HALF") in double.script.saw("precision")
    assert double.script.saw("set_output_type") == [("pool", 0, "HALF")]
    with pytest.raises(TrtlensError, match="no layer is called 'nosuch'"):
        build(double, small_cnn, tmp_path / "typo", precisionConstraints="obey", layerPrecisions="nosuch:fp16")


def test_signed_tactic_sources_change_the_default(play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """+NAME and -NAME change the default set; switching off what a release no longer has asks for nothing."""
    double = play("10.3.0")
    sources = double.trt.TacticSource
    build(double, small_cnn, tmp_path / "run", tacticSources="+CUBLAS,-JIT_CONVOLUTIONS")
    wanted = (0b11000 | 1 << int(sources.CUBLAS)) & ~(1 << int(sources.JIT_CONVOLUTIONS))
    assert double.script.saw("set_tactic_sources") == [wanted]
    build(play("11.0.0.114"), small_cnn, tmp_path / "new", tacticSources="-CUDNN")


def test_foreign_timing_cache_is_left_alone(play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """A timing cache that TensorRT refuses is told and not overwritten."""
    cache = tmp_path / "timing.cache"
    cache.write_bytes(b"from elsewhere")
    run = build(play("10.3.0", refuses_timing_cache=True), small_cnn, tmp_path / "run", timingCacheFile=str(cache))
    assert cache.read_bytes() == b"from elsewhere"
    assert any("timing cache" in note and "from elsewhere" in note for note in run.notes)


def test_caches_that_are_no_files_are_refused(play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """A folder, or a name that no file can have, in place of a cache or beside it is told before the build."""
    (tmp_path / "folder").mkdir()
    for flag, name in (("timingCacheFile", "folder"), ("timingCacheFile", "x" * 300), ("calib", "y" * 252)):
        flags = {flag: str(tmp_path / name), "calibration_data": "samples.npz"}
        with pytest.raises(TrtlensError, match=name):
            build(play("10.3.0"), small_cnn, tmp_path / "run", **flags)
        assert not (tmp_path / "run").exists()


def test_timing_cache_grows(play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """What the build measured is added to the cache of the next one."""
    cache = tmp_path / "caches" / "timing.cache"
    for number in (1, 2):
        build(play("10.3.0"), small_cnn, tmp_path / str(number), timingCacheFile=str(cache))
    assert cache.read_bytes() == b"+measured+measured"


def test_unreadable_model_names_its_node(play: Play, tmp_path: Path) -> None:
    """What the parser cannot read is told with the node, where the release names it."""
    import onnx

    node = onnx.helper.make_node("Custom", ["x"], ["y"], name="broken", domain="")
    ends = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in ("x", "y")]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", ends[:1], ends[1:]))
    onnx.save(model, tmp_path / "broken.onnx")
    for release, words in (("8.6.0", "node 0: In node 0"), ("10.0.1", r"node broken \[Custom\]: In node 0")):
        with pytest.raises(CaptureError, match=words):
            build(play(release), tmp_path / "broken.onnx", tmp_path / release)


def test_missing_plugin_library(play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """A plugin library that does not load is named."""
    with pytest.raises(CaptureError, match=r"plugin library missing\.so does not load"):
        build(play("10.3.0"), small_cnn, tmp_path / "run", plugins="missing.so")


@pytest.mark.parametrize("release", RELEASES)
def test_serialized_engine_is_taken(release: str, play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """An engine file is copied into a run of its own and asked for its layers; nothing is built."""
    double = play(release)
    first = build(double, small_cnn, tmp_path / "first")
    second = build(double, first.engine_path, tmp_path / "second")
    assert second.engine_path.read_bytes() == first.engine_path.read_bytes()
    assert (second.folder / "layers.json").read_bytes() == (first.folder / "layers.json").read_bytes()
    assert len(double.script.saw("create_network")) == 1


def test_an_engine_needs_a_gpu(play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one nothing can be said of it, and no folder is left."""
    engine = tmp_path / "m.plan"
    engine.write_bytes(b"ftrt")
    double = play("10.3.0")
    monkeypatch.setattr("trtlens.capture.backends.backend.gpu_present", lambda: False)
    with pytest.raises(CaptureError, match=r"loading m\.plan needs an NVIDIA GPU"):
        build(double, engine, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_foreign_engine_fails(play: Play, tmp_path: Path) -> None:
    """A file that is no engine of this TensorRT is a failure, with what the runtime said."""
    engine = tmp_path / "other.engine"
    engine.write_bytes(b"something else")
    with pytest.raises(CaptureError, match="magic number mismatch"):
        build(play("10.3.0"), engine, tmp_path / "run")
    assert document(tmp_path / "run")["status"] == "failed"
    with pytest.raises(TrtlensError, match="cannot be read"):
        load_engine(play("10.3.0").backend, tmp_path / "nothing.engine")


def test_models_that_are_none(play: Play, tmp_path: Path) -> None:
    """A missing, an empty and a too large file are refused before anything is started."""
    (tmp_path / "empty.onnx").touch()
    with (tmp_path / "large.onnx").open("wb") as file:
        file.truncate(1 << 31)  # sparse
    for name, words in (("missing", "not a file"), ("empty", "is empty"), ("large", "external file")):
        with pytest.raises(TrtlensError, match=words):
            build(play("10.3.0"), tmp_path / f"{name}.onnx", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_run_folder_is_not_overwritten(play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """A folder with something in it is left alone; --force replaces a run, and nothing but a run."""
    double, out = play("10.3.0"), tmp_path / "run"
    build(double, small_cnn, out)
    with pytest.raises(TrtlensError, match="holds files already"):
        build(double, small_cnn, out)
    build_run(small_cnn, out, backend=double.backend, command=["again"], force=True)
    assert document(out)["command"] == ["again"]
    (out / "thesis.txt").touch()
    with pytest.raises(TrtlensError, match=r"did not write \(thesis\.txt\)"):
        build_run(small_cnn, out, backend=double.backend, force=True)
    (out / "thesis.txt").unlink()
    (out / "run.json").unlink()
    with pytest.raises(TrtlensError, match="not a run"):
        build_run(small_cnn, out, backend=double.backend, force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_one_logger_serves_every_build(play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """TensorRT keeps the first logger it sees: all builds of a process give it the same one, each with its own log."""
    double = play("10.3.0")
    for name in ("first", "second"):
        build(double, small_cnn, tmp_path / name)
    assert len({id(logger) for logger in double.script.loggers}) == 1
    logs = [(tmp_path / name / "verbose.log").read_bytes() for name in ("first", "second")]
    assert logs[0].count(b"Engine generation completed") == logs[1].count(b"Engine generation completed") == 1


def test_without_a_gpu(play: Play, small_cnn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT says that it needs a GPU and what does without; RTX builds, and says why there is no layers.json."""
    tensorrt, rtx = play("10.3.0"), play("rtx-1.7.1.116")
    monkeypatch.setattr("trtlens.capture.backends.backend.gpu_present", lambda: False)
    with pytest.raises(CaptureError, match="tensorrt-rtx"):
        build(tensorrt, small_cnn, tmp_path / "tensorrt")
    assert tensorrt.script.loggers == []
    assert not (tmp_path / "tensorrt").exists()
    run = build(rtx, small_cnn, tmp_path / "rtx", timingCacheFile=str(tmp_path / "timing.cache"))
    assert run.layers_path is None
    assert any("no layers.json" in note for note in run.notes)
    assert any("TensorRT-RTX needs a GPU for it" in note for note in run.notes)
    assert document(run.folder)["gpu"] is None


def test_deprecations_are_quiet(play: Play, small_cnn: Path, tmp_path: Path) -> None:
    """Releases that warn of deprecated members do so into nothing: older ones still need them."""
    double = play("10.12.0.36", on_build=lambda: warnings.warn("use strong typing", DeprecationWarning, stacklevel=2))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        build(double, small_cnn, tmp_path / "run", fp16=True)
    assert [str(warning.message) for warning in caught if "strong typing" in str(warning.message)] == []


_KILLED = """
import os, signal, sys
from pathlib import Path
from tests.doubles.tensorrt_double import Script, make_double
from trtlens.capture.backends import backend as backends
from trtlens.capture.building.engine_build import build_run
backends.gpu_present = lambda: True
def kill():
    import time
    time.sleep(0.6)
    os.kill(os.getpid(), signal.SIGKILL)
double = make_double("8.6.0", Script(on_build=kill))
build_run(Path(sys.argv[1]), Path(sys.argv[2]), backend=backends.backend_from_module(double))
"""


def test_killed_build_leaves_a_readable_run(small_cnn: Path, tmp_path: Path) -> None:
    """A process that is killed leaves a run.json that says building, and the log up to a moment before."""
    arguments = [sys.executable, "-c", _KILLED, str(small_cnn), str(tmp_path / "run")]
    done = subprocess.run(
        arguments,
        cwd=ROOT,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "parsers")))},
    )
    assert done.returncode == -signal.SIGKILL
    assert document(tmp_path / "run")["status"] == "building"
    assert b"Computing costs for layer 1\n" in (tmp_path / "run" / "verbose.log").read_bytes()


def test_fixture_models_are_what_the_script_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The committed models hold what `make_models.py` makes today."""
    import onnx

    spec = importlib.util.spec_from_file_location("make_models", MODELS / "make_models.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    monkeypatch.setattr(made, "HERE", tmp_path)
    made.main()
    written = sorted(tmp_path.glob("*.onnx"))
    assert len(written) == 3
    for path in written:
        assert onnx.load(path) == onnx.load(MODELS / path.name)

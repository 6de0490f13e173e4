"""Real builds on a GPU with TensorRT; models are small and the optimization level low, so that they take seconds."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from trtlens.capture.backends.backend import find_backend, gpu_present
from trtlens.capture.build_options import parse_options
from trtlens.capture.building.engine_build import build_run, load_engine
from trtlens.cli import app
from trtlens.errors import CaptureError, TrtlensError

if TYPE_CHECKING:
    from trtlens.capture.building.engine_build import BuiltRun

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not gpu_present(), reason="the CUDA driver counts no GPU"),
    pytest.mark.skipif(importlib.util.find_spec("tensorrt") is None, reason="tensorrt is not installed"),
]
ROOT = Path(__file__).parents[2]
MODELS = ROOT / "fixtures" / "models"
QUICK = {"tacticSources": "EDGE_MASK_CONVOLUTIONS,JIT_CONVOLUTIONS", "builderOptimizationLevel": "1"}


def build(name: str, out: Path, **flags: Any) -> BuiltRun:
    options = parse_options({**QUICK, **flags})
    return build_run(MODELS / f"{name}.onnx", out, options, backend=find_backend("tensorrt"))


def layers_of(run: BuiltRun) -> list[dict[str, Any]]:
    assert run.layers_path is not None
    layers: list[dict[str, Any]] = json.loads(run.layers_path.read_bytes(), strict=False)["Layers"]
    return layers


def formats_in(run: BuiltRun) -> str:
    """The types and layouts of all layers' outputs, in one text."""
    return " ".join(str(output) for layer in layers_of(run) for output in layer["Outputs"])


@pytest.mark.parametrize("name", ["small_cnn", "tiny_encoder"])
def test_fp32_run_is_whole(name: str, tmp_path: Path) -> None:
    """An FP32 build leaves every raw file, and says on which GPU."""
    run = build(name, tmp_path / "run", noTF32=True)
    record = json.loads((run.folder / "run.json").read_text())
    assert record["status"] == "built"
    assert record["gpu"]["name"]
    assert re.fullmatch(r"\d+\.\d+", record["gpu"]["compute_capability"])
    assert record["driver"]
    assert layers_of(run)
    log = (run.folder / "verbose.log").read_bytes()
    for words in (b"Parsing node: ", b"Formats and tactics selection completed", b"Engine generation completed"):
        assert words in log


def test_fp16_computes_in_halves(tmp_path: Path) -> None:
    """--fp16 lets layers compute in FP16; these are held to it, because FP32 is as fast for a model this small."""
    held = {"precisionConstraints": "obey", "layerPrecisions": "*:fp16", "layerOutputTypes": "*:fp16"}
    assert "FP16" in formats_in(build("small_cnn", tmp_path / "run", fp16=True, **held))


def test_held_layers_stay_in_fp32(tmp_path: Path) -> None:
    """With every layer held by its operator type, no FP16 is left in an --fp16 build."""
    pytest.importorskip("onnx")
    kinds = ("Conv", "Gemm", "Relu", "Add", "MaxPool", "GlobalAveragePool", "Flatten")
    run = build("small_cnn", tmp_path / "held", fp16=True, layer_precision=",".join(f"{kind}=fp32" for kind in kinds))
    assert "--layer-precision Conv=fp32 holds 5 layers" in " ".join(run.notes)
    assert "FP16" not in formats_in(run)


def test_int8_with_calibration(tmp_path: Path) -> None:
    """Calibration on the GPU makes a cache that the next build reads without data going to the GPU.

    Layers are held to INT8: for a model this small FP32 is as fast, and the tuner's noise would decide.
    """
    data = tmp_path / "data.npz"
    np.savez(data, input=np.random.default_rng(7).standard_normal((8, 3, 32, 32)).astype(np.float32))
    flags = {"int8": True, "calibration_data": data, "calib": tmp_path / "int8.cache"}
    flags |= {"precisionConstraints": "prefer", "layerPrecisions": "*:int8", "layerOutputTypes": "*:int8"}
    first = build("small_cnn", tmp_path / "first", **flags)
    assert (first.folder / "calibration.cache").read_bytes().startswith(b"TRT-")
    assert "Int8" in formats_in(first) or "INT8" in formats_in(first)
    second = build("small_cnn", tmp_path / "second", **flags)
    assert b"Calibrating with" not in (second.folder / "verbose.log").read_bytes()
    assert not any("calibration batches" in note for note in second.notes)


def test_int8_with_made_up_ranges(tmp_path: Path) -> None:
    """Dummy ranges give an INT8 engine, and a run that says so."""
    run = build("small_cnn", tmp_path / "run", int8=True, fp16=True, **{"int8-ranges": "dummy"})
    assert "Int8" in formats_in(run) or "INT8" in formats_in(run)
    assert json.loads((run.folder / "run.json").read_text())["int8_ranges"] == "dummy"


def test_int8_without_ranges_is_refused(tmp_path: Path) -> None:
    """--int8 alone asks for ranges."""
    with pytest.raises(TrtlensError, match="--int8 needs ranges"):
        build("small_cnn", tmp_path / "run", int8=True)


def test_dynamic_shapes_and_timing_cache(tmp_path: Path) -> None:
    """The inspector tells the shapes of the run, and a second build takes its timings from the cache."""
    flags = {
        "minShapes": "input:1x3x32x32",
        "optShapes": "input:4x3x32x32",
        "maxShapes": "input:8x3x32x32",
        "timingCacheFile": tmp_path / "timing.cache",
        "maxAuxStreams": "0",
        "memPoolSize": "workspace:256",
        "sparsity": "enable",
    }
    first = build("small_cnn_dynamic", tmp_path / "first", **flags)
    assert dict(first.shapes) == {"input": (4, 3, 32, 32)}
    shapes = [tensor["Dimensions"] for layer in layers_of(first) for tensor in layer["Inputs"]]
    assert any(shape[:1] == [4] for shape in shapes), layers_of(first)
    assert (tmp_path / "timing.cache").stat().st_size > 0
    second = build("small_cnn_dynamic", tmp_path / "second", **flags)
    assert (second.folder / "verbose.log").stat().st_size < (first.folder / "verbose.log").stat().st_size


def test_serialized_engine_is_taken(tmp_path: Path) -> None:
    """An engine file is inspected in a run of its own; bytes that are none fail with TensorRT's words."""
    first = build("small_cnn", tmp_path / "first")
    second = build_run(first.engine_path, tmp_path / "second", backend=find_backend("tensorrt"))
    assert [layer["Name"] for layer in layers_of(second)] == [layer["Name"] for layer in layers_of(first)]
    assert load_engine(second.backend, second.engine_path).num_layers == len(layers_of(first))
    (tmp_path / "broken.engine").write_bytes(first.engine_path.read_bytes()[:1000])
    with pytest.raises(CaptureError, match=r"broken\.engine|engine\.plan"):
        build_run(tmp_path / "broken.engine", tmp_path / "broken", backend=find_backend("tensorrt"))


def test_a_line_of_trtexec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It builds with the settings of the line, times, and writes trtexec's files; the saved engine is timed again."""
    monkeypatch.chdir(tmp_path)
    line = [
        f"--onnx={MODELS / 'small_cnn.onnx'}",
        "--fp16",
        "--verbose",
        "--workspace=256",
        "--avgTiming=2",
        "--tacticSources=-CUBLAS,-CUBLAS_LT,-CUDNN",
    ]
    files = ["--saveEngine=m.plan", "--exportTimes=t.json", "--exportProfile=p.json", "--exportLayerInfo=l.json"]
    quick = ["--builderOptimizationLevel=1", "--duration=0", "--no-trace", "--processes=1"]
    app(args=["profile", *line, *files, *quick, "-o", "run"], standalone_mode=False)
    flags = json.loads(Path("run", "run.json").read_text())["flags"]
    assert (flags["avg_timing"], flags["memory_pools"]) == (2, {"workspace": 256 << 20})
    times, profile = json.loads(Path("t.json").read_text()), json.loads(Path("p.json").read_text())
    assert all(time["computeMs"] > 0 for time in times)
    assert profile[0]["count"] > 0
    assert sum(row["percentage"] for row in profile[1:]) == pytest.approx(100)
    app(
        args=["profile", "--loadEngine=m.plan", "--exportLayerInfo=l2.json", *quick[1:], "-o", "again"],
        standalone_mode=False,
    )
    names = [
        [layer["Name"] for layer in json.loads(Path(name).read_bytes(), strict=False)["Layers"]]
        for name in ("l.json", "l2.json")
    ]
    assert names[0] == names[1]


def test_ctrl_c_comes_back_soon(tmp_path: Path) -> None:
    """Ctrl-C during a build that takes long ends the process within seconds and leaves an interrupted run.

    A process that was started in the background ignores SIGINT, and so do its children: this one takes it up again. Its
    progress is slow to take, so that the build is at work when the signal comes.
    """
    code = (
        "import signal, sys, time; from pathlib import Path; from trtlens.capture.building.engine_build import build_run;"
        "from trtlens.capture.build_options import parse_options;"
        "options = parse_options({'fp16': True, 'builderOptimizationLevel': '5',"
        " 'tacticSources': 'EDGE_MASK_CONVOLUTIONS,JIT_CONVOLUTIONS'});"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        "build_run(Path(sys.argv[1]), Path(sys.argv[2]), options, progress=lambda *_: time.sleep(0.2))"
    )
    arguments = [sys.executable, "-c", code, str(MODELS / "small_cnn.onnx"), str(tmp_path / "run")]
    process = subprocess.Popen(arguments, cwd=ROOT, stderr=subprocess.DEVNULL)
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    log = tmp_path / "run" / "verbose.log"
    while process.poll() is None and not (log.is_file() and b"Timing Runner" in log.read_bytes()):
        time.sleep(0.05)
    interrupted = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    process.wait()
    watchdog.cancel()
    assert time.monotonic() - interrupted < 40
    assert process.returncode in (130, -signal.SIGINT, 1)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"

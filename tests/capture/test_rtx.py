"""Real builds with TensorRT-RTX, which needs no GPU."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from trtlens.capture.backends.backend import find_backend, gpu_present
from trtlens.capture.build_options import parse_options
from trtlens.capture.building.engine_build import build_run
from trtlens.errors import CaptureError

if TYPE_CHECKING:
    from trtlens.capture.building.engine_build import BuiltRun

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("tensorrt_rtx") is None, reason="tensorrt_rtx is not installed"),
    pytest.mark.skipif(gpu_present(), reason="with a GPU, RTX builds for that one, which it may not support"),
]
MODELS = Path(__file__).parents[2] / "fixtures" / "models"


def build(name: str, out: Path, **flags: Any) -> BuiltRun:
    return build_run(MODELS / f"{name}.onnx", out, parse_options(flags), backend=find_backend("tensorrt_rtx"))


def types_in(run: BuiltRun) -> set[str]:
    """The types of all tensors in the log's list of layers."""
    log = (run.folder / "verbose.log").read_text()
    return set(re.findall(r"Datatype: (\w+)", log[log.index("Layers:\n") :]))


@pytest.mark.parametrize("name", ["small_cnn", "tiny_encoder"])
@pytest.mark.parametrize(
    ("flags", "types"),
    [
        ({}, {"Float"}),
        ({"fp16": True}, {"Float", "Half"}),
        ({"bf16": True}, {"Float", "BFloat16"}),
        ({"int8": True, "int8-ranges": "dummy"}, {"Float", "Int8"}),
    ],
)
def test_precisions_reach_the_engine(name: str, flags: dict[str, Any], types: set[str], tmp_path: Path) -> None:
    """What was asked for stands in the types of the engine's own layers, and the run is whole but for layers.json."""
    pytest.importorskip("onnxconverter_common")
    if "int8" in flags:
        pytest.importorskip("onnxruntime")
    run = build(name, tmp_path / "run", **flags)
    assert types_in(run) == types
    assert run.engine_path.stat().st_size > 100_000
    record = json.loads((run.folder / "run.json").read_text())
    assert (record["status"], record["library"], record["gpu"]) == ("built", "tensorrt_rtx", None)
    assert run.layers_path is None


def test_calibration_and_shapes(tmp_path: Path) -> None:
    """A dynamic model quantized on calibration data, with the rest in FP16, builds for its range of shapes."""
    pytest.importorskip("onnxconverter_common")
    pytest.importorskip("onnxruntime")
    np.savez(tmp_path / "data.npz", input=np.random.default_rng(7).standard_normal((8, 3, 32, 32)).astype(np.float32))
    run = build(
        "small_cnn_dynamic",
        tmp_path / "run",
        int8=True,
        fp16=True,
        calibration_data=tmp_path / "data.npz",
        minShapes="input:1x3x32x32",
        optShapes="input:4x3x32x32",
        maxShapes="input:8x3x32x32",
        noTF32=True,
        builderOptimizationLevel="0",
        maxAuxStreams="0",
        sparsity="enable",
        memPoolSize="workspace:256",
    )
    assert {"Int8", "Half"} <= types_in(run)
    assert dict(run.shapes) == {"input": (4, 3, 32, 32)}
    assert "OptShape: [4,3,32,32], MaxShape: [8,3,32,32]" in (run.folder / "verbose.log").read_text()


def test_progress_and_log(tmp_path: Path) -> None:
    """The monitor tells of the real builder's phases, and every message has its prefix in the log."""
    phases = set()
    run = build_run(
        MODELS / "small_cnn.onnx",
        tmp_path / "run",
        progress=lambda phase, _step, _steps, _detail: phases.add(phase),
        backend=find_backend("tensorrt_rtx"),
    )
    assert {"Building engine", "Optimizing graph", "Timing tactics"} <= phases
    log = (run.folder / "verbose.log").read_text()
    assert re.search(r"^\[\d\d/\d\d/\d{4}-\d\d:\d\d:\d\d\] \[V\] \[TRT\] Layers:$", log, re.MULTILINE)
    assert log.count("Engine generation completed") == 1


def test_a_cancelled_build_stops(tmp_path: Path) -> None:
    """The real builder heeds the monitor: an interrupted build leaves no engine."""

    def interrupt(phase: str, step: int | None, steps: int | None, detail: str) -> None:
        if phase == "Optimizing graph":
            raise KeyboardInterrupt(phase, step, steps, detail)

    with pytest.raises(KeyboardInterrupt):
        build_run(
            MODELS / "tiny_encoder.onnx", tmp_path / "run", progress=interrupt, backend=find_backend("tensorrt_rtx")
        )
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"
    assert not (tmp_path / "run" / "engine.plan").exists()


def test_what_tensorrt_refuses(tmp_path: Path) -> None:
    """A model that cannot be read fails with the parser's own words and the name of the node."""
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node("NoSuchOperator", ["x"], ["y"], name="odd", domain="some.where")
    ends = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in ("x", "y")]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", ends[:1], ends[1:]))
    model.ir_version = 8
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(CaptureError, match=r"node odd \[NoSuchOperator\]"):
        build_run(tmp_path / "odd.onnx", tmp_path / "run", backend=find_backend("tensorrt_rtx"))
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"


def test_external_weights_are_found(tmp_path: Path) -> None:
    """A model whose weights lie in another file is read from its own folder."""
    onnx = pytest.importorskip("onnx")
    model = tmp_path / "external.onnx"
    proto = onnx.load(MODELS / "small_cnn.onnx")
    onnx.save_model(proto, model, save_as_external_data=True, location="weights.bin", size_threshold=0)
    run = build_run(model, tmp_path / "run", backend=find_backend("tensorrt_rtx"))
    assert list(run.recorder.document["model"]["external"]) == ["weights.bin"]
    assert run.engine_path.stat().st_size > 100_000

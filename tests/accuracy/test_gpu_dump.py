"""Dumps from a real TensorRT on a GPU: numbers against ONNX's own reference evaluator, and the plan left as it was."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.accuracy.conftest import MODELS
from trtlens.accuracy.error_rows import ErrorOptions, compare_to_rows
from trtlens.accuracy.readers import open_dump
from trtlens.capture.backends.backend import find_backend, gpu_present
from trtlens.capture.build_options import parse_options
from trtlens.capture.dumping.engine_dump import EngineDumpRequest, dump_engine
from trtlens.runs.run import open_run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not gpu_present(), reason="the CUDA driver counts no GPU"),
    pytest.mark.skipif(importlib.util.find_spec("tensorrt") is None, reason="tensorrt is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("onnx") is None, reason="onnx is not installed"),
]
QUICK = {"tacticSources": "EDGE_MASK_CONVOLUTIONS,JIT_CONVOLUTIONS", "builderOptimizationLevel": "1"}


def dump(name: str, out: Path, *, mark: str = "boundaries", memory: int = 4 << 30, **flags: Any) -> Path:
    request = EngineDumpRequest(options=parse_options({**QUICK, **flags}), mark=mark, max_memory_bytes=memory)
    return dump_engine(MODELS / f"{name}.onnx", out, request, find_backend("tensorrt")).folder


def evaluated(name: str, folder: Path) -> dict[str, Any]:
    """Every tensor of the model by ONNX's reference evaluator, on the inputs of the dump."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    proto = onnx.load(MODELS / f"{name}.onnx")
    names = [tensor for node in proto.graph.node for tensor in node.output]
    with np.load(folder / "inputs.npz") as inputs:
        feeds = {key: inputs[key] for key in inputs.files}
    del proto.graph.output[:]
    proto.graph.output.extend(onnx.ValueInfoProto(name=tensor) for tensor in names)
    return dict(zip(names, ReferenceEvaluator(proto).run(names, feeds), strict=True))


@pytest.mark.parametrize("name", ["small_cnn", "tiny_encoder"])
def test_fp32_tensors_are_those_of_the_model(name: str, tmp_path: Path) -> None:
    """Every dumped tensor of an FP32 engine without TF32 is, to a thousandth, what the operators say."""
    folder = dump(name, tmp_path / "run", noTF32=True)
    tensors, wanted = open_dump(folder).tensors, evaluated(name, tmp_path / "run")
    inner = [key for key in tensors if key in wanted]
    assert inner  # 8.6 compiles the encoder to one region, so that its output alone stands between layers
    for key in inner:
        assert np.allclose(tensors[key].array(), wanted[key], rtol=1e-3, atol=1e-3), key


def test_boundaries_leave_the_plan_as_it_was(tmp_path: Path) -> None:
    """Marking what stands between the layers changes none that computes, and the notes say so."""
    folder = dump("small_cnn", tmp_path / "run", noTF32=True)
    notes = json.loads((folder / "run.json").read_text())["notes"]
    assert any("left every layer of the engine as it was" in note for note in notes), notes
    assert len(open_dump(folder).tensors) >= 6


def test_marking_all_is_told_to_change_the_plan(tmp_path: Path) -> None:
    """With every tensor as an output the convolutions lose their Relus; the notes name layers, and all tensors come out."""
    folder = dump("small_cnn", tmp_path / "run", mark="all", noTF32=True)
    notes = json.loads((folder / "run.json").read_text())["notes"]
    assert any("changed the engine" in note for note in notes), notes
    wanted = evaluated("small_cnn", folder)
    tensors = open_dump(folder).tensors
    assert set(wanted) <= set(tensors)
    assert all(np.allclose(tensors[key].array(), wanted[key], rtol=1e-3, atol=1e-3) for key in wanted)


def test_fp16_is_compared_and_joined(tmp_path: Path) -> None:
    """An FP16 dump against the FP32 one: every tensor ok, joined to layers, some of them in FP16."""
    reference = open_dump(dump("small_cnn", tmp_path / "fp32", mark="all", noTF32=True))
    folder = dump("small_cnn", tmp_path / "fp16", fp16=True)
    errors = compare_to_rows(reference, open_dump(folder), ErrorOptions())
    compared = [row for row in errors.rows if row["status"] == "compared" and row["role"] != "input"]
    assert len(compared) >= 2
    assert all(row["verdict"] == "ok" for row in compared)
    assert errors.precision == "fp16"
    assert open_run(folder)["layers"].num_rows > 3


def test_several_builds_give_the_same_tensors(tmp_path: Path) -> None:
    """With memory for one tensor at a time the numbers stay within the noise of FP32."""
    whole = open_dump(dump("small_cnn", tmp_path / "whole", noTF32=True)).tensors
    parts = open_dump(dump("small_cnn", tmp_path / "parts", memory=1, noTF32=True)).tensors
    assert list(whole) == list(parts)
    assert all(np.allclose(whole[key].array(), parts[key].array(), rtol=1e-3, atol=1e-3) for key in whole)

"""Cures that are searched with a real TensorRT on a GPU: engines that are built, run, judged and timed."""

from __future__ import annotations

import importlib.util
import sys
import time
from dataclasses import replace
from math import ceil, log2
from typing import TYPE_CHECKING

import onnx
import pytest

from tests.accuracy.conftest import MODELS
from tests.accuracy.planted_cures import Place, of_pins, of_tactics, planted, searched
from trtlens.accuracy.readers import open_dump
from trtlens.capture.backends.backend import find_backend, gpu_present
from trtlens.capture.build_options import parse_options
from trtlens.capture.dumping.dump import DumpRequest, dump_run
from trtlens.capture.dumping.engine_dump import EngineDumpRequest, dump_engine
from trtlens.capture.models.inputs import InputRecipe
from trtlens.commands.cure_told import sentences
from trtlens.commands.region_errors import Regions, region_table
from trtlens.runs.run import open_run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.accuracy.conftest import Typed
    from tests.accuracy.planted_cures import Planted
    from trtlens.commands.region_cure import Curing

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not gpu_present(), reason="the CUDA driver counts no GPU"),
    *(
        pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"{name} is not installed")
        for name in ("tensorrt", "onnx", "onnxruntime")
    ),
]
QUICK = {
    "tacticSources": "-CUBLAS,-CUBLAS_LT,-CUDNN,+EDGE_MASK_CONVOLUTIONS,+JIT_CONVOLUTIONS",
    "builderOptimizationLevel": "1",
}
HELD = {"fp16": True, "precisionConstraints": "obey", "layerPrecisions": "*:fp16", "layerOutputTypes": "*:fp16"}


def told(curing: Curing, began: float) -> str:
    """What a failed test shows: each build with what was changed and what came of it."""
    lines = [
        f"{time.monotonic() - began:.1f} s; the dump: {dict(curing.judge.before)}",
        f"outputs: {curing.judge.bare_before}",
    ]
    return "\n".join([*lines, *map(str, curing.rows), *curing.notes, str(curing.facts), ""])


@pytest.mark.parametrize("fault", planted(), ids=lambda fault: fault.name)
def test_the_cut_is_found_on_the_gpu(fault: Planted, tmp_path: Path) -> None:
    """A planted fault goes with one tensor handed out: found in ceil(log2(edges)) + 2 builds, confirmed by the engine's outputs."""
    began = time.monotonic()
    curing, found = searched(fault, Place(tmp_path, find_backend("tensorrt"), QUICK))
    sys.stderr.write(told(curing, began))
    assert found is not None, told(curing, began)
    assert (found.kind, frozenset(found.cure.chosen)) == ("cut", fault.cuts), told(curing, began)
    assert len(curing.rows) <= ceil(log2(found.candidates)) + 2, told(curing, began)


def test_what_a_pin_cures_is_pinned_and_timed(tmp_path: Path) -> None:
    """Cuts do not cure it, one node in FP32 does; original and cured engine are timed."""
    began = time.monotonic()
    curing, found = searched(of_pins(), Place(tmp_path, find_backend("tensorrt"), QUICK), processes=1)
    sys.stderr.write(told(curing, began))
    assert found is not None, told(curing, began)
    assert (found.kind, set(found.cure.chosen)) == ("fp32", {"tanh7"}), told(curing, began)
    assert len(curing.rows) <= 1 + ceil(log2(found.candidates)) + 2, told(curing, began)
    assert set(curing.facts["cost"]) == {"original", "cured"}, told(curing, began)
    assert any("An inference takes" in line for line in sentences(curing, found))


def test_an_overflow_is_cured_by_fp32(tmp_path: Path, typed: Typed) -> None:
    """A real fault: a square overflows in FP16. The command pins the nodes that hold it, and its output is right."""
    model, marked = MODELS / "overflowing_rms_norm.onnx", "norm/scale_output"
    assert marked in {name for node in onnx.load(str(model)).graph.node for name in node.output}
    reference = dump_run(model, tmp_path / "reference", DumpRequest()).folder
    request = EngineDumpRequest(
        parse_options({**QUICK, **HELD}), InputRecipe(file=reference), mark=f"boost_output,{marked}", method="outputs"
    )
    run = dump_engine(model, tmp_path / "run", request, find_backend("tensorrt")).folder
    theirs = open_dump(run)
    regions = region_table(Regions(open_dump(reference), theirs, model), {}, "fp16").to_pylist()
    code, out, err = typed("isolate", reference, run, marked, "--processes", 0)
    sys.stderr.write(f"{regions}\n{out}{err}")
    assert code == 0, f"{regions}\n{out}{err}"
    assert f"{marked} is cured by holding" in " ".join(out.split())


def test_debug_tensors_or_why_not(tmp_path: Path) -> None:
    """A release without debug tensors says so; one that has them cuts by them or reports that they do not cut."""
    backend = find_backend("tensorrt")
    if not backend.has("INetworkDefinition.mark_debug"):
        pytest.skip("no debug tensors before 10.0")
    curing, _ = searched(replace(planted()[0]), Place(tmp_path, backend, QUICK), method="debug")
    sys.stderr.write(told(curing, 0.0))
    assert curing.rows


def test_a_tactic_is_left_out(tmp_path: Path) -> None:
    """What neither cuts nor FP32 cure goes with the tactics of the region's layers left out; the layer then runs another one."""
    began = time.monotonic()
    curing, found = searched(of_tactics(), Place(tmp_path, find_backend("tensorrt"), QUICK))
    sys.stderr.write(told(curing, began))
    if not curing.tactics:
        pytest.skip("the region's layers have no tactics here")
    assert found is not None, told(curing, began)
    assert found.kind == "tactic", told(curing, began)
    layers = open_run(curing.folder / str(found.build))["layers"].to_pylist()
    now = {row["name"]: row["tactic_id"] for row in layers}
    sys.stderr.write(f"{curing.tactics} -> {now}\n")
    assert any(now.get(layer) != curing.tactics[layer] for layer in found.cure.chosen), now

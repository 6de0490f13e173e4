"""Dumps from TensorRT, on a double that computes: what is marked how in which release, and what is told about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.accuracy.conftest import MODELS, needs_runtime
from tests.doubles.tensorrt_double import Script, running_backend
from tests.doubles.tensorrt_runtime import HostRuntime, host_cuda
from trtlens.accuracy.error_rows import ErrorOptions, compare_to_rows
from trtlens.accuracy.readers import Dump, open_dump
from trtlens.capture.backends import backend as backends
from trtlens.capture.build_options import BuildOptions
from trtlens.capture.dumping.engine_dump import EngineDumpRequest, dump_engine
from trtlens.capture.dumping.marking import InnerTensor, choose_method, compare_plans, refused_outputs
from trtlens.capture.models.inputs import InputRecipe
from trtlens.errors import CaptureError, TrtlensError
from trtlens.runs.run import open_run
from trtlens.runs.run_info import foreign_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = needs_runtime

METHODS = {
    "8.6.0": "outputs",
    "10.0.1": "debug",
    "10.9.0.34": "debug",
    "10.12.0.36": "unfused",
    "11.4.0.106": "unfused",
}
FUSED = ("stem/conv_output", "down/conv_output")
"""Tensors of small_cnn that fusion takes away in the double's engines."""


@pytest.fixture
def dumped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """Dump a model with the double of a release; keywords are those of the request, `notes` those of the script."""
    monkeypatch.setattr(backends, "gpu_present", lambda: True)

    def make(
        release: str = "8.6.0", model: str = "small_cnn", notes: dict[str, Any] | None = None, **request: Any
    ) -> Path:
        script = Script()
        for name, value in (notes or {}).items():
            script.note(name, value)
        cuda, runtime = host_cuda()
        make.script, make.runtime = script, runtime  # type: ignore[attr-defined]
        recorder = dump_engine(
            MODELS / f"{model}.onnx", tmp_path / f"run-{len(list(tmp_path.iterdir()))}", EngineDumpRequest(**request),
            running_backend(release, script), cuda=cuda,
        )  # fmt: skip
        return recorder.folder

    return make


def notes_of(folder: Path) -> list[str]:
    return json.loads((folder / "run.json").read_text())["notes"]


def reference(dump_of: Callable[..., Path]) -> Dump:
    return open_dump(dump_of("small_cnn", None))


@pytest.mark.parametrize("release", METHODS)
def test_boundaries_are_dumped_right_in_every_release(
    release: str, dumped: Callable[..., Path], dump_of: Callable[..., Path]
) -> None:
    """By whichever way a release has, the tensors between layers come out with their numbers; fusion stays as it was."""
    folder = dumped(release)
    dump = open_dump(folder)
    wanted = reference(dump_of)
    assert set(wanted.tensors) - set(dump.tensors) == {
        "head/conv_output",
        "block/conv1_output",
        "block/add_output",
        *FUSED,
    }
    assert list(dump.tensors) == [name for name in wanted.tensors if name in dump.tensors]
    for name, tensor in dump.tensors.items():
        assert np.allclose(tensor.array(), wanted.tensors[name].array(), rtol=1e-5, atol=1e-6), name
    assert "handing tensors out left every layer of the engine as it was" in notes_of(folder)
    record = json.loads((folder / "run.json").read_text())
    assert (record["kind"], record["status"]) == ("dump", "done")
    assert dumped.runtime.live == {}  # type: ignore[attr-defined]
    assert not list((folder / "marked").rglob("*.plan"))
    assert (folder / "engine.plan").is_file()
    assert not list(folder.parent.glob(".*timing.cache"))


def test_rows_join_to_the_layers_of_the_undisturbed_engine(
    dumped: Callable[..., Path], dump_of: Callable[..., Path]
) -> None:
    """The run of a dump holds log and layers of the undisturbed build, so errors find their layers."""
    folder = dumped(options=BuildOptions(fp16=True))
    run = open_run(folder)
    assert run["layers"].num_rows == 10
    assert run["dumps"].num_rows > 10
    errors = compare_to_rows(reference(dump_of), open_dump(folder), ErrorOptions())
    assert errors.precision == "fp16"
    compared = [row for row in errors.rows if row["status"] == "compared" and row["role"] != "input"]
    assert all(row["verdict"] == "ok" for row in compared)
    assert {row["ulp_type"] for row in compared} == {"fp16"}


def test_outputs_keep_the_half_type_that_the_engine_has(dumped: Callable[..., Path]) -> None:
    """On a weakly typed network an inner output is FP16 where the undisturbed engine's tensor is."""
    dump = open_dump(dumped(options=BuildOptions(fp16=True)))
    assert dump.tensors["stem/relu_output"].dtype == "fp16"
    assert dump.tensors["logits"].dtype == "fp32"
    assert dump.precision == "fp16"


def test_mark_all_changes_the_plan_and_says_where(dumped: Callable[..., Path]) -> None:
    """Every tensor as an output forbids fusion: the note names layers that are gone and new."""
    folder = dumped(mark="all")
    assert set(FUSED) <= set(open_dump(folder).tensors)
    (note,) = (note for note in notes_of(folder) if "handing tensors out" in note)
    assert "changed the engine" in note
    assert "stem/conv + stem/relu" in note
    changes = json.loads((folder / "run.json").read_text())["plan_changes"]["1"]
    assert "stem/conv + stem/relu" in changes["gone"]
    assert {"stem/conv", "stem/relu"} <= set(changes["new"])


def test_named_tensors_alone(dumped: Callable[..., Path]) -> None:
    """A pattern marks what fits it; one that fits nothing is refused with the way to the names."""
    folder = dumped(mark="stem/conv_*,pool*")
    assert foreign_files(folder, ()) == []
    dump = open_dump(folder)
    assert list(dump.tensors) == ["input", "stem/conv_output", "pool_output", "logits"]
    with pytest.raises(TrtlensError, match="--list"):
        dumped(mark="nothing*")


def test_small_memory_takes_several_builds(dumped: Callable[..., Path], dump_of: Callable[..., Path]) -> None:
    """With room for one tensor at a time every build hands out one, and together they are the whole dump."""
    folder = dumped(max_memory_bytes=1)
    builds = sorted(path.name for path in (folder / "marked").iterdir())
    dump = open_dump(folder)
    assert len(builds) == len(dump.tensors) - 2  # neither input nor output has to be marked
    assert all(
        np.allclose(tensor.array(), reference(dump_of).tensors[name].array(), rtol=1e-5, atol=1e-6)
        for name, tensor in dump.tensors.items()
    )


def test_debug_tensors_need_one_build_whatever_the_memory(dumped: Callable[..., Path]) -> None:
    """A listener holds one tensor at a time, so the limit makes no further builds."""
    folder = dumped("10.12.0.36", max_memory_bytes=1)
    assert [path.name for path in (folder / "marked").iterdir()] == ["1"]


def test_shape_tensors_are_skipped_with_the_reason(dumped: Callable[..., Path]) -> None:
    """A shape tensor is not marked, and its row says why; the rest is there."""
    dump = open_dump(dumped(notes={"shape tensor": "pool_output"}))
    assert "shape tensor" in dump.refused["pool_output"]
    assert "stem/relu_output" in dump.tensors


def test_same_inputs_as_the_reference(dumped: Callable[..., Path], dump_of: Callable[..., Path]) -> None:
    """Without a file, engine and reference are fed the same by name and seed; other seeds are told apart."""
    ours = reference(dump_of).index
    same, other = open_dump(dumped()).index, open_dump(dumped(recipe=InputRecipe(seed=1))).index
    assert ours is not None
    assert same is not None
    assert other is not None
    assert ours.inputs_sha256 == same.inputs_sha256 != other.inputs_sha256
    from_file = open_dump(dumped(recipe=InputRecipe(file=dump_of("small_cnn", None)))).index
    assert from_file is not None
    assert from_file.inputs_sha256 == ours.inputs_sha256


@pytest.mark.parametrize("release", METHODS)
def test_methods_by_release(release: str) -> None:
    """The first method is the one that disturbs least; one that the release lacks is refused, an unknown one too."""
    backend = running_backend(release, Script())
    assert choose_method(backend, None) == METHODS[release]
    assert choose_method(backend, "outputs") == "outputs"
    if METHODS[release] != "unfused":
        with pytest.raises(TrtlensError, match="has no debug tensors of that kind"):
            choose_method(backend, "unfused")
    with pytest.raises(TrtlensError, match="unfused, debug, outputs"):
        choose_method(backend, "magic")


def test_a_tensor_without_a_kernel_is_left_out(dumped: Callable[..., Path]) -> None:
    """A marked build that fails over one tensor is made again without it; the others come out, that one has the reason."""
    dump = open_dump(dumped(notes={"no kernel for": "pool_output"}))
    assert "no kernel" in dump.refused["pool_output"]
    assert "stem/relu_output" in dump.tensors


def test_refused_outputs_are_those_of_the_named_layer() -> None:
    """The words of 8.6, behind other errors, name a layer by its nodes; any other error names nothing."""
    tensors = [
        InnerTensor(None, name, producer, 4, None)
        for name, producer in (("a", "/conv1/Conv"), ("b", "/pool"), ("c", "/other"))
    ]
    said = "1: [myelinCache] failed. The timing cache will not be used; 2: Assertion !n->candidateRequirements.empty() failed. "
    said += "/conv1/Conv + /relu/Relu + /pool requires output to be in floating point precision. No format available"
    assert refused_outputs(said, tensors) == {"a", "b"}
    assert refused_outputs("Could not find any implementation for node /other.", tensors) == set()


def test_what_tensorrt_refuses_is_told(dumped: Callable[..., Path]) -> None:
    """A run that TensorRT refuses, and a tensor that it does not mark, end with the reason and a failed record."""
    with pytest.raises(CaptureError, match="refused to run"):
        dumped(notes={"refuse to run": True})
    with pytest.raises(CaptureError, match="does not mark"):
        dumped("10.0.1", notes={"refuse debug": True})


def test_engines_cannot_be_dumped(tmp_path: Path) -> None:
    """An engine has no inner tensors to mark: the ONNX model is asked for."""
    path = tmp_path / "e.engine"
    path.write_bytes(b"ftrt")
    with pytest.raises(TrtlensError, match="give the ONNX model"):
        dump_engine(path, tmp_path / "out", EngineDumpRequest(), running_backend("8.6.0", Script()))


def test_a_missing_model_is_told_before_anything_else(tmp_path: Path) -> None:
    """A path that is no file is named, whatever else could not be done with it."""
    with pytest.raises(TrtlensError, match=r"none\.onnx is not a file"):
        dump_engine(tmp_path / "none.onnx", tmp_path / "out", EngineDumpRequest(), running_backend("8.6.0", Script()))


def test_without_a_gpu_nothing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that cannot run is not built first: the ways that need no GPU are named."""
    monkeypatch.setattr(backends, "gpu_present", lambda: False)
    with pytest.raises(CaptureError, match="--reference or --emulate"):
        dump_engine(
            MODELS / "small_cnn.onnx", tmp_path / "out", EngineDumpRequest(), running_backend("8.6.0", Script())
        )
    assert not (tmp_path / "out").exists()


def layer(name: str, kind: str = "CaskConvolution", tactic: int = 1) -> dict[str, Any]:
    return {"Name": name, "LayerType": kind, "Inputs": [], "Outputs": [], "TacticValue": f"0x{tactic:016x}"}


def plan(*layers: dict[str, Any]) -> str:
    return json.dumps({"Layers": list(layers), "Bindings": []})


def test_plans_are_compared_by_name_and_tactic() -> None:
    """Gone, new and retuned layers are told apart; added reformats are no change of the plan."""
    before = plan(layer("a"), layer("b"), layer("c"))
    same = compare_plans(before, plan(layer("a"), layer("b"), layer("c"), layer("r", "Reformat")))
    assert not same.changed
    assert "1 reformats were added" in same.sentence()
    other = compare_plans(before, plan(layer("a"), layer("b", tactic=2), layer("d")))
    assert (other.gone, other.new, other.retuned) == (("c",), ("d",), ("b",))
    assert "run another tactic (b)" in other.sentence()


def test_host_memory_of_the_double_is_given_back() -> None:
    """The double itself counts what is allocated, else the other tests would prove nothing."""
    runtime = HostRuntime()
    _, address = runtime.cudaMalloc(8)
    assert list(runtime.live) == [address]
    runtime.cudaFree(address)
    assert runtime.live == {}

"""Inputs without a shape: a batch is 1, everything else is asked for with the names of the axes and a line to copy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from trtlens.capture.build_options import parse_options
from trtlens.capture.building.engine_build import build_run
from trtlens.capture.dumping.dump import DumpRequest, dump_run
from trtlens.capture.models.io_tensors import DynamicInput, require_shapes
from trtlens.capture.models.quantize import input_specs
from trtlens.capture.models.sweep import PlannedEngine, plan_engines
from trtlens.commands.sweep import sweep_rows, sweep_sentence
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.capture.conftest import Double

onnx = pytest.importorskip("onnx", reason="the double reads models with onnx")

IMAGES = DynamicInput("images", (-1, 3, -1, -1), ("batch", None, "height", "width"))
TOLD = (
    "images is [batch,3,height,width] in the model, and no shape was given: give --shapes images:1x3xHEIGHTxWIDTH, with "
    "numbers for HEIGHT and WIDTH"
)


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ([IMAGES], TOLD),
        (
            [DynamicInput("ids", (-1, -1), ("N", "seq len")), DynamicInput("mask", (-1, -1), ("N", "seq len"))],
            ("ids is [N,seq len] and mask is [N,seq len] in the model, and no shape was given: give --shapes "
            "ids:1xSEQ_LEN,mask:1xSEQ_LEN, with numbers for SEQ_LEN"),
        ),
        (
            [DynamicInput("x", (-1, -1), ("seq", None)), DynamicInput("y", (-1, 4), (None, None))],
            ("x is [seq,?] and y is [?,4] in the model, and no shape was given: give --shapes x:SEQxAXIS1,y:1x4, with numbers "
            "for SEQ and AXIS1"),
        ),
        (
            [DynamicInput("sizes", (2,), (None,), is_shape_tensor=True)],
            ("sizes takes 2 values in the model, and no shape was given: give --shapes sizes:VALUE1xVALUE2, with numbers for "
            "VALUE1 and VALUE2"),
        ),
    ],
)  # fmt: skip
def test_what_is_lacking_is_asked_for(inputs: list[DynamicInput], told: str) -> None:
    """The message names each input with its axes, and its line needs nothing but numbers."""
    with pytest.raises(TrtlensError) as caught:
        require_shapes(inputs)
    assert str(caught.value) == told


def _batch_model(path: Path, *inputs: tuple[str, list[Any]]) -> Path:
    """A model that adds its inputs up."""
    made = [onnx.helper.make_tensor_value_info(name, 1, dims) for name, dims in inputs]
    nodes = [onnx.helper.make_node("Sum", [name for name, _ in inputs], ["y"], name="sum")]
    graph = onnx.helper.make_graph(nodes, "g", made, [onnx.helper.make_tensor_value_info("y", 1, None)])
    onnx.save(onnx.helper.make_model(graph), path)
    return path


def test_batches_take_the_other_extents_from_shapes(tmp_path: Path) -> None:
    """The batch of each input that has one is set; other axes are asked for by name, in a line that adds to --batches."""
    model = _batch_model(tmp_path / "m.onnx", ("a", ["batch", 3, "height"]), ("b", [3, "height"]))
    shapes = [engine.shapes for engine in plan_engines(model, ["a:1x3x32,b:3x32"], "1,8")]
    assert shapes == ["a:1x3x32,b:3x32", "a:8x3x32,b:3x32"]
    with pytest.raises(
        TrtlensError, match=r"a is \[batch,3,height\] and b is .*: add --shapes a:1x3xHEIGHT,b:3xHEIGHT, with"
    ):
        plan_engines(model, [], "1,8")
    with pytest.raises(TrtlensError, match="from one --shapes"):
        plan_engines(model, ["a:1x3x32", "a:2x3x32"], "1")
    plain = _batch_model(tmp_path / "p.onnx", ("a", [None, 4]))
    assert [engine.shapes for engine in plan_engines(plain, [], "2")] == ["a:2x4"]


def test_a_sweep_shows_samples_a_second_and_scaling(tmp_path: Path) -> None:
    """Rates are those of the median GPU times, scaling counts from the smallest batch; what was not timed stays empty."""
    engines = []
    for batch, median in ((4, 0.4), (1, 0.25), (8, 0.76), (16, None)):
        folder = tmp_path / str(batch)
        folder.mkdir()
        timings = [] if median is None else [{"gpu": {"median_ms": median}}]
        (folder / "run.json").write_text(json.dumps({"format": 1, "kind": "profile", "timings": timings}))
        engines.append((PlannedEngine("x:1", f"batch-{batch}", batch), folder))
    rows = sweep_rows(engines)
    assert [row["samples_per_s"] and round(row["samples_per_s"]) for row in rows] == [10_000, 4000, 10_526, None]
    assert [row["scaling"] and round(row["scaling"], 2) for row in rows] == [2.5, 1.0, 2.63, None]
    assert (
        sweep_sentence(rows)
        == "batch 8 gives the most: 10,526 samples/s, 2.63 times those of batch 1; batch 4 gives 95 % of it"
    )
    assert sweep_sentence(rows[:1]) is None


def test_a_batch_is_not_asked_for() -> None:
    """Inputs whose first extent alone is dynamic can be run one at a time."""
    require_shapes([])
    require_shapes([DynamicInput("x", (-1, 3, 8), (None, None, None)), DynamicInput("y", (-1,), ("batch",))])


@pytest.fixture
def any_size(dynamic_cnn: Path, tmp_path: Path) -> Path:
    """A model of images of any size."""
    proto = onnx.load(str(dynamic_cnn))
    (info,) = (one for one in proto.graph.input if one.name == "input")
    info.name = "images"
    for node in proto.graph.node:
        node.input[:] = ["images" if name == "input" else name for name in node.input]
    for dim, name in zip(info.type.tensor_type.shape.dim, ("batch", None, "height", "width"), strict=True):
        if name is not None:
            dim.dim_param = name
    (tmp_path / "model").mkdir()
    onnx.save(proto, str(tmp_path / "model" / "any_size.onnx"))
    return tmp_path / "model" / "any_size.onnx"


@pytest.mark.parametrize("release", ["8.6.0", "10.3.0", "11.4.0.106", "rtx-1.7.1.116"])
def test_a_build_asks_before_it_begins(
    release: str, play: Callable[..., Double], any_size: Path, tmp_path: Path
) -> None:
    """No extent of 1 is built for that nobody asked for, and no folder is left; with the shape it builds."""
    double = play(release)
    with pytest.raises(TrtlensError) as caught:
        build_run(any_size, tmp_path / "run", backend=double.backend)
    assert str(caught.value) == TOLD
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    options = parse_options({"shapes": "images:1x3x64x64"})
    assert build_run(any_size, tmp_path / "run", options, backend=double.backend).shapes == {"images": (1, 3, 64, 64)}


def test_a_dump_asks_before_it_begins(any_size: Path, tmp_path: Path) -> None:
    """ONNX Runtime is fed with nothing that was made up but a batch of 1."""
    pytest.importorskip("onnxruntime")
    with pytest.raises(TrtlensError) as caught:
        dump_run(any_size, tmp_path / "run", DumpRequest())
    assert str(caught.value) == TOLD
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_calibration_asks_before_it_begins(any_size: Path) -> None:
    """So is the quantizer that calibrates where TensorRT does not."""
    proto: Any = onnx.load(str(any_size))
    with pytest.raises(TrtlensError, match="images:1x3xHEIGHTxWIDTH"):
        list(input_specs(proto, parse_options({"int8": True})))


def test_a_mistyped_shape_costs_no_run(play: Callable[..., Double], any_size: Path, tmp_path: Path) -> None:
    """With --force the old run is back where the new one came to nothing, and gone where TensorRT was asked."""
    options = parse_options({"shapes": "images:1x3x64x64"})
    build_run(any_size, tmp_path / "run", options, backend=play("10.3.0").backend, command=["old"])
    before = sorted((tmp_path / "run").iterdir())
    with pytest.raises(TrtlensError):
        build_run(any_size, tmp_path / "run", backend=play("10.3.0").backend, command=["new"], force=True)
    assert sorted((tmp_path / "run").iterdir()) == before
    assert json.loads((tmp_path / "run" / "run.json").read_text())["command"] == ["old"]
    with pytest.raises(TrtlensError):
        build_run(any_size, tmp_path / "run", options, backend=play("10.3.0", fails=True).backend, force=True)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "run"]

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

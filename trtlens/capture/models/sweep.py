"""Several engines of one model: one for each set of shapes or batch size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.capture.models.io_tensors import DynamicInput, onnx_axes, require_shapes, shape_text
from trtlens.capture.models.model import fed_inputs, load_onnx, onnx_extents
from trtlens.capture.spelling import parse_shapes
from trtlens.errors import TrtlensError
from trtlens.layer_patterns import lookup

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trtlens.capture.models.io_tensors import Shape


@dataclass(frozen=True, slots=True)
class PlannedEngine:
    """One engine to build: the shapes as trtexec spells them, its folder's name, its batch where one was asked for."""

    shapes: str | None
    label: str | None
    batch: int | None = None


def plan_engines(model: Path, shapes: Sequence[str], batches: str | None) -> list[PlannedEngine]:
    """The engines that `--shapes` (several times) or `--batches` ask for; one without a label otherwise.

    With `--batches` one `--shapes` gives the extents besides the batch.

    Raises:
        TrtlensError: several sets of shapes with batches, a batch that is no number, inputs without a dynamic batch, or
            other extents that are not known.

    """
    if len(shapes) > 1 and batches:
        raise TrtlensError("--batches takes the extents besides the batch from one --shapes: give it once")
    if batches is None:
        return [
            PlannedEngine(text, f"shapes-{number}" if len(shapes) > 1 else None)
            for number, text in enumerate(shapes or [None], 1)
        ]
    sizes = [_batch(part) for part in batches.split(",")]
    graph = load_onnx(model, "to read the model's inputs", weights=False)
    inputs = [DynamicInput(info.name, onnx_extents(info), onnx_axes(info)) for info in fed_inputs(graph)]
    batched = [one for one in inputs if one.extents and one.extents[0] < 0]
    if not batched:
        raise TrtlensError(f"no input of {model} has a dynamic batch: export the model with one, or give one --shapes")
    given = parse_shapes(shapes[0]) if shapes else {}
    require_shapes((one for one in inputs if -1 in one.extents and lookup(given, one.name) is None), batches=True)
    known = {one.name: lookup(given, one.name) or one.extents for one in inputs if -1 in one.extents}
    names = {one.name for one in batched}
    return [PlannedEngine(_shapes_text(known, names, size), f"batch-{size}", size) for size in sizes]


def _batch(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise TrtlensError(f"--batches has {text!r}: give sizes such as 1,2,4,8,16")
    return int(text)


def _shapes_text(known: dict[str, Shape], batched: set[str], size: int) -> str:
    shapes = {name: (size, *shape[1:]) if name in batched else shape for name, shape in known.items()}
    return ",".join(
        f"'{name}':{shape_text(shape)}" if "," in name else f"{name}:{shape_text(shape)}"
        for name, shape in shapes.items()
    )

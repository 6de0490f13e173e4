"""Several engines of one model: one for each set of shapes or batch size, and their times side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.capture.models.model import fed_inputs, load_onnx, onnx_extents
from trtlens.errors import TrtlensError
from trtlens.runs.run_info import read_info

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class PlannedEngine:
    """One engine to build: the shapes as trtexec spells them, its folder's name, its batch where one was asked for."""

    shapes: str | None
    label: str | None
    batch: int | None = None


def plan_engines(model: Path, shapes: Sequence[str], batches: str | None) -> list[PlannedEngine]:
    """The engines that `--shapes` (several times) or `--batches` ask for; one without a label otherwise.

    Raises TrtlensError where both are given, a batch is no number, or the model's inputs have no dynamic batch.
    """
    if shapes and batches:
        raise TrtlensError("--shapes and --batches exclude each other: give one of them")
    if batches is None:
        return [
            PlannedEngine(text, f"shapes-{number}" if len(shapes) > 1 else None)
            for number, text in enumerate(shapes or [None], 1)
        ]
    sizes = [_batch(part) for part in batches.split(",")]
    graph = load_onnx(model, "to read the model's inputs", weights=False)
    inputs = {info.name: onnx_extents(info) for info in fed_inputs(graph)}
    if not any(dims and dims[0] < 0 for dims in inputs.values()):
        raise TrtlensError(f"no input of {model} has a dynamic batch: export the model with one, or give one --shapes")
    return [PlannedEngine(_shapes_text(inputs, size), f"batch-{size}", size) for size in sizes]


def _batch(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise TrtlensError(f"--batches has {text!r}: give sizes such as 1,2,4,8,16")
    return int(text)


def _shapes_text(inputs: dict[str, tuple[int, ...]], batch: int) -> str:
    unknown = [name for name, dims in inputs.items() if -1 in dims[1:]]
    if unknown:
        raise TrtlensError(f"input {unknown[0]} has dynamic dimensions besides its batch: give --shapes instead")
    dynamic = {name: dims for name, dims in inputs.items() if dims and dims[0] < 0}
    return ",".join(f"{name}:{'x'.join(map(str, (batch, *dims[1:])))}" for name, dims in dynamic.items())


def sweep_rows(engines: Sequence[tuple[PlannedEngine, Path]]) -> list[dict[str, Any]]:
    """One row an engine: its shapes, its median GPU time, and that time per sample; null where it was not timed."""
    rows = []
    for engine, folder in engines:
        timings = read_info(folder).timings
        median = timings[-1].gpu_median_ms if timings else None
        per_sample = None if median is None or engine.batch is None else median / engine.batch
        rows.append({"shapes": engine.shapes, "gpu_ms": median, "per_sample_ms": per_sample, "run": str(folder)})
    return rows

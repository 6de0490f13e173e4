"""Which clock the layers' times are of, in words, and how far it stretches an inference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.engine.inference_parts import KERNEL_TRACE, LAYER_PROFILER, inference_parts
from trtlens.engine.kernel_times import KERNELS, has_layer_times

if TYPE_CHECKING:
    from trtlens.runs.run import Run

_READ_AS_SHARES = "so read layer times as shares"
"""The end of what ``run.json`` says of a profile when it is captured; `stretch_text` says it of the run as it is."""


def clock_name(time_source: str) -> str:
    """``kernel trace`` or ``layer profiler``, by what a view calls ``time_source``."""
    return KERNEL_TRACE if time_source == KERNELS else LAYER_PROFILER


def stretch_text(run: Run, build: int) -> str | None:
    """``layer profiler, 1.69 times an inference``, or what else is known; None of a run whose layers were not timed."""
    if not has_layer_times(run):
        return None
    parts = {part.part: part for part in inference_parts(run, build)}
    layers = parts.get("layers")
    if layers is None:
        return KERNEL_TRACE if parts else None
    return LAYER_PROFILER + ("" if layers.stretch is None else f", {layers.stretch:.2f} times an inference")


def notes_of(run: Run) -> list[str]:
    """The notes of ``run.json`` that still hold: what it says of a profile is said of the run's present clock elsewhere."""
    return [note for note in run.info.notes if not note.endswith(_READ_AS_SHARES)]

"""Captured engines of each kind, each opened once: traced and profiled, convolutions, a Myelin region, a dynamic batch, INT8."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tests.conftest import FIXTURES
from trtlens import open_run

if TYPE_CHECKING:
    from trtlens.runs.run import Run

NAMES = (
    "encoder-fp16", "mobilenet-batch-32", "quantized-int8-traced", "resnet50-fp16-traced", "resnet50-fp32", "resnet50-int8-launch-bound",
    "transformer-fp16-traced",
)  # fmt: skip
TRACED = tuple(name for name in NAMES if name.endswith("-traced"))


@cache
def engine(name: str) -> Run:
    """The captured run."""
    return open_run(FIXTURES / "h200" / name)

"""What a comparison of runs on two GPUs says of their roofs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.limits.captured_engines import engine
from trtlens.comparison.comparison import compare_runs
from trtlens.comparison.headlines import tell

if TYPE_CHECKING:
    from trtlens.runs.run import Run

NAME = "resnet50-fp16-traced"


def elsewhere(gpu: str, capability: str | None = "9.0") -> Run:
    """The captured run, said to be of another GPU."""
    run = engine(NAME)
    info = replace(run.info, gpu=replace(run.info.gpu, name=gpu, compute_capability=capability))
    builds = run["builds"]
    stated = builds.set_column(
        builds.schema.get_field_index("gpu"), builds.schema.field("gpu"), pa.array([gpu] * len(builds))
    )
    return replace(run, name="other", info=info, tables={**run.tables, "builds": stated})


def told(*runs: Run) -> str:
    """All sentences of the comparison."""
    return "\n".join(sentence for section in tell(compare_runs(list(runs))) for sentence in section.sentences)


def test_what_the_gpus_account_for_is_said() -> None:
    """The same times with another memory: 4,800 against 3,352 GB/s make the work longer, and its use as much better."""
    text = told(engine(NAME), elsewhere("NVIDIA H100 80GB HBM3"))
    found = re.search(
        r"the GPU alone makes .* ([\d.]+) times as long .* uses it ([\d.]+) times: together ([\d.]+) times", text
    )
    assert found is not None
    gpu, use, both = map(float, found.groups())
    assert 1 < gpu < 4800 / 3352
    assert use == pytest.approx(1 / gpu, abs=0.01)
    assert both == 1
    assert "112 µs, 21.8 % (NVIDIA H200)" in text


def test_nothing_is_said_of_one_gpu() -> None:
    """Two runs on one GPU have the same roofs."""
    assert "roof" not in told(engine(NAME), replace(engine(NAME), name="again"))


@pytest.mark.parametrize(
    ("gpu", "capability", "reason"),
    [("NVIDIA Q1", "4.2", "NVIDIA Q1"), ("NVIDIA H100 PCIe", "9.0", "the work or its roof is not known")],
)
def test_roofs_that_are_not_known_are_told(gpu: str, capability: str, reason: str) -> None:
    """Without a roof no share is put in its place."""
    text = told(engine(NAME), elsewhere(gpu, capability))
    assert re.search(rf"How much of the difference is the GPU's is not known: .*{reason}", text)

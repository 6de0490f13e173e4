"""Estimates for another GPU: two ends by two assumptions, none where a rate is not known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.limits.captured_engines import NAMES, engine
from trtlens.errors import TrtlensError
from trtlens.limits.elsewhere import estimate, estimates_on, whole
from trtlens.limits.roofs import Roofs, sheet_roofs
from trtlens.limits.split import last_split

if TYPE_CHECKING:
    from trtlens.limits.parts import LayerPart, Split


def split_of(name: str) -> tuple[Split, Roofs]:
    """The split of a captured engine and the roofs of its GPU."""
    split = last_split(engine(name))
    assert split is not None
    assert isinstance(split.roofs, Roofs)
    return split, split.roofs


@pytest.mark.parametrize("name", NAMES)
def test_on_its_own_gpu_an_engine_takes_what_it_takes(name: str) -> None:
    """Both ends are the measured inference at the same roofs."""
    split, here = split_of(name)
    low, high, lacking = whole(split, here)
    assert low == pytest.approx(split.inference_ms - lacking, rel=1e-9)
    assert high == pytest.approx(split.inference_ms - lacking, rel=1e-9)


def longest(name: str) -> tuple[LayerPart, Roofs]:
    """The longest layer of an engine."""
    split, here = split_of(name)
    return split.parts[0], here


def test_the_ends_are_the_same_share_and_the_same_cycles() -> None:
    """At half the clock and the same rates a layer far below its roof takes as long, or twice as long."""
    part, here = longest("resnet50-fp16-traced")
    slow = replace(here, sm_mhz=here.sm_mhz / 2)
    kernel_ms = part.time_ms - part.launch_ms
    found = estimate(part, here, slow)
    assert found.low_ms == pytest.approx(part.launch_ms + kernel_ms)
    assert found.high_ms == pytest.approx(part.launch_ms + 2 * kernel_ms)


def test_no_estimate_is_below_the_other_roof() -> None:
    """A memory of a hundredth binds, however few cycles the layer takes."""
    part, here = longest("resnet50-fp16-traced")
    assert part.roof is not None
    assert part.roof.memory_ms is not None
    narrow = replace(here, memory_gb_per_s=(here.memory_gb_per_s or 0.0) / 100)
    found = estimate(part, here, narrow)
    assert found.low_ms == pytest.approx(part.launch_ms + 100 * part.roof.memory_ms)
    assert found.limit == "memory"


def test_a_type_that_the_other_gpu_lacks_is_not_estimated() -> None:
    """A V100 has no tensor cores for INT8: what its layers take is not known, and is told."""
    rows, told = estimates_on(engine("quantized-int8-traced"), "V100 SXM2")
    lost = [row for row in rows.to_pylist() if row["low_ms"] is None]
    assert lost
    assert all("INT8" in row["reason"] for row in lost)
    assert "of which nothing can be said" in told[0]


def test_assumptions_stand_beside_the_estimate() -> None:
    """The sentence names both GPUs, the interval, what is assumed and what the roofs rest on; an unknown GPU is refused."""
    _, told = estimates_on(engine("resnet50-fp16-traced"), "T4")
    assert told[0].startswith(
        "An inference of 515 µs on NVIDIA H200 is estimated at 1.88 to 7.97 ms on T4 (each layer keeps"
    )
    assert sheet_roofs("T4").basis in told[0]
    with pytest.raises(TrtlensError, match="choose one of"):
        estimates_on(engine("resnet50-fp16-traced"), "X9")

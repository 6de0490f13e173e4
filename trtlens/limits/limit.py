"""What stands in the way of one layer: launches, memory, tensor cores, CUDA cores, or latency, with the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trtlens.limits.layer_roofs import MEMORY
from trtlens.quantities import duration
from trtlens_parsers.kernels import TENSOR_CORE

if TYPE_CHECKING:
    from trtlens.limits.counted_use import CountedUse
    from trtlens.limits.layer_roofs import LayerRoof
    from trtlens.limits.roofs import Roofs

LAUNCH, LATENCY = "launch", "latency"
NEAR = 0.5
"""A layer that needs half of its time at the roof is limited by it."""
_ABOVE = 1.02
"""A layer that exceeds its roof by more shows that the roof, or the work, is wrong."""
SHORT_MS = 0.012
"""Kernels below their roof that take less are limited by latency, others by what binds.

Of a MobileNetV2 in FP16 on an H200 (TensorRT 8.6, batches of 1, 8 and 32) layers of less than 8 µs took 0 to 5 % more for each time that their
work grew (the median; 100 % would be in proportion), such of 8 to 12 µs 37 %, longer ones 53 %.
"""


class Limit(NamedTuple):
    """The limit (None where it is not known) and the figures behind it; ``is_above`` for a layer faster than its roof."""

    name: str | None
    evidence: str
    is_above: bool = False


class Launched(NamedTuple):
    """What is known of the kernels of one layer.

    Attributes:
        launches: how many it launches; None where that is not known, as of a Myelin region that was not traced.
        blocks: thread blocks of the longest one.
        counted: what hardware counters say of the kernel that the engine states.
        waits: whether the layer's time holds waiting for the host, as the layer profiler's does where launches are slow.
    """

    launches: int | None = 1
    blocks: int | None = None
    counted: CountedUse | None = None
    waits: bool = False


def limit_of(
    roof: LayerRoof, kernel_ms: float, launch_ms: float, launched: Launched, roofs: Roofs | None = None
) -> Limit:
    """The limit of a layer by its time, its roof and its kernels."""
    if launch_ms > kernel_ms:
        return Limit(LAUNCH, f"{duration(launch_ms)} of gaps before kernels that take {duration(kernel_ms)}")
    if not kernel_ms:
        return Limit(None, "it takes no longer than the profiler lengthens a layer")
    found = _by_roof(roof, kernel_ms, launched, None if roofs is None else roofs.multiprocessors)
    if launched.counted is None:
        return found
    name = None if found.is_above else _counted_limit(launched.counted, roofs)
    return found._replace(name=name or found.name, evidence=f"{found.evidence}; {launched.counted}")


def _by_roof(roof: LayerRoof, kernel_ms: float, launched: Launched, multiprocessors: int | None) -> Limit:
    if roof.roof_ms is None or roof.binds is None:
        return Limit(None, roof.reason or "its roof is not known")
    share = roof.roof_ms / kernel_ms
    told = f"at least {duration(roof.roof_ms)} of {duration(kernel_ms)} at the roof of {_words(roof.binds)}, {100 * share:.0f} %"
    told = f"{told}; {roof.reason}" if roof.reason else told
    if share > _ABOVE and not (roof.fits_l2 and roof.binds == MEMORY):
        return Limit(roof.binds, f"faster than its roof: the roof or the work is wrong ({told})", is_above=True)
    if share >= NEAR:
        return Limit(roof.binds, told)
    if roof.slower_ms is not None and roof.slower_ms >= NEAR * kernel_ms:
        slower = f"CUDA cores would need {duration(roof.slower_ms)} in FP32"
        return Limit(None, f"whether tensor cores wait or CUDA cores work is not known: {told}; {slower}")
    return _below_roof(roof.binds, told, kernel_ms, launched, multiprocessors)


def _below_roof(binds: str, told: str, kernel_ms: float, launched: Launched, multiprocessors: int | None) -> Limit:
    """Of a layer far below its roof: latency where its kernels are short or too small for the GPU, else what binds."""
    if launched.waits:
        return Limit(None, f"{told}; how much of its time is waiting for the host is not known without a trace")
    if launched.launches is None and kernel_ms >= SHORT_MS:
        return Limit(None, f"{told}; how many kernels it launches is not known without a trace")
    launches = launched.launches or 1
    told = told if launches == 1 else f"{told}, in {launches} kernels"
    if launched.blocks is not None and multiprocessors is not None and launched.blocks < multiprocessors:
        few = f"its longest kernel has {launched.blocks} thread blocks for {multiprocessors} multiprocessors"
        return Limit(LATENCY, f"{told}; {few}")
    if kernel_ms / launches < SHORT_MS:
        return Limit(LATENCY, told)
    return Limit(binds, f"{told}; its kernel is far below that roof")


def _counted_limit(counted: CountedUse, roofs: Roofs | None) -> str | None:
    """What the counters show to be busy for half of the time or more."""
    if counted.tensor_percent is not None and counted.tensor_percent >= 100 * NEAR:
        return TENSOR_CORE
    if counted.memory_gb_per_s is None or roofs is None or roofs.memory_gb_per_s is None:
        return None
    return MEMORY if counted.memory_gb_per_s >= NEAR * roofs.memory_gb_per_s else None


def _words(binds: str) -> str:
    return "the memory" if binds == MEMORY else f"{binds}s"

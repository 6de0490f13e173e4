"""What stands in the way of one layer: launches, memory, tensor cores, CUDA cores, or latency, with the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trtlens.quantities import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.engine.kernels_run import RanKernel
    from trtlens.limits.layer_roofs import LayerRoof

LAUNCH, LATENCY = "launch", "latency"
_NEAR = 0.5
"""A layer that needs half of its time at the roof is limited by it; below that neither memory nor cores are."""
_ABOVE = 1.02
"""A layer that exceeds its roof by more shows that the roof, or the work, is wrong."""


class Limit(NamedTuple):
    """The limit (None where it is not known) and the figures behind it; ``is_above`` for a layer faster than its roof."""

    name: str | None
    evidence: str
    is_above: bool = False


def limit_of(
    roof: LayerRoof, kernel_ms: float, launch_ms: float, ran: Sequence[RanKernel], multiprocessors: int | None
) -> Limit:
    """The limit of a layer by its time, its roof and the blocks of its kernels."""
    if launch_ms > kernel_ms:
        return Limit(LAUNCH, f"{duration(launch_ms)} of gaps before kernels that take {duration(kernel_ms)}")
    if not kernel_ms:
        return Limit(None, "it takes no longer than the profiler lengthens a layer")
    if roof.roof_ms is None or roof.binds is None:
        return Limit(None, roof.reason or "its roof is not known")
    share = roof.roof_ms / kernel_ms
    told = f"at least {duration(roof.roof_ms)} of {duration(kernel_ms)} at the roof of {_words(roof.binds)}, {100 * share:.0f} %"
    told = f"{told}; {roof.reason}" if roof.reason else told
    if share > _ABOVE and not (roof.fits_l2 and roof.binds == "memory"):
        return Limit(roof.binds, f"faster than its roof: the roof or the work is wrong ({told})", is_above=True)
    if share >= _NEAR:
        return Limit(roof.binds, told)
    if roof.slower_ms is not None and roof.slower_ms >= _NEAR * kernel_ms:
        slower = f"CUDA cores would need {duration(roof.slower_ms)} in FP32"
        return Limit(None, f"whether tensor cores wait or CUDA cores work is not known: {told}; {slower}")
    return Limit(LATENCY, f"{told}{_blocks(ran, multiprocessors)}")


def _words(binds: str) -> str:
    return "the memory" if binds == "memory" else f"{binds}s"


def _blocks(ran: Sequence[RanKernel], multiprocessors: int | None) -> str:
    """Whether the longest kernel leaves multiprocessors without a thread block."""
    blocks = max(ran, key=lambda one: one.median_ms).row["blocks"] if ran else None
    if blocks is None or multiprocessors is None or blocks >= multiprocessors:
        return ""
    return f"; its longest kernel has {blocks} thread blocks for {multiprocessors} multiprocessors"

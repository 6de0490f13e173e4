"""The kernels of a trace beside what their names say and what the engine states of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.engine.kernel_times import read_kernel_times
from trtlens.runs.run import Run, once
from trtlens.runs.stated_kernels import same_kernel
from trtlens_parsers.kernel_trace import KERNEL
from trtlens_parsers.kernels import read_kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.engine.kernel_times import KernelTimes
    from trtlens_parsers.kernels import Kernel


_BIAS_PADDING = "padBiasWeights"
"""What TensorRT calls the kernel that brings a bias that is no constant into the form of an INT8 convolution."""


@dataclass(frozen=True, slots=True)
class RanKernel:
    """One launch of an engine with its times over the traced inferences, in milliseconds.

    ``gap_ms`` is the median gap before it, None where the trace has no starts and for the first.
    """

    row: dict[str, Any]
    decoded: Kernel | None
    median_ms: float
    min_ms: float
    max_ms: float
    gap_ms: float | None

    @property
    def kernel(self) -> str:
        """The name as the driver gives it."""
        return str(self.row["kernel"])

    @property
    def pads_bias(self) -> bool:
        """Whether it brings a bias that is no constant into the form of an INT8 convolution, at every inference."""
        return _BIAS_PADDING in self.kernel

    @property
    def layer_index(self) -> int | None:
        """The engine layer that launched it."""
        return self.row["layer_index"]


@dataclass(frozen=True, slots=True)
class Group:
    """All launches of one kernel among some."""

    kernel: str
    launches: int
    time_ms: float
    decoded: Kernel | None


@once
def kernels_run(run: Run, build: int) -> Sequence[RanKernel]:
    """Every launch of the build's trace in launch order; none without a trace."""
    traced = read_kernel_times(run, build)
    if traced is None:
        return []
    gaps = _gaps(traced)
    return [
        RanKernel(
            row, read_kernel(row["kernel"]) if row["kind"] == KERNEL else None, float(median), float(times.min()),
            float(times.max()), gap,
        )
        for row, times, median, gap in zip(traced.launches, traced.duration_ms, traced.median_ms, gaps, strict=True)
    ]  # fmt: skip


def ran_by_layer(run: Run, build: int) -> dict[int, list[RanKernel]]:
    """The launches of each layer, by its index, in launch order."""
    found: dict[int, list[RanKernel]] = {}
    for one in kernels_run(run, build):
        if one.layer_index is not None:
            found.setdefault(one.layer_index, []).append(one)
    return found


def _gaps(traced: KernelTimes) -> list[float | None]:
    if traced.gap_ms is None:
        return [None] * len(traced.launches)
    return [None if np.isnan(row).any() else float(np.median(row)) for row in traced.gap_ms]


def by_kernel(launches: Sequence[RanKernel]) -> list[Group]:
    """The launches' kernels, the most costly first; of one kernel all launches are together."""
    groups: dict[str, list[RanKernel]] = {}
    for one in launches:
        groups.setdefault(one.kernel, []).append(one)
    found = [
        Group(kernel, len(own), sum(one.median_ms for one in own), own[0].decoded) for kernel, own in groups.items()
    ]
    return sorted(found, key=lambda group: (-group.time_ms, group.kernel))


def confirmed(ran: Sequence[RanKernel], stated: str) -> bool:
    """Whether the kernel that the engine states for a layer is among those that the layer launched."""
    return any(same_kernel(one.kernel, stated) for one in ran)

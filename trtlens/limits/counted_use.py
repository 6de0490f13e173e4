"""What hardware counters say of a layer's kernel: how busy tensor cores were, and how much of the memory's rate it had."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from trtlens.quantities import byte_size
from trtlens.runs.run import Run, once
from trtlens.runs.stated_kernels import key_of, possible_keys
from trtlens.tables.arrays import of_build

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BUSY = "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active"
_MOVED = ({"dram__bytes.sum"}, {"dram__bytes_read.sum", "dram__bytes_write.sum"})
"""The metrics of all bytes of the device memory: one, or the two that make it up."""
_TIME = "gpu__time_duration.sum"


class CountedUse(NamedTuple):
    """Means over the profiled launches of one kernel; None for what was not counted.

    Attributes:
        launches: how many launches of the kernel were profiled.
        tensor_percent: share of the time in which tensor cores worked, where a multiprocessor did.
        memory_bytes: bytes of the device memory, read and written.
        memory_gb_per_s: the same by the time that Nsight Compute measured, in 1e9 bytes a second.
    """

    launches: int
    tensor_percent: float | None
    memory_bytes: float | None
    memory_gb_per_s: float | None

    def __str__(self) -> str:
        told = []
        if self.tensor_percent is not None:
            told.append(f"tensor cores busy {self.tensor_percent:.0f} % of the time")
        if self.memory_bytes is not None:
            rate = "" if self.memory_gb_per_s is None else f" at {self.memory_gb_per_s:,.0f} GB/s"
            told.append(f"{byte_size(self.memory_bytes)} of the device memory{rate}")
        return f"Nsight Compute counted in {self.launches} profiled {'launch' if self.launches == 1 else 'launches'} of its kernel: {', '.join(told)}"


@once
def counted_uses(run: Run, build: int) -> Mapping[str, CountedUse]:
    """What was counted of each kernel, by every name under which an engine may state it."""
    launches: dict[tuple[str, int], dict[str, float]] = defaultdict(dict)
    rows = of_build(run["kernel_counters"], build).select(["kernel", "launch", "metric", "value"]).to_pylist()
    for row in rows:
        launches[row["kernel"], row["launch"]][row["metric"]] = row["value"]
    kernels: dict[str, list[Mapping[str, float]]] = defaultdict(list)
    for (kernel, _), metrics in launches.items():
        kernels[kernel].append(metrics)
    uses = {kernel: _use(own) for kernel, own in kernels.items()}
    return {key: use for kernel, use in uses.items() if use is not None for key in possible_keys(kernel)}


def counted_use(uses: Mapping[str, CountedUse], stated: str | None) -> CountedUse | None:
    """What was counted of the kernel that an engine states."""
    return uses.get(key_of(stated)) if stated else None


def _use(launches: Sequence[Mapping[str, float]]) -> CountedUse | None:
    busy, moved, time_ns = _mean(launches, {_BUSY}), None, _mean(launches, {_TIME})
    for metrics in _MOVED:
        moved = _mean(launches, metrics) if moved is None else moved
    if busy is None and moved is None:
        return None
    rate = moved / time_ns if moved is not None and time_ns else None
    return CountedUse(len(launches), busy, moved, rate)


def _mean(launches: Sequence[Mapping[str, float]], metrics: set[str]) -> float | None:
    """The mean over the launches of the metrics' sum; None where a launch lacks one of them."""
    if not all(metrics <= own.keys() for own in launches):
        return None
    return sum(own[metric] for own in launches for metric in metrics) / len(launches)

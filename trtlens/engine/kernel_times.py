"""What each kernel of an engine took, from a trace: launches by inferences, and the layers' sums."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trtlens.runs.run import once
from trtlens.tables.arrays import array, filled, of_build, rows_of, to_numpy
from trtlens_parsers.kernel_trace import COPY, GRAPH, STREAM

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from trtlens.runs.run import Run
    from trtlens.tables.schema import Tables

KERNELS = "kernels"
"""The clock of a layer whose time is that of its kernels."""
NS_PER_MS = 1e6
_SOURCES = (GRAPH, STREAM)
"""Best first: a run is traced from a graph where it is timed from one."""


@dataclass(frozen=True, slots=True, eq=False)
class KernelTimes:
    """One trace of one build.

    Attributes:
        source: how the inferences were launched: graph or stream.
        launches: rows of `kernel_launches` in launch order.
        duration_ms: launches x inferences.
        start_ms: likewise, from the start of the first inference; None where the trace has no starts.
        gap_ms: likewise, from the end of all before to the start, nan for the first; None where the trace has no starts.
    """

    source: str
    launches: Sequence[dict[str, Any]]
    duration_ms: npt.NDArray[np.float64]
    start_ms: npt.NDArray[np.float64] | None
    gap_ms: npt.NDArray[np.float64] | None

    @property
    def inferences(self) -> int:
        """Inferences that were traced whole."""
        return self.duration_ms.shape[1]

    @property
    def records_copies(self) -> bool:
        """Whether copies were traced beside kernels; else they look like gaps."""
        return COPY in (self.launches[0]["recorded"] or ())

    @property
    def median_ms(self) -> npt.NDArray[np.float64]:
        """Median of each launch."""
        return np.asarray(np.median(self.duration_ms, axis=1), np.float64)

    @property
    def kernels_ms(self) -> float:
        """Median over the inferences of what all launches take together."""
        return float(np.median(self.duration_ms.sum(axis=0)))

    @property
    def traced_ms(self) -> float | None:
        """Median over the inferences from the start of the first kernel to the end of the last; None without starts."""
        if self.start_ms is None:
            return None
        return float(np.median((self.start_ms + self.duration_ms).max(axis=0) - self.start_ms.min(axis=0)))

    @property
    def overlap_ms(self) -> float | None:
        """Median over the inferences of what kernels took while others ran already; None without starts."""
        if self.start_ms is None or self.gap_ms is None:
            return None
        span = (self.start_ms + self.duration_ms).max(axis=0) - self.start_ms.min(axis=0)
        idle = np.nansum(np.maximum(self.gap_ms, 0.0), axis=0)
        return float(np.median(np.maximum(self.duration_ms.sum(axis=0) - span + idle, 0.0)))

    def layer_samples(self, indices: Sequence[int]) -> npt.NDArray[np.float64]:
        """What each of the layers took in each inference (layers x inferences): the sum of its launches; nan for one without."""
        launches: dict[int, list[int]] = defaultdict(list)
        for number, row in enumerate(self.launches):
            launches[row["layer_index"]].append(number)
        sums = np.full((len(indices), self.inferences), np.nan)
        for place, index in enumerate(indices):
            if index in launches:
                sums[place] = self.duration_ms[launches[index]].sum(axis=0)
        return sums


def has_layer_times(run: Tables) -> bool:
    """Whether any layer of the run was timed: by a trace of kernels or by the layer profiler."""
    return any(run[name].num_rows for name in ("kernel_launches", "layer_times", "layer_profile"))


def traced_builds(run: Tables) -> list[int]:
    """Builds with a trace."""
    return sorted(pc.unique(run["kernel_launches"]["build"]).to_pylist())


@once
def read_kernel_times(run: Run, build: int, source: str | None = None) -> KernelTimes | None:
    """The trace of a build: that of a CUDA graph where there is one, unless ``source`` names another; None without a trace."""
    rows = rows_of(of_build(run["kernel_launches"], build))
    known = {row["source"] for row in rows}
    chosen = source or next((one for one in _SOURCES if one in known), None)
    if chosen is None or chosen not in known:
        return None
    launches = sorted((row for row in rows if row["source"] == chosen), key=lambda row: row["launch"])
    samples = of_build(run["kernel_samples"], build)
    samples = samples.filter(pc.equal(samples["source"].cast(pa.string()), array([chosen], pa.string())[0]))
    order = np.lexsort((to_numpy(samples["inference"]), to_numpy(samples["launch"])))
    shape = (len(launches), -1)
    duration = to_numpy(samples["duration_ns"])[order].reshape(shape) / NS_PER_MS
    if samples["start_ns"].null_count:
        return KernelTimes(chosen, launches, duration, None, None)
    start = to_numpy(samples["start_ns"])[order].reshape(shape) / NS_PER_MS
    gap = np.where(to_numpy(pc.is_null(samples["gap_ns"])), np.nan, to_numpy(filled(samples["gap_ns"], 0)) / NS_PER_MS)
    return KernelTimes(chosen, launches, duration, start, gap[order].reshape(shape))

"""One inference of a trace as it ran: where its launches stand, and the stretches of each layer."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from trtlens.engine.kernel_times import KernelTimes


@dataclass(frozen=True, slots=True)
class Stretch:
    """Launches of one layer that follow one another, from the first start to the last end."""

    layer: str
    index: int | None
    start_ms: float
    end_ms: float
    launches: int


def typical_inference(traced: KernelTimes) -> int:
    """The inference whose kernels take nearest to the median; of several the first."""
    sums = traced.duration_ms.sum(axis=0)
    return int(np.argmin(np.abs(sums - np.median(sums))))


def starts_ms(traced: KernelTimes, inferences: Sequence[int]) -> npt.NDArray[np.float64]:
    """Where each launch stands, from the first one on; without starts one behind the other, inference after inference."""
    columns = list(inferences)
    if traced.start_ms is not None:
        starts = traced.start_ms[:, columns]
        return np.asarray(starts - starts.min(), np.float64)
    lengths = traced.duration_ms[:, columns].ravel(order="F")
    ends = np.add.accumulate(lengths)
    return np.asarray((ends - lengths).reshape((len(traced.launches), len(columns)), order="F"), np.float64)


def layer_stretches(
    traced: KernelTimes, starts: npt.NDArray[np.float64], lengths: npt.NDArray[np.float64]
) -> Iterator[Stretch]:
    """The layers of one inference in the order in which they start; launches of no known layer are left out."""
    order = np.argsort(starts, kind="stable").tolist()
    for layer, group in groupby(order, key=lambda number: traced.launches[number]["layer"]):
        own = list(group)
        if layer is not None:
            end = float((starts[own] + lengths[own]).max())
            yield Stretch(layer, traced.launches[own[0]]["layer_index"], float(starts[own].min()), end, len(own))

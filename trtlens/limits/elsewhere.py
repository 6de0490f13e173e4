"""What an engine's layers would take on another GPU: an estimate between two assumptions, from its data sheet.

Either a layer keeps the share of its roof that it has here, or it keeps its clock cycles, unless the other GPU's roof is longer.
The truth of other tactics, caches and clocks under load lies in no record: both ends are told, never one figure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trtlens.limits.layer_roofs import roof_of
from trtlens.limits.roofs import Roofs, sheet_roofs
from trtlens.limits.split import read_split
from trtlens.output import layout
from trtlens.quantities import duration, interval
from trtlens.tables.schema import declare

if TYPE_CHECKING:
    import pyarrow as pa

    from trtlens.limits.parts import LayerPart, Split
    from trtlens.runs.run import Run

COLUMNS = declare(
    "bound on another GPU", "one part of an inference as it is estimated for another GPU", "build rank",
    """
    build | int | | number of the build
    rank | int | | place among the parts of the measured inference, the longest first, from 0
    index | int | | index of the engine layer; null for what is no layer's
    layer | text | | layer, or what the part is
    time_ms | float | ms | its part of the measured inference
    low_ms | float | ms | the shorter of two estimates; null where its roof is not known on one of the GPUs
    high_ms | float | ms | the longer one; null likewise
    limit | text | | what its roof is there: memory, tensor core, cuda core; null where it is not known
    reason | text | | why it is not estimated
    """,
)  # fmt: skip
LAYOUT = layout("layer time_ms low_ms high_ms limit reason", stretches="layer", prose="reason")
ASSUMPTIONS = "each layer keeps its share of the roof, or its clock cycles where that roof is not longer; the same types, tactics and launches"


class Estimate(NamedTuple):
    """The two ends for one part, in milliseconds; None with the reason where nothing can be said."""

    low_ms: float | None
    high_ms: float | None
    limit: str | None = None
    reason: str | None = None


def estimate(part: LayerPart, here: Roofs, there: Roofs) -> Estimate:
    """One part on another GPU; launches take as long as here."""
    kernel_ms = part.time_ms - part.launch_ms
    if part.work is None or part.cores is None or part.roof is None or part.roof.roof_ms is None:
        known = kernel_ms <= 0
        return Estimate(*(part.launch_ms if known else None,) * 2, reason=None if known else part.limit.evidence)
    other = roof_of(part.work, part.cores, there)
    if other.roof_ms is None:
        return Estimate(None, None, None, other.reason)
    cycles = max(other.roof_ms, kernel_ms * here.sm_mhz / there.sm_mhz)
    share = kernel_ms * other.roof_ms / part.roof.roof_ms if part.roof.roof_ms else cycles
    low, high = sorted((cycles, max(share, other.roof_ms)))
    return Estimate(part.launch_ms + low, part.launch_ms + high, other.binds)


def whole(split: Split, there: Roofs) -> tuple[float, float, float]:
    """The ends for the inference, and the time of parts that cannot be estimated, which they lack."""
    if isinstance(split.roofs, str):
        return 0.0, 0.0, split.inference_ms
    found = [(part, estimate(part, split.roofs, there)) for part in split.parts]
    lacking = sum(part.time_ms for part, one in found if one.low_ms is None)
    return sum(one.low_ms or 0.0 for _, one in found), sum(one.high_ms or 0.0 for _, one in found), lacking


def estimates_on(run: Run, gpu: str) -> tuple[pa.Table, list[str]]:
    """The parts of each build's inference on another GPU, and the whole of each in a sentence with its assumptions.

    Raises:
        TrtlensError: no data sheet of the GPU is known.

    """
    there, rows, told = sheet_roofs(gpu), [], []
    for build in run["builds"]["build"].to_pylist():
        split = read_split(run, build)
        if split is None:
            continue
        told.append(_sentence(split, there))
        for rank, part in enumerate(split.parts):
            one = (
                Estimate(None, None, None, split.roofs)
                if isinstance(split.roofs, str)
                else estimate(part, split.roofs, there)
            )
            own = {"build": build, "rank": rank, "index": part.index, "layer": part.name, "time_ms": part.time_ms}
            rows.append({**own, **one._asdict()})
    return COLUMNS.of_rows(rows), told


def _sentence(split: Split, there: Roofs) -> str:
    if isinstance(split.roofs, str):
        return f"Nothing can be estimated for {there.gpu}: {split.roofs}"
    low, high, lacking = whole(split, there)
    more = f", and what stands for {duration(lacking)} here, of which nothing can be said" if lacking else ""
    return (
        f"An inference of {duration(split.inference_ms)} on {split.roofs.gpu} is estimated at {interval(low, high)} on {there.gpu}{more} "
        f"({ASSUMPTIONS}; {there.basis})"
    )

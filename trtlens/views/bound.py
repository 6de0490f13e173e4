"""What stands in the way of each layer, and how fast could it be?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.limits.split import read_split
from trtlens.limits.verdict import verdict
from trtlens.output import layout
from trtlens.tables.schema import declare
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.limits.parts import LayerPart, Split
    from trtlens.runs.run import Run

COLUMNS = declare(
    "view bound", "one part of an inference: a layer, the gaps that are no layer's, or kernels of no known layer", "build rank",
    """
    build | int | | number of the build
    rank | int | | place among the parts, the longest first, from 0
    index | int | | index of the engine layer; null for gaps between kernels and kernels of no known layer
    layer | text | | layer, or what the part is
    time_ms | float | ms | its part of an inference: launch, roof, recoverable and unknown together; all parts add up to the inference
    percent | float | % | share of the inference
    launch_ms | float | ms | gaps before its kernels; null where it is not known before which layers the gaps are
    roof_ms | float | ms | what its work takes at least at the roofs of the GPU, at most its time
    recoverable_ms | float | ms | what it takes beyond that: a better kernel could gain it at most
    unknown_ms | float | ms | its time where the roof is not known
    limit | text | | what stands in the way: launch, memory, tensor core, cuda core, latency; null where it is not known
    evidence | text | | the figures behind it, or why it is not known
    above_roof | bool | | whether it is faster than its roof, so that the roof or its work is wrong
    compute_ms | float | ms | what its operations take at least; null where that is not known
    memory_ms | float | ms | what its bytes take at least; null likewise
    roof_percent | float | % | share of its time, without launches, that the roof is; null where it is not known
    measured_ms | float | ms | the layer's time by its own clock
    inference_ms | float | ms | what all parts add up to
    note | text | | how the layers' clock was brought to the inference
    roofs | text | | what the roofs rest on, or why there are none
    verdict | text | | the whole inference in a sentence; on the first row of each build
    """,
)  # fmt: skip


def table(run: Run) -> pa.Table:
    """The parts of each build's inference, the longest first; nothing where no layer has a time."""
    found = [(build, read_split(run, build)) for build in run["builds"]["build"].to_pylist()]
    return COLUMNS.of_rows([
        _row(build, rank, part, split)
        for build, split in found if split is not None for rank, part in enumerate(split.parts)
    ])  # fmt: skip


def _row(build: int, rank: int, part: LayerPart, split: Split) -> dict[str, Any]:
    roof, kernel_ms = part.roof, part.time_ms - part.launch_ms
    known = roof is not None and roof.roof_ms is not None
    return {
        "build": build, "rank": rank, "index": part.index, "layer": part.name, "time_ms": part.time_ms,
        "percent": 100 * part.time_ms / split.inference_ms,
        "launch_ms": part.launch_ms if split.places_gaps or part.index is None else None,
        "roof_ms": part.roof_ms, "recoverable_ms": part.recoverable_ms, "unknown_ms": part.unknown_ms,
        "limit": part.limit.name, "evidence": part.limit.evidence, "above_roof": part.limit.is_above,
        "compute_ms": None if roof is None else roof.compute_ms, "memory_ms": None if roof is None else roof.memory_ms,
        "roof_percent": 100 * part.roof_ms / kernel_ms if known and kernel_ms > 0 else None,
        "measured_ms": part.measured_ms, "inference_ms": split.inference_ms, "note": split.note,
        "roofs": split.roofs if isinstance(split.roofs, str) else split.roofs.basis,
        "verdict": None if rank else verdict(split),
    }  # fmt: skip


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """The whole in a sentence, and what it rests on."""
    return f"{rows[0]['verdict']} ({rows[0]['note']})"


VIEW = View(
    table,
    question="What stands in the way of each layer, and how fast could it be?",
    answer=_answer,
    place=23,
    layout=layout(
        "layer time_ms launch_ms roof_ms recoverable_ms limit roof_percent evidence",
        stretches="layer",
        prose="evidence",
    ),
    heading="What limits each layer",
    lead="Each layer's part of an inference: launches, the least that its work takes on this GPU, and what a better kernel could gain at most.",
    empty="no layer of this run has a time: trtlens profile times them, or add the file of trtexec --exportProfile",
    largest_first="time_ms",
)

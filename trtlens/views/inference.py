"""What is the time of one inference made of?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.engine.inference_parts import Part, inference_parts
from trtlens.engine.kernel_times import has_layer_times
from trtlens.output import layout
from trtlens.quantities import duration, percent
from trtlens.tables.schema import declare
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

COLUMNS = declare(
    "view inference", "one part of the time of an inference, or the whole", "build part",
    """
    build | int | | number of the build
    part | text | | kernels, copies, what of them ran beside one another (negative), gaps, and the inference that they add up to; without a trace layers, as the profiler times them
    time_ms | float | ms | median over inferences; of layers the sum of their medians; null where unknown
    percent | float | % | share of the inference; null for layers, which the profiler stretches
    count | int | | launches, layers, or inferences that were traced
    stretch | float | | how many times as long as the inference the layers together are: how far the profiler stretches them; null where no inference was timed
    source | text | | kernel trace, layer profiler or timing (whole inferences, neither traced nor profiled)
    note | text | | what to know about the part
    """,
)  # fmt: skip


def table(run: Run) -> pa.Table:
    """The parts of each build's inference, the whole last; nothing where neither kernels nor layers were timed."""
    if not has_layer_times(run):
        return COLUMNS.empty()
    found = [(build, inference_parts(run, build)) for build in run["builds"]["build"].to_pylist()]
    rows = [(build, part, _percent(part, parts)) for build, parts in found for part in parts]
    return COLUMNS.table({
        "build": [build for build, _, _ in rows], "percent": [percent for _, _, percent in rows],
        **{
            name: [getattr(part, name) for _, part, _ in rows]
            for name in ("part", "time_ms", "count", "stretch", "source", "note")
        },
    })  # fmt: skip


def _percent(part: Part, parts: Sequence[Part]) -> float | None:
    whole_ms = parts[-1].time_ms
    return None if part.part == "layers" or part.time_ms is None or not whole_ms else 100 * part.time_ms / whole_ms


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """What an inference takes, and its parts; of layers that the profiler times, how many times as long they are."""
    whole, parts = rows[-1], rows[:-1]
    if whole["part"] != "inference" or whole["time_ms"] is None:
        told = [f"{row['part']} take {duration(row['time_ms'])}" for row in rows if row["time_ms"] is not None]
        return f"No inference was timed; {', '.join(told)}"
    told = [f"{row['part']} {duration(row['time_ms'])}{_share(row)}" for row in parts if row["time_ms"] is not None]
    return f"An inference takes {duration(whole['time_ms'])}: {', '.join(told)}"


def _share(row: dict[str, Any]) -> str:
    if row["percent"] is not None:
        return f" ({percent(row['percent'])})"
    return f" by the layer profiler, {row['stretch']:.3g} times an inference" if row["stretch"] is not None else ""


VIEW = View(
    table,
    question="What is the time of one inference made of?",
    answer=_answer,
    place=21,
    layout=layout("part time_ms percent count stretch source note", prose="note"),
    heading="What an inference is made of",
    empty="neither layers nor kernels were timed in this run: trtlens profile times them, or add the file of trtexec --exportProfile",
)

"""Which kernels ran, for which layer, for how long?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.engine.kernel_times import traced_builds
from trtlens.engine.kernels_run import RanKernel, kernels_run
from trtlens.output import Fold, layout, shorten
from trtlens.quantities import duration
from trtlens.tables.schema import declare
from trtlens.tuning.wording import counted
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

COLUMNS = declare(
    "view kernels_run", "one kernel (or copy) that an inference launches, in launch order", "build launch",
    """
    build | int | | number of the build
    launch | int | | position in launch order, from 0
    layer_index | int | | index of the engine layer that launches it; null where that cannot be told
    layer | text | | that layer
    kernel | text | | kernel as the driver names it
    time_ms | float | ms | median over the traced inferences
    percent | float | % | share of what all launches take
    min_ms | float | ms | shortest execution
    max_ms | float | ms | longest execution
    gap_ms | float | ms | median time from the end of all before to its start; negative where it overlaps; null for the first, and where the trace has no starts
    family | text | | kernel family, by the name
    operation | text | | what the kernel does, by the name
    operations | texts | | operations that Myelin fused into it, as its name spells them
    precision | text | | what it computes in, by the name
    unit | text | | tensor core or cuda core, by the name; null for unknown
    sm | int | | architecture that it was written for, by the name
    blocks | int | | thread blocks
    registers | int | | registers of a thread
    stream | int | | id of the CUDA stream
    onnx_nodes | texts | | ONNX nodes of the layer
    source | text | | stream or graph, as the traced inferences were launched
    inferences | int | | inferences behind the times
    """,
)  # fmt: skip
_OF_NAME = ("family", "operation", "precision", "unit", "sm")
_OF_LAUNCH = ("launch", "layer_index", "layer", "kernel", "blocks", "registers", "stream", "source", "inferences")


def table(run: Run) -> pa.Table:
    """A row for each launch of each build that was traced; nothing without a trace."""
    rows = [row for build in traced_builds(run) for row in _rows(run, build)]
    return COLUMNS.table({column.name: [row[column.name] for row in rows] for column in COLUMNS.columns})


def _rows(run: Run, build: int) -> list[dict[str, Any]]:
    ran = kernels_run(run, build)
    total = sum(one.median_ms for one in ran)
    nodes = {
        (row["build"], row["index"]): row["onnx_nodes"]
        for row in run["layers"].select(["build", "index", "onnx_nodes"]).to_pylist()
    }
    return [_row(one, build, total, nodes.get((build, one.layer_index))) for one in ran]


def _row(one: RanKernel, build: int, total: float, nodes: list[str] | None) -> dict[str, Any]:
    return {
        "build": build, **{name: one.row[name] for name in _OF_LAUNCH},
        "time_ms": one.median_ms, "min_ms": one.min_ms, "max_ms": one.max_ms, "gap_ms": one.gap_ms,
        "percent": 100 * one.median_ms / total if total else None,
        **{name: getattr(one.decoded, name) if one.decoded is not None else None for name in _OF_NAME},
        "operations": list(one.decoded.operations) or None if one.decoded is not None else None, "onnx_nodes": nodes,
    }  # fmt: skip


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """How many launches there are, what they take, and which takes the most."""
    timed = [row for row in rows if row["time_ms"] is not None]
    if not timed:
        return f"{counted(len(rows), 'launch', 'launches')}, whose times are not known"
    longest = max(timed, key=lambda row: row["time_ms"])
    text = f"{counted(len(rows), 'launch takes', 'launches take')} {duration(sum(row['time_ms'] for row in timed))}"
    place = f" of {longest['layer']}" if longest["layer"] else ""
    unplaced = sum(row["layer"] is None for row in rows)
    known = f"; {unplaced} of no known layer" if unplaced else ""
    return f"{text}, the longest {shorten(longest['kernel'], 60)}{place}: {duration(longest['time_ms'])}{known}"


VIEW = View(
    table,
    question="Which kernels ran, for which layer, for how long?",
    answer=_answer,
    place=20,
    layout=layout(
        "layer time_ms percent kernel precision unit gap_ms launch",
        stretches="layer",
        fold=Fold(("kernel",), 2, sums=("time_ms", "percent", "gap_ms")),
    ),
    heading="Kernels that ran",
    empty=(
        "no kernel was traced in this run: add the trace of trtlens, or nsys export --type sqlite, of the same engine "
        "(trtlens parse build.log capture.sqlite)"
    ),
    largest_first="time_ms",
)

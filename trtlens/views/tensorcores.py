"""What runs on tensor cores, what runs on CUDA cores although it could use tensor cores, and what would that save?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.engine.times import layers_with_times, time_by, work_of
from trtlens.explain.subject import read_build
from trtlens.explain.tensor_cores import missed_tensor_core, why_on_cuda_cores
from trtlens.output import layout
from trtlens.quantities import duration, percent
from trtlens.tables.schema import declare
from trtlens.tuning.queries import best
from trtlens.tuning.wording import counted
from trtlens.views import NO_LAYERS, View
from trtlens_parsers.kernels import CUDA_CORE, TENSOR_CORE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.explain.subject import Subject
    from trtlens.runs.run import Run

COLUMNS = declare(
    "view tensorcores", "the layers of one core type (name is null), or one layer on CUDA cores that could run on tensor cores",
    "build unit unit_reason index",
    """
    build | int | | number of the build
    unit | text | | core type: tensor core or cuda core; null for unknown
    unit_reason | text | | why the core type is unknown
    layers | int | | layers
    layers_percent | float | % | share of the layers that compute
    time_ms | float | ms | time; null where the run has none
    time_percent | float | % | share of the time of the layers that compute
    index | int | | position in the engine of a layer on CUDA cores that is a convolution or matrix product, or had a tensor core candidate
    name | text | | its name
    kernel | text | | the kernel that it runs
    chosen_ms | float | ms | the tuner's time for it
    candidate | text | | the fastest tensor core candidate; null where none was timed
    candidate_ms | float | ms | the tuner's time for that candidate
    lost_ms | float | ms | potential saving: what the candidate would save by the tuner's times, less the reformats around it where they were timed; negative where it would cost more
    candidate_line | int | | line of that candidate
    reason | text | | why it does not run on tensor cores
    """,
)  # fmt: skip


def table(run: Run) -> pa.Table:
    """Layers and time by core type, then each layer on CUDA cores that could run on tensor cores, the largest potential saving first."""
    if not run["layers"].num_rows:
        return COLUMNS.empty()
    layers = layers_with_times(run)
    layers = layers[work_of(layers) == "compute"]
    slow = layers[layers["unit"] == CUDA_CORE]
    missed = [
        row for build, members in slow.groupby("build") for row in _missed(run, int(build), members["index"].tolist())
    ]
    by_unit = time_by(layers, ["build", "unit", "unit_reason"])
    blank = dict.fromkeys(COLUMNS.schema.names)
    return COLUMNS.of_rows([blank | row for row in (*by_unit, *missed)])


def _missed(run: Run, number: int, indices: Sequence[int]) -> list[dict[str, Any]]:
    """Those of the layers on CUDA cores that could run on tensor cores, with the best that the tuner timed for them there."""
    build = read_build(run, number)
    rows = []
    for node in (build.graph.nodes[index] for index in indices):
        subject = build.subject(node)
        reason = why_on_cuda_cores(subject)
        if reason is not None:
            rows.append({**_row(number, subject), "reason": reason})
    return sorted(rows, key=lambda row: (-(row.get("lost_ms") or 0.0), row["index"]))


def _row(number: int, subject: Subject) -> dict[str, Any]:
    node, chosen = subject.node, subject.chosen
    fastest = best([c for c in subject.candidates if c.unit == TENSOR_CORE])
    missed = missed_tensor_core(subject)
    row = {
        "build": number, "unit": CUDA_CORE, "index": node.index, "name": node.name, "kernel": node.row["tactic_name"],
        "time_ms": node.time_ms, "chosen_ms": chosen.time_ms if chosen is not None else None,
    }  # fmt: skip
    if fastest is not None:
        row |= {"candidate": fastest.kernel, "candidate_ms": fastest.time_ms, "candidate_line": fastest.line}
    return row | ({"lost_ms": missed.saved_ms} if missed is not None else {})


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """How much runs on tensor cores, and what could and does not."""
    groups = [row for row in rows if row["layers"] is not None]
    told = [row for row in groups if row["unit"] == TENSOR_CORE]
    unknown = sum(row["layers"] for row in groups if row["unit"] is None)
    known = sum(row["layers"] for row in groups) - unknown
    if not known:
        return f"Of none of {counted(unknown, 'computing layer', 'computing layers')} it is known whether it runs on tensor cores"
    text = f"{sum(row['layers'] for row in told)} of {counted(known, 'computing layer runs', 'computing layers run')} on tensor cores"
    share = sum(row["time_percent"] for row in told if row["time_percent"] is not None)
    text += f", {percent(share)} of the time of all that compute" if share else ""
    text += f"; of {unknown} more it is not known" if unknown else ""
    missed = len(rows) - len(groups)
    lost = [row["lost_ms"] for row in rows if row["lost_ms"] is not None and row["lost_ms"] > 0]
    saving = f", which would save {duration(sum(lost))} by the tuner's times" if lost else ""
    return f"{text}; {counted(missed, 'layer', 'layers') if missed else 'none'} on CUDA cores could{saving}"


VIEW = View(
    table,
    question="What runs on tensor cores, what runs on CUDA cores although it could use tensor cores, and what would that save?",
    answer=_answer,
    place=4,
    layout=layout(
        "unit name layers time_ms time_percent chosen_ms candidate_ms lost_ms reason",
        stretches="name",
        prose="reason",
        unnamed="all layers",
    ),
    empty=NO_LAYERS,
)

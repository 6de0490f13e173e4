"""What does each layer have to compute and to move?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.engine.kernels_run import ran_by_layer
from trtlens.engine.times import layer_times
from trtlens.limits.layer_roofs import cores_of
from trtlens.limits.work import read_work
from trtlens.output import layout
from trtlens.quantities import byte_size, number
from trtlens.tables.engine_layers import read_layers
from trtlens.tables.schema import declare
from trtlens.tuning.wording import counted
from trtlens.views import NO_LAYERS, View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

COLUMNS = declare(
    "view work", "what one engine layer has to compute and to move at least", "build index",
    """
    build | int | | number of the build
    index | int | | position in the engine, from 0
    layer | text | | layer
    operations | float | | operations with the shapes of the run: a multiplication with its addition counts as two; null where they are not known
    products | float | | those of matrix products and convolutions; the others are one an element
    bytes | float | bytes | inputs, outputs and weights, each moved once; null where a size is not known
    intensity | float | | operations per byte; null where either is not known, and where nothing is moved
    precision | text | | what its kernel computes in
    unit | text | | tensor core or cuda core, by the kernel's name; null for unknown
    accumulator | text | | type of the sums, by the kernel's name; null where it does not say
    source | text | | where the operations come from: ONNX nodes, inspector (its parameters), nothing to compute
    onnx_nodes | texts | | nodes that it holds
    reason | text | | why something is not known
    note | text | | what was assumed, and where the inspector's parameters differ from the nodes
    time_ms | float | ms | the layer's time by its own clock; null where it has none
    """,
)  # fmt: skip


def table(run: Run) -> pa.Table:
    """A row for each engine layer of each build; nothing where no layers are listed."""
    return COLUMNS.of_rows([row for build in run["builds"]["build"].to_pylist() for row in _rows(run, build)])


def _rows(run: Run, build: int) -> list[dict[str, Any]]:
    work, ran, times = read_work(run, build), ran_by_layer(run, build), layer_times(run, build)
    rows = []
    for layer in read_layers(run.build(build)).get(build, []) if work else []:
        if layer.index not in work:
            continue  # of another optimisation profile
        one, cores = work[layer.index], cores_of(layer, ran.get(layer.index, ()))
        intensity = one.operations / one.bytes if one.operations is not None and one.bytes else None
        rows.append({
            "build": build, "index": layer.index, "layer": layer.name, "operations": one.operations, "products": one.products,
            "bytes": one.bytes, "intensity": intensity, "precision": cores.precision,
            "unit": cores.unit, "accumulator": cores.accumulator, "source": one.source,
            "onnx_nodes": list(one.nodes) or None, "reason": one.reason, "note": one.note, "time_ms": times.get(layer.index),
        })  # fmt: skip
    return rows


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """What the engine computes and moves, and for how many layers, and which share of their time, that is known."""
    known = [row for row in rows if row["operations"] is not None and row["bytes"] is not None]
    operations, moved = (sum(row[name] for row in known) for name in ("operations", "bytes"))
    text = f"An inference has {number(operations / 1e9)} G operations and moves {byte_size(moved)} at least"
    if len(known) == len(rows):
        return text
    spent, total = (sum(row["time_ms"] or 0.0 for row in part) for part in (known, rows))
    share = f", {100 * spent / total:.0f} % of the layers' time" if total else ""
    return f"{text}, as far as {counted(len(known), 'layer', 'layers')} of {len(rows)} are known{share}"


VIEW = View(
    table,
    question="What does each layer have to compute and to move?",
    answer=_answer,
    place=22,
    layout=layout("layer operations bytes intensity precision unit source reason", stretches="layer", prose="reason"),
    heading="Work of the layers",
    lead="Operations and least bytes of each layer, from the ONNX nodes that it holds.",
    empty=NO_LAYERS,
    largest_first="operations",
)

"""Which layers does the engine run, in which precision, with which kernel, and for how long?"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from trtlens.engine.clocks import clock_name
from trtlens.engine.times import arrow, layers_with_times
from trtlens.output import Fold, layout
from trtlens.quantities import duration
from trtlens.tables.engine_layers import NO_WORK
from trtlens.tables.schema import declare
from trtlens.tuning.wording import counted, tensor_text
from trtlens.views import NO_LAYERS, View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

COLUMNS = declare(
    "view layers", "one engine layer, in execution order", "build index",
    """
    build | int | | number of the build
    index | int | | position in the engine
    name | text | | layer
    type | text | | layer or runner type
    precision | text | | what the layer computes in
    unit | text | | core type: tensor core or cuda core
    time_ms | float | ms | median time of one execution, else the mean
    time_source | text | | kernels (of a trace); of the layer profiler, which stretches layers: samples, profile table or export
    inputs | text | | type, layout and dimensions of the inputs
    outputs | text | | type, layout and dimensions of the outputs
    kernel | text | | kernel
    precision_from | text | | kernel or tensors
    unit_evidence | text | | part of the kernel's name that shows the core type
    unit_reason | text | | why the core type is unknown
    is_reformat | bool | | whether the layer only changes type or layout, or copies
    tactic_id | uint | | tactic id
    line | int | | line of the log
    """,
)  # fmt: skip
_KEY = ("direction", "build", "layer_index")
_TEXT = ("dtype", "format", "vector_width", "dims")


def table(run: Run) -> pa.Table:
    """Layers in execution order, with the tensors' types as text and the times that the run has."""
    if not run["layers"].num_rows:
        return COLUMNS.empty()
    layers = layers_with_times(run)
    texts = _tensors_by_layer(run["layer_tensors"])
    for direction in ("input", "output"):
        own = [texts.get((direction, *key)) for key in zip(layers["build"], layers["index"], strict=True)]
        layers[f"{direction}s"] = [None if names is None else ", ".join(names) for names in own]
    layers = layers.rename(columns={"tactic_name": "kernel"}).sort_values(["build", "index"])
    return arrow(layers, COLUMNS)


def _tensors_by_layer(tensors: pa.Table) -> dict[tuple[str, int, int], list[str]]:
    """Texts of the tensors by direction, build and layer."""
    columns = (tensors[name].to_pylist() for name in (*_KEY, *_TEXT))
    found: dict[tuple[str, int, int], list[str]] = defaultdict(list)
    for direction, build, layer, *form in zip(*columns, strict=True):
        found[direction, build, layer].append(tensor_text(*form))
    return found


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """How many layers there are, what they do and compute in, and which takes the most time."""
    own = [row for row in rows if row["type"] not in NO_WORK]
    working = [row["precision"] or "an unknown precision" for row in own if not row["is_reformat"]]
    within = ", ".join(f"{count} in {name}" for name, count in Counter(working).most_common())
    told = [
        f"{len(working)} compute" + (f" ({within})" if within else ""),
        counted(len(own) - len(working), "reformat", "reformats"),
        f"{len(rows) - len(own)} launch nothing",
    ]
    text = f"{counted(len(rows), 'layer', 'layers')}: {', '.join(part for part in told if not part.startswith('0 '))}"
    timed = [row for row in rows if row["time_ms"] is not None]
    if not timed:
        return f"{text}; no layer was timed"
    slowest, total = max(timed, key=lambda row: row["time_ms"]), duration(sum(row["time_ms"] for row in timed))
    return f"{text}; they take {total} by the {clock_name(slowest['time_source'])}, {slowest['name']} the most with {duration(slowest['time_ms'])}"


VIEW = View(
    table,
    question="Which layers does the engine run, in which precision, with which kernel, and for how long?",
    answer=_answer,
    place=1,
    layout=layout(
        "name time_ms precision unit type kernel index",
        stretches="name",
        fold=Fold(("type",), 0, NO_WORK | {"MyelinReformat", "Reformat"}, ("time_ms",), least=4),
    ),
    heading="All layers",
    empty=NO_LAYERS,
    largest_first="time_ms",
)

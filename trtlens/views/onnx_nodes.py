"""Which ONNX nodes does each engine layer contain, and how is that known?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.engine.engine_graph import builds_with_layers
from trtlens.engine.layer_nodes import METADATA
from trtlens.engine.tensor_layers import held_nodes
from trtlens.output import Fold, layout
from trtlens.tables.engine_layers import NO_WORK
from trtlens.tables.schema import declare
from trtlens.tuning.wording import counted
from trtlens.views import NO_LAYERS, View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

COLUMNS = declare(
    "view onnx_nodes", "one engine layer with the ONNX nodes that it contains", "build index",
    """
    build | int | | number of the build
    index | int | | position in the engine
    name | text | | layer
    type | text | | layer or runner type
    onnx_nodes | texts | | ONNX nodes that it contains; null where they are not known
    known_by | text | | metadata (or the builder's line about a region), name, tensors (what lies between the model's tensors around it)
    line | int | | line of the log
    """,
)  # fmt: skip


def table(run: Run) -> pa.Table:
    """Layers in execution order; of an engine with several optimisation profiles, those of the one that is compared."""
    rows = [row for build in builds_with_layers(run) for row in _rows(run, build)]
    return COLUMNS.of_rows(rows)


def _rows(run: Run, build: int) -> list[dict[str, object]]:
    layers = run.build(build)["layers"].select(["index", "line"])
    lines = dict(zip(layers["index"].to_pylist(), layers["line"].to_pylist(), strict=True))
    rows = []
    for layer, held in held_nodes(run, build):
        nodes, known_by = held.nodes, held.source
        if layer.is_reformat and known_by != METADATA and layer.name not in nodes:
            nodes, known_by = (), None  # its name is that of the layer that wanted it
        rows.append({
            "build": build, "index": layer.index, "name": layer.name, "type": layer.type,
            "onnx_nodes": list(nodes) or None, "known_by": known_by, "line": lines.get(layer.index),
        })  # fmt: skip
    return rows


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """How many nodes are known to be in how many layers."""
    held = [row["onnx_nodes"] for row in rows if row["onnx_nodes"]]
    nodes = len({node for own in held for node in own})
    most = max(rows, key=lambda row: len(row["onnx_nodes"] or ()))
    text = f"{counted(nodes, 'ONNX node', 'ONNX nodes')} in {len(held)} of {counted(len(rows), 'layer', 'layers')}"
    return f"{text}; {most['name']} holds the most, {len(most['onnx_nodes'])}" if held else text


VIEW = View(
    table,
    question="Which ONNX nodes does each engine layer contain, and how is that known?",
    answer=_answer,
    place=19,
    layout=layout("name onnx_nodes known_by type index", stretches="name", fold=Fold(("type",), 0, NO_WORK)),
    empty=NO_LAYERS,
)

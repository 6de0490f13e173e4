"""Why was each layer's tactic chosen, and how long did the alternatives take?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.explain.layer import explain
from trtlens.explain.ranking import ranking, select
from trtlens.explain.subject import COLUMNS, read_build, statements_table
from trtlens.output import Fold, layout
from trtlens.tuning.wording import counted
from trtlens.views import NO_LAYERS, View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

__all__ = ["COLUMNS", "rank", "table"]


def table(run: Run, layer: str = "*") -> pa.Table:
    """Sentences about the layers whose name is, matches (as a glob) or holds ``layer``, each with its lines.

    Raises:
        TrtlensError: no engine layer fits the text, or the log lists no engine layers.

    """
    explained = []
    for number, indices in select(run, layer):
        build = read_build(run, number)
        for index in indices:
            node = build.graph.nodes[index]
            explained.append((number, node.index, node.name, explain(build.subject(node), build.flags)))
    return statements_table(explained)


def rank(run: Run, layer: str = "*") -> pa.Table:
    """One row a layer, those first whose fastest candidate in any format would have saved most.

    Raises:
        TrtlensError: no engine layer fits the text, or the log lists no engine layers.

    """
    return ranking(run, select(run, layer))


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """How many layers are explained, and how to read about one."""
    layers = len({row["layer_index"] for row in rows})
    return f"{counted(layers, 'layer is', 'layers are')} explained here; trtlens why LAYER RUN tells of one, trtlens why --all RUN ranks them"


VIEW = View(
    table,
    question="Why was each layer's tactic chosen, and how long did the alternatives take?",
    answer=_answer,
    place=7,
    layout=layout(
        "layer section text lines",
        stretches="layer",
        prose="text",
        fold=Fold(("section", "layer_index"), 3, frozenset({"candidate"})),
    ),
    empty=NO_LAYERS,
)

"""How did the builder change the network before tuning?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from trtlens.output import Fold, layout
from trtlens.tuning.kept_strategy import kept_rows
from trtlens.tuning.wording import counted
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run


def table(run: Run) -> pa.Table:
    """Fusions and other changes of the graph, in the order in which the builder made them."""
    return kept_rows(run, "fusions").sort_by([("build", "ascending"), ("line", "ascending")])


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """How many changes of each kind the builder made."""
    kinds = Counter(row["kind"] for row in rows).most_common()
    return f"{counted(len(rows), 'change', 'changes')} of the network: {', '.join(f'{count} {kind}' for kind, count in kinds)}"


VIEW = View(
    table,
    question="How did the builder change the network before tuning?",
    answer=_answer,
    place=11,
    layout=layout("sources kind result pass line", stretches="sources", fold=Fold(("build", "kind", "result"), 3)),
    empty="no fusions in the log: the builder prints them at verbose level, and Myelin prints none of its own",
)

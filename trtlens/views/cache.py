"""Which layers were answered from the timing cache, and which were tuned?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from trtlens.engine.cache_use import FROM_FILE, OWN, TUNED, read_cache_use
from trtlens.output import layout
from trtlens.tables.schema import declare
from trtlens.tuning.wording import counted
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

COLUMNS = declare(
    "view cache", "one layer that the tuner asked for times of", "build line",
    """
    build | int | | number of the build
    layer | text | | layer as the tuner names it; null where the log does not (8.2 to 8.5, all times from the cache)
    source | text | | tuned (a combination was timed), timing cache (none was, and a cache file was in use), own cache (none was: this build tuned a layer like it before); null where nothing tells
    tuned | int | | format combinations that were timed
    answered | int | | format combinations whose times came from a cache
    pinned | bool | | whether all times of the whole build came from a cache file; null where the log does not tell
    line | int | | line of the layer's first combination
    """,
)  # fmt: skip


def table(run: Run) -> pa.Table:
    """Layers that were tuned first, each kind in the order of the log."""
    uses = [read_cache_use(run, build) for build in run["builds"]["build"].to_pylist()]
    rows = [
        {
            "build": use.build, "layer": one.layer, "source": one.source, "tuned": one.tuned, "answered": one.answered,
            "pinned": use.pinned, "line": one.line,
        }
        for use in uses
        for one in sorted(use.layers, key=lambda one: one.source != TUNED)
    ]  # fmt: skip
    return COLUMNS.of_rows(rows)


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """How many layers were tuned and answered, and whether the build is pinned."""
    sources = Counter(row["source"] for row in rows)
    told = [f"{sources[TUNED]} tuned"] if sources[TUNED] else []
    told += [f"{sources[name]} taken from {where}" for name, where in _WHERE.items() if sources[name]]
    told += [f"of {sources[None]} no line says where the times came from"] if sources[None] else []
    ends = {True: "; this build is fully pinned", False: "; this build is not pinned", None: ""}
    return f"{counted(len(rows), 'layer', 'layers')}: {', '.join(told)}{ends[rows[0]['pinned']]}"


_WHERE = {FROM_FILE: "the timing cache", OWN: "what this build tuned before"}

VIEW = View(
    table,
    question="Which layers were answered from the timing cache, and which were tuned?",
    answer=_answer,
    place=25,
    layout=layout("layer source tuned answered line", stretches="layer"),
    empty="no tuning in the log: the tuner prints it at verbose level",
)

"""What do reformats cost in total, by cause and by part of the network?"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from trtlens.engine.clocks import clock_name
from trtlens.engine.engine_graph import builds_with_layers, read_graph
from trtlens.engine.reformat_causes import ADVICE, MEASURED, TUNER, Reformat, read_reformats
from trtlens.output import Fold, layout
from trtlens.quantities import duration
from trtlens.tables.schema import declare
from trtlens.tuning.wording import counted
from trtlens.views import NO_REFORMATS, View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

COLUMNS = declare(
    "view reformat_causes", "the reformats of one cause (part is null), or of one cause before one part of the network",
    "build cause part",
    """
    build | int | | number of the build
    cause | text | | why the reformats exist, see the view reformats
    part | text | | part of the network that reads their output: the first two parts of the reader's path, else its name
    reformats | int | | reformats
    cost_ms | float | ms | their total cost: measured times, else the tuner's; null where none is known
    measured | int | | reformats whose measured time is in the cost
    untimed | int | | reformats without a time, which the cost leaves out
    cost_from | text | | clock of the cost: kernel trace, layer profiler, tuner, or two of them; null where no cost is known
    percent | float | % | share of the measured time of all layers; null without a profile
    advice | text | | what can be done about it; null in the rows of a part
    """,
)  # fmt: skip
_OUTPUT = "network output"
_PATH = re.compile(r"/?[^/ ]+/[^/ ]+(?=/)")


def table(run: Run) -> pa.Table:
    """Causes by cost, each followed by the parts of the network in which it costs most."""
    rows = [row for build in builds_with_layers(run) for row in _build_rows(run, build)]
    return COLUMNS.of_rows(rows)


def _build_rows(run: Run, build: int) -> list[dict[str, object]]:
    times = [node.time_ms for node in read_graph(run, build).nodes.values() if node.time_ms is not None]
    total = sum(times) or None
    causes: dict[str, list[Reformat]] = defaultdict(list)
    for reformat in read_reformats(run, build):
        causes[reformat.cause].append(reformat)
    rows: list[dict[str, object]] = []
    for cause, found in sorted(causes.items(), key=lambda item: -_cost(item[1])):
        rows.append({**_row(build, cause, None, found, total), "advice": ADVICE[cause]})
        parts: dict[str, list[Reformat]] = defaultdict(list)
        for reformat in found:
            parts[_part(reformat)].append(reformat)
        if len(parts) > 1:
            ranked = sorted(parts.items(), key=lambda item: -_cost(item[1]))
            rows += [_row(build, cause, part, members, total) for part, members in ranked]
    return rows


def _part(reformat: Reformat) -> str:
    if not reformat.consumers:
        return _OUTPUT
    name = reformat.consumers[0].name
    path = _PATH.match(name)
    return path[0] if path else name


def _cost(found: Sequence[Reformat]) -> float:
    return sum(reformat.cost_ms or 0.0 for reformat in found)


def _clocks(found: Sequence[Reformat]) -> str | None:
    """The clocks of the costs that are more than nothing."""
    timed = [r for r in found if r.cost_ms]
    measured = {clock_name(r.node.time_source) for r in timed if r.cost_source == MEASURED and r.node.time_source}
    tuned = {TUNER for r in timed if r.cost_source == TUNER}
    return " and ".join(sorted(measured) + sorted(tuned)) or None


def _row(build: int, cause: str, part: str | None, found: Sequence[Reformat], total: float | None) -> dict[str, object]:
    measured = [r for r in found if r.cost_source == MEASURED]
    known = [r.cost_ms for r in found if r.cost_ms is not None]
    return {
        "build": build, "cause": cause, "part": part, "reformats": len(found), "cost_ms": sum(known) if known else None,
        "measured": len(measured), "untimed": len(found) - len(known), "cost_from": _clocks(found),
        "percent": 100 * sum(r.cost_ms or 0.0 for r in measured) / total if total and measured else None, "advice": None,
    }  # fmt: skip


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """What all reformats cost, and the cause of the most cost with its advice."""
    causes = [row for row in rows if row["part"] is None]
    known = [row["cost_ms"] for row in causes if row["cost_ms"] is not None]
    text = counted(sum(row["reformats"] for row in causes), "reformat", "reformats")
    text += f" cost {duration(sum(known))}" if known else "; what they cost is not known"
    return f"{text}; {causes[0]['cause']} ({causes[0]['reformats']}){' costs the most' if known else ''}: {causes[0]['advice']}"


VIEW = View(
    table,
    question="What do reformats cost in total, by cause and by part of the network?",
    answer=_answer,
    place=10,
    layout=layout(
        "cause part reformats cost_ms percent untimed advice",
        stretches="part",
        prose="advice",
        unnamed="all parts",
        fold=Fold(("cause",), 5, sums=("reformats", "cost_ms", "percent", "untimed")),
    ),
    empty=NO_REFORMATS,
)

"""All layers by what the fastest candidate of any format would have saved, with the reason why it was not taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.explain.reformat_overhead import Detour
from trtlens.explain.subject import Build, Subject
from trtlens.tables.layer_kinds import NO_WORK
from trtlens.tables.schema import declare
from trtlens.tuning.queries import best
from trtlens.tuning.wording import combination_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from trtlens.runs.run import Run

COLUMNS = declare(
    "view why, all layers", "one engine layer that launches a kernel, the most to gain first", "build index",
    """
    build | int | | number of the build
    index | int | | position in the engine
    name | text | | layer
    precision | text | | what it computes in
    unit | text | | tensor core or cuda core
    chosen_ms | float | ms | the tuner's time for what runs
    best_ms | float | ms | fastest time of any tactic of the layer in any format
    regret_ms | float | ms | chosen less best
    in_all_ms | float | ms | the fastest with the reformats that it would need, by the tuner's times; null where one was not timed
    verdict | text | | fastest, reformats, unexplained, unknown: see docs/why.md; null where what runs is not known
    formats | text | | formats that it runs in
    best_formats | text | | formats of the fastest
    reason | text | | why the fastest was not taken, or why it is not known what runs
    lines | ints | | lines of the log: what runs, the fastest, the reformats
    """,
)  # fmt: skip


def ranking(run: Run, chosen: Iterable[tuple[int, list[int]]]) -> pa.Table:
    """Layers of each build, those with the largest regret first, then those about which nothing is known."""
    rows = [_row(number, Build(run, number), index_list) for number, index_list in chosen]
    flat = [row for build_rows in rows for row in build_rows]
    flat.sort(
        key=lambda row: (-(row["regret_ms"] if row["regret_ms"] is not None else -1.0), row["build"], row["index"])
    )
    return COLUMNS.table({column.name: [row[column.name] for row in flat] for column in COLUMNS.columns})


def _row(number: int, build: Build, indices: Iterable[int]) -> list[dict[str, Any]]:
    nodes = [build.graph.nodes[index] for index in indices]
    return [{"build": number, **_of(build.subject(node))} for node in nodes if node.type not in NO_WORK]


def _of(subject: Subject) -> dict[str, Any]:
    node, chosen = subject.node, subject.chosen
    fastest = best([c for c in subject.candidates if c.op == subject.op])
    row: dict[str, Any] = {
        "index": node.index, "name": node.name, "precision": node.row["precision"], "unit": node.row["unit"],
        "chosen_ms": None, "best_ms": None, "regret_ms": None, "in_all_ms": None, "verdict": None, "formats": None,
        "best_formats": None, "reason": node.tuned.get("reason"), "lines": [],
    }  # fmt: skip
    if subject.region is not None and subject.op is None:
        return {**row, "reason": f"a part of {subject.region}, which was timed as a whole"}
    if chosen is None or chosen.time_ms is None or fastest is None or fastest.time_ms is None:
        return row
    lines = [chosen.line, fastest.line]
    row.update(chosen_ms=chosen.time_ms, best_ms=fastest.time_ms, formats=combination_text(*chosen.formats),
               best_formats=combination_text(*fastest.formats), regret_ms=chosen.time_ms - fastest.time_ms)  # fmt: skip
    if fastest.time_ms >= chosen.time_ms:
        return {
            **row,
            "regret_ms": 0.0,
            "verdict": "fastest",
            "reason": "nothing timed for it was faster",
            "lines": [chosen.line],
        }
    detour = Detour.of(fastest, subject)
    return {**row, "verdict": detour.verdict, "in_all_ms": detour.total_ms, "reason": detour.text,
            "lines": list(dict.fromkeys([*lines, *detour.lines]))}  # fmt: skip

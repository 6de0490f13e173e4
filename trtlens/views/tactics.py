"""Which tactic does each layer run, and what is the potential saving of the fastest tactic that was timed?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.engine.engine_graph import builds_with_layers, read_graph
from trtlens.output import Fold, layout
from trtlens.quantities import duration, percent
from trtlens.tables.arrays import known_true, of_build
from trtlens.tables.engine_layers import NO_WORK
from trtlens.tables.schema import declare
from trtlens.tuning.queries import Tuner
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from trtlens.engine.engine_graph import EngineGraph, GraphLayer
    from trtlens.runs.run import Run

COLUMNS = declare(
    "view tactics", "one engine layer with the tuner's time for its tactic; after the layers of a build a row of sums (name is null)",
    "build index",
    """
    build | int | | number of the build
    index | int | | position in the engine; null in the row of sums
    name | text | | layer; null in the row of sums
    type | text | | layer or runner type
    precision | text | | what the layer computes in
    unit | text | | core type: tensor core or cuda core
    runner | text | | runner of the tactic that the engine runs, as the tuner names it
    chosen_ms | float | ms | the tuner's time for the tactic that the engine runs, in the formats that it has
    best_ms | float | ms | fastest time of any tactic of this layer in any format
    regret_ms | float | ms | potential saving: chosen less best. It is the price of the formats; `trtlens why` explains it for each layer
    regret_percent | float | % | potential saving as a share of the chosen time
    measured_ms | float | ms | the profile's time; null for a run without one
    over_ms | float | ms | measured less chosen: launch overhead and the influence of other layers, which the tuner's time leaves out
    tried | int | | tactics with a time, in all formats
    combinations | int | | format combinations considered
    input_formats | text | | inputs of the combination that runs
    output_formats | text | | outputs of the combination that runs
    best_input_formats | text | | inputs of the combination that was fastest
    best_output_formats | text | | outputs of the combination that was fastest
    best_tactic_id | uint | | the fastest tactic
    best_kernel | text | | its kernel
    tactic_id | uint | | the tactic that runs
    kernel | text | | its kernel
    record | text | | whose tuning record is used: own; twin (an identical layer's); region (the Myelin region's as a whole, or its operation's); null for none
    chosen_reason | text | | why no candidate of this layer is known to be the one that runs
    chosen_line | int | | line of the candidate that runs
    best_line | int | | line of the fastest candidate
    line | int | | line of the engine's layer
    """,
)  # fmt: skip
_SUMMED = ("chosen_ms", "best_ms", "regret_ms", "measured_ms", "over_ms")


def table(run: Run) -> pa.Table:
    """Layers in execution order, then sums over the layers whose tactic was timed, for them or for an identical layer."""
    rows = [row for build in builds_with_layers(run) for row in _build_rows(run, build)]
    return COLUMNS.table({column.name: [row.get(column.name) for row in rows] for column in COLUMNS.columns})


def _build_rows(run: Run, build: int) -> list[dict[str, Any]]:
    graph = read_graph(run, build)
    if not graph.nodes:
        return []
    candidates = run["candidates"]
    tuner = Tuner(run, build)
    tried = {name: tuner.combinations(name) for name in _tuned_names(graph)}
    chosen = of_build(candidates.filter(known_true(candidates["chosen"])), build)
    lines = {
        row["line"]: row
        for row in chosen.select(["line", "runner", "time_ms", "input_formats", "output_formats"]).to_pylist()
    }
    rows = [_row(build, node, graph, tried, lines) for node in graph.nodes.values()]
    return [*rows, _sums(build, rows)]


def _tuned_names(graph: EngineGraph) -> set[str]:
    """The tuner's names of the layers that have a record of their own."""
    return {node.tuned["layer"] for node in graph.nodes.values() if node.tuned.get("matched_by") == "name"}


def _row(
    build: int,
    node: GraphLayer,
    graph: EngineGraph,
    tried: Mapping[str, Sequence[dict[str, Any]]],
    chosen: Mapping[int, dict[str, Any]],
) -> dict[str, Any]:
    twin = graph.nodes.get(node.tuned.get("twin_index", -1))
    tuned = node.tuned if twin is None else twin.tuned
    row: dict[str, Any] = {
        "build": build, "index": node.index, "name": node.name, "type": node.row["type"],
        "precision": node.row["precision"], "unit": node.row["unit"], "tactic_id": node.row["tactic_id"],
        "kernel": node.row["tactic_name"], "measured_ms": node.time_ms, "line": node.row["line"],
        "chosen_reason": node.tuned.get("reason"), "record": _record(node, tuned, twin),
    }  # fmt: skip
    if tuned.get("layer") is None:
        return row
    candidate = chosen.get(tuned.get("candidate_line") or -1)
    if candidate is not None:
        row.update(runner=candidate["runner"], chosen_ms=candidate["time_ms"], chosen_line=candidate["line"],
                   input_formats=candidate["input_formats"], output_formats=candidate["output_formats"])  # fmt: skip
    if row["record"] not in {"own", "twin"}:
        return row
    row.update(_best(tried.get(tuned["layer"], ())))
    return _with_differences(row)


def _record(node: GraphLayer, tuned: Mapping[str, Any], twin: GraphLayer | None) -> str | None:
    if tuned.get("layer") is None:
        return None
    if twin is not None:
        return "twin"
    return "own" if node.tuned["matched_by"] == "name" else "region"


def _best(combinations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    timed = [row for row in combinations if row["time_ms"] is not None]
    counts = {"tried": sum(row["timed"] for row in combinations), "combinations": len(combinations)}
    if not timed:
        return counts
    best = min(timed, key=lambda row: (row["time_ms"], row["candidate_line"]))
    return {
        **counts, "best_ms": best["time_ms"], "best_line": best["candidate_line"], "best_tactic_id": best["tactic_id"],
        "best_kernel": best["tactic_name"], "best_input_formats": best["input_formats"],
        "best_output_formats": best["output_formats"],
    }  # fmt: skip


def _with_differences(row: dict[str, Any]) -> dict[str, Any]:
    chosen, best, measured = row.get("chosen_ms"), row.get("best_ms"), row.get("measured_ms")
    if chosen is not None and best is not None:
        row["regret_ms"] = chosen - best
        row["regret_percent"] = 100 * (chosen - best) / chosen if chosen else None
    if chosen is not None and measured is not None and row["type"] not in NO_WORK:
        row["over_ms"] = measured - chosen
    return row


def _sums(build: int, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sums over the layers that launch a kernel and have the tuner's time; ``record`` says how many of how many."""
    launched = [row for row in rows if row["type"] not in NO_WORK]
    counted = [row for row in launched if row.get("chosen_ms") is not None and row["record"] in {"own", "twin"}]
    sums: dict[str, Any] = {"build": build}
    for column in _SUMMED:
        values = [row[column] for row in counted if row.get(column) is not None]
        sums[column] = sum(values) if values else None
    if sums["chosen_ms"] and sums["regret_ms"] is not None:
        sums["regret_percent"] = 100 * sums["regret_ms"] / sums["chosen_ms"]
    taken = {row["index"] for row in counted}
    left = [row for row in launched if row["measured_ms"] is not None and row["index"] not in taken]
    sums["tried"] = sum(row.get("tried") or 0 for row in rows if row["record"] == "own")
    sums["record"] = f"{len(counted)} of {len(rows)} layers"
    if left:
        rest = sum(row["measured_ms"] for row in left)
        sums["chosen_reason"] = f"the profile has {duration(rest)} more in {len(left)} layers without the tuner's time"
    return sums


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """What the tuner's times of the tactics that run add up to, and what the fastest in any format would save."""
    sums = next((row for row in rows if row["name"] is None), None)
    if sums is None or sums["chosen_ms"] is None or sums["regret_ms"] is None:
        return "The log has no time of the tactics that run"
    text = f"The tactics that run take {duration(sums['chosen_ms'])} by the tuner's times ({sums['record']})"
    return f"{text}; the fastest in any format would save {duration(sums['regret_ms'])} ({percent(sums['regret_percent'] or 0.0)}), before the reformats that they would need"


VIEW = View(
    table,
    question="Which tactic does each layer run, and what is the potential saving of the fastest tactic that was timed?",
    answer=_answer,
    place=6,
    layout=layout(
        "name chosen_ms best_ms regret_ms regret_percent tried precision kernel best_kernel index",
        stretches="name",
        fold=Fold(("type",), 0, NO_WORK, ("measured_ms",)),
        unnamed="all layers",
    ),
    heading="Tactics",
    lead="Which tactic does each layer run, and what could the fastest tactic save?",
    empty="no tactics: this view needs the engine's layers and the tuner's times, both from a verbose log",
    largest_first="regret_ms",
)

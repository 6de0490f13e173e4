"""Rules about what the layers' times do not show: launches, and subgraphs that hide their kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.findings.finding import Evidence, Finding
from trtlens.kept import kept_rows
from trtlens.quantities import duration

if TYPE_CHECKING:
    from trtlens.engine_graph import Node
    from trtlens.findings.engine import Engine

_BOUND_SHARE = 0.3
_HEAVY_SHARE = 0.5
_HIDDEN_SHARE = 0.25
_OPENED_FROM = 9
"""From this release on detailed verbosity lists the kernels of a Myelin region."""


def launch_bound(engine: Engine) -> Finding | None:
    """Layers are so short that most of their time is the fixed cost of being launched."""
    floor, total = engine.floor_ms, engine.whole_ms
    if floor is None or not total:
        return None
    launches = len(engine.launched)
    fixed = engine.spent(min(timed.time_ms, floor[0]) for timed in engine.launched)
    profiling = (
        f"profiling adds {duration(engine.profiler_ms)} to each launch on average, which is taken off"
        if engine.profiler_ms
        else "profiling itself adds to it"
    )
    if fixed < _BOUND_SHARE * total:
        return None
    times = sorted(timed.time_ms for timed in engine.launched)
    text = (
        f"The {floor[1]} smallest copies, which move 64 KiB or less, take {duration(floor[0])} (median, {engine.source} times). "
        f"{launches} layers launch a kernel: if each pays that much for being launched, {duration(fixed)} of "
        f"{duration(total)} ({100 * fixed / total:.0f} %) pass without any work done. A faster precision cannot save that part; "
        f"{profiling}."
    )
    evidence = [
        Evidence(f"half of the {launches} layers take less than {duration(times[launches // 2])}"),
        Evidence(f"the smallest copies take {duration(floor[0])}, median of {floor[1]}"),
    ]
    smallest = min((t for t in engine.launched if t.node.is_reformat), key=lambda t: t.time_ms)
    evidence.append(
        Evidence(f"{smallest.node.name}: {duration(smallest.time_ms)} {smallest.source}", smallest.node.row["line"])
    )
    return Finding(
        "launch-bound", "high" if fixed >= _HEAVY_SHARE * total else "medium", f"up to {100 * fixed / total:.0f} % of the time is the cost of launching layers",
        text, tuple(evidence), "medium" if engine.is_profiled else "low",
        "time the engine with a CUDA graph (--useCudaGraph) and with a larger batch; fold what runs at every inference without need",
        at_stake_ms=fixed,
    )  # fmt: skip


def myelin_hides_layers(engine: Engine) -> Finding | None:
    """One Myelin region stands for a large part of the engine, and its kernels are not listed."""
    hidden = [node for node in engine.graph.nodes.values() if node.type == "Myelin"]
    if not hidden:
        return None
    largest = max(hidden, key=lambda node: (engine.known(node) or 0.0, _held(engine, node)))
    time_ms, total = engine.known(largest), engine.total_ms
    share = time_ms / total if time_ms is not None and total else None
    held, nodes = _held(engine, largest), engine.run["nodes"].num_rows
    if (share is not None and share < _HIDDEN_SHARE) or (share is None and len(engine.graph.nodes) > len(hidden) + 2):
        return None
    evidence = [Evidence(f"{largest.name}: one layer of type Myelin", largest.row["line"])]
    if held:
        evidence.append(
            Evidence(f"it holds {held} of the model's {nodes} nodes" if nodes else f"it holds {held} nodes")
        )
    part = (
        f" takes {duration(time_ms)}, {100 * share:.0f} % of the known time"
        if time_ms is not None and share is not None
        else " has no known time"
    )
    text = f"{largest.name}{part}; which kernels run inside, in which precision, is not in the log."
    return Finding(
        "myelin-hides-layers", "medium", "one Myelin region hides what runs inside it", text, tuple(evidence), "high", _advice(engine),
        at_stake_ms=time_ms, layers=tuple(node.name for node in hidden),
    )  # fmt: skip


def _held(engine: Engine, node: Node) -> int:
    rows = [
        row
        for row in kept_rows(engine.run, "regions").to_pylist()
        if row["build"] == engine.number and row["layer"] == node.name
    ]
    return len(rows[0]["onnx_nodes"] or ()) if rows else 0


def _advice(engine: Engine) -> str:
    version = (engine.row["tensorrt_version"] or "").partition(".")[0]
    if version.isdigit() and int(version) < _OPENED_FROM:
        return "Nsight Systems shows the kernels; TensorRT lists them from 9 on with --profilingVerbosity=detailed"
    return "rebuild with --profilingVerbosity=detailed, which lists the region's kernels as layers of their own (TensorRT 9 and later)"

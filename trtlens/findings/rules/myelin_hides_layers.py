"""One Myelin region takes a large part of the engine's time, and its kernels are not listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.findings.finding import BuildRule, Evidence, Finding
from trtlens.quantities import duration
from trtlens.runs.run import build_rows
from trtlens.tuning.kept_strategy import kept_rows

if TYPE_CHECKING:
    from trtlens.engine.engine_graph import GraphLayer
    from trtlens.findings.engine import Engine

_HIDDEN_SHARE = 0.25
_OPENED_FROM = 9
"""From this release on detailed verbosity lists the kernels of a Myelin region."""


def finding(engine: Engine) -> Finding | None:
    """The largest region: its time and its ONNX nodes."""
    opened = {one.layer_index for one in engine.ran}
    hidden = [node for node in engine.graph.nodes.values() if node.type == "Myelin" and node.index not in opened]
    if not hidden:
        return None
    largest = max(hidden, key=lambda node: (engine.known(node) or 0.0, _held(engine, node)))
    time_ms, total = engine.known(largest), engine.total_ms
    share = time_ms / total if time_ms is not None and total else None
    held, nodes = _held(engine, largest), build_rows(engine.run, "nodes", engine.number).num_rows
    if (share is not None and share < _HIDDEN_SHARE) or (share is None and len(engine.graph.nodes) > len(hidden) + 2):
        return None
    evidence = [Evidence(f"{largest.name}: one layer of type Myelin", largest.row["line"])]
    if held:
        evidence.append(
            Evidence(f"it contains {held} of the model's {nodes} nodes" if nodes else f"it contains {held} nodes")
        )
    part = (
        f" takes {duration(time_ms)}, {100 * share:.0f} % of {engine.clock.whole}"
        if time_ms is not None and share is not None
        else " has no known time"
    )
    text = f"{largest.name}{part}; the log does not say which kernels run inside, or in which precision."
    return Finding(
        "medium", "one Myelin region hides what runs inside it", text, tuple(evidence), "high", _advice(engine),
        stake=engine.clock.stake(engine.parts([largest])), layers=tuple(node.name for node in hidden),
    )  # fmt: skip


def _held(engine: Engine, node: GraphLayer) -> int:
    rows = [
        row
        for row in kept_rows(engine.run, "regions").to_pylist()
        if row["build"] == engine.number and row["layer"] == node.name
    ]
    return len(rows[0]["onnx_nodes"] or ()) if rows else 0


def _advice(engine: Engine) -> str:
    version = (engine.row["tensorrt_version"] or "").partition(".")[0]
    if version.isdigit() and int(version) < _OPENED_FROM:
        return "trtlens trace RUN shows them, or a trace of Nsight Systems beside the log (nsys export --type sqlite); TensorRT lists them from 9 on with --profilingVerbosity=detailed"
    if engine.flags.is_detailed:
        return "trtlens trace RUN shows them, or a trace of Nsight Systems beside the log (nsys export --type sqlite): the engine has detailed profiling verbosity already"
    return "rebuild with --profilingVerbosity=detailed, which lists the region's kernels as layers of their own (TensorRT 9 and later)"


FINDING = BuildRule(
    finding,
    section="Speed",
    place=9,
    title="A Myelin region hides what runs inside it",
    meaning=(
        "One Myelin region takes a quarter of the known time or more (or, where no times are known, is nearly the whole engine), and the "
        "log lists it as one layer. A region whose kernels were traced hides nothing."
    ),
    stake="At most the region's time.",
    next_check=(
        "Rebuild with detailed profiling verbosity, which lists the region's kernels from TensorRT 9 on; a trace of its kernels if the "
        "engine was built that way already."
    ),
    needs="The engine's layers.",
)

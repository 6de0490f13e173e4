"""Rules about what the layers' times do not show: launches, and subgraphs that hide their kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.findings.finding import Evidence, Finding
from trtlens.findings.stakes import Stake
from trtlens.quantities import duration
from trtlens.runs.network_nodes import network_nodes
from trtlens.tuning.kept_strategy import kept_rows

if TYPE_CHECKING:
    from trtlens.engine.engine_graph import Node
    from trtlens.engine.inference_timing import Timing
    from trtlens.findings.engine import Engine

_BOUND_SHARE = 0.3
_HIDDEN_SHARE = 0.25
_OPENED_FROM = 9
"""From this release on detailed verbosity lists the kernels of a Myelin region."""
_UNTIMED = Stake(None, "not known: no inference was timed from a CUDA graph, so what the waiting costs is in no record")
_PROFILED_ALONE = Stake(None, "not known: no inference was timed as a whole, and profiling adds to every launch itself")


def launch_bound(engine: Engine) -> Finding | None:
    """The host launches kernels more slowly than the GPU runs them; without whole timings, layers that may be so short."""
    timing = engine.timing
    if timing.waits is None:
        return None if timing.cuda_graph else _short_layers(engine)
    if not timing.waits:
        return None
    return Finding(
        "launch-bound", "high", "the GPU waits for the host to launch kernels", _waiting(timing, len(engine.launched)),
        tuple(_of_waiting(timing)), "high", _without_waiting(timing), stake=_UNTIMED,
    )  # fmt: skip


def _waiting(timing: Timing, launches: int) -> str:
    """The two times beside one another, where they are known."""
    text = "Kernels are launched more slowly than the GPU runs them, so that its time holds waits."
    if timing.enqueue_ms is not None and timing.inference_ms is not None:
        text = (
            f"Enqueueing an inference takes the host {duration(timing.enqueue_ms)} (median), and the GPU is done with it in "
            f"{duration(timing.inference_ms)}: it waits for launches, and its time holds the waits."
        )
    return text + (f" {launches} layers launch a kernel." if launches else "")


def _of_waiting(timing: Timing) -> list[Evidence]:
    evidence = []
    if timing.dry is not None and timing.samples:
        evidence.append(
            Evidence(f"the GPU was idle when {timing.dry:,} of {timing.samples:,} inferences were enqueued")
        )
    if timing.line is not None:
        evidence.append(Evidence("trtexec warns that the throughput is bound by enqueueing", timing.line))
    if timing.cuda_graph is not None:
        evidence.append(Evidence(f"the run was timed {'from a' if timing.cuda_graph else 'without a'} CUDA graph"))
    return evidence


def _without_waiting(timing: Timing) -> str:
    if timing.cuda_graph:
        return "a larger batch, or several inferences in one CUDA graph: launching the graph itself takes as long as the GPU"
    return "time the engine with a CUDA graph (--useCudaGraph), and with a larger batch; fold what runs at every inference without need"


def _short_layers(engine: Engine) -> Finding | None:
    """Without whole timings: layers that are so short that most of their time may be the cost of being launched."""
    floor, total = engine.floor_ms, engine.total_ms
    if floor is None or not total:
        return None
    launches = len(engine.launched)
    fixed = sum(min(timed.time_ms, floor[0]) for timed in engine.launched)
    if fixed < _BOUND_SHARE * total:
        return None
    times = sorted(timed.time_ms for timed in engine.launched)
    text = (
        f"The {floor[1]} smallest copies, which move 64 KiB or less, take {duration(floor[0])} (median, by {engine.source}). "
        f"{launches} layers launch a kernel: if each pays that much, {duration(fixed)} of {duration(total)} "
        f"({100 * fixed / total:.0f} %) are the cost of launching. Timing layers one by one adds to every launch, so that this is "
        "an upper bound, and no inference was timed as a whole to tell by how much."
    )
    smallest = min((t for t in engine.launched if t.node.is_reformat), key=lambda t: t.time_ms)
    evidence = (
        Evidence(f"half of the {launches} layers take less than {duration(times[launches // 2])}"),
        Evidence(f"{smallest.node.name}: {duration(smallest.time_ms)}", smallest.node.row["line"]),
    )
    return Finding(
        "launch-bound", "low", f"layers are short: launching them may be up to {100 * fixed / total:.0f} % of their time",
        text, evidence, "low", "time whole inferences, with a CUDA graph (--useCudaGraph) and without, and with a larger batch",
        stake=_PROFILED_ALONE,
    )  # fmt: skip


def myelin_hides_layers(engine: Engine) -> Finding | None:
    """One Myelin region stands for a large part of the engine, and its kernels are not listed."""
    hidden = [node for node in engine.graph.nodes.values() if node.type == "Myelin"]
    if not hidden:
        return None
    largest = max(hidden, key=lambda node: (engine.known(node) or 0.0, _held(engine, node)))
    time_ms, total = engine.known(largest), engine.total_ms
    share = time_ms / total if time_ms is not None and total else None
    held, nodes = _held(engine, largest), network_nodes(engine.run, engine.number).num_rows
    if (share is not None and share < _HIDDEN_SHARE) or (share is None and len(engine.graph.nodes) > len(hidden) + 2):
        return None
    evidence = [Evidence(f"{largest.name}: one layer of type Myelin", largest.row["line"])]
    if held:
        evidence.append(
            Evidence(f"it holds {held} of the model's {nodes} nodes" if nodes else f"it holds {held} nodes")
        )
    part = (
        f" takes {duration(time_ms)}, {100 * share:.0f} % of {engine.clock.whole}"
        if time_ms is not None and share is not None
        else " has no known time"
    )
    text = f"{largest.name}{part}; which kernels run inside, in which precision, is not in the log."
    return Finding(
        "myelin-hides-layers", "medium", "one Myelin region hides what runs inside it", text, tuple(evidence), "high", _advice(engine),
        stake=engine.clock.stake(time_ms), layers=tuple(node.name for node in hidden),
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
    if engine.flags.is_detailed:
        return "Nsight Systems shows the kernels: the engine has detailed profiling verbosity already"
    return "rebuild with --profilingVerbosity=detailed, which lists the region's kernels as layers of their own (TensorRT 9 and later)"

"""The host launches kernels more slowly than the GPU runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.findings.finding import BuildRule, Evidence, Finding
from trtlens.findings.stakes import Stake
from trtlens.quantities import duration

if TYPE_CHECKING:
    from trtlens.engine.inference_timing import Timing
    from trtlens.findings.engine import Engine

_BOUND_SHARE = 0.3
_UNTIMED = Stake(
    None, "not known: the run has neither a time of inferences from a CUDA graph nor a trace of their kernels"
)
_PROFILED_ALONE = Stake(
    None, "not known: no inference was timed as a whole, and profiling itself makes every launch longer"
)


def finding(engine: Engine) -> Finding | None:
    """Judged by whole inferences if they were timed, else by how short the layers are."""
    timing = engine.timing
    if timing.waits is None:
        return None if timing.cuda_graph or engine.is_traced else _short_layers(engine)
    if not timing.waits:
        return None
    return Finding(
        "high", "the GPU waits for the host to launch kernels", _waiting(timing, len(engine.launched)),
        tuple(_of_waiting(timing)), "high", _without_waiting(timing), stake=_at_stake(engine),
    )  # fmt: skip


def _at_stake(engine: Engine) -> Stake:
    """What a CUDA graph gains; of an inference that was timed from one nothing is known."""
    timed = engine.timing
    if timed.graph_ms is not None and not timed.cuda_graph:
        return engine.clock.stake_of_graph(timed.graph_ms)
    gained = None if engine.timing.cuda_graph else engine.clock.stake_of_waiting()
    return _UNTIMED if gained is None else gained


def _waiting(timing: Timing, launches: int) -> str:
    """The host's and the GPU's time, where both are known."""
    text = "The host launches kernels more slowly than the GPU runs them, so the GPU's time includes waiting."
    if timing.enqueue_ms is not None and timing.inference_ms is not None:
        text = (
            f"Enqueueing an inference takes the host {duration(timing.enqueue_ms)} (median), and the GPU finishes it in "
            f"{duration(timing.inference_ms)}: the GPU waits for launches, and its time includes the waiting."
        )
    if timing.graph_ms is not None:
        text += f" From a CUDA graph an inference takes {duration(timing.graph_ms)}."
    return text + (f" {launches} layers launch a kernel." if launches else "")


def _of_waiting(timing: Timing) -> list[Evidence]:
    evidence = []
    if timing.dry is not None and timing.samples:
        evidence.append(
            Evidence(f"the GPU was idle when {timing.dry:,} of {timing.samples:,} inferences were enqueued")
        )
    if timing.line is not None:
        evidence.append(Evidence("trtexec warns that enqueueing limits the throughput", timing.line))
    if timing.cuda_graph is not None:
        evidence.append(Evidence(f"the run was timed {'from a' if timing.cuda_graph else 'without a'} CUDA graph"))
    return evidence


def _without_waiting(timing: Timing) -> str:
    if timing.cuda_graph:
        return "a larger batch, or several inferences in one CUDA graph: launching one graph takes as long as the GPU needs for it"
    return "time the engine with a CUDA graph (--useCudaGraph), and with a larger batch; fold constants that are copied at every inference"


def _short_layers(engine: Engine) -> Finding | None:
    """Without timed inferences: layers so short that much of their time may be launch overhead."""
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
        f"{launches} layers launch a kernel: if each launch costs that much, {duration(fixed)} of {duration(total)} "
        f"({100 * fixed / total:.0f} %) are launch overhead. Timing layers one by one makes every launch longer, so this is "
        "an upper bound; whole inferences, which would show the true share, were not timed."
    )
    smallest = min((t for t in engine.launched if t.node.is_reformat), key=lambda t: t.time_ms)
    evidence = (
        Evidence(f"half of the {launches} layers take less than {duration(times[launches // 2])}"),
        Evidence(f"{smallest.node.name}: {duration(smallest.time_ms)}", smallest.node.row["line"]),
    )
    return Finding(
        "low", f"layers are short: launch overhead may be up to {100 * fixed / total:.0f} % of their time",
        text, evidence, "low", "time whole inferences, with a CUDA graph (--useCudaGraph) and without, and with a larger batch",
        stake=_PROFILED_ALONE,
    )  # fmt: skip


FINDING = BuildRule(
    finding,
    section="Speed",
    place=7,
    title="The GPU waits for the host",
    meaning=(
        "Enqueueing an inference takes nine tenths of the GPU's time or more, or more than 1 % of the queued inferences found the GPU idle, "
        "or trtexec warns of it. The GPU's time then includes the waiting, and a faster kernel saves nothing. A run that was timed from a CUDA "
        "graph and does not wait is never called launch-bound.\n\n"
        "Where no inference was timed as a whole, short layers alone give a hint, with low confidence: copies of 64 KiB or "
        "less do almost no work, so their median time (of at least three) is the most that a launch can cost. The finding is made if 30 % of "
        "the layers' time may be launch overhead. Profiling itself makes every launch longer, so only whole inferences give proof. Times of "
        "traced kernels hold no launches: nothing is concluded from them."
    ),
    stake="What an inference takes less from a CUDA graph, where the run was timed both ways; else, where kernels were traced, what an inference takes beyond them and beyond the gaps of a CUDA graph; else not known.",
    next_check="Use a CUDA graph, or a larger batch.",
    needs="Samples of whole inferences with their enqueue times, or trtexec's warning; else a profile of the layers.",
)

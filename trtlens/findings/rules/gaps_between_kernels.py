"""The GPU does not wait for the host, yet stands idle between one kernel and the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.findings.engine import WORTH_SHARE
from trtlens.findings.finding import BuildRule, Evidence, Finding
from trtlens.quantities import duration

if TYPE_CHECKING:
    from trtlens.findings.engine import Engine

_HEAVY_SHARE = 0.1


def finding(engine: Engine) -> Finding | None:
    """Of inferences that were timed and traced from a stream, where the least that a CUDA graph would gain is not nothing."""
    timing, clock = engine.timing, engine.clock
    if timing.waits is not False or timing.cuda_graph is not False or not engine.is_traced_with_copies:
        return None
    stake = clock.stake_of_waiting()
    if (
        stake is None
        or stake.time_ms is None
        or not stake.low_ms
        or clock.inference_ms is None
        or clock.busy_ms is None
    ):
        return None
    share, idle_ms = stake.time_ms / clock.inference_ms, clock.inference_ms - clock.busy_ms
    if share < WORTH_SHARE:
        return None
    text = (
        f"Kernels run for {duration(clock.busy_ms)} of the {duration(clock.inference_ms)} of an inference; the GPU is idle for the other "
        f"{duration(idle_ms)} ({100 * idle_ms / clock.inference_ms:.0f} %), although the host is early with its launches. Launched from a "
        "stream, a kernel starts some time after the one before has ended; from a CUDA graph it starts sooner."
    )
    evidence = (
        Evidence(f"{clock.layers:,} launches: {duration(idle_ms / max(clock.layers, 1))} idle for each"),
        Evidence("the run was timed and traced without a CUDA graph"),
    )
    return Finding(
        "medium" if share >= _HEAVY_SHARE else "low", "the GPU is idle between kernels", text, evidence, "high",
        "time the engine from a CUDA graph: trtlens profile RUN --useCudaGraph, or trtexec --useCudaGraph", stake=stake,
    )  # fmt: skip


FINDING = BuildRule(
    finding,
    section="Speed",
    place=8,
    title="The GPU is idle between kernels",
    meaning=(
        "The inferences were timed from a stream, the GPU did not wait for the host, kernels were traced, and a CUDA graph would gain 3 % of "
        "an inference or more: what an inference takes beyond its kernels and the gaps between the kernels of a CUDA graph. Four "
        "transformer layers (H200, TensorRT 8.6, FP16) took 217 µs from a stream, 190 µs of it in 32 kernels, and 191 µs from a CUDA graph. "
        "Where the GPU waits for the host, `launch-bound` tells it."
    ),
    stake="What an inference takes beyond its traced kernels and the gaps of a CUDA graph: 1 % of the kernels' time as a rule, 5 % at most.",
    next_check="Use a CUDA graph.",
    needs="Samples of whole inferences from a stream, and a trace of their kernels.",
)

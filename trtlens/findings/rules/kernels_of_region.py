"""One kernel takes most of a Myelin region, as a trace shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.engine.kernels_run import by_kernel
from trtlens.explain.kernels import group_text
from trtlens.findings.estimates import Part
from trtlens.findings.finding import SHOWN, BuildRule, Evidence, Finding
from trtlens.quantities import duration

if TYPE_CHECKING:
    from trtlens.engine.engine_graph import GraphLayer
    from trtlens.engine.kernels_run import Group
    from trtlens.findings.engine import Engine

_REGION_SHARE = 0.1
_KERNEL_SHARE = 0.25


def finding(engine: Engine) -> Finding | None:
    """The region that takes most, where it is a tenth of the kernels' time and one kernel is a quarter of it."""
    total = engine.total_ms
    regions = [(node, engine.known(node) or 0.0) for node in engine.graph.nodes.values() if node.type == "Myelin"]
    if not engine.is_traced or not regions or not total:
        return None
    region, time_ms = max(regions, key=lambda pair: (pair[1], -pair[0].index))
    groups = by_kernel([one for one in engine.ran if one.layer_index == region.index])
    if len(groups) < 2 or time_ms < _REGION_SHARE * total or groups[0].time_ms < _KERNEL_SHARE * time_ms:
        return None
    older = _is_older(groups[0], engine)
    share = 100 * groups[0].time_ms / time_ms
    return Finding(
        "medium" if older else "low", f"one kernel takes {share:.0f} % of a Myelin region", _text(region, time_ms, groups, engine),
        tuple(Evidence(group_text(group, time_ms)) for group in groups[:SHOWN]), "high", _advice(older=older),
        stake=engine.clock.stake([Part(groups[0].time_ms)]), layers=(region.name,),
    )  # fmt: skip


def _text(region: GraphLayer, time_ms: float, groups: list[Group], engine: Engine) -> str:
    launches = sum(group.launches for group in groups)
    whole = engine.total_ms or time_ms
    first = groups[0]
    text = (
        f"{region.name} takes {duration(time_ms)}, {100 * time_ms / whole:.0f} % of {engine.clock.whole}, in {launches} launches of "
        f"{len(groups)} kernels. {100 * first.time_ms / time_ms:.0f} % of it is {first.kernel} ({duration(first.time_ms)} in "
        f"{first.launches} launches)"
    )
    if _is_older(first, engine) and first.decoded is not None and engine.compute_capability is not None:
        major, minor = engine.compute_capability
        text += f", written for sm{first.decoded.sm}, on a GPU of compute capability {major}.{minor}"
    older = [group for group in groups if _is_older(group, engine)]
    taken = sum(group.time_ms for group in older)
    return (
        f"{text}. Kernels of an older architecture take {100 * taken / time_ms:.0f} % of the region."
        if older
        else f"{text}."
    )


def _is_older(group: Group, engine: Engine) -> bool:
    """Whether a matrix kernel was written for an architecture before the GPU's: such a one cannot use the newer instructions."""
    capability, decoded = engine.compute_capability, group.decoded
    if capability is None or decoded is None or decoded.sm is None or decoded.unit is None:
        return False
    return decoded.sm // 10 < capability[0]


def _advice(*, older: bool) -> str:
    if older:
        return (
            "build with a newer TensorRT, or at a higher --builderOptimizationLevel, where Myelin has more kernels of this architecture; "
            "trtlens show kernels_run lists every kernel of the region"
        )
    return "trtlens show kernels_run lists every kernel of the region with its gaps; trtlens why REGION sums them"


FINDING = BuildRule(
    finding,
    section="Speed",
    place=10,
    title="One kernel takes most of a Myelin region",
    meaning=(
        "The kernels were traced, the largest Myelin region takes a tenth of their time or more, and one of its kernels a quarter of the "
        "region or more. The text says so where that kernel was written for an architecture before the GPU's (an sm80 kernel on a GPU "
        "of compute capability 9.0): it runs, without the instructions that came later. Whether a newer one would be faster is not in any record."
    ),
    stake="The kernel's time in all its launches: the most that another one could save.",
    next_check="`trtlens show kernels_run`; a newer TensorRT or a higher builder optimization level where the kernel is of an older architecture.",
    needs="A trace of kernels, and the engine's layers.",
)

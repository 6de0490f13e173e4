"""Kernels whose names say tensor cores did not use them, as hardware counters show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.engine.tensor_use import TensorUse
from trtlens.findings.finding import SHOWN, BuildRule, Evidence, Finding
from trtlens.tuning.wording import counted
from trtlens_parsers.kernels import TENSOR_CORE

if TYPE_CHECKING:
    from trtlens.findings.engine import Engine


def finding(engine: Engine) -> Finding | None:
    """The layers with their kernels, where a profile of Nsight Compute counted no use."""
    use = TensorUse(engine.run, engine.number)
    if not use:
        return None
    claimed = [node for node in engine.graph.nodes.values() if node.row["unit"] == TENSOR_CORE]
    idle = [node for node in claimed if use.of(node.row["tactic_name"]) is False]
    if not idle:
        return None
    idle.sort(key=lambda node: -(engine.known(node) or 0.0))
    judged = sum(use.of(node.row["tactic_name"]) is not None for node in claimed)
    text = (
        f"Of {counted(judged, 'layer', 'layers')} whose kernel's name says tensor cores and which Nsight Compute profiled, "
        f"{len(idle)} used none: its counters of tensor core instructions are 0."
    )
    return Finding(
        "medium", f"{counted(len(idle), 'layer does', 'layers do')} not use the tensor cores that the kernel's name claims", text,
        tuple(Evidence(f"{node.name} runs {node.row['tactic_name']}", node.row["line"]) for node in idle[:SHOWN]), "high",
        "profile with sm__inst_executed_pipe_tensor.sum and sm__pipe_tensor_cycles_active.sum on this GPU; if both are 0, the name is misread: please report it",
        layers=tuple(node.name for node in idle),
    )  # fmt: skip


FINDING = BuildRule(
    finding,
    section="Speed",
    place=12,
    title="A kernel does not use the tensor cores that its name claims",
    meaning=(
        "A file of Nsight Compute stands beside the log, a layer's kernel has a name that says tensor cores, and counters of all tensor core instructions or of "
        "their cycles (`sm__inst_executed_pipe_tensor`, `sm__pipe_tensor_cycles_active`, `.sum` or `.max`) are 0. Counters of one kind of instruction, and "
        "percentages, which ncu rounds, prove use and never the lack of it."
    ),
    stake="Not known: what the kernel would take with them is in no record.",
    next_check="Profile that kernel again with both counters.",
    needs="The engine's layers with kernel names, and a file of `ncu --csv`.",
)

"""A build that allows FP32 alone computes in TF32, which keeps ten bits of each factor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.findings.finding import SHOWN, BuildRule, Evidence, Finding
from trtlens.quantities import duration
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from trtlens.findings.engine import Engine

_BELOW_FP32 = ("fp16", "bf16", "int8", "fp8")


def finding(engine: Engine) -> Finding | None:
    """Which layers, and what FP32 kernels would take instead."""
    if engine.flags.tf32_disabled or any(engine.flags.allowed(p).enabled is not False for p in _BELOW_FP32):
        return None
    nodes = [node for node in engine.graph.nodes.values() if node.row["precision"] == "tf32"]
    if not nodes:
        return None
    saved, compared = 0.0, 0
    for node in nodes:
        subject = engine.subjects.get(node.index)
        chosen = subject.chosen.time_ms if subject is not None and subject.chosen is not None else None
        exact = (
            [c.time_ms for c in subject.candidates if c.precision == "fp32" and c.time_ms is not None]
            if subject
            else []
        )
        if chosen is not None and exact:
            saved, compared = saved + min(exact) - chosen, compared + 1
    evidence = [Evidence(f"{node.name} runs {node.row['tactic_name']}", node.row["line"]) for node in nodes[:SHOWN]]
    text = f"{counted(len(nodes), 'layer computes', 'layers compute')} in TF32. Products lose 13 of FP32's 23 mantissa bits; sums stay FP32."
    if compared:
        text += (
            f" By the tuner's times the fastest FP32 kernels of {compared} of them would take {duration(saved)} more."
        )
    return Finding(
        "low", counted(len(nodes), "layer of an FP32 build computes in TF32", "layers of an FP32 build compute in TF32"), text, tuple(evidence), "high",
        "where the result must be FP32, build with --noTF32 and compare the outputs",
        layers=tuple(node.name for node in nodes),
    )  # fmt: skip


FINDING = BuildRule(
    finding,
    section="Accuracy",
    place=3,
    title="TF32 in an FP32 build",
    meaning=(
        "A build that allows only FP32 has layers that compute in TF32, as it does by default on Ampere and later. The text says what the "
        "fastest FP32 kernels of these layers would take instead."
    ),
    stake="Accuracy, not time.",
    next_check="Build with `--noTF32` if the result must be FP32.",
    needs="The engine's layers with kernel names, and the options of the build.",
)

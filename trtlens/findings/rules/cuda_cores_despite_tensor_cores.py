"""Layers run on CUDA cores although the tuner timed a tensor core kernel for them that was faster by its own record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.explain.tensor_cores import missed_tensor_core
from trtlens.findings.estimates import spent_ms
from trtlens.findings.finding import SHOWN, BuildRule, Evidence, Finding
from trtlens.findings.stakes import FASTER
from trtlens.quantities import duration, durations, tactic_text
from trtlens.tuning.wording import combination_text, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.explain.tensor_cores import MissedTensorCore
    from trtlens.findings.engine import Engine

_WORTH_SHARE = 0.02


def finding(engine: Engine) -> Finding | None:
    """The layers and the potential saving, by the tuner's times."""
    missed = [one for one in map(missed_tensor_core, engine.subjects.values()) if one is not None and one.saved_ms > 0]
    if not missed:
        return None
    missed.sort(key=lambda one: -one.saved_ms)
    savings = [part for one in missed for part in engine.saved(one.subject.node, one.chosen_ms, one.in_all_ms)]
    stake = engine.clock.stake(savings, FASTER)
    text = (
        f"{counted(len(missed), 'layer runs', 'layers run')} on CUDA cores although the tuner timed a faster tensor core kernel; "
        f"the potential saving by the tuner's times is {duration(sum(one.saved_ms for one in missed))}{_net(missed)}. Layers whose reformats "
        "around such a kernel cost more than it saves are left out."
    )
    total = engine.total_ms
    severity = "high" if savings and total is not None and spent_ms(savings) >= _WORTH_SHARE * total else "low"
    return Finding(
        severity, counted(len(missed), "layer runs on CUDA cores although tensor cores were faster", "layers run on CUDA cores although tensor cores were faster"), text,
        tuple(_row(one) for one in missed[:SHOWN]), "medium", "run trtlens why LAYER for each of these layers; the formats of neighbouring layers decide",
        stake=stake, layers=tuple(one.subject.node.name for one in missed),
    )  # fmt: skip


def _net(missed: Sequence[MissedTensorCore]) -> str:
    """Whether the saving includes the reformats around the kernels."""
    unknown = sum(one.overhead.total_ms is None for one in missed)
    if not unknown:
        return ", less the reformats around these kernels"
    return (
        f", not counting the reformats around {unknown} of them, which were not timed"
        if unknown < len(missed)
        else ", not counting reformats"
    )


def _row(missed: MissedTensorCore) -> Evidence:
    took, now = durations(missed.candidate_ms, missed.chosen_ms)
    candidate, chosen = missed.candidate, missed.subject.chosen
    text = (
        f"{missed.subject.node.name}: {tactic_text(candidate.tactic_id)} on tensor cores took {took} "
        f"({combination_text(*candidate.formats)}), the chosen tactic {now} (line {chosen.line if chosen else '?'}), {missed.overhead.text}"
    )
    return Evidence(text, candidate.line)


FINDING = BuildRule(
    finding,
    section="Speed",
    place=3,
    title="CUDA cores although a tensor core kernel was faster",
    meaning=(
        "A layer runs on CUDA cores although the tuner timed a tensor core kernel for it that was faster. Layers whose tensor core kernels "
        "were slower are not counted, nor those for which the tuner's times show that the reformats around such a kernel cost more than it "
        "saves; the evidence says which reformats are known."
    ),
    stake="The potential saving of these kernels, less the reformats around them where the tuner timed these.",
    next_check="`trtlens why LAYER`.",
    needs="The engine's layers and the tuner's times, from a verbose log.",
)

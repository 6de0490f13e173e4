"""What a second run of the same model adds to findings about the first: its tuner timed what this one did not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trtlens.explain.tuner import best
from trtlens.explain.wording import counted
from trtlens.findings.finding import Evidence, Finding
from trtlens.findings.pairs import common_layers
from trtlens.findings.precision import without_fp16_severity
from trtlens.findings.tuning import skipped_for_workspace
from trtlens.quantities import duration

if TYPE_CHECKING:
    from trtlens.findings.engine import Engine


def constants_copied(finding: Finding, _engine: Engine, other: Engine) -> Finding:
    """How many constants the other run copies."""
    there = [r.cost_ms for r in other.reformats if r.cause == "constant" and r.cost_ms]
    such = counted(len(there), "such copy takes", "such copies take")
    text = f"in the other run {such} {duration(other.spent(there))}" if there else "the other run has none"
    return replace(finding, evidence=(*finding.evidence, Evidence(text)))


def int8_without_fp16(finding: Finding, engine: Engine, other: Engine) -> Finding:
    """What the layers that the other run computes in FP16 would save here, by the two tuners' times."""
    pairs = [p for p in common_layers(engine, other) if p.other.row["precision"] == "fp16" and p.tuned is not None]
    faster = [p.tuned for p in pairs if p.tuned is not None and p.tuned[1] < p.tuned[0]]
    if not faster:
        return finding
    saved = sum(here - there for here, there in faster)
    stake = max(finding.at_stake_ms or 0.0, saved)
    text = (
        f"the other run computes {len(pairs)} of these layers in FP16: by the two tuners' times {len(faster)} of them are faster "
        f"there, by {duration(saved)} together (reformats between the precisions not counted)"
    )
    severity = without_fp16_severity(engine, stake)
    return replace(finding, evidence=(*finding.evidence, Evidence(text)), at_stake_ms=stake, severity=severity)


def workspace_limit(finding: Finding, engine: Engine, other: Engine) -> Finding:
    """What the skipped tactics would save, where the other run timed them."""
    saved: dict[str, float] = {}
    for skipped in skipped_for_workspace(engine):
        layer = skipped.layer or ""
        same = (skipped.tactic_id, skipped.formats)
        timed = best([c for c in other.tuner.candidates(layer) if (c.tactic_id, c.formats) == same])
        runs = best([c for c in engine.tuner.candidates(layer) if c.chosen])
        if timed is not None and runs is not None and timed.time_ms is not None and runs.time_ms is not None:
            saved[layer] = max(saved.get(layer, 0.0), runs.time_ms - timed.time_ms)
    if not saved:
        return finding
    total, faster = sum(saved.values()), sum(gain > 0 for gain in saved.values())
    text = (
        "the other run timed tactics that were skipped here: "
        f"{duration(total)} less in {counted(faster, 'layer', 'layers')}"
    )
    return replace(finding, evidence=(*finding.evidence, Evidence(text)), at_stake_ms=total)

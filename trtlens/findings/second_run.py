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
    from trtlens.explain.subject import Subject
    from trtlens.findings.engine import Engine


def constants_copied(finding: Finding, _engine: Engine, other: Engine) -> Finding:
    """How many constants the other run copies."""
    there = [reformat for reformat in other.reformats if reformat.cause == "constant" and reformat.cost_ms]
    costs = other.costs(there)
    such = counted(len(there), "such copy runs", "such copies run")
    took = (
        f"; {'it takes' if len(there) == 1 else 'they take'} {duration(sum(costs))} by {other.source}" if costs else ""
    )
    text = f"in the other run {such}{took}" if there else "the other run has none"
    return replace(finding, evidence=(*finding.evidence, Evidence(text)))


def int8_without_fp16(finding: Finding, engine: Engine, other: Engine) -> Finding:
    """What the layers that the other run computes in FP16 would save here, by the two tuners' times."""
    pairs = [p for p in common_layers(engine, other) if p.other.row["precision"] == "fp16" and p.tuned is not None]
    faster = [(p.node, *p.tuned) for p in pairs if p.tuned is not None and p.tuned[1] < p.tuned[0]]
    savings = [engine.saving(*row) for row in faster]
    if not faster:
        return finding
    text = (
        f"the other run computes {len(pairs)} of these layers in FP16: by the two tuners' times {len(faster)} of them are faster "
        f"there, by {duration(sum(here - there for _, here, there in faster))} together (reformats between the precisions not counted)"
    )
    saved = sum(saving for saving in savings if saving is not None)
    found = engine.clock.stake(saved or None)
    stake = found if (found.time_ms or 0.0) > (finding.at_stake_ms or 0.0) else finding.stake
    severity = max(finding.severity, without_fp16_severity(engine, saved), key=("low", "medium", "high").index)
    return replace(finding, evidence=(*finding.evidence, Evidence(text)), stake=stake, severity=severity)


def workspace_limit(finding: Finding, engine: Engine, other: Engine) -> Finding:
    """What the skipped tactics would save, where the other run timed them."""
    own = {s.candidates[0].layer: s for s in engine.subjects.values() if s.candidates and s.twin is None}
    gains: dict[str | None, float] = {}
    for skipped in skipped_for_workspace(engine):
        same = (skipped.tactic_id, skipped.formats)
        timed = best([c for c in other.tuner.candidates(skipped.layer or "") if (c.tactic_id, c.formats) == same])
        chosen = own[skipped.layer].chosen if skipped.layer in own else None
        if timed is not None and timed.time_ms is not None and chosen is not None and chosen.time_ms is not None:
            gains[skipped.layer] = max(gains.get(skipped.layer, 0.0), chosen.time_ms - timed.time_ms)
    if not gains:
        return finding
    text = (
        "the other run timed tactics that were skipped here: "
        f"{duration(sum(gains.values()))} less in {counted(sum(gain > 0 for gain in gains.values()), 'layer', 'layers')} by the tuner's times"
    )
    savings = [_saving(engine, own[layer], gain) for layer, gain in gains.items()]
    stake = engine.clock.stake(sum(savings))
    return replace(finding, evidence=(*finding.evidence, Evidence(text)), stake=stake)


def _saving(engine: Engine, subject: Subject, gain_ms: float) -> float:
    chosen_ms = (subject.chosen.time_ms if subject.chosen is not None else None) or 0.0
    return engine.saving(subject.node, chosen_ms, chosen_ms - gain_ms) or 0.0

"""What a second run of the same model adds to findings about the first: its tuner timed what this one did not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trtlens.findings.finding import Evidence, Finding
from trtlens.findings.precision import without_fp16_severity
from trtlens.findings.tuning import skipped_for_workspace
from trtlens.quantities import duration
from trtlens.tuning.queries import best
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from trtlens.explain.subject import Subject
    from trtlens.findings.engine import Engine
    from trtlens.findings.pairs import Pair, TunedRegion


def constants_copied(finding: Finding, pair: Pair) -> Finding:
    """How many constants the other run copies."""
    other = pair.other
    there = [reformat for reformat in other.reformats if reformat.cause == "constant" and reformat.cost_ms]
    costs = other.costs(there)
    such = counted(len(there), "such copy runs", "such copies run")
    took = f"; they take {duration(sum(costs))} by {other.source}" if costs else ""
    text = f"in {pair.other_name} {such}{took}" if there else f"{pair.other_name} has none"
    return replace(finding, evidence=(*finding.evidence, Evidence(text)))


def int8_without_fp16(finding: Finding, pair: Pair) -> Finding:
    """What the layers that the other run computes in FP16 would save here, by the two tuners' times."""
    halves = [region for region in pair.tuned if region.other_precision == "fp16"]
    faster = [region for region in halves if region.loss_ms > 0]
    if not faster:
        return finding
    text = (
        f"{pair.other_name} computes {counted(len(halves), 'part', 'parts')} of the model in FP16: by the two tuners' times {len(faster)} of "
        f"them are faster there, by {duration(sum(region.loss_ms for region in faster))} together (reformats between the precisions not counted)"
    )
    saved = sum(_saved(pair.engine, region) for region in faster)
    found = pair.engine.clock.stake(saved or None)
    stake = found if (found.time_ms or 0.0) > (finding.at_stake_ms or 0.0) else finding.stake
    severity = max(finding.severity, without_fp16_severity(pair.engine, saved), key=("low", "medium", "high").index)
    return replace(finding, evidence=(*finding.evidence, Evidence(text)), stake=stake, severity=severity)


def _saved(engine: Engine, region: TunedRegion) -> float:
    """What the region's layers would take less by the engine's clock, in proportion to the tuners' times."""
    known = [time_ms for node in region.nodes if (time_ms := engine.known(node)) is not None]
    return sum(known) * region.loss_ms / region.here_ms if region.here_ms else 0.0


def workspace_limit(finding: Finding, pair: Pair) -> Finding:
    """What the skipped tactics would save, where the other run timed them."""
    engine, other = pair.engine, pair.other
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
        f"{pair.other_name} timed tactics that were skipped here: "
        f"{duration(sum(gains.values()))} less in {counted(sum(gain > 0 for gain in gains.values()), 'layer', 'layers')} by the tuner's times"
    )
    savings = [_saving(engine, own[layer], gain) for layer, gain in gains.items()]
    stake = engine.clock.stake(sum(savings))
    return replace(finding, evidence=(*finding.evidence, Evidence(text)), stake=stake)


def _saving(engine: Engine, subject: Subject, gain_ms: float) -> float:
    chosen_ms = (subject.chosen.time_ms if subject.chosen is not None else None) or 0.0
    return engine.saving(subject.node, chosen_ms, chosen_ms - gain_ms) or 0.0

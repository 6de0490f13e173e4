"""Tactics were skipped because they need more workspace than is allowed, and another build could allow it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trtlens.findings.finding import SHOWN, BuildRule, Evidence, Finding, message_evidence
from trtlens.findings.stakes import FASTER, Stake
from trtlens.quantities import byte_size, duration, tactic_text
from trtlens.tuning.queries import best
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from trtlens.explain.subject import Subject
    from trtlens.findings.engine import Engine
    from trtlens.findings.estimates import Part
    from trtlens.findings.pairs import Pair
    from trtlens.tuning.queries import Candidate

_NEVER_TIMED = Stake(None, "not known: skipped tactics have no time in this log")
_ALLOW_MORE = (
    "build with a larger workspace (--memPoolSize=workspace:N, in MiB; to 8.3 --workspace=N) and compare: "
    "trtlens findings NEW --against OLD"
)
_ALL_IS_ALLOWED = "the workspace is the default, all of the GPU's memory: free memory that other processes use, or build on a GPU with more"


def finding(engine: Engine) -> Finding | None:
    """Which tactics, and what the largest asks for."""
    rows = _skipped_for_workspace(engine)
    layers = tuple(dict.fromkeys(c.layer or "" for c in rows))
    told = [row for row in engine.messages if row["code"] == "workspace-too-small"]
    if not rows and (not told or _was_anything_skipped(engine)):
        return None
    limit = engine.flags.workspace_bytes()
    evidence = [Evidence(f"{c.layer}: {tactic_text(c.tactic_id)}: {c.reason}", c.line) for c in rows[:SHOWN]]
    evidence += [Evidence(f"the build's workspace is {byte_size(limit[0])}", limit[1])] if limit is not None else []
    evidence += [message_evidence(row) for row in told[:1]]
    skipped = f"{counted(len(rows), 'tactic', 'tactics')} of {counted(len(layers), 'layer', 'layers')} skipped"
    text = skipped if rows else "TensorRT says that it skipped tactics"
    text += f"; the largest asks for {byte_size(rows[0].scratch_bytes or 0)}." if rows else "."
    text += " The log does not say how fast they are."
    return Finding(
        "medium", "tactics were skipped because they need more workspace", text, tuple(evidence), "high",
        _ALL_IS_ALLOWED if engine.flags.has_default_workspace() else _ALLOW_MORE, stake=_NEVER_TIMED, layers=layers,
    )  # fmt: skip


def _skipped_for_workspace(engine: Engine) -> list[Candidate]:
    """Candidates that were skipped because they need more workspace, the one that needs most first.

    Those that ask for more than the GPU has are left out, and those that were timed in the same formats after all.
    """
    skipped = []
    for layer in engine.tuner.layers():
        candidates = engine.tuner.candidates(layer)
        timed = {(c.tactic_id, c.formats) for c in candidates if c.time_ms is not None}
        for candidate in candidates:
            asked = candidate.scratch_bytes
            if asked is None or (candidate.tactic_id, candidate.formats) in timed:
                continue
            if engine.gpu_bytes is None or asked <= engine.gpu_bytes:
                skipped.append(candidate)
    return sorted(skipped, key=lambda candidate: -(candidate.scratch_bytes or 0))


def _was_anything_skipped(engine: Engine) -> bool:
    """Whether the log names skipped tactics, so that TensorRT's warning adds nothing."""
    return any(c.scratch_bytes is not None for layer in engine.tuner.layers() for c in engine.tuner.candidates(layer))


def _beside(found: Finding, pair: Pair) -> Finding:
    """What the skipped tactics would save, where the other run timed them."""
    engine, other = pair.engine, pair.other
    own = {s.candidates[0].layer: s for s in engine.subjects.values() if s.candidates and s.twin is None}
    gains: dict[str | None, float] = {}
    for skipped in _skipped_for_workspace(engine):
        same = (skipped.tactic_id, skipped.formats)
        timed = best([c for c in other.tuner.candidates(skipped.layer or "") if (c.tactic_id, c.formats) == same])
        chosen = own[skipped.layer].chosen if skipped.layer in own else None
        if timed is not None and timed.time_ms is not None and chosen is not None and chosen.time_ms is not None:
            gains[skipped.layer] = max(gains.get(skipped.layer, 0.0), chosen.time_ms - timed.time_ms)
    if not gains:
        return found
    text = (
        f"{pair.other_name} timed tactics that were skipped here: "
        f"{duration(sum(gains.values()))} less in {counted(sum(gain > 0 for gain in gains.values()), 'layer', 'layers')} by its tuner's times"
    )
    savings = [part for layer, gain in gains.items() for part in _saved(engine, own[layer], gain)]
    stake = engine.clock.stake(savings, FASTER)
    return replace(found, evidence=(*found.evidence, Evidence(text)), stake=stake)


def _saved(engine: Engine, subject: Subject, gain_ms: float) -> list[Part]:
    chosen_ms = (subject.chosen.time_ms if subject.chosen is not None else None) or 0.0
    return engine.saved(subject.node, chosen_ms, chosen_ms - gain_ms)


FINDING = BuildRule(
    finding,
    add_second_run=_beside,
    section="The build",
    place=1,
    title="Tactics were skipped because they need more workspace",
    meaning=(
        "Tactics were skipped because they ask for more workspace than the build allows, or more memory than the GPU has free. Tactics that "
        "were timed in the same formats after all, and those that ask for more than the whole GPU has, are left out."
    ),
    stake="Not known: the times of skipped tactics are not in the log.",
    second_run="The potential saving of the skipped tactics that the other run timed; this is then at stake.",
    next_check=(
        "Build with a larger workspace; where it is the default (from 8.4 on all of the GPU's memory), free memory that other processes use."
    ),
    needs="The tuner's record, from a verbose log, or TensorRT's own warning.",
)

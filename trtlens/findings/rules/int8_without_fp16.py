"""INT8 was enabled and FP16 was not: what has no INT8 kernel runs in FP32."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trtlens.findings.estimates import spent_ms
from trtlens.findings.finding import SHOWN, BuildRule, Evidence, Finding, message_evidence
from trtlens.findings.stakes import FASTER, HALVED, Stake
from trtlens.quantities import duration
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from trtlens.findings.engine import Engine
    from trtlens.findings.estimates import Part
    from trtlens.findings.pairs import Pair, TunedRegion

_WORTH_SHARE = 0.05
_NO_FP32 = Stake(
    None, "not known: no layer with a time computes in FP32, and what FP16 would gain in place of INT8 is in no record"
)


def finding(engine: Engine) -> Finding | None:
    """Layers that run in FP32 because FP16 is not allowed."""
    int8, fp16 = engine.flags.allowed("int8"), engine.flags.allowed("fp16")
    if not int8.enabled or fp16.enabled is not False or engine.flags.allowed("bf16").enabled:
        return None
    if engine.flags.strongly_typed:
        return None
    slow = [t for t in engine.launched if t.node.row["precision"] in {"fp32", "tf32"} and not t.node.is_reformat]
    slow.sort(key=lambda timed: -timed.time_ms)
    in_fp32 = sum(timed.time_ms for timed in slow) or None
    evidence = [Evidence(f"INT8: {int8.how}", _first(int8.lines)), Evidence(f"FP16: {fp16.how}", _first(fp16.lines))]
    evidence += [message_evidence(row) for row in engine.messages if row["code"] == "int8-without-fp16"]
    evidence += [
        Evidence(
            f"{t.node.name} computes in {str(t.node.row['precision']).upper()}: {duration(t.time_ms)} by {engine.source}",
            t.node.row["line"],
        )
        for t in slow[:SHOWN]
    ]
    text = (
        f"{counted(len(slow), 'layer that computes runs', 'layers that compute run')} in FP32; they take "
        f"{duration(in_fp32)} of {engine.clock.whole}"
        if in_fp32
        else "No layer with a known time computes in FP32"
    ) + "; layers that would be faster in FP16 than in INT8 had no FP16 kernel to choose either."
    return Finding(
        _severity(engine, in_fp32), "INT8 was enabled without FP16", text, tuple(evidence), "high",
        "build with both (--int8 --fp16, or --best), and compare: trtlens findings NEW --against OLD",
        stake=engine.clock.stake(engine.parts(t.node for t in slow), HALVED) if slow else _NO_FP32, layers=tuple(t.node.name for t in slow),
    )  # fmt: skip


def _severity(engine: Engine, spent_ms: float | None) -> str:
    """How much it matters, by the layers' time that it is about."""
    total = engine.total_ms
    return "high" if spent_ms is not None and total is not None and spent_ms >= _WORTH_SHARE * total else "medium"


def _first(lines: tuple[int, ...]) -> int | None:
    return lines[0] if lines else None


def _beside(found: Finding, pair: Pair) -> Finding:
    """What the layers that the other run computes in FP16 would save here, by the two tuners' times."""
    halves = [region for region in pair.tuned if region.other_precision == "fp16"]
    faster = [region for region in halves if region.loss_ms > 0]
    if not faster:
        return found
    text = (
        f"{pair.other_name} computes {counted(len(halves), 'part', 'parts')} of the model in FP16: by the two tuners' times {len(faster)} of "
        f"them are faster there, by {duration(sum(region.loss_ms for region in faster))} together (reformats between the precisions not counted)"
    )
    saved = [part for region in faster for part in _saved(pair.engine, region)]
    saving = pair.engine.clock.stake(saved, FASTER)
    stake = found.stake if saving.time_ms is None else saving
    severity = max(found.severity, _severity(pair.engine, spent_ms(saved)), key=("low", "medium", "high").index)
    return replace(found, evidence=(*found.evidence, Evidence(text)), stake=stake, severity=severity)


def _saved(engine: Engine, region: TunedRegion) -> list[Part]:
    """What the region's layers would take less by the engine's clock, in proportion to the tuners' times."""
    return [part for node in region.nodes for part in engine.saved(node, region.here_ms, region.there_ms)]


FINDING = BuildRule(
    finding,
    add_second_run=_beside,
    section="Speed",
    place=2,
    title="INT8 was enabled without FP16",
    meaning=(
        "INT8 was enabled and FP16 was not, by trtexec's options, by `run.json`, or because no candidate of any layer computes in FP16. A "
        "layer without an INT8 kernel, or whose INT8 kernel is slower, then falls back to FP32. Not reported for strongly typed networks, "
        "whose own types are used."
    ),
    stake="At most the time of the layers that compute in FP32; half of it is likely, because FP16 has half the bytes.",
    second_run="If that run allows FP16, the part of this time that FP16 saves by its tuner's measurements.",
    next_check="Build with both (`--int8 --fp16`, or `--best`).",
    needs="The options of the build: trtexec's, `run.json`, or the tuner's record.",
)

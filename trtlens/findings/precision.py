"""Rules about precisions: what was not enabled, what lost its scales, what lost its range."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from trtlens.explain.wording import counted
from trtlens.findings.finding import Evidence, Finding
from trtlens.quantities import duration

if TYPE_CHECKING:
    from trtlens.findings.engine import Engine

_SHOWN = 3
_WORTH_SHARE = 0.05
_SCALES = ("int8-missing-scale", "int8-implementation-rejected")
_RANGE = {
    "fp16-nan-weights": "high", "fp16-infinite-weights": "high", "fp16-overflow-weights": "high",
    "bf16-overflow-weights": "high", "fp16-underflow-weights": "low", "fp16-subnormal-weights": "low",
    "weights-conversion": "low",
}  # fmt: skip
_RANGE_WORDS = {
    "fp16-nan-weights": "are not numbers", "fp16-infinite-weights": "are infinite",
    "fp16-overflow-weights": "are larger than FP16 can hold and were clipped",
    "bf16-overflow-weights": "are larger than BF16 can hold and were clipped",
    "fp16-underflow-weights": "are smaller than any FP16 number",
    "fp16-subnormal-weights": "become subnormal FP16 numbers", "weights-conversion": "lose accuracy in FP16",
}  # fmt: skip


def int8_without_fp16(engine: Engine) -> Finding | None:
    """INT8 was enabled and FP16 was not: what has no INT8 kernel runs in FP32."""
    int8, fp16 = engine.flags.allowed("int8"), engine.flags.allowed("fp16")
    if not int8.enabled or fp16.enabled is not False or engine.flags.allowed("bf16").enabled:
        return None
    slow = [t for t in engine.launched if t.node.row["precision"] in {"fp32", "tf32"} and not t.node.is_reformat]
    slow.sort(key=lambda timed: -timed.time_ms)
    in_fp32 = sum(timed.time_ms for timed in slow)
    evidence = [Evidence(f"INT8: {int8.how}", _first(int8.lines)), Evidence(f"FP16: {fp16.how}", _first(fp16.lines))]
    evidence += [
        Evidence(row["text"].split("\n", 1)[0], row["line"])
        for row in engine.messages
        if row["code"] == "int8-without-fp16"
    ]
    evidence += [
        Evidence(
            f"{t.node.name} computes in {str(t.node.row['precision']).upper()}: {duration(t.time_ms)} {t.source}",
            t.node.row["line"],
        )
        for t in slow[:_SHOWN]
    ]
    text = (
        f"{counted(len(slow), 'layer that computes runs', 'layers that compute run')} in FP32, {duration(in_fp32)} in all"
        if slow
        else "No layer that computes runs in FP32 here"
    ) + "; layers that are slower in INT8 than they would be in FP16 had no FP16 kernel to choose either."
    return Finding(
        "int8-without-fp16", without_fp16_severity(engine, in_fp32), "INT8 was enabled without FP16", text, tuple(evidence), "high",
        "build with both (--int8 --fp16, or --best), and compare: trtlens findings NEW --against OLD", at_stake_ms=in_fp32 or None,
        layers=tuple(t.node.name for t in slow),
    )  # fmt: skip


def without_fp16_severity(engine: Engine, stake_ms: float) -> str:
    """How much it matters that FP16 was not allowed, by the time at stake."""
    total = engine.total_ms
    return "high" if stake_ms and total is not None and stake_ms >= _WORTH_SHARE * total else "medium"


def missing_scales(engine: Engine) -> Finding | None:
    """Tensors have no INT8 scale, so that layers around them cannot run in INT8."""
    told = [row for row in engine.messages if row["code"] in _SCALES]
    if not told:
        return None
    tensors = {row["tensor"] for row in told if row["tensor"]}
    layers = {row["layer"] for row in told if row["layer"]}
    nodes = [
        node for node in engine.graph.nodes.values()
        if not node.is_reformat and node.row["precision"] != "int8"
        and (node.name in layers or any(t.name in tensors for t in (*node.inputs, *node.outputs)))
    ]  # fmt: skip
    times = {node.name: time_ms for node in nodes if (time_ms := engine.known(node)) is not None}
    ranked = sorted(nodes, key=lambda node: -times.get(node.name, 0.0))
    evidence = [Evidence(row["text"].split("\n", 1)[0], row["line"]) for row in told[:_SHOWN]]
    evidence += [
        Evidence(f"{n.name} computes in {n.row['precision'] or 'an unknown precision'}"
                 + (f": {duration(times[n.name])}" if n.name in times else ""), n.row["line"])
        for n in ranked[:_SHOWN]
    ]  # fmt: skip
    text = (
        f"{counted(len(told), 'message names', 'messages name')} {counted(len(tensors), 'tensor', 'tensors')} without a scale; "
        f"{counted(len(nodes), 'layer at them does', 'layers at them do')} not compute in INT8."
    )
    return Finding(
        "missing-scales", "high" if times else "medium", counted(len(tensors) or len(layers), "tensor has no INT8 scale", "tensors have no INT8 scale"), text,
        tuple(evidence), "high",
        "calibrate, set a dynamic range for each of these tensors, or quantize the model with Q/DQ nodes around them",
        at_stake_ms=sum(times.values()) or None, layers=tuple(node.name for node in ranked),
    )  # fmt: skip


def tf32_in_fp32(engine: Engine) -> Finding | None:
    """A build that allows FP32 alone computes in TF32, which keeps ten bits of each factor."""
    if any(engine.flags.allowed(p).enabled is not False for p in ("fp16", "bf16", "int8", "fp8")):
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
    evidence = [Evidence(f"{node.name} runs {node.row['tactic_name']}", node.row["line"]) for node in nodes[:_SHOWN]]
    text = f"{counted(len(nodes), 'layer computes', 'layers compute')} in TF32. Products lose 13 of FP32's 23 mantissa bits; sums stay FP32."
    if compared:
        text += (
            f" By the tuner's times the fastest FP32 kernels of {compared} of them would take {duration(saved)} more."
        )
    return Finding(
        "tf32-in-fp32", "low", counted(len(nodes), "layer of an FP32 build computes in TF32", "layers of an FP32 build compute in TF32"), text, tuple(evidence), "high",
        "where the result must be FP32, build with --noTF32 and compare the outputs", at_stake_ms=None,
        layers=tuple(node.name for node in nodes),
    )  # fmt: skip


def fp16_weights(engine: Engine) -> Finding | None:
    """Weights do not fit into FP16."""
    told = [row for row in engine.messages if row["code"] in _RANGE]
    if not told:
        return None
    counts = Counter(row["code"] for row in told)
    codes = sorted(counts, key=lambda code: list(_RANGE).index(code))
    severity = _RANGE[codes[0]]
    layers = tuple(dict.fromkeys(row["layer"] for row in told if row["layer"]))
    evidence = []
    for code in codes:
        first = next(row for row in told if row["code"] == code)
        evidence.append(Evidence(first["text"].split("\n", 1)[0], first["line"]))
    text = (
        "; ".join(f"{counted(counts[code], 'message', 'messages')}: weights {_RANGE_WORDS[code]}" for code in codes)
        + "."
    )
    return Finding(
        "fp16-weights", severity, "weights do not fit into the layer's number format", text, tuple(evidence), "high",
        "compare the outputs with an FP32 run; keep the named layers in FP32 if they differ (docs/messages.md has each message)",
        layers=layers,
    )  # fmt: skip


def _first(lines: tuple[int, ...]) -> int | None:
    return lines[0] if lines else None

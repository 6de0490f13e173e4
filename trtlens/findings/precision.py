"""Rules about precisions: what was not enabled, what lost its scales, what lost its range."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from trtlens.findings.finding import Evidence, Finding
from trtlens.quantities import duration
from trtlens.tables.arrays import of_build
from trtlens.tables.layer_kinds import NO_WORK
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from trtlens.findings.engine import Engine

_SHOWN = 3
_WORTH_SHARE = 0.05
_GIVEN = frozenset({"set", "override", "calibration"})
"""Origins of a tensor's range that are no default which TensorRT put in its place."""
_WHOLE_NUMBERS = frozenset({"int32", "int64", "bool", "uint8"})
_BELOW_FP32 = ("fp16", "bf16", "int8", "fp8")
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
    if engine.flags.strongly_typed:
        return None
    slow = [t for t in engine.launched if t.node.row["precision"] in {"fp32", "tf32"} and not t.node.is_reformat]
    slow.sort(key=lambda timed: -timed.time_ms)
    in_fp32 = sum(timed.time_ms for timed in slow) or None
    evidence = [Evidence(f"INT8: {int8.how}", _first(int8.lines)), Evidence(f"FP16: {fp16.how}", _first(fp16.lines))]
    evidence += [
        Evidence(row["text"].split("\n", 1)[0], row["line"])
        for row in engine.messages
        if row["code"] == "int8-without-fp16"
    ]
    evidence += [
        Evidence(
            f"{t.node.name} computes in {str(t.node.row['precision']).upper()}: {duration(t.time_ms)} by {engine.source}",
            t.node.row["line"],
        )
        for t in slow[:_SHOWN]
    ]
    text = (
        f"{counted(len(slow), 'layer that computes runs', 'layers that compute run')} in FP32; they take "
        f"{duration(in_fp32)} of {engine.clock.whole}"
        if in_fp32
        else "No layer with a known time computes in FP32 here"
    ) + "; layers that are slower in INT8 than they would be in FP16 had no FP16 kernel to choose either."
    return Finding(
        "int8-without-fp16", without_fp16_severity(engine, in_fp32), "INT8 was enabled without FP16", text, tuple(evidence), "high",
        "build with both (--int8 --fp16, or --best), and compare: trtlens findings NEW --against OLD",
        stake=engine.clock.stake(in_fp32), layers=tuple(t.node.name for t in slow),
    )  # fmt: skip


def without_fp16_severity(engine: Engine, spent_ms: float | None) -> str:
    """How much it matters that FP16 was not allowed, by the layers' time that it is about."""
    total = engine.total_ms
    return "high" if spent_ms is not None and total is not None and spent_ms >= _WORTH_SHARE * total else "medium"


def missing_scales(engine: Engine) -> Finding | None:
    """Tensors have no INT8 scale, so that layers around them cannot run in INT8."""
    needless = _needs_no_scale(engine)
    told = [row for row in engine.messages if row["code"] in _SCALES and row["tensor"] not in needless]
    if not told:
        return None
    tensors = {row["tensor"] for row in told if row["tensor"]}
    layers = {row["layer"] for row in told if row["layer"]}
    nodes = [
        node for node in engine.graph.nodes.values()
        if not node.is_reformat and node.type not in NO_WORK and node.row["precision"] not in {None, "int8"}
        and (node.name in layers or any(t.name in tensors for t in (*node.inputs, *node.outputs)))
    ]  # fmt: skip
    times = {node.index: time_ms for node in nodes if (time_ms := engine.known(node)) is not None}
    ranked = sorted(nodes, key=lambda node: -times.get(node.index, 0.0))
    evidence = [Evidence(row["text"].split("\n", 1)[0], row["line"]) for row in told[:_SHOWN]]
    evidence += [
        Evidence(f"{n.name} computes in {n.row['precision']}"
                 + (f": {duration(times[n.index])} by {engine.source}" if n.index in times else ""), n.row["line"])
        for n in ranked[:_SHOWN]
    ]  # fmt: skip
    named = [
        counted(len(tensors), "tensor", "tensors") if tensors else "",
        counted(len(layers), "layer", "layers") if layers else "",
    ]
    what = " and ".join(name for name in named if name) or "something that they do not name"
    text = f"{counted(sum(row['count'] for row in told), 'message says', 'messages say')} that an INT8 scale is missing, for {what}"
    text += (
        f"; {counted(len(nodes), 'layer there computes', 'layers there compute')} in another type." if nodes else "."
    )
    return Finding(
        "missing-scales", "high" if times else "medium" if nodes or not engine.graph.nodes else "low", f"no INT8 scale for {what}", text,
        tuple(evidence), "high",
        "calibrate, set a dynamic range for each of these tensors, or quantize the model with Q/DQ nodes around them",
        stake=engine.clock.stake(sum(times.values()) if times else None), layers=tuple(node.name for node in ranked),
    )  # fmt: skip


def _needs_no_scale(engine: Engine) -> set[str | None]:
    """Tensors that got a range after all, and those that hold no floating numbers."""
    ranges = of_build(engine.run["dynamic_ranges"], engine.number).to_pylist()
    given: set[str | None] = {row["tensor"] for row in ranges if row["tensor"] and row["origin"] in _GIVEN}
    tensors = of_build(engine.run["layer_tensors"], engine.number).select(["name", "dtype"]).to_pylist()
    types: dict[str, set[str | None]] = {}
    for row in tensors:
        types.setdefault(row["name"], set()).add(row["dtype"])
    return given | {name for name, dtypes in types.items() if dtypes <= _WHOLE_NUMBERS}


def tf32_in_fp32(engine: Engine) -> Finding | None:
    """A build that allows FP32 alone computes in TF32, which keeps ten bits of each factor."""
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
    evidence = [Evidence(f"{node.name} runs {node.row['tactic_name']}", node.row["line"]) for node in nodes[:_SHOWN]]
    text = f"{counted(len(nodes), 'layer computes', 'layers compute')} in TF32. Products lose 13 of FP32's 23 mantissa bits; sums stay FP32."
    if compared:
        text += (
            f" By the tuner's times the fastest FP32 kernels of {compared} of them would take {duration(saved)} more."
        )
    return Finding(
        "tf32-in-fp32", "low", counted(len(nodes), "layer of an FP32 build computes in TF32", "layers of an FP32 build compute in TF32"), text, tuple(evidence), "high",
        "where the result must be FP32, build with --noTF32 and compare the outputs",
        layers=tuple(node.name for node in nodes),
    )  # fmt: skip


def fp16_weights(engine: Engine) -> Finding | None:
    """Weights do not fit into FP16, and nothing in the run shows that none is used or that nothing came of it."""
    told = [row for row in engine.messages if row["code"] in _RANGE]
    if not told or _computes_without(engine, "fp16", "bf16") or _outputs_agree(engine):
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


def _computes_without(engine: Engine, *precisions: str) -> bool:
    """Whether the engine's layers are listed, each one's precision is known, and none of it is one of these."""
    works = [n for n in engine.graph.nodes.values() if not n.is_reformat and n.type not in NO_WORK]
    known = {node.row["precision"] for node in works}
    return bool(works) and None not in known and not known & {*precisions}


def _outputs_agree(engine: Engine) -> bool:
    """Whether the run's tensors were compared with a reference and none was wrong or suspect."""
    rows = of_build(engine.run["tensor_errors"], engine.number).select(["verdict"]).to_pylist()
    verdicts = {row["verdict"] for row in rows if row["verdict"] is not None}
    return verdicts == {"ok"}


def _first(lines: tuple[int, ...]) -> int | None:
    return lines[0] if lines else None

"""Weights do not fit into FP16 or BF16, and nothing in the run shows that none is used or that nothing came of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from trtlens.findings.finding import BuildRule, Finding, message_evidence
from trtlens.tables.arrays import of_build
from trtlens.tables.engine_layers import NO_WORK
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from trtlens.findings.engine import Engine

_RANGE = {
    "fp16-nan-weights": "high", "fp16-infinite-weights": "high", "fp16-overflow-weights": "high",
    "bf16-overflow-weights": "high", "fp16-underflow-weights": "low", "fp16-subnormal-weights": "low",
    "weights-conversion": "low",
}  # fmt: skip
_RANGE_WORDS = {
    "fp16-nan-weights": "are NaN", "fp16-infinite-weights": "are infinite",
    "fp16-overflow-weights": "are larger than FP16 can hold and were clipped",
    "bf16-overflow-weights": "are larger than BF16 can hold and were clipped",
    "fp16-underflow-weights": "are smaller than any FP16 number",
    "fp16-subnormal-weights": "become subnormal FP16 numbers", "weights-conversion": "lose accuracy in FP16",
}  # fmt: skip


def finding(engine: Engine) -> Finding | None:
    """What TensorRT said of the weights, the worst first."""
    told = [row for row in engine.messages if row["code"] in _RANGE]
    if not told or _computes_without(engine, "fp16", "bf16") or _outputs_agree(engine):
        return None
    counts = Counter(row["code"] for row in told)
    codes = sorted(counts, key=lambda code: list(_RANGE).index(code))
    severity = _RANGE[codes[0]]
    layers = tuple(dict.fromkeys(row["layer"] for row in told if row["layer"]))
    evidence = [message_evidence(next(row for row in told if row["code"] == code)) for code in codes]
    text = (
        "; ".join(f"{counted(counts[code], 'message', 'messages')}: weights {_RANGE_WORDS[code]}" for code in codes)
        + "."
    )
    return Finding(
        severity, "weights do not fit into the layer's number format", text, tuple(evidence), "high",
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


FINDING = BuildRule(
    finding,
    section="Accuracy",
    place=1,
    title="Weights do not fit into FP16",
    meaning=(
        "TensorRT warned that weights do not fit into FP16 (or BF16). Severity is `high` for weights that overflow, are infinite or NaN, and "
        "`low` for subnormal and tiny ones, which seldom matter. Not reported for an engine without layers in FP16 or BF16, nor if the "
        "run's tensors were compared with a reference and all agree. Each message is explained in messages.md."
    ),
    stake="Accuracy, not time.",
    next_check="Compare the outputs with an FP32 run.",
    needs="The builder's warnings, from a log at any level.",
)

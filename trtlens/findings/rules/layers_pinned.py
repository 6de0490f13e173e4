"""Layers compute in FP32 because the build was told so."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from trtlens.errors import TrtlensError
from trtlens.findings.estimates import spent_ms
from trtlens.findings.finding import SHOWN, BuildRule, Evidence, Finding
from trtlens.findings.stakes import HALVED
from trtlens.layer_patterns import read_pattern
from trtlens.runs.run import build_rows
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trtlens.engine.engine_graph import GraphLayer
    from trtlens.findings.engine import Engine

_FP32 = frozenset({"fp32", "tf32"})


def finding(engine: Engine) -> Finding | None:
    """The pinned layers with their time, in a build that allows FP16 or BF16."""
    patterns = _pinned(engine)
    if not patterns or not any(engine.flags.allowed(precision).enabled for precision in ("fp16", "bf16")):
        return None
    operators = {row["name"]: row["op"] for row in build_rows(engine.run, "nodes", engine.number).to_pylist()}
    nodes = [subject.node for subject in engine.subjects.values() if subject.node.row["precision"] in _FP32]
    nodes = [node for node in nodes if _fits(patterns, _names(node, operators))]
    if not nodes:
        return None
    nodes.sort(key=lambda node: -(engine.known(node) or 0.0))
    parts = engine.parts(nodes)
    spent = spent_ms(parts) if parts else None
    evidence = [Evidence(f"run.json: layer_precision {pattern}=fp32") for pattern in patterns[:SHOWN]]
    evidence += [
        Evidence(f"{node.name} computes in {str(node.row['precision']).upper()}", node.row["line"])
        for node in nodes[:SHOWN]
    ]
    text = f"{counted(len(nodes), 'layer computes', 'layers compute')} in FP32 or TF32 because the build was told so"
    text += (
        f"; {engine.share_text([part.time_ms for part in parts], len(nodes))}."
        if spent
        else "; their time is not known."
    )
    return Finding(
        engine.severity(spent), counted(len(nodes), "layer is held in FP32", "layers are held in FP32"), text, tuple(evidence), "high",
        "take back what accuracy does not need: trtlens show pins ranks layers by the error that they add for the time that they save",
        stake=engine.clock.stake(parts, HALVED), layers=tuple(node.name for node in nodes),
    )  # fmt: skip


def _pinned(engine: Engine) -> list[str]:
    """Patterns of layers that ``run.json`` says were to stay in FP32."""
    flags = engine.run.info.flags if engine.is_captured else None
    asked = (flags or {}).get("layer_precision")
    return [pattern for pattern, precision in asked.items() if precision == "fp32"] if isinstance(asked, dict) else []


def _names(node: GraphLayer, operators: Mapping[str, str]) -> list[str]:
    """What a pattern may name: the layer, its ONNX nodes, and their operators."""
    nodes = node.row["onnx_nodes"] or ()
    return [node.name, *nodes, *(operators[name] for name in nodes if operators.get(name))]


def _fits(patterns: Iterable[str], names: Iterable[str]) -> bool:
    own = list(names)
    for pattern in patterns:
        with suppress(TrtlensError):  # an expression in run.json that is refused names nothing
            if any(map(read_pattern(pattern).fits, own)):
                return True
    return False


FINDING = BuildRule(
    finding,
    section="Speed",
    place=11,
    title="Layers are held in FP32",
    meaning=(
        "`run.json` says that layers were to stay in FP32 (`--layer-precision`), the build allows FP16 or BF16, and layers of these names, nodes or operators "
        "compute in FP32 or TF32. Whether accuracy needs them there is another question: `trtlens show pins` answers it."
    ),
    stake="At most the layers' time; half of it is likely, because FP16 has half the bytes.",
    next_check="Take back the pins that accuracy does not need (`trtlens show pins`), and measure.",
    needs="A run of `trtlens profile` with `--layer-precision`, and the engine's layers.",
)

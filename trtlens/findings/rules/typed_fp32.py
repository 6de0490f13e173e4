"""The network is strongly typed and every type in it is FP32: nothing of it can run lower."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from trtlens.findings.estimates import spent_ms
from trtlens.findings.finding import SHOWN, BuildRule, Evidence, Finding
from trtlens.findings.stakes import HALVED, Stake
from trtlens.runs.run import build_rows
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.engine.engine_graph import GraphLayer
    from trtlens.findings.engine import Engine

_FP32 = frozenset({"fp32", "tf32"})
_NOT_LOWER = _FP32 | {"int32", "int64", "bool", "uint8"}
_NODE_TYPE = re.compile(r"\[(?P<type>[A-Z0-9_]{1,24})\]$")
_NODE_TYPES_NOT_LOWER = frozenset({"FLOAT", "DOUBLE", "INT32", "INT64", "UINT64", "BOOL", "UINT8", "STRING"})
_LOWER = ("fp16", "bf16", "int8", "fp8")
_ASKING = ("--fp16", "--bf16", "--int8", "--fp8", "--best")
_MULTIPLY = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum", "Attention", "LSTM", "GRU", "RNN"})
"""Operators that tensor cores could take over in FP16."""
_NO_TIME = Stake(None, "not known: no layer that computes in FP32 has a time")


def finding(engine: Engine) -> Finding | None:
    """What was asked for, and the nodes whose FP32 types rule it out."""
    if not engine.flags.strongly_typed:
        return None
    nodes: list[dict[str, Any]] = build_rows(engine.run, "nodes", engine.number).to_pylist()
    layers = _layers_in_fp32(engine, nodes)
    asked = _asked(engine)
    if not layers or (asked is None and engine.flags.tf32_disabled):
        return None
    parts = engine.parts(layers)
    spent = spent_ms(parts) if parts else None
    held = [node for node in nodes if node["op"] in _MULTIPLY and "FLOAT" in _types(node)]
    count = counted(len(layers), "layer computes", "layers compute")
    text = f"The network is strongly typed, and every floating type in it is FP32. {count} in FP32 or TF32"
    text += f"; {engine.share_text([part.time_ms for part in parts], len(layers))}." if spent else "; no time is known."
    text += _held_text(held)
    title = "typed FP32 throughout: nothing can run in a lower precision"
    evidence = [] if asked is None else [asked]
    return Finding(
        "high" if asked is not None else "low" if engine.severity(spent) == "low" else "medium", title if asked is None else f"{title}, although it was asked for", text,
        (*evidence, *_evidence(held, layers)), "high",
        "convert the model's types (trtlens profile MODEL --fp16 does it and builds; ModelOpt's AutoCast does it too) and compare: trtlens compare OLD NEW",
        stake=engine.clock.stake(parts, HALVED) if parts else _NO_TIME, layers=tuple(layer.name for layer in layers),
    )  # fmt: skip


def _layers_in_fp32(engine: Engine, nodes: Sequence[dict[str, Any]]) -> list[GraphLayer]:
    """The layers that compute in FP32, the most costly first; none where anything is typed lower, or may be.

    A fused region shows the types at its ends alone; what is inside is known by the model's nodes.
    """
    every = engine.graph.nodes.values()
    works = [layer for layer in every if layer.works]
    types = {tensor.dtype for layer in every for tensor in (*layer.inputs, *layer.outputs)}
    known = {layer.precision for layer in works} - {None}
    if (types - {None} | known) - _NOT_LOWER or any(_types(node) - _NODE_TYPES_NOT_LOWER for node in nodes):
        return []
    hides = any(layer.precision is None or layer.name.startswith("{ForeignNode[") for layer in works)
    if hides and not (nodes and all(map(_types, nodes))):
        return []
    return sorted((x for x in works if x.precision in _FP32), key=lambda x: (-(engine.known(x) or 0.0), x.index))


def _types(node: dict[str, Any]) -> set[str]:
    """Types of a node's inputs and outputs, as the parser prints them."""
    shapes = (*(node["input_shapes"] or ()), *(node["output_shapes"] or ()))
    return {found["type"] for found in map(_NODE_TYPE.search, shapes) if found is not None}


def _asked(engine: Engine) -> Evidence | None:
    """Who asked for a lower precision; None where nobody is seen to."""
    words = (engine.row["command"] or "").split()
    flags = [flag for flag in _ASKING if flag in words]
    if flags:
        return Evidence(f"the command asks for it: {' '.join(flags)}", engine.row["first_line"])
    allowed = next((one for one in map(engine.flags.allowed, _LOWER) if one.enabled), None)
    return None if allowed is None else Evidence(allowed.how, allowed.lines[0] if allowed.lines else None)


def _held_text(held: Sequence[dict[str, Any]]) -> str:
    if not held:
        return ""
    kinds = Counter(node["op"] for node in held).most_common()
    return f" What holds it back: {', '.join(f'{count} {op}' for op, count in kinds)} of the model with FP32 operands."


def _evidence(held: Sequence[dict[str, Any]], layers: Sequence[GraphLayer]) -> list[Evidence]:
    """The first nodes that hold it back; the layers where the log does not print nodes."""
    if not held:
        return [Evidence(f"{one.name} computes in {str(one.precision).upper()}", one.row["line"]) for one in layers[:SHOWN]]  # fmt: skip
    return [Evidence(f"{node['name']} ({node['op']}) reads {', '.join(node['input_shapes'] or ())}", node["line"]) for node in held[:SHOWN]]  # fmt: skip


FINDING = BuildRule(
    finding,
    section="Speed",
    place=15,
    title="Typed FP32 throughout",
    meaning=(
        "The network is strongly typed (from TensorRT 11 on and in TensorRT-RTX it always is, in 9.1 to 10 with `--stronglyTyped`), and every "
        "floating tensor of the model and of the engine is FP32: precision flags have no say, and nothing can run in FP16, BF16, FP8 or INT8. "
        "Severity is `high` where a lower precision was asked for; else FP32 may be meant, and it is `medium`, or `low` where no time is known. Not reported where TF32 was ruled out and "
        "nothing lower asked for: then FP32 is meant; nor where a region's inner types are not known."
    ),
    stake="At most the time of the layers that compute in FP32; half of it is likely, because FP16 has half the bytes.",
    next_check="Convert the model's types: `trtlens profile MODEL --fp16`, or ModelOpt's AutoCast.",
    needs="The engine's layers, and a log that states the TensorRT version or that the network is strongly typed; the model's nodes from a verbose log.",
)

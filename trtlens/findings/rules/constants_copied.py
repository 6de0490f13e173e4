"""Weights or biases are copied or converted at every inference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trtlens.engine.reformat_causes import ADVICE
from trtlens.findings.estimates import Part, spent_ms
from trtlens.findings.finding import SHOWN, BuildRule, Evidence, Finding, reformat_evidence
from trtlens.findings.stakes import REMOVED
from trtlens.quantities import byte_size, duration
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.engine.reformat_causes import Reformat
    from trtlens.findings.engine import Engine
    from trtlens.findings.pairs import Pair
    from trtlens.findings.stakes import Stake

_SMALL_BYTES = 64 * 1024
_NOT_FOLDABLE = (
    "no ONNX node lies between these constants and the layers that read them, so folding cannot help: store each constant in the "
    "type that its reader computes in"
)


def finding(engine: Engine) -> Finding | None:
    """How many copies, what they take, and how to avoid them."""
    found = [r for r in engine.reformats if r.cause == "constant" and r.cost_ms != 0]
    if not found:
        return None
    found.sort(key=lambda r: -(r.cost_ms or 0.0))
    costs = engine.costs(found)
    cost = sum(costs) if costs else None
    text = counted(
        len(found), "copy of a constant runs at every inference", "copies of constants run at every inference"
    )
    text += f"; {engine.share_text(costs, len(found))}" if cost is not None else "; their time is not known"
    beside = _beside_copies(engine, found)
    return Finding(
        engine.severity(cost), counted(len(found), "constant is copied at every inference", "constants are copied at every inference"),
        f"{text}.{_moved(found)}", (*(reformat_evidence(r) for r in found[:SHOWN]), *beside.evidence), "high", _how_to_fold(found),
        stake=_stake(engine, found, beside), layers=tuple(r.node.name for r in found),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Consequences:
    """What else is there because constants come at run time: kernels that pad biases, and evidence for more."""

    padding: tuple[Part, ...] = ()
    evidence: tuple[Evidence, ...] = ()


def _beside_copies(engine: Engine, found: Sequence[Reformat]) -> _Consequences:
    """Consequences in an engine with layers in INT8; of others none are known."""
    copied = {r.node.index for r in found}
    readers = {node.index: node for r in found for node in r.consumers if node.index not in copied}
    computing = {index: node.row["precision"] for index, node in readers.items()}
    if "int8" not in {node.row["precision"] for node in engine.graph.nodes.values()}:
        return _Consequences()
    quantized = sum(precision == "int8" for precision in computing.values())
    slow = [node for index, node in readers.items() if computing[index] in {"fp32", "tf32"}]
    padding = engine.kernel_parts(one for one in engine.ran if one.layer_index in readers and one.pads_bias)
    evidence = []
    if padding:
        evidence.append(
            f"{counted(len(padding), 'kernel pads a bias', 'kernels pad biases')} that the engine does not hold: {duration(spent_ms(padding))}"
        )
    elif quantized and not engine.ran:
        evidence.append(
            f"{counted(quantized, 'layer in INT8 reads', 'layers in INT8 read')} them: such a layer may pad its bias at every inference, with a kernel of its own"
        )
    if slow:
        times = [part.time_ms for part in engine.parts(slow)]
        took = f" and take {duration(sum(times))} by {engine.source}" if times else ""
        evidence.append(
            f"{counted(len(slow), 'layer that reads them computes', 'layers that read them compute')} in FP32{took}, where others compute in INT8"
        )
    return _Consequences(tuple(padding), tuple(map(Evidence, evidence)))


def _stake(engine: Engine, found: Sequence[Reformat], beside: _Consequences) -> Stake:
    """The copies and the padding; at least that where layers are among their readers that would run other kernels."""
    parts = engine.reformat_parts(found)
    return engine.clock.stake(
        [*parts, *beside.padding] if parts else [],
        REMOVED,
        untimed=len(found) - len(parts),
        at_least=bool(beside.evidence),
    )


def _moved(found: Sequence[Reformat]) -> str:
    """How many bytes are copied; if few, they are not what costs the time."""
    sizes = [tensor.bytes for r in found for tensor in r.node.outputs if tensor.bytes is not None]
    if not sizes:
        return ""
    few = sum(sizes) <= _SMALL_BYTES * len(sizes)
    return f" They move {byte_size(sum(sizes))} in total" + (
        ": the cost is launching the copies, not moving the bytes." if few else "."
    )


def _how_to_fold(found: Sequence[Reformat]) -> str:
    """Folding removes ONNX nodes; if the nodes are known and none of these copies is one, it cannot help."""
    return _NOT_FOLDABLE if all(r.through_model is False for r in found) else ADVICE["constant"]


def _beside(found: Finding, pair: Pair) -> Finding:
    """How many constants the other run copies."""
    other = pair.other
    there = [reformat for reformat in other.reformats if reformat.cause == "constant" and reformat.cost_ms]
    costs = other.costs(there)
    such = counted(len(there), "such copy runs", "such copies run")
    took = f"; they take {duration(sum(costs))} by {other.source}" if costs else ""
    text = f"in {pair.other_name} {such}{took}" if there else f"{pair.other_name} has none"
    return replace(found, evidence=(*found.evidence, Evidence(text)))


FINDING = BuildRule(
    finding,
    add_second_run=_beside,
    section="Speed",
    place=5,
    title="Constants are copied at every inference",
    meaning=(
        "Reformats or copies of constants (weights, biases, scales) run at every inference, although their result never changes. Exporters "
        "share equal initializers through Identity nodes, which become such copies."
    ),
    stake=(
        "The copies' time and the gaps before them. In an engine with layers in INT8 also the kernels that pad biases which are no constants, where they "
        "were traced, and at least that: layers that read a copied constant may have faster kernels for one that is not copied."
    ),
    second_run="How many constants the other run copies.",
    next_check=(
        "Fold constants before building. If the model's nodes are known and none of the copies is one, folding cannot help: store each "
        "constant in the type that its reader computes in."
    ),
    needs="The engine's layers; of the copies' time the profile, or the tuner's times.",
)

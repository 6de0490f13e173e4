"""Tensors have no INT8 scale, so that layers around them cannot run in INT8."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.findings.finding import SHOWN, BuildRule, Evidence, Finding, message_evidence
from trtlens.quantities import duration
from trtlens.tables.arrays import of_build
from trtlens.tables.engine_layers import NO_WORK
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from trtlens.findings.engine import Engine

_GIVEN = frozenset({"set", "override", "calibration"})
"""Origins of a tensor's range that are no default which TensorRT put in its place."""
_WHOLE_NUMBERS = frozenset({"int32", "int64", "bool", "uint8"})
_SCALES = ("int8-missing-scale", "int8-implementation-rejected")


def finding(engine: Engine) -> Finding | None:
    """Which tensors, and which layers at them compute in another type."""
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
    evidence = [message_evidence(row) for row in told[:SHOWN]]
    evidence += [
        Evidence(f"{n.name} computes in {n.row['precision']}"
                 + (f": {duration(times[n.index])} by {engine.source}" if n.index in times else ""), n.row["line"])
        for n in ranked[:SHOWN]
    ]  # fmt: skip
    named = [
        counted(len(tensors), "tensor", "tensors") if tensors else "",
        counted(len(layers), "layer", "layers") if layers else "",
    ]
    what = " and ".join(name for name in named if name) or "tensors that they do not name"
    text = f"{counted(sum(row['count'] for row in told), 'message says', 'messages say')} that an INT8 scale is missing, for {what}"
    text += (
        f"; {counted(len(nodes), 'layer at them computes', 'layers at them compute')} in another type."
        if nodes
        else "."
    )
    return Finding(
        "high" if times else "medium" if nodes or not engine.graph.nodes else "low", f"no INT8 scale for {what}", text,
        tuple(evidence), "high",
        "calibrate, set a dynamic range for each of these tensors, or quantize the model with Q/DQ nodes around them",
        stake=engine.clock.stake(engine.parts(nodes)), layers=tuple(node.name for node in ranked),
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


FINDING = BuildRule(
    finding,
    section="Accuracy",
    place=2,
    title="Tensors without an INT8 scale",
    meaning=(
        "Tensors have no INT8 scale, so layers that read or write them cannot run in INT8. Tensors that were given a range after all, and "
        "integer tensors, are left out."
    ),
    stake="At most the time of the layers that read or write them and compute in another type; layers of unknown precision are not counted.",
    next_check="Calibrate, or give these tensors a dynamic range.",
    needs="The builder's messages; which layers are at the tensors, from the engine's layers.",
)

"""What a plan comes to, in sentences, and its units as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.layer_patterns import listed
from trtlens.output import layout
from trtlens.quantities import duration, number, percent
from trtlens.tables.schema import declare
from trtlens_parsers.saved_plan import ALL_FULL, ALL_LOW, MEASURED

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from trtlens_parsers.saved_plan import Plan, PlannedUnit

COLUMNS = declare(
    "plan", "one unit of a plan: those that stay in FP32 first, then by what they add", "name",
    """
    name | text | | its first ONNX node, and how many others
    type | text | | what it computes in
    operators | text | | operators of its nodes
    deviation | float | | error (or what the cosine lacks of 1) that it adds where it alone goes down; null where that was not measured
    saves_percent | float | % | what it saves in the reduced type, without casts, as a share of the whole in FP32
    saves_ms | float | ms | the same as a time; null where times are weights
    time_ms | float | ms | its time in the type that it has; null where times are weights
    why | text | | why it cannot go down
    """,
)  # fmt: skip
LAYOUT = layout("name type deviation saves_percent why saves_ms time_ms operators", stretches="name", prose="why")
_MOST_OPERATORS = 4
_MOST_NAMED = 3
_NO_GAP_PERCENT = 0.05
_PLAIN = 1e-5
"""A cosine that is nearer to 1 is told by what it lacks."""


def rows(plan: Plan) -> pa.Table:
    """The units of a plan."""
    order = sorted(plan.units, key=lambda unit: (unit.type != "fp32", unit.keeps is None, -_added(plan, unit)))
    return COLUMNS.of_rows([
        {
            "name": unit.name, "type": unit.type,
            "operators": ", ".join(unit.ops[:_MOST_OPERATORS]) + (", ..." if len(unit.ops) > _MOST_OPERATORS else ""),
            "deviation": None if unit.deviation is None else _added(plan, unit), "saves_percent": 100 * (unit.fp32_ms - unit.low_ms) / plan.fp32_ms if plan.fp32_ms else None,
            "saves_ms": None if plan.time_is_weight else unit.fp32_ms - unit.low_ms,
            "time_ms": None if plan.time_is_weight else unit.fp32_ms if unit.type == "fp32" else unit.low_ms, "why": unit.keeps,
        }
        for unit in order
    ])  # fmt: skip


def _added(plan: Plan, unit: PlannedUnit) -> float:
    """What a unit adds alone: error, or how much of 1 the cosine lacks."""
    if unit.deviation is None:
        return -1.0
    return unit.deviation if plan.quantity == "error" else 1 - unit.deviation


def sentences(plan: Plan) -> Iterator[str]:
    """The answer first, then time, how sure both are, what carries the error, and what cannot go down."""
    yield _verdict(plan)
    yield _time(plan)
    yield from _sureness(plan)
    yield from _carriers(plan)
    yield from _kept(plan)


def _low(plan: Plan) -> str:
    return plan.low_type.upper()


def _measured(plan: Plan) -> str:
    """What was measured against what, in words."""
    if plan.check is not None:
        return f"the check {plan.check!r} passes"
    told = "not measured" if plan.measured is None else f"{plan.quantity} {_figure(plan, plan.measured)}"
    return f"{told}, within {plan.bound}, on {plan.inputs.get('origin', 'unknown inputs')}"


def _figure(plan: Plan, value: float) -> str:
    if plan.quantity == "error":
        return number(value)
    return f"{value:.7g}" if 1 - value > _PLAIN else f"1 - {number(1 - value)}"


def _verdict(plan: Plan) -> str:
    kept = [unit for unit in plan.units if unit.type == "fp32"]
    if plan.verdict == ALL_LOW:
        return f"Everything can go down to {_low(plan)}: {_measured(plan)}; nothing needs to be pinned"
    if plan.verdict == ALL_FULL:
        return _nothing(plan)
    nodes = sum(len(unit.nodes) for unit in kept)
    return f"Keep {len(kept)} of {len(plan.units)} units ({nodes} node{'s' if nodes > 1 else ''}) in FP32, the others in {_low(plan)}: {_measured(plan)}"


def _nothing(plan: Plan) -> str:
    asked = plan.bound if plan.check is None else "the check"
    failed = [one for one in plan.checks if not one.holds]
    if not failed:
        return f"All of it stays in FP32: by the predicted times {_low(plan)} saves less than its casts cost"
    measured = {one.measured: one.low_units for one in failed if one.measured is not None}
    near = ""
    if measured:
        best = min(measured) if plan.quantity == "error" else max(measured)
        near = f"; the closest that was tried, {measured[best]} units in {_low(plan)}, has {plan.quantity} {_figure(plan, best)}"
    return f"No plan with {_low(plan)} that saves time meets {asked}: all of it stays in FP32{near}"


def _time(plan: Plan) -> str:
    """The time and what it is compared with: shares alone where it is but a weight."""
    gain = plan.fp32_ms - plan.low_ms
    share = (
        f", {percent(100 * (plan.fp32_ms - plan.time_ms) / gain)} of what all that may go down saves"
        if gain > 0 and plan.verdict != ALL_FULL
        else ""
    )
    casts = f"{len(plan.casts)} casts included"
    if plan.time_is_weight:
        return (
            f"Weighed, not timed: {percent(100 * plan.time_ms / plan.fp32_ms) if plan.fp32_ms else 'unknown'} of the time in FP32{share}, "
            f"{casts} ({plan.time_source}; --log takes the verbose log of a build and its tuner's times)"
        )
    if plan.time_is == MEASURED:
        return f"Measured {duration(plan.time_ms)}; in FP32 {duration(plan.fp32_ms)} predicted, {casts} ({plan.time_source})"
    return f"Time predicted, not measured: {duration(plan.time_ms)}, in FP32 {duration(plan.fp32_ms)}{share}, {casts} ({plan.time_source})"


def _sureness(plan: Plan) -> Iterator[str]:
    checks = f"{len(plan.checks)} check{'s' if len(plan.checks) != 1 else ''}"
    predicted = "" if plan.predicted is None or plan.measured is None else (
        f"{plan.quantity} {_figure(plan, plan.predicted)} was predicted, {_figure(plan, plan.measured)} measured "
        f"({plan.measured_by}); "
    )  # fmt: skip
    yield f"{predicted}{checks}{_gap(plan)}"
    if plan.proof is not None:
        yield str(plan.proof.get("sentence", ""))


def _gap(plan: Plan) -> str:
    """What is known of all other plans."""
    if plan.gap_percent is None:
        return ""
    if plan.gap_percent < _NO_GAP_PERCENT:
        return "; no plan that the model knows is faster"
    return f"; no plan that the model knows is more than {percent(plan.gap_percent)} faster"


def _carriers(plan: Plan) -> Iterator[str]:
    known = sorted((unit for unit in plan.units if unit.deviation is not None), key=lambda unit: -_added(plan, unit))
    top = [f"{unit.name} ({number(_added(plan, unit))})" for unit in known[:_MOST_NAMED] if _added(plan, unit) > 0]
    if top:
        what = "error" if plan.quantity == "error" else "cosine lost"
        yield f"Most {what} comes from {', '.join(top)}, each down alone"


def _kept(plan: Plan) -> Iterator[str]:
    held = [unit for unit in plan.units if unit.keeps is not None]
    if held:
        yield f"{len(held)} unit{'s' if len(held) > 1 else ''} cannot go down: {listed([unit.name for unit in held], _MOST_NAMED)}"
    for unit in held:
        if unit.remedy is not None:
            yield f"{unit.nodes[0]} could: {unit.remedy}"

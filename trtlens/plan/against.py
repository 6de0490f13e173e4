"""Two plans of one model against one another: predicted and measured figures, and the units whose types differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.errors import TrtlensError
from trtlens.output import layout
from trtlens.quantities import duration, number, percent
from trtlens.tables.schema import declare
from trtlens.tuning.wording import counted
from trtlens_parsers.saved_plan import MEASURED

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from trtlens_parsers.saved_plan import Plan, PlannedUnit

COLUMNS = declare(
    "compare plans", "one unit of the baseline's plan of which the other plan has nodes in another type", "name",
    """
    name | text | | its first ONNX node, and how many others
    nodes | texts | | its nodes whose types differ
    baseline_type | text | | its type in the baseline
    type | text | | their types in the other plan
    error | float | | error (or what the cosine lacks of 1) that the unit adds where it alone goes down; null where that was not measured
    costs_percent | float | % | what FP32 costs it by the baseline's plan, without casts, as a share of the whole in FP32
    """,
)  # fmt: skip
LAYOUT = layout("name baseline_type type error costs_percent nodes", stretches="name")


def differing_units(base: Plan, other: Plan) -> pa.Table:
    """The units that differ, in the order of the model.

    Raises:
        TrtlensError: the plans are of two models.

    """
    if base.model.get("sha256") != other.model.get("sha256"):
        models = " and ".join(str(plan.model.get("path", "an unknown model")) for plan in (base, other))
        raise TrtlensError(f"these are plans of two models, {models}: compare plans of one")
    types = other.node_types()
    rows = [_row(base, unit, nodes, types) for unit in base.units if (nodes := [one for one in unit.nodes if types.get(one, unit.type) != unit.type])]  # fmt: skip
    return COLUMNS.of_rows(rows)


def _row(base: Plan, unit: PlannedUnit, nodes: list[str], types: dict[str, str]) -> dict[str, Any]:
    return {
        "name": unit.name, "nodes": nodes, "baseline_type": unit.type, "type": ", ".join(sorted({types[node] for node in nodes})),
        "error": base.error_of(unit.deviation), "costs_percent": 100 * (unit.fp32_ms - unit.low_ms) / base.fp32_ms if base.fp32_ms else None,
    }  # fmt: skip


def sentences(base: Plan, other: Plan, names: tuple[str, str], differing: int) -> Iterator[str]:
    """What each plan is, the baseline first, and how many of its units differ."""
    for plan, name in zip((base, other), names, strict=True):
        yield f"{name}: {plan.low_units} of {len(plan.units)} units in {plan.low_type.upper()}, {_time(plan)}, {_error(plan)}"
    if base.time_is_weight != other.time_is_weight or base.time_source != other.time_source:
        yield f"Their times are not of one kind ({base.time_source}; {other.time_source}): compare engines that were built with them"
    yield f"{counted(differing, 'unit', 'units')} of {names[0]} have other types in {names[1]}"


def _time(plan: Plan) -> str:
    if plan.time_is_weight:
        return f"{percent(100 * plan.time_ms / plan.fp32_ms) if plan.fp32_ms else 'unknown'} of the time in FP32 by operations and bytes"
    return f"{duration(plan.time_ms)} {'measured' if plan.time_is == MEASURED else 'predicted'}"


def _error(plan: Plan) -> str:
    figures = [(plan.predicted, "predicted"), (plan.measured, "emulated")]
    told = [f"{number(value)} {word}" for value, word in figures if value is not None]
    asked = plan.bound or f"the check {plan.check!r}"
    return f"{plan.quantity} {' and '.join(told) or 'unknown'}, asked: {asked}"

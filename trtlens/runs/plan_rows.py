"""A plan of precisions as tables: its units, and the choices of types that its search and its proof know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.tables.declarations import TABLES
from trtlens_parsers.saved_plan import ALL_FULL, ALL_LOW, MEASURED

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from trtlens_parsers.saved_plan import Plan, PlannedCheck, ProvedBuild

CHECK, FRONT, BUILD, RUN = "check", "front", "build", "run"
"""Kinds of choices beside all FP32 and all that may go down; the last is the run that was built with the plan."""
_EMPTY = dict.fromkeys(column.name for column in TABLES["plan_choices"].columns)


def plan_tables(plan: Plan, build: int) -> dict[str, pa.Table]:
    """``plan_choices`` and ``plan_units`` of one build."""
    choices = [
        {**_EMPTY, **_facts(plan), "build": build, "index": index, **choice} for index, choice in enumerate(_choices(plan))
    ]  # fmt: skip
    return {"plan_choices": TABLES["plan_choices"].of_rows(choices), "plan_units": TABLES["plan_units"].of_rows(list(_units(plan, build)))}  # fmt: skip


def _facts(plan: Plan) -> dict[str, Any]:
    """What is the same in each row."""
    return {
        "units": len(plan.units), "low_type": plan.low_type, "quantity": plan.quantity, "bound": plan.bound,
        "bound_error": plan.error_of(plan.limit), "chosen": False,
    }  # fmt: skip


def _choices(plan: Plan) -> Iterator[dict[str, Any]]:
    yield {"kind": ALL_FULL, "low_units": 0, **_time(plan, plan.fp32_ms), "predicted_error": 0.0, "chosen": plan.verdict == ALL_FULL}  # fmt: skip
    free = sum(unit.keeps is None for unit in plan.units)
    if not any(check.low_units == free for check in plan.checks):
        yield {"kind": ALL_LOW, "low_units": free, **_time(plan, plan.low_ms)}
    for check in plan.checks:
        yield {
            "kind": CHECK, "low_units": check.low_units, **_time(plan, check.time_ms), "predicted_error": plan.error_of(check.predicted),
            "measured_error": plan.error_of(check.measured), "holds": check.holds, "chosen": _is_chosen(plan, check),
        }  # fmt: skip
    for point in plan.front:
        yield {
            "kind": FRONT, "low_units": point.low_units, **_time(plan, point.time_ms), "predicted_error": plan.error_of(point.predicted),
            "within_error": plan.error_of(point.limit), "least_percent": _percent(plan, point.least_ms),
        }  # fmt: skip
    for built in plan.proved_builds:
        yield {
            "kind": BUILD, **_time(plan, built.predicted_ms), "time_ms": built.time_ms, "time_low_ms": built.low_ms, "time_high_ms": built.high_ms,
            "predicted_error": plan.error_of(built.emulated), "measured_error": plan.error_of(built.measured), "holds": built.holds,
            "chosen": _is_chosen_build(plan, built),
        }  # fmt: skip


def _time(plan: Plan, time_ms: float | None) -> dict[str, float | None]:
    """A predicted time, as a share alone where it is but a weight."""
    if time_ms is None:
        return {}
    return {"predicted_percent": _percent(plan, time_ms), "predicted_ms": None if plan.time_is_weight else time_ms}


def _percent(plan: Plan, time_ms: float) -> float | None:
    return 100 * time_ms / plan.fp32_ms if plan.fp32_ms else None


def _is_chosen(plan: Plan, check: PlannedCheck) -> bool:
    """Whether a check is of the plan itself: it holds, with as many units down and the same error."""
    return check.holds and check.low_units == plan.low_units and check.measured == plan.measured


def _is_chosen_build(plan: Plan, built: ProvedBuild) -> bool:
    return plan.time_is == MEASURED and built.holds and built.time_ms == plan.time_ms


def _units(plan: Plan, build: int) -> Iterator[dict[str, Any]]:
    for index, unit in enumerate(plan.units):
        costs = unit.fp32_ms - unit.low_ms
        yield {
            "build": build, "index": index, "name": unit.name, "nodes": unit.nodes, "operators": unit.ops, "type": unit.type,
            "error": plan.error_of(unit.deviation), "fp32_percent": _percent(plan, unit.fp32_ms),
            "fp32_ms": None if plan.time_is_weight else unit.fp32_ms, "costs_percent": _percent(plan, costs),
            "costs_ms": None if plan.time_is_weight else costs, "why": unit.keeps, "remedy": unit.remedy,
        }  # fmt: skip

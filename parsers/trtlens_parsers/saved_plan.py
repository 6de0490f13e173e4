"""`plan.json` of `trtlens plan`: which units compute in which type, what was predicted and measured, and what else was weighed.

docs/plan.md describes the fields. Unknown is null; a field that a later trtlens adds is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trtlens_parsers.errors import FormatError
from trtlens_parsers.json_text import (
    boolean_of,
    integer_of,
    kind_by_start,
    number_of,
    object_of,
    optional_text,
    parse_json,
    required_text,
    rows_of,
    texts_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

PLAN_FORMAT = 1
ALL_LOW, MIXED, ALL_FULL = "all reduced", "mixed", "all fp32"
PREDICTED, MEASURED = "predicted", "measured"
ERROR, COSINE = "error", "cosine"
LOW_TYPES = ("fp16", "bf16")
"""The types that a unit may go down to."""
_FULL_TYPE = "fp32"
_KINDS = (("plan", re.compile(r'\{\s{0,99}"trtlens_plan"\s{0,9}:')),)


@dataclass(frozen=True, slots=True)
class PlannedUnit:
    """One unit: its nodes, type, times in both types, the deviation that it adds alone, and why it stays in FP32."""

    name: str
    nodes: tuple[str, ...]
    ops: tuple[str, ...]
    type: str
    fp32_ms: float
    low_ms: float
    deviation: float | None
    keeps: str | None
    remedy: str | None


@dataclass(frozen=True, slots=True)
class PlannedCast:
    """One tensor that is cast, and to which type."""

    tensor: str
    to: str
    time_ms: float


@dataclass(frozen=True, slots=True)
class PlannedCheck:
    """One plan that was judged: units that are down, its predicted time and deviation, the measured one, whether it holds."""

    low_units: int
    time_ms: float
    predicted: float | None
    measured: float | None
    holds: bool


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """The fastest plan that the model knows within a deviation: its own, its time, and the time that none within it undercuts."""

    limit: float
    low_units: int
    time_ms: float
    least_ms: float
    predicted: float


@dataclass(frozen=True, slots=True)
class ProvedBuild:
    """One engine of the proof: predicted time (None where the plan knew weights alone), median and ends of its interval as timed, deviation emulated and of the engine."""

    predicted_ms: float | None
    time_ms: float
    low_ms: float | None
    high_ms: float | None
    emulated: float | None
    measured: float | None
    holds: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as it is kept; deviations are in the quantity of the bound, times in milliseconds."""

    model: Mapping[str, Any]
    low_type: str
    quantity: str
    bound: str | None
    check: str | None
    verdict: str
    holds: bool
    units: tuple[PlannedUnit, ...]
    casts: tuple[PlannedCast, ...]
    time_ms: float
    fp32_ms: float
    low_ms: float
    time_source: str
    time_is: str
    time_is_weight: bool
    predicted: float | None
    measured: float | None
    measured_by: str
    gap_percent: float | None
    checks: tuple[PlannedCheck, ...]
    inputs: Mapping[str, Any]
    front: tuple[FrontPoint, ...] = ()
    notes: tuple[str, ...] = ()
    proof: Mapping[str, Any] | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    def node_types(self) -> dict[str, str]:
        """The type of each node that the plan speaks of."""
        return {node: unit.type for unit in self.units for node in unit.nodes}

    def kept_nodes(self) -> list[str]:
        """The nodes that stay in FP32."""
        return [node for node, kind in self.node_types().items() if kind == _FULL_TYPE]

    @property
    def low_units(self) -> int:
        """How many units go down."""
        return sum(unit.type != _FULL_TYPE for unit in self.units)

    @property
    def limit(self) -> float | None:
        """The figure of the bound; None where a command judges."""
        return None if self.bound is None else float(self.bound.rpartition("=")[2])

    def error_of(self, deviation: float | None) -> float | None:
        """A deviation as an error: itself, or what a cosine lacks of 1."""
        return deviation if deviation is None or self.quantity == ERROR else 1 - deviation

    @property
    def proved_builds(self) -> list[ProvedBuild]:
        """The engines of the proof that were timed and run; those that were only built are not among them."""
        rows = rows_of(dict(self.proof), "builds") if self.proof else []
        return [_build(row) for row in rows if "time_ms" in row]


def recognise_plan(text_head: str) -> str | None:
    """`plan` by the beginning of a document, None for anything else."""
    return kind_by_start(text_head, _KINDS)


def read_plan_text(text: str) -> Plan:
    """Read a `plan.json`.

    Raises:
        FormatError: it is another document, of a newer format, or damaged.

    """
    document = parse_json(text, "plan")
    number = integer_of(document, "trtlens_plan") if isinstance(document, dict) else None
    if number is None:
        raise FormatError("the document has no trtlens_plan")
    if number > PLAN_FORMAT:
        raise FormatError(f"it is of plan format {number}, which a later trtlens reads: update trtlens")
    plan = _plan(document)
    if plan.low_type not in LOW_TYPES or any(unit.type not in (_FULL_TYPE, plan.low_type) for unit in plan.units):
        raise FormatError("the plan has a type that no plan has")
    if plan.quantity not in (ERROR, COSINE):
        raise FormatError(f"quantity is neither {ERROR} nor {COSINE}: {plan.quantity!r:.60}")
    _ = plan.proved_builds
    try:
        _ = plan.limit
    except ValueError:
        raise FormatError(f"bound is not understood: {plan.bound!r:.60}") from None
    return plan


def _plan(document: dict[str, Any]) -> Plan:
    return Plan(
        model=object_of(document, "model"), low_type=required_text(document, "low_type"), quantity=required_text(document, "quantity"),
        bound=optional_text(document, "bound"), check=optional_text(document, "check"), verdict=required_text(document, "verdict"),
        holds=_truth(document, "holds"), units=tuple(map(_unit, rows_of(document, "units"))), casts=tuple(map(_cast, rows_of(document, "casts"))),
        time_ms=_number(document, "time_ms"), fp32_ms=_number(document, "fp32_ms"), low_ms=_number(document, "low_ms"),
        time_source=required_text(document, "time_source"), time_is=required_text(document, "time_is"),
        time_is_weight=_truth(document, "time_is_weight"), predicted=number_of(document, "predicted"),
        measured=number_of(document, "measured"), measured_by=required_text(document, "measured_by"),
        gap_percent=number_of(document, "gap_percent"), checks=tuple(map(_check, rows_of(document, "checks"))),
        inputs=object_of(document, "inputs"), front=tuple(map(_front, rows_of({"front": [], **document}, "front"))),
        notes=texts_of(document, "notes") or (), proof=None if document.get("proof") is None else object_of(document, "proof"),
        versions=object_of(document, "versions"),
    )  # fmt: skip


def _unit(row: dict[str, Any]) -> PlannedUnit:
    return PlannedUnit(
        required_text(row, "name"), texts_of(row, "nodes") or (), texts_of(row, "ops") or (), required_text(row, "type"),
        _number(row, "fp32_ms"), _number(row, "low_ms"), number_of(row, "deviation"), optional_text(row, "keeps"),
        optional_text(row, "remedy"),
    )  # fmt: skip


def _cast(row: dict[str, Any]) -> PlannedCast:
    return PlannedCast(required_text(row, "tensor"), required_text(row, "to"), _number(row, "time_ms"))


def _check(row: dict[str, Any]) -> PlannedCheck:
    return PlannedCheck(
        _count(row, "low_units"), _number(row, "time_ms"), number_of(row, "predicted"), number_of(row, "measured"), _truth(row, "holds")
    )  # fmt: skip


def _front(row: dict[str, Any]) -> FrontPoint:
    return FrontPoint(
        _number(row, "limit"), _count(row, "low_units"), _number(row, "time_ms"), _number(row, "least_ms"), _number(row, "predicted")
    )  # fmt: skip


def _build(row: dict[str, Any]) -> ProvedBuild:
    return ProvedBuild(
        number_of(row, "predicted_ms"), _number(row, "time_ms"), number_of(row, "low_ms"), number_of(row, "high_ms"),
        number_of(row, "emulated"), number_of(row, "measured"), _truth(row, "holds"),
    )  # fmt: skip


# -- members that must be there ----------------------------------------------------------------------------------------


def _number(row: dict[str, Any], key: str) -> float:
    return _there(number_of(row, key), key)


def _count(row: dict[str, Any], key: str) -> int:
    return _there(integer_of(row, key), key)


def _truth(row: dict[str, Any], key: str) -> bool:
    return _there(boolean_of(row, key), key)


def _there(value: Any, key: str) -> Any:
    if value is None:
        raise FormatError(f"{key} is missing or null")
    return value

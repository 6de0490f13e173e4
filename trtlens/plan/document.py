"""`plan.json`: what was chosen, predicted and measured. docs/plan.md describes its fields; unknown is null."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from trtlens.errors import TrtlensError, reason
from trtlens.plan.network import LOW
from trtlens.runs.folders import GENERATOR, write_document
from trtlens_parsers.json_text import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = 1
ALL_LOW, MIXED, ALL_FULL = "all reduced", "mixed", "all fp32"
PREDICTED, MEASURED = "predicted", "measured"


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
    notes: tuple[str, ...] = ()
    proof: Mapping[str, Any] | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    def node_types(self) -> dict[str, str]:
        """The type of each node that the plan speaks of."""
        return {node: unit.type for unit in self.units for node in unit.nodes}

    def kept_nodes(self) -> list[str]:
        """The nodes that stay in FP32."""
        return [node for node, kind in self.node_types().items() if kind == "fp32"]

    @property
    def saving(self) -> float:
        """The share of the time in FP32 that the plan saves."""
        return 1 - self.time_ms / self.fp32_ms if self.fp32_ms else 0.0


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan so that it is never seen half written; raises TrtlensError where something else stands there."""
    document = {"trtlens_plan": FORMAT, "generator": GENERATOR, **_plain(asdict(plan))}
    write_document(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_plan(path: Path) -> Plan:
    """Read a plan; raises TrtlensError where the file is none, or is of a later format."""
    try:
        document = parse_json(path.read_text("utf-8"), path.name)
    except OSError as error:
        raise TrtlensError(f"{path} cannot be read ({reason(error)}): make a plan with trtlens plan") from error
    except ValueError as error:
        raise TrtlensError(f"{path} is no plan ({error}): make one with trtlens plan") from error
    if not isinstance(document, dict) or not isinstance(document.get("trtlens_plan"), int):
        raise TrtlensError(f"{path} is no plan: make one with trtlens plan")
    if document["trtlens_plan"] > FORMAT:
        raise TrtlensError(
            f"{path} is of plan format {document['trtlens_plan']}, which a later trtlens reads: update trtlens"
        )
    try:
        return _read(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TrtlensError(f"{path} is a damaged plan ({type(error).__name__}: {error}): make it again") from error


def _read(document: Mapping[str, Any]) -> Plan:
    names = {one.name for one in fields(Plan)}
    values = {name: value for name, value in document.items() if name in names}
    values["units"] = tuple(
        PlannedUnit(**{**unit, "nodes": tuple(map(_text, unit["nodes"])), "ops": tuple(map(_text, unit["ops"]))})
        for unit in document["units"]
    )
    values["casts"] = tuple(PlannedCast(**cast) for cast in document["casts"])
    values["checks"] = tuple(PlannedCheck(**check) for check in document["checks"])
    values["notes"] = tuple(map(_text, document.get("notes") or ()))
    plan = Plan(**values)
    if plan.low_type not in LOW or any(unit.type not in ("fp32", plan.low_type) for unit in plan.units):
        raise ValueError("a type that no plan has")
    return plan


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value

"""`make_plan`: from a request to a plan, measured on the CPU step by step, with everything kept for an interrupted search."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens._version import VERSION
from trtlens.capture.planning.judging import CommandJudge, EmulatedJudge
from trtlens.capture.planning.kept_search import KeptSearch, open_search, search_key
from trtlens.capture.planning.prepared import prepare_search
from trtlens.errors import TrtlensError
from trtlens.plan.bound import Bound
from trtlens.plan.front import front_of
from trtlens.plan.search import MOST_CHECKS, Search
from trtlens.plan.solver import Damages, require_scipy
from trtlens.plan.tuner_times import price
from trtlens_parsers.saved_plan import (
    ALL_FULL,
    ALL_LOW,
    ERROR,
    MIXED,
    PREDICTED,
    FrontPoint,
    Plan,
    PlannedCast,
    PlannedCheck,
    PlannedUnit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from trtlens.capture.planning.prepared import PlanRequest, Prepared
    from trtlens.capture.progress import Progress
    from trtlens.plan.network import Unit
    from trtlens.plan.search import Check, Found
    from trtlens.plan.solver import Choice, Model
    from trtlens.plan.tuner_times import LogTimes

_ANY = Bound("error", 1.0)
"""Stands for the bound where a command judges."""
_LEAST_SHARE = 1 / 64
"""Of the bound's damage: below it another plan would hardly save anything."""
_BREAKS = "it gives NaN or infinity where it goes down alone"


@dataclass(frozen=True, slots=True)
class Judging:
    """How a plan is judged: by the request's bound, or by a command; `most_checks` of them, `resume` an interrupted search."""

    check: str | None = None
    check_timeout_s: float = 600.0
    most_checks: int = MOST_CHECKS
    resume: bool = False


@dataclass(frozen=True)
class Planned:
    """A plan, and what it was made from, for who writes or proves it."""

    plan: Plan
    found: Found
    prepared: Prepared
    judging: Judging

    def low_nodes(self) -> frozenset[str]:
        """The nodes that the plan puts down."""
        return self.prepared.low_nodes(self.found.best.low)


def make_plan(request: PlanRequest, judging: Judging, out: Path, progress: Progress) -> Planned:
    """Search the plan that goes to `out`.

    Raises:
        TrtlensError: what `prepare_search` raises, a check that cannot be run, or a search that cannot go on.

    """
    require_scipy()
    progress("Running the model in FP32", None, None, "")
    prepared = prepare_search(request)
    kept = open_search(out, search_key(prepared, str(judging.check)), resume=judging.resume)
    judge = (
        EmulatedJudge(prepared, request.bound, kept, progress)
        if request.bound is not None
        else CommandJudge(prepared, judging.check or "", judging.check_timeout_s, kept, progress)
    )
    bound = request.bound or _ANY
    model = prepared.model()
    first = Search(model, bound, judge).judged_at_once()
    if first is None or first.holds:
        found = Search(model, bound, judge, earlier=() if first is None else (first,)).run()
    else:
        _check_full(prepared, judge)
        damages = replace(model.damages, units=_alone(prepared, kept, progress))
        model = replace(model, damages=with_casts(model.network, damages))
        found = Search(model, bound, judge, judging.most_checks, (first,)).run()
    kept.remove()
    return Planned(_document(prepared, judging, found), found, prepared, judging)


def planned_anew(planned: Planned, times: LogTimes, damage: NDArray[np.float64] | None, progress: Progress) -> Planned:
    """Plan again with the times of a build, and where its error was beyond the bound with a bound as much stricter.

    `damage` is that of the engine, None where it held. Raises TrtlensError where a unit cannot be measured.
    """
    prepared, model = planned.prepared, planned.found.model
    request = replace(prepared.request, logs=(times, *prepared.request.logs))
    assert request.bound is not None  # noqa: S101  a plan that a command judges is not proved
    bound = request.bound if damage is None else _stricter(request.bound, planned.found.damage, damage)
    kept = KeptSearch(None, "")
    if not model.damages.units.any():
        model = replace(
            model, damages=with_casts(model.network, replace(model.damages, units=_alone(prepared, kept, progress)))
        )
    priced = price(prepared.network, request.logs, request.low_type)
    prepared = replace(prepared, request=request, priced=priced)
    model = replace(model, costs=priced.costs)
    found = Search(model, bound, EmulatedJudge(prepared, bound, kept, progress), planned.judging.most_checks).run()
    return Planned(_document(prepared, planned.judging, found), found, prepared, planned.judging)


def in_times(planned: Planned, times: LogTimes) -> Planned:
    """The same plan, and all that was checked, with the times of a build; raises TrtlensError where that times no unit."""
    prepared, found = planned.prepared, planned.found
    request = replace(prepared.request, logs=(times, *prepared.request.logs))
    priced = price(prepared.network, request.logs, request.low_type)
    model = replace(found.model, costs=priced.costs)

    def timed(choice: Choice) -> Choice:
        return replace(choice, time_ms=model.time_ms(choice.low), lower_ms=0.0)

    corrected = None if found.corrected is None else replace(found.corrected, costs=priced.costs)
    checks = tuple(replace(one, choice=timed(one.choice)) for one in found.checks)
    found = replace(found, best=timed(found.best), checks=checks, gap=None, model=model, corrected=corrected)
    prepared = replace(prepared, request=request, priced=priced)
    return Planned(_document(prepared, planned.judging, found), found, prepared, planned.judging)


def _stricter(bound: Bound, emulated: NDArray[np.float64] | None, engine: NDArray[np.float64]) -> Bound:
    """The bound of the emulation under which the engine's would hold, if both stay in proportion."""
    most = float(np.max(engine))
    share = _LEAST_SHARE if emulated is None or not np.isfinite(most) else float(np.max(emulated)) / most
    share = min(max(share, _LEAST_SHARE), 0.9)
    return Bound(bound.quantity, bound.limit * share**0.5 if bound.quantity == ERROR else 1 - (1 - bound.limit) * share)


def _check_full(prepared: Prepared, judge: EmulatedJudge | CommandJudge) -> None:
    """A command that fails for the model as it is says nothing about precisions."""
    if isinstance(judge, CommandJudge) and not judge.check(np.zeros(len(prepared.network.units), bool))[0]:
        raise TrtlensError(
            f"the check {judge.command!r} fails for the model in FP32 itself: correct the check or the model"
        )


def _alone(prepared: Prepared, kept: KeptSearch, progress: Progress) -> NDArray[np.float64]:
    """The damage of each unit alone, on fewer inputs where all would take too long."""
    emulator, free = prepared.emulator, prepared.network.free
    count, limit = int(free.sum()), prepared.request.alone_s
    fewer = math.ceil(len(emulator.samples) * limit / max(count * emulator.pass_s, 1e-9))

    def keep(unit: int, damage: NDArray[np.float64]) -> None:
        kept.add_alone(unit, damage)
        progress("Measuring units", len(kept.alone), count, prepared.network.units[unit].name)

    damages = emulator.alone(free, kept.alone, keep, samples=min(max(fewer, 1), len(emulator.samples)))
    kept.keep(now=True)
    return damages


def with_casts(network: Any, damages: Damages) -> Damages:
    """What a cast rounds, before it is measured: as much as the unit that makes the tensor adds by rounding it."""
    boundaries = damages.boundaries.copy()
    for place, one in enumerate(network.boundaries):
        if one.producer is not None and np.isfinite(boundaries[place]).all():
            made = damages.units[one.producer]
            boundaries[place] = np.where(np.isfinite(made), made, 0.0)
    return Damages(damages.units, boundaries)


# -- the document ------------------------------------------------------------------------------------------------------


def _document(prepared: Prepared, judging: Judging, found: Found) -> Plan:
    request, network, model = prepared.request, prepared.network, found.model
    low = found.best.low
    quantity = prepared.emulator.quantity
    measured_alone = bool(model.damages.units.any())
    units = tuple(
        _unit(unit, bool(is_low), request.low_type, model, place, quantity if measured_alone else None)
        for place, (unit, is_low) in enumerate(zip(network.units, low, strict=True))
    )
    none = np.zeros(len(low), bool)
    everything = all(is_low or unit.keeps is not None for unit, is_low in zip(network.units, low, strict=True))
    verdict = (
        ALL_FULL
        if not low.any()
        else ALL_LOW
        if everything and not any(unit.keeps for unit in network.units)
        else MIXED
    )
    damage = found.damage if found.damage is not None else None
    return Plan(
        model=prepared.identity, low_type=request.low_type, quantity=quantity,
        bound=None if request.bound is None else request.bound.text, check=judging.check, verdict=verdict,
        holds=True, units=units, casts=tuple(_casts(prepared, model, low)), time_ms=model.time_ms(low),
        fp32_ms=model.time_ms(none), low_ms=model.time_ms(network.free), time_source=prepared.priced.source,
        time_is=PREDICTED, time_is_weight=not request.logs,
        predicted=_deviation(quantity, found.best.damage) if measured_alone else None,
        measured=None if damage is None else _deviation(quantity, damage),
        measured_by="ONNX Runtime on the CPU, types emulated" if request.bound is not None else "the check command",
        gap_percent=None if found.gap is None else 100 * found.gap, checks=tuple(_checks(found, quantity)),
        front=tuple(_front(found, quantity, (request.bound or _ANY).damage)),
        inputs={"origin": prepared.samples.origin, "count": len(prepared.samples.arrays), "sha256": prepared.samples.sha256},
        notes=prepared.notes, versions=_versions(),
    )  # fmt: skip


def _unit(unit: Unit, is_low: bool, low_type: str, model: Model, place: int, quantity: str | None) -> PlannedUnit:
    damage = model.damages.units[place]
    keeps = unit.keeps if unit.keeps is not None else _BREAKS if not np.isfinite(damage).all() else None
    known = quantity is not None and unit.keeps is None and np.isfinite(damage).all()
    return PlannedUnit(
        unit.name, unit.nodes, unit.ops, low_type if is_low else "fp32", float(model.costs.full_ms[place]),
        float(model.costs.low_ms[place]), _deviation(quantity or "", damage) if known else None, keeps, unit.remedy,
    )  # fmt: skip


def _casts(prepared: Prepared, model: Model, low: Any) -> list[PlannedCast]:
    network, times = prepared.network, model.costs.cast_ms
    ways = ((network.down(low), prepared.request.low_type), (network.up(low), "fp32"))
    return [
        PlannedCast(network.boundaries[place].tensor, kind, float(times[place]))
        for flags, kind in ways
        for place in np.flatnonzero(flags)
    ]


def _front(found: Found, quantity: str, bound: float) -> Iterator[FrontPoint]:
    """The fastest plan that the corrected model knows within each of a few deviations."""
    for budget, choice in front_of(found, bound):
        limit, predicted = (_deviation(quantity, damage) for damage in (budget, choice.damage))
        yield FrontPoint(limit, int(choice.low.sum()), choice.time_ms, choice.lower_ms, predicted)


def _checks(found: Found, quantity: str) -> list[PlannedCheck]:
    return [_check(one, quantity) for one in found.checks]


def _check(one: Check, quantity: str) -> PlannedCheck:
    predicted = _deviation(quantity, one.choice.damage) if one.choice.damage.any() else None
    measured = None if one.damage is None else _deviation(quantity, one.damage)
    return PlannedCheck(int(one.choice.low.sum()), one.choice.time_ms, predicted, measured, one.holds)


def _deviation(quantity: str, damage: NDArray[np.float64]) -> float:
    """The worst output's damage in the quantity of the bound."""
    worst = float(np.max(damage))
    return math.sqrt(worst) if quantity == "error" else 1 - worst / 2


def _versions() -> dict[str, str]:
    return {"trtlens": VERSION, **{name: _version(name) for name in ("onnx", "onnxruntime", "scipy", "numpy")}}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"

"""What plans of precisions say of the difference between two runs: predicted beside measured, and which types they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.engine.inference_samples import samples_of
from trtlens.layer_patterns import listed
from trtlens.plan.outcome import Outcome, outcome_of, output_error
from trtlens.quantities import duration, number, percent
from trtlens.runs.captured_tables import captured_flags
from trtlens.runs.plan_rows import CHECK
from trtlens.tuning.wording import counted
from trtlens_parsers.saved_plan import ALL_FULL, ALL_LOW, ERROR

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from trtlens.comparison.comparison import Comparison
    from trtlens.runs.run import Run

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Side:
    """One of two runs: its plan's outcome, and the row of a plan that predicts it (its own, or the other run's)."""

    name: str
    run: Run
    outcome: Outcome | None
    predicted: Mapping[str, Any] | None


def tell_plans(comparison: Comparison, number: int) -> Iterator[str]:
    """Sentences where one of the two runs was built with a plan."""
    places = (comparison.baseline, number)
    runs = [comparison.engines[place].run for place in places]
    outcomes = [_outcome(run) for run in runs]
    if not any(outcomes):
        return
    plan = next(run for run, outcome in zip(reversed(runs), reversed(outcomes), strict=True) if outcome is not None)
    base, other = (
        _Side(comparison.names[place], run, outcome, outcome.planned if outcome else _row_of(plan, run))
        for place, run, outcome in zip(places, runs, outcomes, strict=True)
    )
    yield from _times(base, other)
    yield from _errors(base, other)
    for side in (base, other):
        yield from _kept(side)


def _outcome(run: Run) -> Outcome | None:
    builds = run["plan_choices"]["build"].to_pylist()
    return outcome_of(run, builds[-1]) if builds else None


def _row_of(plan: Run, run: Run) -> Mapping[str, Any] | None:
    """What another run's plan predicts of a run that allowed FP32 alone, or the plan's type too; None for any other."""
    rows = plan["plan_choices"].to_pylist()
    allowed = _allowed(run)
    if allowed == "FP32":
        return next(row for row in rows if row["kind"] == ALL_FULL)
    if allowed != f"FP32+{rows[0]['low_type']}".upper():
        return None
    free = sum(why is None for why in plan["plan_units"]["why"].to_pylist())
    every = [row for row in rows if row["kind"] in {ALL_LOW, CHECK} and row["low_units"] == free]
    return next(iter(every), None)


def _allowed(run: Run) -> str | None:
    """The types that a build was allowed, as trtexec prints them; of a strongly typed one those that were asked for."""
    stated: str | None = next(iter(run["builds"]["precision_flags"].to_pylist()), None)
    flags = captured_flags(run.info)
    if stated is not None or flags is None:
        return stated
    return "+".join(("FP32", *(name.upper() for name in ("fp16", "bf16", "int8", "fp8", "best") if flags.get(name))))


# -- times -------------------------------------------------------------------------------------------------------------


def _times(base: _Side, other: _Side) -> Iterator[str]:
    """The difference as it was predicted, and as it was measured."""
    told = _predicted(base, other)
    measured = [samples_of(side.run) for side in (base, other)]
    if measured[0] is None or measured[1] is None:
        yield f"{told}; not both were timed."
        return
    before, after = (one.told.median_ms for one in measured if one is not None)
    clocks = "" if measured[0].words == measured[1].words else f" ({measured[0].words}, {measured[1].words})"
    yield f"{told}; measured {_change(after / before if before else None)}: {duration(after)} against {duration(before)}{clocks}."


def _predicted(base: _Side, other: _Side) -> str:
    sides = [side.name for side in (base, other) if side.outcome is not None]
    whose = f"The plan of {sides[0]} predicts" if len(sides) == 1 else f"The plans of {listed(sides, 2)} predict"
    if base.predicted is None or other.predicted is None:
        unknown = base.name if base.predicted is None else other.name
        return f"{whose} nothing of {unknown}: none of its choices has the types that were allowed there"
    for column, told in (("predicted_ms", duration), ("predicted_percent", _share)):
        before, after = base.predicted[column], other.predicted[column]
        if before is not None and after is not None:
            ratio = after / before if before else None
            return f"{whose} that {other.name} takes {_change(ratio)}: {told(after)} against {told(before)}"
    return f"{whose} no times of both"


def _share(value: float) -> str:
    return f"{percent(value)} of FP32 by operations and bytes"


def _change(ratio: float | None) -> str:
    if ratio is None:
        return "a time that is not comparable"
    return f"{percent(100 * abs(ratio - 1))} {'less' if ratio < 1 else 'more'}"


# -- errors and types --------------------------------------------------------------------------------------------------


def _errors(base: _Side, other: _Side) -> Iterator[str]:
    """The errors of the outputs where both runs were compared with a reference."""
    quantity = next(side.outcome.planned["quantity"] for side in (base, other) if side.outcome is not None)
    errors = [output_error(side.run, quantity) for side in (base, other)]
    told = [_error(side, error) for side, error in zip((base, other), errors, strict=True) if error is not None]
    if len(told) == len(errors):
        what = "Error of the worst output" if quantity == ERROR else "What the cosine of the worst output lacks of 1"
        yield f"{what}, on the engines: {'; '.join(told)}."


def _error(side: _Side, error: float) -> str:
    emulated = None if side.outcome is None else side.outcome.planned["measured_error"]
    return f"{side.name} {number(error)}" + (
        "" if emulated is None else f" ({number(emulated)} by the plan's emulation)"
    )


def _kept(side: _Side) -> Iterator[str]:
    """The units that the plan of a run keeps in FP32."""
    rows: Sequence[dict[str, Any]] = side.run["plan_units"].to_pylist() if side.outcome is not None else []
    kept = [row for row in rows if row["type"] == "fp32"]
    if rows:
        nodes = sum(len(row["nodes"] or ()) for row in kept)
        names = f": {listed([row['name'] for row in kept], _MOST_NAMED)}" if kept else ""
        yield f"The plan of {side.name} keeps {counted(len(kept), 'unit', 'units')} ({counted(nodes, 'node', 'nodes')}) in FP32{names}."

"""Which choices of types did the plan's search know, what do they take and cost in accuracy, and what became of the plan?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.output import layout
from trtlens.plan.outcome import chosen_row, outcome_of
from trtlens.quantities import duration, interval, number, percent
from trtlens.runs.plan_rows import RUN
from trtlens.tables.declarations import TABLES
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run


def table(run: Run) -> pa.Table:
    """The choices of each plan, and behind them the run that was built with it."""
    rows = run["plan_choices"].to_pylist()
    builds = dict.fromkeys(row["build"] for row in rows)
    return TABLES["plan_choices"].of_rows([row for build in builds for row in _rows(run, rows, build)])


def _rows(run: Run, rows: Sequence[dict[str, Any]], build: int) -> list[dict[str, Any]]:
    own = [row for row in rows if row["build"] == build]
    outcome = outcome_of(run, build)
    return own if outcome is None else [*own, {**outcome.row(), "index": len(own)}]


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """What was planned, with predicted and measured time and error."""
    planned = chosen_row([row for row in rows if row["kind"] != RUN])
    run = next((row for row in rows if row["kind"] == RUN), None)
    low = next((row["low_units"] for row in (run, planned) if row is not None and row["low_units"] is not None), None)
    units = "some" if low is None else str(low)
    within = f", within {planned['bound']}" if planned["bound"] and planned["holds"] else ""
    told = f"{units} of {planned['units']} units are planned in {planned['low_type'].upper()}, the others in FP32: {_time(planned)}{_error(planned)}{within}"
    return told if run is None else f"{told}; {_run(planned, run)}"


def _time(row: Mapping[str, Any]) -> str:
    if row["predicted_ms"] is not None:
        return f"{duration(row['predicted_ms'])} predicted"
    if row["predicted_percent"] is not None:
        return f"{percent(row['predicted_percent'])} of the time in FP32 by operations and bytes"
    return "time unknown"


def _error(row: Mapping[str, Any]) -> str:
    figures = [(row["predicted_error"], "predicted"), (row["measured_error"], "emulated on the CPU")]
    told = " and ".join(f"{number(value)} {word}" for value, word in figures if value is not None)
    return f", {_word(row)} {told}" if told else ""


def _run(planned: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """The run against the prediction; what it does not hold is said."""
    if run["time_ms"] is None:
        time = "this run was not timed"
    else:
        ends = (
            ""
            if run["time_low_ms"] is None or run["time_high_ms"] is None
            else f" ({interval(run['time_low_ms'], run['time_high_ms'])})"
        )
        time = f"this run takes {duration(run['time_ms'])} an inference{ends}{_beside(planned, run)}"
    if run["measured_error"] is None:
        return f"{time}, and its outputs were not compared"
    bound = {True: f", within {run['bound']}", False: f", beyond {run['bound']}", None: ""}[run["holds"]]
    return f"{time}, {_word(run)} {number(run['measured_error'])} on the engine{bound}"


def _word(row: Mapping[str, Any]) -> str:
    """What is measured, in words: a cosine by what it lacks of 1."""
    return "error" if row["quantity"] == "error" else "cosine less than 1 by"


def _beside(planned: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    if not planned["predicted_ms"]:
        return ""
    share = 100 * (run["time_ms"] / planned["predicted_ms"] - 1)
    return f", {percent(abs(share))} {'more' if share > 0 else 'less'} than predicted"


VIEW = View(
    table,
    question="Which choices of types did the plan's search know, what do they take and cost in accuracy, and what became of the plan?",
    answer=_answer,
    place=27,
    layout=layout(
        "kind low_units predicted_percent predicted_ms measured_error predicted_error holds chosen time_ms within_error least_percent bound"
    ),
    heading="Choices that the plan's search knows",
    empty="no plan: build the run with trtlens profile MODEL --plan plan.json (trtlens plan makes one), or name a plan.json",
)

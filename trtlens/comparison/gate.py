"""Checks for CI: ``latency > +3%`` fails where the latency is more than 3 % above the baseline's.

    QUANTITY OPERATOR LIMIT       operator: > >= < <= == !=

A limit with a sign is a change against the baseline, in percent of it with ``%``, else in the quantity's unit; a limit
without one is a value. Shares are percentages already: ``fp32_time_share > +5%`` means five points more.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from trtlens.comparison.quantities import QUANTITIES, Reading, read_quantity
from trtlens.comparison.same_work import MODEL
from trtlens.errors import TrtlensError
from trtlens.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trtlens.comparison.comparison import Comparison
    from trtlens.comparison.quantities import Quantity
    from trtlens.comparison.same_work import Mismatch

_EXPRESSION = re.compile(
    r"\s*(?P<name>\w{1,80})\s*(?P<operator>[<>=!]=|[<>])\s*(?P<sign>[+-])?\s*(?P<number>\d{1,15}(?:\.\d{1,15})?)\s*(?P<unit>%|[A-Za-z]{1,8})?\s*"
)
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_WORDS = {">": "more than", ">=": "at least", "<": "less than", "<=": "at most", "==": "exactly", "!=": "not"}
_UNITS: dict[str | None, dict[str, float]] = {
    "ms": {"s": 1000.0, "ms": 1.0, "us": 0.001},
    "s": {"s": 1.0, "ms": 0.001, "min": 60.0},
    "bytes": {"bytes": 1.0, "B": 1.0, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "kB": 1e3, "MB": 1e6, "GB": 1e9},
    "qps": {"qps": 1.0},
    "%": {"%": 1.0},
    None: {},
}
_EXAMPLES = "'latency > +3%', 'reformats > +2', 'fp32_time_share > 10%'"


@dataclass(frozen=True, slots=True)
class Check:
    """One condition that must not hold; ``limit`` is in the quantity's unit, or in percent where ``relative``."""

    text: str
    quantity: Quantity
    operator: str
    limit: float
    is_change: bool
    relative: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found in one run: ``breach``, ``unknown`` (not judged) or ``passed``, with the line that says so."""

    check: Check
    run: str
    state: str
    line: str


BREACH, UNKNOWN, PASSED = "breach", "unknown", "passed"


def read_check(text: str) -> Check:
    """Read one expression.

    Raises:
        TrtlensError: it is no expression, or names a quantity or unit that does not exist.

    """
    match = _EXPRESSION.fullmatch(text)
    if match is None:
        raise TrtlensError(f"{text!r} is no condition: write QUANTITY OPERATOR LIMIT, for example {_EXAMPLES}")
    quantity = QUANTITIES.get(match["name"])
    if quantity is None:
        hint = did_you_mean(match["name"], QUANTITIES)
        raise TrtlensError(
            f"there is no quantity {match['name']!r}: {hint}trtlens compare --list-quantities lists them"
        )
    unit, is_change = match["unit"], match["sign"] is not None
    relative = is_change and unit == "%" and quantity.unit != "%"
    limit = float(match["number"]) * (-1.0 if match["sign"] == "-" else 1.0)
    return Check(
        text.strip(), quantity, match["operator"], limit * _factor(text, quantity, unit, relative), is_change, relative
    )


def _factor(text: str, quantity: Quantity, unit: str | None, relative: bool) -> float:
    if unit is None or relative:
        return 1.0
    units = _UNITS[quantity.unit]
    if unit not in units:
        known = f"use {', '.join(units)} or none" if units else "it is a count, leave the unit out"
        change = "; a change in percent has a sign, as in +3%" if unit == "%" else ""
        raise TrtlensError(f"{text!r}: {quantity.name} is not measured in {unit}: {known}{change}")
    return units[unit]


def judge_checks(comparison: Comparison, checks: Sequence[Check]) -> list[Outcome]:
    """Every check on every run but the baseline."""
    return [_judge(comparison, check, number) for check in checks for number in comparison.others]


def _judge(comparison: Comparison, check: Check, number: int) -> Outcome:
    reading = read_quantity(comparison, check.quantity, number, alone=not check.is_change)
    run = comparison.names[number]
    value = _value(check, reading)
    unlike = _unlike(comparison, check, number)
    if value is None or unlike:
        why = f": {', '.join(map(str, unlike))}" if unlike else f" {_not_known(comparison, check, reading, run)}"
        return Outcome(check, run, UNKNOWN, f"unknown, not judged: {run}: {check.quantity.name}{why} ({check.text})")
    told = _told(comparison, check, reading, value)
    if check.is_change and reading.within_noise:
        return Outcome(check, run, PASSED, f"within noise: {run}: {told} ({check.text})")
    if not _OPERATORS[check.operator](value, check.limit):
        return Outcome(check, run, PASSED, f"passed: {run}: {told} ({check.text})")
    return Outcome(
        check, run, BREACH, f"breach: {run}: {told}: {_WORDS[check.operator]} {_limit(check)} ({check.text})"
    )


def _unlike(comparison: Comparison, check: Check, number: int) -> list[Mismatch]:
    """What stands against judging a change: another model, and for times another GPU or other input shapes."""
    found = comparison.mismatches[number] if check.is_change else ()
    return [one for one in found if one.what == MODEL or check.quantity.rests_on_times]


def _value(check: Check, reading: Reading) -> float | None:
    """What is held against the limit; None where it is not known or no number."""
    value = reading.value
    if check.is_change and value is not None:
        value = None if reading.base is None else value - reading.base
    if check.relative and value is not None:
        value = 100 * value / reading.base if reading.base else None
    return value if value is not None and isfinite(value) else None


def _not_known(comparison: Comparison, check: Check, reading: Reading, run: str) -> str:
    known = reading.value is not None and isfinite(reading.value)
    if known and reading.base == 0:
        return "is 0 in the baseline"
    hint = "; layer_time is the sum of the layers" if check.quantity.name == "latency" else ""
    return f"is not known for {comparison.names[comparison.baseline] if known else run}{hint}"


def _told(comparison: Comparison, check: Check, reading: Reading, value: float) -> str:
    unit = _unit(check.quantity.unit)
    told = f"{check.quantity.name} is {reading.value:.6g}{unit}"
    if not check.is_change:
        return told
    change = f"{value:+.4g} %" if check.relative else f"{value:+.6g}{unit}"
    return f"{told}, {change} against {comparison.names[comparison.baseline]} ({reading.base:.6g}{unit})"


def _limit(check: Check) -> str:
    if check.relative:
        return f"{check.limit:+g} %"
    unit = _unit(check.quantity.unit)
    return f"{check.limit:+g}{unit}" if check.is_change else f"{check.limit:g}{unit}"


def _unit(unit: str | None) -> str:
    return "" if unit is None else f" {unit}"

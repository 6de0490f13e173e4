"""Conditions on the rows of a question that must not hold, for CI: ``regressions: step_percent > 3 and latest``."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.errors import TrtlensError
from trtlens.fleet.questions import QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_TERM = re.compile(
    r"\s*(?P<column>\w{1,80})\s*(?:(?P<operator>[<>=!]=|[<>])\s*(?:(?P<number>[+-]?\d{1,15}(?:\.\d{1,15})?)\s*%?|'(?P<text>[^'\n]{0,200})'))?\s*"
)
_EXAMPLE = "'regressions: step_percent > 3 and latest'"


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison; without an operator that the column is true."""

    column: str
    compare: Callable[[Any, Any], bool]
    value: float | str | bool


@dataclass(frozen=True, slots=True)
class Condition:
    """A question, and terms that no row of its answer may meet all at once."""

    text: str
    question: str
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """Positions of the rows that meet a condition, and how many there are of which a value that decides is not known."""

    condition: Condition
    breaches: tuple[int, ...]
    unknown: int


def read_condition(text: str) -> Condition:
    """Read ``QUESTION: COLUMN OPERATOR LIMIT and ...``.

    Raises:
        TrtlensError: it is none, or names a question or column that does not exist.

    """
    question, colon, rest = text.partition(":")
    name = question.strip()
    if not colon or name not in QUESTIONS:
        raise TrtlensError(
            f"{text!r} is no condition: write QUESTION: COLUMN OPERATOR LIMIT, as {_EXAMPLE}; questions: {', '.join(QUESTIONS)}"
        )
    return Condition(text.strip(), name, tuple(_term(part, name) for part in re.split(r"\sand\s", rest)))


def _term(text: str, question: str) -> Term:
    match = _TERM.fullmatch(text)
    if match is None:
        raise TrtlensError(f"{text.strip()!r} is no comparison: write COLUMN OPERATOR LIMIT, as {_EXAMPLE}")
    columns = [column.name for column in QUESTIONS[question].rows.columns]
    if match["column"] not in columns:
        raise TrtlensError(f"{question} has no column {match['column']!r}: choose one of {', '.join(columns)}")
    if match["operator"] is None:
        return Term(match["column"], operator.is_, value=True)
    value = match["text"] if match["number"] is None else float(match["number"])
    return Term(match["column"], _OPERATORS[match["operator"]], value)


def judge(condition: Condition, rows: pa.Table) -> Judged:
    """Hold a condition against the rows of its question.

    Raises:
        TrtlensError: a number is compared with a text.

    """
    breaches, unknown = [], 0
    for position, row in enumerate(rows.to_pylist()):
        met = [_meets(term, row[term.column], condition) for term in condition.terms]
        if all(met):
            breaches.append(position)
        elif None in met and False not in met:
            unknown += 1
    return Judged(condition, tuple(breaches), unknown)


def _meets(term: Term, value: Any, condition: Condition) -> bool | None:
    """Whether a value meets a term; None where it is not known."""
    if value is None:
        return None
    if isinstance(value, str) != isinstance(term.value, str):
        raise TrtlensError(f"{condition.text!r}: {term.column} is {'a text' if isinstance(value, str) else 'a number'}")
    return term.compare(value, term.value)

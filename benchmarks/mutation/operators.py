"""What an expression could wrongly be instead: another operator, aggregate, order, column, unit or text."""

from __future__ import annotations

import ast
import re
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = {
    "compare": 1.0, "logic": 1.0, "arithmetic": 1.0, "unit": 1.0, "aggregate": 1.0, "order": 1.0, "column": 1.0, "attribute": 1.0,
    "condition": 0.7, "number": 0.7, "flag": 0.7, "dropped": 0.7, "value": 0.3, "format": 0.3, "text": 0.06,
}  # fmt: skip
"""Kinds of change, and how likely one of that kind is sampled."""

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_AGGREGATES = {
    "sum": "max", "max": "min", "min": "max", "mean": "median", "median": "mean", "first": "last", "last": "first", "any": "all",
    "all": "any", "nunique": "size", "count": "nunique", "count_distinct": "count", "head": "tail", "tail": "head", "idxmax": "idxmin",
    "idxmin": "idxmax", "argmax": "argmin", "argmin": "argmax", "notna": "isna", "isna": "notna", "floor": "ceil", "ceil": "floor",
    "fsum": "max", "prod": "sum", "cumsum": "cummax", "nlargest": "nsmallest", "nsmallest": "nlargest", "most_common": "elements",
    "maximum": "minimum", "minimum": "maximum", "greater": "less", "less": "greater", "equal": "not_equal", "is_valid": "is_null",
    "is_null": "is_valid", "startswith": "endswith", "endswith": "startswith", "union": "intersection",
}  # fmt: skip
_ORDERS = {"ascending": "descending", "descending": "ascending", "left": "inner", "outer": "inner"}
_DROPPED = {"sort_values", "sort_by", "dropna", "drop_duplicates", "fillna", "round", "strip", "clip", "reset_index"}
_UNITS = {60, 100, 1000, 1_000_000, 1_000_000_000, 1024, 1 << 20, 1 << 30}
_TWINS = (
    ("low", "high"), ("first", "last"), ("run", "base"), ("before", "after"), ("min", "max"), ("start", "end"), ("inputs", "outputs"),
    ("producer", "consumer"), ("left", "right"), ("reference", "run"), ("measured", "tuned"), ("median", "mean"), ("here", "there"),
    ("node", "other"), ("name", "type"), ("fastest", "slowest"), ("faster", "slower"), ("long", "short"), ("p90", "p95"), ("p95", "p99"),
)  # fmt: skip


def changes(node: ast.AST, near: str) -> Iterator[tuple[str, ast.AST]]:
    """What an expression could wrongly be instead, with the kind of change; ``near`` decides between columns."""
    match node:
        case ast.Compare(left=left, ops=[op, *more], comparators=right):
            for other in _COMPARISONS[type(op)]:
                yield "compare", ast.Compare(left, [other(), *more], right)
        case ast.BoolOp(op=op, values=values):
            yield "logic", ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield "logic" if isinstance(node.op, ast.Not) else "arithmetic", operand
        case ast.BinOp(left=left, op=op, right=right):
            if type(op) in _ARITHMETIC and not _is_text(left) and not _is_text(right):
                yield "arithmetic", ast.BinOp(left, _ARITHMETIC[type(op)](), right)
        case _:
            yield from _other_parts(node, near)


def is_decided(test: ast.expr) -> bool:
    """Whether a condition is changed by changing the operator in it."""
    return isinstance(test, (ast.Compare, ast.BoolOp, ast.UnaryOp))


def other_assignment(node: ast.AugAssign) -> ast.AugAssign | None:
    """``a -= b`` for ``a += b`` and the like."""
    other = _ARITHMETIC.get(type(node.op))
    return None if other is None else ast.AugAssign(node.target, other(), node.value)


def _other_parts(node: ast.AST, near: str) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.IfExp(test=test, body=body, orelse=orelse) if not is_decided(test):
            yield "condition", ast.IfExp(test, orelse, body)
        case ast.comprehension(target=target, iter=source, ifs=[_, *more], is_async=kind):
            yield "condition", ast.comprehension(target, source, more, kind)
        case ast.Call():
            yield from _other_calls(node)
        case ast.Attribute(value=value, attr=name, ctx=ast.Load()):
            yield from (("attribute", ast.Attribute(value, other, ast.Load())) for other in _twins(name))
        case ast.Constant(value=value):
            yield from ((kind, ast.Constant(other)) for kind, other in _other_constants(value, near))


def _other_calls(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr=name), args=args, keywords=keywords):
            if name in _AGGREGATES:
                yield "aggregate", ast.Call(ast.Attribute(value, _AGGREGATES[name], ast.Load()), args, keywords)
            if name in _DROPPED:
                yield "order" if "sort" in name else "dropped", value
        case ast.Call(func=ast.Name(id=name), args=[first, *_] as args, keywords=keywords):
            if name in _AGGREGATES:
                yield "aggregate", ast.Call(ast.Name(_AGGREGATES[name], ast.Load()), args, keywords)
            if name in {"sorted", "reversed"}:
                yield "order", ast.Call(ast.Name("list", ast.Load()), [first], [])
            if name in {"abs", "round"}:
                yield "dropped", first


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, (ast.JoinedStr, ast.List, ast.Tuple)) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _twins(name: str) -> Iterator[str]:
    parts = name.split("_")
    for one, other in _TWINS:
        for old, new in ((one, other), (other, one)):
            if old in parts:
                twin = "_".join(new if part == old else part for part in parts)
                if twin in _attributes():
                    yield twin


def _other_constants(value: Any, near: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, bool):
        yield "flag", not value
    elif isinstance(value, (int, float)):
        if value in _UNITS:
            yield "unit", value * 10 if value == 100 else value * 1000
        else:
            yield "number", value + 1 if isinstance(value, int) else value * 2 or 1.0
    elif isinstance(value, str):
        if value in _AGGREGATES or value in _ORDERS:
            yield ("aggregate", _AGGREGATES[value]) if value in _AGGREGATES else ("order", _ORDERS[value])
        elif (sibling := _sibling(value, near)) is not None:
            yield "column", sibling
        elif re.fullmatch(r"[.,]?\.?\d[a-z%]?", value):
            yield "format", re.sub(r"\d", lambda digit: str(int(digit[0]) + 1), value)
        elif re.search(r"[A-Za-z]{2}", value) and not value.startswith("#"):
            yield ("value" if re.fullmatch(r"[\w.-]+", value) else "text"), f"{value}?"


@cache
def _declarations() -> tuple[dict[str, str], ...]:
    """Columns with type and unit of each declared table."""
    texts = [path.read_text("utf-8") for path in (ROOT / "trtlens").rglob("*.py")]
    blocks = [block for text in texts for block in re.findall(r'"""\n(\s+\w+ \| \w+ \|.*?)"""', text, re.DOTALL)]
    return tuple(
        {m[1]: m[2] for m in re.finditer(r"^\s*(\w+) \| ([^|]*\|[^|]*)\|", block, re.MULTILINE)} for block in blocks
    )


@cache
def _attributes() -> frozenset[str]:
    """Every name that is read as an attribute somewhere."""
    found = (ast.walk(ast.parse(path.read_text("utf-8"))) for path in (ROOT / "trtlens").rglob("*.py"))
    return frozenset(node.attr for nodes in found for node in nodes if isinstance(node, ast.Attribute))


def _sibling(name: str, near: str) -> str | None:
    """Another column of the same type and unit in a table that has this one."""
    others = {
        other for table in _declarations() if name in table for other, form in table.items() if form == table[name] and other != name
    }  # fmt: skip
    return min(others, key=lambda other: number_of(f"{near} {other}")) if others else None


def number_of(text: str) -> float:
    """A number between 0 and 1 that a text always gives."""
    return (int.from_bytes(sha256(text.encode()).digest()[:6], "big") + 1) / (1 << 48)

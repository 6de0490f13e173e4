"""Small changes of Python sources that should each make an answer wrong: operators, aggregates, orders, columns, units, texts.

`mutants_of` lists the changes of one file. What cannot change an answer is left alone: docstrings, annotations, imports,
decorators, the texts of errors, declarations of columns, and how charts are painted.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from benchmarks.mutation.operators import ROOT, WEIGHTS, changes, is_decided, number_of, other_assignment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import CodeType

_QUIET_CALLS = {"declare", "cast", "TypeVar", "re.compile"}
_SHORTENING = {"plain", "shorten"}
"""Their second argument says where a long name is cut."""
_QUIET_KEYWORDS = {
    "strict", "validate", "encoding", "ensure_ascii", "exist_ok", "parents", "copy", "errors", "maxsize", "preserve_index",
}  # fmt: skip
_PAINT = {
    "font", "textfont", "margin", "template", "height", "opacity", "hoverlabel", "pad", "xshift", "yshift", "showgrid", "gridcolor",
    "bgcolor", "solidity", "fgcolor", "fillmode", "cliponaxis", "zerolinecolor", "thickness", "automargin", "standoff", "connector",
    "tiling", "hovermode", "ticks", "ticklen", "xref", "yref", "xanchor", "yanchor", "line", "nticks", "size", "bordercolor", "axref",
    "insidetextfont", "outsidetextfont", "uirevision", "bargap", "plot_bgcolor", "paper_bgcolor", "linecolor", "tickcolor", "xgap", "ygap",
    "arrowcolor", "colorway", "cmin", "cmax", "colorbar", "domain", "legend", "minsize", "mode", "orientation", "side", "rangemode", "tickmode", "symbol",
    "dash", "branchvalues", "arrangement", "anchor", "overlaying", "color", "shape", "textposition", "traceorder",
}  # fmt: skip
_NO_CODE = (ast.Import, ast.ImportFrom, ast.Raise, ast.Assert, ast.Global, ast.Nonlocal)
_COMPOUND = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.FunctionDef, ast.ClassDef, ast.Match)
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change; ``function`` is empty where it is in no function and so takes effect on import alone."""

    file: str
    function: str
    first_line: int
    lines: tuple[int, int]
    kind: str
    before: str
    after: str
    _tree: ast.Module = field(repr=False, compare=False)
    _holder: Any = field(repr=False, compare=False)
    _place: Any = field(repr=False, compare=False)
    _new: ast.AST = field(repr=False, compare=False)

    @property
    def change(self) -> str:
        """The change without its line, the same while the function stays: ``FILE | FUNCTION | BEFORE -> AFTER``."""
        return f"{self.file} | {self.function or '-'} | {self.before} -> {self.after}"

    def code(self) -> CodeType:
        """The changed module, compiled; its lines are those of the original."""
        old = _get(self._holder, self._place)
        _set(self._holder, self._place, ast.fix_missing_locations(ast.copy_location(self._new, old)))
        try:
            return compile(self._tree, str(ROOT / self.file), "exec", dont_inherit=True)
        finally:
            _set(self._holder, self._place, old)


def sample(mutants: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """So many of them, drawn by kind; a change stays in the sample when the sources around it change."""
    order = {id(m): number_of(f"{seed} {m.change}") / WEIGHTS[m.kind] for m in mutants}
    return sorted(sorted(mutants, key=lambda m: order[id(m)])[:count], key=lambda m: (m.file, m.lines))


def mutants_of(path: Path) -> list[Mutant]:
    """Every change of one file."""
    tree = ast.parse(path.read_text("utf-8"))
    walker = _Walker(path.relative_to(ROOT).as_posix(), tree)
    for place, statement in enumerate(tree.body):
        walker.statement(statement, tree.body, place)
    seen: Counter[str] = Counter()
    for place, mutant in enumerate(walker.found):
        seen[mutant.change] += 1
        if seen[mutant.change] > 1:
            walker.found[place] = replace(mutant, after=f"{mutant.after} (occurrence {seen[mutant.change]})")
    return walker.found


def _get(holder: Any, place: Any) -> Any:
    return holder[place] if isinstance(holder, list) else getattr(holder, place)


def _set(holder: Any, place: Any, node: Any) -> None:
    if isinstance(holder, list):
        holder[place] = node
    else:
        setattr(holder, place, node)


class _Walker:
    """Walks a module and keeps what can be changed where."""

    def __init__(self, file: str, tree: ast.Module) -> None:
        self.found: list[Mutant] = []
        self._file, self._tree = file, tree
        self._function, self._first_line, self._inside = "", 0, False
        self._lines = (0, 0)

    def statement(self, node: ast.stmt, holder: Any, place: Any) -> None:
        if isinstance(node, _NO_CODE) or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self._definition(node)
            return
        self._lines = (node.lineno, node.end_lineno or node.lineno)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and self._inside:
            self._add("dropped", node, holder, place, ast.Pass())
        if isinstance(node, ast.AugAssign) and (other := other_assignment(node)) is not None:
            self._add("arithmetic", node, holder, place, other)
        if isinstance(node, ast.If) and not is_decided(node.test):
            self._add("condition", node.test, node, "test", ast.UnaryOp(ast.Not(), node.test))
        if isinstance(node, ast.Continue):
            self._add("condition", node, holder, place, ast.Break())
        self._children(node)

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        kept = self._function, self._first_line, self._inside
        if not self._inside:
            self._function = f"{self._function}.{node.name}".lstrip(".")
            self._lines = (node.lineno, node.end_lineno or node.lineno)
            if not isinstance(node, ast.ClassDef):
                self._defaults(node)
                first = node.decorator_list[0] if node.decorator_list else node
                self._first_line, self._inside = first.lineno, True
        for place, statement in enumerate(node.body):
            self.statement(statement, node.body, place)
        self._function, self._first_line, self._inside = kept

    def _defaults(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for holder in (node.args.defaults, node.args.kw_defaults):
            for place, value in enumerate(holder):
                if value is not None:
                    self._expression(value, holder, place)

    def _children(self, node: ast.AST) -> None:
        compound = isinstance(node, _COMPOUND)
        for name, value in _fields(node):
            items: list[tuple[Any, Any, Any]] = [(value, node, name)] if isinstance(value, ast.AST) else []
            items += [(one, value, place) for place, one in enumerate(value)] if isinstance(value, list) else []
            for one, holder, place in items:
                if isinstance(one, ast.stmt):
                    self.statement(one, holder, place)
                elif isinstance(one, (ast.ExceptHandler, ast.match_case)):
                    self._children(one)
                elif isinstance(one, ast.AST):
                    if compound and isinstance(one, ast.expr):
                        self._lines = (one.lineno, one.end_lineno or one.lineno)
                    self._expression(one, holder, place)

    def _expression(self, node: ast.AST, holder: Any, place: Any) -> None:
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _QUIET_CALLS:
            return
        if isinstance(node, ast.keyword) and (node.arg in _QUIET_KEYWORDS or _is_paint(node.arg, node.value)):
            return
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _SHORTENING:
            self._expression(node.args[0], node.args, 0)
            return
        if isinstance(node, ast.Dict):
            self._entries(node)
            return
        for kind, new in changes(node, f"{self._file} {self._function}"):
            self._add(kind, node, holder, place, new)
        self._children(node)

    def _entries(self, node: ast.Dict) -> None:
        """The values of a literal, and its keys where they name columns; what only paints is left out."""
        for place, (key, value) in enumerate(zip(node.keys, node.values, strict=True)):
            name = key.value if isinstance(key, ast.Constant) else None
            if key is not None and isinstance(name, str) and name not in {"text", "title"}:
                for kind, new in changes(key, f"{self._file} {self._function}"):
                    if kind == "column":
                        self._add(kind, key, node.keys, place, new)
            elif key is not None:
                self._expression(key, node.keys, place)
            if not _is_paint(name, value) and (name != "width" or not _is_plain(value)):
                self._expression(value, node.values, place)

    def _add(self, kind: str, node: Any, holder: Any, place: Any, new: ast.AST) -> None:
        before, after = (_shown(one) for one in (node, new))
        if before == after:
            return
        function = self._function if self._inside else ""
        self.found.append(
            Mutant(
                self._file, function, self._first_line, self._lines, kind, before, after, self._tree, holder, place, new
            )
        )


def _fields(node: ast.AST) -> Iterator[tuple[str, Any]]:
    return (
        (name, value)
        for name, value in ast.iter_fields(node)
        if name not in {"annotation", "returns", "decorator_list"}
    )


def _shown(node: ast.AST) -> str:
    text = " ".join(ast.unparse(ast.fix_missing_locations(node)).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 8]}…{sha256(text.encode()).hexdigest()[:6]}"


def _is_paint(name: object, value: ast.AST) -> bool:
    """Whether an entry of a chart only says how it looks."""
    return name in {"height", "margin"} or (name in _PAINT and _is_plain(value))


def _is_plain(node: ast.AST) -> bool:
    """Whether an expression is made of constants alone."""
    return all(
        isinstance(one, (ast.Constant, ast.Dict, ast.List, ast.Tuple, ast.expr_context, ast.UnaryOp, ast.USub))
        for one in ast.walk(node)
    )

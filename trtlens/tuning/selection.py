"""Finds, for each engine layer, the candidate that it runs: by the tactic's id, then by what its tensors show."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

from trtlens.quantities import tactic_text
from trtlens.tables.layer_kinds import NO_WORK
from trtlens.tuning.combination_matcher import Fitting, Known
from trtlens.tuning.kept_strategy import kept_rows
from trtlens.tuning.matching import EngineLayer, Match, Matcher
from trtlens.tuning.operands import NO_OPERANDS, Operands, operands_of_layers, stated_formats
from trtlens.tuning.record import Tried

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from trtlens.tuning.combinations import Grouping

LARGEST_COUNTED_ID = 2**32
"""Tactic ids up to here count a runner's tactics: the same id means another kernel for another runner."""
_ADDED = "Reformatting CopyNode for "
_MOST_LINES = 4

NOTHING_TO_TIME = "launches no kernel, so the tuner has nothing to time"
ADDED_REFORMAT = "a reformat that the builder put in: its tactics stand in the table reformat_candidates"
NO_RECORD = "the log names no tactic for this layer"
CACHE_ANSWERED = "no tactic stands under this layer's name: the timing cache answered for its formats"
NO_TACTIC_ID = "the engine's row does not state the layer's tactic"
OTHER_KERNEL = "no row of the operation's cost table names the kernel that the engine runs"
OTHER_FORMATS = "the operation's kernels were timed in other formats of the region than those that it runs in"
SEVERAL_TABLES = "the operation was tuned several times, and the log does not say which result the engine has"


@dataclass(slots=True)
class Choice:
    """What is known of one engine layer's choice: ``candidate`` (its position) and ``group``, else the ``reason``."""

    build: int
    index: int
    match: Match
    candidate: int | None = None
    group: int | None = None
    reason: str | None = None
    open_groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Open:
    """A layer that is being settled: its choice so far, its row of the table `layers`, its tensors."""

    choice: Choice
    row: dict[str, Any]
    operands: Operands

    @property
    def runner(self) -> str | None:
        """The runner that a tactic's id must be of, where the id alone does not name the kernel."""
        return self.row["type"] if self.row["tactic_id"] <= LARGEST_COUNTED_ID else None


class Chooser:
    """Settles the choices of all builds; ``tried`` is the tuner's record that they are made from."""

    def __init__(self, tables: Mapping[str, pa.Table], grouping: Grouping) -> None:
        self._tables = tables
        self.tried = Tried(tables, grouping)
        versions = zip(*(tables["builds"][name].to_pylist() for name in ("build", "tensorrt_version")), strict=True)
        self._innermost_first = {build: (version or "").startswith("7.") for build, version in versions}
        self._fitting = Fitting(self.tried.rows, self._innermost_first)

    def groups_of(self, choice: Choice) -> list[int]:
        """Combinations of the layer that a choice is about."""
        return self.tried.groups.get((choice.build, choice.match.layer or ""), [])

    def operation_rows(self, choice: Choice) -> list[int]:
        """Candidates of the operation that a choice is about; empty for a whole layer."""
        if choice.match.op is None:
            return []
        return self.tried.operations.get((choice.build, choice.match.layer, choice.match.op), [])

    def choose(self) -> list[Choice]:
        """A choice for each engine layer, settled as far as the log goes."""
        operands = operands_of_layers(self._tables["layer_tensors"])
        stated = stated_formats(self._added_reformats(), innermost_first=self._innermost_first)
        layers: dict[int, list[dict[str, Any]]] = defaultdict(list)
        columns = ["build", "index", "name", "type", "tactic_id", "tactic_name", "onnx_nodes"]
        for row in self._tables["layers"].select(columns).to_pylist():
            layers[row["build"]].append(row)
        choices: list[Choice] = []
        for build, rows in layers.items():
            known = {name: form for (number, name), form in stated.items() if number == build}
            own = [operands.get((build, row["index"]), NO_OPERANDS) for row in rows]
            choices += self._choose_build(build, rows, own, known)
        return choices

    def _added_reformats(self) -> list[dict[str, Any]]:
        """Reformats that the builder announced; only those of the strategy whose engine was kept."""
        rows: list[dict[str, Any]] = kept_rows(self._tables, "added_reformats").to_pylist()
        return rows

    def _choose_build(
        self, build: int, rows: Sequence[dict[str, Any]], operands: Sequence[Operands], known: Known
    ) -> list[Choice]:
        layers = [
            EngineLayer(row["name"], own, tuple(row["onnx_nodes"] or ()))
            for row, own in zip(rows, operands, strict=True)
        ]
        matches = self._matcher(build).match(layers)
        layers_open = [
            _Open(Choice(build, row["index"], match), row, own)
            for row, match, own in zip(rows, matches, operands, strict=True)
        ]
        for layer in layers_open:
            self._open(layer.choice, layer.row)
        self._settle([layer for layer in layers_open if layer.choice.open_groups], known)
        for layer in layers_open:
            if layer.choice.match.by == "operation":
                self._settle_operation(layer.choice, layer.row)
        return [layer.choice for layer in layers_open]

    def _matcher(self, build: int) -> Matcher:
        timed = {layer for number, layer in self.tried.groups if number == build}
        operations: dict[str, set[str]] = defaultdict(set)
        for number, layer, op in self.tried.operations:
            if number == build and layer is not None:
                operations[layer].add(op)
                timed.add(layer)
        nodes = {
            row["layer"]: frozenset(row["onnx_nodes"] or ())
            for row in kept_rows(self._tables, "regions").to_pylist()
            if row["build"] == build and row["layer"] in timed
        }
        return Matcher(timed, operations, nodes)

    # -- by the tactic's id ------------------------------------------------------------------------------------------

    def _open(self, choice: Choice, row: dict[str, Any]) -> None:
        """The combinations that the layer's tactic leaves open, or the reason why there are none."""
        groups = self.groups_of(choice)
        if choice.match.by in {"region", "operation"}:
            choice.open_groups = self.tried.timed(choice.build, choice.match.layer or "")
        elif not any(group in self.tried.positions for group in groups):
            choice.reason = self._no_record(choice, row)
        elif row["tactic_id"] is None:
            choice.reason = NO_TACTIC_ID
        else:
            runner = row["type"] if row["tactic_id"] <= LARGEST_COUNTED_ID else None
            choice.open_groups = self.tried.won(choice.build, choice.match.layer or "", row["tactic_id"], runner)
            if not choice.open_groups:
                choice.reason = self._not_timed(row["tactic_id"], groups)

    def _no_record(self, choice: Choice, row: dict[str, Any]) -> str:
        if row["type"] in NO_WORK:
            return NOTHING_TO_TIME
        if row["name"].startswith(_ADDED):
            return ADDED_REFORMAT
        bare = self.tried.bare(choice.build, row["name"]) or self.tried.bare(choice.build, None)
        return CACHE_ANSWERED if bare else NO_RECORD

    def _not_timed(self, tactic_id: int, groups: Sequence[int]) -> str:
        bare = sum(group not in self.tried.positions for group in groups)
        cache = f"; the timing cache answered for {bare} of its {len(groups)} format combinations" if bare else ""
        return f"{tactic_text(tactic_id)} was not timed under this layer's name{cache}"

    # -- by its tensors ----------------------------------------------------------------------------------------------

    def _settle(self, waiting: Sequence[_Open], known: Known) -> None:
        """Settle layer after layer; each one settled fixes the formats of its tensors for its neighbours."""
        left = -1
        while waiting and len(waiting) != left:
            left = len(waiting)
            waiting = [layer for layer in waiting if not self._is_settled(layer, known)]
        for layer in waiting:
            layer.choice.reason = self._undecided(layer, known)

    def _is_settled(self, layer: _Open, known: Known) -> bool:
        choice = layer.choice
        fitting = self._fitting.fitting(choice.open_groups, choice.match, layer.operands, known)
        if len(fitting) != 1:
            return False
        choice.group = fitting[0]
        if choice.match.by == "name":
            choice.candidate = self.tried.row_of(fitting[0], layer.row["tactic_id"], layer.runner)
            self._fitting.learn(fitting[0], layer.operands, known)
        else:
            choice.candidate = self.tried.row_of(fitting[0], None, None)
        return True

    def _undecided(self, layer: _Open, known: Known) -> str:
        choice = layer.choice
        fitting = self._fitting.fitting(choice.open_groups, choice.match, layer.operands, known)
        what = "the region" if choice.match.by != "name" else tactic_text(layer.row["tactic_id"])
        if not fitting:
            return f"{what} was timed, but in no format combination that the engine's tensors have"
        lines = ", ".join(str(self.tried.rows["line"][group]) for group in fitting[:_MOST_LINES])
        more = ", .." if len(fitting) > _MOST_LINES else ""
        return f"{what} fits {len(fitting)} format combinations that the log does not tell apart (lines {lines}{more})"

    # -- Myelin ------------------------------------------------------------------------------------------------------

    def _settle_operation(self, choice: Choice, row: dict[str, Any]) -> None:
        """The row of an operation's cost table whose kernel the engine's layer states."""
        tried = self.tried
        rows = tried.below(self.operation_rows(choice), choice.group)
        tables = {int(tried.lines[p]) - i for i, p in enumerate(rows)}  # rows of one table stand on consecutive lines
        kernel = row["tactic_name"]
        named = [p for p in rows if kernel is not None and tried.name(p) == kernel]
        choice.candidate, choice.reason = None, None
        if not rows:
            choice.reason = OTHER_FORMATS
        elif not named:
            choice.reason = OTHER_KERNEL
        elif len(tables) > 1:
            choice.reason = SEVERAL_TABLES
        else:
            choice.candidate = min(named, key=lambda p: (isnan(tried.times[p]), tried.times[p], p))

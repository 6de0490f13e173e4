"""Finds, for each engine layer, the candidate that it runs: by the tactic's id, then by what its tensors show."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

from trtlens.quantities import tactic_text
from trtlens.tables.engine_layers import NO_WORK, EngineLayer, read_layers
from trtlens.tuning.combination_matcher import CombinationMatcher, Known, innermost_first_of, stated_formats
from trtlens.tuning.kept_strategy import kept_rows
from trtlens.tuning.matching import Match, Matcher
from trtlens.tuning.record import TuningRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from trtlens.tuning.combinations import Grouping

LARGEST_COUNTED_ID = 2**32
"""Tactic ids up to here count a runner's tactics: the same id means another kernel for another runner."""
_ADDED = "Reformatting CopyNode for "
_MOST_LINES = 4
_LAYER_COLUMNS = (
    "build", "index", "name", "type", "tactic_id", "tactic_name", "parameters", "is_reformat", "onnx_nodes",
)  # fmt: skip

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
    """A layer that is being settled, with its choice so far."""

    choice: Choice
    layer: EngineLayer


def _runner(layer: EngineLayer) -> str | None:
    """The runner that a tactic's id must be of, where the id alone does not name the kernel."""
    counted = layer.tactic_id is not None and layer.tactic_id <= LARGEST_COUNTED_ID
    return layer.type if counted else None


class Chooser:
    """Settles the choices of all builds; ``record`` is the tuner's record that they are made from."""

    def __init__(self, tables: Mapping[str, pa.Table], grouping: Grouping) -> None:
        self._tables = tables
        self._layers = read_layers(tables, _LAYER_COLUMNS)
        self.record: TuningRecord = TuningRecord(tables, grouping)
        self._innermost_first = innermost_first_of(tables)
        self._combinations = CombinationMatcher(self.record.rows, self._innermost_first)

    def layers(self) -> dict[tuple[int, int], EngineLayer]:
        """Every engine layer, by build and index."""
        return {(build, layer.index): layer for build, layers in self._layers.items() for layer in layers}

    def groups_of(self, choice: Choice) -> list[int]:
        """Combinations of the layer that a choice is about."""
        return self.record.groups.get((choice.build, choice.match.layer or ""), [])

    def operation_rows(self, choice: Choice) -> list[int]:
        """Candidates of the operation that a choice is about; empty for a whole layer."""
        if choice.match.op is None:
            return []
        return self.record.operations.get((choice.build, choice.match.layer, choice.match.op), [])

    def choose(self) -> list[Choice]:
        """A choice for each engine layer, settled as far as the log goes."""
        stated = stated_formats(self._added_reformats(), innermost_first=self._innermost_first)
        choices: list[Choice] = []
        for build, layers in self._layers.items():
            known = {name: form for (number, name), form in stated.items() if number == build}
            choices += self._choose_build(build, layers, known)
        return choices

    def _added_reformats(self) -> list[dict[str, Any]]:
        """Reformats that the builder announced; only those of the strategy whose engine was kept."""
        rows: list[dict[str, Any]] = kept_rows(self._tables, "added_reformats").to_pylist()
        return rows

    def _choose_build(self, build: int, layers: Sequence[EngineLayer], known: Known) -> list[Choice]:
        matches = self._matcher(build).match(layers)
        opened = [_Open(Choice(build, layer.index, match), layer) for layer, match in zip(layers, matches, strict=True)]
        for one in opened:
            self._open(one.choice, one.layer)
        self._settle([one for one in opened if one.choice.open_groups], known)
        for one in opened:
            if one.choice.match.by == "operation":
                self._settle_operation(one.choice, one.layer)
        return [one.choice for one in opened]

    def _matcher(self, build: int) -> Matcher:
        timed = {layer for number, layer in self.record.groups if number == build}
        operations: dict[str, set[str]] = defaultdict(set)
        for number, layer, op in self.record.operations:
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

    def _open(self, choice: Choice, layer: EngineLayer) -> None:
        """The combinations that the layer's tactic leaves open, or the reason why there are none."""
        groups = self.groups_of(choice)
        if choice.match.by in {"region", "operation"}:
            choice.open_groups = self.record.timed(choice.build, choice.match.layer or "")
        elif not any(group in self.record.positions for group in groups):
            choice.reason = self._no_record(choice, layer)
        elif layer.tactic_id is None:
            choice.reason = NO_TACTIC_ID
        else:
            tactic_id, runner = layer.tactic_id, _runner(layer)
            choice.open_groups = self.record.won(choice.build, choice.match.layer or "", tactic_id, runner)
            if not choice.open_groups:
                choice.reason = self._not_timed(tactic_id, groups)

    def _no_record(self, choice: Choice, layer: EngineLayer) -> str:
        if layer.type in NO_WORK:
            return NOTHING_TO_TIME
        if layer.name.startswith(_ADDED):
            return ADDED_REFORMAT
        bare = self.record.bare(choice.build, layer.name) or self.record.bare(choice.build, None)
        return CACHE_ANSWERED if bare else NO_RECORD

    def _not_timed(self, tactic_id: int, groups: Sequence[int]) -> str:
        bare = sum(group not in self.record.positions for group in groups)
        cache = f"; the timing cache answered for {bare} of its {len(groups)} format combinations" if bare else ""
        return f"{tactic_text(tactic_id)} was not timed under this layer's name{cache}"

    # -- by its tensors ----------------------------------------------------------------------------------------------

    def _settle(self, waiting: Sequence[_Open], known: Known) -> None:
        """Settle layer after layer; each one settled fixes the formats of its tensors for its neighbours."""
        left = -1
        while waiting and len(waiting) != left:
            left = len(waiting)
            waiting = [one for one in waiting if not self._is_settled(one, known)]
        for one in waiting:
            one.choice.reason = self._undecided(one, known)

    def _is_settled(self, one: _Open, known: Known) -> bool:
        choice = one.choice
        compatible = self._combinations.compatible(choice.open_groups, choice.match, one.layer, known)
        if len(compatible) != 1:
            return False
        choice.group = compatible[0]
        if choice.match.by == "name":
            choice.candidate = self.record.row_of(compatible[0], one.layer.tactic_id, _runner(one.layer))
            self._combinations.learn(compatible[0], one.layer, known)
        else:
            choice.candidate = self.record.row_of(compatible[0], None, None)
        return True

    def _undecided(self, one: _Open, known: Known) -> str:
        choice = one.choice
        compatible = self._combinations.compatible(choice.open_groups, choice.match, one.layer, known)
        what = "the region" if choice.match.by != "name" else tactic_text(one.layer.tactic_id)
        if not compatible:
            return f"{what} was timed, but in no format combination that the engine's tensors have"
        lines = ", ".join(str(self.record.rows["line"][group]) for group in compatible[:_MOST_LINES])
        more = ", .." if len(compatible) > _MOST_LINES else ""
        return (
            f"{what} fits {len(compatible)} format combinations that the log does not tell apart (lines {lines}{more})"
        )

    # -- Myelin ------------------------------------------------------------------------------------------------------

    def _settle_operation(self, choice: Choice, layer: EngineLayer) -> None:
        """The row of an operation's cost table whose kernel the engine's layer states."""
        record = self.record
        rows = record.below(self.operation_rows(choice), choice.group)
        tables = {int(record.lines[p]) - i for i, p in enumerate(rows)}  # rows of one table stand on consecutive lines
        kernel = layer.tactic_name
        named = [p for p in rows if kernel is not None and record.name(p) == kernel]
        choice.candidate, choice.reason = None, None
        if not rows:
            choice.reason = OTHER_FORMATS
        elif not named:
            choice.reason = OTHER_KERNEL
        elif len(tables) > 1:
            choice.reason = SEVERAL_TABLES
        else:
            choice.candidate = min(named, key=lambda p: (isnan(record.times[p]), record.times[p], p))

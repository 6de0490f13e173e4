"""Finds, for each engine layer, the candidate that it runs: by the tactic's id, then by what its tensors show."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trtlens.combinations import NOT_SHOWN, ONLY_OPTION, Grouping, decoded
from trtlens.matching import EngineLayer, Match, Matcher
from trtlens.operands import NO_OPERANDS, Operands, combination_fits, operands_of_layers, read_combination, stated_formats

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from trtlens_parsers.strides import FormatCombination, StridedTensor

LARGEST_COUNTED_ID = 2**32
"""Tactic ids up to here count a runner's tactics: the same id means another kernel for another runner."""
NO_WORK = frozenset({"Constant", "NoOp", "Shape", "signal", "wait", "shape_call"})
_ADDED = "Reformatting CopyNode for "
_MOST_LINES = 4

NOTHING_TO_TIME = "launches no kernel, so the tuner has nothing to time"
ADDED_REFORMAT = "a reformat that the builder put in: its tactics stand in the table reformat_candidates"
NO_RECORD = "the log names no tactic for this layer"
CACHE_ANSWERED = "no tactic stands under this layer's name: the timing cache answered for its formats"
NO_TACTIC_ID = "the engine's row does not state the layer's tactic"


@dataclass(slots=True)
class Choice:
    """What is known of one engine layer's choice: ``candidate`` (its position) and ``group``, else the ``reason``."""

    build: int
    index: int
    match: Match
    candidate: int | None = None
    group: int | None = None
    reason: str | None = None
    open_groups: list[int] = field(default_factory=list)


class Chooser:
    """Settles the choices of all builds; ``positions`` are the candidates of each combination."""

    def __init__(self, tables: Mapping[str, pa.Table], grouping: Grouping) -> None:
        self._tables = tables
        self._rows = grouping.rows
        candidates = tables["candidates"]
        self._ids: list[int | None] = candidates["tactic_id"].to_pylist()
        self._times: list[float | None] = candidates["time_ms"].to_pylist()
        self._lines: list[int] = candidates["line"].to_pylist()
        self._names, self._runners, self._reasons, self._ops, self._layers = (
            decoded(candidates[name]) for name in ("tactic_name", "runner", "reason", "op", "layer")
        )
        self._builds: list[int] = candidates["build"].to_pylist()
        self.positions: dict[int, list[int]] = defaultdict(list)
        self._operations: dict[tuple[int, str | None, str], list[int]] = defaultdict(list)
        for position, group in enumerate(grouping.of_candidate.tolist()):
            if group >= 0:
                self.positions[group].append(position)
            else:
                self._operations[self._builds[position], self._layers[position], self._ops[position]].append(position)
        self._kept = {
            row["build"]: row["strategy"] for row in tables["strategies"].to_pylist() if row["kept"] is True
        }
        self._groups: dict[tuple[int, str], list[int]] = defaultdict(list)
        for group, (build, layer) in enumerate(zip(self._rows["build"], self._rows["layer"], strict=True)):
            if layer is not None and not self._is_rejected(group):
                self._groups[build, layer].append(group)
        self._winners = self._read_winners()
        versions = zip(*(tables["builds"][name].to_pylist() for name in ("build", "tensorrt_version")), strict=True)
        self._innermost_first = {build: (version or "").startswith("7.") for build, version in versions}
        self._formats: dict[int, FormatCombination | None] = {}

    def _is_rejected(self, group: int) -> bool:
        kept = self._kept.get(self._rows["build"][group])
        return kept is not None and self._rows["strategy"][group] not in {kept, None}

    def rejected_groups(self) -> list[int]:
        """Combinations of strategies whose engine was not kept."""
        return [group for group in range(len(self._rows["line"])) if self._is_rejected(group)]

    def groups_of(self, choice: Choice) -> list[int]:
        """Combinations of the layer that a choice is about."""
        return self._groups.get((choice.build, choice.match.layer or ""), [])

    def operation_rows(self, choice: Choice) -> list[int]:
        """Candidates of the operation that a choice is about; empty for a whole layer."""
        if choice.match.op is None:
            return []
        return self._operations.get((choice.build, choice.match.layer, choice.match.op), [])

    def _read_winners(self) -> dict[int, tuple[str, int | None]]:
        """Runner and tactic that won each combination, as ``Chose Runner Type`` says."""
        places: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        keys = ("build", "layer", "input_formats", "output_formats")
        for group, key in enumerate(zip(*(self._rows[name] for name in keys), strict=True)):
            places[key].append(group)
        winners: dict[int, tuple[str, int | None]] = {}
        for row in self._tables["choices"].to_pylist():
            above = [g for g in places[tuple(row[name] for name in keys)] if self._rows["line"][g] < row["line"]]
            if above and not row["is_reformat"]:
                winners[max(above, key=lambda g: self._rows["line"][g])] = row["runner"], row["tactic_id"]
        return winners

    # -- one build after the other -----------------------------------------------------------------------------------

    def choose(self) -> list[Choice]:
        """A choice for each engine layer, settled as far as the log goes."""
        operands = operands_of_layers(self._tables["layer_tensors"])
        stated = stated_formats(self._tables["added_reformats"], innermost_first=self._innermost_first)
        layers: dict[int, list[dict[str, Any]]] = defaultdict(list)
        columns = ("build", "index", "name", "type", "tactic_id", "tactic_name", "onnx_nodes")
        for row in self._tables["layers"].select(columns).to_pylist():
            layers[row["build"]].append(row)
        choices: list[Choice] = []
        for build, rows in layers.items():
            known = {name: form for (number, name), form in stated.items() if number == build}
            choices += self._choose_build(build, rows, operands, known)
        return choices

    def _choose_build(
        self,
        build: int,
        rows: Sequence[dict[str, Any]],
        operands: Mapping[tuple[int, int], Operands],
        known: dict[str, StridedTensor],
    ) -> list[Choice]:
        own = [operands.get((build, row["index"]), NO_OPERANDS) for row in rows]
        layers = [
            EngineLayer(row["name"], tensors, tuple(row["onnx_nodes"] or ()))
            for row, tensors in zip(rows, own, strict=True)
        ]
        matches = self._matcher(build).match(layers)
        choices = [Choice(build, row["index"], match) for row, match in zip(rows, matches, strict=True)]
        for choice, row in zip(choices, rows, strict=True):
            self._open(choice, row)
        self._settle(choices, rows, own, known)
        for choice, row in zip(choices, rows, strict=True):
            if choice.match.by == "operation":
                self._settle_operation(choice, row)
        return choices

    def _matcher(self, build: int) -> Matcher:
        timed = {layer for number, layer in self._groups if number == build}
        operations: dict[str, set[str]] = defaultdict(set)
        for number, layer, op in self._operations:
            if number == build and layer is not None:
                operations[layer].add(op)
                timed.add(layer)
        nodes = {
            row["layer"]: frozenset(row["onnx_nodes"] or ())
            for row in self._tables["regions"].to_pylist()
            if row["build"] == build and row["layer"] in timed
        }
        return Matcher(timed, operations, nodes)

    def _open(self, choice: Choice, row: dict[str, Any]) -> None:
        """The combinations that the layer's tactic leaves open, or the reason why there are none."""
        groups = self.groups_of(choice)
        if choice.match.by in {"region", "operation"}:
            choice.open_groups = [g for g in groups if self._row_of(g, None, None) is not None]
        elif not any(self.positions.get(group) for group in groups):
            choice.reason = self._no_record(choice, row)
        elif row["tactic_id"] is None:
            choice.reason = NO_TACTIC_ID
        else:
            runner = row["type"] if row["tactic_id"] <= LARGEST_COUNTED_ID else None
            choice.open_groups = self._won(groups, row["tactic_id"], runner)
            if not choice.open_groups:
                choice.reason = self._not_timed(row["tactic_id"], groups)

    def _no_record(self, choice: Choice, row: dict[str, Any]) -> str:
        if row["type"] in NO_WORK:
            return NOTHING_TO_TIME
        if row["name"].startswith(_ADDED):
            return ADDED_REFORMAT
        bare = any(
            not self.positions.get(group)
            for group, build in enumerate(self._rows["build"])
            if build == choice.build and self._rows["layer"][group] in {None, row["name"]}
        )
        return CACHE_ANSWERED if bare else NO_RECORD

    def _not_timed(self, tactic_id: int, groups: Sequence[int]) -> str:
        bare = sum(not self.positions.get(group) for group in groups)
        cache = f"; the timing cache answered for {bare} of its {len(groups)} format combinations" if bare else ""
        return f"tactic 0x{tactic_id:016x} was not timed under this layer's name{cache}"

    def _won(self, groups: Sequence[int], tactic_id: int, runner: str | None) -> list[int]:
        """Combinations that the tactic won; where the log states no winner, those in which it was timed."""
        tried = {group: self._row_of(group, tactic_id, runner) for group in groups}
        timed = [group for group, position in tried.items() if position is not None]
        won = [group for group in timed if self._winners.get(group, (None, None))[1] == tactic_id]
        return won or [group for group in timed if group not in self._winners]

    def _row_of(self, group: int, tactic_id: int | None, runner: str | None) -> int | None:
        """The fastest candidate of a combination with this id (any for None), else the one that was the only option."""
        positions = [p for p in self.positions.get(group, ()) if tactic_id is None or self._ids[p] == tactic_id]
        if runner is not None and runner in {self._runners[p] for p in positions}:
            positions = [p for p in positions if self._runners[p] == runner]
        timed = [p for p in positions if self._times[p] is not None]
        if timed:
            return min(timed, key=lambda p: (self._times[p], p))
        return next((p for p in positions if self._reasons[p] == ONLY_OPTION), None)

    # -- formats -----------------------------------------------------------------------------------------------------

    def _settle(
        self,
        choices: Sequence[Choice],
        rows: Sequence[dict[str, Any]],
        operands: Sequence[Operands],
        known: dict[str, StridedTensor],
    ) -> None:
        """Settle layer after layer; each one settled fixes the formats of its tensors for its neighbours."""
        waiting = [i for i, choice in enumerate(choices) if choice.open_groups]
        left = -1
        while waiting and len(waiting) != left:
            left = len(waiting)
            waiting = [i for i in waiting if not self._try(choices[i], rows[i], operands[i], known)]
        for i in waiting:
            choices[i].reason = self._undecided(choices[i], rows[i], operands[i], known)

    def _try(
        self, choice: Choice, row: dict[str, Any], operands: Operands, known: dict[str, StridedTensor]
    ) -> bool:
        fitting = self._fitting(choice, operands, known)
        if len(fitting) != 1:
            return False
        choice.group = fitting[0]
        is_region = choice.match.by != "name"
        runner = row["type"] if not is_region and row["tactic_id"] <= LARGEST_COUNTED_ID else None
        choice.candidate = self._row_of(fitting[0], None if is_region else row["tactic_id"], runner)
        combination = self._combination(fitting[0])
        if combination is not None and not is_region:
            for own, tried in ((operands.inputs, combination.inputs), (operands.outputs, combination.outputs)):
                if len(own) == len(tried):
                    known.update({o.name: s for o, s in zip(own, tried, strict=True) if o.name not in known})
        return True

    def _fitting(self, choice: Choice, operands: Operands, known: Mapping[str, StridedTensor]) -> list[int]:
        if choice.match.by != "name":
            return [g for g in choice.open_groups if self._region_fits(choice.match.layer or "", g, known)]
        return [group for group in choice.open_groups if self._fits(group, operands, known)]

    def _fits(self, group: int, operands: Operands, known: Mapping[str, StridedTensor]) -> bool:
        combination = self._combination(group)
        return combination is None or combination_fits(operands, combination, known)

    def _region_fits(self, region: str, group: int, known: Mapping[str, StridedTensor]) -> bool:
        """Whether the tensors that were reformatted for the region have the combination's formats."""
        combination = self._combination(group)
        if combination is None:
            return True
        for side, tried in (("Input", combination.inputs), ("Output", combination.outputs)):
            for position, strided in enumerate(tried):
                stated = known.get(f"Reformatted {side} Tensor {position} to {region}")
                if stated is not None and stated.format.text != strided.format.text:
                    return False
        return True

    def _combination(self, group: int) -> FormatCombination | None:
        if group not in self._formats:
            innermost_first = self._innermost_first.get(self._rows["build"][group], False)
            self._formats[group] = read_combination(
                self._rows["input_formats"][group], self._rows["output_formats"][group], innermost_first=innermost_first
            )
        return self._formats[group]

    def _undecided(
        self, choice: Choice, row: dict[str, Any], operands: Operands, known: Mapping[str, StridedTensor]
    ) -> str:
        fitting = self._fitting(choice, operands, known)
        what = "the region" if choice.match.by != "name" else f"tactic 0x{row['tactic_id']:016x}"
        if not fitting:
            return f"{what} was timed, but in no format combination that the engine's tensors have"
        lines = ", ".join(str(self._rows["line"][group]) for group in fitting[:_MOST_LINES])
        more = ", .." if len(fitting) > _MOST_LINES else ""
        return f"{what} fits {len(fitting)} format combinations that the log does not tell apart (lines {lines}{more})"

    # -- Myelin ------------------------------------------------------------------------------------------------------

    def _settle_operation(self, choice: Choice, row: dict[str, Any]) -> None:
        """The row of an operation's cost table whose kernel the engine's layer states."""
        rows = self._rows_in_group(self.operation_rows(choice), choice)
        tables = {self._lines[p] - i for i, p in enumerate(rows)}  # rows of one table stand on consecutive lines
        named = [p for p in rows if self._names[p] is not None and self._names[p] == row["tactic_name"]]
        choice.candidate = None
        if not named:
            choice.reason = "no row of the operation's cost table names the kernel that the engine runs"
        elif len(tables) > 1:
            choice.reason = "the operation was tuned several times, and the log does not say which result the engine has"
        else:
            choice.candidate, choice.reason = min(named, key=lambda p: (self._times[p] is None, self._times[p], p)), None

    def _rows_in_group(self, rows: Iterable[int], choice: Choice) -> list[int]:
        """Those rows that stand below the header of the choice's combination, before the next header."""
        if choice.group is None:
            return list(rows)
        start = self._rows["line"][choice.group]
        later = [line for line, build in zip(self._rows["line"], self._rows["build"], strict=True) if build == choice.build and line > start]
        end = min(later, default=None)
        return [p for p in rows if self._lines[p] > start and (end is None or self._lines[p] < end)]

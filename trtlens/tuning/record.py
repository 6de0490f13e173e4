"""What the tuner tried, by combination and by operation: candidates, winners, and the strategies that were kept."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.tables.arrays import decoded, filled, of_numpy, positions_by_code, rows_of, to_numpy
from trtlens.tuning.combinations import ONLY_OPTION, Grouping
from trtlens.tuning.kept_strategy import is_rejected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

_KEYS = ("build", "layer", "input_formats", "output_formats")
_NO_ID = 2**64 - 1
_NOTHING = np.empty(0, np.int64)


class TuningRecord:
    """The candidates of a run, each known by its position in the table.

    Attributes:
        rows: columns of the combinations.
        positions: candidates of each combination that has any.
        groups: combinations of each layer, by build and name, those of strategies that were not kept left out.
        operations: candidates of each operation inside a Myelin region, by build, region and operation; likewise.
        lines: line of each candidate.
        times: milliseconds of each candidate; NaN for none.
    """

    def __init__(self, tables: Mapping[str, pa.Table], grouping: Grouping) -> None:
        self.rows: dict[str, list[Any]] = grouping.rows
        candidates = tables["candidates"]
        self._ids = to_numpy(filled(candidates["tactic_id"], _NO_ID))
        self.times: np.ndarray = to_numpy(candidates["time_ms"])
        self.lines: np.ndarray = to_numpy(candidates["line"])
        self._texts = {name: candidates[name] for name in ("tactic_name", "runner", "reason")}
        self.positions: dict[int, np.ndarray] = positions_by_code(grouping.of_candidate)
        operations = np.flatnonzero((grouping.of_candidate < 0) & ~is_rejected(tables, candidates))
        self.operations: dict[tuple[int, str | None, str], list[int]] = _by_operation(candidates, operations)
        strategies = tables["strategies"].to_pylist()
        self._rejected = {(row["build"], row["strategy"]) for row in strategies if row["kept"] is False}
        self.groups: dict[tuple[int, str], list[int]] = defaultdict(list)
        for group, (build, layer) in enumerate(zip(self.rows["build"], self.rows["layer"], strict=True)):
            if layer is not None and not self._is_rejected(group):
                self.groups[build, layer].append(group)
        self._winners = self._read_winners(rows_of(tables["choices"]))
        self._bare, self._headers = self._read_bare(), self._read_headers()
        # layers of one name and tactic, and the parts of one region, ask alike
        self._won: dict[tuple[int, str, int, str | None], tuple[int, ...]] = {}
        self._timed: dict[tuple[int, str], tuple[int, ...]] = {}

    def name(self, position: int) -> str | None:
        """Kernel of a candidate."""
        return self._text("tactic_name", position)

    def _text(self, column: str, position: int) -> str | None:
        value: str | None = self._texts[column][position].as_py()
        return value

    def _is_rejected(self, group: int) -> bool:
        return (self.rows["build"][group], self.rows["strategy"][group]) in self._rejected

    def rejected_groups(self) -> list[int]:
        """Combinations of strategies whose engine was not kept."""
        return [group for group in range(len(self.rows["line"])) if self._is_rejected(group)]

    def _read_winners(self, choices: Sequence[Mapping[str, Any]]) -> dict[int, int | None]:
        """The tactic that won each combination, as ``Chose Runner Type`` says."""
        places: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for group, key in enumerate(zip(*(self.rows[name] for name in _KEYS), strict=True)):
            places[key].append(group)
        line_of = self.rows["line"].__getitem__
        for groups in places.values():
            groups.sort(key=line_of)
        winners: dict[int, int | None] = {}
        for row in choices:
            groups = places.get(tuple(row[name] for name in _KEYS), [])
            above = bisect_left(groups, row["line"], key=line_of)
            if above and not row["is_reformat"]:
                winners[groups[above - 1]] = row["tactic_id"]
        return winners

    def timed(self, build: int, layer: str) -> tuple[int, ...]:
        """Combinations of a layer in which any tactic was timed, or was the only option."""
        key = (build, layer)
        if key not in self._timed:
            groups = self.groups.get(key, ())
            self._timed[key] = tuple(group for group in groups if self.row_of(group, None, None) is not None)
        return self._timed[key]

    def won(self, build: int, layer: str, tactic_id: int, runner: str | None) -> tuple[int, ...]:
        """Combinations of a layer in which the tactic was timed and, as far as the log states a winner, won."""
        key = (build, layer, tactic_id, runner)
        if key not in self._won:
            groups = self.groups.get((build, layer), ())
            timed = [group for group in groups if self.row_of(group, tactic_id, runner) is not None]
            self._won[key] = tuple(group for group in timed if self._winners.get(group, tactic_id) == tactic_id)
        return self._won[key]

    def row_of(self, group: int, tactic_id: int | None, runner: str | None) -> int | None:
        """The fastest candidate of a combination with this id (any for None), else the one that was the only option."""
        positions = self.positions.get(group, _NOTHING)
        if tactic_id is not None:
            positions = positions[self._ids[positions] == tactic_id]
        if runner is not None and len(positions):
            own = [p for p in positions.tolist() if self._text("runner", p) == runner]
            positions = np.asarray(own, np.int64) if own else positions
        times = self.times[positions]
        if np.isnan(times).all():
            return next((p for p in positions.tolist() if self._text("reason", p) == ONLY_OPTION), None)
        return int(positions[np.nanargmin(times)])

    def bare(self, build: int, layer: str | None) -> bool:
        """Whether a format header of the layer (None: of none that is named) stands without any runner."""
        return (build, layer) in self._bare

    def _read_bare(self) -> frozenset[tuple[int, str | None]]:
        layers = zip(self.rows["build"], self.rows["layer"], strict=True)
        return frozenset(layer for group, layer in enumerate(layers) if group not in self.positions)

    def below(self, positions: Sequence[int], group: int | None) -> list[int]:
        """Those candidates that stand below a combination's header and above the next; all of them for None."""
        if group is None:
            return list(positions)
        start, headers = self.rows["line"][group], self._headers[self.rows["build"][group]]
        place = bisect_right(headers, start)
        end = headers[place] if place < len(headers) else None
        return [p for p in positions if self.lines[p] > start and (end is None or self.lines[p] < end)]

    def _read_headers(self) -> dict[int, list[int]]:
        """Lines of each build's combinations, in ascending order."""
        headers: dict[int, list[int]] = defaultdict(list)
        for line, build in sorted(zip(self.rows["line"], self.rows["build"], strict=True)):
            headers[build].append(line)
        return headers


def _by_operation(candidates: pa.Table, positions: np.ndarray) -> dict[tuple[int, str | None, str], list[int]]:
    """Positions of the candidates of each operation, by build, region and operation."""
    operations: dict[tuple[int, str | None, str], list[int]] = defaultdict(list)
    rows = candidates.select(["build", "layer", "op"]).take(of_numpy(positions))
    for position, *key in zip(positions.tolist(), *(decoded(column) for column in rows.columns), strict=True):
        operations[key[0], key[1], key[2]].append(position)
    return operations

"""Which tactics were tried in which format combination: the table `combinations`, completed from the candidates.

A combination's header (`Autotuning format combination: A -> B`) stands above the runners that were tried in it. Results
that come out of a timing cache carry their formats themselves (10.9 on) and may have no header; a header without any
runner below it (8.2 to 8.6) means that the cache answered and printed nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from trtlens.tables.arrays import decoded, filled, of_numpy, run_starts, to_numpy
from trtlens.tables.declarations import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOT_SHOWN = "not shown"
NOT_SHOWN_REASON = "the timing cache answered, and this version prints no line for that"
CUT_OFF = "cut off"
CUT_OFF_REASON = "the log ends before it was tuned"
_BEHIND_TUNING = "engine generation"
NO_VALID = "no valid tactics"
ONLY_OPTION = "the only option"
_KEYS = ("build", "layer", "input_formats", "output_formats")
_OWN = ("strategy", "profile")
_NO_STRATEGY = -1


class Grouping:
    """Rows of `combinations` (headers, then those that only candidates show) and the one that each candidate is of.

    Attributes:
        rows: the columns of `combinations` as far as headers and formats say, as Python lists.
        of_candidate: position in ``rows`` for each candidate, -1 for operations inside a Myelin region.
    """

    def __init__(self, tables: Mapping[str, pa.Table]) -> None:
        candidates, headers = tables["candidates"], tables["combinations"]
        self._codes: dict[str, dict[Any, int]] = {name: {} for name in _KEYS}
        self.rows: dict[str, list[Any]] = {name: decoded(headers[name]) for name in (*_KEYS, *_OWN, "line")}
        header_strategies = to_numpy(filled(headers["strategy"], _NO_STRATEGY))
        lines = to_numpy(candidates["line"])
        own_strategies = to_numpy(filled(candidates["strategy"], _NO_STRATEGY))
        header_keys, keys = self._keys(headers, header_strategies), self._keys(candidates, own_strategies)
        self.of_candidate: np.ndarray = _latest_header(
            header_keys, np.asarray(self.rows["line"], np.int64), keys, lines
        )
        is_operation = to_numpy(candidates["op"].is_valid())
        self._add_headless(candidates, keys, np.flatnonzero((self.of_candidate < 0) & ~is_operation))
        self.of_candidate[is_operation] = -1

    def _keys(self, table: pa.Table, strategies: np.ndarray) -> np.ndarray:
        """One row of small numbers for each row of the table: equal rows have equal numbers."""
        return np.stack([*(self._coded(name, table[name]) for name in _KEYS), strategies], axis=1)

    def _coded(self, name: str, column: pa.ChunkedArray) -> np.ndarray:
        """Numbers for the values of a column; a label's value is looked up once, however often it stands there."""
        codes, array = self._codes[name], column.combine_chunks()
        if not isinstance(array, pa.DictionaryArray):
            return to_numpy(array)
        values = [*array.dictionary.to_pylist(), None]
        numbers = np.array([codes.setdefault(value, len(codes)) for value in values], np.int64)
        of_rows: np.ndarray = numbers[to_numpy(filled(array.indices, len(values) - 1))]
        return of_rows

    def _add_headless(self, candidates: pa.Table, keys: np.ndarray, headless: np.ndarray) -> None:
        """Rows for candidates above which no header of their formats stands; the first one's line is the row's."""
        own = keys[headless]
        sort = np.lexsort(own.T)
        starts = run_starts(own[sort])
        first = sort[starts]  # the sort is stable: of equal rows the first one in the table comes first
        order = np.argsort(first)
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        lengths = np.diff(np.append(starts, len(sort)))
        self.of_candidate[headless[sort]] = len(self.rows["line"]) + np.repeat(rank, lengths)
        firsts = headless[first[order]]
        for name in (*_KEYS, *_OWN, "line"):
            self.rows[name] += decoded(candidates[name].take(of_numpy(firsts)))


def _latest_header(
    header_keys: np.ndarray, header_lines: np.ndarray, keys: np.ndarray, lines: np.ndarray
) -> np.ndarray:
    """For each candidate the last header above it, if that is of its build, layer and formats; else -1."""
    if not len(header_lines):
        return np.full(len(lines), -1, np.int64)
    places = np.searchsorted(header_lines, lines, side="right") - 1
    same = (places >= 0) & (header_keys[np.maximum(places, 0)] == keys).all(axis=1)
    return np.where(same, places, -1)


# -- the table -----------------------------------------------------------------------------------------------------


def complete_combinations(
    builds: pa.Table, candidates: pa.Table, grouping: Grouping, layer_indices: Sequence[int | None], chosen: pa.Array
) -> pa.Table:
    """The table `combinations` with the best tactic of each, in the order of the log."""
    count = len(grouping.rows["line"])
    best, timed, untimed = _best(candidates, grouping.of_candidate, count)
    outcomes, reasons = _outcomes(candidates, grouping.of_candidate, best, count)
    for group in _cut_off(builds, grouping):
        if outcomes[group] == NOT_SHOWN:
            outcomes[group], reasons[group] = CUT_OFF, CUT_OFF_REASON
    take = of_numpy(best, missing=best < 0)
    facts = {name: candidates[name].combine_chunks().take(take) for name in _BEST_COLUMNS}
    table = TABLES["combinations"].table({
        **grouping.rows, "layer_index": layer_indices, "chosen": chosen, "outcome": outcomes, "reason": reasons,
        "timed": timed, "skipped": untimed, **{_BEST_COLUMNS[name]: column for name, column in facts.items()},
    })  # fmt: skip
    return table.sort_by([("build", "ascending"), ("line", "ascending")])


_BEST_COLUMNS = {
    "time_ms": "time_ms", "tactic_id": "tactic_id", "tactic_name": "tactic_name", "split_k": "split_k",
    "runner": "runner", "precision": "precision", "unit": "unit", "line": "candidate_line",
}  # fmt: skip


def _cut_off(builds: pa.Table, grouping: Grouping) -> list[int]:
    """The last combination of each build whose log ends in the tuning: what would follow is not known."""
    rows = builds.select(["build", "finished", "last_phase"]).to_pylist()
    cut = {row["build"] for row in rows if not row["finished"] and row["last_phase"] != _BEHIND_TUNING}
    last: dict[int, int] = {}
    lines = grouping.rows["line"]
    for group, build in enumerate(grouping.rows["build"]):
        if build in cut and (build not in last or lines[group] > lines[last[build]]):
            last[build] = group
    return list(last.values())


def _best(candidates: pa.Table, groups: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each group: the position of its fastest tactic (-1 for none), tactics with and without a time."""
    times = to_numpy(candidates["time_ms"])
    has_time = ~np.isnan(times) & (groups >= 0)
    timed = np.bincount(groups[has_time], minlength=count)
    is_tactic = to_numpy(candidates["tactic_id"].is_valid())  # a runner without any valid tactic has a row, too
    untimed = np.bincount(groups[(groups >= 0) & ~has_time & is_tactic], minlength=count)
    positions = np.flatnonzero(has_time)
    order = positions[np.lexsort((positions, times[positions], groups[positions]))]
    fastest = order[run_starts(groups[order])]
    best = np.full(count, -1, np.int64)
    best[groups[fastest]] = fastest
    return best, timed, untimed


def _outcomes(
    candidates: pa.Table, groups: np.ndarray, best: np.ndarray, count: int
) -> tuple[list[str], list[str | None]]:
    """What became of each combination; of several reasons the first that says more than that no tactic was valid."""
    outcome_of, reason_of = decoded(candidates["outcome"]), decoded(candidates["reason"])
    outcomes, reasons = [NOT_SHOWN] * count, [NOT_SHOWN_REASON] * count
    told: list[str | None] = [*reasons]
    for position in np.flatnonzero((groups >= 0) & np.isnan(to_numpy(candidates["time_ms"]))).tolist():
        group, outcome, reason = int(groups[position]), outcome_of[position], reason_of[position]
        if outcomes[group] == NOT_SHOWN or told[group] == NO_VALID:
            outcomes[group], told[group] = outcome, reason
    for group in np.flatnonzero(best >= 0).tolist():
        outcome = outcome_of[best[group]]
        outcomes[group], told[group] = outcome, None if outcome == "timed" else reason_of[best[group]]
    return outcomes, told

"""All that changed between the baseline and each other run, ranked by time: regions, layers, and the runs' settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.comparison.causes import CONSTANTS, KERNEL, KINDS, REFORMATS, TIME, find_changes
from trtlens.comparison.noise import NO_DIFFERENCE
from trtlens.comparison.settings import differing_settings
from trtlens.quantities import durations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trtlens.comparison.causes import Change
    from trtlens.comparison.comparison import Comparison, Row

INFERENCE, ALL_LAYERS, SETTING, ADDED, LOST = "inference", "all layers", "setting", "added layer", "lost layer"
WHOLE_RUN = frozenset({INFERENCE, ALL_LAYERS})
"""Changes of a whole run, told before those of its parts."""
_INFERENCE_WORDS = {NO_DIFFERENCE: NO_DIFFERENCE, None: "noise cannot be told without samples"}
_ADD_UP = {
    True: "the layers account for the difference of an inference",
    False: "the layers do not account for the difference of an inference: changes below are parts of their sum alone",
    None: "whether the layers account for the difference of an inference is not known: none was timed in both runs",
}
_ORDER = {kind: place for place, kind in enumerate(KINDS)}
_ALWAYS_TOLD = frozenset({"precision", "unit", "fusion", "tactic"})
"""Changes worth a row even where no time came of them; the rest is told where it is more than noise."""


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change in one run. ``diff_ms`` is what it explains of ``region_diff_ms``, the whole region's difference.

    ``region`` and ``region_diff_ms`` are None for layers that are in no region and for settings.
    """

    run: int
    kind: str
    region: int | None
    label: str
    before: str | None
    after: str | None
    diff_ms: float | None
    region_diff_ms: float | None
    verdict: str | None
    words: str


def list_changes(comparison: Comparison) -> list[ChangeRow]:
    """Changes of every run: of whole runs first, then those that cost or save the most time, settings last."""
    whole = [row for number in comparison.others for row in _whole(comparison, number)]
    found = [row for number in comparison.others for row in _run_changes(comparison, number)]
    found.sort(key=lambda row: (row.diff_ms is None, -abs(row.diff_ms or 0.0), row.run, row.region or 0, row.kind))
    return whole + found + _settings(comparison)


def _whole(comparison: Comparison, number: int) -> Iterator[ChangeRow]:
    """What an inference takes in one run, and all its layers."""
    inference = comparison.inferences[number]
    unlike = ", ".join(str(one) for one in comparison.mismatches[number] if one.is_other_work)
    if inference is not None:
        verdict = None if inference.difference is None or unlike else inference.difference.verdict
        words = unlike or _INFERENCE_WORDS.get(verdict, "takes another time")
        yield _whole_row(number, INFERENCE, inference.base_ms, inference.run_ms, verdict, words)
    base_ms, run_ms = (comparison.totals[place].figures.time_ms for place in (comparison.baseline, number))
    difference = comparison.totals[number].difference
    if base_ms is not None and run_ms is not None and difference is not None:
        verdict = None if unlike else difference.verdict
        yield _whole_row(number, ALL_LAYERS, base_ms, run_ms, verdict, _ADD_UP[comparison.adds_up[number]])


def _whole_row(number: int, kind: str, base_ms: float, run_ms: float, verdict: str | None, words: str) -> ChangeRow:
    before, after = durations(base_ms, run_ms)
    return ChangeRow(number, kind, None, kind, before, after, run_ms - base_ms, None, verdict, words)


def region_changes(comparison: Comparison, row: Row, number: int) -> list[Change]:
    """The changes of one region in one run that are worth telling, what explains most of its difference first."""
    base, run = row.cells[comparison.baseline].figures, row.cells[number].figures
    difference = row.cells[number].difference
    seen = difference is not None and difference.verdict != NO_DIFFERENCE
    told = [
        change for change in find_changes(base, run)
        if change.kind in _ALWAYS_TOLD or (change.kind == REFORMATS and base.conversions != run.conversions) or seen
    ]  # fmt: skip
    return sorted(told, key=lambda change: -abs(change.diff_ms or 0.0))


def main_cause(comparison: Comparison, row: Row, number: int) -> str | None:
    """Why a region takes more or less time than in the baseline: the two changes that explain most, as a clause."""
    difference = row.cells[number].difference
    if difference is None:
        return None
    changes = [change for change in region_changes(comparison, row, number) if _explains(change, difference.diff_ms)]
    return " and ".join(change.words for change in sorted(changes[:2], key=lambda change: _ORDER[change.kind])) or None


def _explains(change: Change, diff_ms: float) -> bool:
    """Whether a change goes the same way as the difference and makes up a fifth of it."""
    return change.diff_ms is not None and change.diff_ms * diff_ms > 0 and abs(change.diff_ms) >= 0.2 * abs(diff_ms)


def _run_changes(comparison: Comparison, number: int) -> list[ChangeRow]:
    found = []
    for row in comparison.rows:
        difference = row.cells[number].difference
        for change in region_changes(comparison, row, number):
            if change.kind in {KERNEL, CONSTANTS, TIME} and not change.diff_ms:
                continue
            found.append(ChangeRow(
                number, change.kind, row.number, row.label, change.before, change.after, change.diff_ms,
                None if difference is None else difference.diff_ms,
                None if difference is None else difference.verdict, change.words,
            ))  # fmt: skip
    return found + _unaligned(comparison, number)


def _unaligned(comparison: Comparison, number: int) -> list[ChangeRow]:
    """Layers of a run, and of the baseline, that are in no region."""
    rows = []
    for left in comparison.left:
        if left.entry.side not in {number, comparison.baseline}:
            continue
        added = left.entry.side == number
        time = left.figures.time_ms
        rows.append(ChangeRow(
            number, ADDED if added else LOST, None, left.name, None if added else left.name, left.name if added else None,
            time if added or time is None else -time, None, None, f"not aligned: {left.entry.reason}",
        ))  # fmt: skip
    return rows


def _settings(comparison: Comparison) -> list[ChangeRow]:
    return [
        ChangeRow(
            number, SETTING, None, setting.name, setting.values[comparison.baseline], setting.values[number], None, None,
            None, "differs",
        )
        for setting in differing_settings(comparison)
        for number in comparison.others
        if setting.values[number] != setting.values[comparison.baseline]
    ]  # fmt: skip

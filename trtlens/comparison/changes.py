"""All that changed between the baseline and each other run, ranked by time: regions, layers, and the runs' settings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.comparison.settings import differing_settings
from trtlens.comparison.times import NO_DIFFERENCE
from trtlens.quantities import durations, hexadecimal
from trtlens_parsers.data_types import CHOSEN_TYPES, DTYPE_BITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trtlens.comparison.comparison import Comparison, Row
    from trtlens.comparison.figures import Figures

PRECISION, UNIT, FUSION, TACTIC, KERNEL, TIME = "precision", "unit", "fusion", "tactic", "same kernel", "time"
REFORMATS, CONSTANTS, PADDING = "reformats", "constants", "bias padding"
KINDS = (PRECISION, UNIT, FUSION, TACTIC, KERNEL, TIME, PADDING, REFORMATS, CONSTANTS)
"""Kinds of changes in the order in which several of one region are told."""
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
            if change.kind in {KERNEL, CONSTANTS, TIME, PADDING} and not change.diff_ms:
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
        if left.entry.engine not in {number, comparison.baseline}:
            continue
        added = left.entry.engine == number
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


# -- changes of one region --------------------------------------------------------------------------------------------
# What changed in one region from the baseline to another run, and which part of the difference each change explains.
#
# A region's time is what its layers compute, what kernels that pad their biases take, what its reformats and casts take, and what copies of its constants take. The
# difference of each part belongs to the change that can be seen there; a part without one is called by its name.


TENSOR_CORE = "tensor core"

_BITS = {**{name: DTYPE_BITS[name] for name in CHOSEN_TYPES}, "tf32": 19}
"""Bits that a product's factors have; what a fall-back goes up in."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a region; ``diff_ms`` is the part of the region's difference that lies where it happened.

    ``words`` says the change as a clause about the run: ``fell back from fp16 to fp32``.
    """

    kind: str
    before: str | None
    after: str | None
    diff_ms: float | None
    words: str


def find_changes(base: Figures, run: Figures) -> list[Change]:
    """Every change from ``base`` to ``run``, the one that explains the computing part first."""
    computing = _minus(run.kernels_ms, base.kernels_ms)
    seen = [change for change in (_with_unit(_precision(base, run), _unit(base, run)), _fusion(base, run)) if change]
    # Another precision, unit or fusion means another kernel: that is no change of its own.
    if not seen and (tactic := _tactic(base, run)):
        seen = [tactic]
    if seen:
        seen[0] = Change(seen[0].kind, seen[0].before, seen[0].after, computing, seen[0].words)
    elif computing is not None and base.computing:
        same = _kernels(base)
        words = "runs the same kernels in another time" if same else "takes another time, its kernels are not known"
        seen = [Change(KERNEL if same else TIME, same, same, computing, words)]
    return seen + _moved(base, run)


def is_fallback(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether a region computes in a wider type than before, judged by the widest of each."""
    widths = [max((_BITS[one] for one in side if one in _BITS), default=None) for side in (before, after)]
    return None not in widths and (widths[1] or 0) > (widths[0] or 0)


def _minus(run: float | None, base: float | None) -> float | None:
    return None if run is None or base is None else run - base


def _precision(base: Figures, run: Figures) -> Change | None:
    if not base.precisions or not run.precisions or set(base.precisions) == set(run.precisions):
        return None
    before, after = base.precision, run.precision
    computing = _minus(run.kernels_ms, base.kernels_ms)
    if is_fallback(base.precisions, run.precisions):
        words = f"fell back from {before} to {after}"
    elif is_fallback(run.precisions, base.precisions) and computing is not None and computing > 0:
        words = f"has a slower kernel in {after} than in {before}"
    else:
        words = f"computes in {after} instead of {before}"
    return Change(PRECISION, before, after, None, words)


def _unit(base: Figures, run: Figures) -> Change | None:
    if not base.units or not run.units or set(base.units) == set(run.units):
        return None
    if TENSOR_CORE not in run.units:
        words = "lost the tensor cores"
    elif TENSOR_CORE not in base.units:
        words = "gained the tensor cores"
    else:
        words = f"runs on {run.unit} instead of {base.unit}"
    return Change(UNIT, base.unit, run.unit, None, words)


def _with_unit(precision: Change | None, unit: Change | None) -> Change | None:
    """One change where a unit came or went with a precision."""
    if precision is None or unit is None:
        return precision or unit
    return Change(precision.kind, precision.before, precision.after, None, f"{precision.words} and {unit.words}")


def _fusion(base: Figures, run: Figures) -> Change | None:
    """Another number of layers that compute, or layers that hold the nodes in other groups."""
    before, after = len(base.computing), len(run.computing)
    if before == after:
        return None
    if after > before:
        words = f"is split into {after} layers instead of {before}"
    else:
        words = f"is fused into {after} layer{'s' if after != 1 else ''} instead of {before}"
    return Change(FUSION, "; ".join(base.computing), "; ".join(run.computing), None, words)


def _tactic(base: Figures, run: Figures) -> Change | None:
    """Other kernels for as many layers: by name where all are known, else by tactic id."""
    for before, after in ((base.kernels, run.kernels), (base.tactics, run.tactics)):
        if before and after and None not in (*before, *after):
            if Counter(before) == Counter(after):
                return None
            old, new = ("; ".join(map(_text, side)) for side in (before, after))
            return Change(TACTIC, old, new, None, "runs another tactic")
    return None


def _text(kernel: str | int | None) -> str:
    return hexadecimal(kernel) if isinstance(kernel, int) else str(kernel)


def _kernels(figures: Figures) -> str | None:
    known = [kernel for kernel in figures.kernels if kernel is not None]
    return "; ".join(known) if len(known) == len(figures.kernels) else None


def _moved(base: Figures, run: Figures) -> list[Change]:
    changes = []
    more = run.conversions - base.conversions
    moving = _minus(run.conversion_ms, base.conversion_ms)
    if more or moving:
        many = f"{abs(more)} reformat{'s' if abs(more) != 1 else ''}"
        words = f"gained {many}" if more > 0 else f"lost {many}" if more < 0 else "takes another time for its reformats"
        changes.append(Change(REFORMATS, str(base.conversions), str(run.conversions), moving, words))
    padding = _minus(run.padding_ms, base.padding_ms)
    if padding:
        times = "pads a bias at every inference" if not base.padding_ms else "takes another time to pad its biases"
        words = "pads no bias at every inference any more" if not run.padding_ms else times
        changes.append(Change(PADDING, None, None, padding, words))
    copying = _minus(run.constant_ms, base.constant_ms)
    if copying:
        words = "takes longer to copy its constants" if copying > 0 else "takes less to copy its constants"
        changes.append(Change(CONSTANTS, None, None, copying, words))
    return changes

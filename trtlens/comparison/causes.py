"""What changed in one region from the baseline to another run, and which part of the difference each change explains.

A region's time is what its layers compute, what its reformats and casts take, and what copies of its constants take. The
difference of each part belongs to the change that can be seen there; a part without one is called by its name.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.quantities import hexadecimal
from trtlens_parsers.data_types import CHOSEN_TYPES, DTYPE_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.comparison.figures import Figures

PRECISION, UNIT, FUSION, TACTIC, KERNEL, TIME = "precision", "unit", "fusion", "tactic", "same kernel", "time"
REFORMATS, CONSTANTS = "reformats", "constants"
KINDS = (PRECISION, UNIT, FUSION, TACTIC, KERNEL, TIME, REFORMATS, CONSTANTS)
"""Kinds of changes in the order in which several of one region are told."""
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
    computing = _minus(run.compute_ms, base.compute_ms)
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
    computing = _minus(run.compute_ms, base.compute_ms)
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
    copying = _minus(run.constant_ms, base.constant_ms)
    if copying:
        words = "takes longer to copy its constants" if copying > 0 else "takes less to copy its constants"
        changes.append(Change(CONSTANTS, None, None, copying, words))
    return changes

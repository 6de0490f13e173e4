"""Layers that launch several kernels, Myelin regions as a rule, as bars that open into their kernels: plain HTML without scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.charts.drawing.style import UNKNOWN
from trtlens.engine.inference_parts import KERNEL_TRACE
from trtlens.output import shorten, visible
from trtlens.quantities import duration
from trtlens.report.markup import text
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MOST_LAYERS, _MOST_KERNELS = 8, 16
_LONGEST = 90


def region_bars(rows: Sequence[dict[str, Any]]) -> str:
    """Bars from the rows of the view ``kernels_run``; nothing where no kernels were traced, or each layer launches one."""
    layers: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        if row["layer_index"] is not None:
            layers.setdefault(row["layer_index"], []).append(row)
    several = sorted((own for own in layers.values() if len(own) > 1), key=lambda own: (-_time(own), own[0]["launch"]))
    if not several:
        return ""
    bars = "".join(_layer(own, _time(rows)) for own in several[:_MOST_LAYERS])
    more = counted(len(several) - _MOST_LAYERS, "more layer", "more layers")
    rest = f'<p class="how">{more} in the table of kernels that ran</p>' if len(several) > _MOST_LAYERS else ""
    return f"<h4>Layers of several kernels, share of all kernels ({KERNEL_TRACE}); each opens</h4>{bars}{rest}"


def _time(rows: Iterable[dict[str, Any]]) -> float:
    return sum(row["time_ms"] for row in rows)


def _layer(own: Sequence[dict[str, Any]], total_ms: float) -> str:
    """A layer's bar, and behind it those of its kernels with their shares of the layer; of one kernel all launches are together."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in own:
        groups.setdefault(row["kernel"], []).append(row)
    ranked = sorted(groups.values(), key=lambda rows: (-_time(rows), rows[0]["launch"]))
    most = max((rows for rows in ranked if rows[0]["precision"]), key=_time, default=ranked[0])
    launches = counted(len(own), "launch", "launches")
    head = _bar(own[0]["layer"], launches, _time(own), total_ms, most[0]["precision"])
    kernels = "".join(f"<li>{_kernel(rows, _time(own))}</li>" for rows in ranked[:_MOST_KERNELS])
    rest = [row for rows in ranked[_MOST_KERNELS:] for row in rows]
    if rest:
        count = f"{len(ranked) - _MOST_KERNELS} more kernels"
        kernels += f"<li>{_bar(count, count, _time(rest), _time(own), None)}</li>"
    return f'<details class="region"><summary>{head}</summary><ul>{kernels}</ul></details>'


def _kernel(rows: Sequence[dict[str, Any]], layer_ms: float) -> str:
    row = rows[0]
    facts = [row["kernel"], row["precision"], row["unit"], f"written for sm{row['sm']}" if row["sm"] else None]
    gaps_ms = sum(max(one["gap_ms"] or 0.0, 0.0) for one in rows)
    facts += [counted(len(rows), "launch", "launches"), f"{duration(gaps_ms)} of gaps before" if gaps_ms else None]
    return _bar(_label(rows), ", ".join(fact for fact in facts if fact), _time(rows), layer_ms, row["precision"])


def _label(rows: Sequence[dict[str, Any]]) -> str:
    """What the kernel's name says of it in short, else the name; before it how often it is launched."""
    row = rows[0]
    work = " ".join(row["operations"] or ()) or row["operation"]
    parts = [row["family"], work, f"sm{row['sm']}" if row["sm"] else None]
    often = f"{len(rows)} x " if len(rows) > 1 else ""
    return often + (" ".join(part for part in parts if part) if work else str(row["kernel"]))


def _bar(name: str, hover: str, time_ms: float, whole_ms: float, precision: str | None) -> str:
    share = 100 * time_ms / whole_ms if whole_ms else 0.0
    return (
        f'<span class="of" title="{text(hover)}">{text(shorten(visible(name), _LONGEST))}</span>'
        f"<b>{text(duration(time_ms))}, {share:.0f} %</b>"
        f'<span class="bar"><span class="p-{text(precision or UNKNOWN)}" style="flex:0 0 {share:.3f}%"></span></span>'
    )

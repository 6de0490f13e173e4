"""What an explanation says of the kernels that a layer launched, where they were traced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.engine.kernels_run import by_kernel, confirmed
from trtlens.explain.subject import Statement, say
from trtlens.quantities import duration
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.engine.kernels_run import Group, RanKernel
    from trtlens.explain.subject import Subject

_MOST_KERNELS = 8
_LONGEST_NAME = 200


def kernel_statements(subject: Subject) -> list[Statement]:
    """How many kernels ran and for how long, whether one is the engine's own, and of several each with its share."""
    ran = subject.ran
    if not ran:
        return []
    groups = by_kernel(ran)
    total = sum(one.median_ms for one in ran)
    statements = [say("kernels", _ran(ran, total, subject.node.tactic_name), verdict="traced", time_ms=total)]
    if len(ran) > 1:
        statements += [
            say("kernels", f"  {group_text(group, total)}", verdict="kernel", time_ms=group.time_ms)
            for group in groups[:_MOST_KERNELS]
        ]
    if len(groups) > _MOST_KERNELS:
        rest = sum(group.time_ms for group in groups[_MOST_KERNELS:])
        text = (
            f"  {len(groups) - _MOST_KERNELS} more kernels take {duration(rest)}: trtlens show kernels_run lists them"
        )
        statements.append(say("kernels", text, verdict="kernel", time_ms=rest))
    return statements


def _ran(ran: Sequence[RanKernel], total: float, stated: str | None) -> str:
    launches = counted(len(ran), "launch", "launches")
    text = f"Traced: {launches}, {duration(total)} together (medians of {ran[0].row['inferences']} inferences)"
    if stated is None:
        return f"{text}: {_short(ran[0].kernel)}." if len(ran) == 1 else f"{text}."
    agrees = (
        "the kernel that the engine states is among them" if len(ran) > 1 else "it is the kernel that the engine states"
    )
    if confirmed(ran, stated):
        return f"{text}; {agrees}."
    return f"{text}; none is the kernel that the engine states: {_short(ran[0].kernel)} ran."


def group_text(group: Group, total_ms: float) -> str:
    """A kernel with its launches, its time, its share of a total, and what its name says of it."""
    share = f", {100 * group.time_ms / total_ms:.0f} %" if total_ms else ""
    often = f"{group.launches} x " if group.launches > 1 else ""
    return f"{duration(group.time_ms)}{share}  {often}{_short(group.kernel)}{_named(group)}"


def _named(group: Group) -> str:
    decoded = group.decoded
    if decoded is None:
        return ""
    told = [decoded.precision.upper() if decoded.precision else None, f"{decoded.unit}s" if decoded.unit else None]
    if decoded.operations:
        told.append(f"fuses {', '.join(decoded.operations)}")
    known = [text for text in told if text]
    return f" ({'; '.join(known)})" if known else ""


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}.."

"""What a faster candidate in other formats would have cost around the layer, as far as the tuner timed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.quantities import duration, durations
from trtlens.tuning.wording import change_text
from trtlens_parsers.strides import read_strides_list

if TYPE_CHECKING:
    from trtlens.engine.reformat_costs import Around, ReformatCost
    from trtlens.explain.subject import Subject
    from trtlens.tuning.queries import Candidate


@dataclass(frozen=True, slots=True)
class Detour:
    """Why a faster candidate was not taken: the rest of a sentence, a code, the time in all, and its lines."""

    text: str
    verdict: str
    total_ms: float | None
    lines: tuple[int, ...]

    @classmethod
    def of(cls, faster: Candidate, subject: Subject) -> Detour:
        """The reformats that a faster candidate would need while every other layer stays as it is."""
        chosen = subject.chosen
        assert chosen is not None and chosen.time_ms is not None and faster.time_ms is not None  # noqa: PT018, S101
        if faster.formats == chosen.formats:
            text = "in the same formats. The log does not say why it was not taken; the times of one build vary."
            return cls(text, "unexplained", faster.time_ms, ())
        operands = _operands(faster)
        if operands is None:
            return cls("in other formats, which the log does not print in full.", "unknown", None, ())
        around = subject.costs.around(subject.node, subject.graph, *operands)
        if around.extra_ms is None:
            return cls(f"but in other formats: {_missing(around)}", "unknown", None, tuple(around.lines))
        total = faster.time_ms + around.extra_ms
        return cls(_verdict_text(faster, total, around, chosen.time_ms), *_verdict(total, chosen.time_ms, around))


def _operands(candidate: Candidate) -> tuple[list[str], list[str]] | None:
    if candidate.input_formats is None or candidate.output_formats is None:
        return None
    combination = read_strides_list(f"{candidate.input_formats} -> {candidate.output_formats}")
    if combination is None:
        return None
    return [o.format.text for o in combination.inputs], [o.format.text for o in combination.outputs]


def _missing(around: Around) -> str:
    """What stands in the way of a sum."""
    untimed = [cost for cost in (*around.added, *around.removed) if cost.time_ms is None]
    if untimed:
        pairs = dict.fromkeys(change_text(cost.before, cost.after) for cost in untimed)
        return (
            f"the tuner's record has no time for the reformat {', '.join(pairs)}, so what it would cost cannot be told."
        )
    return f"{' and '.join(dict.fromkeys(around.unknown))} is not in the log, so the reformats cannot be counted."


def _verdict(total: float, chosen_ms: float, around: Around) -> tuple[str, float, tuple[int, ...]]:
    return "reformats" if total >= chosen_ms else "unexplained", total, tuple(around.lines)


def _verdict_text(faster: Candidate, total: float, around: Around, chosen_ms: float) -> str:
    if not around.added and not around.removed:
        return (
            "and it needs no reformat around it. The log does not say why it was not taken: the builder sums over the "
            "whole graph and prints no sums."
        )
    costs = [f"{_cost_text(cost)}" for cost in around.added] + [f"less {_cost_text(cost)}" for cost in around.removed]
    in_all, now = durations(total, chosen_ms)
    sums = f"{duration(faster.time_ms or 0.0)} and {' and '.join(costs)}, {in_all} in all against {now}"
    if total >= chosen_ms:
        return f"but the reformats around it cost more than it saves: {sums}."
    return (
        f"and still faster with the reformats around it ({sums}). The log does not say why "
        "it was not taken: the builder sums over the whole graph and prints no sums."
    )


def _cost_text(cost: ReformatCost) -> str:
    other = (
        ""
        if cost.timed_on == cost.tensor
        else f", timed on {cost.timed_on or 'another tensor'}, which has the same strides"
    )
    return (
        f"{duration(cost.time_ms or 0.0)} for {change_text(cost.before, cost.after)} of "
        f"{cost.tensor} (line {cost.line}{other})"
    )

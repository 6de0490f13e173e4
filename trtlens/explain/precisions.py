"""The best candidate of each precision for one layer, and why it lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trtlens.explain.subject import Statement, say
from trtlens.quantities import byte_size, duration, durations, tactic_text
from trtlens.tuning.combinations import NO_VALID, NOT_SHOWN
from trtlens.tuning.queries import Candidate, best, offers
from trtlens.tuning.wording import change_text, combination_text, compared, counted, listed_lines
from trtlens_parsers.strides import read_strides_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trtlens.engine.reformat_causes import Around, ReformatCost
    from trtlens.explain.flags import Flags
    from trtlens.explain.subject import Subject
    from trtlens.tuning.queries import Candidate

ORDER = ("fp32", "tf32", "bf16", "fp16", "fp8", "int8", "fp4", "int4")
ASKED = ("fp32", "fp16", "int8")
"""Precisions that every explanation names, tried or not."""


def precision_statements(subject: Subject, flags: Flags) -> list[Statement]:
    """A statement for each precision beside the chosen one: those of this build, and FP32, FP16, INT8 in any case.

    TF32 is a way to multiply, so it is left out for layers that no TF32 kernel was tried for.
    """
    chosen = subject.chosen.precision if subject.chosen is not None else None
    own = {candidate.precision for candidate in subject.candidates if candidate.op == subject.op}
    if subject.op is not None:  # formats of a region say nothing of one operation inside it
        return [_about(precision, subject, flags) for precision in ORDER if precision in own and precision != chosen]
    wanted = [p for p in ORDER if p != chosen and (p in ASKED or p in own or (p in flags.tried() and p != "tf32"))]
    return [_about(precision, subject, flags) for precision in wanted]


def _about(precision: str, subject: Subject, flags: Flags) -> Statement:
    candidates = [c for c in subject.candidates if c.precision == precision and c.op == subject.op]
    fastest = best(candidates)
    if fastest is not None:
        return _lost(precision, fastest, subject)
    return _never_timed(precision, candidates, subject, flags)


def _lost(precision: str, fastest: Candidate, subject: Subject) -> Statement:
    assert fastest.time_ms is not None  # noqa: S101  best() returns timed candidates only
    name = precision.upper()
    unnamed = f" of {fastest.runner}, kernel not named" if fastest.precision_from == "formats" else ""
    where = f"{combination_text(*fastest.formats)}, {tactic_text(fastest.tactic_id)}{unnamed}"
    text = f"{name}: the best took {duration(fastest.time_ms)} ({where})"
    if subject.chosen is None or subject.chosen.time_ms is None:
        reason = "which candidate the engine runs is not known, so the two cannot be compared"
        return say("precision", f"{text}; {reason}.", verdict="not comparable", candidate=fastest, precision=precision)
    if fastest.time_ms >= subject.chosen.time_ms:
        text = f"{text}, {compared(fastest.time_ms, subject.chosen.time_ms, 'what runs')}: it lost by itself."
        return say("precision", text, subject.chosen.line, verdict="slower", candidate=fastest, precision=precision)
    overhead = ReformatOverhead.of(fastest, subject)
    text = f"{text}, {compared(fastest.time_ms, subject.chosen.time_ms, 'what runs')}, {overhead.text}"
    return say("precision", text, subject.chosen.line, *overhead.lines, verdict=overhead.verdict, candidate=fastest,
               precision=precision)  # fmt: skip


def _never_timed(precision: str, candidates: Sequence[Candidate], subject: Subject, flags: Flags) -> Statement:
    name = precision.upper()
    allowed = flags.allowed(precision)
    offered = [row for row in subject.combinations if offers(row, precision)]
    starved = [c for c in _within(subject, offered, candidates) if c.scratch_bytes is not None]
    if starved:
        most = max(starved, key=lambda c: c.scratch_bytes or 0)
        text = (
            f"{name}: {counted(len(starved), 'tactic was', 'tactics were')} skipped for want of workspace (up to {byte_size(most.scratch_bytes or 0)}; "
            f"{listed_lines([c.line for c in starved])}), and none was timed."
        )
        return say(
            "precision", text, *(c.line for c in starved), verdict="workspace", candidate=most, precision=precision
        )
    if not allowed.enabled and not offered:
        known = allowed.enabled is not None
        text = f"{name}: not enabled in this build: {allowed.how}." if known else f"{name}: not known: {allowed.how}."
        return say(
            "precision", text, *allowed.lines, verdict="not enabled" if known else "no record", precision=precision
        )
    unshown = [row for row in offered if row["outcome"] == NOT_SHOWN]
    if unshown:
        text = (
            f"{name}: {counted(len(unshown), 'format combination was', 'format combinations were')} answered by the timing cache, whose times the log does not "
            f"print ({listed_lines([row['line'] for row in unshown])})."
        )
        return say("precision", text, *(row["line"] for row in unshown), verdict="not shown", precision=precision)
    if offered:
        return _no_implementation(name, precision, offered)
    return _not_tried(name, precision, subject, flags)


def _within(
    subject: Subject, combinations: Sequence[Mapping[str, Any]], candidates: Sequence[Candidate]
) -> list[Candidate]:
    """Candidates of a precision: those whose kernel says so, and those without a name in combinations that offer it."""
    formats = {(row["input_formats"], row["output_formats"]) for row in combinations}
    unnamed = [c for c in subject.candidates if c.precision is None and c.formats in formats]
    return [*candidates, *unnamed]


def _no_implementation(name: str, precision: str, offered: Sequence[Mapping[str, Any]]) -> Statement:
    unnamed = [row for row in offered if row["time_ms"] is not None and row["precision"] is None]
    if unnamed:
        fastest = min(unnamed, key=lambda row: row["time_ms"])
        text = (
            f"{name}: {counted(len(unnamed), 'format combination that reads it was', 'format combinations that read it were')} timed, at best in {duration(fastest['time_ms'])} "
            f"({combination_text(fastest['input_formats'], fastest['output_formats'])}, line {fastest['candidate_line']}); the log "
            "does not name their kernels, so what they compute in cannot be told."
        )
        lines = [row["candidate_line"] for row in unnamed]
        return say("precision", text, fastest["candidate_line"], *lines, verdict="not named", precision=precision,
                   time_ms=fastest["time_ms"])  # fmt: skip
    other = sorted({row["precision"] for row in offered if row["precision"] not in {None, precision}})
    without = [row for row in offered if row["outcome"] == "skipped" and row["reason"] == NO_VALID]
    lines = [row["line"] for row in offered]
    if len(without) == len(offered):
        text = (
            f"{name}: no implementation: {counted(len(offered), 'format combination was', 'format combinations were')} tried and no runner had a valid tactic "
            f"({listed_lines(lines)})."
        )
        return say("precision", text, *lines, verdict="no implementation", precision=precision)
    runs_in = f"; the kernels that take these formats compute in {', '.join(other).upper()}" if other else ""
    text = (
        f"{name}: {counted(len(offered), 'format combination offers', 'format combinations offer')} it, and no kernel that computes in it was timed{runs_in} "
        f"({listed_lines(lines)})."
    )
    return say("precision", text, *lines, verdict="no kernel", precision=precision)


def _not_tried(name: str, precision: str, subject: Subject, flags: Flags) -> Statement:
    """The build allowed the precision, but not for this layer: messages and constraints that name it may say why."""
    allowed = flags.allowed(precision)
    count = len(subject.combinations)
    if not count:
        text = f"{name}: the log shows no format combination of this layer, so what was tried cannot be told."
        return say("precision", text, verdict="no record", precision=precision)
    text = f"{name}: not tried for this layer: none of its {counted(count, 'format combination', 'format combinations')} is in {name}, although {allowed.how}"
    told = [row for row in subject.messages if _is_about(row, precision)]
    if told:
        first = told[0]["text"].split("\n", 1)[0]
        text = f"{text}; the log says: {first}"
        return say("precision", text, *allowed.lines, *(row["line"] for row in told), verdict="not allowed",
                   precision=precision)  # fmt: skip
    constrained = flags.layer_precisions()
    if constrained is not None:
        text = f"{text}; layer precisions were set: {constrained[0]}."
        return say("precision", text, *allowed.lines, constrained[1], verdict="not allowed", precision=precision)
    text = f"{text}. The log does not say whether a constraint forbade it or no such kernel exists."
    return say("precision", text, *allowed.lines, *(row["line"] for row in subject.combinations), verdict="not tried",
               precision=precision)  # fmt: skip


_INT8_CODES = frozenset({"int8-missing-scale", "int8-implementation-rejected", "int8-default-scale", "qdq-not-fused"})
_ANY_CODES = frozenset(
    {"no-obedient-candidate", "precision-constraint-ignored", "strict-constraint-not-met", "tensor-type-ignored"}
)


def _is_about(row: Mapping[str, Any], precision: str) -> bool:
    return row["code"] in _ANY_CODES or (precision == "int8" and row["code"] in _INT8_CODES)


# -- reformats that another format needs ------------------------------------------------------------------------------
# What a faster candidate in other formats would have cost around the layer, as far as the tuner timed it.


@dataclass(frozen=True, slots=True)
class ReformatOverhead:
    """Why a faster candidate was not taken: the rest of a sentence, a code, the time in all, and its lines."""

    text: str
    verdict: str
    total_ms: float | None
    lines: tuple[int, ...]

    @classmethod
    def of(cls, faster: Candidate, subject: Subject) -> ReformatOverhead:
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

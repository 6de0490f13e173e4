"""All that an explanation says of one engine layer, in the order in which it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.engine.kernel_times import KERNELS
from trtlens.engine.reformat_causes import ADVICE, NO_KERNEL
from trtlens.explain.kernels import kernel_statements
from trtlens.explain.precisions import ReformatOverhead, precision_statements
from trtlens.explain.subject import Statement, say
from trtlens.quantities import byte_size, duration, durations, hexadecimal, tactic_text
from trtlens.tables.engine_layers import NO_WORK
from trtlens.tuning.combinations import NO_VALID, NOT_SHOWN, ONLY_OPTION
from trtlens.tuning.queries import Candidate, best
from trtlens.tuning.wording import combination_text, compared, counted, listed_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens.engine.reformat_causes import Reformat
    from trtlens.explain.flags import Flags
    from trtlens.explain.subject import Subject


def explain(subject: Subject, flags: Flags) -> list[Statement]:
    """The sentences about one layer: what runs, what was tried, what was faster, each precision, what was skipped."""
    statements = [*_runs(subject)]
    if subject.reformat is not None:
        statements.append(_cause(subject.reformat))
    if subject.candidates:
        statements += [_tried(subject), *_ranked(subject), *_fastest(subject)]
        statements += [] if subject.node.is_reformat else precision_statements(subject, flags)
        statements += _skipped(subject, flags)
    return [*statements, *_operations(subject), *_messages(subject)]


# -- what runs -------------------------------------------------------------------------------------------------------


def _runs(subject: Subject) -> list[Statement]:
    row, tuned, chosen = subject.node.row, subject.node.tuned, subject.chosen
    statements = [
        say("runs", _running(subject), row["line"], tuned.get("combination_line"), candidate=chosen, verdict="runs")
    ]
    if subject.twin is not None:
        text = (
            f"The log has no time under this layer's own name ({tuned['reason']}). {subject.twin.name} is alike in all that "
            "the log shows (type, tactic, tensors with their types, layouts and sizes), so its record is read here."
        )
        statements.append(say("runs", text, subject.twin.row["line"], row["line"], verdict="twin"))
    elif chosen is None and subject.node.type not in NO_WORK and subject.reformat is None:
        text = f"Which candidate of the tuner's record it is, cannot be told ({tuned.get('reason') or 'the log has no record of it'})."
        statements.append(say("runs", text, row["line"], verdict="unknown"))
    if subject.region is not None:
        statements.append(_region(subject))
    return [*statements, *_limit(subject), *kernel_statements(subject)]


def _limit(subject: Subject) -> list[Statement]:
    """What stands in the way of the layer, with the figures behind it."""
    part = subject.part
    if part is None or part.work is None:
        return []
    limit = f"{part.limit.name} limits it" if part.limit.name else "what limits it is not known"
    text = f"Of an inference it takes {duration(part.time_ms)}; {limit}: {part.limit.evidence}."
    return [say("runs", text, verdict="limit", time_ms=part.time_ms)]


def _running(subject: Subject) -> str:
    row, chosen = subject.node.row, subject.chosen
    if subject.node.type in NO_WORK:
        timed = (
            f", although the tuner timed {chosen.runner} for it ({duration(chosen.time_ms)})"
            if chosen and chosen.time_ms
            else ""
        )
        return f"Launches no kernel ({subject.node.type}){timed}."
    precision = (row["precision"] or "").upper() or "unknown precision"
    unit = (
        f" on {row['unit']}s" if row["unit"] else f", unit unknown ({row['unit_reason']})" if row["unit_reason"] else ""
    )
    kernel = f" with {row['tactic_name']}" if row["tactic_name"] else ""
    tactic = f", tactic {hexadecimal(row['tactic_id'])}" if row["tactic_id"] is not None else ""
    text = f"Runs in {precision}{unit}{kernel} ({row['type']}{tactic})"
    if chosen is not None and subject.region is None:
        text = f"{text}; {combination_text(*chosen.formats)}"
        if chosen.time_ms is not None:
            text = f"{text}; the tuner measured {duration(chosen.time_ms)}{_cached(chosen)}"
    if subject.node.time_ms is not None:
        traced = subject.node.time_source == KERNELS
        clock = "its kernels took" if traced else "the profile"
        text = f"{text}; {clock} {duration(subject.node.time_ms)} ({'traced' if traced else subject.node.time_source})"
    return f"{text}."


def _cached(candidate: Candidate) -> str:
    return " (out of the timing cache)" if candidate.outcome == "cached" else ""


def _region(subject: Subject) -> Statement:
    if subject.op is not None:
        count = sum(candidate.op == subject.op for candidate in subject.candidates)
        text = (
            f"It is the operation {subject.op} of {subject.region}, a region that Myelin compiles as a whole; Myelin timed "
            f"{counted(count, 'kernel', 'kernels')} for the operation, and the tuner the whole region."
        )
    else:
        text = (
            f"It is a part of {subject.region}, a region that Myelin compiles as a whole: the tuner timed the region, and "
            "times of its parts are not in the log."
        )
    return say("runs", text, *(row["line"] for row in subject.combinations[:1]), verdict="region")


def _cause(reformat: Reformat) -> Statement:
    """What a reformat costs and why it is there."""
    cost = (
        f"It costs {duration(reformat.cost_ms)} ({reformat.cost_source})"
        if reformat.cost_ms and reformat.cost_source is not None
        else "It launches nothing"
        if reformat.cost_source == NO_KERNEL
        else "What it costs is not in the log"
    )
    text = f"It only changes type or layout, or copies. {cost}. Why it is there: {reformat.cause}: {reformat.detail}. {_sentence(ADVICE[reformat.cause])}"
    lines = [*reformat.lines, *([reformat.cost_line] if reformat.cost_line is not None else [])]
    return say("reformats", text, *lines, verdict=reformat.cause, time_ms=reformat.cost_ms)


def _sentence(advice: str) -> str:
    return f"{advice[0].upper()}{advice[1:]}."


# -- what was tried --------------------------------------------------------------------------------------------------


def _compared(subject: Subject) -> list[Candidate]:
    """Candidates that can stand for the layer: of an operation its own, of a layer those that are no part of it."""
    return [candidate for candidate in subject.candidates if candidate.op == subject.op]


def _tried(subject: Subject) -> Statement:
    candidates = _compared(subject)
    timed = [c for c in candidates if c.time_ms is not None]
    skipped = [c for c in candidates if c.time_ms is None and c.reason not in {NO_VALID, ONLY_OPTION}]
    empty = {c.formats for c in candidates if c.reason == NO_VALID} - {
        c.formats for c in candidates if c.reason != NO_VALID
    }
    unshown = [row for row in subject.combinations if row["outcome"] == NOT_SHOWN]
    combinations = len(subject.combinations)
    text = f"Tried: {counted(len(timed), 'timed tactic', 'timed tactics')}"
    if subject.op is not None:
        return say("tried", f"{text} of the operation.", *(c.line for c in candidates[:1]), verdict="tried")
    text += f" in {counted(combinations, 'format combination', 'format combinations')}"
    if skipped:
        text += f", {len(skipped)} skipped or failed"
    if empty:
        text += f"; {counted(len(empty), 'combination', 'combinations')} had no valid tactic"
    if unshown:
        text += f"; {counted(len(unshown), 'was', 'were')} answered by the timing cache without a line"
    lines = [row["line"] for row in subject.combinations]
    return say("tried", f"{text}.", *lines, verdict="tried")


def _ranked(subject: Subject) -> list[Statement]:
    """The best of each precision, unit and format combination, fastest first."""
    groups: dict[tuple[object, ...], list[Candidate]] = {}
    for candidate in _compared(subject):
        if candidate.time_ms is not None:
            groups.setdefault((candidate.precision, candidate.unit, candidate.formats), []).append(candidate)
    fastest = [(best(members), len(members)) for members in groups.values()]
    ranked = sorted(fastest, key=lambda pair: (pair[0].time_ms, pair[0].line))  # type: ignore[union-attr]
    return [_rank(candidate, count, subject) for candidate, count in ranked if candidate is not None]


def _rank(candidate: Candidate, count: int, subject: Subject) -> Statement:
    precision = (candidate.precision or "precision unknown").upper() if candidate.precision else "precision unknown"
    unit = f" on {candidate.unit}s" if candidate.unit else ""
    runs = "; it runs" if candidate is subject.chosen else ""
    of = f", best of {count}" if count > 1 else ""
    split = f" ({candidate.runner})" if candidate.runner else ""
    text = (
        f"{duration(candidate.time_ms or 0.0)}  {precision}{unit}, {combination_text(*candidate.formats)}, "
        f"{tactic_text(candidate.tactic_id)}{split}{of}{runs}"
    )
    return say("candidate", text, candidate=candidate, verdict="runs" if runs else "tried")


def _operations(subject: Subject) -> list[Statement]:
    """The kernels that Myelin timed for the operations of a region, where the layer is the whole region."""
    if subject.op is not None:
        return []
    tables: dict[str, list[Candidate]] = {}
    for candidate in subject.candidates:
        if candidate.op is not None:
            tables.setdefault(candidate.op, []).append(candidate)
    statements = []
    for op, candidates in tables.items():
        fastest = best(candidates)
        if fastest is not None and fastest.time_ms is not None:
            text = (
                f"Inside, Myelin timed {counted(len(candidates), 'kernel', 'kernels')} for the operation {op}: the fastest is {fastest.kernel} at "
                f"{duration(fastest.time_ms)}; which one the engine runs is not in the log."
            )
            statements.append(say("note", text, candidate=fastest, verdict="operation"))
    return statements


# -- the fastest -----------------------------------------------------------------------------------------------------


def _fastest(subject: Subject) -> list[Statement]:
    chosen, fastest = subject.chosen, best(_compared(subject))
    if fastest is None or chosen is None or chosen.time_ms is None or fastest.time_ms is None:
        return []
    if fastest.time_ms >= chosen.time_ms:
        text = "Nothing that was timed for this layer was faster, in any format."
        return [say("fastest", text, candidate=chosen, verdict="fastest")]
    saved = duration(chosen.time_ms - fastest.time_ms)
    overhead = ReformatOverhead.of(fastest, subject)
    text = (
        f"The fastest timed in any format is {tactic_text(fastest.tactic_id)} at {duration(fastest.time_ms)} "
        f"({combination_text(*fastest.formats)}): what runs is {compared(chosen.time_ms, fastest.time_ms, 'that')}, by {saved}. "
        f"It was faster by itself, {overhead.text}"
    )
    statements = [say("fastest", text, chosen.line, *overhead.lines, candidate=fastest, verdict=overhead.verdict)]
    return statements if fastest.formats == chosen.formats else [*statements, *_within_formats(subject, chosen)]


def _within_formats(subject: Subject, chosen: Candidate) -> list[Statement]:
    """How the chosen tactic stands among those of its own combination, where the tuner's choice was between times alone."""
    rivals = [c for c in _compared(subject) if c.formats == chosen.formats and c.time_ms is not None]
    first = best(rivals)
    if first is None or chosen.time_ms is None or first.time_ms is None or len(rivals) == 1:
        return []
    if first.time_ms >= chosen.time_ms:
        second = best([c for c in rivals if c is not chosen])
        assert second is not None and second.time_ms is not None  # noqa: PT018, S101  there are two or more
        text = (
            f"In its own formats it is the fastest of {len(rivals)}; the next is "
            f"{compared(second.time_ms, chosen.time_ms, 'it')} ({tactic_text(second.tactic_id)})."
        )
        return [say("fastest", text, second.line, candidate=chosen, verdict="fastest in its formats")]
    took, now = durations(first.time_ms, chosen.time_ms)
    text = f"In its own formats {tactic_text(first.tactic_id)} took {took}, less than what runs ({now}); the log does not say why it was not taken."
    return [say("fastest", text, chosen.line, candidate=first, verdict="unexplained")]


# -- what was skipped, and what was said -----------------------------------------------------------------------------


def _skipped(subject: Subject, flags: Flags) -> list[Statement]:
    statements = []
    starved = [c for c in subject.candidates if c.scratch_bytes is not None and c.time_ms is None]
    if starved:
        most = max(starved, key=lambda c: c.scratch_bytes or 0)
        limit = flags.workspace_bytes()
        allowed = f" The build's limit is {byte_size(limit[0])} (line {limit[1]})." if limit is not None else ""
        text = (
            f"{counted(len(starved), 'tactic was', 'tactics were')} skipped for want of memory: the largest needs "
            f"{byte_size(most.scratch_bytes or 0)} ({most.reason}).{allowed} How fast they are is not known."
        )
        lines = [c.line for c in starved] + ([limit[1]] if limit is not None else [])
        statements.append(say("skipped", text, *lines, candidate=most, verdict="workspace"))
    others = [
        c
        for c in subject.candidates
        if c.time_ms is None and c not in starved and c.reason not in {NO_VALID, ONLY_OPTION}
    ]
    if others:
        reasons = "; ".join(dict.fromkeys(c.reason or c.outcome for c in others))
        text = f"{counted(len(others), 'tactic', 'tactics')} had no time: {reasons}."
        statements.append(say("skipped", text, *(c.line for c in others), candidate=others[0], verdict="no time"))
    return statements


def _messages(subject: Subject) -> list[Statement]:
    rows: Sequence[dict[str, object]] = subject.messages
    told: dict[str, list[dict[str, object]]] = {}
    for row in rows:
        if row["code"] is not None:
            told.setdefault(str(row["code"]), []).append(row)
    return [
        say("note", f"{code}: {str(found[0]['text']).split(chr(10), 1)[0]} ({listed_lines([_line(r) for r in found])})",
            *(_line(row) for row in found), verdict=code)
        for code, found in told.items()
    ]  # fmt: skip


def _line(row: dict[str, object]) -> int:
    line = row["line"]
    assert isinstance(line, int)  # noqa: S101  the table's column is an integer
    return line

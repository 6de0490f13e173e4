"""The comparison in plain sentences: how much, by what, what got slower and why, what is left to gain."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.comparison.changes import main_cause
from trtlens.comparison.figures import COMPUTE, CONVERSION, split_difference
from trtlens.comparison.inference_headlines import (
    clock_of,
    tell_accounting,
    tell_inference,
    tell_mismatches,
    tell_padding,
    verdict_text,
)
from trtlens.comparison.plan_headlines import tell_plans
from trtlens.comparison.roof_headlines import tell_roofs
from trtlens.comparison.settings import fairness
from trtlens.comparison.times import FASTER, NO_DIFFERENCE, SLOWER
from trtlens.quantities import byte_size, duration, signed_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trtlens.comparison.comparison import Comparison, Row
    from trtlens.comparison.figures import Part
    from trtlens.comparison.times import Difference

_MOST_PARTS = 4
_MOST_REASONS = 3
_MOST_SLOWER = 3
_SMALL_SHARE = 0.02
"""Of the whole difference: causes below it are added up."""


@dataclass(frozen=True, slots=True)
class Section:
    """Sentences about one run against the baseline, or (``run`` None) about all runs."""

    run: int | None
    title: str
    sentences: tuple[str, ...]


def tell(comparison: Comparison) -> list[Section]:
    """Sections in reading order: each run against the baseline, then how far the comparison can be trusted."""
    base = comparison.names[comparison.baseline]
    sections = [
        Section(number, f"{comparison.names[number]} against {base}", tuple(_run(comparison, number)))
        for number in comparison.others
    ]
    told = [*_aligned(comparison), *fairness(comparison)]
    return [*sections, Section(None, "How far to trust this", tuple(told))]


def _run(comparison: Comparison, number: int) -> Iterable[str]:
    difference = comparison.totals[number].difference
    same_work = not any(one.is_other_work for one in comparison.mismatches[number])
    yield from tell_mismatches(comparison, number)
    yield from tell_inference(comparison, number)
    yield from tell_plans(comparison, number)
    yield from tell_roofs(comparison, number)
    yield from tell_accounting(comparison, number)
    if comparison.time_source is not None:
        yield _total(comparison, number)
    if difference is not None:
        yield from _parts(comparison, number, difference)
        yield from tell_padding(comparison, number)
    if same_work and any(row.cells[number].difference for row in comparison.rows):
        yield from _slower(comparison, number)
    if same_work and difference is not None and comparison.adds_up[number] is not False:
        yield from _left_over(comparison, number)
    yield from _counts(comparison, number)
    yield from _memory(comparison, number)
    yield from _errors(comparison, number)


def _total(comparison: Comparison, number: int) -> str:
    base, run = (comparison.totals[place] for place in (comparison.baseline, number))
    name, base_name = comparison.names[number], comparison.names[comparison.baseline]
    if run.difference is None or base.figures.time_ms is None or run.figures.time_ms is None:
        known = sum(row.cells[number].difference is not None for row in comparison.rows)
        return f"Not every layer of {name} and {base_name} has a time, so totals are not known; {_regions(known)} can be compared."
    tuner = comparison.judged_on == "tuner"
    kind = (
        f"The tuner's times of {name}'s tactics add up to" if tuner else f"{name}'s layers, each timed on its own, take"
    )
    change = f"{duration(run.figures.time_ms)}, {base_name}'s {duration(base.figures.time_ms)}"
    if any(one.is_other_work for one in comparison.mismatches[number]):
        return f"{kind} {change}."
    return f"{kind} {change}: {verdict_text(comparison, run.difference, run.figures.time_ms, base.figures.time_ms)}."


def _parts(comparison: Comparison, number: int, difference: Difference) -> Iterable[str]:
    """How the difference is made up, parts of little weight added up."""
    parts = split_difference(comparison, number)
    worth = [part for part in parts if abs(part.difference.diff_ms) >= _SMALL_SHARE * abs(difference.diff_ms)]
    listed = [f"{signed_duration(part.difference.diff_ms)} {part_text(part)}" for part in worth[:_MOST_PARTS]]
    rest = difference.diff_ms - sum(part.difference.diff_ms for part in worth[:_MOST_PARTS])
    if abs(rest) >= _SMALL_SHARE * abs(difference.diff_ms):
        listed.append(f"{signed_duration(rest)} everything else")
    if listed:
        whose = f"{clock_of(comparison).name}'s" if comparison.adds_up[number] is False else "layers'"
        yield f"The {whose.removeprefix('the ')} difference of {signed_duration(difference.diff_ms)} is made up of: {'; '.join(listed)}."


def part_text(part: Part) -> str:
    """A part of a difference in words, with its times: ``reformats and casts (16.6 µs before, 9.22 µs now)``."""
    times = f"{duration(part.base_ms)} before, {duration(part.run_ms)} now"
    noise = "; within noise" if part.difference.verdict == NO_DIFFERENCE else ""
    if part.kind == COMPUTE:
        change = f"in {part.before} as before" if part.before == part.after else f"from {part.before} to {part.after}"
        return f"computing {change} ({_regions(part.regions)}, {times}{noise})"
    words = "reformats and casts" if part.kind == CONVERSION else "copies of constants"
    return f"{words} ({times}{noise})"


def _slower(comparison: Comparison, number: int) -> Iterable[str]:
    """How many regions got faster and slower, why most of the slower ones did, and the worst."""
    verdicts = Counter(cell.difference.verdict for row in comparison.rows if (cell := row.cells[number]).difference)
    counted = ", ".join(f"{verdicts[kind]} {kind}" for kind in (FASTER, SLOWER, NO_DIFFERENCE) if verdicts[kind])
    clock = f"By {clock_of(comparison).name}, of" if comparison.adds_up[number] is False else "Of"
    yield f"{clock} {_regions(sum(verdicts.values()))}: {counted}."
    slower = [row for row in comparison.rows if (d := row.cells[number].difference) and d.verdict == SLOWER]
    slower.sort(key=lambda row: -_diff(row, number))
    causes: dict[str, list[Row]] = defaultdict(list)
    for row in slower:
        causes[main_cause(comparison, row, number) or "no change explains it"].append(row)
    ranked = sorted(causes.items(), key=lambda item: -sum(_diff(row, number) for row in item[1]))
    for words, rows in ranked[:_MOST_REASONS]:
        cost = signed_duration(sum(_diff(row, number) for row in rows))
        each = "each " if len(rows) > 1 else "it "
        worst = ", ".join(f"{row.short} {signed_duration(_diff(row, number))}" for row in rows[:_MOST_SLOWER])
        more = f" and {len(rows) - _MOST_SLOWER} more" if len(rows) > _MOST_SLOWER else ""
        yield f"Slower, {cost} in {_regions(len(rows))}; {each}{words}: {worst}{more}."
    others = ranked[_MOST_REASONS:]
    if others:
        cost = signed_duration(sum(_diff(row, number) for _, rows in others for row in rows))
        yield f"Slower for other reasons: {cost} in {_regions(sum(len(rows) for _, rows in others))} (see the changes)."


def _left_over(comparison: Comparison, number: int) -> Iterable[str]:
    """What the faster of the two runs would gain where the other one is faster."""
    base_total, run_total = (comparison.totals[place].figures.time_ms for place in (comparison.baseline, number))
    if base_total is None or run_total is None:
        return
    run_leads = run_total <= base_total
    leader, other = (number, comparison.baseline) if run_leads else (comparison.baseline, number)
    lost = SLOWER if run_leads else FASTER
    behind = [row for row in comparison.rows if (d := row.cells[number].difference) and d.verdict == lost]
    gain = sum(abs(_diff(row, number)) for row in behind)
    if not behind:
        return
    total = min(base_total, run_total)
    yield (
        f"On the table: {comparison.names[leader]}, the faster one, would gain {duration(gain)} ({100 * gain / total:.1f} %) if it ran "
        f"{_regions(len(behind))} as {comparison.names[other]} does, reformats in between not counted."
    )


def _counts(comparison: Comparison, number: int) -> Iterable[str]:
    """Reformats, and the changes of precision and fusion, where times do not tell of them."""
    base, run = (comparison.totals[place].figures for place in (comparison.baseline, number))
    if base.conversions != run.conversions:
        yield f"Reformats and casts that launch a kernel: {run.conversions}, {base.conversions} before."
    if comparison.totals[number].difference is None:
        pairs = Counter(
            (row.cells[comparison.baseline].figures.precision, row.cells[number].figures.precision)
            for row in comparison.rows
        )
        listed = [
            f"{_regions(count)} {before} to {after}" for (before, after), count in pairs.most_common()
            if before and after and before != after
        ]  # fmt: skip
        if listed:
            yield f"Precision: {', '.join(listed)}."
        split = sum(_layers(row, number) > _layers(row, comparison.baseline) for row in comparison.rows)
        fused = sum(_layers(row, number) < _layers(row, comparison.baseline) for row in comparison.rows)
        if split or fused:
            yield f"Fusion: {_regions(split)} split into more layers, {_regions(fused)} fused into fewer."


def _memory(comparison: Comparison, number: int) -> Iterable[str]:
    """Memory of the whole engine where the logs of both runs state it, and what differs."""
    rows = [comparison.engines[place].run["builds"].to_pylist() for place in (comparison.baseline, number)]
    if not all(rows):
        return
    kinds = {"activations": "activation_bytes", "weights": "weights_bytes", "scratch": "scratch_bytes"}
    pairs = {words: (rows[0][0][column], rows[1][0][column]) for words, column in kinds.items()}
    listed = [
        f"{words} {byte_size(after)} (before {byte_size(before)})"
        for words, (before, after) in pairs.items()
        if before is not None and after is not None and before != after
    ]
    if listed:
        yield f"Memory: {', '.join(listed)}."


def _errors(comparison: Comparison, number: int) -> Iterable[str]:
    """Where error comes in, for a run whose tensors were compared with a reference."""
    added = [
        (f.error_added, row) for row in comparison.rows if (f := row.cells[number].figures).error_added is not None
    ]
    worst = sorted((one for one in added if one[0] > 0), key=lambda one: -one[0])[:_MOST_SLOWER]
    if worst:
        listed = ", ".join(f"{row.short} {error:.2g}" for error, row in worst)
        yield f"Most error (noise over signal) comes in at: {listed}."


def _layers(row: Row, number: int) -> int:
    return len(row.cells[number].figures.computing)


def _aligned(comparison: Comparison) -> Iterable[str]:
    """How much of each run is in regions, and what is not."""
    count = len(comparison.alignment.regions)
    largest = comparison.alignment.largest
    if not comparison.left:
        yield f"All layers are aligned, in {_regions(count)}; the largest holds {largest} ONNX nodes."
    for number, name in enumerate(comparison.names):
        left = [one for one in comparison.left if one.entry.engine == number]
        if left:
            times = [one.figures.time_ms for one in left if one.figures.time_ms is not None]
            spent = f", {duration(sum(times))} of its time" if times else ""
            yield f"{len(left)} of {len(comparison.engines[number].layers)} layers of {name} could not be aligned{spent}: {left[0].name}, .."
        if comparison.times[number].outside_ms:
            yield f"{duration(comparison.times[number].outside_ms)} of {name}'s profile belongs to no layer of its engine."
        if comparison.engines[number].profiles > 1:
            engine = comparison.engines[number]
            yield f"{name} holds {engine.profiles} optimisation profiles; profile {engine.profile} is compared."


def _diff(row: Row, number: int) -> float:
    difference = row.cells[number].difference
    return 0.0 if difference is None else difference.diff_ms


def _regions(count: int) -> str:
    return f"{count} region{'' if count == 1 else 's'}"

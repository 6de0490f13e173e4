"""What ``trtlens parse`` says of a run at a glance: of each build an answer and its facts, from the tables alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from trtlens.engine.build_ending import FINISHED, NOT_SHOWN, not_understood, read_ending, reading_notes
from trtlens.quantities import duration, seconds
from trtlens.summary.builds import build_row
from trtlens.summary.facts import Fact, facts_of
from trtlens.summary.messages import telling_messages
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from trtlens.engine.build_ending import Ending
    from trtlens.runs.run import Run


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """What is to be said of one build: the answer in a sentence, then what it is, its facts, and the messages that matter.

    ``is_calibration`` is true for the network that TensorRT calibrates INT8 with; ``row`` holds the facts as a row of `BUILDS`.
    """

    build: int
    answer: str
    title: str
    facts: tuple[Fact, ...]
    messages: tuple[tuple[str, str, int, str], ...]
    row: dict[str, Any]
    notes: tuple[str, ...] = ()
    is_calibration: bool = False


def summarise(run: Run) -> list[BuildSummary]:
    """A summary for each build (or loaded engine) of the run; parts of a log without information are left out."""
    rows = run["builds"].to_pylist()
    telling = [row for row in rows if row["is_build"] or row["command"] or _tells(run.build(row["build"]))] or rows[:1]
    is_only = sum(not row["is_calibration"] for row in telling) == 1
    shown = [
        _summarise(run.build(row["build"]), row, read_ending(run, row["build"]), is_only=is_only) for row in telling
    ]
    shown[-1] = replace(shown[-1], notes=(*reading_notes(run), *_captured(run)))
    unknown = not_understood(run)
    if unknown is not None:
        shown[0] = replace(shown[0], facts=(Fact("log", f"not understood: {unknown}"), *shown[0].facts))
    return shown


def _tells(run: Run) -> bool:
    return any(
        run[name].num_rows
        for name in (
            "layers",
            "messages",
            "performance",
            "layer_profile",
            "layer_times",
            "kernel_launches",
            "kernel_counters",
        )
    )


def _summarise(run: Run, build: dict[str, Any], ending: Ending | None, *, is_only: bool) -> BuildSummary:
    version = build["tensorrt_version"] or "version not stated"
    row = build_row(run, build, ending)
    lines = f"lines {row['lines']}" if row["lines"] else None
    parts = [f"TensorRT {version}", build["gpu"], f"via {build['wrapper']}" if build["wrapper"] else None, lines]
    return BuildSummary(
        build["build"], _answer(run, row, ending, is_only=is_only), ", ".join(part for part in parts if part), tuple(facts_of(run, build, ending)), telling_messages(run), row,
        is_calibration=bool(build["is_calibration"]),
    )  # fmt: skip


def _answer(run: Run, row: dict[str, Any], ending: Ending | None, *, is_only: bool) -> str:
    """Why there is no engine; else what an inference takes and (of the only build) what leads the findings; else what was built."""
    if ending is not None and ending.state not in {FINISHED, NOT_SHOWN}:
        return _sentence(f"{ending.text}; {ending.next_check}" if ending.next_check else ending.text)
    if row["inference_ms"] is not None:
        return f"{duration(row['inference_ms'])} an inference{_first_finding(run, row['build']) if is_only else ''}"
    layers = f"an engine of {counted(row['layers'], 'layer', 'layers')}" if row["layers"] else "an engine"
    compute = f": {row['compute_in']} compute" if row["compute_in"] else ""
    moved = f", {counted(row['reformats'], 'reformat', 'reformats')}" if row["reformats"] else ""
    took = f", built in {seconds(row['built_s'])}" if row["built_s"] is not None else ""
    return _sentence(f"{layers}{compute}{moved}{took}; no inference was timed")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _first_finding(run: Run, build: int) -> str:
    """What the first finding has at stake, where it has any."""
    from trtlens.findings import find  # noqa: PLC0415  pandas: a log without times does without
    from trtlens.findings.stakes import stake_text  # noqa: PLC0415

    for found in find(run):
        stake = found.finding.stake
        told = (
            stake_text(stake.low_ms, stake.time_ms, stake.high_ms) if found.build == build and stake is not None else ""
        )
        if told:
            return f"; {found.finding.title}: {told} at stake, trtlens findings says how to gain it"
    return ""


def _captured(run: Run) -> list[str]:
    """What ``run.json`` notes of a run that was captured."""
    if not run.info.notes:
        return []
    from trtlens.engine.clocks import notes_of  # noqa: PLC0415  pandas, as above

    return notes_of(run)

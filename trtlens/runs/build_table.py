"""The table of the builds in a log: what each one states of itself and of its engine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trtlens.runs.totals import KEYS, EngineFacts, Stretches
from trtlens.tables.declarations import TABLES
from trtlens_parsers.messages.graph import Pass
from trtlens_parsers.messages.memory_lines import LayerMemory, Phase
from trtlens_parsers.messages.tuning import Choice
from trtlens_parsers.prefixes import read_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from trtlens_parsers.records import Build


_SIZES = ("activation", "weights", "scratch", "host persistent", "device persistent")


def builds_table(builds: Sequence[Build]) -> pa.Table:
    """One row for each build or loaded engine."""
    rows = [_row(build) for build in builds]
    return TABLES["builds"].table({c.name: [row[c.name] for row in rows] for c in TABLES["builds"].columns})


def _row(build: Build) -> dict[str, Any]:
    phases = {phase.name: phase.seconds for phase in build.records(Phase)}
    engine = EngineFacts(build)
    listed = read_layer_list(build, engine.layers())
    return {
        "build": build.number,
        "run": build.run.number,
        "tensorrt_version": build.run.version,
        "version_line": build.run.version_line,
        "wrapper": build.wrapper,
        "command": build.run.command,
        "state": build.run.state,
        "state_line": build.run.state_line,
        "first_line": build.first_line,
        "last_line": build.last_line,
        "last_text": _text_of(build.last_text[1]) if build.last_text else None,
        "last_phase": build.last_phase if build.is_build and build.mixed_line is None else None,
        "mixed_line": build.mixed_line,
        "is_build": build.is_build,
        "is_calibration": "calibration" in phases,
        "finished": build.finished,
        "complete": _is_complete(build, listed),
        "loaded_line": build.loaded_line,
        "started_s": build.moments[0].stamp_s if build.moments else None,
        "finished_s": build.moments[-1].stamp_s if build.moments else None,
        "tactic_selection_s": engine.seconds("tactic selection"),
        "engine_generation_s": engine.seconds("engine generation"),
        "engine_built_s": phases.get("engine built"),
        "unread_rows": len(build.unread_rows) if build.layers or build.detailed_layers or build.unread_rows else None,
        "layer_count": listed.layers,
        "layers_note": listed.note,
        "gpu": _option(build, "Selected Device"),
        "precision_flags": _option(build, "Precision") if build.is_build else None,
        **{f"{name.replace(' ', '_')}_bytes": engine.size(name) for name in _SIZES},
    }


def _is_complete(build: Build, listed: LayerList) -> bool | None:
    """Whether an engine was finished and the log, as far as it tells, has all that was said of it."""
    if not build.finished:
        return build.finished
    return not lacks_list(build) if listed.whole is None else listed.whole


def _text_of(line: str) -> str:
    prefix = read_prefix(line)
    return line if prefix is None else line[prefix.length :]


def _option(build: Build, key: str) -> str | None:
    return next((row.value for row in build.run.options if row.key == key and row.value), None)


# -- phases -----------------------------------------------------------------------------------------------------------
# The parts of a build and what they took: as TensorRT states it, and by the time stamps before its lines.


class PhaseTime(NamedTuple):
    """Seconds of a part of a build; ``source`` is ``stated`` or ``stamps``."""

    name: str
    seconds: float
    source: str
    line: int


def all_phases(build: Build, above: Build | None = None) -> list[PhaseTime]:
    """What TensorRT states, in the order of the log, then what the time stamps show; ``above`` is the build before it.

    INT8 is calibrated, as a build of its own, while the engine's graph is constructed: the seconds stated for that hold those of
    the calibration, which are taken off.
    """
    calibrated_s = _calibrated_s(above) if above is not None and above.run.number == build.run.number else 0.0
    stated = [PhaseTime(phase.name, _less(phase, calibrated_s), "stated", phase.line) for phase in build.records(Phase)]
    return [*stated, *_stamped(build)]


def _calibrated_s(build: Build) -> float:
    return sum(phase.seconds for phase in build.records(Phase) if phase.name == "calibration")


def _less(phase: Phase, calibrated_s: float) -> float:
    holds = phase.name == "graph construction" and phase.seconds >= calibrated_s
    return phase.seconds - calibrated_s if holds else phase.seconds


def _stamped(build: Build) -> list[PhaseTime]:
    """Seconds between time stamps, given to the phase that was running when the later stamp came, by strategy and profile."""
    moments, stretches = build.moments, Stretches(build)
    lines = np.array([moment.line for moment in moments], np.int64)
    parts = zip(*(stretches.of(key, lines).tolist() for key in KEYS), strict=True)
    spans: dict[tuple[str, tuple[int, ...]], PhaseTime] = {}
    for before, after, part in zip(moments, moments[1:], list(parts)[1:], strict=False):
        first = PhaseTime(after.phase, 0.0, "stamps", after.line)
        span = spans.setdefault((after.phase, part), first)
        took = max(after.stamp_s - before.stamp_s, 0.0)
        spans[after.phase, part] = span._replace(seconds=span.seconds + took)
    return list(spans.values())


# -- lists of layers --------------------------------------------------------------------------------------------------
# Whether a log lists all layers of an engine: its list has an end, and as many rows as the builder counted layers.


_KILLED = re.compile(
    r"(?:.{0,200}\s)?(?:Killed|Terminated|Aborted|Segmentation fault|Bus error|Illegal instruction)\b|.{0,200}\(core dumped\)"
    r"|terminate called |\^C|Traceback \("
)
"""What a shell, or a program that dies, prints behind whatever was written last."""


class LayerList(NamedTuple):
    """What a log says of the list of an engine's layers.

    Attributes:
        whole: whether every layer is in the list; None where the log has none.
        layers: layers of the engine, listed or not; None where the log leaves it open.
        note: why a list is not whole.
    """

    whole: bool | None
    layers: int | None
    note: str | None


class _Form(NamedTuple):
    """One form in which the log lists the layers: rows, those not understood too, the last line, whether detailed."""

    rows: int
    last_line: int | None
    detailed: bool


def read_layer_list(build: Build, stated: int | None) -> LayerList:
    """The list of one build; ``stated`` is what the builder counted before it generated the engine."""
    forms = list(_forms(build))
    if not forms:
        return LayerList(whole=None, layers=stated, note=None)
    notes = [(form, _missing(build, form, stated)) for form in forms]
    whole = next((form for form, note in notes if note is None), None)
    if whole is not None:
        return LayerList(whole=True, layers=max(form.rows for form, note in notes if note is None), note=None)
    _, note = max(notes, key=lambda pair: pair[0].rows)
    # Detailed rows are those of a region's parts, too, which the builder counts as one layer.
    counted = None if any(form.detailed for form in forms) else stated
    return LayerList(whole=False, layers=counted, note=note)


def _forms(build: Build) -> Iterator[_Form]:
    for detailed, rows in ((False, build.layers), (True, build.detailed_layers)):
        lost = [row.line for row in build.unread_rows if row.is_layer and row.detailed == detailed]
        lines = [row.line for row in rows]
        extended = [build.extended_line] if detailed and build.extended_line else []
        if rows:
            last = None if None in lines else max(line for line in (*lines, *lost, *extended) if line is not None)
            yield _Form(len(rows) + len(lost), last, detailed)
    if build.layer_names:
        yield _Form(len(build.layer_names), build.layer_names[-1][1], detailed=False)


def _missing(build: Build, form: _Form, stated: int | None) -> str | None:
    """Why the list is not whole; None where nothing speaks against it. A list from another file than the log is whole."""
    if form.last_line is None or (form.rows == stated and not form.detailed):
        return None
    if stated is not None and form.rows < stated and not (_omits_rows(build) and _has_end(build, form)):
        return f"the log lists {form.rows} of the {stated} layers that the builder counted"
    if not _has_end(build, form):
        return f"the log ends in the list of the engine's layers, behind {form.rows} rows"
    return None


def _has_end(build: Build, form: _Form) -> bool:
    """Whether a line stands behind the rows that only a program that goes on can have written."""
    if build.last_text is None or form.last_line is None:
        return False
    line, text = build.last_text
    return line > form.last_line and _KILLED.match(text) is None


def _omits_rows(build: Build) -> bool:
    """Whether this is 8.0, which lists no layer that does nothing; its memory lines name no scratch memory."""
    version = build.run.version
    return (
        version.startswith("8.0") if version else any(row.scratch_bytes is None for row in build.records(LayerMemory))
    )


def lacks_list(build: Build) -> bool:
    """Whether a verbose log ends behind engine generation, before the list that would follow; 5.x lists no layers."""
    is_verbose = bool(build.records(Pass) or build.blocks)
    is_oldest = any(choice.runner.isdecimal() for choice in build.records(Choice))
    return is_verbose and not is_oldest and not build.used

"""The table of the builds in a log: what each one states of itself and of its engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trtlens.runs.layer_lists import LayerList, lacks_list, read_layer_list
from trtlens.runs.stretches import KEYS, Stretches
from trtlens.runs.totals import EngineFacts
from trtlens.tables.declarations import TABLES
from trtlens_parsers.prefixes import read_prefix

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens_parsers.records import Build


_SIZES = ("activation", "weights", "scratch", "host persistent", "device persistent")


def builds_table(builds: Sequence[Build]) -> pa.Table:
    """One row for each build or loaded engine."""
    rows = [_row(build) for build in builds]
    return TABLES["builds"].table({c.name: [row[c.name] for row in rows] for c in TABLES["builds"].columns})


def _row(build: Build) -> dict[str, Any]:
    phases = {phase.name: phase.seconds for phase in build.phases}
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
        "unread_rows": len(build.lost_rows) if build.layers or build.detailed_layers or build.lost_rows else None,
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


def all_phases(build: Build) -> list[PhaseTime]:
    """What TensorRT states, in the order of the log, then what the time stamps show."""
    stated = [PhaseTime(phase.name, phase.seconds, "stated", phase.line) for phase in build.phases]
    return [*stated, *_stamped(build)]


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

"""The table of the builds in a log: what each one states of itself and of its engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.tables import TABLES
from trtlens.totals import EngineFacts

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
        "is_build": build.is_build,
        "is_calibration": "calibration" in phases,
        "complete": build.complete,
        "loaded_line": build.loaded_line,
        "started_s": build.moments[0].stamp_s if build.moments else None,
        "finished_s": build.moments[-1].stamp_s if build.moments else None,
        "tactic_selection_s": engine.seconds("tactic selection"),
        "engine_generation_s": engine.seconds("engine generation"),
        "engine_built_s": phases.get("engine built"),
        "unread_rows": len(build.lost_rows) if build.layers or build.detailed_layers or build.lost_rows else None,
        "layer_count": _layer_count(build, engine),
        "gpu": _option(build, "Selected Device"),
        "precision_flags": _option(build, "Precision") if build.is_build else None,
        **{f"{name.replace(' ', '_')}_bytes": engine.size(name) for name in _SIZES},
    }


def _layer_count(build: Build, engine: EngineFacts) -> int | None:
    rows = build.layers or build.detailed_layers
    if rows:
        lost = (other for other in build.lost_rows if other.is_layer and other.detailed == rows[0].layer.detailed)
        return len(rows) + sum(1 for _ in lost)
    return len(build.layer_names) if build.layer_names else engine.layers()


def _option(build: Build, key: str) -> str | None:
    return next((row.value for row in build.run.options if row.key == key and row.value), None)

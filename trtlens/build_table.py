"""The table of the builds in a log: what each one states of itself and of its engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.tables import TABLES
from trtlens.totals import engine_bytes, engine_layers, engine_seconds

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
    return {
        "build": build.number,
        "tensorrt_version": build.version,
        "version_line": build.version_line,
        "wrapper": build.wrapper,
        "command": build.command,
        "state": build.state,
        "first_line": build.first_line,
        "last_line": build.last_line,
        "is_build": build.is_build,
        "is_calibration": "calibration" in phases,
        "complete": build.complete,
        "started_s": build.moments[0].stamp_s if build.moments else None,
        "finished_s": build.moments[-1].stamp_s if build.moments else None,
        "tactic_selection_s": engine_seconds(build, "tactic selection"),
        "engine_generation_s": engine_seconds(build, "engine generation"),
        "engine_built_s": phases.get("engine built"),
        "layer_count": _layer_count(build),
        "gpu": _option(build, "Selected Device"),
        "precision_flags": _option(build, "Precision"),
        **{f"{name.replace(' ', '_')}_bytes": engine_bytes(build, name) for name in _SIZES},
    }


def _layer_count(build: Build) -> int | None:
    rows = build.layers or build.detailed_layers or build.layer_names
    return len(rows) if rows else engine_layers(build)


def _option(build: Build, key: str) -> str | None:
    return next((row.value for row in build.options if row.key == key and row.value), None)

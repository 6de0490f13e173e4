"""Several builds of a log beside one another: a row for each, and in a sentence what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.engine.build_ending import FINISHED
from trtlens.layer_patterns import listed
from trtlens.output import layout
from trtlens.quantities import duration
from trtlens.summary.facts import built_s, counts_text, inference_ms, is_told
from trtlens.tables.engine_layers import NO_WORK
from trtlens.tables.schema import declare
from trtlens.tuning.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.engine.build_ending import Ending
    from trtlens.runs.run import Run

BUILDS = declare(
    "builds of a log", "one build, or loaded engine", "build",
    """
    run | text | | run, where several are read
    build | int | | number of the build
    engine | text | | why there is no engine; empty for one that was built
    allowed | text | | precisions that the build was allowed
    layers | int | | layers of the engine
    compute_in | text | | what the layers that compute run in
    reformats | int | | reformats
    built_s | float | s | what the build took, or until it ended
    inference_ms | float | ms | median time of an inference on the GPU
    tensorrt | text | | version
    gpu | text | | GPU
    lines | text | | lines of the log
    """,
)  # fmt: skip
BUILDS_LAYOUT = layout(
    "run build inference_ms layers compute_in built_s engine reformats allowed tensorrt gpu lines",
    stretches="run",
    prose="engine",
)


def build_row(run: Run, build: dict[str, Any], ending: Ending | None) -> dict[str, Any]:
    """What is known of one build, as a row of `BUILDS`."""
    layers = run["layers"].select(["type", "precision", "is_reformat"]).to_pylist() if is_told(ending) else []
    working = [row for row in layers if row["type"] not in NO_WORK and not row["is_reformat"]]
    return {
        "run": None, "build": build["build"], "tensorrt": build["tensorrt_version"], "gpu": build["gpu"], "allowed": build["precision_flags"],
        "engine": ending.text.split("; ", 1)[0] if ending is not None and ending.state != FINISHED else None,
        "layers": len(layers) or build["layer_count"], "compute_in": counts_text(working, "precision") or None,
        "reformats": sum(bool(row["is_reformat"]) for row in layers) if layers else None, "built_s": built_s(build),
        "inference_ms": inference_ms(run), "lines": f"{build['first_line']:,} to {build['last_line']:,}" if build["last_line"] else None,
    }  # fmt: skip


def unread_row(run: str, reason: str) -> dict[str, Any]:
    """The row of a run that cannot be read."""
    return {**dict.fromkeys(column.name for column in BUILDS.columns), "run": run, "engine": reason}


def builds_table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """A row for each of several builds."""
    return BUILDS.of_rows(rows)


def answer_of_builds(rows: Sequence[dict[str, Any]]) -> str:
    """How many builds there are, which gave no engine, and between which times their inferences lie."""
    failed = [_place(row) for row in rows if row["engine"] is not None and row["layers"] is None]
    timed = sorted((row["inference_ms"], _place(row)) for row in rows if row["inference_ms"] is not None)
    text = counted(len(rows), "build", "builds")
    text += f"; of {listed(failed)} no engine is known" if failed else ""
    if not timed:
        return f"{text}; no inference was timed"
    (low, fastest), (high, slowest) = timed[0], timed[-1]
    if len(timed) == 1:
        return f"{text}; an inference takes {duration(low)} ({fastest})"
    if duration(low) == duration(high):
        return f"{text}; an inference takes {duration(low)} in each of {len(timed)}"
    return f"{text}; an inference takes from {duration(low)} ({fastest}) to {duration(high)} ({slowest})"


def _place(row: dict[str, Any]) -> str:
    """Which build of which run."""
    parts = [row["run"], None if row["build"] is None else f"build {row['build']}"]
    return " ".join(part for part in parts if part)

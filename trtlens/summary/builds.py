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

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.engine.build_ending import Ending
    from trtlens.runs.run import Run

BUILDS = declare(
    "builds of a log", "one build, or loaded engine", "build",
    """
    build | int | | number of the build
    engine | text | | why there is no engine; empty for one that was built
    allowed | text | | precisions that the build was allowed
    layers | int | | layers of the engine
    compute_in | text | | what the layers that compute run in
    reformats | int | | reformats
    built_s | float | s | what the build took
    inference_ms | float | ms | median time of an inference on the GPU
    tensorrt | text | | version
    gpu | text | | GPU
    lines | text | | lines of the log
    """,
)  # fmt: skip
BUILDS_LAYOUT = layout(
    "build inference_ms layers compute_in built_s engine reformats allowed tensorrt gpu lines", prose="engine"
)


def build_row(run: Run, build: dict[str, Any], ending: Ending | None) -> dict[str, Any]:
    """What is known of one build, as a row of `BUILDS`."""
    layers = run["layers"].select(["type", "precision", "is_reformat"]).to_pylist() if is_told(ending) else []
    working = [row for row in layers if row["type"] not in NO_WORK and not row["is_reformat"]]
    return {
        "build": build["build"], "tensorrt": build["tensorrt_version"], "gpu": build["gpu"], "allowed": build["precision_flags"],
        "engine": ending.text if ending is not None and ending.state != FINISHED else None,
        "layers": len(layers) or build["layer_count"], "compute_in": counts_text(working, "precision") or None,
        "reformats": sum(bool(row["is_reformat"]) for row in layers) if layers else None, "built_s": built_s(build),
        "inference_ms": inference_ms(run), "lines": f"{build['first_line']:,} to {build['last_line']:,}" if build["last_line"] else None,
    }  # fmt: skip


def builds_table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """A row for each of several builds."""
    return BUILDS.of_rows(rows)


def answer_of_builds(rows: Sequence[dict[str, Any]]) -> str:
    """How many builds there are, which gave no engine, and between which times their inferences lie."""
    failed = [str(one["build"]) for one in rows if one["engine"] is not None and one["layers"] is None]
    timed = sorted((one["inference_ms"], one["build"]) for one in rows if one["inference_ms"] is not None)
    text = f"{len(rows)} builds"
    text += f"; of {listed(failed)} no engine is known" if failed else ""
    if not timed:
        return f"{text}; no inference was timed"
    fastest, slowest = timed[0], timed[-1]
    if len(timed) == 1 or duration(fastest[0]) == duration(slowest[0]):
        return f"{text}; an inference takes {duration(fastest[0])}{f' (build {fastest[1]})' if len(timed) == 1 else ''}"
    return f"{text}; an inference takes from {duration(fastest[0])} (build {fastest[1]}) to {duration(slowest[0])} (build {slowest[1]})"

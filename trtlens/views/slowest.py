"""Which layers take the most time?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.engine.times import arrow, layers_with_times, profiled_layers
from trtlens.output import layout
from trtlens.quantities import duration, percent
from trtlens.tables.schema import declare
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

MOST = 10
COLUMNS = declare(
    "view slowest",
    "one of the layers that take the most time",
    "build index",
    """
    build | int | | number of the build
    index | int | | position in the engine; in the profile, where the engine's layers are not known
    name | text | | layer
    precision | text | | what the layer computes in
    unit | text | | core type: tensor core or cuda core
    time_ms | float | ms | median time of one execution, else the mean
    time_source | text | | kernels (of a trace); of the layer profiler, which stretches layers: samples, profile table or export
    percent | float | % | share of the time of all layers
    kernel | text | | kernel
    """,
)


def table(run: Run) -> pa.Table:
    """The ten slowest layers of each build, the slowest first; nothing where the run has no times.

    A profile alone names its layers; what they compute in is then unknown.
    """
    layers = layers_with_times(run) if run["layers"].num_rows else profiled_layers(run)
    whole = layers.groupby("build")["time_ms"].transform("sum", min_count=1)
    layers["percent"] = 100 * layers["time_ms"] / whole.where(whole > 0)
    layers = layers[layers["time_ms"].notna()].sort_values(["build", "time_ms"], ascending=[True, False])
    return arrow(layers.groupby("build").head(MOST).rename(columns={"tactic_name": "kernel"}), COLUMNS)


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """The slowest layer, and what all of these take."""
    first = rows[0]
    if not first["time_ms"]:
        return "No layer takes any time, as it was measured"
    text = f"{first['name']} takes the most, {duration(first['time_ms'])} ({percent(first['percent'])} of all layers)"
    together = f"the {len(rows)} slowest take {duration(sum(row['time_ms'] for row in rows))}"
    return f"{text}; {together} ({percent(sum(row['percent'] for row in rows))})" if len(rows) > 1 else text


VIEW = View(
    table,
    question="Which layers take the most time?",
    answer=_answer,
    place=2,
    layout=layout("name time_ms percent precision unit kernel index", stretches="name"),
    empty="no layer has a time: trtlens profile times them, or add the file of trtexec --exportProfile (with --separateProfileRun)",
)

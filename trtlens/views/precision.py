"""How many layers compute in each precision, and how much of the time do they take?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtlens.engine.times import layers_with_times, time_by, work_of
from trtlens.output import layout
from trtlens.quantities import percent
from trtlens.tables.schema import declare
from trtlens.tuning.wording import counted
from trtlens.views import NO_LAYERS, View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

COLUMNS = declare(
    "view precision", "the layers of one kind of work and one compute precision", "build work precision",
    """
    build | int | | number of the build
    work | text | | compute, reformat, or none (constants and views, which launch no kernel)
    precision | text | | what the layers compute in; null for unknown
    layers | int | | layers
    layers_percent | float | % | share of the build's layers that do this kind of work
    time_ms | float | ms | time of these layers; null where the run has none
    time_percent | float | % | share of the time of all layers
    """,
)  # fmt: skip


def table(run: Run) -> pa.Table:
    """Counts and times by precision, the most time (else the most layers) first, work that computes before the rest."""
    if not run["layers"].num_rows:
        return COLUMNS.empty()
    layers = layers_with_times(run)
    layers["work"] = work_of(layers)
    return COLUMNS.of_rows(time_by(layers, ["build", "work", "precision"], within=("build", "work")))


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """What computes in each precision, by time where there is one, and what reformats take."""
    working = [row for row in rows if row["work"] == "compute"]
    told = [f"{(row['precision'] or 'unknown').upper()} {_size(row)}" for row in working]
    moved = [row for row in rows if row["work"] == "reformat"]
    layers = sum(row["layers"] for row in moved)
    times = [row["time_percent"] for row in moved if row["time_percent"] is not None]
    rest = f"; {counted(layers, 'reformat', 'reformats')}" + (f" {percent(sum(times))} of the time" if times else "")
    return f"Computing layers: {', '.join(told) or 'none'}{rest if moved else '; no reformats'}"


def _size(row: dict[str, Any]) -> str:
    layers = counted(row["layers"], "layer", "layers")
    return layers if row["time_percent"] is None else f"{layers}, {percent(row['time_percent'])} of the time"


VIEW = View(
    table,
    question="How many layers compute in each precision, and how much of the time do they take?",
    answer=_answer,
    place=3,
    layout=layout("work precision layers time_ms time_percent layers_percent"),
    empty=NO_LAYERS,
)

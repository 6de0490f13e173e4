"""What runs on tensor cores, what on CUDA cores although a tensor core kernel was timed?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from trtlens.joins import arrow, frame, layers_with_times, share, work_of
from trtlens.schema import declare
from trtlens.views import View
from trtlens_parsers.kernels import TENSOR_CORE

if TYPE_CHECKING:
    from trtlens.runs import Run

COLUMNS = declare(
    "view tensorcores", "the layers on one unit (name is null), or one layer on CUDA cores that had a tensor core candidate",
    "build unit name",
    """
    build | int | | number of the build
    unit | text | | tensor core or cuda core; null for unknown
    unit_reason | text | | why the unit is unknown
    layers | int | | layers
    layers_percent | float | % | share of the layers that compute
    time_ms | float | ms | time; null where the run has none
    time_percent | float | % | share of the time of the layers that compute
    name | text | | a layer on CUDA cores although a tensor core candidate was timed
    kernel | text | | the kernel that it runs
    candidate | text | | the fastest tensor core candidate
    candidate_ms | float | ms | time that the tuner measured for that candidate
    candidate_line | int | | line of that candidate
    """,
)  # fmt: skip


def table(run: Run) -> pa.Table:
    """Layers and time by unit, then each layer on CUDA cores that could have run on tensor cores."""
    if not run["layers"].num_rows:
        return COLUMNS.empty()
    layers = layers_with_times(run)
    layers = layers[work_of(layers) == "compute"].rename(columns={"tactic_name": "kernel"})
    rows = pd.concat([_by_unit(layers), _missed(layers, run["candidates"])], ignore_index=True)
    return arrow(rows, COLUMNS)


def _by_unit(layers: pd.DataFrame) -> pd.DataFrame:
    groups = layers.groupby(["build", "unit", "unit_reason"], dropna=False)
    rows = groups.agg(layers=("name", "size"), time_ms=("time_ms", lambda t: t.sum(min_count=1))).reset_index()
    rows["layers_percent"] = share(rows, "layers", ["build"])
    rows["time_percent"] = share(rows, "time_ms", ["build"])
    return rows.sort_values(["build", "time_ms", "layers"], ascending=[True, False, False])


def _missed(layers: pd.DataFrame, candidates: pa.Table) -> pd.DataFrame:
    """Layers on CUDA cores with the fastest tensor core kernel that the tuner timed for them in any format."""
    best = _fastest_on_tensor_cores(candidates).rename(
        columns={"layer": "name", "tactic_name": "candidate", "time_ms": "candidate_ms", "line": "candidate_line"}
    )
    slow = layers.loc[layers["unit"] == "cuda core", ["build", "index", "name", "kernel", "unit", "time_ms"]]
    return slow.merge(best, on=["build", "name"]).sort_values(["build", "index"])


def _fastest_on_tensor_cores(candidates: pa.Table) -> pd.DataFrame:
    """One row for each layer; of all the others no text is ever made."""
    on_tensor_cores = pc.equal(candidates["unit"].cast(pa.string()), TENSOR_CORE)
    timed = candidates.filter(pc.and_(on_tensor_cores, pc.is_valid(candidates["time_ms"])))
    ordered = timed.select(["build", "layer", "time_ms"]).to_pandas().sort_values("time_ms", kind="stable")
    first = ordered.drop_duplicates(["build", "layer"]).index
    return frame(timed.select(["build", "layer", "tactic_name", "time_ms", "line"]).take(pa.array(first)))


VIEW = View(
    table,
    question="What runs on tensor cores, what on CUDA cores although a tensor core kernel was timed?",
    place=4,
)

"""Which kernel families does the engine use?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.engine.times import arrow, layers_with_times, time_by, work_of
from trtlens.tables.schema import declare
from trtlens.views import NO_LAYERS, View
from trtlens_parsers.kernels import read_kernel

if TYPE_CHECKING:
    import pyarrow as pa

    from trtlens.runs.run import Run

COLUMNS = declare(
    "view kernels", "the layers that run kernels of one family, operation, precision and core type",
    "build family operation precision unit",
    """
    build | int | | number of the build
    family | text | | kernel family; null where no kernel name is known
    operation | text | | what the kernels do
    precision | text | | what the layers compute in
    unit | text | | core type: tensor core or cuda core; null for unknown
    layers | int | | layers
    kernels | int | | distinct kernels
    layers_percent | float | % | share of the layers that launch a kernel
    time_ms | float | ms | time of these layers; null where the run has none
    time_percent | float | % | share of the time of all layers
    """,
)  # fmt: skip


def table(run: Run) -> pa.Table:
    """Kernel families by time, else by number of layers; constants and views that launch nothing are left out."""
    if not run["layers"].num_rows:
        return COLUMNS.empty()
    layers = layers_with_times(run)
    layers = layers[work_of(layers) != "none"].copy()
    kernels = {name: read_kernel(name) for name in layers["tactic_name"].dropna().unique()}
    for column in ("family", "operation"):
        layers[column] = layers["tactic_name"].map({name: getattr(k, column) for name, k in kernels.items()})
    keys = ["build", "family", "operation", "precision", "unit"]
    return arrow(time_by(layers, keys, kernels=("tactic_name", "nunique")), COLUMNS)


VIEW = View(
    table,
    question="Which kernel families does the engine use?",
    place=5,
    empty=NO_LAYERS,
)

"""Which kernel families does the engine use?"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import pandas as pd

from trtlens.engine.kernel_times import traced_builds
from trtlens.engine.kernels_run import RanKernel, confirmed, kernels_run
from trtlens.engine.tensor_use import TensorUse
from trtlens.engine.times import layers_with_times, time_by, total, work_of
from trtlens.output import layout
from trtlens.quantities import percent
from trtlens.tables.schema import declare
from trtlens.tuning.wording import counted
from trtlens.views import NO_LAYERS, View
from trtlens_parsers.kernels import read_kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    confirmed | int | | layers of which a trace holds the kernel that the engine states; null without a trace, and where no kernel is stated
    differing | int | | layers that were traced without it: another kernel ran; null likewise
    ran | texts | | kernels that ran in these layers instead
    counted | int | | layers of whose kernel Nsight Compute counted whether it used tensor cores; null without such a file
    tensor_used | int | | those of them whose kernel used tensor cores, beside what its name says (unit); null likewise
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
    layers = layers.join(_ran(run, layers))
    layers["used"] = _used(run, layers)
    rows = time_by(
        layers, ["build", "family", "operation", "precision", "unit"], kernels=("tactic_name", lambda names: len(set(names))),
        confirmed=("confirmed", total), differing=("differing", total), ran=("ran", lambda names: sorted(set(chain(*names))) or None),
        counted=("used", lambda known: len(known) or None), tensor_used=("used", total),
    )  # fmt: skip
    return COLUMNS.of_rows(rows)


def _used(run: Run, layers: pd.DataFrame) -> pd.Series:
    """1 for layers whose kernel used tensor cores as counted, 0 for those whose kernel did not, null where nothing tells it."""
    uses = {build: TensorUse(run, build) for build in layers["build"].unique()}
    found = [
        uses[build].of(stated)
        for build, stated in zip(
            layers["build"],
            layers["tactic_name"].astype(object).where(layers["tactic_name"].notna(), None),
            strict=True,
        )
    ]
    return pd.Series([None if used is None else int(used) for used in found], index=layers.index, dtype="Int64")


def _ran(run: Run, layers: pd.DataFrame) -> pd.DataFrame:
    """Whether each layer's stated kernel ran, and which ran where it did not; nothing of layers that were not traced."""
    rows = {}
    for build in traced_builds(run):
        by_layer: dict[int, list[RanKernel]] = {}
        for one in kernels_run(run, build):
            if one.layer_index is not None and one.decoded is not None:
                by_layer.setdefault(one.layer_index, []).append(one)
        own = layers[(layers["build"] == build) & layers["tactic_name"].notna() & layers["index"].isin(list(by_layer))]
        for place, index, stated in zip(own.index, own["index"], own["tactic_name"], strict=True):
            ran = by_layer[int(index)]
            agrees = confirmed(ran, stated)
            rows[place] = (int(agrees), int(not agrees), None if agrees else [one.kernel for one in ran])
    found = pd.DataFrame.from_dict(rows, orient="index", columns=["confirmed", "differing", "ran"])
    return found.astype({"confirmed": "Int64", "differing": "Int64"})


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """The kernels that take the most time, else those of the most layers, and whether a trace confirms them."""
    first = rows[0]
    named = [row for row in rows if row["family"] is not None]
    first = named[0] if named else first
    what = " ".join(filter(None, (first["precision"], first["family"], first["operation"]))) or "unknown"
    share = first["layers_percent"] if first["time_percent"] is None else first["time_percent"]
    text = f"{what} kernels run in {counted(first['layers'], 'layer', 'layers')}, {percent(share)} of the {'layers' if first['time_percent'] is None else 'time'}"
    differing = sum(row["differing"] or 0 for row in rows)
    confirmed = sum(row["confirmed"] or 0 for row in rows)
    return (
        f"{text}; the trace confirms {confirmed} stated kernels, {differing} layers ran others"
        if confirmed or differing
        else text
    )


VIEW = View(
    table,
    question="Which kernel families does the engine use?",
    answer=_answer,
    place=5,
    layout=layout(
        "family operation precision unit layers time_ms time_percent kernels confirmed differing counted tensor_used"
    ),
    empty=NO_LAYERS,
)

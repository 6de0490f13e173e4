"""Which tensor goes wrong first, in which layer and precision, and how much error does each layer add?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pandas as pd

from trtlens.engine.tensor_layers import places_of_tensors
from trtlens.engine.times import arrow, frame, layers_with_times
from trtlens.output import layout
from trtlens.tables.schema import declare
from trtlens.tuning.wording import counted
from trtlens.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from trtlens.runs.run import Run

COLUMNS = declare(
    "view accuracy", "one tensor that was compared, or refused, in execution order", "build index",
    """
    build | int | | number of the build
    index | int | | position in the execution
    tensor | text | | tensor
    role | text | | input, inner or output
    op | text | | operator of the ONNX node that makes it
    verdict | text | | ok, suspect or wrong
    first_wrong | bool | | whether it is the first one that is not ok
    error | float | | noise over signal, 1 at least after a NaN or infinity; lower is better
    error_added | float | | error less that of its inputs: what its own layer added; lower is better
    sqnr_db | float | dB | signal over noise; higher is better
    cosine_similarity | float | | cosine of the angle between both; higher is better
    max_abs_error | float | | largest absolute error; lower is better
    deviation_ratio | float | | share of elements that deviate by more than the threshold; lower is better
    ulp_p99 | float | ulp | 99th percentile of the distance in units in the last place (ULP); lower is better
    new_nan | int | | NaN where the reference has none
    new_inf | int | | infinities where the reference is finite
    layer | text | | engine layer that makes it
    precision | text | | what that layer computes in
    unit | text | | core type: tensor core or cuda core
    time_ms | float | ms | time of that layer
    time_source | text | | kernels (of a trace); of the layer profiler, which stretches layers: samples, profile table or export
    joined_by | text | | how the layer was found: tensor, metadata, name or tensors
    cause | text | | what made the error
    advice | text | | what to do about it
    keep_fp32 | texts | | ONNX nodes to keep in FP32
    reason | text | | why it was not compared
    producer | text | | ONNX node that makes it
    layer_index | int | | position of the layer in the engine
    """,
)  # fmt: skip


def table(run: Run) -> pa.Table:
    """Compared and refused tensors in execution order, joined to layers, precision, unit and time where the run has them.

    Tensors that only the reference has stand in the table ``tensor_errors``.
    """
    if not run["tensor_errors"].num_rows:
        return COLUMNS.empty()
    errors = frame(run["tensor_errors"])
    errors = errors[errors["status"] != "missing"].copy()
    places = [_places(run, build, errors[errors["build"] == build]) for build in errors["build"].unique().tolist()]
    errors = errors.join(pd.concat(places) if places else _no_places())
    layers = layers_with_times(run).rename(columns={"index": "layer_index", "name": "layer"})
    columns = ["build", "layer_index", "layer", "precision", "unit", "time_ms", "time_source"]
    errors = errors.merge(layers[columns], on=["build", "layer_index"], how="left", validate="many_to_one")
    return arrow(errors.sort_values(["build", "index"]), COLUMNS)


def _places(run: Run, build: int, rows: pd.DataFrame) -> pd.DataFrame:
    producers = {
        tensor: producer if isinstance(producer, str) else None
        for tensor, producer in zip(rows["tensor"], rows["producer"], strict=True)
    }
    places = places_of_tensors(run, build, producers)
    found = [places.get(tensor) for tensor in rows["tensor"]]
    return pd.DataFrame(
        {
            "layer_index": pd.array([None if p is None else p.layer_index for p in found], dtype="Int64"),
            "joined_by": pd.array([None if p is None else p.joined_by for p in found], dtype="string"),
        },
        index=rows.index,
    )


def _no_places() -> pd.DataFrame:
    return pd.DataFrame({"layer_index": pd.array([], dtype="Int64"), "joined_by": pd.array([], dtype="string")})


def _answer(rows: Sequence[dict[str, Any]]) -> str:
    """The first tensor that goes wrong, with its layer, precision and cause; or that none does."""
    verdicts = Counter(row["verdict"] for row in rows if row["verdict"] is not None)
    first = next((row for row in rows if row["first_wrong"]), None)
    if first is None:
        return f"None of {counted(sum(verdicts.values()), 'compared tensor', 'compared tensors')} goes wrong"
    where = (
        f", made by {first['layer']}" + (f" in {first['precision']}" if first["precision"] else "")
        if first["layer"]
        else ""
    )
    cause = f": {first['cause']}" if first["cause"] else ""
    return f"{first['tensor']} is the first that is {first['verdict']}{where}{cause}; {verdicts['wrong']} of {sum(verdicts.values())} are wrong, {verdicts['suspect']} suspect"


VIEW = View(
    table,
    question="Which tensor goes wrong first, in which layer and precision, and how much error does each layer add?",
    answer=_answer,
    place=16,
    layout=layout(
        "tensor verdict error error_added sqnr_db op precision layer time_ms reason", stretches="tensor", prose="reason"
    ),
    heading="Compared tensors",
    empty="no tensors were compared in this run: dump the model with trtlens dump, then trtlens accuracy REFERENCE DUMP --profile RUN --keep stores the comparison in this run (without --profile: in the dump)",
)

"""Which layers only change type or layout, between whom, and what do they cost?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from trtlens.joins import frame, layers_with_times, tensor_text
from trtlens.schema import declare

if TYPE_CHECKING:
    import pandas as pd

    from trtlens.runs import Run

COLUMNS = declare(
    "view reformats", "one engine layer that only changes type or layout, or copies", "build index",
    """
    build | int | | number of the build
    index | int | | position in the engine
    name | text | | layer
    kind | text | | dtype, layout, both or copy; null where the log does not show the layout
    time_ms | float | ms | measured time of one execution; null where the run has none
    before | text | | type, layout and dimensions before
    after | text | | type, layout and dimensions behind
    producer | text | | layer that makes the tensor; null for a network input
    consumers | text | | layers that read the tensor; null for a network output
    origin | text | | the inspector's Origin: QDQ, CONCAT, REFORMAT, ...
    bytes | int | bytes | bytes read and written; null for dynamic dimensions
    line | int | | line of the log
    """,
)  # fmt: skip


def table(run: Run) -> pa.Table:
    """Reformats in execution order with the tensors on both sides and the layers that make and read them."""
    layers = layers_with_times(run)
    tensors = frame(run["layer_tensors"])
    tensors["text"] = tensor_text(tensors)
    rows = layers[layers["is_reformat"].astype(bool)].rename(columns={"reformat_kind": "kind"})
    first = tensors[tensors["position"] == 0].set_index(["build", "layer_index", "direction"])
    for direction, column in (("input", "before"), ("output", "after")):
        side = _side(first, direction)
        rows = rows.join(side[["text", "name"]].add_prefix(f"{column}_"), on=["build", "index"])
    rows = rows.rename(columns={"before_text": "before", "after_text": "after"})
    names = layers.set_index(["build", "index"])["name"]
    rows = rows.join(_makers(tensors, names), on=["build", "before_name"])
    rows = rows.join(_readers(tensors, names), on=["build", "after_name"])
    size = tensors.groupby(["build", "layer_index"])["bytes"].sum(min_count=2).rename("bytes")
    rows = rows.join(size, on=["build", "index"]).sort_values(["build", "index"])
    columns = [column.name for column in COLUMNS.columns]
    return pa.Table.from_pandas(rows[columns], schema=COLUMNS.schema, preserve_index=False)


def _side(tensors: pd.DataFrame, direction: str) -> pd.DataFrame:
    return tensors[tensors.index.get_level_values("direction") == direction].droplevel("direction")


def _makers(tensors: pd.DataFrame, names: pd.Series) -> pd.Series:
    outputs = tensors[tensors["direction"] == "output"].drop_duplicates(["build", "name"], keep="last")
    makers = outputs.join(names.rename("producer"), on=["build", "layer_index"])
    return makers.set_index(["build", "name"])["producer"]


def _readers(tensors: pd.DataFrame, names: pd.Series) -> pd.Series:
    inputs = tensors[tensors["direction"] == "input"].join(names.rename("consumers"), on=["build", "layer_index"])
    return inputs.groupby(["build", "name"])["consumers"].agg(", ".join)

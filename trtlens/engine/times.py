"""Joins that several views need: layers with their times, tensors as text, producers and consumers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import pandas as pd

from trtlens.tables.engine_layers import NO_WORK

if TYPE_CHECKING:
    import pyarrow as pa

    from trtlens.runs.run import Run
    from trtlens.tables.schema import TableSpec

SAMPLES = "samples"
_JOINED: WeakKeyDictionary[Run, pd.DataFrame] = WeakKeyDictionary()


def frame(table: pa.Table) -> pd.DataFrame:
    """A table as a frame, labels as plain text and integers with nulls as nullable integers, not floats."""
    data = table.to_pandas(types_mapper=_MAPPER.get)
    for name in data.columns:
        if isinstance(data[name].dtype, pd.CategoricalDtype):
            data[name] = data[name].astype("string")
    return data


def arrow(rows: pd.DataFrame, spec: TableSpec) -> pa.Table:
    """A view's rows as Arrow, with exactly the declared columns; a column that the rows lack is null."""
    import pyarrow as pa  # noqa: PLC0415

    if rows.empty:
        return spec.empty()
    names = [column.name for column in spec.columns]
    return pa.Table.from_pandas(rows.reindex(columns=names), schema=spec.schema, preserve_index=False)


def _mapper() -> dict[pa.DataType, pd.api.extensions.ExtensionDtype]:
    import pyarrow as pa  # noqa: PLC0415

    return {
        pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype(), pa.bool_(): pd.BooleanDtype(),
        pa.string(): pd.StringDtype(),
    }  # fmt: skip


_MAPPER = _mapper()


def layers_with_times(run: Run) -> pd.DataFrame:
    """The layers table with ``time_ms`` (median, else mean, of one execution) and ``time_source``.

    Times are joined by name and occurrence: the n-th layer of a name takes the n-th time of that name. Where the profile
    has a name less or more often than the engine, its times stay null: which is whose cannot be told. They are
    joined once for a run; each call gives a frame of its own.
    """
    if run not in _JOINED:
        _JOINED[run] = _join_times(run)
    return _JOINED[run].copy()


def _join_times(run: Run) -> pd.DataFrame:
    layers = frame(run["layers"])
    times = _times(run)
    if times.empty:
        return layers.assign(time_ms=pd.Series(pd.NA, index=layers.index, dtype="Float64"), time_source=pd.NA)
    layers["occurrence"] = layers.groupby(["build", "name"]).cumcount()
    layers["count"] = layers.groupby(["build", "name"])["name"].transform("size")
    keys = ["build", "name", "occurrence", "count"]
    return layers.merge(times, on=keys, how="left", validate="one_to_one").drop(columns=["occurrence", "count"])


def profiled_layers(run: Run) -> pd.DataFrame:
    """Build, index, name, ``time_ms`` and ``time_source`` of the layers that a profile times, whatever the engine holds."""
    return _positions(run).astype({"build": "Int64", "index": "Int64", "name": "string", "time_ms": "Float64"})


def _times(run: Run) -> pd.DataFrame:
    """One time for each position of the best source that the run has, with its name's occurrence."""
    times = _positions(run)
    times["occurrence"] = times.groupby(["build", "name"]).cumcount()
    times["count"] = times.groupby(["build", "name"])["name"].transform("size")
    return times.drop(columns="index").astype({"build": "Int64", "name": "string", "time_ms": "Float64"})


def _positions(run: Run) -> pd.DataFrame:
    """One time for each position of the best source that the run has, in the profile's order."""
    samples = run["layer_times"]
    if samples.num_rows:
        data = samples.to_pandas()
        times = data.groupby(["build", "index", "layer"], as_index=False)["time_ms"].median()
        times["time_source"] = SAMPLES
    else:
        profile = run["layer_profile"].to_pandas()
        profile["time_ms"] = profile["median_ms"].fillna(profile["average_ms"])
        times = profile.rename(columns={"source": "time_source"})[["build", "index", "layer", "time_ms", "time_source"]]
    return times.sort_values(["build", "index"]).rename(columns={"layer": "name"})


def work_of(layers: pd.DataFrame) -> pd.Series:
    """``compute``, ``reformat`` or ``none`` for each layer."""
    work = pd.Series("compute", index=layers.index, dtype="string")
    work[layers["type"].isin(NO_WORK)] = "none"
    return work.mask(layers["is_reformat"].astype(bool), "reformat")


def time_by(
    layers: pd.DataFrame, keys: list[str], *, within: tuple[str, ...] = ("build",), **more: Any
) -> pd.DataFrame:
    """Number and time of the layers by ``keys``, with their percent; the most time first, else the most layers.

    The share of the layers is of those ``within`` the same, that of the time of the build's; ``more`` are further sums.
    """
    groups = layers.groupby(keys, dropna=False)
    rows = groups.agg(layers=("name", "size"), time_ms=("time_ms", lambda t: t.sum(min_count=1)), **more).reset_index()
    rows["layers_percent"] = share(rows, "layers", [*within])
    rows["time_percent"] = share(rows, "time_ms", ["build"])
    return rows.sort_values([*within, "time_ms", "layers"], ascending=[*(True for _ in within), False, False])


def share(rows: pd.DataFrame, column: str, group: list[str]) -> pd.Series:
    """Percent of a column's sum within each group; null where the sum is 0 or unknown."""
    total = rows.groupby(group)[column].transform(lambda values: values.sum(min_count=1))
    return (100 * rows[column] / total.where(total > 0)).astype("Float64")

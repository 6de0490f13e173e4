"""Joins that several views need: layers with their times, tensors as text, producers and consumers.

A layer has one time, of one clock. Where the build's kernels were traced it is the median over inferences of what the layer's
kernels take together (``kernels``). Else it is the layer profiler's: the median of its samples (``samples``), or what a
profile table or an export states; the profiler stretches layers, short ones most, so that they add up to more than an
inference takes. Two clocks are never mixed within one build: a layer without a traced kernel has no time then.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from trtlens.engine.kernel_times import KERNELS, read_kernel_times, traced_builds
from trtlens.runs.run import once
from trtlens.tables.engine_layers import NO_WORK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from trtlens.runs.run import Run
    from trtlens.tables.schema import TableSpec

SAMPLES = "samples"


class _Position(NamedTuple):
    """What was measured of a layer at one place of the execution."""

    build: int
    place: int
    name: str | None
    time_ms: float | None
    time_source: str


def frame(table: pa.Table) -> pd.DataFrame:
    """A table as a frame, labels as plain text and integers with nulls as nullable integers, not floats."""
    import pyarrow as pa  # noqa: PLC0415

    plain = [column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column for column in table.columns]
    return pa.table(dict(zip(table.column_names, plain, strict=True))).to_pandas(types_mapper=_MAPPER.get)


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


def layers_with_times(run: Run, *, profiled: bool = False) -> pd.DataFrame:
    """The layers table with ``time_ms`` (median, else mean, of one execution) and ``time_source``.

    ``profiled`` asks for the layer profiler's times where kernels were traced too. Times of a profile are joined by name and
    occurrence: the n-th layer of a name takes the n-th time of that name. Where the profile has a name less or more often than
    the engine, its times stay null: which is whose cannot be told. They are joined once for a run; each call gives a frame of its own.
    """
    return _join_times(run, profiled=profiled).copy()


@once
def timed_layers(run: Run, build: int) -> dict[int, tuple[float, str]]:
    """Milliseconds of each layer of a build that has a time, and their source, by the layer's index."""
    rows = layers_with_times(run)
    rows = rows[(rows["build"] == build) & rows["time_ms"].notna()]
    return {
        int(index): (float(time_ms), str(source))
        for index, time_ms, source in zip(rows["index"], rows["time_ms"], rows["time_source"], strict=True)
    }


@once
def layer_times(run: Run, build: int) -> dict[int, float]:
    """Milliseconds of each layer of a build that has a time, by the layer's index."""
    return {index: time_ms for index, (time_ms, _) in timed_layers(run, build).items()}


@once
def _join_times(run: Run, *, profiled: bool) -> pd.DataFrame:
    layers, traced = run["layers"].select(["build", "name"]), [] if profiled else traced_builds(run)
    rows_of: dict[tuple[int, str | None], list[int]] = defaultdict(list)
    for row, key in enumerate(zip(*(layers[name].to_pylist() for name in layers.column_names), strict=True)):
        rows_of[key].append(row)
    found: list[tuple[float | None, str | None]] = [(None, None)] * layers.num_rows
    for key, times in _by_name(_positions(run), traced).items():
        rows = rows_of.get(key, [])
        if len(rows) == len(times):
            for row, one in zip(rows, times, strict=True):
                found[row] = (one.time_ms, one.time_source)
    timed = frame(run["layers"])
    timed["time_ms"] = pd.array([time_ms for time_ms, _ in found], dtype="Float64")
    timed["time_source"] = pd.array([source for _, source in found], dtype="object")
    for build in traced:
        _set_kernel_times(timed, run, build)
    return timed


def _by_name(positions: Iterable[_Position], traced: Sequence[int]) -> dict[tuple[int, str | None], list[_Position]]:
    """Times by build and layer, in the profile's order, without those of builds with a trace."""
    found: dict[tuple[int, str | None], list[_Position]] = defaultdict(list)
    for one in positions:
        if one.build not in traced and one.name is not None:
            found[one.build, one.name].append(one)
    return found


def _set_kernel_times(layers: pd.DataFrame, run: Run, build: int) -> None:
    """Fill in what the layers' kernels took; a layer of a type that launches nothing takes nothing, of another it is unknown."""
    traced = read_kernel_times(run, build)
    if traced is None:
        return
    own = layers["build"] == build
    indices = [int(index) for index in layers.loc[own, "index"]]
    medians = _medians(traced.layer_samples(indices))
    idle = layers.loc[own, "type"].isin(NO_WORK).to_numpy(dtype=bool, na_value=False)
    medians[np.isnan(medians) & idle] = 0.0
    layers["time_source"] = layers["time_source"].astype("object")
    layers.loc[own, "time_ms"] = pd.array(medians, dtype="Float64")
    layers.loc[own, "time_source"] = [None if unknown else KERNELS for unknown in np.isnan(medians)]
    layers["time_ms"] = layers["time_ms"].astype("Float64").mask(layers["time_ms"].isna())


def _medians(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The median of each row; nan for a row of nan."""
    return np.asarray(np.median(samples, axis=1), np.float64) if samples.size else np.full(len(samples), np.nan)


def profiled_layers(run: Run) -> pd.DataFrame:
    """Build, index, name, ``time_ms`` and ``time_source`` of the layers that were timed, whatever the engine holds.

    Of a trace without an engine's layers they are the ranges around its launches, in the order in which they come first.
    """
    traced = traced_builds(run)
    rows = [one for one in _positions(run) if one.build not in traced]
    rows += (row for build in traced for row in _ranges(run, build))
    types = {"build": "Int64", "index": "Int64", "name": "string", "time_ms": "Float64"}
    return pd.DataFrame(rows, columns=["build", "index", "name", "time_ms", "time_source"]).astype(types)


def _ranges(run: Run, build: int) -> list[_Position]:
    traced = read_kernel_times(run, build)
    launches: dict[str, list[int]] = {}
    for number, row in enumerate(() if traced is None else traced.launches):
        if row["layer"]:
            launches.setdefault(row["layer"], []).append(number)
    rows = []
    for place, (name, own) in enumerate(launches.items()):
        assert traced is not None  # noqa: S101  there are no names without a trace
        index = traced.launches[own[0]]["layer_index"]
        time_ms = float(np.median(traced.duration_ms[own].sum(axis=0)))
        rows.append(_Position(build, place if index is None else index, name, time_ms, KERNELS))
    return rows


@once
def _positions(run: Run) -> Sequence[_Position]:
    """One time for each position of the best source that the profiler has, in the profile's order."""
    samples, profile = run["layer_times"], run["layer_profile"]
    if samples.num_rows:
        medians = samples.to_pandas().groupby(["build", "index", "layer"])["time_ms"].median()
        return [
            _Position(build, index, layer, None if np.isnan(time_ms) else time_ms, SAMPLES)
            for (build, index, layer), time_ms in medians.items()
        ]
    columns = ("build", "index", "layer", "median_ms", "average_ms", "source")
    rows = [
        _Position(build, index, layer, average_ms if median_ms is None else median_ms, source)
        for build, index, layer, median_ms, average_ms, source in zip(
            *(profile[name].to_pylist() for name in columns), strict=True
        )
    ]
    return sorted(rows, key=lambda one: (one.build, one.place))


def work_of(layers: pd.DataFrame) -> pd.Series:
    """``compute``, ``reformat`` or ``none`` for each layer."""
    rows = zip(layers["type"].tolist(), layers["is_reformat"].tolist(), strict=True)
    return pd.Series([kind_of_work(kind, is_reformat) for kind, is_reformat in rows], layers.index, "string")


def kind_of_work(kind: str, is_reformat: bool) -> str:
    """``compute``, ``reformat`` or ``none``, of a layer's type."""
    return "reformat" if is_reformat else "none" if kind in NO_WORK else "compute"


def time_by(
    layers: pd.DataFrame,
    keys: Sequence[str],
    *,
    within: tuple[str, ...] = ("build",),
    **more: tuple[str, Callable[[list[Any]], Any]],
) -> list[dict[str, Any]]:
    """Number and time of the layers by ``keys``, with their percent; the most time first, else the most layers.

    The share of the layers is of those ``within`` the same, that of the time of the build's. ``more`` names further columns: a column
    of the layers, and what to make of its known values.
    """
    needed = {*keys, "time_ms", *(column for column, _ in more.values())}
    values = {
        name: [None if gone else one for one, gone in zip(layers[name].tolist(), layers[name].isna(), strict=True)]
        for name in needed
    }
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for row, key in enumerate(zip(*(values[name] for name in keys), strict=True)):
        groups[key].append(row)
    rows = []
    for key in sorted(groups, key=lambda key: [(one is None, one) for one in key]):
        own: dict[str, list[Any]]
        own = {name: [values[name][row] for row in groups[key] if values[name][row] is not None] for name in needed}
        made = {name: make(own[column]) for name, (column, make) in more.items()}
        rows.append(
            {**dict(zip(keys, key, strict=True)), "layers": len(groups[key]), "time_ms": total(own["time_ms"]), **made}
        )
    for name, of, group in (("layers_percent", "layers", within), ("time_percent", "time_ms", ("build",))):
        _add_share(rows, name, of, group)
    return sorted(
        rows,
        key=lambda row: (
            *(row[name] for name in within),
            row["time_ms"] is None,
            -(row["time_ms"] or 0),
            -row["layers"],
        ),
    )


def total(values: Sequence[float]) -> float | None:
    """The sum of what is known; None where nothing is."""
    return sum(values) if values else None


def _add_share(rows: Sequence[dict[str, Any]], name: str, column: str, group: Sequence[str]) -> None:
    """Percent of a column's sum within each group; None where the sum is 0 or unknown."""
    sums: dict[tuple[Any, ...], float] = defaultdict(float)
    for row in rows:
        sums[tuple(row[one] for one in group)] += row[column] or 0
    for row in rows:
        whole = sums[tuple(row[one] for one in group)]
        row[name] = 100 * row[column] / whole if whole > 0 and row[column] is not None else None

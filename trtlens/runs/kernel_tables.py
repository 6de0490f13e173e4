"""`kernel_launches` and `kernel_samples` of the traces of a run, each launch with the engine layer that it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from trtlens.errors import TrtlensError
from trtlens.runs.launch_layers import Agreement, EngineRow, Place, agreement_of, place_launches, rotated
from trtlens.tables.arrays import array, of_build, of_numpy
from trtlens.tables.declarations import TABLES
from trtlens_parsers.kernel_trace import STREAM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtlens_parsers.kernel_trace import KernelTrace

LEAST_AGREEMENT = 0.9
"""Share of a trace's names that an engine must have for the trace to be of it; of its own engine all of them have agreed."""


def kernel_tables(traces: Sequence[KernelTrace], layers: pa.Table, build: int) -> dict[str, pa.Table]:
    """Both tables of all traces of one build.

    Raises:
        TrtlensError: a trace is of another engine, two are of one source, or one cannot be told into inferences without layers.

    """
    engine = [
        EngineRow(*(row[name] for name in ("index", "name", "type", "tactic_name"))) for row in _rows(layers, build)
    ]
    _check_sources(traces)
    placed: dict[str, tuple[KernelTrace, list[Place]]] = {}
    for trace in sorted(traces, key=lambda one: one.source != STREAM):  # a graph's launches are told by the stream's
        own = trace if trace.inferences_marked else rotated(trace, engine)
        beside = placed.get(STREAM)
        places = place_launches(own, engine, beside)
        _check_engine(own, agreement_of(own, places, engine))
        placed[own.source] = (own, places)
    pairs = list(placed.values())
    return {
        "kernel_launches": pa.concat_tables([_launches(trace, places, build) for trace, places in pairs]),
        "kernel_samples": pa.concat_tables([_samples(trace, build) for trace, _ in pairs]),
    }


def _rows(layers: pa.Table, build: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = of_build(
        layers.select(["build", "index", "name", "type", "tactic_name"]), build
    ).to_pylist()
    return sorted(rows, key=lambda row: row["index"])


def _check_sources(traces: Sequence[KernelTrace]) -> None:
    sources = [trace.source for trace in traces]
    twice = next((source for source in sources if sources.count(source) > 1), None)
    if twice is not None:
        collectors = " and ".join(trace.collector for trace in traces if trace.source == twice)
        raise TrtlensError(f"two traces of launches from one {twice} were given ({collectors}): give one of them")


def _check_engine(trace: KernelTrace, agreement: Agreement | None) -> None:
    if agreement is None and not trace.inferences_marked:
        raise TrtlensError(
            f"the trace of {trace.collector} does not say where an inference begins, and no layers of an engine are there to tell by: "
            "give the log, or the file of --exportLayerInfo, beside it"
        )
    if agreement is not None and agreement.share < LEAST_AGREEMENT:
        raise TrtlensError(
            f"the kernel trace of {trace.collector} is of another engine: {agreement.agreeing} of {agreement.compared} {agreement.what} "
            f"({100 * agreement.share:.0f} %); give the trace of the engine that the log or the layers describe"
        )


def _launches(trace: KernelTrace, places: Sequence[Place], build: int) -> pa.Table:
    rows = trace.launches
    named = ("range", "kernel", "kind", "stream", "grid", "block", "blocks", "registers", "shared_bytes", "graph_node")
    return TABLES["kernel_launches"].table({
        "build": [build] * len(rows), "source": [trace.source] * len(rows), "launch": list(range(len(rows))),
        "layer_index": [place.index for place in places], "layer": [place.name for place in places],
        "layer_from": [place.told_by for place in places],
        **{name: [getattr(row, name) for row in rows] for name in named},
        "inferences": [len(trace.inferences)] * len(rows), "left_out": [trace.left_out] * len(rows),
        "recorded": [trace.kinds] * len(rows), "collector": [trace.collector] * len(rows),
    })  # fmt: skip


def _samples(trace: KernelTrace, build: int) -> pa.Table:
    durations = np.array([one.duration_ns for one in trace.inferences], np.int64)
    inferences, launches = durations.shape
    starts, gaps, missing = _starts_and_gaps(trace, durations)
    count = durations.size
    return TABLES["kernel_samples"].table({
        "build": of_numpy(np.full(count, build, np.int64)),
        "source": pa.DictionaryArray.from_arrays(of_numpy(np.zeros(count, np.int32)), array([trace.source], pa.string())),
        "launch": of_numpy(np.tile(np.arange(launches, dtype=np.int64), inferences)),
        "inference": of_numpy(np.repeat(np.arange(inferences, dtype=np.int64), launches)),
        "start_ns": of_numpy(starts.ravel(), missing=missing.ravel()), "duration_ns": of_numpy(durations.ravel()),
        "gap_ns": of_numpy(gaps.ravel(), missing=(missing | _first(starts, missing)).ravel()),
    })  # fmt: skip


def _starts_and_gaps(trace: KernelTrace, durations: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts from that of the first inference, gaps before each launch within its inference, and where neither is known."""
    known = np.array([one.start_ns is not None for one in trace.inferences])
    starts = np.array([one.start_ns or (0,) * durations.shape[1] for one in trace.inferences], np.int64)
    starts -= starts[known].min() if known.any() else 0
    order = np.argsort(starts, axis=1, kind="stable")
    ends = np.maximum.accumulate(np.take_along_axis(starts + durations, order, 1), axis=1)
    ordered = np.take_along_axis(starts, order, 1)
    gaps = np.zeros_like(starts)
    np.put_along_axis(gaps, order[:, 1:], ordered[:, 1:] - ends[:, :-1], 1)
    return starts, gaps, np.broadcast_to(~known[:, None], starts.shape)


def _first(starts: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Where an inference's first kernel is, which no gap is before."""
    first = np.zeros_like(missing, dtype=bool)
    first[np.arange(len(starts)), np.argsort(starts, axis=1, kind="stable")[:, 0]] = True
    return first

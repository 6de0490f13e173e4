"""A run as a trace that ui.perfetto.dev and chrome://tracing open: Trace Event Format, JSON, times in microseconds.

Where kernels were traced: the inference of median length, or a window of several around it, with the layers above
the kernels on their streams, where they ran (`trtlens.report.kernel_events`). Else the engine's layers, one thread a stream, laid
end to end in execution order. Then the tuner's candidates in the order of the log under the layer that they were timed
for. What is no record of a real execution has measured lengths and no measured places, and the process's name says so.
"""

from __future__ import annotations

import json
from itertools import accumulate, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from trtlens.errors import TrtlensError
from trtlens.output import visible
from trtlens.quantities import hexadecimal
from trtlens.report.kernel_events import kernel_events, name_event, slice_event
from trtlens.runs.folders import GENERATOR
from trtlens.tables.arrays import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trtlens.runs.run import Run

_LAYERS, _TUNER = 1, 2
_NOTHING = (
    "nothing to export: the run has neither layer times nor timed candidates; use a verbose log, or a run of "
    "trtlens profile"
)
_CANDIDATE = (
    "layer", "time_ms", "precision", "unit", "input_formats", "output_formats", "runner", "line", "tactic_id", "chosen",
    "tactic_name",
)  # fmt: skip
_TOLD = ("type", "precision", "unit", "inputs", "outputs", "kernel", "line")


def trace_json(run: Run, inferences: int = 1) -> str:
    """The trace of a run with one build, of that many traced inferences in a row.

    Raises:
        TrtlensError: the run holds no times at all.

    """
    kernels = kernel_events(run, inferences)
    slices = [*(() if kernels else _layer_slices(run)), *_candidate_slices(run)]
    if not slices and not kernels:
        raise TrtlensError(f"{run.name}: {_NOTHING}")
    streams = sorted({one["tid"] for one in slices if one["pid"] == _LAYERS})
    named = [
        *kernels,
        *([name_event("process_name", _LAYERS, 0, "layers: measured lengths, laid end to end")] if streams else []),
        *(name_event("thread_name", _LAYERS, stream, f"stream {stream}") for stream in streams),
        *(
            [name_event("process_name", _TUNER, 0, "tuner: candidates in the order of the log")]
            if run["candidates"].num_rows
            else []
        ),
    ]
    events = ",\n".join(map(json.JSONEncoder(allow_nan=False).encode, (*named, *slices)))
    return f'{{"displayTimeUnit": "ns", "otherData": {{"generator": "{GENERATOR}", "run": {json.dumps(visible(run.name))}}}, "traceEvents": [\n{events}\n]}}\n'


def _layer_slices(run: Run) -> Iterator[dict[str, Any]]:
    streams = {
        (row["build"], row["index"]): row["stream"]
        for row in run["layers"].select(["build", "index", "stream"]).to_pylist()
    }
    start = 0.0
    for row in run.view("layers").to_pylist():
        if not row["time_ms"]:  # a constant takes no time, and a slice of no length cannot be seen
            continue
        length = 1000 * row["time_ms"]
        args = {"index": row["index"], **{key: row[key] for key in _TOLD}}
        yield slice_event(_LAYERS, streams[row["build"], row["index"]] or 0, start, length, row["name"] or "?", args)
        start += length


def _candidate_slices(run: Run) -> Iterator[dict[str, Any]]:
    """A slice a layer, for as long as its candidates take in a row, and within it a slice each."""
    candidates = run["candidates"].select(_CANDIDATE)
    timed = rows_of(candidates.filter(pc.is_valid(candidates["time_ms"])))
    start = 0.0
    for layer, group in groupby(timed, key=itemgetter("layer")):
        rows = list(group)
        # Added one by one: sum() adds floats in another way from Python 3.12 on, and the trace would differ.
        starts = list(accumulate((1000 * row["time_ms"] for row in rows), initial=start))
        yield slice_event(_TUNER, 0, start, starts[-1] - start, layer or "?", {"candidates": len(rows)})
        yield from (_candidate_slice(row, begin) for row, begin in zip(rows, starts, strict=False))
        start = starts[-1]


def _candidate_slice(row: dict[str, Any], start: float) -> dict[str, Any]:
    args = {key: row[key] for key in ("precision", "unit", "input_formats", "output_formats", "runner", "line")}
    args |= {"tactic": None if row["tactic_id"] is None else hexadecimal(row["tactic_id"]), "runs": row["chosen"]}
    return slice_event(_TUNER, 0, start, 1000 * row["time_ms"], row["tactic_name"] or row["runner"] or "tactic", args)

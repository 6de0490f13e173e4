"""Captures of other profilers become the same tables: exports of Nsight Systems, its reports, traces of Torch.

The files are made here by the documented schemas; no capture of these programs stands behind them.
"""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.doubles.made_captures import (
    HEADING,
    INDICES,
    KERNELS,
    LAYERS,
    RANGES,
    database,
    report,
    trace_events,
    trace_text,
)
from trtlens import open_run
from trtlens.errors import TrtlensError
from trtlens_parsers.kernel_trace import GRAPH, STREAM
from trtlens_parsers.nsight_csv import read_gpu_trace
from trtlens_parsers.torch_trace import read_torch_trace

if TYPE_CHECKING:
    from pathlib import Path


def layers_file(folder: Path) -> Path:
    """The inspector's file."""
    path = folder / "layers.json"
    path.write_text(json.dumps(LAYERS))
    return path


# -- the tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", [False, True])
def test_an_export_of_nsight_systems_joins_an_engine(tmp_path: Path, *, graph: bool) -> None:
    """Each launch has its layer (by its range, in a graph by kernels and order), times, gaps and shape; the set-up is none of them."""
    run = open_run([layers_file(tmp_path), database(tmp_path / "capture.sqlite", graph=graph)])
    rows = run["kernel_launches"].to_pylist()
    assert [row["kernel"] for row in rows] == list(KERNELS)
    assert [row["layer_index"] for row in rows] == INDICES
    assert [row["range"] for row in rows] == ([None] * 4 if graph else list(RANGES))
    assert {row["source"] for row in rows} == {GRAPH if graph else STREAM}
    assert {row["collector"] for row in rows} == {"Nsight Systems"}
    assert [(rows[0][name]) for name in ("grid", "blocks", "block", "registers", "shared_bytes", "stream")] == [
        [8, 2, 1],
        16,
        [128, 1, 1],
        64,
        1536,
        7,
    ]
    samples = run["kernel_samples"].to_pylist()
    assert [row["duration_ns"] for row in samples] == [2000] * 4 + [2001] * 4 + [2002] * 4
    assert [row["gap_ns"] for row in samples[4:8]] == [None, 499, 499, 499]
    assert [row["time_ms"] for row in run.view("layers").to_pylist()] == pytest.approx([0.002001, 0.004002, 0.002001])


def test_an_export_without_ranges_is_told_by_repetition(tmp_path: Path) -> None:
    """Without NVTX the kernels' order repeats, and the engine's kernels say whose they are."""
    run = open_run([layers_file(tmp_path), database(tmp_path / "capture.sqlite", ranges=False)])
    assert run["kernel_launches"]["layer_index"].to_pylist() == INDICES
    assert run["kernel_samples"].num_rows == 12


def test_a_database_is_opened_read_only(tmp_path: Path) -> None:
    """Not a byte changes, no file comes beside it, and a view in place of a table is not asked."""
    path = database(tmp_path / "capture ?#%.sqlite")
    before = path.read_bytes()
    assert open_run(path)["kernel_launches"].num_rows == 4
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "ALTER TABLE CUPTI_ACTIVITY_KIND_KERNEL RENAME TO k; CREATE VIEW CUPTI_ACTIVITY_KIND_KERNEL AS SELECT * FROM k;"
        )
    with pytest.raises(TrtlensError, match="holds no kernels"):
        open_run(path)


def test_damaged_databases_are_refused(tmp_path: Path) -> None:
    """A cut file, other types in columns, no names: one line, no traceback."""
    whole = database(tmp_path / "whole.sqlite").read_bytes()
    cut = tmp_path / "cut.sqlite"
    for size in (16, 100, 4096, len(whole) - 4096):
        cut.write_bytes(whole[:size])
        with pytest.raises(TrtlensError):
            open_run(cut)
    odd = database(tmp_path / "odd.sqlite")
    with sqlite3.connect(odd) as connection:
        connection.execute("UPDATE CUPTI_ACTIVITY_KIND_KERNEL SET start = 'never', streamId = x'00', gridX = 1e300")
    with pytest.raises(TrtlensError):
        open_run(odd)


def test_a_database_that_is_no_plain_file_says_what_to_give(tmp_path: Path) -> None:
    """Compressed, or through a pipe: SQLite reads neither, and the message says so."""
    data = database(tmp_path / "capture.sqlite").read_bytes()
    (tmp_path / "capture.sqlite.gz").write_bytes(gzip.compress(data))
    with pytest.raises(TrtlensError, match=r"that is compressed: .* give the file that nsys export wrote"):
        open_run(tmp_path / "capture.sqlite.gz")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data[:4096],))
    writer.start()
    with pytest.raises(TrtlensError, match="that comes through a pipe"):
        open_run(pipe)
    writer.join()


@pytest.mark.parametrize("graph", [False, True])
def test_a_torch_trace_joins_an_engine(tmp_path: Path, *, graph: bool) -> None:
    """Events in any order; times beyond a float's digits keep their nanoseconds."""
    path = tmp_path / "trace.json"
    path.write_text(trace_text(trace_events(graph=graph)))
    run = open_run([layers_file(tmp_path), path])
    assert run["kernel_launches"]["layer_index"].to_pylist() == INDICES
    rows = run["kernel_samples"].to_pylist()
    assert {row["duration_ns"] for row in rows} == {2001}
    assert [row["gap_ns"] for row in rows] == [None, 7999, 7999, 7999] * 3
    assert run["kernel_launches"].to_pylist()[0]["shared_bytes"] == 1536


@pytest.mark.parametrize("graph", [False, True])
def test_a_report_of_launches_joins_an_engine(tmp_path: Path, *, graph: bool) -> None:
    """Units are those of the heading; launches of one graph share their CorrId."""
    path = tmp_path / "gpu_trace.csv"
    path.write_text(report(graph=graph))
    run = open_run([layers_file(tmp_path), path])
    rows = run["kernel_launches"].to_pylist()
    assert [row["layer_index"] for row in rows] == INDICES
    assert rows[0]["shared_bytes"] == 1500
    assert {row["source"] for row in rows} == {GRAPH if graph else STREAM}
    assert [row["gap_ns"] for row in run["kernel_samples"].to_pylist()] == [None, 500, 500, 500] * 3


def test_a_report_that_begins_within_an_inference_is_turned(tmp_path: Path) -> None:
    """The engine's first kernel is where an inference begins, wherever the report does."""
    path = tmp_path / "gpu_trace.csv"
    path.write_text(report(first=3, inferences=4))
    run = open_run([layers_file(tmp_path), path])
    assert [row["kernel"] for row in run["kernel_launches"].to_pylist()] == list(KERNELS)
    assert run["kernel_launches"]["layer_index"].to_pylist() == INDICES


# -- what is refused -----------------------------------------------------------------------------------------------------


def test_captures_of_another_engine_are_refused(tmp_path: Path) -> None:
    """Neither ranges nor kernels are those of the layers: refused with the share, whatever the file."""
    other = {
        "Layers": [
            {**row, "Name": f"other {row['Name']}", "TacticName": "sm90_xmma_gemm_i8i8_x"} for row in LAYERS["Layers"]
        ]
    }
    layers = tmp_path / "layers.json"
    layers.write_text(json.dumps(other))
    (tmp_path / "trace.json").write_text(trace_text(trace_events()))
    (tmp_path / "trace.csv").write_text(report())
    for path in (database(tmp_path / "c.sqlite"), tmp_path / "trace.json", tmp_path / "trace.csv"):
        with pytest.raises(TrtlensError, match=r"is of another engine: 0 of \d"):
            open_run([layers, path])


def test_sums_by_kernel_are_refused(tmp_path: Path) -> None:
    """A report of sums has no launches; the message says which report has."""
    path = tmp_path / "sums.csv"
    path.write_text(
        "Time (%),Total Time (ns),Instances,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),Name\n99.0,100,2,50,50,50,50,0,k\n"
    )
    with pytest.raises(TrtlensError, match="cuda_gpu_trace"):
        open_run(path)


def test_traces_without_kernels_are_refused(tmp_path: Path) -> None:
    """A trace of the CPU alone, and trtlens' own export for Perfetto, say what is wrong."""
    path = tmp_path / "trace.json"
    path.write_text(trace_text([event for event in trace_events() if event["cat"] != "kernel"]))
    with pytest.raises(TrtlensError, match="no kernel of a GPU"):
        open_run(path)
    path.write_text(
        '{"displayTimeUnit": "ns", "otherData": {"generator": "trtlens 0.1.0", "run": "x"}, "traceEvents": [\n]}'
    )
    with pytest.raises(TrtlensError, match="export of trtlens"):
        open_run(path)


def test_hostile_values_do_no_harm() -> None:
    """Numbers of any size, wrong types and names of any kind are unknown or names."""
    odd: list[dict[str, Any]] = [
        {"ph": "X", "cat": "kernel", "name": name, "ts": ts, "dur": 1, "args": args}
        for name, ts, args in (
            ("a\x1b[2J", 10, {"grid": "[1,2"}),
            ("b", 10**30, {}),
            (7, 1, {}),
            ("c", -1000, []),
            ("d", 20, {"grid": [1, 2, 3], "stream": -1}),
        )
    ]
    later = [{**row, "ts": row["ts"] + 100 * number} for number in range(3) for row in odd]
    trace = read_torch_trace(json.dumps({"traceEvents": later}))
    assert {one.kernel for one in trace.launches} == {"a\x1b[2J", "d"}
    odd_rows = (
        "1e400,5,1" + "," * 17 + "x",
        "10,nan,1" + "," * 17 + "x",
        "10,5",
        "11,5" + "," * 18 + '"<b>"',
        "12,6" + "," * 18 + '"<b>"',
    )
    read = read_gpu_trace("\n".join((HEADING, *odd_rows)))
    assert [one.kernel for one in read.launches] == ["<b>"]
    assert [one.duration_ns for one in read.inferences] == [(5,), (6,)]

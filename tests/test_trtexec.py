"""trtexec's own output, 5.1 to 11.1: banners and versions, option sections, performance summaries, profile tables."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtlens_parsers.program_run import OptionsReader, read_banner, read_version, unpack_version
from trtlens_parsers.trtexec_times import (
    PerformanceReader,
    ProfileTableReader,
    ProfileTableRow,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def read_options(text: str) -> OptionsReader:
    reader = OptionsReader()
    for line, message in enumerate(text.split("\n"), 1):
        reader.feed(message, line)
    return reader


def read_performance(text: str) -> PerformanceReader:
    reader = PerformanceReader()
    for line, message in enumerate(text.split("\n"), 1):
        reader.feed(message, line)
    return reader


def read_profile(text: str) -> ProfileTableReader:
    reader = ProfileTableReader()
    for line, message in enumerate(text.split("\n"), 1):
        reader.feed(message, line)
    return reader


@pytest.mark.parametrize(
    ("text", "state", "version", "build", "command"),
    [
        ("&&&& RUNNING TensorRT.trtexec # trtexec --onnx=m.onnx", "RUNNING", None, None, "trtexec --onnx=m.onnx"),
        ("&&&& RUNNING TensorRT.trtexec [TensorRT v8001] # trtexec", "RUNNING", "8.0.1", None, "trtexec"),
        ("&&&& FAILED TensorRT.trtexec [TensorRT v8203] # trtexec", "FAILED", "8.2.3", None, "trtexec"),
        ("&&&& PASSED TensorRT.trtexec [TensorRT v8510] # trtexec", "PASSED", "8.5.10", None, "trtexec"),
        ("&&&& RUNNING TensorRT.trtexec [TensorRT v8410] # trtexec", "RUNNING", "8.4.10", None, "trtexec"),
        ("&&&& WAIVED TensorRT.trtexec [TensorRT v100300] # trtexec", "WAIVED", "10.3.0", None, "trtexec"),
        ("&&&& RUNNING TensorRT.trtexec [TensorRT v100900] [b34] # trtexec", "RUNNING", "10.9.0", 34, "trtexec"),
        ("&&&& RUNNING TensorRT.trtexec [TensorRT v110100] [b106] # trtexec", "RUNNING", "11.1.0", 106, "trtexec"),
        (
            "&&&& RUNNING TensorRT.trtexec [TensorRT v100200] # C:/Program Files (x86)/T\\trtexec.exe --x=# y\r",
            "RUNNING",
            "10.2.0",
            None,
            "C:/Program Files (x86)/T\\trtexec.exe --x=# y",
        ),
    ],
)
def test_banners(text: str, state: str, version: str | None, build: int | None, command: str) -> None:
    """A banner gives its state, the version in both of NVIDIA's packings, the build number and the command."""
    banner = read_banner(text)
    assert banner is not None
    assert (banner.state, banner.version, banner.build, banner.command) == (state, version, build, command)
    assert banner.program == "TensorRT.trtexec"


@pytest.mark.parametrize("text", ["", "&&&&", "&&&& TASK_BEGIN [iter=0] BuildRoute = 'x'", "RUNNING TensorRT.trtexec"])
def test_what_is_no_banner(text: str) -> None:
    """Task lines of the tuning loop and cut lines are no banners."""
    assert read_banner(text) is None


@pytest.mark.parametrize("number", [0, 12, 999, 1_000_000])
def test_numbers_that_are_no_version(number: int) -> None:
    """A number outside both packings gives no version rather than a wrong one."""
    assert unpack_version(number) is None


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("TensorRT version: 8.2.3", "8.2.3"),
        ("TensorRT version: 8003", "8.0.3"),
        ("TensorRT version: 10.16.1", "10.16.1"),
        ("[TRT]    TensorRT version 8.2.1", None),
        ("TensorRT version 8.2.1", "8.2.1"),
        ("Loaded TensorRT version: 8.2.3", "8.2.3"),
        ("Loaded TensorRT version: (5, 1, 5)", "5.1.5"),
        ("Linked TensorRT version: 8.2.3", None),
        ("Loaded Module: tensorrt           | Version: 8.4.1.5 | Path: ['/usr/lib/tensorrt']", "8.4.1.5"),
        ("Loaded Module: tensorrt_rtx | Version: 1.2.0 | Path: ['/usr/lib']", None),
        ("Loaded Module: polygraphy | Version: 0.49.26 | Path: ['/usr/lib']", None),
        ("TensorRT version: ", None),
        ("TensorRT was linked against cuDNN 8.4.1 but loaded cuDNN 8.3.2", None),
        ("TensorRT version 8.2.1 or later is needed", None),
    ],
)
def test_version_lines(text: str, version: str | None) -> None:
    """Lines that state the running TensorRT's version give it; lines that name another version give none."""
    assert read_version(text) == version


OPTIONS = """\
=== Model Options ===
Format: ONNX
Model: m.onnx
Output: prob boxes
=== Build Options ===
Memory Pools: workspace: 0.5 MiB, dlaSRAM: default
Precision: FP32+FP16 (obey precision constraints)
Calibration:
Input(s): fp16:chw
Input build shape (profile 0): x=1x3+4x3+8x3
=== System Options ===
Device: 0
Plugins: ./a.so ./b.so

=== Inference Options ===
Batch: Explicit
Input inference shape : x=4x3
Inputs:
x<-x.bin
input:0<-y.bin
Debug Tensor Save Destinations:
=== Reporting Options ===
Verbose: Enabled
Dump refittable layers:Disabled
Export profile to JSON file: p.json

=== Device Information ===
Available Devices:
  Device 0: "NVIDIA H100" UUID: GPU-31e9692b
  Device 1: "NVIDIA T4" UUID: GPU-31e9692c
Compute Capability: 9.0
Application Compute Clock Rate: 1.755 GHz

Note: The application clock rates do not reflect the actual clock rates that the GPU is currently running at.

TensorRT version: 10.9.0
Input filename:   m.onnx"""


def test_options_keep_sections_keys_and_values() -> None:
    """Values with colons, keys with brackets or without a blank, lists over several lines: all come out as printed."""
    rows = [(row.section.split()[0], row.key, row.value) for row in read_options(OPTIONS).rows]
    assert rows == [
        ("Model", "Format", "ONNX"),
        ("Model", "Model", "m.onnx"),
        ("Model", "Output", "prob boxes"),
        ("Build", "Memory Pools", "workspace: 0.5 MiB, dlaSRAM: default"),
        ("Build", "Precision", "FP32+FP16 (obey precision constraints)"),
        ("Build", "Calibration", ""),
        ("Build", "Input(s)", "fp16:chw"),
        ("Build", "Input build shape (profile 0)", "x=1x3+4x3+8x3"),
        ("System", "Device", "0"),
        ("System", "Plugins", "./a.so ./b.so"),
        ("Inference", "Batch", "Explicit"),
        ("Inference", "Input inference shape", "x=4x3"),
        ("Inference", "Inputs", "x<-x.bin"),
        ("Inference", "Inputs", "input:0<-y.bin"),
        ("Inference", "Debug Tensor Save Destinations", ""),
        ("Reporting", "Verbose", "Enabled"),
        ("Reporting", "Dump refittable layers", "Disabled"),
        ("Reporting", "Export profile to JSON file", "p.json"),
        ("Device", "Available Devices", 'Device 0: "NVIDIA H100" UUID: GPU-31e9692b'),
        ("Device", "Available Devices", 'Device 1: "NVIDIA T4" UUID: GPU-31e9692c'),
        ("Device", "Compute Capability", "9.0"),
        ("Device", "Application Compute Clock Rate", "1.755 GHz"),
    ]


def test_options_know_their_lines_and_their_end() -> None:
    """Rows keep the given line numbers, and the reader lets go of the first line that is no option."""
    reader = OptionsReader()
    taken = [reader.feed(message, line) for line, message in enumerate(OPTIONS.split("\n"), 10)]
    assert reader.rows[0].line == 11
    assert taken == [True] * (len(taken) - 2) + [False, False]


def test_options_survive_blank_lines_between_all_lines() -> None:
    """A wrapper that doubles line ends changes no row."""
    doubled = read_options(OPTIONS.replace("\n", "\n\n"))
    assert [(r.key, r.value) for r in doubled.rows] == [(r.key, r.value) for r in read_options(OPTIONS).rows]


def test_parser_lines_behind_a_section_are_no_options() -> None:
    """In 7.x no device section follows: what comes after the blank line belongs to others."""
    reader = read_options(
        "=== Reporting Options ===\nVerbose: Disabled\n\nonnx2trt_utils.cpp:220: Your ONNX model\nProfile: x"
    )
    assert [row.key for row in reader.rows] == ["Verbose"]


SUMMARY_8_0 = """\
=== Performance summary ===
Throughput: 3495.76 qps
Latency: min = 0.2 ms, max = 0.4 ms, mean = 0.25 ms, median = 0.24 ms, percentile(99%) = 0.3 ms
End-to-End Host Latency: min = 0.3 ms, max = 0.5 ms, mean = 0.35 ms, median = 0.34 ms, percentile(99%) = 0.4 ms
Total Host Walltime: 3.00077 s
Total GPU Compute Time: 0.80309 s"""
SUMMARY_8_5 = """\
Throughput: 12.5 qps
H2D Latency: min = 1 ms, max = 2 ms, mean = 1.5 ms, median = 1 ms, percentile(90%) = 1.8 ms, percentile(99.9%) = 1.9 ms
D2H Latency: min = inf ms, max = -nan ms, mean = 1.5e-05 ms, median = 1.4 ms"""
SUMMARY_7_2 = """\
Host Latency
min: 1.99 ms (end to end 2.006 ms)
mean: 2.06 ms (end to end 2.07 ms)
percentile: 2.53 ms at 99% (end to end 2.59 ms at 99%)
throughput: 479.452 qps
walltime: 3.00343 s
Enqueue Time
median: 1.98 ms
GPU Compute
max: 3.2 ms
percentile: 2.47 ms at 99%
total compute time: 2.86978 s"""
SUMMARY_6_0 = """\
Host latency
min: 1.1 ms
percentile: 1.2 ms (99%)
throughput: 0 qps"""


def spread(metric: str, *values: float) -> list[tuple[str, str, float, str]]:
    names = ("min", "max", "mean", "median", "p99")
    return [(metric, name, value, "ms") for name, value in zip(names, values, strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            SUMMARY_8_0,
            [
                ("throughput", "value", 3495.76, "qps"),
                *spread("latency", 0.2, 0.4, 0.25, 0.24, 0.3),
                *spread("end_to_end_latency", 0.3, 0.5, 0.35, 0.34, 0.4),
                ("total_host_walltime", "value", 3.00077, "s"),
                ("total_gpu_compute_time", "value", 0.80309, "s"),
            ],
        ),
        (
            SUMMARY_8_5,
            [
                ("throughput", "value", 12.5, "qps"),
                ("h2d_latency", "min", 1.0, "ms"),
                ("h2d_latency", "max", 2.0, "ms"),
                ("h2d_latency", "mean", 1.5, "ms"),
                ("h2d_latency", "median", 1.0, "ms"),
                ("h2d_latency", "p90", 1.8, "ms"),
                ("h2d_latency", "p99.9", 1.9, "ms"),
                ("d2h_latency", "min", None, "ms"),
                ("d2h_latency", "max", None, "ms"),
                ("d2h_latency", "mean", 1.5e-05, "ms"),
                ("d2h_latency", "median", 1.4, "ms"),
            ],
        ),
        (
            SUMMARY_7_2,
            [
                ("latency", "min", 1.99, "ms"),
                ("end_to_end_latency", "min", 2.006, "ms"),
                ("latency", "mean", 2.06, "ms"),
                ("end_to_end_latency", "mean", 2.07, "ms"),
                ("latency", "p99", 2.53, "ms"),
                ("end_to_end_latency", "p99", 2.59, "ms"),
                ("throughput", "value", 479.452, "qps"),
                ("total_host_walltime", "value", 3.00343, "s"),
                ("enqueue_time", "median", 1.98, "ms"),
                ("gpu_compute_time", "max", 3.2, "ms"),
                ("gpu_compute_time", "p99", 2.47, "ms"),
                ("total_gpu_compute_time", "value", 2.86978, "s"),
            ],
        ),
        (
            SUMMARY_6_0,
            [("latency", "min", 1.1, "ms"), ("latency", "p99", 1.2, "ms"), ("throughput", "value", None, "qps")],
        ),
    ],
    ids=["8.0", "8.5", "7.2", "6.0"],
)
def test_performance_summaries(text: str, expected: list[tuple[str, str, float | None, str]]) -> None:
    """Every shape of the summary gives the same kind of rows; what is no finite number, or 7.0's zero, is unknown."""
    reader = PerformanceReader()
    assert all(reader.feed(message, line) for line, message in enumerate(text.split("\n"), 1))
    assert [(row.metric, row.statistic, row.value, row.unit) for row in reader.rows] == expected


@pytest.mark.parametrize(
    "text",
    [
        "min: 3 ms",
        "throughput: 3 qps",
        "Latency of x",
        "Throughput may be bound by Enqueue Time",
        "GPU Compute is fine",
        "",
    ],
)
def test_lines_outside_a_summary_give_no_row(text: str) -> None:
    """The old summary's short lines count inside their block alone."""
    reader = read_performance(text)
    assert not reader.rows
    assert not reader.feed(text, 1)


def test_explanations_of_the_metrics_give_no_row() -> None:
    """The verbose explanations begin like the metrics and hold no numbers."""
    reader = PerformanceReader()
    assert reader.feed("Throughput: the observed throughput computed by dividing the number of queries by ..", 1)
    assert reader.feed("Latency: the summation of H2D Latency, GPU Compute Time, and D2H Latency.", 2)
    assert not reader.rows


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("Average over 10 runs is 1.29 ms (host walltime is 1.36 ms, 99% percentile time is 1.35).", True),
        ("Average on 10 runs - GPU latency: 10.73 ms - Host latency: 13.31 ms (end to end 13.34 ms)", True),
        ("Average on 3 runs - GPU latency: 1.96 ms - Host latency: 2.1 ms (end to end 2.12 ms, enqueue 1.98 ms)", True),
        ("Average on ten runs", False),
        ("Average over 10 runs is good", False),
    ],
)
def test_averages_over_a_few_runs(text: str, *, known: bool) -> None:
    """The reader knows the averages of 5.1, 7.0 and 7.1 as its own; they are in the summary once more."""
    reader = PerformanceReader()
    assert reader.feed(text, 1) is known
    assert not reader.rows


TABLES = {
    "7.0": """\
=== Profile (10 iterations ) ===
                 Layer   Time (ms)   Avg. Time (ms)   Time %
 conv1 + relu (a, b)        3.00             0.30     75.0
   (Unnamed Layer* 5) [Shuffle]        1.00             0.10     25.0
                 Total        4.00             0.40    100.0""",
    "8.5": """\
=== Profile (10 iterations ) ===
                 Layer   Time (ms)   Avg. Time (ms)   Median Time (ms)   Time %
 conv1 + relu (a, b)        3.00           0.3000             0.3100     75.0
   (Unnamed Layer* 5) [Shuffle]        1.00           0.1000             0.0900     25.0
                 Total        4.00           0.4000             0.4000    100.0""",
    "10": """\
=== Profile (10 iterations ) ===
   Time(ms)     Avg.(ms)   Median(ms)   Time(%)   Layer
       3.00       0.3000       0.3100      75.0   conv1 + relu (a, b)
       1.00       0.1000       0.0900      25.0   (Unnamed Layer* 5) [Shuffle]
       4.00       0.4000       0.4000     100.0   Total""",
    "5.1": """\
========== trtexec profile ==========
                                     TensorRT layer name    Runtime, %  Invocations  Runtime, ms
                                     conv1 + relu (a, b)         75.0%           10         3.00
                            (Unnamed Layer* 5) [Shuffle]         25.0%           10         1.00
========== trtexec total runtime = 4 ms ==========""",
}


@pytest.mark.parametrize("version", TABLES)
def test_profile_tables(version: str) -> None:
    """All column orders give the same layers; a median is there only where the table has one."""
    reader = ProfileTableReader()
    taken = [reader.feed(message, line) for line, message in enumerate(TABLES[version].split("\n"), 1)]
    assert all(taken)
    assert not reader.feed("", 9)
    has_median = version in {"8.5", "10"}
    assert reader.rows == [
        ProfileTableRow("conv1 + relu (a, b)", 3.0, 0.3, 0.31 if has_median else None, 75.0, 3),
        ProfileTableRow("(Unnamed Layer* 5) [Shuffle]", 1.0, 0.1, 0.09 if has_median else None, 25.0, 4),
    ]
    assert reader.iterations == 10
    assert reader.total is not None
    assert reader.total.total_ms == 4.0


def test_profile_table_that_begins_at_its_heading() -> None:
    """An excerpt without the line above the heading has the same layers; over how many iterations is unknown."""
    _, *rest = TABLES["8.5"].split("\n")
    reader = read_profile("\n".join(rest))
    assert [row.layer for row in reader.rows] == ["conv1 + relu (a, b)", "(Unnamed Layer* 5) [Shuffle]"]
    assert reader.iterations is None
    reader.feed(TABLES["8.5"].split("\n")[0], 9)
    reader.feed("something else", 10)
    assert reader.iterations == 10


def test_profile_table_that_is_cut_or_divides_by_zero() -> None:
    """A table without its last row keeps its layers, and a share of nothing is unknown."""
    heading = "=== Profile (1 iterations ) ===\n   Time(ms)     Avg.(ms)   Median(ms)   Time(%)   Layer"
    reader = read_profile(f"{heading}\n       0.00       0.0000       0.0000      -nan   a\x1eb 1.0\nsomething else")
    assert [(row.layer, row.percent) for row in reader.rows] == [("a\x1eb 1.0", None)]
    assert reader.total is None
    assert not reader.feed("       0.00       0.0000       0.0000       1.0   c", 9)


FEEDS: list[Callable[[str], object]] = [read_banner, read_version]
OPENINGS = ["=== Build Options ===\n", "=== Device Information ===\nAvailable Devices:\n", "Host latency\n"]
HEADS = ["", *OPENINGS, *("\n".join(table.split("\n")[:2]) + "\n" for table in TABLES.values())]


def feed_all(text: str) -> Iterable[object]:
    yield from (feed(text) for feed in FEEDS)
    for head in HEADS:
        yield from (read(head + text).rows for read in (read_options, read_performance, read_profile))


@given(st.text(max_size=200))
def test_any_text_raises_nothing(text: str) -> None:
    """Readers answer any text, inside their sections and outside, without an exception."""
    assert len(list(feed_all(text))) == len(FEEDS) + 3 * len(HEADS)


@given(
    st.lists(st.sampled_from("\n".join([OPTIONS, SUMMARY_8_0, SUMMARY_7_2, *TABLES.values()]).split("\n")), max_size=30)
)
def test_shuffled_output_raises_nothing_and_rows_keep_their_lines(lines: list[str]) -> None:
    """Real lines in any order give rows whose line holds the value that the row states."""
    text = "\n".join(lines)
    for row in read_options(text).rows:
        assert row.value in lines[row.line - 1]
    for entry in read_profile(text).rows:
        assert entry.layer in lines[entry.line - 1]


@pytest.mark.parametrize(
    "unit", ["a", " ", "=", "=== ", "1.0 ", "a: ", "\x1e", "Average on ", "min = ", "(", "-nan ", "é"]
)
def test_two_megabytes_take_less_than_a_second(unit: str) -> None:
    """No line can make a reader slow."""
    text = unit * (2_000_000 // len(unit))
    readers: tuple[Callable[[str, int], bool], ...] = (
        read_options("=== Build Options ===\nA: b").feed,
        read_performance("Host latency").feed,
        *(read_profile("\n".join(table.split("\n")[:2])).feed for table in TABLES.values()),
        lambda line, _: bool(read_banner(line)),
        lambda line, _: bool(read_version(line)),
    )
    for feed in readers:
        start = time.process_time()
        feed(text, 1)
        assert time.process_time() - start < 3

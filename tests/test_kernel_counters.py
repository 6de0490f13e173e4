"""Counters of Nsight Compute: both forms of its CSV, what they say of tensor cores, and what is refused."""

from __future__ import annotations

import csv
import io
import lzma
from pathlib import Path

import pytest

from tests.conftest import FIXTURES
from tests.doubles.made_captures import report
from trtlens import open_run
from trtlens.errors import TrtlensError
from trtlens_parsers.errors import FormatError
from trtlens_parsers.ncu_csv import counts_all_of_them, counts_tensor_cores, read_counters, recognise_counters
from trtlens_parsers.nsight_csv import read_gpu_trace

FOLDER = Path(__file__).parents[1] / "fixtures" / "traces" / "counters"
RAW = (FOLDER / "counters.csv").read_text()
_KNOWN = 11
_RULES = ["Rule Name", "Rule Type", "Rule Description"]


def details(raw: str) -> str:
    """The same file as the details page has it: a row for each metric, sections, rules, and a label that is no metric's name."""
    heading, units, *rows = csv.reader(io.StringIO(raw[raw.index('"ID"') :]))
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow([*heading[:_KNOWN], "Section Name", "Metric Name", "Metric Unit", "Metric Value", *_RULES])
    for row in rows:
        writer.writerow([*row[:_KNOWN], "GPU Speed Of Light Throughput", "Duration", "us", "8.06", "", "", ""])
        writer.writerow(
            [
                *row[:_KNOWN],
                "SpeedOfLight",
                "",
                "",
                "",
                "SOLBottleneck",
                "OPT",
                "Memory is heavily utilized, more than compute",
            ]
        )
        for name, unit, value in zip(heading[_KNOWN:], units[_KNOWN:], row[_KNOWN:], strict=True):
            writer.writerow([*row[:_KNOWN], "Command line profiler metrics", name, unit, value, "", "", ""])
    return "what the program prints\n" + out.getvalue()


def test_both_pages_say_the_same() -> None:
    """Four launches of four metrics each, the one that is not read passed over; bytes and nanoseconds, thousands with commas."""
    rows = read_counters(RAW).rows
    assert rows == read_counters(details(RAW)).rows
    assert len(rows) == 16
    first = {row.metric: (row.value, row.metric_unit) for row in rows if row.launch == 0}
    assert first["dram__bytes.sum"] == (3_210_000.0, "bytes")
    assert first["gpu__time_duration.sum"][0] == pytest.approx(8060.0)
    assert first["sm__inst_executed_pipe_tensor.sum"] == (1_204_224.0, "inst")
    assert (rows[0].grid, rows[0].block, rows[0].stream) == ((32, 1, 1), (128, 1, 1), 7)
    assert (recognise_counters(RAW), recognise_counters("Start (ns),Duration (ns)")) == ("ncu", None)


def test_a_file_of_a_real_engine_says_which_kernels_used_tensor_cores() -> None:
    """A ResNet-50: all kernels that claim tensor cores used them, and so did one more, a pooling, as plain counting says."""
    folder = FIXTURES / "ncu-2025.3"
    run = open_run([folder / "layers.json.xz", folder / "counters.csv.xz"])
    lines = lzma.decompress((folder / "counters.csv.xz").read_bytes()).decode().splitlines()
    _, *launches = csv.DictReader(lines[next(n for n, line in enumerate(lines) if line.startswith('"ID"')) :])
    used = {row["Kernel Name"] for row in launches if row["sm__inst_executed_pipe_tensor.sum"] != "0"}
    assert len(launches) == len({row["launch"] for row in run["kernel_counters"].to_pylist()})
    rows = run.view("kernels").to_pylist()
    claimed = [row for row in rows if row["unit"] == "tensor core"]
    assert [row["tensor_used"] for row in claimed] == [row["layers"] for row in claimed] == [49, 5]
    (pooling,) = [row for row in rows if row["unit"] == "cuda core" and row["tensor_used"]]
    assert pooling["operation"] == "pooling"
    named = {row["tactic_name"] for row in run["layers"].to_pylist() if row["tactic_name"]}
    assert {name for name in named if any(one.startswith(name) for one in used)} == named - {
        "sm50_xmma_pooling_coalescedC_NHWC_kMAX_3_False"
    }


def test_use_stands_beside_what_names_claim() -> None:
    """Two convolutions with one kernel used tensor cores, the matrix product did not, nor did the pooling, which does not claim it."""
    run = open_run(FOLDER)
    rows = {
        row["operation"]: (row["unit"], row["counted"], row["tensor_used"]) for row in run.view("kernels").to_pylist()
    }
    assert rows == {"fprop": ("tensor core", 2, 2), "gemm": ("tensor core", 1, 0), "pooling": ("cuda core", 1, 0)}
    (found,) = [row for row in run.view("findings").to_pylist() if row["code"] == "tensor-cores-not-used"]
    assert found["layers"] == ["fc"]
    assert "Of 3 layers" in found["text"]


@pytest.mark.parametrize(
    ("metric", "use", "all_of_them"),
    [
        ("sm__inst_executed_pipe_tensor.sum", True, True),
        ("sm__pipe_tensor_cycles_active.max", True, True),
        ("sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active", True, False),
        ("sm__inst_executed_pipe_tensor_op_imma.sum", True, False),
        ("sm__inst_executed_pipe_tensor.sum.peak_sustained", False, False),
        ("sm__inst_executed_pipe_tensor.sum.pct_of_peak_sustained_elapsed", True, False),
        ("dram__bytes.sum", False, False),
    ],
)
def test_which_metrics_tell_of_tensor_cores(metric: str, *, use: bool, all_of_them: bool) -> None:
    """What the hardware could do at most is no use; a kind of instruction, and what ncu rounds, prove no lack of it."""
    assert (counts_tensor_cores(metric), counts_all_of_them(metric)) == (use, all_of_them)


def test_a_kind_of_instruction_that_is_0_leaves_it_open(tmp_path: Path) -> None:
    """The matrix product counts no INT8 instructions: nothing is said of it."""
    (tmp_path / "counters.csv").write_text(
        RAW.replace("sm__inst_executed_pipe_tensor.sum", "sm__inst_executed_pipe_tensor_op_imma.sum")
    )
    run = open_run([str(FOLDER / "layers.json"), str(tmp_path / "counters.csv")])
    assert not [row for row in run.view("findings").to_pylist() if row["code"] == "tensor-cores-not-used"]
    assert {row["operation"]: row["counted"] for row in run.view("kernels").to_pylist()} == {
        "fprop": 2,
        "gemm": None,
        "pooling": None,
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (RAW.replace("3.21", "3,2"), "decimal commas"),
        (RAW.replace("dram__bytes.sum", "a").replace("sm__", "b").replace("gpu__", "c"), "none of the metrics"),
        (RAW.replace('"3.21"', '"3.21'), None),
        (RAW.replace("3.21", "n/a").replace("8.06", "9" * 400), None),
        (RAW.replace('"0","4242"', '"\u0661","4242"').replace("(32, 1, 1)", "(9999999999999, 1)"), None),
        (RAW[: RAW.index("sm50") + 90], None),
        (RAW[:-9], None),
        (RAW[: RAW.index("CC")], "none of the metrics"),
    ],
    ids=["decimal-comma", "no-metrics", "open-quote", "no-numbers", "odd-numbers", "cut", "cut-at-the-end", "cut-heading"],
)  # fmt: skip
def test_odd_files_are_read_or_refused_in_one_line(text: str, told: str | None) -> None:
    """A value that is no number is left out; nothing ends in a traceback."""
    if told is None:
        assert all(row.value < 1e30 for row in read_counters(text).rows)
    else:
        with pytest.raises(FormatError, match=told):
            read_counters(text)


@pytest.mark.parametrize("text", [RAW, report()], ids=["ncu", "nsys"])
def test_a_heading_that_is_no_csv_is_refused_in_one_line(text: str) -> None:
    """A field of the heading beyond what the csv module takes."""
    long = text.replace("Context", "Context" + "x" * 200_000).replace("CorrId", "CorrId" + "x" * 200_000)
    with pytest.raises(FormatError, match="is no CSV"):
        (read_counters if recognise_counters(text) else read_gpu_trace)(long)


def test_counters_of_another_engine_are_refused(tmp_path: Path) -> None:
    """Kernels that the engine does not state: refused with how many are; kernels that no engine states count for nothing."""
    other = tmp_path / "counters.csv"
    other.write_text(RAW.replace("tilesize128x64x64", "tilesize256x64x64").replace("64x128x32", "64x64x32"))
    with pytest.raises(TrtlensError, match="of another engine: 1 of 3 matrix kernels"):
        open_run([str(FOLDER / "layers.json"), str(other)])
    other.write_text(
        RAW
        + RAW.splitlines()[-1].replace('"3","4242"', '"4","4242"').replace("sm80_xmma_gemm", "__myl_bb0_1_Add")
        + "\n"
    )
    assert open_run([str(FOLDER / "layers.json"), str(other)])["kernel_counters"].num_rows == 20
    with pytest.raises(TrtlensError, match="two files of Nsight Compute"):
        open_run([str(FOLDER / "layers.json"), str(other), str(FOLDER / "counters.csv")])

"""`trtlens why`: each sentence is what the lines of the log say, and says so where they do not."""

from __future__ import annotations

import json
import lzma
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import CAPTURES, captured_log
from tests.doubles.made_logs import (
    FLOAT,
    FLOAT_KERNEL,
    FLOAT_OUT_ID,
    GENERATED,
    INT8,
    INT8_BUILD,
    INT8_ID,
    INT8_KERNEL,
    SELECTED,
    WORKSPACE_BUILD,
    chose,
    header,
    line_of,
    log,
    run_of,
    runner,
    tactic,
)
from tests.golden.commands import say
from trtlens.errors import TrtlensError
from trtlens.runs.run import Run, open_run
from trtlens.views.why import rank, table

if TYPE_CHECKING:
    from pathlib import Path

CONV2 = "/layer4/layer4.1/conv2/Conv + /layer4/layer4.1/relu_1/Relu"


def sentences(run: Run, layer: str) -> list[dict[str, Any]]:
    """Rows of an explanation."""
    found: list[dict[str, Any]] = table(run, layer).to_pylist()
    return found


def one(rows: list[dict[str, Any]], section: str, **facts: object) -> dict[str, Any]:
    """The only sentence of a section with these facts."""
    found = [r for r in rows if r["section"] == section and all(r[name] == value for name, value in facts.items())]
    assert len(found) == 1, found
    return found[0]


# -- the int8 capture ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def int8() -> Run:
    """The int8 capture's log, without the inspector's JSON."""
    return captured_log("int8")


def test_the_int8_capture_names_what_runs_and_what_was_faster(int8: Run) -> None:
    """Tactic, time and formats of the kernel that runs and of the fastest, and why the fastest lost."""
    rows = sentences(int8, CONV2)
    runs = one(rows, "runs")
    assert (runs["tactic_id"], runs["time_ms"]) == (0xC737E58152C008DD, 0.013731)
    for part in ("INT8 on tensor cores", "0xc737e58152c008dd", "Int8:32 in and out", "13.7 µs"):
        assert part in runs["text"]
    fastest = one(rows, "fastest", tactic_id=0x2BED4B50314C7A93)
    assert (fastest["time_ms"], fastest["verdict"]) == (0.010451, "reformats")
    assert (fastest["input_formats"], fastest["output_formats"]) == ("Int8(784,49:32,7,1), Float(1)", FLOAT)
    for part in (
        "0x2bed4b50314c7a93 at 10.5 µs",
        "Int8:32 in, Float out",
        "5.83 µs for Float to Int8:32",
        "16.3 µs in all against 13.7 µs",
    ):
        assert part in fastest["text"]


def test_every_line_of_the_int8_capture_says_what_the_sentence_says(int8: Run) -> None:
    """The number of a candidate's first line is a line of the raw log with that tactic and that time."""
    lines = lzma.decompress((CAPTURES / "int8" / "verbose.log.xz").read_bytes()).decode().split("\n")
    rows = [row for row in sentences(int8, CONV2) if row["tactic_id"] is not None]
    assert len(rows) > 8
    for row in rows:
        raw = lines[row["lines"][0] - 1]
        assert f"Tactic: 0x{row['tactic_id']:016x} Time: " in raw
        assert float(raw.rpartition("Time: ")[2]) == row["time_ms"]


def test_precisions_that_the_int8_build_did_not_allow(int8: Run) -> None:
    """FP16 is known to be off by the record of all layers, since this log prints no flags; FP32 lost by itself."""
    rows = sentences(int8, CONV2)
    off = one(rows, "precision", precision="fp16")
    assert off["verdict"] == "not enabled"
    assert "not one candidate and not one format combination of the whole build" in off["text"]
    slower = one(rows, "precision", precision="fp32")
    assert (slower["verdict"], slower["time_ms"]) == ("slower", 0.0663022)
    assert "4.83 times as slow as what runs" in slower["text"]


def test_a_layer_that_the_cache_answered_for_is_explained_through_its_twin(int8: Run) -> None:
    """The sentence says that the record is another layer's, and names that layer."""
    rows = sentences(int8, "/layer4/layer4.2/conv2/Conv + /layer4/layer4.2/relu_1/Relu")
    twin = one(rows, "runs", verdict="twin")
    assert CONV2 in twin["text"]
    assert "so its record is read here" in twin["text"]
    assert one(rows, "runs", verdict="runs")["time_ms"] == 0.013731


# -- made logs, of the shapes of 8.6 and 8.4 -------------------------------------------------------------------------


def test_sentences_of_a_layer_that_lost_a_faster_kernel_to_reformats() -> None:
    """8.6: every sentence about conv_a against the lines of its log."""
    rows = sentences(run_of(INT8_BUILD), "conv_a")
    runs, float_out = line_of(INT8_BUILD, f"0x{INT8_ID:016x} Time"), line_of(INT8_BUILD, f"0x{FLOAT_OUT_ID:016x} Time")
    move = line_of(INT8_BUILD, "Tactic: 0x00000000000003e8 Time: 0.00582915")
    assert (
        one(rows, "tried")["text"]
        == "Tried: 4 timed tactics in 4 format combinations; 1 combination had no valid tactic."
    )
    assert [(r["time_ms"], r["lines"]) for r in rows if r["section"] == "candidate"] == [
        (0.010451, [float_out]),
        (0.013731, [runs]),
        (0.0663022, [line_of(INT8_BUILD, "Time: 0.0663022")]),
    ]
    lost = one(rows, "fastest", verdict="reformats")
    assert lost["lines"] == [float_out, runs, move]
    assert "10.5 µs and 5.83 µs for Float to Int8:32 of tensor_b" in lost["text"]
    second = one(rows, "fastest", verdict="fastest in its formats")
    assert "fastest of 2; the next is 2.7 % slower" in second["text"]


def test_sentences_of_a_layer_with_skipped_tactics() -> None:
    """8.4: formats by the added reformat, FP16 slower by itself, INT8 off by trtexec's options, workspace with its limit."""
    rows = sentences(run_of(WORKSPACE_BUILD), "fc")
    assert "Float hwc in and out; the tuner measured 23.8 µs" in one(rows, "runs")["text"]
    assert one(rows, "fastest")["verdict"] == "fastest"
    half = one(rows, "precision", precision="fp16")
    assert (half["verdict"], half["time_ms"]) == ("slower", 0.07)
    assert "tactic 0x0000000000000001 of CudnnConvolution, kernel not named" in half["text"]
    off = one(rows, "precision", precision="int8")
    assert (off["verdict"], off["lines"]) == ("not enabled", [line_of(WORKSPACE_BUILD, "Precision: FP32+FP16")])
    skipped = one(rows, "skipped")
    assert skipped["lines"] == [line_of(WORKSPACE_BUILD, "skipped. Scratch"), line_of(WORKSPACE_BUILD, "Memory Pools")]
    assert "needs 7.01 GiB" in skipped["text"]
    assert "limit is 1.00 GiB" in skipped["text"]


def test_a_reformat_is_explained_by_its_cause() -> None:
    """For a reformat the explanation says what it costs and why it is there."""
    rows = sentences(run_of(WORKSPACE_BUILD), "Reformatting CopyNode for Input Tensor 0 to fc")
    cause = one(rows, "reformats")
    assert (cause["verdict"], cause["time_ms"]) == ("network input", 0.00512)
    assert "It costs 5.12 µs (tuner)" in cause["text"]


# -- why a precision lost ------------------------------------------------------------------------------------------


def int8_layer(*texts: str, before: tuple[str, ...] = ()) -> Run:
    """A build whose layer runs in FP32, with these messages in the layer's block."""
    return run_of(
        log(
            *before,
            "=============== Computing costs for conv",
            header(f"{FLOAT} -> {FLOAT}"),
            runner("conv"),
            tactic(FLOAT_KERNEL, 0xE47E164F4A743900, 0.0663),
            chose(0xE47E164F4A743900),
            *texts,
            *SELECTED,
            *GENERATED,
            "Layer(CaskConvolution): conv, Tactic: 0xe47e164f4a743900, x (Float[8,512,7,7]) -> y (Float[8,512,7,7])",
        )
    )


OTHER_LAYER = (
    "=============== Computing costs for other",
    header(f"{INT8} -> {INT8}"),
    runner("other"),
    tactic(INT8_KERNEL, INT8_ID, 0.0137),
    chose(INT8_ID),
)
PRECISION_OPTION = "[11/20/2026-22:01:25] [I] Precision: FP32+INT8"


@pytest.mark.parametrize(
    ("texts", "before", "verdict", "part"),
    [
        ((), (), "not enabled", "not one candidate and not one format combination"),
        ((), ("[11/20/2026-22:01:25] [I] === Build Options ===", "[11/20/2026-22:01:25] [I] Precision: FP32"), "not enabled",
         "trtexec's option Precision is FP32"),
        ((header(f"{INT8} -> {INT8}"), runner("conv"), "CaskConvolution has no valid tactics for this config, skipping"), (),
         "no implementation", "1 format combination was tried and no runner had a valid tactic"),
        ((header(f"{INT8} -> {INT8}"), runner("conv"),
          "Tactic: 0x0000000000000004 skipped. Scratch requested: 57802752, available: 1048576"), (), "workspace",
         "55.1 MiB"),
        ((header(f"{INT8} -> {INT8}"),), (), "not shown", "answered by the timing cache"),
        ((header(f"{INT8} -> {FLOAT}"), runner("conv", "Unnamed"), "Tactic: 0x0000000000000001 Time: 0.5"), (), "not named",
         "does not name their kernels"),
        ((), OTHER_LAYER, "not tried", "The log does not say whether a constraint forbade it or no such kernel exists"),
        (("Rejecting some int8 implementation of layer conv due to missing int8 scales for tensor y at output index 0.",), OTHER_LAYER,
         "not allowed", "missing int8 scales"),
        ((header(f"{INT8} -> {INT8}"), runner("conv"), tactic(INT8_KERNEL, INT8_ID, 0.09), chose(INT8_ID)), (), "slower",
         "36 % slower than what runs: it lost by itself"),
        ((header(f"{INT8} -> {INT8}"), runner("conv"), tactic(INT8_KERNEL, INT8_ID, 0.0137), chose(INT8_ID)), (), "unknown",
         "no time for the reformat Float to Int8:32"),
    ],
)  # fmt: skip
def test_why_int8_lost(texts: tuple[str, ...], before: tuple[str, ...], verdict: str, part: str) -> None:
    """Each reason that a precision can have for not running is told from the others, and none is made up."""
    row = one(sentences(int8_layer(*texts, before=before), "conv"), "precision", precision="int8")
    assert row["verdict"] == verdict
    assert part in row["text"]


def test_a_faster_candidate_that_nothing_speaks_against_stays_unexplained() -> None:
    """Where the tuner's own numbers favour another kernel, the sentence says that the log does not say why it lost."""
    run = int8_layer(
        header(f"{FLOAT} -> {FLOAT}"), runner("conv"), tactic(FLOAT_KERNEL + "_b", 0x1234567812345678, 0.05)
    )
    row = one(sentences(run, "conv"), "fastest", verdict="unexplained", tactic_id=0x1234567812345678)
    assert "The log does not say why it was not taken" in row["text"]


def test_a_log_that_ends_early_is_not_taken_for_a_whole_build() -> None:
    """That no candidate is in FP16 proves nothing where the log does not show the end of the build."""
    text = INT8_BUILD.replace("Engine generation completed in 2 seconds.", "Total Activation Memory: 1024")
    row = one(sentences(run_of(text), "conv_a"), "precision", precision="fp16")
    assert row["verdict"] == "no record"
    assert "does not show the whole build" in row["text"]


# -- which layer ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("conv_a", ["conv_a"]),
        ("CONV_A", ["conv_a"]),
        ("*_b", ["conv_b"]),
        ("conv_?", ["conv_a", "conv_b"]),
        ("onv", ["conv_a", "conv_b"]),
    ],
)
def test_a_layer_by_name_part_or_glob(text: str, found: list[str]) -> None:
    """A whole name means that layer alone; a glob or a part means every layer that it fits."""
    assert list(dict.fromkeys(row["layer"] for row in sentences(run_of(INT8_BUILD), text))) == found


def test_brackets_in_names_stand_for_themselves() -> None:
    """Names such as `(Unnamed Layer* 6) [Shuffle]` can be typed as they are."""
    text = INT8_BUILD.replace("conv_a", "(Unnamed Layer* 6) [Shuffle] + conv")
    assert {r["layer"] for r in sentences(run_of(text), "*[Shuffle]*")} == {"(Unnamed Layer* 6) [Shuffle] + conv"}


def test_an_unknown_layer_is_answered_with_names() -> None:
    """The message has layers that share a word with what was typed."""
    with pytest.raises(
        TrtlensError, match="no layer's name is, matches or holds 'conv_x': layers are called conv_a, conv_b"
    ):
        table(run_of(INT8_BUILD), "conv_x")


def test_a_log_without_layers_says_what_it_has() -> None:
    """A log cut in the tuning has candidates but no engine, and the message says where they are."""
    with pytest.raises(TrtlensError, match="trtlens show combinations"):
        table(run_of(log(header(f"{FLOAT} -> {FLOAT}"), runner("conv"), tactic(FLOAT_KERNEL, 1, 0.5))), "conv")


def test_layers_are_ranked_by_what_they_lost(int8: Run) -> None:
    """--all: the largest regret first, every layer that launches a kernel once, each with a verdict or a reason."""
    rows = rank(int8).to_pylist()
    regrets = [row["regret_ms"] for row in rows if row["regret_ms"] is not None]
    assert regrets == sorted(regrets, reverse=True)
    assert len(rows) == len({row["index"] for row in rows}) == 103
    assert all(row["verdict"] is not None or row["reason"] for row in rows)
    best = {row["index"]: row for row in rows}[143]
    assert (best["name"], best["verdict"], best["in_all_ms"]) == (CONV2, "reformats", pytest.approx(0.01628015))


# -- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture
def made_log(tmp_path: Path) -> Path:
    """The made INT8 build as a file."""
    path = tmp_path / "build.log"
    path.write_text(INT8_BUILD)
    return path


def test_the_command_prints_sentences_with_lines(made_log: Path) -> None:
    """The text holds every sentence, and the numbers of its lines behind it."""
    done = say("why", "conv_a", made_log)
    assert done.code == 0
    for row in sentences(run_of(INT8_BUILD), "conv_a"):
        assert " ".join(row["text"].split()) in " ".join(done.out.split())
    assert "best of 2; it runs [15]" in " ".join(done.out.split())


def test_the_command_writes_rows_as_json(made_log: Path) -> None:
    """JSON holds one object a sentence, with its lines and with ids as hexadecimal text."""
    rows = json.loads(say("why", "conv_a", made_log, "--format", "json").out)
    assert [row["text"] for row in rows] == [row["text"] for row in sentences(run_of(INT8_BUILD), "conv_a")]
    assert {row["tactic_id"] for row in rows} >= {"0xc737e58152c008dd", "0x2bed4b50314c7a93"}


def test_the_command_ranks_all_layers(made_log: Path) -> None:
    """--all takes the run alone."""
    rows = json.loads(say("why", "--all", made_log, "--format", "json").out)
    assert [row["name"] for row in rows] == ["conv_a", "conv_b"]


def test_the_command_without_a_layer_says_how_to_ask(made_log: Path) -> None:
    """Wrong usage is one line and exit code 2."""
    done = say("why", made_log)
    assert done.code == 2
    assert "trtlens why conv1 build.log" in done.err


# -- speed ---------------------------------------------------------------------------------------------------------


def test_a_log_of_30_000_candidates_answers_quickly(tmp_path: Path) -> None:
    """Reading such a log and explaining one of its layers takes time by its length; `benchmarks/start.py` measures it."""
    lines = lzma.decompress((CAPTURES / "int8" / "verbose.log.xz").read_bytes()).decode().split("\n")
    first = next(n for n, line in enumerate(lines) if "Computing costs" in line)
    last = next(n for n, line in enumerate(lines) if "Adding reformat layer" in line)
    again = [
        re.sub(r"/(layer|conv|fc|avgpool|maxpool)", r"/x\1", line).replace("Identity_", "Ydentity_")
        for line in lines[first:last]
    ]
    path = tmp_path / "large.log"
    path.write_text("\n".join([*lines[:last], *again, *lines[last:]]))
    began = time.process_time()
    run = open_run(path)
    rows = sentences(run, CONV2)
    assert time.process_time() - began < 5
    assert run["candidates"].num_rows > 29_000
    assert one(rows, "runs")["time_ms"] == 0.013731

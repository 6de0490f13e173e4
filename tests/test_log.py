"""A whole log: counts against plain counting, one build in every wrapper's spelling, cuts, and any bytes at all."""

from __future__ import annotations

import gc
import gzip
import lzma
import re
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trtlens import open_run
from trtlens.runs.ingest import Document, join_documents
from trtlens_parsers.log import LogReader, read_log
from trtlens_parsers.prefixes import message_start, read_prefix
from trtlens_parsers.text import LONGEST_LINE, LineDecoder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trtlens_parsers.records import Log

FIXTURES = Path(__file__).parents[1] / "fixtures"
CAPTURES = FIXTURES / "resnet50-h200"
FAQ_6_0 = (FIXTURES / "layer-information-6.0" / "verbose.log").read_text()

# A small build as trtexec prints it, with what every wrapper must carry through: a skipped tactic, a warning of two
# lines, bare layer rows, names with every separator TensorRT uses.
SMALL = (FIXTURES / "small-build" / "verbose.log").read_text()
_STAMPED = re.compile(r"\[(\d\d)/(\d\d)/(\d{4})-(\d\d:\d\d:\d\d)\] \[([VIWE])\] \[TRT\] ?")
_WORDS = {"V": "VERBOSE", "I": "INFO", "W": "WARNING", "E": "ERROR"}


def tables_of(log: Log) -> Mapping[str, pa.Table]:
    return join_documents([Document("-", log)])


# -- the example of NVIDIA's FAQ -----------------------------------------------------------------------------------


def test_faq_example_of_6_0() -> None:
    """TensorRT 6.0's own example: the INT8 kernels by layer name, the inserted reformatters, FP32 elsewhere."""
    layers = tables_of(read_log(FAQ_6_0.encode()))["layers"].to_pylist()
    facts = {row["name"]: (row["precision"], row["unit"], row["is_reformat"]) for row in layers}
    assert facts == {
        "scale": ("fp32", None, False),
        "conv1 input reformatter 0": (None, None, True),
        "conv1": ("int8", "cuda core", False),
        "pool1": ("int8", None, False),
        "conv2": ("int8", "tensor core", False),
        "pool2": ("int8", None, False),
        "ip1 + relu1 input reformatter 0": (None, None, True),
        "ip1 + relu1": ("fp32", None, False),
        "ip2": ("fp32", None, False),
        "prob": ("fp32", None, False),
    }
    kernels = {row["name"]: row["tactic_name"] for row in layers if row["tactic_name"]}
    assert kernels == {
        "conv1": "volta_int8x4_icudnn_int8x4_128x32_relu_interior_c32_nn_v1",
        "conv2": "turing_int8_i8816cudnn_int8_256x64_ldg16_relu_singleBuffer_interior_nt_v1",
    }
    assert layers[2]["tactic_id"] == -4208188808979933945 % 2**64


# -- one build in every wrapper ------------------------------------------------------------------------------------


def _rewritten(prefix: Callable[[re.Match[str]], str]) -> str:
    return _STAMPED.sub(prefix, SMALL)


WRAPPED = {
    "trtexec": SMALL,
    "python of 8.2 on": _rewritten(lambda m: f"[{m[1]}/{m[2]}/{m[3]}-{m[4]}] [TRT] [{m[5]}] "),
    "python to 8.0": _rewritten(lambda m: f"[TensorRT] {_WORDS[m[5]]}: "),
    "python without time": _rewritten(lambda m: f"[TRT] [{m[5]}] "),
    "samples of 5.x": _rewritten(lambda m: f"[{m[5]}] [TRT] "),
    "stamp twice": _rewritten(lambda m: f"[{m[1]}/{m[2]}/{m[3]}-{m[4]}] " + m[0]),
    "month zero": SMALL.replace("[11/20/2026", "[00/20/2026"),
    "polygraphy": _rewritten(lambda m: {"V": "[X] ", "I": "[V] "}.get(m[5], f"[{m[5]}] ")),
    "polygraphy in colour": re.sub(
        "(?m)^(.+)$", "\x1b[38;5;104m\\1\x1b[0m", _rewritten(lambda m: {"V": "[X] "}.get(m[5], f"[{m[5]}] "))
    ),
    "jetson-inference": _rewritten(lambda _: "[TRT]    "),
    "torch-tensorrt": _rewritten(lambda m: f"{_WORDS[m[5]]}: [Torch-TensorRT TorchScript Conversion Context] - "),
    "torch-tensorrt in colour": _rewritten(
        lambda m: f"\x1b[1;35m{_WORDS[m[5]]}: \x1b[0m[Torch-TensorRT - Debug Build] - "
    ),
    "triton": _rewritten(lambda m: f"{'I' if m[5] == 'V' else m[5]}1120 {m[4]}.454255 1 logging.cc:49] "),
    "ros with triton": _rewritten(
        lambda m: (
            f"1: [component_container_mt-1] {'I' if m[5] == 'V' else m[5]}1120 {m[4]}.454255 11359 logging.cc:49] "
        )
    ),
    "deepstream": _rewritten(lambda m: f"{_WORDS[m[5]]}: [TRT]: "),
    "onnxruntime": _rewritten(
        lambda m: (
            f"2026-11-20 {m[4]}.725964281 [{m[5]}:onnxruntime:Default, tensorrt_execution_provider.h:83 log] "
            f"[2026-11-20 {m[4]} {_WORDS[m[5]]:>7}] "
        )
    ),
    "tf-trt": _rewritten(
        lambda m: (
            f"2026-11-20 {m[4]}.747950: {m[5]} tensorflow/compiler/tf2tensorrt/utils/trt_logger.cc:36] DefaultLogger "
        )
    ),
    "own logger": _rewritten(lambda m: f"[2026-11-20 {m[4]} {_WORDS[m[5]]}] "),
    "own logger by word": _rewritten(lambda m: f"[{_WORDS[m[5]]}] "),
    "plain": _rewritten(lambda _: ""),
}

SHIPPED: dict[str, Callable[[str], str]] = {
    "docker compose": lambda line: f"trt-builder-1  | {line}",
    "github actions": lambda line: f"2026-11-20T22:01:26.1234567Z {line}",
    "kubectl timestamps": lambda line: f"2026-11-20T22:01:26.123456789Z {line}",
    "docker compose with timestamps": lambda line: f"trt  | 2026-11-20T22:01:26.123456789Z {line}",
    "coloured docker compose": lambda line: f"\x1b[36mtrt-1  | \x1b[0m{line}",
    "buildkit": lambda line: f"#12 34.56 {line}",
    "jenkins": lambda line: f"[2026-11-20T22:01:26.123Z] {line}",
    "ts of moreutils": lambda line: f"Nov 20 22:01:26 {line}",
    "elapsed time": lambda line: f"[     3.141592] {line}",
    "own tool": lambda line: f"2026/11/20 22:01:26 host-7 trt-build[{4000 + len(line) % 3}] | {line}",
    "two kinds of lines": lambda line: f"{'main' if len(line) % 2 else 'worker-1'} 22:01:26> {line}",
}

_LINES = {"line", "first_line", "last_line", "version_line"}
_CLOCKS = {"started_s", "finished_s", "stamps_s", "wrapper"}


def content(text: str | bytes) -> dict[str, list[dict[str, object]]]:
    """The rows of a log's tables without clocks, wrapper and how lines were read."""
    tables = tables_of(read_log(text.encode() if isinstance(text, str) else text))
    rows = {name: table.to_pylist() for name, table in tables.items() if name not in {"reading", "phases"}}
    for table in rows.values():
        for row in table:
            for column in _CLOCKS:
                row.pop(column, None)
    for message in rows["messages"]:
        message.pop("severity")  # a wrapper without levels cannot tell a warning from a remark
    return rows


EXPECTED = content(SMALL)


@pytest.mark.parametrize("wrapper", WRAPPED)
def test_every_wrapper_gives_the_same_tables(wrapper: str) -> None:
    """One build's log says the same whatever program hosted TensorRT and put its prefix before the lines."""
    read = content(WRAPPED[wrapper])
    unlevelled = wrapper in {"jetson-inference", "plain"}
    for name, rows in EXPECTED.items():
        if name == "messages" and unlevelled:
            continue
        assert read[name] == rows, name


@pytest.mark.parametrize("shipper", SHIPPED)
@pytest.mark.parametrize("wrapper", ["trtexec", "polygraphy", "python to 8.0", "plain"])
def test_every_shipper_gives_the_same_tables(wrapper: str, shipper: str) -> None:
    """What docker, kubectl, BuildKit or a CI service put before every line changes nothing."""
    lines = WRAPPED[wrapper].rstrip("\n").split("\n")
    shipped = "\n".join(SHIPPED[shipper](line) for line in lines) + "\n"
    read, plain = content(shipped), content(WRAPPED[wrapper])
    assert read == plain


@pytest.mark.parametrize("step", [1000, 10**9])
def test_a_prefix_is_learnt_behind_a_long_preamble(step: int) -> None:
    """A job that prints for long before it builds: the prefix is learnt when TensorRT speaks, whatever the chunks are."""
    preamble = [f"Step {number}: fetched 12 objects" for number in range(900)]
    lines = [*preamble, *SMALL.rstrip("\n").split("\n")]
    data = "".join(f"[2026-11-20T22:01:26.{number:03d}Z] {line}\n" for number, line in enumerate(lines)).encode()
    reader = LogReader()
    for begin in range(0, len(data), step):
        reader.feed(data[begin : begin + step])
    build = reader.finish().builds[0]
    assert len(build.layers) == len(EXPECTED["layers"])
    assert build.layers[0].line == len(preamble) + int(str(EXPECTED["layers"][0]["line"]))


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-16-be"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r\n").encode("utf-16"),
    ],
    ids=["utf-8 with mark", "utf-16", "utf-16-le", "utf-16-be", "crlf", "powershell"],
)
def test_every_encoding_gives_the_same_tables(encode: Callable[[str], bytes]) -> None:
    """Byte-order marks, UTF-16 and CRLF change nothing."""
    assert content(encode(SMALL)) == EXPECTED


def test_latin_1_bytes_stay_in_their_line() -> None:
    """A line that is not UTF-8 is read as latin-1, and the lines around it as UTF-8."""
    data = (
        SMALL.replace("conv1", "caf\u00e9").encode("latin-1") + "[11/20/2026-22:01:30] [W] [TRT] \u2713 done\n".encode()
    )
    log = read_log(data)
    assert any("caf\u00e9" in row.layer.name for row in log.builds[0].layers)
    assert log.builds[0].messages[-1].text == "\u2713 done"


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, None], ids=["gz", "xz", "zst"])
def test_compressed_logs(
    compress: Callable[[bytes], bytes] | None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """gzip, xz and zstd are known by content, whatever the file is called, and reading prints nothing."""
    path = tmp_path / "build.log"
    gc.freeze()  # what was there before is no garbage of this reading
    if compress is None:
        with pa.CompressedOutputStream(str(path), "zstd") as stream:
            stream.write(SMALL.encode())
    else:
        path.write_bytes(compress(SMALL.encode()))
    assert open_run(path)["layers"].num_rows == len(EXPECTED["layers"])
    gc.collect()
    assert capfd.readouterr() == ("", "")


def test_two_builds_in_one_log() -> None:
    """A second build begins with its own parser lines; each build has its own layers and candidates."""
    rows = tables_of(read_log((SMALL + SMALL).encode()))
    assert rows["builds"]["build"].to_pylist() == [1, 2]
    for name in ("layers", "candidates", "nodes", "memory", "fusions"):
        builds = rows[name]["build"].to_pylist()
        assert builds.count(1) == builds.count(2) == len(EXPECTED[name]), name


def test_nodes_that_polygraphy_puts_on_their_own_lines_belong_to_the_layer_above() -> None:
    """Polygraphy ends a line at U+001E; the layer has the nodes of the unbroken line, and no line is left unread."""
    row = (
        "Name: a + b, LayerType: CaskConvolution, Inputs: [ { Name: x, Location: Device, Dimensions: [1,8], "
        "Format/Datatype: Half }], Outputs: [ { Name: y, Location: Device, Dimensions: [1,8], Format/Datatype: Half }], "
        "TacticValue: 0x0000000000000001, StreamId: 0, Metadata: [ONNX Layer: a]\x1e[ONNX Layer: b]\x1f[ONNX Layer: c]"
    )
    begin = "[V] Engine Layer Information:\n[X] Layers:\n"
    whole = read_log(f"{begin}    {row}\n".encode())
    broken = read_log((begin + f"    {row}\n".replace("\x1e", "\n    ").replace("\x1f", "\n    ")).encode())
    (layer,) = broken.builds[0].detailed_layers
    assert layer.layer.metadata == ("a", "b", "c")
    assert broken.builds[0].detailed_layers == whole.builds[0].detailed_layers
    assert not broken.reading.unread


def test_chunks_do_not_matter() -> None:
    """A log in chunks of any size gives the records of the whole log."""
    data = SMALL.encode()
    whole = read_log(data)
    for step in (1, 7, 1000):
        reader = LogReader()
        for begin in range(0, len(data), step):
            reader.feed(data[begin : begin + step])
        log = reader.finish()
        assert log.reading == whole.reading
        assert {name: t.to_pylist() for name, t in tables_of(log).items()} == {
            name: t.to_pylist() for name, t in tables_of(whole).items()
        }


def test_a_reader_is_gone_when_nobody_holds_it() -> None:
    """Records of a large log must not wait for the search for cycles: a reader keeps none to itself."""
    reader = LogReader()
    reader.feed(SMALL.encode())
    kept = reader.finish()
    gone = weakref.ref(reader)
    collecting = gc.isenabled()
    gc.disable()
    try:
        del reader
        assert gone() is None
    finally:
        if collecting:
            gc.enable()
    assert kept.builds[0].blocks


# -- anything at all -----------------------------------------------------------------------------------------------

_PIECES = st.sampled_from(
    [
        *SMALL.split("\n")[:40],
        "\x1e",
        "\x1f",
        "\x00",
        "\r",
        "\x1b[31m",
        "Layer(",
        "Tactic: ",
        " -> ",
        "[",
        "]",
        "(",
        "{",
    ]
)


@settings(max_examples=150)
@given(st.one_of(st.binary(max_size=4000), st.lists(_PIECES, max_size=60).map(lambda p: "\n".join(p).encode())))
def test_any_bytes_become_records(data: bytes) -> None:
    """No bytes raise, and every line is counted once."""
    log = read_log(data)
    assert sum(log.reading.counts.values()) == log.reading.lines
    assert set(tables_of(log)) >= {"layers", "candidates"}


@pytest.mark.parametrize(
    "character", [*"a []{}()->|,:.0xT\t\r", "\x00", "\x1b", "\x1e", "\u2028", "Tactic ", " -> ", "[V] [TRT] "]
)
def test_a_long_line_of_one_thing_is_quick(character: str) -> None:
    """Two megabytes of one repeated character behind any start take the time of one pass, not of a square."""
    for start in (
        "",
        "[11/20/2026-22:01:26] [V] [TRT] ",
        "Layer(",
        "Tactic Name: ",
        "*************** Autotuning format ",
    ):
        data = (start + character * (2_000_000 // len(character))).encode()
        begin = time.process_time()
        read_log(data)
        assert time.process_time() - begin < 3


def test_a_line_beyond_the_limit_is_cut_and_counted() -> None:
    """A line without an end costs bounded memory; the lines behind it are read."""
    decoder = LineDecoder()
    chunk = b"x" * (LONGEST_LINE // 2)
    lines = [line for _ in range(6) for line in decoder.feed(chunk)]
    lines += decoder.feed(b"\nnext\n")
    assert [len(line) for line in lines] == [LONGEST_LINE, 4]
    assert decoder.overlong == 1


@given(st.text(max_size=200))
def test_any_text_has_a_prefix_or_none(text: str) -> None:
    """Reading a prefix never raises and never claims more than the line."""
    prefix = read_prefix(text)
    assert prefix is None or prefix.length <= len(text)


@pytest.mark.parametrize(
    ("line", "start"),
    [
        ("[TRT] [V] x", 0), ("ci-7 | [TRT] [V] x", 6), ("ci-7   \t[TRT] [V] x", 4), ("a" + " " * 20 + "[TRT] [V] x", 5),
        ("job: Layer(Scale): x", 5), ("1: I0702 12:02:36.1 2024-11-21 no", None), ("nothing of it", None),
    ],
)  # fmt: skip
def test_a_message_begins_with_the_blanks_of_its_prefix(line: str, start: int | None) -> None:
    """Up to 16 blanks are the wrapper's; what stands before them is another program's, and a line without a message has no start."""
    assert message_start(line) == start


def test_what_myelin_adds_to_a_skipped_tactic_is_known() -> None:
    """The hints behind a memory budget that was exceeded (10.14 on) say nothing that a table holds, and are not unread."""
    hints = (
        " Try increasing the workspace size with IBuilderConfig::setMemoryPoolLimit.",
        " Example of equivalent trtexec option: --memPoolSize=workspace:1",
    )
    text = "".join(f"[11/20/2026-22:01:26] [V] [TRT] {hint}\n" for hint in hints)
    counts = read_log(text.encode()).reading.counts
    assert (counts["ignored"], counts["unread"]) == (2, 0)

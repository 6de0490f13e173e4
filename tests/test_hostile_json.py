"""JSON documents of wrong types, endless depth, half characters and any size: refused in one sentence, or kept in full."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtlens import TrtlensError, open_run
from trtlens.runs.exported_files import read_json
from trtlens_parsers import json_text
from trtlens_parsers.captured import GpuState, RunTimes, read_captured, recognise_captured
from trtlens_parsers.errors import FormatError
from trtlens_parsers.exports import LayerTimes
from trtlens_parsers.json_text import finite, parse_json, spelled

if TYPE_CHECKING:
    from pathlib import Path

READING = {
    "moment": "before", "sm_clock_mhz": 1, "memory_clock_mhz": 2, "power_w": 3, "temperature_c": 4, "clock_reasons": ["a"],
}  # fmt: skip
SAMPLE = {"gpu_ms": 1, "host_ms": 2.5, "enqueue_ms": None, "queue_dry": False}


def times(**changes: Any) -> dict[str, Any]:
    return {"format": 1, "header": {"pass": "timing"}, "samples": [SAMPLE | changes]}


def gpu_state(**changes: Any) -> dict[str, Any]:
    return {"format": 1, "limits": {}, "readings": [READING | changes]}


def layer_times(layers: Any, rows: Any) -> dict[str, Any]:
    return {"format": 1, "layers": layers, "times_ms": rows}


def read(document: dict[str, Any]) -> Any:
    text = json.dumps(document)
    return read_captured(text, recognise_captured(text) or "")


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (times(gpu_ms="x"), "gpu_ms is no number: 'x'"),
        (times(gpu_ms=True), "gpu_ms is no number: True"),
        (times(host_ms=[[]]), "host_ms is no number: a list"),
        (times(queue_dry=1), "queue_dry is neither true nor false: 1"),
        ({"format": 1, "header": 3, "samples": []}, "header is no object: 3"),
        ({"format": 1, "header": {}, "samples": []}, "has no pass"),
        ({"format": 1, "header": {"pass": "timing"}, "samples": [1]}, "samples is no list of objects"),
        ({"format": 1, "header": {"pass": "timing"}}, "samples is no list of objects"),
        (gpu_state(sm_clock_mhz=1.5), "sm_clock_mhz is no whole number"),
        (gpu_state(temperature_c=2**63), "temperature_c is no whole number"),
        (gpu_state(clock_reasons="idle"), "clock_reasons is no list of texts"),
        (gpu_state(clock_reasons=[1]), "clock_reasons is no list of texts"),
        (gpu_state(moment={"a": 1}), "moment is no text: an object"),
        (layer_times(["a"], [["x"]]), "a time is no number: 'x'"),
        (layer_times(["a"], [[1, 2]]), "execution 0 has 2 times for 1 layers"),
        (layer_times([["a"]], [[1]]), "layers is no list of texts"),
        (layer_times(["a"], 7), "times_ms is no list of lists: 7"),
    ],
)
def test_captured_values_of_a_wrong_type_are_refused(document: dict[str, Any], sentence: str) -> None:
    """A value that is not what its key says is named, whatever it is, and nothing is guessed in its place."""
    with pytest.raises(FormatError, match="damaged") as caught:
        read(document)
    assert sentence in str(caught.value)


def test_captured_values_that_are_not_finite_are_unknown() -> None:
    """NaN, Infinity and what no float holds are null, so that every output format can be written."""
    text = '{"format":1,"header":{"pass":"timing"},"samples":[{"gpu_ms":NaN,"host_ms":-Infinity,"enqueue_ms":1e999}]}'
    captured = read_captured(text, "run_times")
    assert isinstance(captured, RunTimes)
    (row,) = captured.rows
    assert (row.gpu_ms, row.host_ms, row.enqueue_ms) == (None, None, None)
    assert read(layer_times(["a"], [[10**400], [1]])) == LayerTimes((("a", (None, 1.0)),))


def test_captured_values_are_read() -> None:
    """Whole numbers are times too; what is absent is None."""
    assert isinstance(read(times()), RunTimes)
    (row,) = read(times()).rows
    assert (row.gpu_ms, row.host_ms, row.enqueue_ms, row.queue_dry) == (1.0, 2.5, None, False)
    state = read(gpu_state())
    assert isinstance(state, GpuState)
    assert (state.readings[0].power_w, state.readings[0].clock_reasons) == (3.0, ("a",))
    assert read(layer_times(["a", "a"], [[1, 2], [3, 4]])) == LayerTimes((("a", (1.0, 3.0)), ("a", (2.0, 4.0))))
    assert read(layer_times(["a"], [])) == LayerTimes((("a", ()),))


def test_a_newer_capture_asks_for_an_update() -> None:
    """A capture of a newer format is not guessed at."""
    with pytest.raises(FormatError, match="update trtlens"):
        read(times() | {"format": 2})


DOCUMENTS = {
    "inspector": '{"Layers": [{"Name": "a\\ud800", "LayerType": "T", "Inputs": [], "Outputs": []}], "Bindings": []}',
    "profile": '[{"count": 1}, {"name": "a\\ud800", "timeMs": 1}]',
    "layer times": '{"a\\ud800": [1.0]}',
    "dump": '{"trtlens_dump": 1, "label": "\\udfff", "tensors": [{"name": "a\\ud800", "role": "inner"}], "nodes": []}',
    "captured": '{"format":1,"layers":["a\\ud800"],"times_ms":[[1]]}',
    "comparison": '{"trtlens_accuracy": 1, "rows": [{"tensor": "a\\ud800", "error": NaN, "ulp_p99": 1e999}]}',
}
NAMES = {
    "inspector": ("layers", "name"), "profile": ("layer_profile", "layer"), "layer times": ("layer_times", "layer"),
    "dump": ("dumps", "tensor"), "captured": ("layer_times", "layer"), "comparison": ("tensor_errors", "tensor"),
}  # fmt: skip


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_half_a_character_stays_as_its_escape(kind: str, tmp_path: Path) -> None:
    """A lone surrogate, which no file can hold, is kept as the six characters that the document spells it with."""
    path = tmp_path / "a.json"
    path.write_text(DOCUMENTS[kind])
    table, column = NAMES[kind]
    assert open_run(path)[table][column].to_pylist() == ["a\\ud800"]


@given(st.text(st.characters() | st.characters(categories=["Cs"])))
def test_only_half_characters_change(text: str) -> None:
    """Backslashes, pairs and all other characters come back as they were, and what comes back can be encoded."""
    spelling = json.dumps(text)
    plain: str = json.loads(spelling)
    halves = range(0xD800, 0xE000)
    assert parse_json(spelling, "test") == "".join(f"\\u{ord(c):04x}" if ord(c) in halves else c for c in plain)


def test_kept_errors_that_are_not_finite_are_unknown(tmp_path: Path) -> None:
    """A kept comparison holds no NaN and no infinity that JSON output would choke on."""
    path = tmp_path / "accuracy.json"
    path.write_text(DOCUMENTS["comparison"])
    (row,) = open_run(path)["tensor_errors"].to_pylist()
    assert (row["error"], row["ulp_p99"]) == (None, None)


def test_a_text_is_no_list_of_texts(tmp_path: Path) -> None:
    """A kept row whose list is a text is refused: its characters are no names."""
    path = tmp_path / "accuracy.json"
    path.write_text('{"trtlens_accuracy": 1, "rows": [{"tensor": "a", "keep_fp32": "conv"}]}')
    with pytest.raises(TrtlensError, match="does not fit the table"):
        open_run(path)["tensor_errors"]


@pytest.mark.parametrize(
    "head", ['{"format":1,"header":', '{"format":1,"layers":', '{"format":1,"limits":', '{"trtlens_dump": ']
)
def test_any_depth_is_refused_in_a_sentence(head: str, tmp_path: Path) -> None:
    """A hundred thousand brackets are refused, with the file's name."""
    path = tmp_path / "deep.json"
    path.write_text(head + "[" * 100_000)
    with pytest.raises(TrtlensError, match=r"deep\.json: .*nested too deeply"):
        open_run(path)


def test_a_small_file_does_not_expand_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is larger than a document may be, once decompressed, is told before all of it is in memory."""
    monkeypatch.setattr("trtlens.runs.exported_files._LARGEST_BYTES", 1 << 20)
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(gzip.compress(b'{"Layers":[0' + b",0" * (4 << 20) + b"]}"))
    with pytest.raises(TrtlensError, match=r"bomb\.json\.gz holds more than 1\.00 MiB \(decompressed\)"):
        open_run(path)
    taken = []

    def endless() -> Any:
        while True:
            taken.append(1)
            yield bytes(1 << 16)

    with pytest.raises(TrtlensError, match=r"more than 1\.00 MiB"):
        read_json("endless", "times", endless())
    assert len(taken) == 17


def test_the_number_of_values_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values cost memory however short they are spelled, so their number has a limit of its own."""
    monkeypatch.setattr(json_text, "MOST_VALUES", 10)
    assert parse_json("[1,2,3,4,5,6,7,8,9]", "test") == list(range(1, 10))
    for text in ("[1,2,3,4,5,6,7,8,9,10,11]", "[" * 11, '{"a":' * 11):
        with pytest.raises(FormatError, match="more than 10 values"):
            parse_json(text, "test")


def test_numbers_of_thousands_of_digits_are_refused() -> None:
    """Python reads none; that is the document's fault and no traceback."""
    with pytest.raises(FormatError, match="a number that cannot be read"):
        parse_json("9" * 5000, "test")


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "null"), ([[1]], "a list"), ({"a": 1}, "an object"), ("x" * 90, "'" + "x" * 59), (1.5, "1.5")],
)
def test_values_are_told_in_a_few_words(value: Any, words: str) -> None:
    """An error message is short however large the value is."""
    assert spelled(value) == words
    if not isinstance(value, float) and value is not None:
        with pytest.raises(FormatError):
            finite(value, "it")

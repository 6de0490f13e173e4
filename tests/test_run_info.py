"""run.json: what decides how a run is read has to be right, what describes it may be unknown; nothing is a traceback."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtlens import TrtlensError, open_run
from trtlens.runs.run_info import RunInfo, info_of, read_info
from trtlens.summary import summarise
from trtlens_parsers.errors import FormatError

FIXTURES = Path(__file__).parents[1] / "fixtures"
SMALL = FIXTURES / "small-build" / "verbose.log"
CAPTURED: dict[str, Any] = json.loads((FIXTURES / "h200" / "resnet50-int8" / "run.json").read_text())

_DEEP = "[" * 100_000
REFUSED: dict[str, tuple[str | bytes, str]] = {
    "nested": (f'{{"format": 1, "x": {_DEEP}', "nested too deep"),
    "no text": ('{"format": 1, "raw": [5]}', "raw is no list of names of files in the run: 5"),
    "raw text": ('{"format": 1, "raw": "verbose.log"}', "'verbose.log'"),
    "raw object": ('{"format": 1, "raw": {"verbose.log": 1}}', "an object"),
    "raw elsewhere": ('{"format": 1, "raw": ["../verbose.log"]}', r"\.\./verbose\.log"),
    "raw itself": ('{"format": 1, "raw": ["run.json"]}', "run.json"),
    "raw parent": ('{"format": 1, "raw": [".."]}', "raw is no list"),
    "raw NUL": ('{"format": 1, "raw": ["a\\u0000b"]}', r"a\\x00b"),
    "raw long": (json.dumps({"format": 1, "raw": ["ä" * 200]}), "raw is no list"),
    "build list": ('{"format": 1, "build": [1]}', "build is no number of a build: a list"),
    "build truth": ('{"format": 1, "build": true}', "build is no number"),
    "format truth": ('{"format": true}', "no format number"),
    "format zero": ('{"format": 0}', "no format number"),
    "format huge": (f'{{"format": {"9" * 4000}}}', "update trtlens"),
    "format endless": (f'{{"format": {"9" * 9000}}}', "run.json"),
    "a list": ("[1]", "no format number"),
    "no JSON": ("{", "run.json"),
    "no UTF-8": (b'{"format": 1, "x": "\xff"}', "run.json"),
}


def make_run(folder: Path, content: str | bytes) -> Path:
    folder.mkdir()
    (folder / "run.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    shutil.copyfile(SMALL, folder / "verbose.log")
    return folder


@pytest.mark.parametrize("case", REFUSED)
def test_what_decides_must_be_right(case: str, tmp_path: Path) -> None:
    """A run whose run.json leaves open how it is to be read is refused in one short line that names the file."""
    content, told = REFUSED[case]
    folder = make_run(tmp_path / "run", content)
    with pytest.raises(TrtlensError, match=told) as caught:
        open_run(folder)
    assert "run.json" in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(folder))


@pytest.mark.parametrize(
    "value", [5, [5], "text", {"name": [1], "path": [1]}, [[]], [{"shapes": 1, "gpu": 2}], True, "\ud800"]
)
@pytest.mark.parametrize(
    "name", ["notes", "errors", "gpu", "model", "flags", "precision_flags", "tensorrt_version", "timings"]
)
def test_what_describes_may_be_unknown(name: str, value: Any, tmp_path: Path) -> None:
    """A fact of another type is unknown, a note says so, and the rest of the run is read and can be shown."""
    folder = make_run(tmp_path / "run", json.dumps(CAPTURED | {"raw": ["verbose.log"], name: value}))
    run = open_run(folder)
    assert run["candidates"].num_rows
    fits = getattr(info_of({"format": 1, name: value}), name) != getattr(RunInfo(), name)
    doubted = [note for note in run.info.notes if note.startswith("run.json: ")]
    assert doubted or fits
    for note in summarise(run)[-1].notes:
        note.encode()


@given(st.dictionaries(st.sampled_from(sorted(CAPTURED)), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "path", "shapes", "gpu"]), inner),
    max_leaves=8,
)))  # fmt: skip
def test_no_value_is_a_traceback(changed: dict[str, Any]) -> None:
    """Whatever stands in the fields, they are read, unknown, or refused."""
    try:
        info = info_of(CAPTURED | changed)
    except FormatError:
        return
    assert all(isinstance(note, str) for note in info.notes)


def test_facts_of_a_capture() -> None:
    """A captured run states its GPU, its model and how it was timed."""
    info = read_info(FIXTURES / "h200" / "resnet50-int8")
    assert (info.gpu.name, info.gpu.compute_capability) == ("NVIDIA H200", "9.0")
    assert info.precision_flags == ("INT8",)
    assert [(one.shapes, one.cuda_graph, round(one.gpu_median_ms or 0, 4)) for one in info.timings] == [
        ({"data": "8x3x224x224"}, True, 0.6046)
    ]
    assert info.notes == tuple(CAPTURED["notes"])

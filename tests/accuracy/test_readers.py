"""Dumps of every foreign form: the fixtures agree with one another, and hostile ones are told tensor by tensor."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.accuracy.conftest import DUMPS
from trtlens.accuracy.blame import make_graph
from trtlens.accuracy.compare import compare_dumps
from trtlens.accuracy.readers import Dump, open_dump
from trtlens.accuracy.tensors import UnreadableTensor
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trtlens.accuracy.compare import ComparedTensor

FORMS = {
    "npz": ("reference.npz", "run.npz"),
    "npy": ("npy-reference", "npy-run"),
    "text": ("text-reference", "text-run"),
    "polygraphy": ("polygraphy.json#onnxrt", "polygraphy.json#trt"),
    "exported": ("exported-reference.json", "exported-run.json"),
    "debug": ("debug-reference", "debug-run"),
}
FLAGS: list[str] = []


class Exploit:
    """Unpickling it would leave a mark."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return FLAGS.append, ("unpickled",)


def compared(reference: str | Path, run: str | Path) -> dict[str, ComparedTensor]:
    """The rows of a comparison by tensor."""
    rows = compare_dumps(open_dump(reference), open_dump(run), make_graph([])).tensors
    return {row.name: row for row in rows}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_errors(form: str) -> None:
    """Each form of the fixtures leads to the metrics of the npz pair, within the digits that it prints."""
    ours, theirs = FORMS[form]
    wanted = compared(DUMPS / "reference.npz", DUMPS / "run.npz")
    found = compared(f"{DUMPS}/{ours}", f"{DUMPS}/{theirs}")
    assert len(found) >= 4
    # debug tensors were rounded to half before they were written, so only what was written in full compares
    checked = ["scores"] if form == "debug" else list(found)
    for name in checked:
        known = wanted[next(key for key in wanted if key.replace("/", "_") == name.replace("/", "_"))]
        ours_measured, known_measured = found[name].metrics, known.metrics
        assert ours_measured is not None
        assert known_measured is not None
        assert ours_measured.error == pytest.approx(known_measured.error, rel=1e-4)
        assert ours_measured.max_abs_error == pytest.approx(known_measured.max_abs_error, rel=1e-4)


@pytest.mark.parametrize("ours", FORMS)
@pytest.mark.parametrize("theirs", FORMS)
def test_forms_mix(ours: str, theirs: str) -> None:
    """A reference of one form compares with a run of any other; names that became file names find their own."""
    rows = compared(f"{DUMPS}/{FORMS[ours][0]}", f"{DUMPS}/{FORMS[theirs][1]}")
    scores = rows["scores"].metrics
    assert scores is not None
    assert scores.max_abs_error == pytest.approx(1.5, abs=0.01)
    conv = next(row for name, row in rows.items() if name.startswith("conv1"))
    assert conv.metrics is not None
    assert conv.metrics.max_abs_error is not None
    assert conv.metrics.max_abs_error < 1e-3


def test_real_polygraphy_results_open(tmp_path: Path) -> None:
    """What Polygraphy itself saves is read as it reads it back."""
    comparator = pytest.importorskip("polygraphy.comparator", reason="polygraphy is not installed")
    array = np.arange(6, dtype=np.float16).reshape(2, 3)
    results = comparator.RunResults()
    results.append(("r", [comparator.IterationResult({"x": array}, runtime=0.1, runner_name="r")]))
    results.save(str(tmp_path / "results.json"))
    assert np.array_equal(open_dump(tmp_path / "results.json").tensors["x"].array(), array)


def test_debug_tensors_keep_their_types() -> None:
    """Types come from the summary for raw files, from numpy's files, and are unknown for printed numbers."""
    dump = open_dump(DUMPS / "debug-run")
    assert {name: tensor.dtype for name, tensor in dump.tensors.items()} == {
        "conv1/output": "fp16", "relu1/output": "bf16", "scores": None, "ids": "int64", "mask": "bool",
    }  # fmt: skip


def test_debug_tensors_without_summary_lose_their_numbers(tmp_path: Path) -> None:
    """A folder of numbered files alone has the names behind the numbers, without what a conversion appended."""
    for name in ("0000_conv1_output_to_float.npy", "0001_scores.npy"):
        np.save(tmp_path / name, np.zeros(3, np.float32))
    assert list(open_dump(tmp_path).tensors) == ["conv1_output", "scores"]


def test_several_runners_have_to_be_told_apart() -> None:
    """Polygraphy results of two runners ask for one, and name those that there are."""
    with pytest.raises(TrtlensError, match="onnxrt, trt"):
        open_dump(DUMPS / "polygraphy.json")
    with pytest.raises(TrtlensError, match="no runner 'x': it has onnxrt, trt"):
        open_dump(f"{DUMPS}/polygraphy.json#x")


def test_fortran_order_and_foreign_endianness_are_read_right(tmp_path: Path) -> None:
    """Arrays saved in column order, or with the other byte order, keep their numbers where they were."""
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    odd: dict[str, Any] = {"fortran": np.asfortranarray(array), "big": array.astype(">f4")}
    for name, values in odd.items():
        np.save(tmp_path / f"{name}.npy", values)
    np.savez(tmp_path / "both.npz", **odd)
    np.savez_compressed(tmp_path / "small.npz", **odd)
    for dump in (open_dump(tmp_path / "fortran.npy"), open_dump(tmp_path / "big.npy"), open_dump(tmp_path / "both.npz"),
                 open_dump(tmp_path / "small.npz")):  # fmt: skip
        assert all(np.array_equal(tensor.array(), array) for tensor in dump.tensors.values())


# -- hostile dumps -----------------------------------------------------------------------------------------------------


def npy(array: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(array), **options)
    return stream.getvalue()


def header_of(text: str) -> bytes:
    """An npy file of that header and a few bytes behind it."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("latin-1") + b"\0" * 16


HOSTILE: dict[str, tuple[bytes, str]] = {
    "huge": (header_of("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }\n"), "4000000000000 bytes"),
    "negative": (header_of("{'descr': '<f4', 'fortran_order': False, 'shape': (-4,), }\n"), "shape"),
    "pickle": (npy(np.array([Exploit()], dtype=object), allow_pickle=True), "pickled objects"),
    "records": (npy(np.zeros(2, dtype=[("a", "<f4")])), "no numbers"),
    "text": (npy(np.array(["x"])), "no numbers"),
    "complex": (npy(np.zeros(2, np.complex64)), "no numbers"),
    "void": (npy(np.zeros(2, "V2")), "numpy lacks"),
    "code": (header_of("{'descr': __import__('os').system('true'), 'fortran_order': False, 'shape': (1,)}\n"), "header"),
    "deep": (header_of("(" * 5000 + ")" * 5000), "header"),
    "dimensions": (header_of(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {(1,) * 300}, }}\n"), "300"),
    "tokens": (header_of("{'descr': '<f4', 'fortran_order': False, 'shape': (1L,\n"), "header"),
    "cut": (npy(np.zeros(64, np.float32))[:100], "header"),
    "version": (b"\x93NUMPY\x09\x00\x10\x00" + b" " * 40, "format 9.0"),
}  # fmt: skip


@pytest.mark.parametrize("form", ["npy", "npz", "polygraphy"])
def test_hostile_arrays_are_refused_and_the_rest_is_compared(form: str, tmp_path: Path) -> None:
    """Each hostile array is refused with its reason, nothing is unpickled, and a good one beside it is compared."""
    good = np.arange(4, dtype=np.float32)
    arrays = {name: data for name, (data, _) in HOSTILE.items()} | {"good": npy(good)}
    place = tmp_path / "dump"
    if form == "npy":
        place.mkdir()
        for name, data in arrays.items():
            (place / f"{name}.npy").write_bytes(data)
    elif form == "npz":
        with zipfile.ZipFile(place, "w") as archive:
            for name, data in arrays.items():
                archive.writestr(f"{name}.npy", data)
    else:
        import base64

        outputs = {
            name: {"values": {"array": base64.b64encode(data).decode(), "polygraphy_class": "ndarray"}}
            for name, data in arrays.items()
        }
        place.write_text(json.dumps({"lst": [["r", [{"outputs": outputs}]]]}))
    dump = open_dump(place)
    assert list(dump.tensors) == ["good"]
    assert set(dump.refused) == set(HOSTILE)
    for name, (_, reason) in HOSTILE.items():
        assert reason in dump.refused[name], (name, dump.refused[name])
    assert FLAGS == []
    rows = {row.name: row for row in compare_dumps(dump, dump, make_graph([])).tensors}
    assert rows["good"].status == "compared"
    assert all(rows[name].status == "refused" and rows[name].reason for name in HOSTILE)


def test_names_that_climb_are_only_names(tmp_path: Path) -> None:
    """A tensor called ../../x is compared under that name and no file outside is touched."""
    for name in ("a.npz", "b.npz"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("../../x.npy", npy(np.ones(3, np.float32)))
    assert compared(tmp_path / "a.npz", tmp_path / "b.npz")["../../x"].status == "compared"
    assert not (tmp_path.parent.parent / "x.npy").exists()


def own_dump(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """A folder with a dump.json of those rows."""
    folder.mkdir()
    tensors = [{"role": "inner", "dtype": "fp32", "shape": [3], **row} for row in rows]
    (folder / "dump.json").write_text(json.dumps({"trtlens_dump": 1, "tensors": tensors, "nodes": []}))
    return folder


def test_hostile_index_of_our_own_kind(tmp_path: Path) -> None:
    """Files outside, links out, missing files, other shapes and unknown types are refused; the rest is there."""
    np.save(tmp_path / "secret.npy", np.ones(3, np.float32))
    folder = own_dump(
        tmp_path / "dump",
        [
            {"name": "climbing", "file": "../secret.npy"},
            {"name": "absolute", "file": str(tmp_path / "secret.npy")},
            {"name": "link", "file": "link.npy"},
            {"name": "missing", "file": "missing.npy"},
            {"name": "other", "file": "good.npy", "shape": [4]},
            {"name": "unknown", "file": "good.bin", "dtype": "fp5"},
            {"name": "short", "file": "good.bin", "dtype": "bf16", "shape": [1000000, 1000000]},
            {"name": "skipped", "skipped": "it is a shape tensor"},
            {"name": "good", "file": "good.npy"},
            {"name": "twice", "file": "good.npy"},
            {"name": "twice", "file": "good.npy"},
        ],
    )
    np.save(folder / "good.npy", np.ones(3, np.float32))
    (folder / "good.bin").write_bytes(b"\0" * 6)
    (folder / "link.npy").symlink_to(tmp_path / "secret.npy")
    dump = open_dump(folder)
    assert list(dump.tensors) == ["good"]
    words = {
        "climbing": "outside", "absolute": "outside", "link": "outside", "missing": "not there", "other": "index says",
        "unknown": "not known", "short": "bytes", "skipped": "shape tensor", "twice": "twice",
    }  # fmt: skip
    assert all(word in dump.refused[name] for name, word in words.items()), dump.refused


def test_text_that_lies_about_itself(tmp_path: Path) -> None:
    """Too few or too many values, a shape of terabytes, and letters among the numbers are told for their tensor."""
    texts = {
        "few": "[2, 3]\n1 2 3\n",
        "many": "[2]\n1 2 3\n",
        "huge": "[1000000, 1000000]\n1\n",
        "letters": "[3]\n1 two 3\n",
        "endless": "[3]\n" + "7" * 3_000_000,
        "bytes": "[3]\n\x80\x81 1 2",
        "good": "[3]\n1\n2\n3",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_bytes(text.encode("latin-1"))
    rows = compared(tmp_path, tmp_path)
    assert {name for name, row in rows.items() if row.status == "compared"} == {"good"}
    assert all(row.reason for name, row in rows.items() if name != "good")
    assert "only 3 of the 6" in (rows["few"].reason or "")
    assert "more than the 2" in (rows["many"].reason or "")


def test_archive_that_is_cut_off(tmp_path: Path) -> None:
    """A member whose bytes are damaged is told for its tensor, a damaged directory for the whole file."""
    path = tmp_path / "a.npz"
    np.savez(path, first=np.ones(5000, np.float32), second=np.ones(5000, np.float32))
    data = bytearray(path.read_bytes())
    data[3000:3010] = b"\xff" * 10
    path.write_bytes(data)
    rows = compared(path, path)
    assert rows["first"].status == "refused"
    assert rows["second"].status == "compared"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(TrtlensError, match="broken archive"):
        open_dump(path)


def test_everything_is_nan(tmp_path: Path) -> None:
    """A run of NaN everywhere is compared, every tensor with as many new NaN as elements."""
    np.savez(tmp_path / "a.npz", x=np.ones(7, np.float32), y=np.ones((2, 2), np.float16))
    np.savez(tmp_path / "b.npz", x=np.full(7, np.nan, np.float32), y=np.full((2, 2), np.nan, np.float16))
    rows = compared(tmp_path / "a.npz", tmp_path / "b.npz")
    assert [row.metrics.new_nan for row in rows.values() if row.metrics] == [7, 4]
    assert all(row.metrics.error == 1.0 for row in rows.values() if row.metrics)


def test_missing_tensors_and_shapes_that_differ(tmp_path: Path) -> None:
    """What only one side has, and what has another shape, is told; the rest is compared."""
    ones = np.ones((2, 6), np.float32)
    np.savez(tmp_path / "a.npz", both=ones, gone=ones, turned=ones)
    np.savez(tmp_path / "b.npz", both=ones, new=ones, turned=ones.T)
    comparison = compare_dumps(open_dump(tmp_path / "a.npz"), open_dump(tmp_path / "b.npz"), make_graph([]))
    assert {row.name: row.status for row in comparison.tensors} == {
        "both": "compared", "gone": "missing", "turned": "refused",
    }  # fmt: skip
    assert comparison.only_in_run == ("new",)


def test_dumps_without_a_common_tensor_are_no_pair(tmp_path: Path) -> None:
    """Two dumps of different models are refused with a few names of each."""
    np.savez(tmp_path / "a.npz", a=np.ones(2))
    np.savez(tmp_path / "b.npz", b=np.ones(2))
    with pytest.raises(TrtlensError, match="are they of one model"):
        compared(tmp_path / "a.npz", tmp_path / "b.npz")


@pytest.mark.parametrize("content", [b"", b"hello", b"{}", b"\x7fELF", pickle.dumps([1])])
def test_what_is_no_dump_says_what_would_be(content: bytes, tmp_path: Path) -> None:
    """A file of another kind is refused with the forms that are read."""
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(TrtlensError, match="npy, npz, text"):
        open_dump(tmp_path / "x")


def test_nothing_there_and_nothing_in_it(tmp_path: Path) -> None:
    """A missing path, an empty folder and a run without dump are told apart."""
    with pytest.raises(TrtlensError, match="not there"):
        open_dump(tmp_path / "nothing")
    with pytest.raises(TrtlensError, match="no tensor"):
        open_dump(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(TrtlensError, match="trtlens dump"):
        open_dump(tmp_path)


def test_a_file_that_shrinks_is_told(tmp_path: Path) -> None:
    """A file that lost bytes after it was opened cannot be mapped, and says so."""
    path = tmp_path / "x.npy"
    np.save(path, np.ones(100_000, np.float32))
    dump: Dump = open_dump(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UnreadableTensor, match="cannot be mapped"):
        list(dump.tensors["x"].chunks())

"""Runs on disk: kept from files, and opened again with the tables that their raw files make, whatever became of the saved ones."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from trtlens import TABLES, Run, TrtlensError, open_run
from trtlens.cli import app
from trtlens.runs.run_folders import keep_run

if TYPE_CHECKING:
    from collections.abc import Callable

FIXTURES = Path(__file__).parents[1] / "fixtures"
SMALL = FIXTURES / "small-build" / "verbose.log"
INT8 = FIXTURES / "resnet50-h200" / "int8"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was kept from one log; copy it to change it."""
    out = tmp_path_factory.mktemp("kept") / "run"
    keep_run([str(SMALL)], out)
    return out


def test_a_run_that_0_1_0_kept_still_opens() -> None:
    """Its tables are those that its log makes today, whatever columns and tables have come since."""
    old, now = open_run(Path(__file__).parent / "data" / "run-0.1.0"), open_run(SMALL)
    assert json.loads((Path(__file__).parent / "data" / "run-0.1.0" / "run.json").read_text())["tables_by"] == "0.1.0"
    assert [name for name in TABLES if not old[name].equals(now[name])] == []
    assert old.view("layers").num_rows == 3


def changed(kept: Path, place: Path, **facts: Any) -> Path:
    """A copy of a run whose run.json states other facts; None takes one away."""
    shutil.copytree(kept, place)
    document = json.loads((place / "run.json").read_text()) | facts
    (place / "run.json").write_text(json.dumps({name: value for name, value in document.items() if value is not None}))
    return place


def same_tables(one: Run, other: Run) -> bool:
    return all(one[name].equals(other[name]) for name in TABLES)


# -- reading: which saved tables are used ----------------------------------------------------------------------------


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def flip(path: Path) -> None:
    """Turn a bit of the first column's values; its length and its place stay."""
    data = bytearray(path.read_bytes())
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    data[column.data_page_offset + column.total_compressed_size - 2] ^= 0x10
    path.write_bytes(data)


def rewrite(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    return lambda path: pq.write_table(change(pq.read_table(path)), path)


def without_mark(table: pa.Table) -> pa.Table:
    return table.replace_schema_metadata({})


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut": cut,
    "one bit": flip,
    "no Parquet": lambda path: path.write_bytes(b"PAR1" + bytes(200) + b"PAR1"),
    "a folder": to_folder,
    "a column less": rewrite(lambda table: table.drop_columns(["runner"])),
    "a column more": rewrite(lambda table: table.append_column("more", pa.nulls(table.num_rows))),
    "another type": rewrite(lambda table: table.set_column(0, "build", table["build"].cast(pa.float64()))),
    "another order": rewrite(lambda table: table.select(table.column_names[::-1])),
    "no mark": rewrite(without_mark),
    "rows of another log": rewrite(lambda table: without_mark(table.slice(0, 1))),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_table_that_cannot_be_trusted_is_made_again(case: str, kept: Path, tmp_path: Path) -> None:
    """Whatever became of a Parquet file, the tables are those of the raw log."""
    place = changed(kept, tmp_path / "run")
    DAMAGES[case](place / "tables" / "candidates.parquet")
    assert same_tables(open_run(place), open_run(SMALL))


def test_saved_tables_are_used_while_their_log_is_the_same(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening an unchanged run, or a copy of it with other times of its files, reads no log; a changed log is read."""
    read: list[list[str]] = []

    def note(names: list[str], _build: int | None) -> dict[str, pa.Table]:
        read.append(names)
        return {}

    monkeypatch.setattr("trtlens.runs.run_folders.read_documents", note)
    place = changed(kept, tmp_path / "run")
    assert open_run(place)["candidates"].num_rows
    assert read == []
    with (place / "verbose.log").open("a") as log:
        log.write("one more line\n")
    with pytest.raises(KeyError):
        open_run(place)["candidates"]
    assert read == [[str(place / "verbose.log")]]


@pytest.mark.parametrize("facts", [{"made_from": None}, {"tables_by": "0.0.9"}, {"tables_by": None}, {"raw": None}])
def test_runs_of_other_versions_open(facts: dict[str, Any], kept: Path, tmp_path: Path) -> None:
    """A run that another trtlens kept, or that does not say what its tables were made from, opens from its log."""
    place = changed(kept, tmp_path / "run", **facts)
    for path in (place / "tables").iterdir():
        rewrite(without_mark)(path)
    run = open_run(place)
    assert same_tables(run, open_run(SMALL))
    assert run["builds"]["wrapper"].to_pylist() == open_run(SMALL)["builds"]["wrapper"].to_pylist()


def test_tables_outlive_their_log_and_say_so(kept: Path, tmp_path: Path) -> None:
    """Where the log was taken away, saved tables that are whole still answer, with a note; damaged ones do not."""
    place = changed(kept, tmp_path / "run")
    (place / "verbose.log").unlink()
    run = open_run(place)
    assert same_tables(run, open_run(SMALL))
    assert any("verbose.log" in note and "no longer in it" in note for note in run.info.notes)
    cut(place / "tables" / "candidates.parquet")
    with pytest.raises(TrtlensError, match=r"verbose\.log"):
        open_run(place)["candidates"]


def test_the_build_of_the_json_files_is_kept(tmp_path: Path) -> None:
    """Tables that are made again put the JSON files to the build that they were given for."""
    twice = tmp_path / "twice.log"
    twice.write_bytes(SMALL.read_bytes() * 2)
    times = INT8 / "layer-times.json.xz"
    keep_run([str(twice), str(times)], tmp_path / "run", build=1)
    shutil.rmtree(tmp_path / "run" / "tables")
    assert open_run(tmp_path / "run")["layer_times"]["build"].unique().to_pylist() == [1]


# -- reading: folders ------------------------------------------------------------------------------------------------


def test_a_folder_with_a_log_and_json_is_one_run(tmp_path: Path) -> None:
    """Files that lie together need no run.json; what is neither log nor JSON is passed over, two logs are refused."""
    for name in ("verbose.log.xz", "layers.json.xz"):
        shutil.copyfile(INT8 / name, tmp_path / name)
    (tmp_path / "model.onnx").write_bytes(b"\x08\x07")
    (tmp_path / ".hidden.log").write_text("nothing")
    run = open_run(tmp_path)
    assert same_tables(run, open_run([INT8 / "verbose.log.xz", INT8 / "layers.json.xz"]))
    shutil.copyfile(SMALL, tmp_path / "other.log")
    with pytest.raises(TrtlensError, match=r"two logs, so two runs.*was read as one run"):
        open_run(tmp_path)


def test_a_captured_run_is_made_of_what_captures_write(tmp_path: Path) -> None:
    """A trace that was exported into the run's folder is not read as a part of it."""
    place = tmp_path / "run"
    shutil.copytree(FIXTURES / "h200" / "refused", place)
    (place / "trace.json").write_text("{}")
    assert same_tables(open_run(place), open_run(FIXTURES / "h200" / "refused"))


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (
            {"status": "building", "started": "2026-11-21T00:50:49"},
            "it began at 2026-11-21T00:50:49 and goes on, or was killed before TensorRT printed a line",
        ),
        ({"status": "interrupted", "library": "onnxruntime"}, "was stopped before a tensor was kept"),
        ({"status": "failed", "errors": ["no GPU"]}, r"failed before TensorRT printed a line \(no GPU\)"),
        ({"status": "done"}, "moved in part"),
        ({"status": "done", "raw": ["build.log"]}, r"no JSON to read \(build\.log\): was the run moved in part"),
    ],
)
def test_a_run_without_a_line_says_what_happened(facts: dict[str, Any], told: str, tmp_path: Path) -> None:
    """A build that ended before its first line is not mistaken for a run that was moved in part."""
    (tmp_path / "run.json").write_text(json.dumps({"format": 1, "kind": "profile", **facts}))
    (tmp_path / "verbose.log").touch()
    with pytest.raises(TrtlensError, match=told):
        open_run(tmp_path)


# -- keeping ---------------------------------------------------------------------------------------------------------


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A folder that holds something is refused; with force a run is replaced, other files never."""
    out = tmp_path / "run"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    for force in (False, True):
        with pytest.raises(TrtlensError):
            keep_run([str(SMALL)], out, force=force)
    assert (out / "thesis.txt").read_text() == "mine"
    second = tmp_path / "second"
    keep_run([str(SMALL)], second)
    with pytest.raises(TrtlensError, match="--force"):
        keep_run([str(SMALL)], second)
    keep_run([str(SMALL)], second, force=True)
    assert json.loads((second / "run.json").read_text())["format"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "second"]


def test_a_run_is_kept_from_a_pipe(tmp_path: Path) -> None:
    """A log that can be read but once is kept all the same, under its name."""
    pipe, out = tmp_path / "build.log", tmp_path / "run"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(SMALL.read_bytes()))
    writer.start()
    result = CliRunner().invoke(app, ["parse", str(pipe), "-o", str(out)])
    writer.join()
    assert result.exit_code == 0, result.output
    assert (out / "build.log").read_bytes() == SMALL.read_bytes()


@pytest.mark.parametrize("name", ["run.json", "tables", "Run.JSON"])
def test_files_of_a_run_own_names_are_not_kept(name: str, tmp_path: Path) -> None:
    """A log that is called as the run's own file would be overwritten: it is refused before it is read."""
    log = tmp_path / name
    log.write_text("not read at all")
    with pytest.raises(TrtlensError, match="rename"):
        keep_run([str(log)], tmp_path / "run")


def test_a_place_is_refused_before_the_log_is_read(tmp_path: Path) -> None:
    """Where a run cannot be kept, no time is spent on its log."""
    (tmp_path / "run").write_text("mine")
    result = CliRunner().invoke(app, ["parse", "-", "-o", str(tmp_path / "run")], input="no log at all")
    assert isinstance(result.exception, TrtlensError)
    assert "is a file" in str(result.exception)


def test_a_save_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """When a raw file has gone, no half-written folder stays."""
    gone = tmp_path / "gone.log"
    with pytest.raises(TrtlensError):
        keep_run([str(gone)], tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_errors_name_the_file_that_was_given(tmp_path: Path) -> None:
    """A log that cannot be read is named as the user named it, not as its copy."""
    log = tmp_path / "build.log"
    log.write_text("no TensorRT here")
    with pytest.raises(TrtlensError) as caught:
        keep_run([str(log)], tmp_path / "run")
    assert str(caught.value).startswith(f"{log} holds nothing")
    assert ".tmp" not in str(caught.value)


def test_a_run_is_not_kept_from_a_run(kept: Path, tmp_path: Path) -> None:
    """A run's folder is copied as it is; a folder of files is kept as its files are."""
    with pytest.raises(TrtlensError, match="copy its folder"):
        keep_run([str(kept)], tmp_path / "run")
    (tmp_path / "files").mkdir()
    shutil.copyfile(SMALL, tmp_path / "files" / "build.log")
    keep_run([str(tmp_path / "files")], tmp_path / "run")
    assert (tmp_path / "run" / "build.log").read_bytes() == SMALL.read_bytes()


def test_a_name_that_is_no_text_is_kept_as_its_escapes(tmp_path: Path) -> None:
    """run.json can hold no bytes: the copy gets a name that it can."""
    log = tmp_path / os.fsdecode(b"b\xffild.log")
    shutil.copyfile(SMALL, log)
    keep_run([str(log)], tmp_path / "run")
    assert (tmp_path / "run" / r"b\xffild.log").is_file()
    assert open_run(tmp_path / "run")["candidates"].num_rows

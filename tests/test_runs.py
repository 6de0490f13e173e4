"""Runs: files that belong together, folders on disk, and the tables that come back from them."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from tests.conftest import CAPTURES
from tests.golden.inputs import FILES
from trtlens import TABLES, VIEWS, Run, open_run
from trtlens.runs.run import once
from trtlens.runs.run_folders import keep_run

FIXTURES = Path(__file__).parents[1] / "fixtures"
SMALL = FIXTURES / "small-build" / "verbose.log"
INT8 = FIXTURES / "resnet50-h200" / "int8"
WHOLE = [INT8 / "verbose.log.xz", INT8 / "layers.json.xz", INT8 / "layer-times.json.xz"]


@pytest.fixture(scope="module")
def int8() -> Run:
    return open_run(WHOLE)


def test_inspector_completes_the_log(int8: Run) -> None:
    """One set of layers: ids and lines from the log, kernels' parameters and layouts from the inspector."""
    layers = int8["layers"].to_pylist()
    assert len(layers) == 151
    assert all(layer["parameters"] and layer["line"] for layer in layers if layer["type"].startswith("Cask"))
    formats = [row["format"] for row in int8["layer_tensors"].to_pylist() if row["vector_width"] == 32]
    assert set(formats) == {"chw32"}


def test_files_may_come_in_any_order(int8: Run) -> None:
    """Each file is known by its content, so their order says nothing."""
    other = open_run(WHOLE[::-1])
    assert {name: other[name].num_rows for name in other} == {name: int8[name].num_rows for name in int8}
    assert other["layers"].drop_columns(["line"]).equals(int8["layers"].drop_columns(["line"]))


def test_every_sample_is_kept(int8: Run) -> None:
    """50 executions of 151 layers are 7550 rows, none averaged."""
    assert int8["layer_times"].num_rows == 50 * 151


def test_a_saved_run_opens_with_the_same_tables(int8: Run, tmp_path: Path) -> None:
    """Parquet gives back every table, and the raw files stand beside them byte for byte."""
    out = tmp_path / "run"
    keep_run([str(path) for path in WHOLE], out)
    again = open_run(out)
    for name in TABLES:
        assert again[name].equals(int8[name]), name
    for path in WHOLE:
        assert (out / path.name).read_bytes() == path.read_bytes()


def test_every_table_is_there_with_its_declared_columns(int8: Run) -> None:
    """Columns never come and go, whatever files the run was made of."""
    for run in (int8, open_run(SMALL), open_run(INT8 / "layers.json.xz")):
        assert list(run) == list(TABLES)
        for name, spec in TABLES.items():
            assert run[name].column_names == [column.name for column in spec.columns]


def test_keys_identify_rows(int8: Run) -> None:
    """The declared key of each table has no two equal rows."""
    for name, spec in TABLES.items():
        keys = int8[name].select(list(spec.key)).to_pylist()
        distinct = {tuple(key.values()) for key in keys}
        assert len(distinct) == len(keys), name


@pytest.mark.parametrize("files", [WHOLE, [SMALL], [INT8 / "layers.json.xz"], [INT8 / "layer-times.json.xz"]], ids=str)
def test_every_view_answers_any_run(files: list[Path]) -> None:
    """A view of a run that lacks its input is an empty table, not an error."""
    run = open_run(files)
    for name in VIEWS:
        table = run.view(name)
        assert table.num_columns > 2, name


def test_a_profile_alone_names_the_slowest_layers() -> None:
    """Without the engine's layers the profile's own names and shares answer; precision and kernel stay unknown."""
    alone = open_run(CAPTURES / "fp16" / "layer-times.json.xz").view("slowest").to_pylist()
    files = [CAPTURES / "fp16" / name for name in ("verbose.log.xz", "layers.json.xz", "layer-times.json.xz")]
    whole = open_run(files).view("slowest").to_pylist()
    assert [row["name"] for row in alone] == [row["name"] for row in whole]
    assert [row["time_ms"] for row in alone] == [row["time_ms"] for row in whole]
    assert {row["precision"] for row in alone} == {None}


def test_views_of_an_empty_log() -> None:
    """A log with one known line answers every view without rows of zeros."""
    run = open_run(FIXTURES / "one-line" / "verbose.log")
    for name in VIEWS:
        assert run.view(name).num_rows <= 1, name


def test_fp16_costs_more_in_reformats_than_it_seems(int8: Run) -> None:
    """The INT8 capture spends a third of its layers' time copying constants at run time."""
    rows = {(row["work"], row["precision"]): row for row in int8.view("precision").to_pylist()}
    assert rows["compute", "int8"]["layers"] == 55
    assert rows["reformat", "fp32"]["layers"] == 47
    assert 30 < rows["reformat", "fp32"]["time_percent"] < 31


def test_the_units_of_the_captures() -> None:
    """FP32 without TF32 runs on CUDA cores, FP16 and INT8 convolutions on tensor cores."""
    for precision, expected in (("fp32", "cuda core"), ("fp16", "tensor core"), ("int8", "tensor core")):
        run = open_run(FIXTURES / "resnet50-h200" / precision / "verbose.log.xz")
        layers = [row for row in run["layers"].to_pylist() if row["type"].endswith("Convolution")]
        assert len(layers) in {53, 54}
        assert {row["unit"] for row in layers} == {expected}
        assert {row["precision"] for row in layers} == {precision}


def test_a_question_is_answered_once_for_a_run() -> None:
    """The same answer comes for the same run and arguments, another for others, and a run that is gone leaves nothing behind."""
    asked: list[tuple[str, int, bool]] = []

    @once
    def ask(run: Run, number: int, *, twice: bool = False) -> list[Run]:
        asked.append((run.name, number, twice))
        return [run]

    first, second = Run("first", {}), Run("second", {})
    assert ask(first, 1) is ask(first, 1)
    assert ask(first, 1) is not ask(first, 2)
    assert ask(first, 1, twice=True) is ask(first, 1, twice=True)
    assert ask(second, 1) == [second]
    assert asked == [("first", 1, False), ("first", 2, False), ("first", 1, True), ("second", 1, False)]
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None


def test_what_is_asked_again_is_not_changed_in_between() -> None:
    """A view gives the same rows however many others were asked of its run before, and in whatever order."""
    files = list(FILES["traces/myelin-region"])
    forward, backward = open_run(files), open_run(files)
    there = {name: forward.view(name) for name in VIEWS}
    back = {name: backward.view(name) for name in [*VIEWS][::-1]}
    for name, rows in there.items():
        assert rows.equals(back[name]), name
        assert forward.view(name).equals(rows), name

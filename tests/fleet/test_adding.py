"""What is added to a fleet is in it once, whole or not at all."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import time
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.doubles.made_runs import MadeLayer, MadeRun
from tests.fleet.conftest import added_to
from tests.fleet.logs import trtexec_log
from trtlens import open_run
from trtlens.errors import TrtlensError
from trtlens.fleet.batches import Adding, add_batch
from trtlens.fleet.facts import engine_rows
from trtlens.fleet.fleet import open_fleet
from trtlens.fleet.sources import find_sources, labels_of_path, read_labels
from trtlens.fleet.store import Place, check_fleet
from trtlens.fleet.upkeep import compact, refresh
from trtlens.tables.declarations import TABLES

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa


def written(folder: Path, count: int, first: int = 0) -> Path:
    """A folder with logs."""
    folder.mkdir()
    for number in range(first, first + count):
        (folder / f"{number}.log").write_text(trtexec_log(number))
    return folder


def rows(table: pa.Table) -> list[tuple[object, ...]]:
    """Rows in an order of their own."""
    return sorted((tuple(row.values()) for row in table.to_pylist()), key=repr)


def test_a_fleet_holds_every_row_of_every_table_of_its_runs(tmp_path: Path) -> None:
    """Each table of a run that was added comes back with equal values, beside its run's id."""
    logs = written(tmp_path / "logs", 2)
    added_to(tmp_path / "fleet", logs, tmp_path / "logs" / "0.log")
    fleet = open_fleet(tmp_path / "fleet")
    runs = [open_run(path) for path in sorted(logs.iterdir())]
    for name in TABLES:
        mine = rows(fleet.sql(f'FROM "{name}" SELECT * EXCLUDE (run_id, trt)'))
        theirs = [row for run in runs for row in rows(run[name])]
        assert mine == sorted(theirs, key=repr), name
    assert fleet.sql("SELECT DISTINCT trt FROM candidates").to_pylist() == [{"trt": "10.3"}]


def test_runs_are_known_by_content_whatever_they_lie_in(tmp_path: Path) -> None:
    """Plain, compressed, in a tar, in a zip, under another name: one run; added again it adds nothing."""
    text = trtexec_log().encode()
    logs = written(tmp_path / "logs", 1)
    with gzip.open(tmp_path / "b.log.gz", "wb") as file:
        file.write(text)
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as packed:
        packed.writestr("deep/c.log", text)
        packed.writestr("deep/c.json", "{}")
    with tarfile.open(tmp_path / "d.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("x/d.log")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
    for path in (tmp_path / "b.log.gz", tmp_path / "c.zip", tmp_path / "d.tar.gz"):
        assert len(added_to(tmp_path / path.name.replace(".", "-"), path).runs) == 1
    first = added_to(tmp_path / "fleet", logs, tmp_path / "b.log.gz", tmp_path / "c.zip", tmp_path / "d.tar.gz")
    again = added_to(tmp_path / "fleet", tmp_path / "d.tar.gz", f"{tmp_path}/*.log.gz", logs)
    assert (len(first.runs), first.known, len(again.runs), again.known) == (1, 3, 0, 3)
    assert open_fleet(tmp_path / "fleet").sql("SELECT count(*) AS n FROM candidates").to_pylist() == [{"n": 4}]


def test_a_broken_log_is_a_row_with_its_reason(tmp_path: Path) -> None:
    """Others beside it are read; the message names the file as it was given."""
    logs = written(tmp_path / "logs", 1)
    (logs / "empty.log").write_text("")
    (logs / "picture.log").write_bytes(b"\x89PNG\r\n")
    added = added_to(tmp_path / "fleet", logs)
    found = open_fleet(tmp_path / "fleet").ask("broken").to_pylist()
    assert len(added.runs) == 3
    assert [row["source"] for row in found] == [str(logs / "empty.log"), str(logs / "picture.log")]
    assert "is a picture" in found[1]["reason"]
    assert str(logs / "picture.log") in found[1]["reason"]


def test_a_reader_that_fails_is_a_row_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in reading one log stops no other."""
    logs = written(tmp_path / "logs", 2)
    real = open_run

    def failing(files: list[str]) -> object:
        if files[0].endswith("1.log"):
            raise ZeroDivisionError("division")
        return real(files)

    monkeypatch.setattr("trtlens.fleet.batches.open_run", failing)
    assert added_to(tmp_path / "fleet", logs).broken == (
        f"{logs / '1.log'}: a bug of trtlens: ZeroDivisionError: division",
    )


@pytest.mark.parametrize("writes", [0, 1, 7, 20, 40])
def test_a_writer_that_is_killed_leaves_nothing_that_counts(
    writes: int, begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many files it has written: the fleet opens, holds what it held, and takes the rest later."""
    fleet, place = begun, Place(str(begun))
    more = written(tmp_path / "b", 1, first=1)
    left = iter(range(writes))
    write = Place.write

    def dying(self: Place, name: str, data: bytes) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        write(self, name, data)

    with monkeypatch.context() as patched:
        patched.setattr(Place, "write", dying)
        try:
            add_batch(place, find_sources([str(more)]), Adding())
            whole = True
        except KeyboardInterrupt:
            whole = False
    opened = open_fleet(fleet)
    runs = opened.sql("SELECT count(*) AS n FROM runs").to_pylist()[0]["n"]
    assert runs == len(opened.manifest.runs) == (2 if whole else 1)
    assert len(added_to(fleet, more).runs) == (0 if whole else 1)
    assert len(rows(open_fleet(fleet).sql("SELECT * FROM engines"))) == 2


def test_two_writers_at_once_lose_and_double_nothing(tmp_path: Path) -> None:
    """Both began before either had named its batch, and share a log; compacting leaves each run once."""
    fleet, place = tmp_path / "fleet", Place(str(tmp_path / "fleet"))
    logs = written(tmp_path / "logs", 3)
    check_fleet(place, create=True)
    add_batch(place, find_sources([str(logs / "0.log"), str(logs / "1.log")]), Adding(), ())
    add_batch(place, find_sources([str(logs / "1.log"), str(logs / "2.log")]), Adding(), ())
    opened = open_fleet(fleet)
    before = {name: rows(opened.sql(f"FROM {name}")) for name in ("runs", "candidates", "engines")}
    assert {name: len(found) for name, found in before.items()} == {"runs": 3, "candidates": 12, "engines": 3}
    with pytest.raises(TrtlensError, match="fleet compact"):
        opened.paths("runs")
    assert compact(place).after == 1
    merged = open_fleet(fleet)
    assert before == {name: rows(merged.sql(f"FROM {name}")) for name in before}
    assert merged.dataset("candidates").to_table().num_rows == 12


def test_compacting_keeps_what_readers_may_still_read_for_a_day(one_run: Path, begun: Path, tmp_path: Path) -> None:
    """Merged batches, and files of killed writers, are removed once they are old; nothing else is."""
    place = Place(str(begun))
    added_to(begun, written(tmp_path / "1", 1, first=1))
    orphan = begun / "tables" / "runs" / "trt=10.3" / f"{'0' * 32}.parquet"
    orphan.write_bytes(b"half")
    assert (compact(place).before, len(place.names("batches"))) == (2, 3)
    old = time.time() - 2 * 24 * 3600
    for name in place.names("tables") + place.names("batches"):
        os.utime(place.path(name), (old, old))
    assert compact(place).removed > 2
    assert len(place.names("batches")) == 1
    assert not orphan.exists()
    assert len(rows(open_fleet(place.root).sql("SELECT * FROM runs"))) == 2
    assert len(added_to(begun, one_run / "logs", tmp_path / "1").runs) == 0


def test_refreshing_reads_kept_logs_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer trtlens takes rows anew from the logs; labels stay, runs whose log is gone stay as they were."""
    place = Place(str(tmp_path / "fleet"))
    kept, left = written(tmp_path / "kept", 1), written(tmp_path / "left", 2, first=1)
    added_to(tmp_path / "fleet", kept, adding=Adding({"machine": "ci-7"}))
    added_to(tmp_path / "fleet", left, adding=Adding(keep_raw=False))
    (left / "1.log").unlink()
    (kept / "0.log").unlink()
    assert refresh(place, lambda *_: None).runs == 0
    for module in ("batches", "upkeep"):
        monkeypatch.setattr(f"trtlens.fleet.{module}.VERSION", "99.1.0")
    done = refresh(place, lambda *_: None)
    assert (done.runs, len(done.missing)) == (2, 1)
    found = open_fleet(place.root).sql(
        "SELECT read_by, machine, raw IS NOT NULL AS kept FROM runs JOIN engines USING (run_id)"
    )
    assert rows(found) == [("0.1.0", "GPU-0", False), ("99.1.0", "GPU-0", False), ("99.1.0", "ci-7", True)]
    assert refresh(place, lambda *_: None).missing == done.missing


def test_columns_that_older_files_lack_are_null(begun: Path, tmp_path: Path) -> None:
    """A column that is declared later is there for old runs, too, before and after compacting."""
    import pyarrow.parquet as pq

    place = Place(str(begun))
    for name in place.names("tables/engines"):
        pq.write_table(pq.read_table(place.path(name), partitioning=None).drop_columns(["machine"]), place.path(name))
    added_to(begun, written(tmp_path / "more", 1, first=1))
    machines = "SELECT machine FROM engines"
    assert rows(open_fleet(place.root).sql(machines)) == [("GPU-0",), (None,)]
    compact(place)
    assert rows(open_fleet(place.root).sql(machines)) == [("GPU-0",), (None,)]


def test_what_is_no_fleet_is_left_alone(begun: Path, tmp_path: Path) -> None:
    """A folder with other files is refused, as is a fleet of a newer format, and a manifest that is none is named."""
    logs = written(tmp_path / "logs", 1)
    with pytest.raises(TrtlensError, match="no fleet: choose a new folder"):
        added_to(logs, logs)
    with pytest.raises(TrtlensError, match="holds no fleet"):
        open_fleet(tmp_path / "nothing")
    (begun / "batches" / "x.json").write_text("[]")
    with pytest.raises(TrtlensError, match=r"x\.json is no manifest"):
        open_fleet(begun)
    (begun / "fleet.json").write_text(json.dumps({"format": 2}))
    with pytest.raises(TrtlensError, match="update trtlens"):
        open_fleet(begun)


@pytest.mark.parametrize("argument", ["nothing.log", "empty", "damaged.zip", "damaged.tar"])
def test_arguments_that_name_nothing_are_refused(argument: str, tmp_path: Path) -> None:
    """Before anything is added."""
    (tmp_path / "empty").mkdir()
    for name in ("damaged.zip", "damaged.tar"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 damaged")
    with pytest.raises(TrtlensError, match=argument):
        find_sources([str(tmp_path / argument)])


def test_labels_come_from_the_command_line_and_from_paths() -> None:
    """Names in braces stand for one part of a path, or a piece of it."""
    assert read_labels(["machine=ci-7", "note=a=b"]) == {"machine": "ci-7", "note": "a=b"}
    assert labels_of_path("{machine}/*/{model}-{date}.log", "/ci/m1/x/net-2026.log") == {
        "machine": "m1", "model": "net", "date": "2026",
    }  # fmt: skip
    assert labels_of_path("{machine}/*.log", "/ci/m1/net.txt") == {}
    assert labels_of_path("{a}/{b}/{c}", "x.log") == {}
    for wrong in ("machine", "=x", "a b=c"):
        with pytest.raises(TrtlensError, match="no label"):
            read_labels([wrong])
    with pytest.raises(TrtlensError, match="no form"):
        labels_of_path("{a}{a}.log", "x.log")


def test_a_damaged_batch_is_told_with_its_table(begun: Path) -> None:
    """A file that is no Parquet any more, as after a full disk: an error that names the table, no traceback."""
    files = [path for path in begun.rglob("*.parquet") if "builds" in str(path)]
    for path in files:
        path.write_bytes(b"PAR1" + bytes(100))

    with pytest.raises(TrtlensError, match="table builds of the fleet cannot be read"):
        open_fleet(str(begun)).sql("SELECT count(*) FROM builds")


def test_a_latency_of_several_processes_is_the_median_of_their_medians() -> None:
    """As everywhere else: one process of three that is slower, and timed far more inferences, does not move it."""
    times: dict[str, list[Any]] = {
        "iteration": list(range(60)), "pass": ["timing"] * 60, "process": [1] * 10 + [2] * 10 + [3] * 40,
        "gpu_ms": [0.5] * 10 + [0.51] * 10 + [0.6] * 40,
    }  # fmt: skip
    run = MadeRun([MadeLayer("conv")], tables={"run_times": times}).run()

    (row,) = engine_rows(run, {})

    assert (row["latency_ms"], row["latency_source"]) == (0.51, "median, samples (timing)")

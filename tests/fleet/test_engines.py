"""Who fills a fleet, and where it is kept: a Dask cluster, an object store."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from tests.fleet.logs import trtexec_log
from trtlens.errors import TrtlensError
from trtlens.fleet import filling
from trtlens.fleet.batches import Added, Adding
from trtlens.fleet.filling import Workers, fill
from trtlens.fleet.fleet import open_fleet
from trtlens.fleet.sources import find_sources
from trtlens.fleet.store import Place
from trtlens.fleet.upkeep import compact

if TYPE_CHECKING:
    from pathlib import Path


def test_a_cluster_fills_a_fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups go to the workers of a running scheduler; all runs arrive, progress adds up, and a second time none does."""
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(filling, "_GROUP_RUNS", 2)
    for number in range(3):
        (tmp_path / f"{number}.log").write_text(trtexec_log(number))
    place, told = Place(str(tmp_path / "fleet")), list[Added]()
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        workers = Workers(cluster.scheduler_address)
        added = fill(place, find_sources([f"{tmp_path}/*.log"]), Adding(), workers, told.append)
        again = fill(place, find_sources([f"{tmp_path}/*.log"]), Adding(), workers, told.append)
    assert (len(added.runs), len(again.runs), again.known, len(told)) == (3, 0, 3, 4)
    assert sum(len(one.runs) for one in told) == len(open_fleet(place.root).manifest.runs) == 3


def test_a_scheduler_that_does_not_answer_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, with the address."""
    pytest.importorskip("distributed")
    monkeypatch.setattr(filling, "_TIMEOUT_S", 0.2)
    (tmp_path / "a.log").write_text(trtexec_log())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(TrtlensError, match=address):
        fill(
            Place(str(tmp_path / "f")),
            find_sources([str(tmp_path / "a.log")]),
            Adding(),
            Workers(address),
            lambda _: None,
        )


def filled_and_asked(root: str) -> None:
    """Logs under one prefix are added to a fleet under another, which is asked and compacted."""
    place = Place(f"{root}/fleet")
    for number in range(2):
        place.remote().pipe_file(f"{root}/ci/{number}.log", trtexec_log(number).encode())
        fill(place, find_sources([f"{root}/ci/{number}.log"]), Adding(), Workers(processes=1), lambda _: None)
    again = fill(place, find_sources([f"{root}/ci"]), Adding(), Workers(processes=1), lambda _: None)
    assert (len(again.runs), again.known) == (0, 2)
    assert compact(place).after == 1
    fleet = open_fleet(f"{root}/fleet")
    assert fleet.sql("SELECT count(*) AS n FROM candidates").to_pylist() == [{"n": 8}]
    assert fleet.dataset("candidates").count_rows() == 8


def test_logs_and_the_fleet_may_be_at_addresses() -> None:
    """Any file system that fsspec knows: here its own in memory."""
    filled_and_asked("memory://here")


@pytest.mark.skipif(
    os.environ.get("TRTLENS_SMOKE") != "all",
    reason="a server for S3 takes five seconds: TRTLENS_SMOKE=all, and pip install -e '.[buckets]'",
)
def test_logs_and_the_fleet_may_be_in_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in buckets of moto's server, through s3fs."""
    server = pytest.importorskip("moto.server")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    store = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    try:
        host, port = store.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        Place("s3://bucket").remote().mkdir("bucket")
        filled_and_asked("s3://bucket")
    finally:
        store.stop()

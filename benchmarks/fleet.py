"""Measures fleets: filling, questions over 10,000 runs with 50 million candidates, planted steps, killed writers, scheduling.

Run: ``python benchmarks/fleet.py make FOLDER``, then ``ask FOLDER``, ``one FOLDER``; ``planted``, ``kills``, ``small``, ``fill`` and
``schedule`` make what they need in a temporary folder. All of it is seeded; wall seconds stand beside CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from distributed import Client, LocalCluster

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.reading import make_log
from tests.fleet.logs import trtexec_log
from trtlens import open_run
from trtlens._version import VERSION
from trtlens.fleet.batches import Adding, Tables, _tables_of, joined_rows, write_batch
from trtlens.fleet.filling import Workers, fill
from trtlens.fleet.fleet import open_fleet
from trtlens.fleet.questions import QUESTIONS
from trtlens.fleet.sources import find_sources
from trtlens.fleet.store import Place, check_fleet
from trtlens.fleet.tables import FLEET_TABLES
from trtlens.tables.arrays import of_numpy, to_numpy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

FIXTURES = Path(__file__).parents[1] / "fixtures"
TEMPLATES = (
    "h200/resnet50-fp16",
    "h200/resnet50-int8",
    "h200/mobilenet-fp16",
    "h200/encoder-fp16",
    "h200/resnet50-fp32",
)
VERSIONS = ("8.6.1", "10.0.1", "10.3.0", "10.9.0")
RUNS, SERIES, IN_BATCH = 10_000, 250, 100
CANDIDATES = 5_000
DAY = 86_400.0
_WRITERS_A_CHECK = 20


# -- 10,000 runs ------------------------------------------------------------------------------------------------------


def make(folder: str, runs: int) -> None:
    """A fleet of so many runs: real ones, again and again with other times, names and versions."""
    place, dice = Place(folder), np.random.default_rng(1)
    check_fleet(place, create=True)
    templates = [_template(name) for name in TEMPLATES]
    for start in range(0, runs, IN_BATCH):
        collected: Tables = defaultdict(list)
        ids = [f"{dice.integers(1 << 62):016x}{number:016x}" for number in range(start, start + IN_BATCH)]
        for number, run_id in zip(range(start, start + IN_BATCH), ids, strict=True):
            _collect(collected, templates[number % len(templates)], run_id, number, dice)
        write_batch(place, joined_rows(collected), dict.fromkeys(ids, VERSION))
        if start % 1000 == 0:
            print(f"{start:,} of {runs:,}", flush=True)


def _template(name: str) -> dict[str, pa.Table]:
    """The tables of a real run, with as many candidates as a run of the fleet shall have on average."""
    path = FIXTURES / name
    tables = {table: rows for (table, _), rows in _tables_of(open_run(path), {}).items()}
    candidates = tables["candidates"]
    times = -(-CANDIDATES // max(candidates.num_rows, 1))
    tables["candidates"] = pa.concat_tables([candidates] * times).slice(0, CANDIDATES).combine_chunks()
    keep = (
        "engines",
        "engine_layers",
        "candidates",
        "runners",
        "tried_runners",
        "messages",
        "options",
        "layers",
        "builds",
        "combinations",
    )
    return {table: tables[table] for table in keep if table in tables}


def _collect(
    collected: Tables, template: Mapping[str, pa.Table], run_id: str, number: int, dice: np.random.Generator
) -> None:
    series, place = number % SERIES, number // SERIES
    version = VERSIONS[place * len(VERSIONS) // (RUNS // SERIES)]
    machine = int(dice.integers(20))
    factor = (1.08 if machine == 7 else 1.0) * (1.05 if series % 10 == 0 and place >= 20 else 1.0)
    changed: dict[str, Any] = {
        "model": f"model-{series}.onnx", "gpu": f"NVIDIA GPU {series % 6}", "machine": f"machine-{machine}", "network": None,
        "when_s": 1.7e9 + place * DAY, "latency_ms": (0.5 + series / 100) * factor * float(np.exp(dice.normal(0, 0.02))),
        "latency_source": "median, trtexec", "tensorrt_version": version, "complete": True,
    }  # fmt: skip
    status = {"run_id": run_id, "source": f"ci/{number}.log", "status": "read", "reason": None, "bytes": 2_500_000,
              "added": "2026-01-01", "read_by": VERSION, "raw": None, "labels": None}  # fmt: skip
    engines = template["engines"]
    for column, value in changed.items():
        engines = _with(engines, column, pa.array([value] * engines.num_rows, engines.schema.field(column).type))
    tables = {**template, "engines": engines, "runs": FLEET_TABLES["runs"].of_rows([status]).drop_columns(["run_id"])}
    for name, rows in tables.items():
        collected[name, ".".join(version.split(".")[:2])].append((run_id, _with_noise(rows, factor, dice)))


def _with_noise(rows: pa.Table, factor: float, dice: np.random.Generator) -> pa.Table:
    for column in sorted({"time_ms", "tuner_ms"}.intersection(rows.column_names)):
        noise = factor * np.exp(dice.normal(0, 0.02, rows.num_rows))
        rows = _with(rows, column, of_numpy(to_numpy(rows[column]) * noise))
    return rows


def _with(rows: pa.Table, column: str, values: pa.Array) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(column), rows.schema.field(column), values)


def ask(folder: str) -> None:
    """Seconds and memory of each question, in a process of its own each, the command line's start included."""
    counts = (
        open_fleet(folder)
        .sql("SELECT (SELECT count(*) FROM runs) AS runs, (SELECT count(*) FROM candidates) AS candidates")
        .to_pylist()
    )
    print(counts[0])
    scan = "SELECT trt, precision, count(*) AS n, median(time_ms) AS ms FROM candidates GROUP BY ALL"
    for name in (*QUESTIONS, scan):
        words = ["ask", name] if name in QUESTIONS else ["sql", name]
        command = [sys.executable, "-m", "trtlens", "fleet", *words, folder, "--format", "json"]
        with timed(name[:48]), subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            rows = process.stdout.read().count(b"\n") if process.stdout else 0
            _, code, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(code)
        print(
            f"    {rows:,} rows, CPU {used.ru_utime + used.ru_stime:.2f} s, peak {used.ru_maxrss / 1024:.0f} MiB, exit {process.returncode}"
        )


@contextmanager
def timed(label: str) -> Iterator[list[float]]:
    """Print the wall seconds of a block; they are in the list when it ends."""
    seconds: list[float] = []
    begin = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - begin)
    print(f"{label:<48} {seconds[0]:7.2f} s", flush=True)


def command(*words: str) -> float:
    """Run trtlens fleet; its CPU seconds, children's included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "trtlens", "fleet", *words], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


# -- filling ----------------------------------------------------------------------------------------------------------


def one(folder: str) -> None:
    """Add one log to a fleet, and add it again."""
    with tempfile.TemporaryDirectory() as temporary:
        log = Path(temporary) / "one.log"
        log.write_text(trtexec_log(random.Random().randrange(10**6)))  # noqa: S311  another one each time
        for label in ("adding one log", "adding it again"):
            with timed(label):
                used = command("add", str(log), "--to", folder)
            print(f"    CPU {used:.2f} s")


def small(_: str, count: int = 2_000) -> None:
    """Add so many small logs, and add them again."""
    with tempfile.TemporaryDirectory() as temporary:
        logs = Path(temporary) / "logs"
        logs.mkdir()
        for number in range(count):
            (logs / f"{number}.log").write_text(trtexec_log(number))
        for label in (f"adding {count:,} small logs", "adding them again"):
            with timed(label):
                used = command("add", str(logs), "--to", f"{temporary}/fleet")
            print(f"    CPU {used:.1f} s, {1000 * used / count:.1f} ms a log")


def throughput(_: str, megabytes: int = 240) -> None:
    """Gigabytes an hour and core: large logs of real builds, all tables written, the logs kept."""
    with tempfile.TemporaryDirectory() as temporary:
        logs = Path(temporary) / "logs"
        logs.mkdir()
        for number in range(megabytes // 30):
            make_log(logs / f"{number}.log", 30)
            with (logs / f"{number}.log").open("a") as file:
                file.write(f"\n# {number}\n")
        size = sum(path.stat().st_size for path in logs.iterdir())
        for processes in ("1", "2"):
            with timed(f"adding {size / 1e6:.0f} MB, {processes} processes") as clock:
                used = command("add", str(logs), "--to", f"{temporary}/fleet-{processes}", "--processes", processes)
            print(
                f"    CPU {used:.1f} s: {size / used * 3600 / 1e9:.0f} GB/h a core; {size / clock[0] * 3600 / 1e9:.0f} GB/h in all"
            )


def schedule(_: str, workers: int = 64, seconds: float = 1.5) -> None:
    """What Dask's scheduler costs: tasks that sleep as long as a group of logs takes, on so many threads that stand for workers."""
    tasks = workers * 20
    with (
        LocalCluster(n_workers=workers // 16, threads_per_worker=16, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        client.gather(client.map(time.sleep, [0.01] * workers, pure=False))
        with timed(f"{tasks:,} tasks of {seconds} s on {workers} workers") as clock:
            client.gather(client.map(time.sleep, [seconds] * tasks, pure=False))
    print(f"    {tasks * seconds / workers / clock[0]:.3f} of linear")


def cluster(_: str, workers: int = 4, logs_of: int = 100) -> None:
    """A scheduler and so many workers on this host; one is killed in the middle, and nothing may be missing or there twice."""
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        logs, fleet, file = Path(temporary) / "logs", f"{temporary}/fleet", f"{temporary}/scheduler.json"
        logs.mkdir()
        for number in range(logs_of):
            make_log(logs / f"{number}.log", 3)
            with (logs / f"{number}.log").open("a") as log:
                log.write(f"\n# {number}\n")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": temporary}
        dask = [sys.executable, "-m", "dask"]
        stack.enter_context(
            _ended(subprocess.Popen([*dask, "scheduler", "--scheduler-file", file, "--no-dashboard"], **quiet))
        )
        while not Path(file).exists():
            time.sleep(0.1)
        worker = [*dask, "worker", "--scheduler-file", file, "--nthreads", "1", "--no-dashboard", "--no-nanny"]
        processes = [stack.enter_context(_ended(subprocess.Popen(worker, **quiet))) for _ in range(workers)]
        address = json.loads(Path(file).read_text())["address"]
        with Client(address) as client:
            client.wait_for_workers(workers)
        with timed(f"adding {logs_of} logs of 3 MB on {workers} workers, one killed"):
            adding = subprocess.Popen(
                [sys.executable, "-m", "trtlens", "fleet", "add", str(logs), "--to", fleet, "--scheduler", address]
            )
            while not list(Path(fleet).glob("batches/*.json")):
                time.sleep(0.05)
            processes[0].kill()
            if adding.wait():
                raise SystemExit("adding failed")
        opened = open_fleet(fleet)
        counts = opened.sql("SELECT count(*) AS n, count(DISTINCT run_id) AS runs FROM runs").to_pylist()[0]
        print(
            f"    {counts['n']} rows of {counts['runs']} runs in {len(opened.manifest.batches)} batches; {len(opened.manifest.superseded)} superseded"
        )
        if counts != {"n": logs_of, "runs": logs_of}:
            raise SystemExit("runs are missing, or there twice")


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.kill()
        process.wait()


# -- correctness ------------------------------------------------------------------------------------------------------


def planted(_: str, series: int = 1_000, length: int = 40) -> None:
    """Steps of 5 % in 2 % noise: how many are found, and how many are in as many series without one."""
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(3):
            dice = np.random.default_rng(seed)
            places = dice.integers(10, length - 9, series)
            values = np.exp(dice.normal(0, 0.02, (2 * series, length)))
            values[:series] *= np.where(np.arange(length) >= places[:, None], 1.05, 1.0)
            fleet = f"{folder}/{seed}"
            _write_series(fleet, values)
            with timed(f"{2 * series:,} series of {length} runs"):
                found = open_fleet(fleet).ask("regressions").to_pylist()
            hits = {int(row["model"]) for row in found if int(row["model"]) < series}
            near = {
                int(row["model"]) for row in found
                if int(row["model"]) < series and abs(row["runs_before"] - places[int(row["model"])]) <= 2
            }  # fmt: skip
            false = {row["model"] for row in found} - {str(number) for number in hits}
            print(
                f"    seed {seed}: {len(hits)} of {series:,} found, {len(near)} of them within 2 runs; {len(false)} false in {series:,}"
            )


def _write_series(folder: str, values: np.ndarray) -> None:
    """A fleet of engines alone, a series a row."""
    place = Place(folder)
    check_fleet(place, create=True)
    rows, length = values.shape
    blank = dict.fromkeys(column.name for column in FLEET_TABLES["engines"].columns)
    ids = [f"{number:032x}" for number in range(rows * length)]
    engines = [
        {**blank, "build": 1, "model": str(number // length), "gpu": "G", "when_s": float(number % length), "latency_ms": value,
         "latency_source": "median, trtexec"}
        for number, value in enumerate(values.ravel().tolist())
    ]  # fmt: skip
    table = FLEET_TABLES["engines"].of_rows(engines).drop_columns(["run_id"])
    collected: Tables = {("engines", "10.3"): [(run_id, table.slice(place, 1)) for place, run_id in enumerate(ids)]}
    write_batch(place, joined_rows(collected), dict.fromkeys(ids, VERSION))


def kills(_: str, times: int = 200) -> None:
    """SIGKILL writers at random moments; now and then the fleet has to open, and count each run once. Then two write at once."""
    dice = random.Random(5)  # noqa: S311  no secrets
    with tempfile.TemporaryDirectory() as temporary:
        logs, place = Path(temporary) / "logs", Place(f"{temporary}/fleet")
        logs.mkdir()
        killed = 0
        for number in range(times):
            for part in range(4):
                (logs / f"{number}-{part}.log").write_text(trtexec_log(4 * number + part))
            writer = os.fork()
            if not writer:
                _add_and_exit(place, [str(path) for path in logs.glob(f"{number}-*.log")])
            time.sleep(dice.uniform(0.02, 1.2))
            os.kill(writer, signal.SIGKILL)
            status = os.waitpid(writer, 0)[1]
            if status not in {0, signal.SIGKILL}:
                raise SystemExit("a writer failed")
            killed += status == signal.SIGKILL
            if number % _WRITERS_A_CHECK == _WRITERS_A_CHECK - 1:
                _check_apart(place.root)
        writers = [
            subprocess.Popen([sys.executable, "-m", "trtlens", "fleet", "add", str(logs), "--to", place.root])
            for _ in range(2)
        ]
        if any(writer.wait() for writer in writers):
            raise SystemExit("a writer failed")
        _check_apart(place.root)
        print(
            f"{killed} of {times} writers killed, the others had finished; every check, one after each {_WRITERS_A_CHECK} writers, passed; "
            "two writers at once added the rest"
        )


def _check_apart(folder: str) -> None:
    """Check in a process of its own: Arrow and DuckDB start threads, which a forked writer would lack."""
    subprocess.run([sys.executable, __file__, "check", folder], check=True)


def _add_and_exit(place: Place, paths: Sequence[str]) -> None:
    status = 1
    try:
        fill(place, find_sources(paths), Adding(), Workers(processes=1), lambda _: None)
        status = 0
    finally:
        os._exit(status)


def _check(folder: str) -> None:
    """Every batch that is named is whole, and no run counts twice."""
    if not (Path(folder) / "fleet.json").exists():
        return
    fleet = open_fleet(folder)
    print(f"    {len(fleet.manifest.runs)} runs")
    for table in ("runs", "candidates", "engines"):
        counted = {
            row["run_id"]: row["n"]
            for row in fleet.sql(f"FROM {table} SELECT run_id, count(*) AS n GROUP BY run_id").to_pylist()
        }
        if counted != dict.fromkeys(fleet.manifest.runs, 4 if table == "candidates" else 1):
            raise SystemExit(f"{table} does not hold each run once")


MEASURES: dict[str, Callable[[str], None]] = {
    "ask": ask, "one": one, "small": small, "fill": throughput, "schedule": schedule, "cluster": cluster, "planted": planted, "kills": kills, "check": _check,
}  # fmt: skip


def main() -> None:
    """Make a fleet, or measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["make", *MEASURES])
    parser.add_argument("folder", nargs="?", default="")
    parser.add_argument("--runs", type=int, default=RUNS)
    given = parser.parse_args()
    if given.what == "make":
        shutil.rmtree(given.folder, ignore_errors=True)
        with timed(f"making {given.runs:,} runs"):
            make(given.folder, given.runs)
    else:
        MEASURES[given.what](given.folder)


if __name__ == "__main__":
    main()

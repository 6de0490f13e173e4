"""Who reads what `fuzz` damages: the seeds, the kind of damage, and the commands that users run on such files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import fuzz_seeds
import mutations
import numpy as np
from fuzz_seeds import SMALL_LOG, json_seeds, run_command

from trtlens.accuracy.npy import load_arrays
from trtlens.capture.build_options import BuildOptions
from trtlens.capture.models.calibration import CalibrationCache, InputSpec, load_calibration_data
from trtlens.capture.models.convert import convert_model
from trtlens.capture.recorder import create_recorder
from trtlens.charts import CHARTS
from trtlens.comparison.gate import read_check
from trtlens.runs.ingest import read_document
from trtlens.tables.declarations import TABLES
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from random import Random


@dataclass(frozen=True, slots=True)
class Reader:
    """One kind of input: its seeds, how one is damaged, how it is read, and its share of all inputs."""

    name: str
    suffix: str
    share: int
    seeds: Callable[[], list[bytes]]
    change: Callable[[Random, bytes, Sequence[bytes]], bytes]
    read: Callable[[bytes, Path, Random], None]


def _ask(paths: Sequence[Path], random: Random, place: Path) -> None:
    """One of the commands that read a run, given its files."""
    form = random.choice(("json", "csv", "table", "parquet"))
    joined = ",".join(map(str, paths))
    charts = [view for chart in CHARTS.values() for view in chart.views]
    commands: tuple[tuple[object, ...], ...] = (
        ("parse", *paths), ("parse", *paths, "-o", place / "kept"), ("findings", *paths, "--format", form),
        ("why", "--all", *paths), ("why", "*", *paths, "--format", form), ("overflow", paths[0]),
        ("compare", joined, SMALL_LOG, "--format", "json"), ("compare", SMALL_LOG, joined, "--format", "markdown"),
        ("compare", joined, joined, "--fail-on", "latency > +3%"), ("export", joined, "-o", place / "trace.json"),
        ("show", random.choice(charts), *paths, "--chart", place / "chart.html"),
    )  # fmt: skip
    lot = random.random()
    if lot < 0.01:  # it takes as long as a hundred of the others
        run_command("report", joined, "-o", place / "report.html")
    elif lot < 0.4:
        run_command(*random.choice(commands))
    else:
        run_command("show", random.choice((*VIEWS, *TABLES)), *paths, "--format", form)


def _everything(paths: Sequence[Path]) -> None:
    for view in VIEWS:
        run_command("show", view, *paths, "--format", "json")
    run_command("parse", *paths)


def read_run_file(suffix: str, *companions: str) -> Callable[[bytes, Path, Random], None]:
    """Reads a file of a run, alone or with files of one engine: most inputs are only read, few are asked everything."""

    def read(data: bytes, place: Path, random: Random) -> None:
        paths = [place / f"input{suffix}"]
        paths[0].write_bytes(data)
        if random.random() < 0.6:
            read_document(str(paths[0]))
            return
        for number, name in enumerate(companions if random.random() < 0.7 else ()):
            paths.append(place / f"companion{number}.json")
            paths[-1].write_bytes(fuzz_seeds.companion(name))
        lot = random.random()
        if lot < 0.5:
            run_command("parse", *paths)
        elif lot < 0.99:
            _ask(paths, random, place)
        else:
            _everything(paths)

    return read


def read_capture(suffix: str) -> Callable[[bytes, Path, Random], None]:
    """Reads what a profiler of kernels writes, mostly beside the layers of its engine: tables, views, findings, exports."""

    def read(data: bytes, place: Path, random: Random) -> None:
        path = place / f"input{suffix}"
        path.write_bytes(data)
        paths = [path]
        if random.random() < 0.8:
            paths.append(place / "layers.json")
            paths[-1].write_bytes(random.choice(fuzz_seeds.made_engines()))
        if random.random() < 0.3:
            run_command(
                "export", ",".join(map(str, paths)), "-o", place / "trace.json", "--inferences", random.choice((1, 10))
            )
        elif random.random() < 0.5:
            names = (
                "kernels_run",
                "kernels",
                "inference",
                "layers",
                "findings",
                "kernel_launches",
                "kernel_samples",
                "kernel_counters",
            )
            run_command("show", random.choice(names), *paths, "--format", random.choice(("json", "csv", "table")))
        else:
            _ask(paths, random, place)

    return read


def read_run_json(data: bytes, place: Path, random: Random) -> None:
    """A run folder with a whole log and this `run.json`."""
    (place / "run.json").write_bytes(data)
    (place / "verbose.log").write_bytes(SMALL_LOG.read_bytes())
    _ask([place], random, place)


def read_table(data: bytes, place: Path, random: Random) -> None:
    """A kept run of which one table is this one."""
    (place / "run").mkdir()
    (place / "run" / "tables").mkdir()
    name, _, content = data.partition(b"\0")
    for seed in fuzz_seeds.table_seeds():
        other, _, whole = seed.partition(b"\0")
        (place / "run" / "tables" / other.decode()).write_bytes(content if other == name else whole)
    (place / "run" / "verbose.log").write_bytes(SMALL_LOG.read_bytes())
    (place / "run" / "run.json").write_bytes(fuzz_seeds.kept_run()[1])
    table = name.decode(errors="replace").removesuffix(".parquet")
    if table in TABLES and random.random() < 0.5:
        run_command("show", table, place / "run", "--format", "json")
    else:
        _ask([place / "run"], random, place)


def change_named_table(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A Parquet file, damaged, behind its name."""
    name, _, content = data.partition(b"\0")
    return name + b"\0" + mutations.change_table(random, content, [other.partition(b"\0")[2] for other in others])


def read_arrays(data: bytes, place: Path, random: Random) -> None:
    """An array or archive as a dump, as inputs and as calibration data."""
    path = place / ("input.npz" if data.startswith(b"PK") else "input.npy")
    path.write_bytes(data)
    lot = random.random()
    if lot < 0.3:
        load_arrays(path)
    elif lot < 0.5:
        load_calibration_data(path).batches([InputSpec("x0", (2, 4), np.dtype("float32"))])
    else:
        run_command("accuracy", path, path, "--format", "json", *random.choice(((), ("--classic", "1"), ("--all",))))


def read_dump(data: bytes, place: Path, random: Random) -> None:
    """The index of a dump, beside the arrays that it may name, or Polygraphy's results."""
    name = (
        "dump.json"
        if b"trtlens_dump" in data[:99]
        else "tensor_summary.json"
        if b"metadata" in data[:99]
        else "input.json"
    )
    (place / name).write_bytes(data)
    for file, content in (("x.npy", fuzz_seeds.array_seeds()[0]), ("x.raw", bytes(24)), ("x.str", b"[0.5 nan]")):
        (place / file).write_bytes(content)
    given = place if name != "input.json" else place / name
    run_command("accuracy", given, given, "--format", random.choice(("json", "table")))


def read_model(data: bytes, place: Path, random: Random) -> None:
    """A model that is listed, converted, run, or emulated."""
    path = place / "model.onnx"
    path.write_bytes(data)
    lot, out = random.random(), place / "out"
    if lot < 0.3:
        run_command("dump", path, "--list", "--format", "json")
    elif lot < 0.6:
        convert_model(path, BuildOptions(fp16=lot < 0.45, bf16=lot >= 0.45), create_recorder(out, {}))
    elif lot < 0.95:
        run_command("dump", path, "--reference", "-o", out)
    else:
        run_command("dump", path, "--emulate", random.choice(("fp16", "bf16", "int8")), "-o", out)


def read_cache(data: bytes, place: Path, random: Random) -> None:
    """A calibration cache, or what stands beside one."""
    cache = CalibrationCache(place / "a.cache")
    damaged = cache.origin_path if random.random() < 0.5 else cache.path
    cache.path.write_bytes(fuzz_seeds.cache_seeds()[1])
    damaged.write_bytes(data)
    if not cache.doubt({"model": "b", "data": None, "method": "entropy"}):
        raise AssertionError("a damaged origin was taken for one of another model")
    cache.check(written=True)


def read_condition(data: bytes, _place: Path, random: Random) -> None:
    """A condition of the gate."""
    text = data.decode("utf-8", "surrogateescape")
    if random.random() < 0.95:
        read_check(text)
    else:
        run_command("compare", SMALL_LOG, SMALL_LOG, f"--fail-on={text}")


READERS = (
    Reader("log", ".log", 70, fuzz_seeds.log_seeds, mutations.change_bytes, read_run_file(".log")),
    Reader("inspector", ".json", 25, json_seeds("*/*/layers.json", "h200/*/layers.json.xz"), mutations.change_json, read_run_file(".json", "layer-times", "times", "gpu-state")),
    Reader("times", ".json", 25, json_seeds("h200/*/times.json.xz", "h200/*/latency-times.json.xz", "h200/*/layer-times.json.xz", "h200/*/gpu-state.json.xz", "*/*/layer-times.json"), mutations.change_json, read_run_file(".json", "layers")),
    Reader("kept", ".json", 10, json_seeds("h200-dumps/*/dump.json", "h200/*/accuracy.json.xz"), mutations.change_json, read_run_file(".json", "layers")),
    Reader("run.json", ".json", 10, json_seeds("h200/*/run.json", "resnet50-h200/*/run.json"), mutations.change_json, read_run_json),
    Reader("parquet", ".parquet", 10, fuzz_seeds.table_seeds, change_named_table, read_table),
    Reader("arrays", ".npz", 20, fuzz_seeds.array_seeds, mutations.change_npz, read_arrays),
    Reader("dumps", ".json", 10, json_seeds("dumps/polygraphy.json", "dumps/exported-*.json", "dumps/*/tensor_summary.json"), mutations.change_json, read_dump),
    Reader("onnx", ".onnx", 10, fuzz_seeds.model_seeds, mutations.change_model, read_model),
    Reader("traces", ".jsonl", 15, fuzz_seeds.trace_seeds, mutations.change_bytes, read_capture(".jsonl")),
    Reader("torch", ".json", 10, fuzz_seeds.torch_seeds, mutations.change_json, read_capture(".json")),
    Reader("reports", ".csv", 15, fuzz_seeds.report_seeds, mutations.change_bytes, read_capture(".csv")),
    Reader("databases", ".sqlite", 10, fuzz_seeds.database_seeds, mutations.change_bytes, read_capture(".sqlite")),
    Reader("cache", ".cache", 5, fuzz_seeds.cache_seeds, mutations.change_json, read_cache),
    Reader("gate", ".txt", 5, fuzz_seeds.check_seeds, mutations.change_bytes, read_condition),
)  # fmt: skip

"""What `fuzz` damages and who reads it: seeds from the fixtures, cut down, and the commands that users run on them."""

from __future__ import annotations

import io
import json
import lzma
import re
import tempfile
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mutations
import numpy as np
import onnx
import typer

from trtlens.accuracy.npy import load_arrays
from trtlens.capture.calibration import CalibrationCache, InputSpec, load_calibration_data
from trtlens.capture.convert import convert_model
from trtlens.capture.options import BuildOptions
from trtlens.capture.recorder import create_recorder
from trtlens.charts import CHARTS
from trtlens.cli import app
from trtlens.comparison.gate import read_check
from trtlens.ingest import read_document
from trtlens.tables import TABLES
from trtlens.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from mutations import Sequence

FIXTURES = Path(__file__).parents[1] / "fixtures"
_SMALL_LOG = FIXTURES / "small-build" / "verbose.log"
_MOST_LINES = 120
_SHAPE = re.compile(rb"0x[0-9a-f]+|\d+")
_COMMAND = typer.main.get_command(app)


@dataclass(frozen=True, slots=True)
class Reader:
    """One kind of input: its seeds, how one is damaged, how it is read, and its share of all inputs."""

    name: str
    suffix: str
    share: int
    seeds: Callable[[], list[bytes]]
    change: Callable[[Random, bytes, Sequence[bytes]], bytes]
    read: Callable[[bytes, Path, Random], None]


def _run(*arguments: object) -> None:
    """A command as a user types it, in this process."""
    _COMMAND.main([str(argument) for argument in arguments], "trtlens", standalone_mode=False)


# -- seeds -----------------------------------------------------------------------------------------------------------


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


@cache
def log_seeds() -> list[bytes]:
    """The first lines of each shape of every log, and the smallest logs as they are."""
    paths = [path for pattern in ("**/verbose.log", "**/verbose.log.xz") for path in sorted(FIXTURES.glob(pattern))]
    return [_few_of_each(_content(path)) for path in paths]


def _few_of_each(log: bytes) -> bytes:
    lines, seen = log.split(b"\n"), dict[bytes, int]()
    kept = []
    for line in lines if len(lines) > _MOST_LINES else []:
        shape = _SHAPE.sub(b"0", line)[:60]
        seen[shape] = seen.get(shape, 0) + 1
        if seen[shape] <= 2 and len(line) < 2000:
            kept.append(line)
    head, tail = kept[: _MOST_LINES // 2], kept[-_MOST_LINES // 2 :]
    return b"\n".join(head + tail if kept else lines) + b"\n"


def json_seeds(*patterns: str) -> Callable[[], list[bytes]]:
    """Documents whose lists are cut to three entries."""

    @cache
    def seeds() -> list[bytes]:
        contents = [_content(path) for pattern in patterns for path in sorted(FIXTURES.glob(pattern))[:6]]
        return [json.dumps(_cut(json.loads(text, strict=False))).encode() for text in contents] + _EXTRA.get(
            patterns[0], []
        )

    return seeds


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _cut(inner) for name, inner in value.items()}
    return [_cut(inner) for inner in value[:3]] if isinstance(value, list) else value


_PROFILE = b"""[
  { "count" : 50 }
, { "name" : "a "b" \\ {x}", "timeMs" : 1.5, "averageMs" : 0.03, "medianMs" : 0.0299, "percentage" : 75 }
, { "name" : "conv1", "timeMs" : 0.5, "averageMs" : nan, "medianMs" : 0.01, "percentage" : 25 }
]
"""
_TIMES = b"""[
  { "startEnqMs" : 1, "endEnqMs" : 1.25, "startH2dMs" : 1, "endH2dMs" : 1.5, "startComputeMs" : 1.5, "endComputeMs" : 2
, "startD2hMs" : 2, "endD2hMs" : 2.5, "h2dMs" : 0.5, "computeMs" : 0.5, "d2hMs" : 0.5, "latencyMs" : 1.5 }
, { "startEnqMs" : nan, "computeMs" : 0.75, "latencyMs" : -nan, "endToEndMs" : inf }
]
"""
_RANGES = dict.fromkeys(("minimum", "maximum", "largest", "smallest", "mean", "rms"), 1.0) | dict.fromkeys(
    ("zeros", "nan", "inf", "beyond", "subnormal", "flushed"), 1
)
_INDEX = {
    "trtlens_dump": 1, "source": "tensorrt", "label": "TensorRT in fp16", "precision": "fp16", "inputs_sha256": "0",
    "tensors": [
        {"name": name, "role": role, "dtype": "fp32", "shape": [3, 4], "file": "x.npy", "producer": op, "op": op, "ranges": _RANGES}
        for name, role, op in (("a", "input", None), ("b", "inner", "Conv"), ("c", "output", "LayerNormalization"), ("w", "weight", None))
    ],
    "nodes": [{"name": "Conv", "op": "Conv", "inputs": ["a", "w"], "outputs": ["b"]}],
}  # fmt: skip
_SUMMARY = {
    "metadata": {"title": "Tensor Summary Report"},
    "tensors": [
        {"name": "a", "shape": [3, 4], "type": "FLOAT", "files": {"numpy": "x.npy"}},
        {"name": "b", "shape": [3, 4], "type": "BF16", "files": {"raw": "x.raw"}},
        {"name": "c", "shape": [2], "type": "FLOAT", "files": {"string": "x.str"}},
    ],
}
_EXTRA = {
    "h200/*/times.json.xz": [_PROFILE, _PROFILE.replace(b'a "b" \\ {x}', b"a").replace(b"nan", b"1"), _TIMES],
    "dumps/polygraphy.json": [json.dumps(_INDEX).encode(), json.dumps(_SUMMARY).encode()],
    "h200-dumps/*/dump.json": [json.dumps(_INDEX).encode()],
    "*/*/layers.json": [(FIXTURES / "inspector-rtx-1.7-small-cnn" / "odd-names.txt").read_bytes()[:4000]],
}


@cache
def array_seeds() -> list[bytes]:
    """Arrays of several types and orders, alone and in archives of every method of compression."""
    arrays: list[Any] = [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.array(3),
        np.zeros(5, np.int64),
        np.ones(2, np.float16),
    ]
    alone = [_npy(array) for array in (*arrays, np.asfortranarray(arrays[0]), np.array(["a"]), np.zeros(2, "V2"))]
    packed = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method) as archive:
            for number, data in enumerate(alone):
                archive.writestr(f"x{number}.npy", data)
        packed.append(stream.getvalue())
    text = [path.read_bytes()[:3000] for path in sorted((FIXTURES / "dumps" / "text-run").iterdir())]
    return [*alone, *packed, *text, (FIXTURES / "dumps" / "exported-run.json").read_bytes()]


def _npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array)
    return stream.getvalue()


@cache
def model_seeds() -> list[bytes]:
    """The fixtures' models, with weights cut out of the largest ones and one that names an external file."""
    models = [onnx.load(path) for path in sorted((FIXTURES / "models").glob("*.onnx"))]
    outside = onnx.load(FIXTURES / "models" / "overflowing_rms_norm.onnx")
    tensor = outside.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "weights.bin"), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    return [model.SerializeToString() for model in (*models, outside)]


@cache
def _kept_run() -> tuple[list[bytes], bytes]:
    """The Parquet files of a kept run, each behind its name, and its `run.json`."""
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        _run("parse", _SMALL_LOG, "-o", Path(folder, "run"))
        tables = sorted(Path(folder, "run", "tables").iterdir())
        return [path.name.encode() + b"\0" + path.read_bytes() for path in tables], Path(
            folder, "run", "run.json"
        ).read_bytes()


def table_seeds() -> list[bytes]:
    """Parquet files, each behind its name."""
    return _kept_run()[0]


def _checks() -> list[bytes]:
    return [b"latency > +3%", b"reformats > +2", b"fp32_time_share > 10%", b"build_time >= 20 min", b"weights == 3 MiB"]


# -- readers ---------------------------------------------------------------------------------------------------------


def _ask(path: Path, random: Random, place: Path) -> None:
    """One of the commands that read a run."""
    form = random.choice(("json", "csv", "table", "parquet"))
    view = random.choice((*VIEWS, *TABLES))
    charts = [view for chart in CHARTS.values() for view in chart.views]
    commands: tuple[tuple[object, ...], ...] = (
        ("parse", path), ("parse", path, "-o", place / "kept"), ("findings", path, "--format", form), ("why", "--all", path),
        ("why", "*", path, "--format", form), ("export", path, "-o", place / "trace.json"), ("overflow", path),
        ("compare", path, _SMALL_LOG, "--format", "json"), ("compare", _SMALL_LOG, path, "--format", "markdown"),
        ("show", random.choice(charts), path, "--chart", place / "chart.html"), ("report", path, "-o", place / "report.html"),
    )  # fmt: skip
    _run(*(random.choice(commands) if random.random() < 0.4 else ("show", view, path, "--format", form)))


def _everything(path: Path) -> None:
    for view in VIEWS:
        _run("show", view, path, "--format", "json")
    _run("parse", path)


def read_run_file(suffix: str) -> Callable[[bytes, Path, Random], None]:
    """Reads a file of a run: most inputs alone, some joined to a log, some asked one thing, few asked everything."""

    def read(data: bytes, place: Path, random: Random) -> None:
        path = place / f"input{suffix}"
        path.write_bytes(data)
        lot = random.random()
        if lot < 0.5:
            read_document(str(path))
        elif lot < 0.8:
            _run("parse", path)
        elif lot < 0.85 and suffix == ".json":
            _run("show", random.choice(("layers", "slowest", "latency")), _SMALL_LOG, path)
        elif lot < 0.995:
            _ask(path, random, place)
        else:
            _everything(path)

    return read


def read_run_json(data: bytes, place: Path, random: Random) -> None:
    """A run folder with a whole log and this `run.json`."""
    (place / "run.json").write_bytes(data)
    (place / "verbose.log").write_bytes(_SMALL_LOG.read_bytes())
    _ask(place, random, place)


def read_table(data: bytes, place: Path, random: Random) -> None:
    """A kept run of which one table is this one."""
    (place / "run").mkdir()
    (place / "run" / "tables").mkdir()
    name, _, content = data.partition(b"\0")
    for seed in table_seeds():
        other, _, whole = seed.partition(b"\0")
        (place / "run" / "tables" / other.decode()).write_bytes(content if other == name else whole)
    (place / "run" / "verbose.log").write_bytes(_SMALL_LOG.read_bytes())
    (place / "run" / "run.json").write_bytes(_kept_run()[1])
    table = name.decode(errors="replace").removesuffix(".parquet")
    if table in TABLES and random.random() < 0.5:
        _run("show", table, place / "run", "--format", "json")
    else:
        _ask(place / "run", random, place)


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
        _run("accuracy", path, path, "--format", "json", *random.choice(((), ("--classic", "1"), ("--all",))))


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
    for file, content in (("x.npy", array_seeds()[0]), ("x.raw", bytes(24)), ("x.str", b"[0.5 nan]")):
        (place / file).write_bytes(content)
    given = place if name != "input.json" else place / name
    _run("accuracy", given, given, "--format", random.choice(("json", "table")))


def read_model(data: bytes, place: Path, random: Random) -> None:
    """A model that is listed, converted, run, or emulated."""
    path = place / "model.onnx"
    path.write_bytes(data)
    lot, out = random.random(), place / "out"
    if lot < 0.3:
        _run("dump", path, "--list", "--format", "json")
    elif lot < 0.6:
        convert_model(path, BuildOptions(fp16=lot < 0.45, bf16=lot >= 0.45), create_recorder(out, {}))
    elif lot < 0.95:
        _run("dump", path, "--reference", "-o", out)
    else:
        _run("dump", path, "--emulate", random.choice(("fp16", "bf16", "int8")), "-o", out)


def read_cache(data: bytes, place: Path, _random: Random) -> None:
    """What stands beside a calibration cache."""
    cache = CalibrationCache(place / "a.cache")
    cache.path.write_bytes(data)
    cache.origin_path.write_bytes(data)
    if not cache.doubt({"model": "b", "data": None, "method": "entropy"}):
        raise AssertionError("a damaged origin was taken for one of another model")
    cache.read()


def read_condition(data: bytes, _place: Path, _random: Random) -> None:
    """A condition of the gate."""
    read_check(data.decode("utf-8", "surrogateescape"))


READERS = (
    Reader("log", ".log", 70, log_seeds, mutations.change_bytes, read_run_file(".log")),
    Reader("inspector", ".json", 25, json_seeds("*/*/layers.json", "h200/*/layers.json.xz"), mutations.change_json, read_run_file(".json")),
    Reader("times", ".json", 25, json_seeds("h200/*/times.json.xz", "h200/*/latency-times.json.xz", "h200/*/layer-times.json.xz", "h200/*/gpu-state.json.xz", "*/*/layer-times.json"), mutations.change_json, read_run_file(".json")),
    Reader("kept", ".json", 10, json_seeds("h200-dumps/*/dump.json", "h200/*/accuracy.json.xz"), mutations.change_json, read_run_file(".json")),
    Reader("run.json", ".json", 10, json_seeds("h200/*/run.json", "resnet50-h200/*/run.json"), mutations.change_json, read_run_json),
    Reader("parquet", ".parquet", 10, table_seeds, change_named_table, read_table),
    Reader("arrays", ".npz", 20, array_seeds, mutations.change_npz, read_arrays),
    Reader("dumps", ".json", 10, json_seeds("dumps/polygraphy.json", "dumps/exported-*.json", "dumps/*/tensor_summary.json"), mutations.change_json, read_dump),
    Reader("onnx", ".onnx", 10, model_seeds, mutations.change_model, read_model),
    Reader("cache", ".cache", 5, lambda: [b'{"model": "a", "data": null, "method": "entropy"}', b"TRT-8601-EntropyCalibration2\ninput: 3c010a14\n"], mutations.change_json, read_cache),
    Reader("gate", ".txt", 5, _checks, mutations.change_bytes, read_condition),
)  # fmt: skip

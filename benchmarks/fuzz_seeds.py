"""Inputs that are whole, small and of every form: the fixtures, cut down, and a few of their own."""

from __future__ import annotations

import io
import json
import lzma
import re
import sys
import tempfile
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import typer

from trtlens.cli import app

sys.path.append(str(Path(__file__).parents[1]))

from tests.doubles.made_captures import KERNELS, LAYERS, RANGES, database, report, trace_events, trace_text

if TYPE_CHECKING:
    from collections.abc import Callable

FIXTURES = Path(__file__).parents[1] / "fixtures"
SMALL_LOG = FIXTURES / "small-build" / "verbose.log"
_MOST_LINES = 80
_SHAPE = re.compile(rb"0x[0-9a-f]+|\d+")
_COMMAND = typer.main.get_command(app)


def run_command(*arguments: object) -> None:
    """A command as a user types it, in this process."""
    _COMMAND.main([str(argument) for argument in arguments], "trtlens", standalone_mode=False)


@cache
def companion(name: str) -> bytes:
    """A document of one captured engine, cut as the seeds are."""
    return json.dumps(_cut(json.loads(_content(FIXTURES / "h200" / "encoder-fp16" / f"{name}.json.xz")))).encode()


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
def kept_run() -> tuple[list[bytes], bytes]:
    """The Parquet files of a kept run, each behind its name, and its `run.json`."""
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        run_command("parse", SMALL_LOG, "-o", Path(folder, "run"))
        tables = sorted(Path(folder, "run", "tables").iterdir())
        return [path.name.encode() + b"\0" + path.read_bytes() for path in tables], Path(
            folder, "run", "run.json"
        ).read_bytes()


def table_seeds() -> list[bytes]:
    """Parquet files, each behind its name."""
    return kept_run()[0]


@cache
def trace_seeds() -> list[bytes]:
    """Traces in the form that trtlens writes: one made by hand, and one of the engine of `made_engines`, from a stream and from a graph."""
    whole = (FIXTURES / "traces" / "myelin-region" / "kernels-graph.jsonl").read_bytes()
    launches = [
        {"kernel": kernel, "range": name, "stream": 7, "grid": [8, 2, 1]}
        for kernel, name in zip(KERNELS, RANGES, strict=True)
    ]
    times = [{"start_ns": [9 * n for n in range(4)], "duration_ns": [8, 7, 6, 5]} for _ in range(3)]
    made = []
    for source in ("stream", "graph"):
        rows = [{"format": 1, "kernel_trace": source, "kinds": ["kernel"]}, *launches, *times]
        made.append("".join(json.dumps(row) + "\n" for row in rows).encode())
    return [whole, *made]


def torch_seeds() -> list[bytes]:
    """Traces of Torch, from a stream and from a graph."""
    return [trace_text(trace_events(graph=graph)).encode() for graph in (False, True)]


def report_seeds() -> list[bytes]:
    """Reports of nsys, of launches and of sums, and files of ncu."""
    sums = b"Time (%),Total Time (ns),Instances,Name\n99.0,100,2,k\n"
    counters = (FIXTURES / "traces" / "counters" / "counters.csv").read_bytes()
    details = (
        b'"ID","Process ID","Kernel Name","Stream","Metric Name","Metric Unit","Metric Value"\n'
        b'"0","1","sm80_x","7","sm__inst_executed_pipe_tensor.sum","inst","1,024"\n"1","1","k","7","dram__bytes.sum","Mbyte","1.5"\n'
    )
    return [*(report(graph=graph).encode() for graph in (False, True)), sums, counters, details]


@cache
def database_seeds() -> list[bytes]:
    """Exports of Nsight Systems."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [database(Path(folder, f"{graph}.sqlite"), graph=graph) for graph in (False, True)]
        return [path.read_bytes() for path in paths]


@cache
def made_engines() -> list[bytes]:
    """The inspector's files of the engines that these captures are of."""
    return [json.dumps(LAYERS).encode(), (FIXTURES / "traces" / "counters" / "layers.json").read_bytes()]


def check_seeds() -> list[bytes]:
    """Conditions of the gate."""
    return [b"latency > +3%", b"reformats > +2", b"fp32_time_share > 10%", b"build_time >= 20 min", b"weights == 3 MiB"]


def cache_seeds() -> list[bytes]:
    """What says where a calibration cache is from, and a cache."""
    return [b'{"model": "a", "data": null, "method": "entropy"}', b"TRT-8601-EntropyCalibration2\ninput: 3c010a14\n"]

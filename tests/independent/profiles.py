"""Facts of a captured run from its raw JSON files alone: time by precision, unit and reformat class, percentiles of samples.

It shares no code with trtlens and none with its parsers. The rules about kernel names are those of the few kernels that
TensorRT 8.6 picked in these runs, not of all that there are.
"""

from __future__ import annotations

import json
import lzma
import re
import struct
from collections import Counter, defaultdict
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_IDLE = {"Constant", "NoOp", "Shuffle"}
_MOVING = {"Reformat", "MyelinReformat"}
_PRECISIONS = (
    (r"_tf32f32_", "tf32"),
    (r"_i8(i8|f32|f16)_|IMMA", "int8"),
    (r"FP(16|32)FP32", "fp32"),
    (r"_f16f16_|HMMA_FP16", "fp16"),
    (r"_f32f32_|FP32NCHW", "fp32"),
)
_UNITS = (
    (r"tensor16x|tensor1688|warpgroupsize|smallk_i8i8", "tensor core"),
    (r"ffma|_wngd_f32|sm50_xmma_(pooling|cublas)", "cuda core"),
)


def read(path: Path) -> Any:
    """A packed JSON file; names in it may hold control characters."""
    return json.loads(lzma.decompress(path.read_bytes()).decode(), strict=False)


def layers(folder: Path) -> list[dict[str, Any]]:
    """The inspector's rows, each with the median of its times [ms]; of a traced run those of its kernels, 0 without a kernel."""
    rows: list[dict[str, Any]] = read(folder / "layers.json.xz")["Layers"]
    if (folder / "kernels-stream.jsonl.xz").exists():
        traced = _kernel_times(folder, rows)
        return [{**row, "ms": traced.get(row["Name"], 0.0)} for row in rows]
    kept = read(folder / "layer-times.json.xz")
    if "times_ms" in kept:
        times = list(zip(*kept["times_ms"], strict=True))
        medians = {name: median(column) for name, column in zip(kept["layers"], times, strict=True)}
    else:
        medians = {name: median(column) for name, column in kept.items()}
    return [{**row, "ms": medians[row["Name"]]} for row in rows]


def _kernel_times(folder: Path, rows: list[dict[str, Any]]) -> dict[str, float]:
    """Median over inferences of what each layer's kernels take, in the graph where there is one; Myelin's reformats run one kernel each, in order."""
    launches, _ = _trace(folder / "kernels-stream.jsonl.xz")
    graph = folder / "kernels-graph.jsonl.xz"
    kernels, inferences = _trace(graph if graph.exists() else folder / "kernels-stream.jsonl.xz")
    assert [row["kernel"] for row in launches] == [row["kernel"] for row in kernels]
    myelin = iter([row["Name"] for row in rows if row["LayerType"] == "MyelinReformat"])
    names = [next(myelin) if row["range"].startswith("myelin") else row["range"] for row in launches]
    sums: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        before = sums.get(name, [0] * len(inferences))
        sums[name] = [sum(pair) for pair in zip(before, (one[place] for one in inferences), strict=True)]
    return {name: median(values) / 1e6 for name, values in sums.items()}


def _trace(path: Path) -> tuple[list[dict[str, Any]], list[list[int]]]:
    """Launches, and the nanoseconds of each inference."""
    rows = [json.loads(line) for line in lzma.decompress(path.read_bytes()).decode().split("\n")[1:] if line]
    return [row for row in rows if "kernel" in row], [row["duration_ns"] for row in rows if "duration_ns" in row]


def compute_time_by(rows: list[dict[str, Any]], what: str) -> dict[str | None, float]:
    """Time [ms] of the layers that compute, by ``precision`` or ``unit``, which their kernel names tell; None: it does not."""
    found: dict[str | None, float] = defaultdict(float)
    for row in rows:
        if row["LayerType"] not in _IDLE | _MOVING:
            found[precision(row) if what == "precision" else unit(row)] += row["ms"]
    return dict(found)


def precision(row: dict[str, Any]) -> str | None:
    """What a layer computes in: by its kernel's name, else by the type of its output."""
    told = next((name for form, name in _PRECISIONS if re.search(form, row.get("TacticName", ""))), None)
    return told or data_type(row["Outputs"][0])


def unit(row: dict[str, Any]) -> str | None:
    """What a kernel runs on, where its name tells; convolution, activation and pooling in one are IMMA kernels that have none here."""
    if row["LayerType"] == "CaskConvActPool":
        return "tensor core"
    return next((name for form, name in _UNITS if re.search(form, row.get("TacticName", ""))), None)


def data_type(tensor: dict[str, Any]) -> str | None:
    """Type of a tensor: the word in its format that names one; None for dynamic shapes, where 8.6 states none."""
    match = re.search(r"FP32|FP16|Int8|Int32|Bool", tensor["Format/Datatype"])
    return match[0].lower() if match else None


def reformats_by_class(rows: list[dict[str, Any]]) -> Counter[str]:
    """How many reformats change the type, the layout, both or nothing."""
    return Counter(_class(row["Inputs"][0], row["Outputs"][0]) for row in rows if _moves(row))


def _moves(row: dict[str, Any]) -> bool:
    """A reformat, also one that the builder found to need no copy."""
    return row["LayerType"] in _MOVING or (row["LayerType"] == "NoOp" and row["Name"].startswith("Reformatting"))


def _class(before: dict[str, Any], after: dict[str, Any]) -> str:
    changed = (data_type(before) != data_type(after), _layout(before) != _layout(after))
    return {(True, True): "both", (True, False): "dtype", (False, True): "layout", (False, False): "copy"}[changed]


def _layout(tensor: dict[str, Any]) -> str:
    return re.sub(r"\b(linear|FP32|FP16|Int8|Int32|Bool|format)\b|\s", "", tensor["Format/Datatype"])


def reformat_ms(rows: list[dict[str, Any]]) -> float:
    """Time of all reformats [ms]."""
    return float(sum(row["ms"] for row in rows if _moves(row)))


def slowest(rows: list[dict[str, Any]], count: int) -> list[float]:
    """The largest medians [ms]."""
    return sorted((row["ms"] for row in rows), reverse=True)[:count]


def sample_figures(rows: list[dict[str, Any]], key: str) -> dict[str, float]:
    """What trtexec prints of samples: a percentile is the sample below which all but the largest so many percent lie.

    The median of several processes is that of their medians.
    """
    apart: dict[int, list[float]] = defaultdict(list)
    for row in rows:
        apart[row.get("process", 0)].append(row[key])
    ordered = sorted(row[key] for row in rows)
    count = len(ordered)
    figures = {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": fmean(ordered),
        "median": median(map(median, apart.values())),
        "samples": count,
    }
    return {**figures, **{f"p{percent}": ordered[count - 1 - _above(percent, count)] for percent in (90, 95, 99)}}


def _above(percent: int, count: int) -> int:
    """How many samples lie above a percentile: trtexec reckons in floats, so that of 100 samples none is above the 99th."""
    return int(_float(_float(1 - _float(percent / 100)) * count))


def _float(value: float) -> float:
    """The value as 32 bits hold it."""
    return float(struct.unpack("f", struct.pack("f", value))[0])

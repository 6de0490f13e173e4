"""Checks the roofs of a GPU against engines that come close to them, and estimates for this GPU against what it takes.

    python benchmarks/roofs.py [--out roofs.json] [--runs FOLDER] [--seconds 500]
    python benchmarks/roofs.py --estimate "H100 SXM5" RUN ...
    python benchmarks/roofs.py --compare FOLDER_THERE FOLDER_HERE

The first builds and times engines that only move memory (additions over 512 MiB and 1 GiB, in FP16 and FP32, a clip, a cast) and a product
of FP16 matrices of 8192 x 8192, and prints which share of its roof each layer reaches: the best of those that move memory 85 % or
more, the product 70 to 100 % of the tensor cores, and nothing over 102 %. It needs
TensorRT, a GPU and the package onnx. The second prints what runs of one GPU are estimated to take on another; the third holds
runs of the same names against these estimates, one folder of runs for each GPU. Neither needs a GPU.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtlens import open_run
from trtlens.limits.elsewhere import whole
from trtlens.limits.roofs import Roofs, sheet_roofs
from trtlens.limits.split import last_split
from trtlens.quantities import duration, interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_COPY_ELEMENTS, _SIDE = 1 << 28, 8192
_LEAST_COPY, _LEAST_PRODUCT, _MOST, _HIGHEST = 0.85, 0.70, 1.00, 1.02
_CLOSE = 0.20
_TACTICS = "--tacticSources=-CUBLAS,-CUBLAS_LT,-CUDNN,+EDGE_MASK_CONVOLUTIONS,+JIT_CONVOLUTIONS"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; 1 where a roof or an estimate does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--seconds", type=float, default=500)
    parser.add_argument("--estimate", nargs="+", metavar=("GPU", "RUN"))
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("THERE", "HERE"))
    asked = parser.parse_args(arguments)
    if asked.estimate:
        rows = [_estimated(Path(run), sheet_roofs(asked.estimate[0])) for run in asked.estimate[1:]]
    elif asked.compare:
        rows = list(_compared(*asked.compare))
    else:
        rows = list(_reached(asked.runs or Path(tempfile.mkdtemp(prefix="roofs-")), asked.seconds))
    for row in rows:
        print(json.dumps(row))
    if asked.out:
        asked.out.write_text(json.dumps(rows, indent=1), "utf-8")
    return 0 if all(row.get("holds", True) for row in rows) else 1


# -- engines near their roofs -----------------------------------------------------------------------------------------


def _reached(folder: Path, seconds: float) -> Iterator[dict[str, Any]]:
    """The share of its roof that the longest layer of each engine reaches, and the highest share of any layer."""
    folder.mkdir(parents=True, exist_ok=True)
    moved = [_engine(name, folder, seconds) for name in _MOVERS]
    best = max((row["share"] for row in moved if "share" in row), default=0.0)
    for row in moved:
        yield {**row, "holds": best >= _LEAST_COPY and row.get("highest", 0.0) <= _HIGHEST}
    product = _engine("product", folder, seconds)
    yield {**product, "holds": _LEAST_PRODUCT <= product.get("share", 0.0) <= _MOST}


def _engine(name: str, folder: Path, seconds: float) -> dict[str, Any]:
    """Build and time one engine, and hold its layers against their roofs."""
    model, out = folder / f"{name}.onnx", folder / name
    made = _write(name, model)
    profiled = [sys.executable, "-m", "trtlens", "profile", str(model), "-o", str(out), "--fp16", "--useCudaGraph"]
    formats = [f"--{side}IOFormats={made[side]}" for side in ("input", "output")]
    command = [*profiled, "--force", "--processes", "3", "--duration", "0.5", *formats, _TACTICS]
    subprocess.run(command, check=True, timeout=seconds)
    split = last_split(open_run(out))
    if split is None or isinstance(split.roofs, str):
        return {"engine": name, "why": "no times" if split is None else split.roofs}
    shares = [
        (part.measured_ms, part.roof.roof_ms / part.measured_ms, part.roof.binds, part.name)
        for part in split.parts if part.roof is not None and part.roof.roof_ms and part.measured_ms
    ]  # fmt: skip
    if not shares:
        return {"engine": name, "why": "no layer has a roof"}
    longest = max(shares)
    return {
        "engine": name, "layer": longest[3], "time": duration(longest[0]), "share": round(longest[1], 4), "binds": longest[2],
        "highest": round(max(share for _, share, _, _ in shares), 4), "clock": split.clock, "roofs": split.roofs.basis,
    }  # fmt: skip


_MOVERS = {
    "add-fp16": ("Add", "fp16", "fp16"), "add-fp32": ("Add", "fp32", "fp32"), "clip-fp16": ("Clip", "fp16", "fp16"),
    "cast": ("Cast", "fp16", "fp32"),
}  # fmt: skip
"""Operator and types of input and output of each engine that only moves memory."""


def _write(name: str, path: Path) -> dict[str, str]:
    """One operator over a tensor that no cache holds, or a product of two inputs; returns the formats of its ends."""
    import onnx  # noqa: PLC0415  estimates need none
    from onnx import TensorProto, helper  # noqa: PLC0415

    numbers = {"fp16": TensorProto.FLOAT16, "fp32": TensorProto.FLOAT}
    if name == "product":
        op, kinds, shapes = "MatMul", ("fp16", "fp16"), {"x": [_SIDE, _SIDE], "v": [_SIDE, _SIDE]}
    else:
        op, *ends = _MOVERS[name]
        kinds, shapes = (ends[0], ends[1]), {"x": [_COPY_ELEMENTS >> 14, 1 << 14]}
    weights: list[Any] = []
    more: dict[str, Any] = {}
    if op == "Add":
        weights = [helper.make_tensor("one", numbers[kinds[0]], [1], [1.0])]
    elif op == "Clip":
        weights = [helper.make_tensor("one", numbers[kinds[0]], [], [-1.0])]
    elif op == "Cast":
        more = {"to": numbers[kinds[1]]}
    node = helper.make_node(op, [*shapes, *(one.name for one in weights)], ["y"], name=op.lower(), **more)
    inputs = [helper.make_tensor_value_info(one, numbers[kinds[0]], shape) for one, shape in shapes.items()]
    output = helper.make_tensor_value_info("y", numbers[kinds[1]], next(iter(shapes.values())))
    graph = helper.make_graph([node], name, inputs, [output], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return {"input": ",".join([f"{kinds[0]}:chw"] * len(shapes)), "output": f"{kinds[1]}:chw"}


# -- estimates for another GPU ----------------------------------------------------------------------------------------


def _estimated(folder: Path, there: Roofs) -> dict[str, Any]:
    split = last_split(open_run(folder))
    if split is None:
        return {"run": folder.name, "why": "no layer has a time"}
    low, high, lacking = whole(split, there)
    return {
        "run": folder.name, "gpu": there.gpu, "measured_ms": split.inference_ms, "low_ms": low, "high_ms": high,
        "lacking_ms": lacking, "told": interval(low, high),
    }  # fmt: skip


def _compared(there: Path, here: Path) -> Iterator[dict[str, Any]]:
    """Each run that both folders have: estimated from the one, measured in the other; the middle of both ends (geometric) within 20 % holds."""
    for folder in sorted(path for path in here.iterdir() if (there / path.name / "run.json").is_file()):
        measured = last_split(open_run(there / folder.name))
        if measured is None or isinstance(measured.roofs, str):
            continue
        row = _estimated(folder, measured.roofs)
        if "low_ms" not in row:
            continue
        off = (row["low_ms"] * row["high_ms"]) ** 0.5 / measured.inference_ms - 1
        yield {**row, "there_ms": measured.inference_ms, "off": round(off, 4), "holds": abs(off) <= _CLOSE}


if __name__ == "__main__":
    sys.exit(main())

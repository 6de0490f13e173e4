"""Checks the roofs of a GPU against engines that come close to them, and estimates for this GPU against what it takes.

    python benchmarks/roofs.py [--out roofs.json] [--runs FOLDER] [--seconds 500]
    python benchmarks/roofs.py --estimate "H100 SXM5" RUN ...
    python benchmarks/roofs.py --compare FOLDER_THERE FOLDER_HERE

The first builds and times a copy engine (an addition over 512 MiB) and a product of FP16 matrices of 8192 x 8192, and prints which
share of its roof each layer reaches: 85 % of the memory or more, 70 to 100 % of the tensor cores, and nothing over 102 %. It needs
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
    for name, least in (("copy", _LEAST_COPY), ("product", _LEAST_PRODUCT)):
        model, out = folder / f"{name}.onnx", folder / name
        _write(name, model)
        command = [
            sys.executable,
            "-m",
            "trtlens",
            "profile",
            str(model),
            "-o",
            str(out),
            "--fp16",
            "--useCudaGraph",
            "--force",
        ]
        inputs = ",".join(["fp16:chw"] * (1 if name == "copy" else 2))
        formats = [f"--inputIOFormats={inputs}", "--outputIOFormats=fp16:chw", _TACTICS]
        subprocess.run([*command, *formats], check=True, timeout=seconds)
        split = last_split(open_run(out))
        if split is None or isinstance(split.roofs, str):
            yield {"engine": name, "holds": False, "why": "no times" if split is None else split.roofs}
            continue
        shares = [
            (part.measured_ms, part.roof.roof_ms / part.measured_ms, part.roof.binds, part.name)
            for part in split.parts if part.roof is not None and part.roof.roof_ms and part.measured_ms
        ]  # fmt: skip
        longest, highest = max(shares), max(share for _, share, _, _ in shares)
        holds = least <= longest[1] <= (_HIGHEST if name == "copy" else _MOST) and highest <= _HIGHEST
        yield {
            "engine": name, "layer": longest[3], "time": duration(longest[0]), "share": round(longest[1], 4), "binds": longest[2],
            "highest": round(highest, 4), "clock": split.clock, "roofs": split.roofs.basis, "holds": holds,
        }  # fmt: skip


def _write(name: str, path: Path) -> None:
    """An addition of a scalar over a tensor that no cache holds, or a product of two inputs, both in FP16."""
    import onnx  # noqa: PLC0415  estimates need none
    from onnx import TensorProto, helper  # noqa: PLC0415

    half = TensorProto.FLOAT16
    if name == "copy":
        shapes: dict[str, list[int]] = {"x": [_COPY_ELEMENTS >> 14, 1 << 14]}
        weights, node = (
            [helper.make_tensor("one", half, [1], [1.0])],
            helper.make_node("Add", ["x", "one"], ["y"], name="add"),
        )
    else:
        shapes = {"x": [_SIDE, _SIDE], "v": [_SIDE, _SIDE]}
        weights, node = [], helper.make_node("MatMul", ["x", "v"], ["y"], name="product")
    inputs = [helper.make_tensor_value_info(one, half, shape) for one, shape in shapes.items()]
    output = helper.make_tensor_value_info("y", half, next(iter(shapes.values())))
    graph = helper.make_graph([node], name, inputs, [output], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


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

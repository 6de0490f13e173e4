"""Runs a region of a model on what an engine fed it, in ONNX Runtime and, where trtexec is found, in TensorRT, and compares.

A copy of this file goes into every bundle and needs numpy and onnxruntime alone: ``python rerun.py`` in the unpacked folder.
It prints one line a comparison: noise over signal against the FP32 result. It exits with 0 where the fault shows, 1 where not.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

SHOWN = 0.25
"""A fault shows where the error is at least so much of what the engine had."""
_LONGEST_S = 1800
_FLAGS = frozenset({"--fp16", "--bf16", "--int8", "--fp8", "--best"})
"""What a bundle may ask trtexec for: it can come from anywhere."""


def error_of(values: np.ndarray, exact: np.ndarray) -> float:
    """Noise over signal, NaN and infinities that the exact values lack counted as infinitely wrong."""
    values, exact = values.astype(np.float64).reshape(exact.shape), exact.astype(np.float64)
    if (~np.isfinite(values) & np.isfinite(exact)).any():
        return float("inf")
    known = np.isfinite(exact)
    signal = np.sqrt(np.square(exact[known]).sum())
    return (
        float(np.sqrt(np.square(values[known] - exact[known]).sum()) / signal) if signal else float(np.any(values != 0))
    )


def run_onnxruntime(folder: Path, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """The region's output in FP32, without graph optimisation."""
    import onnxruntime  # noqa: PLC0415  the rest can be looked at without

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(folder / "region.onnx"), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, inputs)[0])


def run_trtexec(folder: Path, facts: dict[str, Any], inputs: dict[str, np.ndarray]) -> np.ndarray | None:
    """The region's output in TensorRT, built as the engine was; None where there is no trtexec."""
    trtexec = shutil.which("trtexec")
    if trtexec is None:
        return None
    with tempfile.TemporaryDirectory() as place:
        given = []
        for number, (name, values) in enumerate(inputs.items()):
            if set(name) & set("',:"):
                raise ValueError(
                    f"trtexec cannot be given an input of the name {name!r}: make the bundle with --anonymise"
                )
            Path(place, f"{number}.bin").write_bytes(np.ascontiguousarray(values).tobytes())
            given.append(f"'{name}':{place}/{number}.bin")
        made = Path(place, "output.json")
        command = [
            trtexec,
            f"--onnx={folder / 'region.onnx'}",
            f"--loadInputs={','.join(given)}",
            f"--exportOutput={made}",
            *(flag for flag in facts["trtexec_flags"] if flag in _FLAGS),
        ]
        print("$", shlex.join(command))  # noqa: T201  a script
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=_LONGEST_S)  # noqa: S603  the flags of the bundle's maker
        rows = json.loads(made.read_text("utf-8", "replace"))
    row = next((row for row in rows if row["name"] == facts["output"]), rows[0])
    return np.array(row["values"], np.float64)


def compare(folder: Path, *, in_tensorrt: bool = True) -> dict[str, float]:
    """Errors against the FP32 result: of the engine that the bundle was made of, of ONNX Runtime here, of TensorRT here."""
    facts = json.loads((folder / "facts.json").read_text("utf-8"))
    with np.load(folder / "inputs.npz", allow_pickle=False) as file:
        inputs = {name: file[key] for key, name in facts["inputs"].items()}
    with np.load(folder / "outputs.npz", allow_pickle=False) as file:
        expected, obtained = file["expected"], file["obtained"]
    errors = {
        "engine": error_of(obtained, expected),
        "ONNX Runtime": error_of(run_onnxruntime(folder, inputs), expected),
    }
    built = run_trtexec(folder, facts, inputs) if in_tensorrt else None
    return errors if built is None else {**errors, "TensorRT": error_of(built, expected)}


def shows(errors: dict[str, float]) -> bool:
    """Whether the fault shows: in TensorRT here, else in what the engine had put out, against ONNX Runtime here."""
    wrong = errors.get("TensorRT", errors["engine"])
    return wrong >= SHOWN * errors["engine"] and wrong > errors["ONNX Runtime"] and errors["engine"] > 0


def main() -> int:
    """Compare, print, and say by the exit code whether the fault shows."""
    errors = compare(Path(__file__).resolve().parent)
    for name, error in errors.items():
        print(f"{name:<14} errs {error:.3g} (noise over signal, against FP32)")  # noqa: T201  a script
    if "TensorRT" not in errors:
        print("trtexec is not on the PATH: TensorRT itself was not run")  # noqa: T201  a script
    print("the fault shows" if shows(errors) else "the fault does not show")  # noqa: T201  a script
    return int(not shows(errors))


if __name__ == "__main__":
    sys.exit(main())

"""A bundle: one region of a model with its weights, what the engine fed it and made of it, and a script that shows the fault.

A zip of `region.onnx`, `inputs.npz`, `outputs.npz` (``expected``, ``obtained``), `facts.json`, `rerun.py`, `README.txt`, and the
engine's verbose log, which an anonymous bundle leaves out with every name of the model.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens._version import VERSION
from trtlens.capture.dumping import rerun_region
from trtlens.errors import TrtlensError, reason
from trtlens.runs.folders import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from trtlens.runs.run_info import RunInfo

MEMBERS = ("region.onnx", "inputs.npz", "outputs.npz", "facts.json", "rerun.py", "README.txt")
LOG = "engine.log.xz"
_FORMAT = 1
_LARGEST_BYTES = 4 << 30
_README = """One region of an ONNX model that an engine of TensorRT computes otherwise than its operators and its precision say.

region.onnx   the region, with its weights and the inputs that the engine fed it as inputs
inputs.npz    these inputs
outputs.npz   expected: the operators' result in FP32; obtained: what the engine put out
facts.json    versions, GPU, flags, errors
rerun.py      runs the region in ONNX Runtime and, with trtexec on the PATH, in TensorRT, and compares

    python rerun.py          (needs numpy and onnxruntime)
    trtlens rerun THIS.zip   (the same)

TensorRT need not repeat the fault: alone, a region may be fused otherwise than inside of the model.
"""


def write_bundle(
    path: Path,
    region: Any,
    arrays: Mapping[str, NDArray[Any]],
    outputs: Mapping[str, NDArray[Any]],
    facts: Mapping[str, Any],
    log: Path | None,
    *,
    anonymous: bool,
) -> int:
    """Write a bundle, and its bytes; ``region`` is the model of the region with one output.

    Raises:
        TrtlensError: the file cannot be written.

    """
    names = _anonymised(region) if anonymous else {}
    keys = {f"input{place}": names.get(name, name) for place, name in enumerate(arrays)}
    told = {"format": _FORMAT, "trtlens": VERSION, **facts, "inputs": keys, "output": region.graph.output[0].name}
    parts = {
        "region.onnx": region.SerializeToString(),
        "inputs.npz": _npz(dict(zip(keys, arrays.values(), strict=True))),
        "outputs.npz": _npz(outputs),
        "facts.json": (json.dumps(told, indent=1) + "\n").encode(),
        "rerun.py": Path(rerun_region.__file__).read_bytes(),
        "README.txt": _README.encode(),
    }
    if log is not None and not anonymous:
        parts[LOG] = log.read_bytes()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    write_whole(path, made.getvalue())
    return made.tell()


def facts_of(info: RunInfo, error: Mapping[str, Any], *, anonymous: bool) -> dict[str, Any]:
    """Versions, GPU and flags of the run, and what is wrong; without names where it is to be anonymous."""
    precisions = sorted({str(flag).lower() for flag in info.precision_flags} & {"fp16", "bf16", "int8", "fp8", "best"})
    return {
        "tensorrt": info.tensorrt_version, "gpu": info.gpu.name, "driver": info.gpu.driver,
        "trtexec_flags": [f"--{precision}" for precision in precisions],
        "error": {key: value for key, value in error.items() if not anonymous or key not in {"tensor", "nodes", "detail"}},
    }  # fmt: skip


@contextmanager
def opened_bundle(path: Path) -> Iterator[Path]:
    """A folder with what a bundle holds, for as long as it is looked at.

    Raises:
        TrtlensError: it is no bundle.

    """
    with tempfile.TemporaryDirectory() as place:
        try:
            with zipfile.ZipFile(path) as archive:
                missing = [name for name in MEMBERS if name not in archive.namelist()]
                if missing or sum(archive.getinfo(name).file_size for name in MEMBERS) > _LARGEST_BYTES:
                    raise TrtlensError(
                        f"{path} is no bundle of trtlens isolate ({f'it lacks {missing[0]}' if missing else 'it is too large'})"
                    )
                for name in MEMBERS:
                    Path(place, name).write_bytes(archive.read(name))
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
            raise TrtlensError(
                f"{path} cannot be read ({reason(error) if isinstance(error, OSError) else error}): give the zip that trtlens isolate wrote"
            ) from error
        yield Path(place)


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    made = io.BytesIO()
    np.savez_compressed(made, allow_pickle=False, **arrays)
    return made.getvalue()


def _anonymised(model: Any) -> dict[str, str]:
    """Give every tensor and node a number for a name; the new names by the old ones."""
    graph = model.graph
    names: dict[str, str] = {}
    for name in (
        *(one.name for one in (*graph.input, *graph.initializer)),
        *(name for node in graph.node for name in node.output),
    ):
        if name:
            names.setdefault(name, f"t{len(names)}")
    for one in (*graph.input, *graph.initializer, *graph.output):
        one.name = names[one.name]
    for place, node in enumerate(graph.node):
        node.name, node.doc_string = f"n{place}", ""
        for side in (node.input, node.output):
            side[:] = [names.get(name, "") for name in side]
    graph.name, graph.doc_string = "region", ""
    del model.metadata_props[:]
    return names

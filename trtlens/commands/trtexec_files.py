"""Files that trtexec writes when it is asked to: the engine, and times and layers as its JSON.

Forms as in `samples/common/sampleReporting.cpp` of TensorRT 10. What trtlens does not measure is null: when an inference
began. Inputs and outputs are not copied, so that the latency is the time of the computation, as with `--noDataTransfers`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtlens.commands.flags import EXPORT_FLAGS
from trtlens.errors import TrtlensError, reason
from trtlens.runs.folders import regular_mode, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trtlens.runs.run import Run

_ENGINE_STARTS = (b"ftrt", b"ptrt")
_QUEUED = "timing"
_MOMENTS = ("startEnq", "endEnq", "startH2d", "endH2d", "startCompute", "endCompute", "startD2h", "endD2h")


def asked_files(flags: Mapping[str, Any]) -> dict[str, Path]:
    """The files that were asked for, by flag.

    Raises:
        TrtlensError: a file cannot be written, or something else than such a file stands there.

    """
    wanted = {flag.name: Path(flags[flag.parameter]) for flag in EXPORT_FLAGS if flags[flag.parameter]}
    for flag, path in wanted.items():
        _check(flag, path)
    return wanted


def _check(flag: str, path: Path) -> None:
    try:
        start = b"" if regular_mode(path) is None else _start_of(path)
    except OSError as error:
        raise TrtlensError(f"--{flag}={path} cannot be written ({reason(error)}): choose another name") from error
    if not path.parent.is_dir():
        raise TrtlensError(f"--{flag}={path}: there is no folder {path.parent}; make it first")
    if start and not (start in _ENGINE_STARTS if flag == "saveEngine" else start.lstrip()[:1] in (b"[", b"{")):
        raise TrtlensError(f"--{flag}={path} holds something else, which is left alone: choose another name")


def _start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def write_files(wanted: Mapping[str, Path], run: Run, engine: Path, layers: Path | None) -> list[str]:
    """Write the files, and say of each that cannot be made why; raises TrtlensError where one cannot be written."""
    notes = []
    for flag, path in wanted.items():
        made = _MAKERS[flag](run, engine, layers)
        if made is None:
            notes.append(f"--{flag}={path} was not written: {_MISSING[flag]}")
        else:
            write_whole(path, made)
    return notes


def _times(run: Run, *_: Path | None) -> bytes | None:
    table = run["run_times"]
    passes = table["pass"].to_pylist()
    gpu_ms = [time for name, time in zip(passes, table["gpu_ms"].to_pylist(), strict=True) if name == _QUEUED]
    moments = {f"{moment}Ms": None for moment in _MOMENTS}
    return _json([{**moments, "h2dMs": 0, "computeMs": time, "d2hMs": 0, "latencyMs": time} for time in gpu_ms])


def _profile(run: Run, *_: Path | None) -> bytes | None:
    table = run["layer_times"]
    if not table.num_rows:
        return None
    rows = table.to_pandas()
    layers = rows.groupby("index", sort=True).agg(
        name=("layer", "first"),
        timeMs=("time_ms", "sum"),
        averageMs=("time_ms", "mean"),
        medianMs=("time_ms", "median"),
    )
    layers["percentage"] = layers["timeMs"] / layers["timeMs"].sum() * 100
    return _json([{"count": int(rows["iteration"].nunique())}, *layers.to_dict("records")])


def _json(rows: list[dict[str, Any]]) -> bytes | None:
    lines = "\n, ".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f"[\n  {lines}\n]\n".encode("utf-8", "replace") if rows else None


_MAKERS: dict[str, Callable[[Run, Path, Path | None], bytes | None]] = {
    "saveEngine": lambda _run, engine, _layers: engine.read_bytes(),
    "exportTimes": _times,
    "exportProfile": _profile,
    "exportLayerInfo": lambda _run, _engine, layers: None if layers is None else layers.read_bytes(),
}
_MISSING = {
    "saveEngine": "there is no engine",
    "exportTimes": "no inference was timed",
    "exportProfile": "no layer was timed",
    "exportLayerInfo": "the engine cannot be loaded here, so there is no inspector's JSON",
}

"""Which files of a run folder trtlens wrote itself, and which are somebody else's and stay."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

RUN_JSON = "run.json"

_CAPTURED = (
    r"run\.json|verbose\.log|layers\.json|engine\.plan|converted\.onnx(\.data)?|calibration\.cache|inputs\.npz|dump\.json"
    r"|accuracy\.json|(latency-|layer-)?times\.json|gpu-state\.json"
)
_OURS = re.compile(
    rf"(marked/\d+/)?({_CAPTURED})|tables/\w+\.parquet|tensors/\d{{5}}_[\w.-]+\.(npy|bin)"
    r"|(.+/)?\.trtlens-[0-9a-f]+\.tmp|\..+\.\d+\.tmp",  # left by a write that was killed; the second form is 0.1.0's
    re.ASCII,
)
_FOLDERS = re.compile(r"tables|tensors|marked(/\d+)?", re.ASCII)


def is_run(folder: Path) -> bool:
    """Whether a folder of that name is a run; a name that no file can have is none."""
    try:
        return (folder / RUN_JSON).is_file()
    except (OSError, ValueError):
        return False


def foreign_files(folder: Path) -> list[str]:
    """Paths within a run of the files and folders that trtlens did not write, sorted."""
    raw = _raw_names(folder)
    return sorted(path for path, is_folder in _entries(folder) if not _is_ours(path, raw, is_folder=is_folder))


def _is_ours(path: str, raw: frozenset[str], *, is_folder: bool) -> bool:
    return _FOLDERS.fullmatch(path) is not None if is_folder else path in raw or _OURS.fullmatch(path) is not None


def _entries(folder: Path) -> list[tuple[str, bool]]:
    """Every file and folder below, by its path with slashes."""
    found = []
    for place, folders, files in os.walk(folder):
        inner = Path(place).relative_to(folder)
        found += [((inner / name).as_posix(), True) for name in folders]
        found += [((inner / name).as_posix(), False) for name in files]
    return found


def _raw_names(folder: Path) -> frozenset[str]:
    """Names of the files that a kept run holds copies of."""
    try:
        raw = json.loads((folder / RUN_JSON).read_bytes())["raw"]
        return frozenset(name for name in raw if isinstance(name, str) and "/" not in name)
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return frozenset()

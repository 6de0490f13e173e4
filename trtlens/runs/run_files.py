"""Which files of a run folder trtlens wrote itself, and which are somebody else's and stay."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

RUN_JSON = "run.json"

CAPTURES = frozenset({"profile", "dump", "marked"})
"""The kinds of runs that trtlens captured itself; another one was kept from a log."""
_CAPTURED = (
    r"run\.json|verbose\.log|layers\.json|engine\.plan|converted\.onnx(\.data)?|calibration\.cache|inputs\.npz|dump\.json"
    r"|accuracy\.json|(latency-|layer-)?times\.json|gpu-state\.json"
)
_OURS = re.compile(
    rf"(marked/\d+/)?({_CAPTURED})|tables/\w+\.parquet|tensors/\d{{5}}_[\w.-]+\.(npy|bin)"
    r"|(.+/)?\.trtlens-\w+\.tmp(/.+)?|\..+\.\d+\.tmp",  # left by a write that was killed; the second form is 0.1.0's
    re.ASCII,
)
_FOLDERS = re.compile(r"tables|tensors|marked(/\d+)?|(.+/)?\.trtlens-\w+\.tmp(/.+)?", re.ASCII)


def is_captured(name: str) -> bool:
    """Whether a file of that name, compressed or not, is one that a capture writes."""
    return re.fullmatch(rf"({_CAPTURED})(\.(gz|xz|zst))?", name, re.ASCII) is not None


def is_run(folder: Path) -> bool:
    """Whether a folder of that name is a run; a name that no file can have is none."""
    try:
        return (folder / RUN_JSON).is_file()
    except (OSError, ValueError):
        return False


def foreign_files(folder: Path, raw: Collection[str]) -> list[str]:
    """Paths within a run of the files and folders that trtlens did not write, sorted; of ``raw`` the run holds copies."""
    files, folders = _entries(folder)
    foreign = [path for path in files if path not in raw and not _OURS.fullmatch(path)]
    return sorted([*foreign, *(path for path in folders if not _FOLDERS.fullmatch(path))])


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """Every file and every folder below, by its path with slashes."""
    files: list[str] = []
    folders: list[str] = []
    for place, inner_folders, inner_files in os.walk(folder):
        inner = Path(place).relative_to(folder)
        files += [(inner / name).as_posix() for name in inner_files]
        folders += [(inner / name).as_posix() for name in inner_folders]
    return files, folders

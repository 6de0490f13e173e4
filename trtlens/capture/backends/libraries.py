"""TensorRT's shared libraries and headers on this machine, and their versions, read without running anything of them.

A library carries its version as the name of a symbol, `tensorrt_version_8_6_0_12` (the developer guide's FAQ: `nm -D
libnvinfer.so.* | grep tensorrt_version`). Where that is missing, `getInferLibVersion()` is asked in a process of its
own, since a library of another system may end the process that loads it; last comes the file's name. A header defines
NV_TENSORRT_MAJOR and its like, in NvInferVersion.h since 6.0, through other macros (TRT_MAJOR_ENTERPRISE) since 10.x.
"""

from __future__ import annotations

import importlib.util
import mmap
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SYMBOL = b"tensorrt_version_"
_SYMBOL_NUMBERS = re.compile(rb"(\d{1,4})_(\d{1,4})_(\d{1,4})_(\d{1,6})\0")
_FILE_NUMBERS = re.compile(r"\.so\.(\d{1,4}(?:\.\d{1,4}){0,3})$")
_DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w{1,64})[ \t]+(\w{1,64})", re.MULTILINE)
_HEADER_MACROS = ("NV_TENSORRT_MAJOR", "NV_TENSORRT_MINOR", "NV_TENSORRT_PATCH", "NV_TENSORRT_BUILD")
_HEADER_BYTES = 1 << 20
_ASK = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).getInferLibVersion())"
_ASK_SECONDS = 30
_NEW_NUMBERING = 100_000  # 10.0.0; before, the major number counted thousands

_LIBRARY_PATTERNS = ("libnvinfer.so*", "libtensorrt_rtx.so*")
_PACKAGES = ("tensorrt", "tensorrt_libs", "tensorrt_rtx", "tensorrt_rtx_libs")
_LIBRARY_FOLDERS = (
    "/usr/lib/*-linux-gnu",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/local/[Tt]ensor[Rr][Tt]*/lib",
    "/opt/[Tt]ensor[Rr][Tt]*/lib",
)
_HEADERS = (
    "/usr/include/NvInferVersion.h",
    "/usr/include/*-linux-gnu/NvInferVersion.h",
    "/usr/local/[Tt]ensor[Rr][Tt]*/include/NvInferVersion.h",
    "/opt/[Tt]ensor[Rr][Tt]*/include/NvInferVersion.h",
)


@dataclass(frozen=True, slots=True)
class FileVersion:
    """The version of a library or header; None with the reason where it cannot be told. `source` is what told it."""

    path: Path
    version: str | None
    source: str | None
    reason: str | None = None


def find_libraries() -> tuple[Path, ...]:
    """Every libnvinfer and libtensorrt_rtx in Python packages, on LD_LIBRARY_PATH and in usual folders, once each."""
    searched = (Path(folder) for folder in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if folder)
    folders = [*_package_folders(), *searched, *_expanded(_LIBRARY_FOLDERS)]
    found = (path for folder in folders for pattern in _LIBRARY_PATTERNS for path in _listed(folder, pattern))
    return tuple(dict.fromkeys(path.resolve() for path in found))


def find_headers() -> tuple[Path, ...]:
    """Every NvInferVersion.h in the usual folders."""
    return tuple(dict.fromkeys(path.resolve() for path in _expanded(_HEADERS)))


def file_version(path: Path) -> FileVersion:
    """The version of a TensorRT library or header; never raises."""
    try:
        if not path.is_file():
            return FileVersion(path, None, None, "no such file")
        return _header_version(path) if path.suffix in {".h", ".hpp"} else _library_version(path)
    except OSError as error:
        return FileVersion(path, None, None, f"cannot be read ({error.strerror})")


def _library_version(path: Path) -> FileVersion:
    symbol = _symbol_version(path)
    if symbol is not None:
        return FileVersion(path, symbol, "symbol")
    answer = _asked_version(path)
    if answer is not None:
        return FileVersion(path, answer, "getInferLibVersion")
    named = _FILE_NUMBERS.search(path.resolve().name)
    if named is not None:
        return FileVersion(path, named[1], "file name")
    return FileVersion(path, None, None, "it has no tensorrt_version symbol and does not load here")


def _symbol_version(path: Path) -> str | None:
    if path.stat().st_size == 0:
        return None  # nothing to map
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        position = data.find(_SYMBOL)
        while position >= 0:
            start = position + len(_SYMBOL)
            numbers = _SYMBOL_NUMBERS.match(data[start : start + 32])
            if numbers is not None:
                return b".".join(numbers.groups()).decode("ascii")
            position = data.find(_SYMBOL, start)
    return None


def _asked_version(path: Path) -> str | None:
    """What `getInferLibVersion` of the library answers, from a process that may fail in any way."""
    try:
        asked = subprocess.run(  # noqa: S603  this Python, with a path as its argument
            [sys.executable, "-c", _ASK, str(path)], capture_output=True, timeout=_ASK_SECONDS, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    text = asked.stdout.decode("ascii", "replace").strip()
    return decode_version(int(text)) if asked.returncode == 0 and re.fullmatch(r"[1-9]\d{2,8}", text) else None


def decode_version(number: int) -> str:
    """`8601` is 8.6.1 and `100300` is 10.3.0: the major number counts thousands up to 9.x, then ten thousands."""
    if number >= _NEW_NUMBERING:
        return f"{number // 10_000}.{number // 100 % 100}.{number % 100}"
    return f"{number // 1000}.{number // 100 % 10}.{number % 100}"


def _header_version(path: Path) -> FileVersion:
    with path.open("rb") as file:
        defines = dict(_DEFINE.findall(file.read(_HEADER_BYTES).decode("utf-8", "replace")))
    numbers = [_resolved(defines, macro) for macro in _HEADER_MACROS]
    told = [number for number in numbers if number is not None]
    if None in numbers[:3]:
        beside = path.with_name("NvInferVersion.h")
        if path.name == "NvInfer.h" and beside.is_file():
            return file_version(beside)
        return FileVersion(path, None, None, "it defines no NV_TENSORRT_MAJOR, MINOR and PATCH")
    return FileVersion(path, ".".join(told), "header")


def _resolved(defines: dict[str, str], macro: str) -> str | None:
    """The number that a macro stands for, through at most one other macro."""
    value = defines.get(macro, "")
    value = defines.get(value, value)
    return value if value.isdecimal() else None


def _package_folders() -> Iterator[Path]:
    for name in _PACKAGES:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            continue
        if spec is not None:
            yield from map(Path, spec.submodule_search_locations or ())


def _expanded(patterns: Iterable[str]) -> Iterator[Path]:
    for pattern in patterns:
        yield from _listed(Path("/"), pattern.lstrip("/"))


def _listed(folder: Path, pattern: str) -> list[Path]:
    """What matches in the folder, in order of name; nothing where it cannot be listed."""
    try:
        return sorted(folder.glob(pattern))
    except (OSError, ValueError):
        return []

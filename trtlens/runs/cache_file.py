"""A timing cache's file without TensorRT: its size, its SHA-256, and what its first bytes tell.

A cache is an archive of TensorRT's like the older engines: the tag ``ptrt``, a word, and the bytes that follow the first
20, as TensorRT-RTX 1.7 writes it. What stands behind them is TensorRT's own and not read.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.errors import TrtlensError, reason

if TYPE_CHECKING:
    from pathlib import Path

_TAGS = (b"ptrt", b"ftrt")
_HEAD = struct.Struct("<4sIQ")
_HEAD_BYTES, _WORD = 20, 100
_OTHERS = {
    b"vtrt": "a serialized engine", b"TRT-": "an INT8 calibration cache", b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "compressed by gzip", b"\xfd7zX": "compressed by xz", b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"version https://git-lfs": "a Git LFS pointer: run git lfs pull",
}  # fmt: skip
_SUFFIXES = {**dict.fromkeys((".engine", ".plan", ".trt"), "a serialized engine"), ".onnx": "an ONNX model"}
_KNOWN_TEXT_BYTES = 512


@dataclass(frozen=True, slots=True)
class CacheFile:
    """A file that may be a timing cache.

    Attributes:
        path: the file.
        data: all of it.
        tag: TensorRT's tag at its begin; None where the file begins otherwise.
        whole: whether it is as long as its head says; None where the head is of a form that is not known.
    """

    path: Path
    data: bytes
    tag: str | None
    whole: bool | None

    @property
    def sha256(self) -> str:
        """Digest of the whole file: equal caches pin equal choices."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def header(self) -> str:
        """What the head tells, in words."""
        if self.tag is None:
            return f"begins with {self.data[:8].hex(' ')}, no form that is known without TensorRT"
        length = {True: "as long as it says", None: "of a form whose length is not known", False: ""}[self.whole]
        return f"TensorRT's archive ({self.tag}), {length}"


def read_cache_file(path: Path) -> CacheFile:
    """The file and what its head tells.

    Raises:
        TrtlensError: it cannot be read, is empty, is cut short, or is something else.

    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TrtlensError(f"{path} cannot be read ({reason(error)}): give a timing cache's file") from error
    if not data:
        raise TrtlensError(f"{path} is empty: a build with --timingCacheFile={path} fills it")
    other = next((what for head, what in _OTHERS.items() if data.startswith(head)), None) or _SUFFIXES.get(
        path.suffix.lower()
    )
    other = "text" if other is None and _is_text(data) else other
    if other is not None:
        raise TrtlensError(f"{path} is no timing cache but {other}: give the file of --timingCacheFile")
    tag, whole = (data[:4].decode(), _is_whole(data)) if data.startswith(_TAGS) else (None, None)
    if whole is False:
        stated = _HEAD.unpack_from(data)[2] + _HEAD_BYTES
        raise TrtlensError(
            f"{path} has {len(data):,} bytes and its head says {stated:,}: it is cut short or damaged; copy it again"
        )
    return CacheFile(path, data, tag, whole)


def _is_whole(data: bytes) -> bool | None:
    if len(data) < _HEAD_BYTES:
        return None
    _, word, length = _HEAD.unpack_from(data)
    return len(data) == length + _HEAD_BYTES if word == _WORD else None


def _is_text(data: bytes) -> bool:
    """Whether a file begins like a text: a log, JSON, a model's protobuf has other bytes soon."""
    begin = data[:_KNOWN_TEXT_BYTES]
    return all(byte >= 32 or byte in b"\t\n\r" for byte in begin) and begin.isascii()

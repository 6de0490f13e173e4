"""Where bytes come from: files, compressed or not, and standard input, in chunks, with errors a user can act on."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import sys
import zlib
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, cast

from trtlens.errors import TrtlensError, reason
from trtlens.quantities import byte_size

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK_BYTES = 2**16
STDIN = "-"
_LARGEST_UNDOUBTED = 2**28
_LARGEST_RATIO = 500
"""Bytes of a decompressed file from which on it must not be that many times as large as the file: logs shrink to a 200th at most."""

_DATABASE = b"SQLite format 3\0"
_FOREIGN = (
    (b"\x89PNG", "a picture"), (b"\xff\xd8\xff", "a picture"), (b"GIF8", "a picture"), (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip archive"), (b"ptrt", "a serialized TensorRT engine"), (b"ftrt", "a serialized TensorRT engine"),
    (b"\x7fELF", "a program"), (b"PAR1", "a Parquet file"),
    *((magic, "a compressed file inside a compressed one") for magic in (b"\x1f\x8b", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")),
)  # fmt: skip


def path_text(path: str | PurePath) -> str:
    """A path as it is shown and kept: bytes in it that are no text, which Python carries as half characters, are escapes."""
    return os.fsencode(path).decode(errors="backslashreplace")


def is_database(path: str) -> bool:
    """Whether a file is an SQLite database by its first bytes."""
    try:
        place = Path(path)
        if path == STDIN or not place.is_file():
            return False
        with place.open("rb") as file:
            return file.read(len(_DATABASE)) == _DATABASE
    except (OSError, ValueError):  # what cannot be read is told by `read_chunks`
        return False


def hash_file(path: Path) -> str:
    """The SHA-256 of a file as it is, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def read_chunks(path: str) -> Iterator[bytes]:
    """Chunks of the decompressed content of a file, or of standard input for ``-``.

    gzip, xz and zstd are recognised by their first bytes, not by the file's name.

    Raises:
        TrtlensError: the path is missing, is a folder, cannot be read, is empty, holds something that is no log, or
            decompresses to more than any log does.

    """
    stream = _open(path)
    with stream:
        head = _first_bytes(path, stream)
        if not head:
            raise TrtlensError(f"{path} is empty: give a verbose TensorRT log")
        try:
            yield from _checked(path, _decompressed(path, stream, head))
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise TrtlensError(f"{path} cannot be decompressed ({error}): is the file complete?") from error


def _open(path: str) -> IO[bytes]:
    if path == STDIN:
        return sys.stdin.buffer
    try:
        return Path(path).open("rb")
    except IsADirectoryError as error:
        raise TrtlensError(
            f"{path} is a folder without a run.json: give a log, files of one run joined by commas, or the folder of a run"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise TrtlensError(f"{path} cannot be read ({reason(error)}): check the name") from error


def _first_bytes(path: str, stream: IO[bytes]) -> bytes:
    try:
        return stream.read(CHUNK_BYTES)
    except OSError as error:  # /proc/self/mem, a closed standard input
        raise TrtlensError(f"{path} cannot be read ({reason(error)}): check the name") from error


def _decompressed(path: str, stream: IO[bytes], head: bytes) -> Iterator[bytes]:
    joined = _Joined(head, stream)
    packed = cast("IO[bytes]", joined)
    if head.startswith(b"\x1f\x8b"):
        yield from _bounded(path, joined, cast("IO[bytes]", gzip.GzipFile(fileobj=packed)))
    elif head.startswith(b"\xfd7zXZ\x00"):
        yield from _bounded(path, joined, cast("IO[bytes]", lzma.LZMAFile(packed)))  # noqa: SIM115  _open's caller closes the stream
    elif head.startswith(b"\x28\xb5\x2f\xfd"):
        import pyarrow as pa  # noqa: PLC0415  loaded for zstd alone: the standard library reads it from 3.14 on

        opened = pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), "zstd")
        yield from _bounded(path, joined, cast("IO[bytes]", opened))
    else:
        yield from _chunks(packed)


def _bounded(path: str, packed: _Joined, stream: IO[bytes]) -> Iterator[bytes]:
    """The decompressed chunks of a file that is not made to fill the memory.

    Raises:
        TrtlensError: the file grows to so many times its size that it is no log.

    """
    size = 0
    for chunk in _chunks(stream):
        size += len(chunk)
        if size > max(_LARGEST_UNDOUBTED, _LARGEST_RATIO * packed.taken):
            raise TrtlensError(
                f"{path} decompresses to over {byte_size(size)}, more than {_LARGEST_RATIO} times its size, which no log does: decompress it "
                "yourself and give the file, if it is one"
            )
        yield chunk


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _checked(path: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    first = next(chunks, b"")
    if first.startswith(_DATABASE):
        given = "comes through a pipe" if path == STDIN or not Path(path).is_file() else "is compressed"
        raise TrtlensError(
            f"{path} is a database (of Nsight Systems?) that {given}: a database is read from its file alone, so give the file that nsys export "
            "wrote, decompressed"
        )
    for magic, what in _FOREIGN:
        if first.startswith(magic):
            raise TrtlensError(f"{path} is {what}, not a log: give what trtexec --verbose printed")
    sample = first[:4096]
    odd = sum(byte < 9 or 13 < byte < 27 for byte in sample)
    if odd > 0.3 * len(sample) and sample.count(0) < 0.4 * len(sample):  # UTF-16 holds one NUL for each letter
        raise TrtlensError(f"{path} holds binary data, not a log: give what trtexec --verbose printed")
    yield first
    yield from chunks


class _Joined:
    """The bytes already read from a stream, then the rest of it; enough of a file for the decompressors.

    ``taken`` counts the bytes that were read from it.
    """

    closed = False

    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        self._head = head
        self._stream = stream
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        data = self._read(size)
        self.taken += len(data)
        return data

    def _read(self, size: int) -> bytes:
        if not self._head:
            return self._stream.read(size)
        if size < 0:
            data, self._head = self._head + self._stream.read(), b""
            return data
        data, self._head = self._head[:size], self._head[size:]
        return data

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise OSError("not seekable")

    def tell(self) -> int:
        raise OSError("not seekable")

    def close(self) -> None:
        """Nothing to do: who opened the stream closes it."""

"""One dumped tensor: its name, type and shape, and its numbers in chunks, wherever the bytes lie.

Nothing is loaded whole: files are mapped, members of archives and text are read as a stream. What cannot be read is
told by `UnreadableTensor`, which never leaves the comparison: the tensor gets a row with the reason.
"""

from __future__ import annotations

import math
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np

from trtlens.accuracy.encodings import PACKED, decode, stored_count
from trtlens_parsers.errors import FormatError
from trtlens_parsers.saved_tensors import LONGEST_TOKEN, read_values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

Shape = tuple[int, ...]

CHUNK = 1 << 15
"""Elements in a chunk: several float64 copies of it fit into a core's cache."""

LARGEST_HEADER = 10_000
"""Bytes of an npy header at most: numpy evaluates it."""

_TEXT_BYTES = 1 << 20
_MOST_DIMENSIONS = 32
"""What every numpy can hold: 2.0 raised it to 64."""


class UnreadableTensor(Exception):  # noqa: N818  the reason why a row has no numbers, not an error of the program
    """A tensor whose numbers cannot be had; its text is the reason."""


class Source(Protocol):
    """Where the stored units of a tensor are."""

    def stored(self, units: int) -> Iterator[NDArray[Any]]:
        """The stored units in row-major order, flat, at most that many at a time; raises UnreadableTensor."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a dump; `dtype` is None where the file does not state it and numbers come as they are.

    Raises:
        UnreadableTensor: it has more dimensions than numpy holds.

    """

    name: str
    dtype: str | None
    shape: Shape
    source: Source

    def __post_init__(self) -> None:
        """Refuse the shape before anything is made of it."""
        if len(self.shape) > _MOST_DIMENSIONS:
            raise UnreadableTensor(
                f"its shape has {len(self.shape)} dimensions, more than the {_MOST_DIMENSIONS} of numpy"
            )

    @property
    def elements(self) -> int:
        """How many numbers there are; one for a tensor without dimensions."""
        return math.prod(self.shape)

    def chunks(self, elements: int = CHUNK) -> Iterator[NDArray[Any]]:
        """The numbers, flat, in arrays of exactly that (even) length but for the last.

        The last one is held back until the number of values has been checked.

        Raises:
            UnreadableTensor: the bytes are missing, broken, or fewer or more than the shape says.

        """
        read = 0
        last: NDArray[Any] | None = None
        for chunk in _regular(self._decoded(elements), elements):
            read += chunk.size
            if read > self.elements:
                break
            if last is not None:
                yield last
            last = chunk
        if read != self.elements:
            more = "more than" if read > self.elements else f"only {read} of"
            raise UnreadableTensor(f"the file holds {more} the {self.elements} values of its shape {list(self.shape)}")
        if last is not None:
            yield last

    def _decoded(self, elements: int) -> Iterator[NDArray[Any]]:
        if self.dtype is None:
            yield from self.source.stored(elements)
            return
        left = self.elements
        for stored in self.source.stored(stored_count(self.dtype, elements)):
            numbers = decode(self.dtype, stored)
            # the last byte of a packed tensor of odd length holds one value that is not there
            yield numbers[:left] if self.dtype in PACKED and numbers.size == left + 1 else numbers
            left -= numbers.size

    def array(self) -> NDArray[Any]:
        """All numbers at once, in the tensor's shape: for small tensors and for feeding a model."""
        chunks = list(self.chunks())
        flat = np.concatenate(chunks) if chunks else np.zeros(0, np.float32)
        return flat.reshape(self.shape)


def _regular(arrays: Iterator[NDArray[Any]], length: int) -> Iterator[NDArray[Any]]:
    """The same numbers in arrays of exactly that length, but for the last; most sources cut them so already."""
    kept: list[NDArray[Any]] = []
    held = 0
    for array in arrays:
        if not held and array.size == length:
            yield array
            continue
        kept.append(array)
        held += array.size
        if held < length:
            continue
        joined = np.concatenate(kept)
        whole = held // length * length
        yield from (joined[start : start + length] for start in range(0, whole, length))
        kept, held = [joined[whole:]], held - whole
    if held:
        yield np.concatenate(kept)


# -- sources ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InMemory:
    """An array that is there already."""

    values: NDArray[Any]

    def stored(self, units: int) -> Iterator[NDArray[Any]]:
        """Views of the array, or copies of a chunk where the order has to be changed."""
        return _pieces(self.values, units)


@dataclass(frozen=True, slots=True)
class NpyFile:
    """The values of an npy file whose header was read and checked; `shape` is what it says."""

    path: Path
    shape: Shape

    def stored(self, units: int) -> Iterator[NDArray[Any]]:
        """Views of the mapped file, or copies of a chunk in Fortran order."""
        if not math.prod(self.shape):
            return iter(())
        with _mapping(self.path):
            array = np.load(self.path, mmap_mode="r", allow_pickle=False, max_header_size=LARGEST_HEADER)
        return _pieces(array.view(np.ndarray), units)


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file that holds nothing but that many units of a type."""

    path: Path
    dtype: np.dtype[Any]
    count: int

    def stored(self, units: int) -> Iterator[NDArray[Any]]:
        """Views of the mapped file."""
        if not self.count:
            return iter(())
        with _mapping(self.path):
            array = np.memmap(self.path, self.dtype, "r", shape=(self.count,))
        return _pieces(array.view(np.ndarray), units)


@contextmanager
def _mapping(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise UnreadableTensor(f"{path.name} cannot be mapped ({error})") from error


def _pieces(values: NDArray[Any], units: int) -> Iterator[NDArray[Any]]:
    """The array in row-major order, flat, at most that many units at a time, never copied as a whole."""
    if values.flags.c_contiguous:
        flat = values.reshape(-1)
        yield from (flat[start : start + units] for start in range(0, flat.size, units))
        return
    flags: Any = ["external_loop", "buffered"]
    for buffer in np.nditer(values, flags=flags, order="C", buffersize=units):
        yield np.array(buffer).reshape(-1)


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """Units of an npy file inside a zip archive, behind a header of that many bytes."""

    path: Path
    member: str
    dtype: np.dtype[Any]
    header: int

    def stored(self, units: int) -> Iterator[NDArray[Any]]:
        """Arrays of what was read and decompressed."""
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                _skip(file, self.header)
                while data := _read_exactly(file, units * self.dtype.itemsize):
                    whole = len(data) - len(data) % self.dtype.itemsize
                    yield np.frombuffer(data[:whole], self.dtype)
        except Exception as error:  # zipfile's, and those of the decompressors: zlib.error, LZMAError
            raise UnreadableTensor(f"{self.member} in {self.path.name} cannot be read ({error})") from error


def _skip(file: IO[bytes], size: int) -> None:
    if len(_read_exactly(file, size)) != size:
        raise EOFError("the file ends in its header")


def _read_exactly(file: IO[bytes], size: int) -> bytes:
    """That many bytes, fewer only at the end of the file."""
    parts = []
    while size and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class TextFile:
    """Printed numbers from an offset on; `nested` allows brackets between them."""

    path: Path
    offset: int
    nested: bool = False

    def stored(self, units: int) -> Iterator[NDArray[Any]]:  # noqa: ARG002  text is cut where a number ends
        """Arrays of float64, as many as a piece of text holds."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                rest = b""
                while data := file.read(_TEXT_BYTES):
                    text, rest = _cut(rest + data)
                    yield np.array(read_values(text.decode("ascii"), nested=self.nested), np.float64)
                yield np.array(read_values(rest.decode("ascii"), nested=self.nested), np.float64)
        except (OSError, UnicodeDecodeError, FormatError) as error:
            raise UnreadableTensor(f"{self.path.name} cannot be read ({error})") from error


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """The text up to the last white space, and the beginning of a number behind it."""
    end = max(data.rfind(b"\n"), data.rfind(b" "))
    if end < 0 and len(data) > LONGEST_TOKEN:
        raise FormatError(f"{data[:40]!r} is no number")
    return data[: end + 1], data[end + 1 :]

"""numpy's files (npy of format 1.0 and 2.0, npz), read by numpy, without pickles, once their headers were checked.

numpy allocates what a header claims. Nothing is taken from a header but what the bytes behind it can fill, so a damaged
or hostile file costs no memory. https://numpy.org/neps/nep-0001-npy-format.html
"""

from __future__ import annotations

import io
import math
import zipfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from trtlens.accuracy.encodings import dtype_name
from trtlens.accuracy.tensors import LARGEST_HEADER, UnreadableTensor
from trtlens.errors import TrtlensError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

MAGIC = b"\x93NUMPY"

_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True, slots=True)
class NpyHeader:
    """What stands before the values: `size` is in bytes, `fortran` says that the first index runs fastest."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    size: int

    @property
    def name(self) -> str:
        """The type as trtlens spells it.

        Raises:
            UnreadableTensor: the type has no numbers that can be compared.

        """
        name = dtype_name(self.dtype)
        if name is not None:
            return name
        if self.dtype.kind == "V" and self.dtype.names is None:
            raise UnreadableTensor(
                f"its type is one that numpy lacks, saved as {self.dtype.itemsize} raw bytes a value: save it as float32"
            )
        raise UnreadableTensor(f"its type {str(self.dtype)[:60]} holds no numbers that can be compared")


def read_header(stream: IO[bytes], size_bytes: int) -> NpyHeader:
    """Read the header of an npy file of that size from its beginning.

    Raises:
        UnreadableTensor: it is none, holds objects, or states more values than there are.

    """
    try:
        # numpy reads as much as the header claims to be long, which a small archive can expand to gigabytes
        head = io.BytesIO(stream.read(LARGEST_HEADER + len(MAGIC) + 6))
        version = np.lib.format.read_magic(head)
        found = _READERS[version](head, max_header_size=LARGEST_HEADER) if version in _READERS else None
    except Exception as error:  # besides ValueError comes what numpy's tokenizer, zlib and lzma raise
        raise UnreadableTensor(f"its npy header cannot be read ({str(error)[:120]})") from error
    if found is None:
        raise UnreadableTensor(f"its npy format {version[0]}.{version[1]} is only used for records of named fields")
    shape, fortran, dtype = found
    header = NpyHeader(dtype, tuple(map(int, shape)), bool(fortran) and len(shape) > 1, head.tell())
    _check(header, size_bytes)
    return header


def _check(header: NpyHeader, size_bytes: int) -> None:
    if header.dtype.hasobject:
        raise UnreadableTensor("it holds pickled objects, which could run code: save plain numbers")
    if not all(extent >= 0 for extent in header.shape):
        raise UnreadableTensor(f"its npy header states the shape {list(header.shape)}")
    needed = math.prod(header.shape) * header.dtype.itemsize
    if needed > size_bytes - header.size:
        raise UnreadableTensor(
            f"its shape {list(header.shape)} of {str(header.dtype)[:60]} takes {needed} bytes and the file holds "
            f"{size_bytes - header.size}"
        )


def read_array(data: bytes) -> NDArray[Any]:
    """The array of an npy file's bytes; raises UnreadableTensor for a header that is refused."""
    read_header(io.BytesIO(data), len(data))
    array: NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False, max_header_size=LARGEST_HEADER)
    return array


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Every array of an npz file by its name; that of an npy file under the empty name.

    Raises:
        TrtlensError: the file cannot be read, or one of its arrays is broken, no array, or holds objects.

    """
    try:
        with path.open("rb") as stream:
            if stream.read(len(MAGIC)) != MAGIC:
                return dict(_members(stream))
        return {"": read_array(path.read_bytes())}
    except FileNotFoundError as error:
        raise TrtlensError(f"{path} cannot be read ({error.strerror}): check the name") from error
    except Exception as error:  # what numpy, zipfile and the decompressors raise has no common class
        raise TrtlensError(f"{path} cannot be read as arrays of numpy ({error}): write it with numpy.savez") from error


def _members(stream: IO[bytes]) -> Iterator[tuple[str, NDArray[Any]]]:
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            try:
                with archive.open(info) as member:
                    read_header(member, info.file_size)  # before the whole of it is decompressed
                yield name, read_array(archive.read(info))
            except UnreadableTensor as reason:
                raise UnreadableTensor(f"{name}: {reason}") from reason

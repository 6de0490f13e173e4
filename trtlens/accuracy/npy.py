"""The headers of numpy's files (format 1.0 and 2.0), read without ever unpickling and checked against the file's size.

An array of objects is a pickle; a type that numpy lacks (BF16, FP8) is written as void, from which the type cannot be
told. Both are refused with the reason. https://numpy.org/neps/nep-0001-npy-format.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from tokenize import TokenError
from typing import IO, Any

import numpy as np

from trtlens.accuracy.encodings import dtype_name
from trtlens.accuracy.tensors import UnreadableTensor

MAGIC = b"\x93NUMPY"

_LARGEST_HEADER = 10_000
# numpy repairs headers of Python 2 with the tokenizer, which has an error of its own.
_BROKEN = (
    ValueError, TypeError, KeyError, SyntaxError, EOFError, OSError, RecursionError, MemoryError, OverflowError, TokenError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NpyHeader:
    """What stands before the values: `size` is in bytes, `fortran` says that the first index runs fastest."""

    dtype: np.dtype[Any]
    name: str
    shape: tuple[int, ...]
    fortran: bool
    size: int


def read_header(stream: IO[bytes], size_bytes: int) -> NpyHeader:
    """Read the header of an npy file of that size from its beginning.

    Raises:
        UnreadableTensor: it is none, holds objects or a type that has no number, or states more values than there are.

    """
    try:
        version = np.lib.format.read_magic(stream)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        if read is None:
            raise UnreadableTensor(f"its npy format {version[0]}.{version[1]} is only used for records of named fields")
        shape, fortran, dtype = read(stream, max_header_size=_LARGEST_HEADER)
        header = stream.tell()
    except _BROKEN as error:
        raise UnreadableTensor(f"its npy header cannot be read ({str(error)[:120]})") from error
    name = _checked_type(dtype)
    if not all(extent >= 0 for extent in shape):
        raise UnreadableTensor(f"its npy header states the shape {list(shape)}")
    needed = math.prod(shape) * dtype.itemsize
    if needed > size_bytes - header:
        raise UnreadableTensor(
            f"its shape {list(shape)} of {name} takes {needed} bytes and the file holds {size_bytes - header}"
        )
    return NpyHeader(dtype, name, tuple(int(extent) for extent in shape), bool(fortran) and len(shape) > 1, header)


def _checked_type(dtype: np.dtype[Any]) -> str:
    if dtype.hasobject:
        raise UnreadableTensor("it holds pickled objects, which could run code: save plain numbers")
    name = dtype_name(dtype)
    if name is None and dtype.kind == "V" and dtype.names is None:
        raise UnreadableTensor(
            f"its type is one that numpy lacks, saved as {dtype.itemsize} raw bytes a value: save it as float32"
        )
    if name is None:
        raise UnreadableTensor(f"its type {str(dtype)[:60]} holds no numbers that can be compared")
    return name

"""How a tensor's bytes become numbers that can be compared, by trtlens's name of the data type.

What NumPy lacks is ml_dtypes': BF16, FP8 (E4M3 of OCP: no infinity, 0x7f is NaN), FP4 (E2M1), E8M0, INT4. INT4 and FP4
stand two in a byte, the first one in the lower half (TensorRT 10.x, samples/common/debugTensorWriter.cpp). An array
holds the values themselves, of a packed type the bytes.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens_parsers.data_types import DATA_TYPES, DTYPE_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

PACKED = frozenset({"fp4", "int4"})
"""The data types of which two stand in a byte."""
FLOATING = frozenset({"fp64", "fp32", "fp16", "bf16", "fp8", "fp4", "e8m0"})
NATIVE = frozenset({
    "fp64", "fp32", "fp16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool",
})  # fmt: skip
"""The data types that numpy has itself."""

_KNOWN = NATIVE | FLOATING | PACKED
_OF_NUMPY_NAME = {DATA_TYPES[name].numpy: name for name in _KNOWN - PACKED}


def dtype_name(dtype: np.dtype[Any]) -> str | None:
    """Name of a type of numpy or ml_dtypes as trtlens spells it; None for text, objects, records, unpacked 4-bit types."""
    return _OF_NUMPY_NAME.get(dtype.name)


def stored_dtype(dtype: str) -> np.dtype[Any]:
    """The type of a stored unit: the values' own, bytes for a packed type.

    Raises:
        KeyError: the data type is not known.

    """
    if dtype not in _KNOWN:
        raise KeyError(dtype)
    return np.dtype(np.uint8) if dtype in PACKED else _numpy_type(dtype)


@cache
def _numpy_type(dtype: str) -> np.dtype[Any]:
    name = DATA_TYPES[dtype].numpy or ""
    if dtype in NATIVE:
        return np.dtype(name)
    import ml_dtypes  # noqa: PLC0415  most dumps hold what numpy has

    return np.dtype(getattr(ml_dtypes, name))


def stored_count(dtype: str, elements: int) -> int:
    """How many stored units that many elements take."""
    return (elements + 1) // 2 if dtype in PACKED else elements


def stored_shape(dtype: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the array in memory: packed types lie flat, the last byte filled up."""
    return (stored_count(dtype, math.prod(shape)),) if dtype in PACKED else shape


def accepts(dtype: str, found: np.dtype[Any]) -> bool:
    """Whether an array of that type may stand for the data type without a conversion.

    numpy saves a type of ml_dtypes as void of the same size (`V2`), so this counts, and so do unsigned bits.
    """
    own = stored_dtype(dtype)
    if dtype in NATIVE:
        return found == own
    return found == own or (found.kind in "uV" and found.itemsize == own.itemsize)


def decode(dtype: str, stored: NDArray[Any]) -> NDArray[Any]:
    """Numbers from stored units: native types as they are, the others as float32, two for each unit of a packed type."""
    if dtype in NATIVE:
        return stored
    if dtype in PACKED:
        return _numbers(dtype)[np.stack((stored & 15, stored >> 4), axis=-1).reshape(-1)]
    if DTYPE_BITS[dtype] == 8:  # a look-up is six times as fast as ml_dtypes' conversion
        return _numbers(dtype)[stored.view(np.uint8)]
    return stored.view(_numpy_type(dtype)).astype(np.float32)


@cache
def _numbers(dtype: str) -> NDArray[np.float32]:
    """The number of every code of a type of at most 8 bits."""
    codes = np.arange(1 << DTYPE_BITS[dtype], dtype=np.uint8)
    if dtype == "int4":
        codes = (codes ^ np.uint8(8)) - np.uint8(8)  # ml_dtypes keeps the sign in all eight bits
    with np.errstate(invalid="ignore"):  # NaN
        return codes.view(_numpy_type(dtype)).astype(np.float32)


def encode(dtype: str, values: NDArray[np.float32]) -> NDArray[Any]:
    """FP32 numbers rounded to the data type, ties to even; beyond the range is infinity, for FP8 its largest value."""
    if dtype == "fp8":
        values = np.clip(values, -448, 448)
    with np.errstate(over="ignore", invalid="ignore"):  # NaN stays NaN
        return values.astype(_numpy_type(dtype))

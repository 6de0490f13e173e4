"""How numpy holds TensorRT's data types: natively, through ml_dtypes where it is installed, else as raw bits.

BF16 is the upper half of a 32-bit float. FP8 is E4M3 of OCP (bias 7, largest value 448). FP4 (E2M1) and INT4 are two
values a byte, E8M0 is a power of two.
"""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NATIVE: dict[str, str] = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT64": "int64",
    "INT32": "int32",
    "INT8": "int8",
    "UINT8": "uint8",
    "BOOL": "bool",
}
_EXTENSIONS = {"BF16": "bfloat16", "FP8": "float8_e4m3fn"}
_RAW = {"BF16": "uint16", "FP8": "uint8", "E8M0": "uint8", "FP4": "uint8", "INT4": "uint8"}

PACKED = frozenset({"FP4", "INT4"})
"""The data types that put two values into a byte."""

_E4M3_LARGEST = np.float32(448)
_E4M3_SMALLEST_NORMAL_EXPONENT = -6


def storage_type(dtype: str) -> np.dtype[Any]:
    """The numpy type of the values in memory: ml_dtypes' own for BF16 and FP8 where installed, else the raw bits."""
    if dtype in _NATIVE:
        return np.dtype(_NATIVE[dtype])
    return _extension(dtype) or np.dtype(_RAW[dtype])


def stored_shape(dtype: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the array in memory: packed types lie flat, two values a byte, the last byte filled up."""
    return ((math.prod(shape) + 1) // 2,) if dtype in PACKED else shape


def accepts(dtype: str, found: np.dtype[Any]) -> bool:
    """Whether an array of that numpy type may stand for the data type without a conversion.

    numpy saves a type of ml_dtypes as void of the same size (`V2`), so this counts as the raw bits.
    """
    if dtype in _NATIVE:
        return found == np.dtype(_NATIVE[dtype])
    raw = np.dtype(_RAW[dtype])
    return found in (_extension(dtype), raw) or (found.kind == "V" and found.itemsize == raw.itemsize)


def raw_values(dtype: str, array: NDArray[np.generic]) -> NDArray[np.generic]:
    """The array as it goes to memory: C-contiguous, little-endian, and viewed as its storage type."""
    return np.ascontiguousarray(array).view(storage_type(dtype)).reshape(array.shape)


def from_floats(dtype: str, values: NDArray[np.float32]) -> NDArray[np.generic]:
    """32-bit floats rounded to the data type; floats too large for FP8 become its largest value."""
    extension = _extension(dtype)
    if dtype == "FP8":
        values = np.clip(values, -_E4M3_LARGEST, _E4M3_LARGEST)
    if dtype in _NATIVE:
        return values.astype(_NATIVE[dtype])
    if extension is not None:
        return values.astype(extension)
    return _bfloat16_bits(values) if dtype == "BF16" else _e4m3_bits(values)


def _extension(dtype: str) -> np.dtype[Any] | None:
    name = _EXTENSIONS.get(dtype)
    if name is None:
        return None
    try:
        extension: np.dtype[Any] = np.dtype(getattr(importlib.import_module("ml_dtypes"), name))
    except (ImportError, AttributeError):
        return None
    return extension


def _bfloat16_bits(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Round to nearest, ties to even; finite values only."""
    bits = np.ascontiguousarray(values).view(np.uint32).reshape(values.shape)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _e4m3_bits(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Round to nearest, ties to even; finite values of at most 448 only."""
    magnitude = np.abs(values)
    exponent = np.where(magnitude > 0, np.frexp(magnitude)[1] - 1, _E4M3_SMALLEST_NORMAL_EXPONENT)
    exponent = np.maximum(exponent, _E4M3_SMALLEST_NORMAL_EXPONENT)
    # in units of the last place, so that carries of the mantissa run into the exponent field by themselves
    units = np.rint(np.ldexp(magnitude, 3 - exponent)).astype(np.int64)
    code = units + (exponent - _E4M3_SMALLEST_NORMAL_EXPONENT) * 8
    return np.asarray(code + np.where(np.signbit(values), 0x80, 0), dtype=np.uint8)

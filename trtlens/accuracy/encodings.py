"""How the bytes of a tensor become numbers that numpy can compare, by trtlens's name of the data type.

BF16 is the upper half of FP32; FP8 is E4M3 of OCP (no infinity, 0x7f is NaN), FP4 is E2M1, E8M0 a power of two; INT4
and FP4 stand two in a byte, the first one in the lower half (TensorRT 10.x, samples/common/debugTensorWriter.cpp).
The tables are made from the definitions, so nothing beyond numpy is needed to read them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NATIVE = {
    "fp64": "float64", "fp32": "float32", "fp16": "float16", "int64": "int64", "int32": "int32", "int16": "int16",
    "int8": "int8", "uint64": "uint64", "uint32": "uint32", "uint16": "uint16", "uint8": "uint8", "bool": "bool",
}  # fmt: skip
"""The data types that numpy has itself."""

_ENCODED = {"bf16": "uint16", "fp8": "uint8", "e8m0": "uint8", "fp4": "uint8", "int4": "uint8"}
PACKED = frozenset({"fp4", "int4"})
"""The data types of which two stand in a byte."""

FLOATING = frozenset({"fp64", "fp32", "fp16", "bf16", "fp8", "fp4", "e8m0"})
_NAMES = {name: dtype for dtype, name in NATIVE.items()} | {
    "bfloat16": "bf16", "float8_e4m3fn": "fp8", "float4_e2m1fn": "fp4", "float8_e8m0fnu": "e8m0",
}  # fmt: skip
_API_NAMES = {"float": "fp32", "half": "fp16"}


def dtype_name(dtype: np.dtype[Any]) -> str | None:
    """Name of a numpy type as trtlens spells it, of ml_dtypes's types too; None where there is none (text, objects, records)."""
    return _NAMES.get(dtype.name)


def api_dtype(name: str) -> str | None:
    """Name, as trtlens spells it, of a member of `tensorrt.DataType`, such as HALF or BF16; None for an unknown one."""
    known = _API_NAMES.get(name.lower(), name.lower())
    return known if known in NATIVE or known in _ENCODED else None


def stored_dtype(dtype: str) -> np.dtype[Any]:
    """The numpy type of the stored units: the values themselves, or their bits.

    Raises:
        KeyError: the data type is not known.

    """
    return np.dtype({**NATIVE, **_ENCODED}[dtype])


def stored_count(dtype: str, elements: int) -> int:
    """How many stored units that many elements take."""
    return (elements + 1) // 2 if dtype in PACKED else elements


def decode(dtype: str, stored: NDArray[Any]) -> NDArray[Any]:
    """Numbers from stored units: native types as they are, the others as float32, two for each unit of a packed type."""
    if dtype == "bf16":
        return (stored.astype(np.uint32) << 16).view(np.float32)
    if dtype in PACKED:
        table = _int4_table() if dtype == "int4" else _fp4_table()
        return table[np.stack((stored & 15, stored >> 4), axis=-1).reshape(-1)]
    if dtype == "fp8":
        return _fp8_table()[stored]
    if dtype == "e8m0":
        return _e8m0_table()[stored]
    return stored


@cache
def _fp8_table() -> NDArray[np.float32]:
    codes = np.arange(256)
    exponent, mantissa = (codes >> 3) & 15, codes & 7
    values = np.where(exponent == 0, mantissa * 2.0**-9, (8 + mantissa) * 2.0 ** (exponent - 10.0))
    values = np.where(codes & 127 == 127, np.nan, values)
    return np.copysign(values, np.where(codes & 128, -1.0, 1.0)).astype(np.float32)


@cache
def _e8m0_table() -> NDArray[np.float32]:
    values = 2.0 ** (np.arange(256) - 127.0)
    values[255] = np.nan
    return values.astype(np.float32)


@cache
def _fp4_table() -> NDArray[np.float32]:
    magnitudes = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
    return np.array([*magnitudes, *(-value for value in magnitudes)], np.float32)


@cache
def _int4_table() -> NDArray[np.float32]:
    return np.array([*range(8), *range(-8, 0)], np.float32)


def round_to(dtype: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """FP32 numbers rounded to the nearest FP16 or BF16 (ties to even) and widened again; beyond the range is infinity."""
    if dtype == "fp16":
        with np.errstate(over="ignore"):
            return values.astype(np.float16).astype(np.float32)
    return decode("bf16", bf16_bits(values))


def bf16_bits(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The bits of the nearest BF16, ties to even; every NaN becomes the quiet one of its sign."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32).reshape(values.shape)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    quiet = (bits >> np.uint32(16)) | np.uint32(0x0040)
    is_nan = (bits & np.uint32(0x7FFFFFFF)) > np.uint32(0x7F800000)
    return np.where(is_nan, quiet, rounded).astype(np.uint16)

"""Names of data types: every spelling that TensorRT 5 to 11 and TensorRT-RTX print, and trtlens's own.

One type has many names: `Float` in a layer line, `FP32` in a format sentence, `Half` and `FP16`, `BFloat16` and `BF16`,
`FP4E2M1` in a Myelin kernel. A name that is not listed is unknown (None); it is never guessed from its digits.
"""

from __future__ import annotations

_SPELLINGS = {
    "fp64": ("double", "fp64"),
    "fp32": ("float", "fp32"),
    "tf32": ("tf32",),
    "fp16": ("half", "fp16"),
    "bf16": ("bfloat16", "bf16"),
    "fp8": ("fp8", "float8e4m3", "float8e5m2", "fp8e4m3", "fp8e5m2"),
    "fp4": ("fp4", "float4", "fp4e2m1"),
    "e8m0": ("e8m0",),
    "int64": ("int64",),
    "int32": ("int32",),
    "int16": ("int16",),
    "int8": ("int8",),
    "int4": ("int4",),
    "uint64": ("uint64",),
    "uint32": ("uint32",),
    "uint16": ("uint16",),
    "uint8": ("uint8",),
    "bool": ("bool",),
    "complex64": ("floatcomplex",),
    "complex128": ("doublecomplex",),
}
_DTYPE_OF = {spelling: dtype for dtype, spellings in _SPELLINGS.items() for spelling in spellings}

DTYPE_BITS = {
    "complex128": 128,
    **dict.fromkeys(("fp64", "int64", "uint64", "complex64"), 64),
    **dict.fromkeys(("fp32", "tf32", "int32", "uint32"), 32),
    **dict.fromkeys(("fp16", "bf16", "int16", "uint16"), 16),
    **dict.fromkeys(("fp8", "e8m0", "int8", "uint8", "bool"), 8),
    **dict.fromkeys(("fp4", "int4"), 4),
}
"""Bits that one element occupies in device memory; tf32 is stored as fp32, a bool fills a byte."""

PRINTED_DTYPES = (
    "Float|Half|Int8|Int32|Int64|Bool|BFloat16|FP8|UInt8|FP4|Int4|FP4E2M1|E8M0"
    "|Double|Int16|UInt16|UInt32|UInt64|FloatComplex|DoubleComplex"
)
"""Alternatives, for a regular expression, of the names that stand before a tensor's dimensions or strides."""


def read_dtype(name: str) -> str | None:
    """Translate a printed type name, in any case, to trtlens's spelling; None for a name that no TensorRT prints."""
    return _DTYPE_OF.get(name.lower())

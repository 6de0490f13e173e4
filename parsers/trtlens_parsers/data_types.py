"""Data types: one row each, with every name that TensorRT, its logs and kernels, ONNX and NumPy have for it.

One type has many names: `Float` in a layer line, `FP32` in a format sentence, `Half` and `FP16`, `BFloat16` and `BF16`.
Kernels have more: xmma writes f16, i8, e4m3; cask fp16, int8, int8x4; CUTLASS s8, bf16, ue8m0xe4m3; C++ float, __half.
A name that is not listed is unknown (None); it is never guessed from its digits.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class DataType(NamedTuple):
    """One data type; ``name`` is trtlens's own spelling.

    Attributes:
        bits: what one element occupies in device memory; tf32 is stored as fp32, a bool fills a byte.
        api: the member of ``tensorrt.DataType`` (8.6 to 11.4), None where it has none.
        onnx: the number in ``onnx.TensorProto.DataType``.
        numpy: the name in NumPy or, for what NumPy lacks, in ml_dtypes.
        printed: spellings before a tensor's dimensions or strides in logs of TensorRT 5 to 11 and TensorRT-RTX.
        others: further spellings in logs and inspector JSON, in lower case.
        kernels: spellings in kernel names.
    """

    name: str
    bits: int
    api: str | None
    onnx: int | None
    numpy: str | None
    printed: tuple[str, ...]
    others: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()


_ROWS: Final = (
    DataType("fp64", 64, None, 11, "float64", ("Double",), ("fp64",)),
    DataType("fp32", 32, "FLOAT", 1, "float32", ("Float",), ("fp32",), ("f32", "fp32", "float")),
    DataType("tf32", 32, None, None, None, (), ("tf32",), ("tf32",)),
    DataType("fp16", 16, "HALF", 10, "float16", ("Half",), ("fp16",), ("f16", "fp16", "fp16x2", "half")),
    DataType("bf16", 16, "BF16", 16, "bfloat16", ("BFloat16",), ("bf16",), ("bf16", "bfloat16")),
    DataType("fp8", 8, "FP8", 17, "float8_e4m3fn", ("FP8",), ("float8e4m3", "float8e5m2", "fp8e4m3", "fp8e5m2"), ("e4m3", "e5m2", "fp8")),
    DataType("fp4", 4, "FP4", 23, "float4_e2m1fn", ("FP4", "FP4E2M1"), ("float4",), ("e2m1",)),
    DataType("e8m0", 8, "E8M0", 24, "float8_e8m0fnu", ("E8M0",)),
    DataType("int64", 64, "INT64", 7, "int64", ("Int64",), (), ("i64", "s64")),
    DataType("int32", 32, "INT32", 6, "int32", ("Int32",), (), ("i32", "s32", "int32")),
    DataType("int16", 16, None, 5, "int16", ("Int16",)),
    DataType("int8", 8, "INT8", 3, "int8", ("Int8",), (), ("i8", "s8", "int8", "int8x4")),
    DataType("int4", 4, "INT4", 22, "int4", ("Int4",), (), ("i4", "s4", "int4")),
    DataType("uint64", 64, None, 13, "uint64", ("UInt64",)),
    DataType("uint32", 32, None, 12, "uint32", ("UInt32",)),
    DataType("uint16", 16, None, 4, "uint16", ("UInt16",)),
    DataType("uint8", 8, "UINT8", 2, "uint8", ("UInt8",)),
    DataType("bool", 8, "BOOL", 9, "bool", ("Bool",)),
    DataType("complex64", 64, None, 14, "complex64", ("FloatComplex",)),
    DataType("complex128", 128, None, 15, "complex128", ("DoubleComplex",)),
)  # fmt: skip

DATA_TYPES: Final = {row.name: row for row in _ROWS}
"""Every data type by trtlens's name."""

FLOATS: Final = frozenset({"fp32", "tf32", "fp16", "bf16", "fp8", "fp4"})
"""Floating types that a kernel multiplies."""

CHOSEN_TYPES: Final = frozenset({"fp32", "fp16", "bf16", "fp8", "fp4", "int8", "int4"})
"""Types of tensors that the builder chooses a layer's precision from; indices and masks say nothing of it."""

DTYPE_BITS: Final = {row.name: row.bits for row in _ROWS}

PRINTED_DTYPES: Final = "|".join(spelling for row in _ROWS for spelling in row.printed)
"""Alternatives, for a regular expression, of the names that stand before a tensor's dimensions or strides."""

_OF_SPELLING = {text.lower(): row.name for row in _ROWS for text in (*row.printed, *row.others)}
_OF_API_NAME = {row.api: row.name for row in _ROWS if row.api is not None}
_OF_ONNX_NUMBER = {row.onnx: row.name for row in _ROWS if row.onnx is not None}


def read_dtype(name: str) -> str | None:
    """Translate a printed type name, in any case, to trtlens's spelling; None for a name that no TensorRT prints."""
    return _OF_SPELLING.get(name.lower())


def api_dtype(name: str) -> str | None:
    """Translate a member of ``tensorrt.DataType``, such as HALF or BF16, in any case; None for an unknown one."""
    return _OF_API_NAME.get(name.upper())


def onnx_dtype(number: int) -> str | None:
    """Translate a number of ``onnx.TensorProto.DataType``; None for one that trtlens has no name for, such as text."""
    return _OF_ONNX_NUMBER.get(number)


# -- in kernel names -------------------------------------------------------------------------------------------------

_OF_KERNEL_WORD = {word: row.name for row in _ROWS for word in row.kernels}

# Words that stand where a type stands, though trtlens has no name for them.
_OTHER_KERNEL_TYPES = ("f64", "fp64", "u8", "u4", "u32", "b1", "e3m2", "e2m3", "ue8m0", "ue4m3", "void")

# Longest first, so that "bf16" is not read as "b" and "f16", nor "tf32f32" as "t" and "f32".
ANY_TYPE = "|".join(sorted((*_OF_KERNEL_WORD, *_OTHER_KERNEL_TYPES), key=len, reverse=True))

# cask, cuBLAS and CUTLASS: the letter before "gemm" or "cudnn" is the type of the sums.
ACCUMULATOR_LETTERS = {"s": "fp32", "h": "fp16", "i": "int32"}

# cask and CUTLASS 2 run the three numbers of a matrix instruction together.
MMA_DIGITS = {
    "884": "8x8x4",
    "1688": "16x8x8",
    "16816": "16x8x16",
    "8816": "8x8x16",
    "8832": "8x8x32",
    "16832": "16x8x32",
    "16864": "16x8x64",
    "161616": "16x16x16",
}


def type_of(word: str | None) -> str | None:
    """The trtlens name of a type as a kernel name spells it; block-scaled "ue8m0xe4m3" is the type of its elements."""
    if word is None:
        return None
    if word.startswith("ue") and "x" in word:
        word = word.rpartition("x")[2]
    return _OF_KERNEL_WORD.get(word)


def is_type(word: str) -> bool:
    """Whether a word stands for a data type, also one that trtlens has no name for."""
    return word in _OF_KERNEL_WORD or word in _OTHER_KERNEL_TYPES or (word.startswith("ue") and "x" in word)

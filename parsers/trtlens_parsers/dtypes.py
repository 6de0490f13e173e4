"""Names of data types: every spelling that TensorRT 5 to 11 and TensorRT-RTX print, and trtlens's own.

One type has many names: `Float` in a layer line, `FP32` in a format sentence, `Half` and `FP16`, `BFloat16` and `BF16`.
Kernels have more: xmma writes f16, i8, e4m3; cask fp16, int8, int8x4; CUTLASS s8, bf16, ue8m0xe4m3; C++ float, __half.
A name that is not listed is unknown (None); it is never guessed from its digits.
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


# -- in kernel names -------------------------------------------------------------------------------------------------

_KERNEL_SPELLINGS = {
    "fp32": ("f32", "fp32", "float"),
    "tf32": ("tf32",),
    "fp16": ("f16", "fp16", "fp16x2", "half"),
    "bf16": ("bf16", "bfloat16"),
    "fp8": ("e4m3", "e5m2", "fp8"),
    "fp4": ("e2m1",),
    "int8": ("i8", "s8", "int8", "int8x4"),
    "int4": ("i4", "s4", "int4"),
    "int32": ("i32", "s32", "int32"),
    "int64": ("i64", "s64"),
}
_TYPE_OF_WORD = {word: dtype for dtype, words in _KERNEL_SPELLINGS.items() for word in words}

# Words that stand where a type stands, though trtlens has no name for them.
_OTHER_KERNEL_TYPES = ("f64", "fp64", "u8", "u4", "u32", "b1", "e3m2", "e2m3", "ue8m0", "ue4m3", "void")

# Longest first, so that "bf16" is not read as "b" and "f16", nor "tf32f32" as "t" and "f32".
ANY_TYPE = "|".join(sorted((*_TYPE_OF_WORD, *_OTHER_KERNEL_TYPES), key=len, reverse=True))

FLOATS = frozenset({"fp32", "tf32", "fp16", "bf16", "fp8", "fp4"})

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
    return _TYPE_OF_WORD.get(word)


def is_type(word: str) -> bool:
    """Whether a word stands for a data type, also one that trtlens has no name for."""
    return word in _TYPE_OF_WORD or word in _OTHER_KERNEL_TYPES or (word.startswith("ue") and "x" in word)

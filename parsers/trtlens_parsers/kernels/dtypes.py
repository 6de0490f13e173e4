"""The many spellings of a data type in kernel names, and what trtlens calls them.

xmma writes f16, i8, e4m3; cask fp16, int8, int8x4; CUTLASS s8, bf16, ue8m0xe4m3; C++ float, __half, __nv_bfloat16.
Types that trtlens has no word for (f64, u8, FP6) read as None.
"""

from __future__ import annotations

from typing import Final

SPELLINGS: Final[dict[str, str]] = {
    "f32": "fp32",
    "fp32": "fp32",
    "float": "fp32",
    "tf32": "tf32",
    "f16": "fp16",
    "fp16": "fp16",
    "fp16x2": "fp16",
    "half": "fp16",
    "bf16": "bf16",
    "bfloat16": "bf16",
    "e4m3": "fp8",
    "e5m2": "fp8",
    "fp8": "fp8",
    "e2m1": "fp4",
    "i8": "int8",
    "s8": "int8",
    "int8": "int8",
    "int8x4": "int8",
    "i4": "int4",
    "s4": "int4",
    "int4": "int4",
    "i32": "int32",
    "s32": "int32",
    "int32": "int32",
    "i64": "int64",
    "s64": "int64",
}

# Words that stand where a type stands, though trtlens has no name for them.
_FOREIGN: Final = ("f64", "fp64", "u8", "u4", "u32", "b1", "e3m2", "e2m3", "ue8m0", "ue4m3", "void")

# Longest first, so that "bf16" is not read as "b" and "f16", nor "tf32f32" as "t" and "f32".
ANY_TYPE: Final = "|".join(sorted((*SPELLINGS, *_FOREIGN), key=len, reverse=True))

FLOATS: Final = frozenset({"fp32", "tf32", "fp16", "bf16", "fp8", "fp4"})

# cask, cuBLAS and CUTLASS: the letter before "gemm" or "cudnn" is the type of the sums.
ACCUMULATOR_LETTERS: Final[dict[str, str]] = {"s": "fp32", "h": "fp16", "i": "int32"}

# cask and CUTLASS 2 run the three numbers of a matrix instruction together.
MMA_DIGITS: Final[dict[str, str]] = {
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
    return SPELLINGS.get(word)


def is_type(word: str) -> bool:
    """Whether a word stands for a data type, also one that trtlens has no name for."""
    return word in SPELLINGS or word in _FOREIGN or (word.startswith("ue") and "x" in word)

"""Distances in units of the last place of FP16 or BF16, counted in a histogram of bounded size.

A 16-bit float has 65,536 codes; put in order they run from the most negative to the most positive number, and the
distance of two numbers is the difference of their places (0 for equal ones, 1 for neighbours; -0 and 0 are equal). So a
histogram of at most 131,072 bins holds every distance, and median and percentile come from it exactly.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from trtlens.accuracy.encodings import encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIRST_BINS = 64
_INFINITY_CODE = 0x7C00
# Adding 0.5 puts the last place of FP16's subnormals (2**-24) at the last place of the sum: the FPU rounds them.
_HALF_BITS = np.int32(0x3F000000)
_SMALLEST_NORMAL_BITS = np.int32(0x38800000)  # 2**-14 in FP32
# what turns the exponent's bias of 127 into 15, less the 0xfff that rounds half a last place up (to even with one more)
_REBIAS = np.int32(((127 - 15) << 23) - 0xFFF)
_LARGEST_BITS = np.int32(0x477FE000)  # 65504 in FP32


def fp16_places(values: NDArray[np.float32]) -> NDArray[np.int32]:
    """The place of each number, rounded to FP16, among all FP16 numbers; numbers beyond 65504 take that of infinity.

    Does in integers what `astype(float16)` does, in a half of its time, and in a twentieth for what FP16 holds as
    subnormal numbers (benchmarks/accuracy.py). NaN must not be among the values.
    """
    bits = values.view(np.int32)
    magnitude = bits & np.int32(0x7FFFFFFF)
    codes = magnitude >> np.int32(13)
    codes &= np.int32(1)
    codes += magnitude
    codes -= _REBIAS
    codes >>= np.int32(13)
    if magnitude.max(initial=0) > _LARGEST_BITS:
        np.minimum(codes, np.int32(_INFINITY_CODE), out=codes)
    small = magnitude < _SMALLEST_NORMAL_BITS
    if small.any():
        codes[small] = (magnitude[small].view(np.float32) + np.float32(0.5)).view(np.int32) - _HALF_BITS
    return _signed(codes, bits >> np.int32(31))


def _signed(codes: NDArray[np.int32], signs: NDArray[np.int32]) -> NDArray[np.int32]:
    """The codes, negated where the sign is -1 and not 0; a choice by a mask takes ten times as long."""
    codes ^= signs
    codes -= signs
    return codes


def bf16_places(values: NDArray[np.float32]) -> NDArray[np.int32]:
    """The place of each number, rounded to BF16, among all BF16 numbers; NaN must not be among the values."""
    bits = encode("bf16", values).view(np.int16).astype(np.int32)
    return _signed(bits & np.int32(0x7FFF), bits >> np.int32(31))


class UlpHistogram:
    """Counts distances between pairs of numbers that come in chunks; as long as the largest distance needs."""

    def __init__(self, dtype: str) -> None:
        self._places = fp16_places if dtype == "fp16" else bf16_places
        self._counts = np.zeros(_FIRST_BINS, np.int64)

    def add(self, reference: NDArray[np.float32], run: NDArray[np.float32]) -> None:
        """Count the distances of finite pairs."""
        distances = np.abs(self._places(reference) - self._places(run))
        counts = np.bincount(distances, minlength=_FIRST_BINS)
        if counts.size > self._counts.size:
            counts, self._counts = self._counts, counts
        self._counts[: counts.size] += counts

    def quantiles(self, *shares: float) -> tuple[float | None, ...]:
        """For each share the smallest distance that at least that share of the pairs does not exceed; None without pairs."""
        below = np.cumsum(self._counts)
        total = int(below[-1])
        if not total:
            return tuple(None for _ in shares)
        return tuple(float(np.searchsorted(below, max(math.ceil(share * total), 1))) for share in shares)

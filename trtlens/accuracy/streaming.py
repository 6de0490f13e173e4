"""Sums, extremes and counts of a pair of tensors, gathered in one pass over both in chunks.

Everything is summed in float64, so that the sums of FP16 and FP32 tensors are exact to about 1e-15 a chunk. Metrics are
of the pairs in which both numbers are finite; NaN and infinity are counted beside them. A chunk in which all numbers
are finite, which its sums of squares tell, takes the fast way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from trtlens.accuracy.encodings import encode

if TYPE_CHECKING:
    from numpy.typing import NDArray


FP16_LARGEST = 65504.0
FP16_SMALLEST = 2.0**-24
"""Smallest FP16 number that is not zero, 5.96e-8; what is under half of it becomes zero."""
FP16_SMALLEST_NORMAL = 2.0**-14
"""Under 6.1e-5 FP16 has fewer bits the smaller the number is."""

_EXACT_INTEGERS = 2**53
_ONE_THREAD = 1 << 13  # OpenBLAS starts threads from 10,000 elements on


@dataclass(slots=True)
class Extremes:
    """Smallest and largest number seen, and how often each of them stood there."""

    low: float = math.inf
    high: float = -math.inf
    low_count: int = 0
    high_count: int = 0

    def add(self, values: NDArray[np.float64]) -> None:
        """Take numbers that are not empty."""
        low, high = float(values.min()), float(values.max())
        if low <= self.low:
            found = int(np.count_nonzero(values == low))
            self.low_count = found + (self.low_count if low == self.low else 0)
            self.low = low
        if high >= self.high:
            found = int(np.count_nonzero(values == high))
            self.high_count = found + (self.high_count if high == self.high else 0)
            self.high = high


@dataclass(slots=True)
class PairSums:
    """What one pass over two tensors gathers; `threshold` is the deviation that counts, as a share of the reference."""

    threshold: float = 0.1
    ulp: UlpHistogram | None = None
    elements: int = 0
    compared: int = 0
    reference_squares: float = 0.0
    run_squares: float = 0.0
    products: float = 0.0
    error_squares: float = 0.0
    error_sum: float = 0.0
    error_largest: float = 0.0
    reference_magnitudes: float = 0.0
    lost_squares: float = 0.0
    deviating: int = 0
    run_zeros: int = 0
    new_zeros: int = 0
    beyond: int = 0
    subnormal: int = 0
    flushed: int = 0
    reference_nan: int = 0
    reference_inf: int = 0
    new_nan: int = 0
    new_inf: int = 0
    reference: Extremes = field(default_factory=Extremes)
    run: Extremes = field(default_factory=Extremes)

    def add(self, reference: NDArray[Any], run: NDArray[Any]) -> None:
        """Take one chunk of each, of equal length.

        Raises:
            OverflowError: whole numbers are too large for float64 to hold them exactly.

        """
        self.elements += reference.size
        a, b = _doubles(reference), _doubles(run)
        with np.errstate(all="ignore"):  # infinities and NaN are counted
            squares = _dot(a, a), _dot(b, b)
            if not math.isfinite(sum(squares)):
                a, b = self._split(a, b)
                reference, run = a, b
                squares = _dot(a, a), _dot(b, b)
            if a.size:
                self.reference_squares += squares[0]
                self.run_squares += squares[1]
                self._add_finite(a, b)
            if self.ulp is not None:
                self.ulp.add(reference.astype(np.float32, copy=False), run.astype(np.float32, copy=False))

    def _split(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Count what is not finite and return the pairs in which both numbers are."""
        a_finite, b_finite = np.isfinite(a), np.isfinite(b)
        both = a_finite & b_finite
        if both.all():  # the squares alone overflow
            return a, b
        a_nan, b_nan = np.isnan(a), np.isnan(b)
        self.reference_nan += int(np.count_nonzero(a_nan))
        self.reference_inf += int(np.count_nonzero(~a_finite & ~a_nan))
        self.new_nan += int(np.count_nonzero(b_nan & ~a_nan))
        self.new_inf += int(np.count_nonzero(~b_finite & ~b_nan & a_finite))
        lost = a[a_finite & ~b_finite]
        self.lost_squares += _dot(lost, lost)
        self._add_reference(np.abs(lost))
        return a[both], b[both]

    def _add_finite(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> None:
        self.compared += a.size
        self.products += _dot(a, b)
        error = a - b
        self.error_squares += _dot(error, error)
        np.abs(error, out=error)
        self.error_sum += float(error.sum())
        self.error_largest = max(self.error_largest, float(error.max()))
        magnitude = np.abs(a)
        self.reference_magnitudes += float(magnitude.sum())
        self._add_reference(magnitude)
        self._add_zeros(magnitude, b)
        self.reference.add(a)
        self.run.add(b)
        magnitude *= self.threshold
        self.deviating += int(np.count_nonzero(error > magnitude))

    def _add_reference(self, magnitude: NDArray[np.float64]) -> None:
        """Count what FP16 could not hold, or not well."""
        small = magnitude[magnitude < FP16_SMALLEST_NORMAL]
        if small.size:
            zeros = int(np.count_nonzero(small == 0))
            flushed = int(np.count_nonzero(small < FP16_SMALLEST)) - zeros
            self.flushed += flushed
            self.subnormal += small.size - zeros - flushed
        if magnitude.size and magnitude.max() > FP16_LARGEST:
            self.beyond += int(np.count_nonzero(magnitude > FP16_LARGEST))

    def _add_zeros(self, magnitude: NDArray[np.float64], run: NDArray[np.float64]) -> None:
        is_zero = run == 0
        zeros = int(np.count_nonzero(is_zero))
        if zeros:
            self.run_zeros += zeros
            self.new_zeros += int(np.count_nonzero(magnitude[is_zero]))


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The inner product in pieces that BLAS leaves to one thread: waking others takes longer than the work."""
    if a.size <= _ONE_THREAD:
        return float(np.dot(a, b))
    starts = range(0, a.size, _ONE_THREAD)
    return float(sum(np.dot(a[start : start + _ONE_THREAD], b[start : start + _ONE_THREAD]) for start in starts))


def _doubles(values: NDArray[Any]) -> NDArray[np.float64]:
    if values.dtype.kind in "iu" and values.dtype.itemsize == 8 and values.size:
        largest = max(abs(int(values.min())), abs(int(values.max())))
        if largest > _EXACT_INTEGERS:
            raise OverflowError(f"it holds the whole number {largest}, beyond what float64 holds exactly")
    return values.astype(np.float64)


@dataclass(slots=True)
class RangeSums:
    """What one pass over one floating tensor gathers of its range."""

    finite: int = 0
    total: float = 0.0
    squares: float = 0.0
    smallest: float = math.inf
    zeros: int = 0
    nan: int = 0
    inf: int = 0
    beyond: int = 0
    subnormal: int = 0
    flushed: int = 0
    extremes: Extremes = field(default_factory=Extremes)

    def add(self, values: NDArray[Any]) -> None:
        """Take one chunk, of any shape."""
        numbers = _doubles(values).reshape(-1)
        is_finite = np.isfinite(numbers)
        if not is_finite.all():
            self.nan += int(np.count_nonzero(np.isnan(numbers)))
            self.inf += int(np.count_nonzero(np.isinf(numbers)))
            numbers = numbers[is_finite]
        if numbers.size:
            self._add_finite(numbers)

    def _add_finite(self, numbers: NDArray[np.float64]) -> None:
        self.finite += numbers.size
        with np.errstate(over="ignore"):
            self.total += float(numbers.sum())
            self.squares += _dot(numbers, numbers)
        self.extremes.add(numbers)
        magnitude = np.abs(numbers)
        filled = magnitude[magnitude > 0]
        self.zeros += numbers.size - filled.size
        if not filled.size:
            return
        self.smallest = min(self.smallest, float(filled.min()))
        small = filled[filled < FP16_SMALLEST_NORMAL]
        flushed = int(np.count_nonzero(small < FP16_SMALLEST))
        self.flushed += flushed
        self.subnormal += small.size - flushed
        self.beyond += int(np.count_nonzero(filled > FP16_LARGEST))


# -- units in the last place -------------------------------------------------------------------------------------------


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
    """Counts distances between pairs of numbers in units of the last place of FP16 or BF16, chunk by chunk.

    The 65,536 codes of a 16-bit float, put in order, run from the most negative to the most positive number; a distance is
    the difference of two places (0 for equal numbers, 1 for neighbours; -0 and 0 are equal). At most 131,072 bins hold
    every distance, so median and percentile are exact.
    """

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

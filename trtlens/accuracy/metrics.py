"""The metrics of one tensor between two runs, from the sums of one pass.

| metric | definition, a the reference and b the run | better |
|---|---|---|
| relative_l2 | norm(a - b) / norm(a) | lower |
| euclidean_similarity | 1 - norm(a - b) / (norm(a) + norm(b)), from 0 to 1 | higher |
| cosine_similarity | a.b / (norm(a) norm(b)) | higher |
| relative_difference | sum of abs(a - b) / sum of abs(a) | lower |
| sqnr_db | 20 log10(norm(a) / norm(a - b)), as in ONNX Runtime's qdq_loss_debug | higher |
| psnr_db | 20 log10(max of abs(a) / root mean square of a - b) | higher |
| deviation_ratio | share of the pairs with abs(a - b) > threshold * abs(a) | lower |

A metric whose denominator is zero is None: for a reference of zeros only the absolute errors are known. Without any
noise the decibels are None as well, and relative_l2 is 0. Where the run has a NaN or an infinity and the reference has
none, these six are None, since they would be of what is left alone, and `error` counts what was there as lost: it is 1
at least. Otherwise `error` is relative_l2. Extremes and absolute errors are of the pairs in which both are finite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtlens.accuracy.encodings import FLOATING
from trtlens.accuracy.streaming import PairSums, RangeSums, UlpHistogram
from trtlens.accuracy.tensors import CHUNK, Tensor, UnreadableTensor
from trtlens_parsers.dump_index import TensorRanges

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

_EXCEEDED = 1.01
_ULP_TYPES = ("fp16", "bf16")


@dataclass(frozen=True, slots=True)
class Metrics:
    """What the table `tensor_errors` says of one compared tensor; names and units are those of its columns."""

    elements: int
    compared: int
    reference_min: float | None
    reference_max: float | None
    run_min: float | None
    run_max: float | None
    max_abs_error: float | None
    mean_abs_error: float | None
    error: float | None
    relative_l2: float | None
    euclidean_similarity: float | None
    cosine_similarity: float | None
    relative_difference: float | None
    sqnr_db: float | None
    psnr_db: float | None
    deviation_threshold: float
    deviating: int
    deviation_ratio: float | None
    ulp_type: str | None
    ulp_median: float | None
    ulp_p99: float | None
    reference_nan: int
    reference_inf: int
    new_nan: int
    new_inf: int
    beyond_fp16_share: float | None
    subnormal_share: float | None
    flushed_share: float | None
    run_zeros: int
    new_zeros: int
    new_zero_share: float | None
    saturated_share: float | None


def measure(reference: Tensor, run: Tensor, *, threshold: float = 0.1, ulp_type: str | None = None) -> Metrics:
    """Compare two tensors in one pass; `ulp_type` is fp16 or bf16, by default the run's own type if it is one of them.

    Raises:
        UnreadableTensor: one of them cannot be read, their shapes differ, or their numbers cannot be compared.

    """
    check_shapes(reference, run)
    ulp_type = ulp_type if ulp_type is not None else run.dtype if run.dtype in _ULP_TYPES else None
    sums = PairSums(threshold, None if ulp_type is None else UlpHistogram(ulp_type))
    try:
        sides = _chunks(reference, "in the reference"), _chunks(run, "in the run")
        for a, b in zip(*sides, strict=True):
            sums.add(a, b)
    except OverflowError as error:
        raise UnreadableTensor(str(error)) from error
    is_float = reference.dtype is None or reference.dtype in FLOATING
    return _metrics(sums, ulp_type, is_float=is_float)


def _chunks(tensor: Tensor, side: str) -> Iterator[NDArray[np.generic]]:
    """The chunks of a tensor; an UnreadableTensor names the side."""
    try:
        yield from tensor.chunks(CHUNK)
    except UnreadableTensor as reason:
        raise UnreadableTensor(f"{side}, {reason}") from reason


def check_shapes(reference: Tensor, run: Tensor) -> None:
    """Raise UnreadableTensor unless both have the same extents, apart from extents of one."""
    ours, theirs = ([extent for extent in tensor.shape if extent != 1] for tensor in (reference, run))
    if ours != theirs:
        raise UnreadableTensor(f"its shape is {list(run.shape)}, that of the reference {list(reference.shape)}")


def _metrics(sums: PairSums, ulp_type: str | None, *, is_float: bool) -> Metrics:
    finite = sums.compared
    ulp_median, ulp_p99 = sums.ulp.quantiles(0.5, 0.99) if sums.ulp is not None else (None, None)
    similarity = _NONE if sums.new_nan or sums.new_inf else _similarity(sums)
    return Metrics(
        elements=sums.elements,
        compared=finite,
        reference_min=sums.reference.low if finite else None,
        reference_max=sums.reference.high if finite else None,
        run_min=sums.run.low if finite else None,
        run_max=sums.run.high if finite else None,
        max_abs_error=sums.error_largest if finite else None,
        mean_abs_error=_ratio(sums.error_sum, finite),
        error=_error(sums),
        **similarity,
        deviation_threshold=sums.threshold,
        deviating=sums.deviating,
        deviation_ratio=_ratio(sums.deviating, finite),
        ulp_type=ulp_type,
        ulp_median=ulp_median,
        ulp_p99=ulp_p99,
        reference_nan=sums.reference_nan,
        reference_inf=sums.reference_inf,
        new_nan=sums.new_nan,
        new_inf=sums.new_inf,
        beyond_fp16_share=_ratio(sums.beyond, sums.elements) if is_float else None,
        subnormal_share=_ratio(sums.subnormal, sums.elements) if is_float else None,
        flushed_share=_ratio(sums.flushed, sums.elements) if is_float else None,
        run_zeros=sums.run_zeros,
        new_zeros=sums.new_zeros,
        new_zero_share=_ratio(sums.new_zeros, sums.run_zeros),
        saturated_share=_ratio(_saturated(sums), finite),
    )


_NONE: dict[str, float | None] = dict.fromkeys(
    ("relative_l2", "euclidean_similarity", "cosine_similarity", "relative_difference", "sqnr_db", "psnr_db")
)


def _similarity(sums: PairSums) -> dict[str, float | None]:
    a, b, error = (math.sqrt(value) for value in (sums.reference_squares, sums.run_squares, sums.error_squares))
    finite = sums.compared
    peak = max(abs(sums.reference.low), abs(sums.reference.high)) if finite else 0.0
    return {
        "relative_l2": _ratio(error, a),
        "euclidean_similarity": _complement(_ratio(error, a + b)),
        "cosine_similarity": _cosine(sums.products, a, b),
        "relative_difference": _ratio(sums.error_sum, sums.reference_magnitudes),
        "sqnr_db": _decibels(a, error),
        "psnr_db": _decibels(peak, error / math.sqrt(finite)) if finite else None,
    }


def _saturated(sums: PairSums) -> int:
    """Count of elements clipped at the run's minimum or maximum: the reference exceeds it by more than 1 %."""
    run, reference = sums.run, sums.reference
    high = run.high_count - 1 if run.high > 0 and reference.high > _EXCEEDED * run.high else 0
    return high + (run.low_count - 1 if run.low < 0 and reference.low < _EXCEEDED * run.low else 0)


def _error(sums: PairSums) -> float | None:
    """Noise over signal, with what became NaN or infinite as lost; 1 at least where anything did."""
    noise = math.sqrt(sums.error_squares + sums.lost_squares)
    signal = math.sqrt(sums.reference_squares + sums.lost_squares)
    error = _ratio(noise, signal)
    if sums.new_nan or sums.new_inf:
        return max(1.0, error or 0.0)
    return 0.0 if noise == 0 and sums.compared else error


def _ratio(part: float, whole: float) -> float | None:
    """The quotient, None where it is not a number."""
    return part / whole if whole and math.isfinite(part) and math.isfinite(whole) else None


def _complement(share: float | None) -> float | None:
    return None if share is None else 1.0 - share


def _cosine(products: float, a: float, b: float) -> float | None:
    cosine = _ratio(products, a * b)
    return None if cosine is None else max(-1.0, min(1.0, cosine))


def _decibels(signal: float, noise: float) -> float | None:
    ratio = _ratio(signal, noise)
    return 20 * math.log10(ratio) if ratio else None


def ranges_of(chunks: Iterable[NDArray[np.generic]]) -> TensorRanges:
    """What the values of a tensor span; raises OverflowError for whole numbers beyond 2**53."""
    sums = RangeSums()
    for chunk in chunks:
        sums.add(chunk)
    low, high = sums.extremes.low, sums.extremes.high
    known = bool(sums.finite)
    return TensorRanges(
        minimum=low if known else None,
        maximum=high if known else None,
        largest=max(abs(low), abs(high)) if known else None,
        smallest=sums.smallest if math.isfinite(sums.smallest) else None,
        mean=_ratio(sums.total, sums.finite),
        rms=_ratio(math.sqrt(sums.squares), math.sqrt(sums.finite)),
        zeros=sums.zeros,
        nan=sums.nan,
        inf=sums.inf,
        beyond=sums.beyond,
        subnormal=sums.subnormal,
        flushed=sums.flushed,
    )

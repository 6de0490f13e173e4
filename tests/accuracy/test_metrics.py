"""The metrics of a pair of tensors: against float64 formulas, against Polygraphy and ONNX Runtime, and at the edges."""

from __future__ import annotations

import math
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.accuracy.conftest import f16, f32, tensor
from trtlens.accuracy.metrics import Metrics, measure, ranges_of
from trtlens.accuracy.streaming import Extremes
from trtlens.accuracy.tensors import CHUNK, InMemory, RawFile, Tensor, UnreadableTensor

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SIZES = (1, 2, 7, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 11)


def pair(size: int, seed: int = 0, noise: float = 1e-2) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    a = random.standard_normal(size).astype(np.float32)
    return a, (a + noise * random.standard_normal(size)).astype(np.float32)


def of(a: Any, b: Any, **options: Any) -> Metrics:
    return measure(tensor(a), tensor(b), **options)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_metrics_equal_the_formulas_in_float64(size: int, dtype: str) -> None:
    """Every metric equals its definition computed over the whole arrays in float64, to 1e-12."""
    a, b = (array.astype(np.dtype(dtype)) for array in pair(size))
    x, y = a.astype(np.float64), b.astype(np.float64)
    found = of(a, b)
    error, norm = x - y, np.linalg.norm
    wanted = {
        "max_abs_error": np.abs(error).max(),
        "mean_abs_error": np.abs(error).mean(),
        "error": norm(error) / norm(x),
        "relative_l2": norm(error) / norm(x),
        "euclidean_similarity": 1 - norm(error) / (norm(x) + norm(y)),
        "cosine_similarity": x @ y / norm(x) / norm(y),
        "relative_difference": np.abs(error).sum() / np.abs(x).sum(),
        "sqnr_db": 20 * np.log10(norm(x) / norm(error)),
        "psnr_db": 20 * np.log10(np.abs(x).max() / np.sqrt((error**2).mean())),
        "deviation_ratio": (np.abs(error) > 0.1 * np.abs(x)).mean(),
        "reference_min": x.min(),
        "reference_max": x.max(),
        "run_min": y.min(),
        "run_max": y.max(),
    }
    for name, value in wanted.items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-12, abs=1e-12), name
    assert (found.elements, found.compared) == (size, size)


@pytest.mark.parametrize("threshold", [0.0, 0.01, 0.5])
def test_deviation_ratio_counts_by_the_threshold_given(threshold: float) -> None:
    """Count, total and share are of the elements that deviate by more than that share of the reference."""
    a, b = pair(1000)
    found = of(a, b, threshold=threshold)
    count = int((np.abs(a.astype(float) - b) > threshold * np.abs(a.astype(float))).sum())
    assert (found.deviating, found.elements, found.deviation_ratio) == (count, 1000, count / 1000)
    assert found.deviation_threshold == threshold


FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(FINITE, min_size=1, max_size=50), st.lists(FINITE, min_size=1, max_size=50))
def test_no_pair_of_numbers_breaks_a_metric(ours: list[float], theirs: list[float]) -> None:
    """Whatever finite numbers: nothing is NaN or infinite, similarities stay in their range."""
    size = min(len(ours), len(theirs))
    found = of(f32(ours[:size]), f32(theirs[:size]))
    values = [getattr(found, name) for name in Metrics.__dataclass_fields__]
    assert all(math.isfinite(value) for value in values if isinstance(value, float))
    assert found.cosine_similarity is None or -1 <= found.cosine_similarity <= 1
    assert found.euclidean_similarity is None or -1e-12 <= found.euclidean_similarity <= 1


@given(st.lists(st.floats(width=16, allow_nan=True, allow_infinity=True), min_size=1, max_size=40), st.data())
def test_nan_and_infinity_are_counted_not_summed(ours: list[float], data: st.DataObject) -> None:
    """Counts of NaN and infinities are exact, and metrics never become NaN because of them."""
    floats = st.floats(width=16, allow_nan=True, allow_infinity=True)
    a = f16(ours)
    b = f16(data.draw(st.lists(floats, min_size=len(ours), max_size=len(ours))))
    found = of(a, b)
    assert found.reference_nan == int(np.isnan(a).sum())
    assert found.new_nan == int((np.isnan(b) & ~np.isnan(a)).sum())
    assert found.new_inf == int((np.isinf(b) & np.isfinite(a)).sum())
    assert found.compared == int((np.isfinite(a) & np.isfinite(b)).sum())
    assert all(
        math.isfinite(value)
        for name in Metrics.__dataclass_fields__
        if isinstance(value := getattr(found, name), float)
    )
    if found.new_nan or found.new_inf:
        assert found.error is not None
        assert found.error >= 1
        assert found.sqnr_db is found.cosine_similarity is None


@pytest.mark.parametrize(
    ("a", "b", "known"),
    [
        ([0.0] * 4, [0.0] * 4, {"error": 0.0, "relative_l2": None, "cosine_similarity": None, "max_abs_error": 0.0}),
        ([0.0] * 4, [1.0] * 4, {"error": None, "relative_l2": None, "sqnr_db": None, "max_abs_error": 1.0}),
        ([1.0] * 4, [0.0] * 4, {"error": 1.0, "cosine_similarity": None, "sqnr_db": 0.0, "euclidean_similarity": 0.0}),
        ([2.0] * 4, [2.0] * 4, {"error": 0.0, "cosine_similarity": 1.0, "sqnr_db": None, "psnr_db": None}),
        ([-3.0], [3.0], {"error": 2.0, "cosine_similarity": -1.0, "euclidean_similarity": 0.0}),
    ],
)
def test_zero_and_constant_tensors_do_not_divide_by_zero(
    a: list[float], b: list[float], known: dict[str, float | None]
) -> None:
    """A metric without a denominator is None; what can be known is."""
    found = of(a, b)
    assert {name: getattr(found, name) for name in known} == pytest.approx(known)


def test_empty_tensors_compare_to_nothing() -> None:
    """Tensors without elements give counts of zero and no numbers."""
    found = of(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32))
    assert (found.elements, found.compared, found.error, found.reference_max) == (0, 0, None, None)


def test_all_nan_run_is_told() -> None:
    """A run of NaN alone has an error of 1 and as many new NaN as elements."""
    found = of([1.0, 2.0, 3.0], [math.nan] * 3)
    assert (found.error, found.new_nan, found.compared, found.max_abs_error) == (1.0, 3, 0, None)


def test_fp16_range_is_counted_on_the_reference() -> None:
    """Shares beyond 65504, among subnormal numbers and under the smallest one are those of the reference."""
    a = [0.0, 1.0, 65504.0, 65505.0, -1e9, 6e-8, 6.1e-5, 6.2e-5, 5.9e-8, -1e-20]
    found = of(a, a)
    assert found.beyond_fp16_share == pytest.approx(0.2)
    assert found.subnormal_share == pytest.approx(0.2)
    assert found.flushed_share == pytest.approx(0.2)


def test_zeros_that_were_not_zero_are_counted() -> None:
    """New zeros are zeros of the run where the reference is not zero, and their share is of the run's zeros."""
    found = of([0.0, 1e-9, 2.0, 3.0], [0.0, 0.0, 0.0, 3.0])
    assert (found.run_zeros, found.new_zeros, found.new_zero_share) == (3, 2, 2 / 3)


def test_saturation_is_seen_at_a_range_that_the_reference_exceeds() -> None:
    """Values heaped at the run's end count where the reference goes on; a ReLU's zeros and a lone extreme do not."""
    a = np.linspace(-1, 1, 101).astype(np.float32)
    clipped = of(a, np.clip(a, -0.8, 0.8))
    assert clipped.saturated_share == pytest.approx(20 / 101)
    assert of(np.maximum(a, 0), np.maximum(a * 0.9, 0)).saturated_share == 0
    assert of(a, a * np.float32(0.9)).saturated_share == 0


def test_ulp_distance_is_that_of_fp16_codes() -> None:
    """Median and 99th percentile equal those of the sorted distances between FP16 codes."""
    a, b = pair(5001, noise=3e-3)
    places = [np.where((c := x.astype(np.float16).view(np.int16).astype(int)) < 0, -(c & 0x7FFF), c) for x in (a, b)]
    distances = np.sort(np.abs(places[0] - places[1]))
    found = of(a, b, ulp_type="fp16")
    assert found.ulp_median == distances[math.ceil(0.5 * 5001) - 1]
    assert found.ulp_p99 == distances[math.ceil(0.99 * 5001) - 1]
    assert of(a, b).ulp_type is None
    assert of(a.astype(np.float16), b.astype(np.float16)).ulp_type == "fp16"


def test_ulp_distance_across_the_whole_range() -> None:
    """From the most negative to the most positive number, through both zeros, the histogram still holds the distance."""
    found = of(f16([-65504]), f16([65504]))
    assert found.ulp_median == 2 * 0x7BFF
    assert of(f16([-0.0]), f16([0.0])).ulp_median == 0


def test_whole_numbers_and_booleans_compare() -> None:
    """Integers compare by value and have no FP16 range; those that float64 cannot hold are refused."""
    found = of(np.array([1, 2, 3]), np.array([1, 2, 5]))
    assert (found.max_abs_error, found.beyond_fp16_share) == (2.0, None)
    assert of(np.array([True, False]), np.array([True, True])).deviating == 1
    with pytest.raises(UnreadableTensor, match="9007199254740993"):
        of(np.array([2**53 + 1]), np.array([2**53]))


def test_extents_of_one_do_not_matter_and_others_do() -> None:
    """[1, 10, 1, 1] is [10]; [2, 5] is not [5, 2] although both have ten elements."""
    ten = np.arange(10, dtype=np.float32)
    assert of(ten.reshape(1, 10, 1, 1), ten).error == 0
    with pytest.raises(UnreadableTensor, match=r"\[5, 2\]"):
        of(ten.reshape(2, 5), ten.reshape(5, 2))


@settings(max_examples=15)
@given(st.integers(1, 3 * CHUNK), st.integers(50, 5000))
def test_cutting_into_pieces_changes_nothing(size: int, piece: int) -> None:
    """A source that hands out pieces of any length gives the same metrics as one that has the whole."""
    a, b = pair(size, seed=size)

    class Pieces:
        def stored(self, _units: int) -> Any:
            return (b[start : start + piece] for start in range(0, size, piece))

    whole, cut = of(a, b), measure(tensor(a), Tensor("t", "fp32", (size,), Pieces()))
    assert cut == whole


def test_memory_stays_bounded(tmp_path: Path) -> None:
    """A pair of 32 MB each is compared with less than 16 MB of memory beyond the mapped files."""
    path = tmp_path / "a.bin"
    np.random.default_rng(0).standard_normal(1 << 23, dtype=np.float32).tofile(path)
    mapped = Tensor("t", "fp32", (1 << 23,), RawFile(path, np.dtype("<f4"), 1 << 23))
    tracemalloc.start()
    try:
        assert measure(mapped, mapped, ulp_type="fp16").error == 0
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_ranges_say_what_a_tensor_spans() -> None:
    """Extremes, mean and rms are of the finite numbers; NaN and infinities are counted."""
    ranges = ranges_of([f32([0, 1, -4, math.nan]), f32([math.inf, 1e-7, 70000])])
    assert (ranges.minimum, ranges.maximum, ranges.largest) == (-4, 70000, 70000)
    assert ranges.smallest == pytest.approx(1e-7)
    assert (ranges.zeros, ranges.nan, ranges.inf, ranges.beyond, ranges.subnormal, ranges.flushed) == (1, 1, 1, 1, 1, 0)
    assert ranges.mean == pytest.approx((1 - 4 + 70000) / 5, rel=1e-6)
    nothing = ranges_of([f32([math.nan])])
    assert (nothing.largest, nothing.rms, nothing.nan) == (None, None, 1)


def test_same_as_onnxruntime() -> None:
    """SQNR equals ONNX Runtime's own function of its quantization debugger."""
    debugger = pytest.importorskip("onnxruntime.quantization.qdq_loss_debug", reason="onnxruntime is not installed")
    a, b = pair(4000)
    theirs = debugger.compute_signal_to_quantization_noice_ratio(a.astype(np.float64), b.astype(np.float64))
    assert of(a, b).sqnr_db == pytest.approx(theirs, rel=1e-9)


def test_same_as_polygraphy() -> None:
    """SNR, PSNR, cosine similarity and largest difference equal Polygraphy's (0.53) own."""
    comparator = pytest.importorskip("polygraphy.comparator", reason="polygraphy is not installed")
    a, b = pair(4000)
    a, b = np.abs(a), np.abs(b)  # Polygraphy's PSNR takes the largest value for the peak, not the largest magnitude
    found = of(a, b)
    ends = [
        comparator.IterationResult({"x": array}, runtime=0.0, runner_name=name) for array, name in ((a, "a"), (b, "b"))
    ]
    for function, field, ours in (
        (comparator.CompareFunc.simple(), "max_absdiff", found.max_abs_error),
        (_polygraphy("Snr"), "snr", found.sqnr_db),
        (_polygraphy("Psnr"), "psnr", found.psnr_db),
        (_polygraphy("CosineSimilarity"), "cosine_similarity", found.cosine_similarity),
    ):
        assert float(getattr(function(*ends)["x"], field)) == pytest.approx(ours, rel=1e-6), field


def _polygraphy(metric: str) -> Any:
    comparator = pytest.importorskip("polygraphy.comparator")
    function = getattr(comparator, f"{metric}CompareFunc", None)
    if function is None:
        pytest.skip(f"this Polygraphy has no {metric}CompareFunc")
    return function()


def test_array_in_memory_keeps_its_order() -> None:
    """A transposed array is read in its own row-major order, not in that of its memory."""
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    assert np.array_equal(Tensor("t", "fp32", (3, 2), InMemory(array)).array(), array)


@pytest.mark.parametrize(
    ("chunks", "low", "high"),
    [
        ([[1, 1, 2], [1, 2, 2]], (1, 3), (2, 3)),
        ([[1, 1, 2], [0, 3, 3]], (0, 1), (3, 2)),
        ([[0, 3, 3], [1, 2]], (0, 1), (3, 2)),
    ],
)
def test_extremes_are_counted_over_all_chunks(
    chunks: list[list[float]], low: tuple[float, int], high: tuple[float, int]
) -> None:
    """The same extreme in another chunk counts on; a new one counts anew; a chunk within both changes nothing."""
    seen = Extremes()
    for chunk in chunks:
        seen.add(np.array(chunk, np.float64))
    assert ((seen.low, seen.low_count), (seen.high, seen.high_count)) == (low, high)

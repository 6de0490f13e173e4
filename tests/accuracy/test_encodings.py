"""Types that numpy lacks: every code against ml_dtypes, and rounding as the hardware rounds."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from tests.accuracy.conftest import f32
from trtlens.accuracy.encodings import (
    decode,
    dtype_name,
    encode,
    stored_count,
    stored_dtype,
)
from trtlens.accuracy.streaming import bf16_places, fp16_places
from trtlens.accuracy.tensors import InMemory, Tensor


@pytest.mark.parametrize(
    ("dtype", "name", "codes"),
    [
        ("bf16", "bfloat16", np.arange(1 << 16, dtype=np.uint16)),
        ("fp8", "float8_e4m3fn", np.arange(256, dtype=np.uint8)),
        ("e8m0", "float8_e8m0fnu", np.arange(256, dtype=np.uint8)),
    ],
)
def test_every_code_means_what_ml_dtypes_says(dtype: str, name: str, codes: Any) -> None:
    """All codes of BF16, FP8 and E8M0 decode to the numbers of ml_dtypes, NaN to NaN."""
    with np.errstate(invalid="ignore"):
        wanted = codes.view(getattr(ml_dtypes, name)).astype(np.float32)
    assert np.array_equal(decode(dtype, codes), wanted, equal_nan=True)


@pytest.mark.parametrize(("dtype", "name"), [("fp4", "float4_e2m1fn"), ("int4", "int4")])
def test_packed_types_have_the_first_value_in_the_lower_half(dtype: str, name: str) -> None:
    """FP4 and INT4: every byte is two values of ml_dtypes, the lower half first."""
    codes = np.arange(256, dtype=np.uint8)
    halves = np.stack((codes & 15, codes >> 4), axis=-1).reshape(-1)
    numbers = np.array([getattr(ml_dtypes, name)(0)] * 16)
    table = numbers.view(np.uint8).copy()
    table[:] = np.arange(16)
    wanted = table.view(numbers.dtype).astype(np.float32)[halves]
    assert np.array_equal(decode(dtype, codes), wanted)


def test_packed_tensor_of_odd_length_leaves_out_the_filling() -> None:
    """Three INT4 values take two bytes, and the fourth half byte is no value."""
    tensor = Tensor("t", "int4", (3,), InMemory(np.array([0x21, 0xF7], np.uint8)))
    assert tensor.array().tolist() == [1, 2, 7]
    assert stored_count("int4", 3) == 2


def awkward() -> Any:
    """All FP16 numbers, their neighbours in FP32, the points half way between them, and random magnitudes."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    exact = halves[np.isfinite(halves)].astype(np.float32)
    between = (exact[:-1] + exact[1:]) / 2
    random = np.random.default_rng(0)
    wide = (random.standard_normal(20000) * 10.0 ** random.uniform(-10, 8, 20000)).astype(np.float32)
    above, below = np.nextafter(exact, np.float32(np.inf)), np.nextafter(exact, np.float32(-np.inf))
    return np.concatenate([exact, between, above, below, wide])


def test_places_round_to_fp16_as_numpy_does() -> None:
    """The place of every awkward number among FP16 numbers is that of numpy's own conversion."""
    values = awkward()
    with np.errstate(over="ignore"):
        codes = values.astype(np.float16).view(np.int16).astype(np.int32)
    assert np.array_equal(fp16_places(values), np.where(codes < 0, -(codes & 0x7FFF), codes))


def test_places_and_bits_round_to_bf16_as_ml_dtypes_does() -> None:
    """BF16 bits are those of ml_dtypes, ties to even, and places follow from them."""
    values = awkward()
    bits = values.astype(ml_dtypes.bfloat16).view(np.uint16)
    assert np.array_equal(encode("bf16", values).view(np.uint16), bits)
    codes = bits.view(np.int16).astype(np.int32)
    assert np.array_equal(bf16_places(values), np.where(codes < 0, -(codes & 0x7FFF), codes))


def test_nan_stays_nan_in_bf16() -> None:
    """A NaN whose payload lies in the lost half does not become infinity."""
    values = np.array([0x7F800001, 0xFF800001], np.uint32).view(np.float32)
    assert np.isnan(decode("bf16", encode("bf16", values))).all()


def test_rounding_overflows_to_infinity() -> None:
    """65519 is still 65504 in FP16, 65520 is infinite; BF16 keeps both finite."""
    values = f32([65519, 65520, -1e9, 1e-9])
    assert encode("fp16", values).tolist() == [65504, np.inf, -np.inf, 0]
    assert np.isfinite(encode("bf16", values).astype(np.float32)).all()


def test_names_of_types() -> None:
    """Names of numpy and of TensorRT lead to ours; what holds no numbers has none."""
    assert [dtype_name(np.dtype(name)) for name in ("float16", ">f4", "bool", "complex64", "U3", "V2")] == [
        "fp16", "fp32", "bool", None, None, None,
    ]  # fmt: skip
    assert dtype_name(stored_dtype("bf16")) == "bf16"
    assert [stored_dtype(name) for name in ("int4", "fp4")] == [np.uint8, np.uint8]
    assert dtype_name(np.dtype(ml_dtypes.float4_e2m1fn)) is None  # one value a byte, where a dump has two

"""The table of data types: one row a type, whose names meet those of NumPy, ml_dtypes, ONNX and TensorRT."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest

from trtlens_parsers.data_types import DATA_TYPES, PRINTED_DTYPES, DataType, api_dtype, onnx_dtype, read_dtype

ROWS = list(DATA_TYPES.values())


@pytest.mark.parametrize("row", ROWS, ids=DATA_TYPES)
def test_numpy_has_the_type_under_that_name_with_those_bits(row: DataType) -> None:
    """What the column `numpy` names exists, in NumPy or ml_dtypes; packed types take a byte there."""
    if row.numpy is None:
        return
    found = np.dtype(getattr(ml_dtypes, row.numpy, None) or row.numpy)
    assert found.name == row.numpy
    assert found.itemsize == (row.bits + 7) // 8


@pytest.mark.parametrize("row", ROWS, ids=DATA_TYPES)
def test_onnx_means_the_same_numpy_type(row: DataType) -> None:
    """The number in `onnx` is that of the type whose NumPy name stands beside it."""
    if row.onnx is not None:
        assert onnx.helper.tensor_dtype_to_np_dtype(row.onnx).name == row.numpy
        assert onnx_dtype(row.onnx) == row.name


def test_every_printed_name_is_read_back() -> None:
    """A spelling that a log may hold before dimensions means one type, in any case."""
    for row in ROWS:
        for spelling in row.printed:
            assert read_dtype(spelling) == read_dtype(spelling.upper()) == row.name
            assert spelling in PRINTED_DTYPES.split("|")


def test_api_names_are_read_in_any_case_and_others_refused() -> None:
    """A member of `tensorrt.DataType` means one type; what is none means none."""
    assert [api_dtype(row.api) for row in ROWS if row.api] == [row.name for row in ROWS if row.api]
    assert [api_dtype(name) for name in ("half", "Float", "STRING", "DOUBLE")] == ["fp16", "fp32", None, None]
    assert [onnx_dtype(number) for number in (0, 8, 19)] == [None, None, None]

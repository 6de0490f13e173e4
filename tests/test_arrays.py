"""Arrow arrays made from buffers equal those that pyarrow makes of the same values."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtlens.tables import arrays
from trtlens.tables.arrays import array, known_true, of_build, of_numpy, rows_of
from trtlens.tables.schema import LABEL, declare

TEXT = st.text(max_size=12)
COLUMNS = st.one_of(
    st.tuples(st.just(pa.int64()), st.lists(st.none() | st.integers(-(2**63), 2**63 - 1))),
    st.tuples(st.just(pa.uint64()), st.lists(st.none() | st.integers(0, 2**64 - 1))),
    st.tuples(st.just(pa.float64()), st.lists(st.none() | st.floats(allow_nan=False))),
    st.tuples(st.just(pa.bool_()), st.lists(st.none() | st.booleans())),
    st.tuples(st.just(pa.string()), st.lists(st.none() | TEXT)),
    st.tuples(st.just(LABEL), st.lists(st.none() | TEXT)),
    st.tuples(st.just(pa.list_(pa.string())), st.lists(st.none() | st.lists(st.none() | TEXT, max_size=4))),
    st.tuples(
        st.just(pa.list_(pa.int64())), st.lists(st.none() | st.lists(st.none() | st.integers(-9, 9), max_size=4))
    ),
)


@given(COLUMNS)
def test_any_column_equals_pyarrow_s(column: tuple[pa.DataType, list[object]]) -> None:
    """Values, nulls and types are those that pyarrow's own conversion gives."""
    arrow, values = column
    made = array(values, arrow)
    made.validate(full=True)
    assert made.type == arrow
    assert made.to_pylist() == values
    plain = pa.array(values, arrow.value_type).dictionary_encode() if arrow == LABEL else pa.array(values, arrow)
    assert made.equals(plain)


@given(COLUMNS)
def test_long_columns_are_the_same_by_pyarrow(column: tuple[pa.DataType, list[object]]) -> None:
    """Beyond some length pyarrow converts; nothing else changes."""
    arrow, values = column
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "_MANY", 0)
        by_pyarrow = array(values, arrow)
    assert by_pyarrow.equals(array(values, arrow))


@pytest.mark.parametrize(
    ("values", "arrow"),
    [
        (["1"], pa.int64()), ([1.5], pa.int64()), ([0], pa.string()), ([b"a"], pa.string()), ([1], pa.bool_()),
        (["yes"], pa.bool_()), (["0.5"], pa.float64()), ([3], pa.list_(pa.int64())), ([0], LABEL),
    ],
)  # fmt: skip
def test_values_of_another_type_are_refused(values: list[object], arrow: pa.DataType) -> None:
    """Nothing is converted in silence."""
    with pytest.raises(TypeError):
        array(values, arrow)


def test_numbers_that_do_not_fit_are_refused() -> None:
    """A number beyond 64 bits has no place in a table."""
    with pytest.raises(OverflowError):
        array([2**63], pa.int64())
    with pytest.raises(OverflowError):
        array([-1], pa.uint64())


def test_numpy_columns_keep_what_is_missing() -> None:
    """NaN is null, and so is what the mask says."""
    assert of_numpy(np.array([0.5, np.nan])).to_pylist() == [0.5, None]
    assert of_numpy(np.array([7, 8, 9], np.int32), missing=np.array([False, True, False])).to_pylist() == [7, None, 9]
    assert of_numpy(np.arange(6)[::2]).to_pylist() == [0, 2, 4]


def test_rows_of_a_build_and_unknown_truths() -> None:
    """A null is neither this build nor true."""
    table = pa.table({"build": [1, 2, None, 2], "chosen": [True, None, False, True]})
    assert of_build(table, 2)["chosen"].to_pylist() == [None, True]
    assert known_true(table["chosen"]).to_pylist() == [True, False, False, True]


def test_making_arrays_imports_no_pandas() -> None:
    """That is what they are for: pandas takes longer to import than a log of 10 MB takes to read."""
    code = (
        "import sys, numpy, pyarrow as pa; from trtlens.tables.arrays import *; from trtlens.tables.schema import LABEL\n"
        "t = pa.table({'build': array([1, 2], pa.int64()), 'x': array(['a', None], LABEL)})\n"
        "of_build(t, 1), known_true(pa.chunked_array([array([None], pa.bool_())])), of_numpy(numpy.arange(3))\n"
        "array([['a']], pa.list_(pa.string())), array([1.5], pa.float64())\n"
        "sys.exit('pandas' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_time_that_no_clock_shows_is_unknown() -> None:
    """A damaged figure would make sums infinite: beyond 1e12 ms (30 years) it is null, and what is known stays."""
    spec = declare("times", "one time", "time_ms", "time_ms | float | ms | a time\ncount | float | | a count")
    table = spec.table({"time_ms": [1.5, 1e308, None, -1e13, 1e12], "count": [1e308] * 5})
    assert table["time_ms"].to_pylist() == [1.5, None, None, None, 1e12]
    assert table["count"].to_pylist() == [1e308] * 5


@pytest.mark.parametrize("builds", [[], [1], [1, 1, 2, 4, 4], [2, 1, 2], [1, None, 2]])
def test_rows_of_a_build_in_whatever_order_they_stand(builds: list[int | None]) -> None:
    """Ascending builds are cut out, others looked for; a part of a table is itself asked again."""
    table = pa.table({"build": pa.array(builds, pa.int64()), "row": pa.array(range(len(builds)), pa.int64())})
    for number in range(6):
        expected = [row for row, build in enumerate(builds) if build == number]
        assert of_build(table, number)["row"].to_pylist() == expected
        assert of_build(of_build(table, number), number)["row"].to_pylist() == expected


def test_rows_are_those_of_pyarrow() -> None:
    """Of labels in parts with dictionaries of their own, of nulls, lists and no rows at all."""
    parts = [pa.array(values, pa.string()).dictionary_encode() for values in (["a", None, "b"], ["b", "c", "b"])]
    table = pa.table({"label": pa.chunked_array(parts), "number": [1, 2, None, 4, 5, 6], "list": [[1], [], None] * 2})
    for asked in (table, table.slice(2, 3), table.slice(6), table.select(["number"])):
        assert rows_of(asked) == asked.to_pylist()
